"""Checks of arguments, so that every bad one is refused before anything runs."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .errors import InvalidArgument

Vector = NDArray[np.float64]
#: What x may be computed in.
DTYPES = ("float64", "float32")


def number(
    name: str, value: Any, *, least: float = -math.inf, above: float = -math.inf, remedy: str = ""
) -> float:
    """Return `value` as a finite float with value >= least and value > above."""
    try:
        result = float(value)
    except (TypeError, ValueError):
        result = math.nan
    if not (math.isfinite(result) and result >= least and result > above):
        rule = f" > {above:g}" if above > -math.inf else f" >= {least:g}"
        rule = "" if rule == " >= -inf" else rule
        raise InvalidArgument.of(name, f"must be a finite number{rule}", value, remedy)
    return result


def integer(name: str, value: Any, *, least: int, remedy: str = "") -> int:
    """Return `value` as an int with value >= least."""
    if (
        isinstance(value, bool | np.bool_)
        or not isinstance(value, int | np.integer)
        or value < least
    ):
        raise InvalidArgument.of(name, f"must be an integer >= {least}", value, remedy)
    return int(value)


def vector(name: str, value: ArrayLike, length: int | None, *, remedy: str = "") -> Vector:
    """Return `value` as a finite contiguous float64 vector, without a copy if it is one."""
    if np.iscomplexobj(value):
        raise InvalidArgument.of(name, "must be real", np.asarray(value).dtype, remedy)
    try:
        result = np.ascontiguousarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidArgument.of(
            name, "must be an array of numbers", type(value).__name__, remedy
        ) from None
    shape = np.shape(value)
    if len(shape) != 1 or shape[0] == 0 or length not in (None, shape[0]):
        rule = (
            "a non-empty vector of shape (m,)"
            if length is None
            else f"a vector of shape ({length},)"
        )
        raise InvalidArgument.of(name, f"must be {rule}", shape, remedy)
    if not np.isfinite(result).all():
        raise InvalidArgument.of(
            name, "must be finite", float(result[~np.isfinite(result)][0]), remedy
        )
    return result


def choice(name: str, value: Any, allowed: Collection[Any], *, remedy: str = "") -> Any:
    """Return `value` if it is one of the allowed words (or False; 0 is not)."""
    if not any(type(value) is type(option) and value == option for option in allowed):
        words = ", ".join(map(repr, allowed))
        raise InvalidArgument.of(name, f"must be one of {words}", value, remedy)
    return value


def precision(dtype: DTypeLike) -> str:
    """Return the name of a type of numbers, given as a word or as NumPy's type."""
    if isinstance(dtype, type | np.dtype):
        dtype = np.dtype(dtype).name
    name: str = choice("dtype", dtype, DTYPES)
    return name


def read_json(path: str | os.PathLike[str], what: str) -> Any:
    """Return the document in the file of an argument `path`, which must name `what`."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "which is no JSON"
        raise InvalidArgument(f"path must name {what}, got {os.fspath(path)!r} ({why}).") from error


@contextmanager
def to_be_written(name: str, what: str, value: str | os.PathLike[str]) -> Iterator[None]:
    """Make of what the system says against writing an error that names the argument."""
    try:
        yield
    except OSError as error:
        raise InvalidArgument(
            f"{name} must be a {what} that can be written, got {os.fspath(value)!r} "
            f"({error.strerror})."
        ) from error


def writable(*paths: Path) -> None:
    """Raise OSError if files cannot be written; all stays as it was."""
    for path in paths:
        new = not os.path.lexists(path)
        path.open("a").close()
        if new:
            path.unlink()


def folder(name: str, value: str | os.PathLike[str], *files: str) -> Path:
    """Return a folder, made if need be, in which these files can be written."""
    path = Path(value)
    with to_be_written(name, "folder", path):
        path.mkdir(parents=True, exist_ok=True)
        writable(*(path / file for file in files))
    return path
