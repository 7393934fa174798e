"""Arguments are checked once, here, and come out as plain Python numbers."""

from __future__ import annotations

import math
import sys
from collections.abc import Collection
from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np

from ._errors import InvalidArgument

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

# Conditions of the form lhs <= 1 are decided on rounded numbers: gamma = 1/(M L) has to pass
# M L gamma <= 1 although the product may round to 1 + 2e-16.
ROUNDING = 8 * sys.float_info.epsilon


def number(name: str, value: object, *, low: float = 0.0, strict: bool = False) -> float:
    """Return a finite float that is at least (or above) `low`."""
    rule = f"must be a finite number {'above' if strict else 'at least'} {low:g}"
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise InvalidArgument.of(name, rule, value)
    try:
        x = float(value)
    except OverflowError:
        x = math.inf
    if not math.isfinite(x) or x < low or (strict and x == low):
        raise InvalidArgument.of(name, rule, value)
    return x


def whole(name: str, value: object, *, low: int) -> int:
    """Return an int that is at least `low` and fits a float."""
    rule = f"must be an integer at least {low}"
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Integral):
        raise InvalidArgument.of(name, rule, value)
    i = int(value)
    if i < low:
        raise InvalidArgument.of(name, rule, value)
    if i > sys.float_info.max:
        raise InvalidArgument.of(name, "must be below 1.8e308", value)
    return i


def choice(name: str, value: object, allowed: Collection[str]) -> str:
    """Return `value` if it is one of the allowed words."""
    if not isinstance(value, str) or value not in allowed:
        words = ", ".join(repr(a) for a in allowed)
        raise InvalidArgument.of(name, f"must be one of {words}", value)
    return value


def vector(name: str, value: object, *, length: int | None = None) -> Array:
    """Return a one-dimensional array of finite floats at least 0."""
    x = _real_array(name, value)
    if x.ndim != 1 or x.size == 0:
        raise InvalidArgument.of(name, "must be a one-dimensional array, not empty", value)
    if not np.all(np.isfinite(x)) or np.any(x < 0):
        raise InvalidArgument.of(name, "must hold finite numbers at least 0", value)
    if length is not None and x.size != length:
        raise InvalidArgument.of(name, f"must have {length} entries", x.size)
    return x


def _real_array(name: str, value: object) -> Array:
    try:
        raw = np.asarray(value)
    except ValueError:  # ragged nested sequences
        raw = np.asarray(None)
    if raw.dtype.kind not in "iuf":
        raise InvalidArgument.of(name, "must be an array of real numbers", value)
    return raw.astype(np.float64)


def matrix(name: str, value: object, shape: tuple[int, ...]) -> Array:
    """Return an array of finite floats of the given shape (-1: any extent)."""
    x = _real_array(name, value)
    fits = x.ndim == len(shape) and all(s in (-1, t) for s, t in zip(shape, x.shape, strict=True))
    if not fits:
        raise InvalidArgument.of(name, f"must have shape {shape} (-1: any)", x.shape)
    if not np.all(np.isfinite(x)):
        raise InvalidArgument.of(name, "must hold finite numbers", value)
    return x
