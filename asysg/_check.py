"""Checks of arguments, so that every bad one is refused before anything runs."""

from __future__ import annotations

import operator
from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InvalidArgument


def integer(name: str, value: Any, low: int) -> int:
    """Return `value` as an int that is at least `low`."""
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool | np.bool_) or number < low:
        raise InvalidArgument(f"{name} must be an integer >= {low}, got {value!r}.")
    return number


def choice(name: str, value: Any, allowed: Collection[Any], remedy: str = "") -> None:
    """Refuse `value` unless it is one of `allowed` (True and 1 are different)."""
    if not any(
        value is option or (type(value) is type(option) and value == option) for option in allowed
    ):
        options = ", ".join(map(repr, allowed))
        raise InvalidArgument(f"{name} must be one of {options}, got {value!r}. {remedy}".rstrip())


def vector(name: str, value: ArrayLike, n: int) -> NDArray[np.float64]:
    """Return `value` as a fresh finite float64 vector of n entries."""
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidArgument(f"{name} must be a real vector, got {value!r}.") from None
    if array.shape != (n,):
        raise InvalidArgument(f"{name} must have shape ({n},), got {array.shape}.")
    bad = np.flatnonzero(~np.isfinite(array))
    if bad.size:
        raise InvalidArgument(f"{name} must be finite, got {array[bad[0]]} at position {bad[0]}.")
    return array
