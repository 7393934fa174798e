"""What the readers share."""

from __future__ import annotations

import bz2
import gzip
import lzma
import reprlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from ..errors import InvalidArgument

OPENERS: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}

Matrix: TypeAlias = "NDArray[np.float64] | scipy.sparse.csr_array"


@dataclass(frozen=True)
class Data:
    """What a file holds.

    Attributes
    ----------
    A : ndarray or SciPy CSR array, shape (n_samples, n), float64
        Finite.
    y : ndarray of shape (n_samples,)
        Finite float64, or words where the labels are words.
    notes : tuple of str
        What was decided in reading, for the reader to say.
    """

    A: Matrix
    y: NDArray[Any]
    notes: tuple[str, ...]


@contextmanager
def open_text(path: Path) -> Iterator[IO[str]]:
    opener = OPENERS.get(path.suffix, open)
    # utf-8-sig: spreadsheets like to begin a file with a byte order mark.
    with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
        yield file


def show(value: object) -> str:
    short = reprlib.Repr()
    short.maxstring = 40
    return short.repr(value)


def is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return "_" not in word


def dense(path: Path, name: str, X: NDArray[Any]) -> NDArray[np.float64]:
    if X.dtype.kind not in "biuf" or X.ndim != 2 or 0 in X.shape:
        raise InvalidArgument(
            f"{path}, {name} must be a non-empty matrix of real numbers, got {X.dtype} of shape "
            f"{X.shape}."
        )
    A = np.ascontiguousarray(X, dtype=np.float64)
    for row, column in np.argwhere(~np.isfinite(A))[:1]:
        raise InvalidArgument(
            f"{path}, {name} must be finite, got {A[row, column]} in row {row}, column {column} "
            "(from 0)."
        )
    return A


def labels_of(where: str, y: NDArray[Any]) -> NDArray[Any]:
    if y.ndim != 1 or y.size == 0 or y.dtype.kind not in "biufU":
        raise InvalidArgument(
            f"{where} must be a non-empty vector of numbers or words, got {y.dtype} of shape "
            f"{y.shape}."
        )
    if y.dtype.kind == "U":
        return y
    y = y.astype(np.float64)
    for row in np.flatnonzero(~np.isfinite(y))[:1]:
        raise InvalidArgument(f"{where} must be finite, got {y[row]} for sample {row} (from 0).")
    return y


def numbers_or_words(words: list[str]) -> NDArray[Any]:
    if all(map(is_number, words)):
        return np.array(words, dtype=np.float64)
    return np.array(words, dtype=np.str_)
