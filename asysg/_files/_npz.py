"""NumPy archives: a dense matrix or SciPy's CSR, and labels."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from ..errors import InvalidArgument
from ._common import Data, Matrix, dense, labels_of, numbers_or_words, open_text, show

_SPARSE = {"format", "shape", "data", "indices", "indptr"}


def read_npz(path: Path, labels: str | None) -> Data:
    if not zipfile.is_zipfile(path):
        raise InvalidArgument(
            f"{path} must be an .npz archive, got other bytes. Write it with numpy.savez(path, "
            "X=..., y=...)."
        )
    with np.load(path, allow_pickle=False) as archive:
        names = [str(name) for name in archive.files]
        if set(names) >= _SPARSE:
            A: Matrix = _csr(path, {name: _member(path, archive, name) for name in _SPARSE})
            kind = "CSR"
        else:
            name = _one_of(path, "the data", ("A", "X"), names)
            A = dense(path, name, _member(path, archive, name))
            kind = f"dense array {name!r}"
        if labels is not None and labels not in names:
            if not Path(labels).is_file():
                raise InvalidArgument(
                    f"labels must be an array of {path} ({', '.join(names)}) or a file, got "
                    f"{labels!r}."
                )
            y, source = label_file(Path(labels)), f"file {labels}"
        else:
            source = labels or _one_of(path, "the labels", ("y", "labels", "target"), names)
            y = _member(path, archive, source)
    y = labels_of(f"{path}, labels ({source})", y)
    if y.size != A.shape[0]:
        raise InvalidArgument(
            f"labels ({source}) must be one a sample, {A.shape[0]}, got {y.size}."
        )
    return Data(A, y, (f"npz, {kind}, labels from {source}",))


def _member(path: Path, archive: Any, name: str) -> NDArray[Any]:
    try:
        return np.asarray(archive[name])
    except (ValueError, MemoryError) as error:
        raise InvalidArgument(
            f"{path} must hold plain arrays, got {name!r}, which cannot be read ({error})."
        ) from error


def _one_of(path: Path, what: str, wanted: tuple[str, ...], names: list[str]) -> str:
    found = [name for name in wanted if name in names]
    if len(found) != 1:
        raise InvalidArgument(
            f"{path} must hold {what} as one array named {' or '.join(wanted)}, got "
            f"{', '.join(names) or 'none'}."
        )
    return found[0]


def _csr(path: Path, part: dict[str, NDArray[Any]]) -> scipy.sparse.csr_array:
    kind = part["format"].item() if part["format"].ndim == 0 else None
    kind = kind.decode("ascii", "replace") if isinstance(kind, bytes) else kind
    if kind != "csr":
        raise InvalidArgument(
            f"{path} must hold a CSR matrix, got {show(kind)}. Save it as A.tocsr()."
        )
    try:
        if part["data"].dtype.kind not in "biuf" or part["indices"].dtype.kind not in "iu":
            raise ValueError("numbers of another kind")
        rows, columns = map(int, part["shape"])
        A = scipy.sparse.csr_array(
            (part["data"].astype(np.float64), part["indices"], part["indptr"]),
            shape=(rows, columns),
        )
        A.check_format(full_check=True)
        if 0 in A.shape:
            raise ValueError(f"shape {A.shape}")
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidArgument(
            f"{path} must hold a sound CSR matrix, got one with: {error}."
        ) from error
    A.sum_duplicates()
    for position in np.flatnonzero(~np.isfinite(A.data))[:1]:
        row = int(np.searchsorted(A.indptr, position, side="right")) - 1
        raise InvalidArgument(
            f"{path} must be finite, got {A.data[position]} in row {row} (from 0)."
        )
    return A


def label_file(path: Path) -> NDArray[Any]:
    if path.suffix == ".npy":
        try:
            return np.asarray(np.load(path, allow_pickle=False))
        except ValueError as error:
            raise InvalidArgument(f"{path} must be a plain .npy file, got: {error}.") from error
    with open_text(path) as file:
        return numbers_or_words([line.strip() for line in file if line.strip()])
