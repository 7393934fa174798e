"""Arguments checked before anything compiled sees them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InvalidArgument

Vector = NDArray[np.float64]


def number(
    name: str, value: Any, *, least: float = -math.inf, above: float = -math.inf, remedy: str
) -> float:
    """Return `value` as a finite float with value >= least and value > above."""
    try:
        result = float(value)
    except (TypeError, ValueError):
        result = math.nan
    if not (math.isfinite(result) and result >= least and result > above):
        rule = f" > {above:g}" if above > -math.inf else f" >= {least:g}"
        rule = "" if rule == " >= -inf" else rule
        raise InvalidArgument(f"{name} must be a finite number{rule}, got {value!r}. {remedy}")
    return result


def integer(name: str, value: Any, *, least: int, remedy: str) -> int:
    """Return `value` as an int with value >= least."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise InvalidArgument(f"{name} must be an integer >= {least}, got {value!r}. {remedy}")
    return int(value)


def vector(name: str, value: ArrayLike, length: int | None, *, remedy: str) -> Vector:
    """Return `value` as a finite contiguous float64 vector, without a copy if it is one."""
    if np.iscomplexobj(value):
        raise InvalidArgument(f"{name} must be real, got complex numbers. {remedy}")
    try:
        result = np.ascontiguousarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidArgument(
            f"{name} must be an array of numbers, got {type(value).__name__}. {remedy}"
        ) from None
    shape = np.shape(value)
    if len(shape) != 1 or shape[0] == 0 or length not in (None, shape[0]):
        rule = "a non-empty vector" if length is None else f"a vector of length {length}"
        raise InvalidArgument(f"{name} must be {rule}, got shape {shape}. {remedy}")
    if not np.isfinite(result).all():
        raise InvalidArgument(f"{name} must be finite, got NaN or infinity. {remedy}")
    return result


def choice(name: str, value: Any, allowed: tuple[str, ...], *, remedy: str) -> str:
    """Return `value` if it is one of the allowed words."""
    if value not in allowed:
        words = ", ".join(map(repr, allowed))
        raise InvalidArgument(f"{name} must be one of {words}, got {value!r}. {remedy}")
    return str(value)
