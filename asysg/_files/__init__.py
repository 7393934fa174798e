"""Reading users' data files: svmlight/libsvm, NumPy archives and CSV.

Strict on purpose: what is not plainly data of one of these formats is refused, with the place and
a remedy, and what had to be decided in reading (where ids begin, whether there is a header) is
said in `Data.notes`. Nothing is ever unpickled.
"""

from __future__ import annotations

import lzma
import os
import zipfile
import zlib
from pathlib import Path

from ..errors import InvalidArgument
from ._common import OPENERS, Data
from ._csv import read_csv
from ._npz import read_npz
from ._svmlight import read_svmlight

__all__ = ["MAX_FEATURES", "Data", "read"]

#: Largest number of features accepted unless told otherwise: x and every worker's copy of it take
#: 8 bytes a feature, and a mistyped index must not ask for all of the memory.
MAX_FEATURES = 50_000_000

FORMATS = ("svmlight", "npz", "csv")


def read(
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    labels: str | None = None,
    header: bool | None = None,
    first_index: int | None = None,
    n_features: int | None = None,
    max_features: int = MAX_FEATURES,
) -> Data:
    r"""Read a data file.

    Parameters
    ----------
    path : path-like
        svmlight and CSV files may be compressed (.gz, .bz2, .xz).
    format : {"svmlight", "npz", "csv"}, optional
        By default told by the name: .npz, .csv or .tsv, and svmlight for every other.
    labels : str, optional
        CSV: name or number (from 0; negative: from the end) of the label column, the last by
        default. npz: name of the array of labels ("y" by default), or a file of labels (.npy, or
        text with one label a line).
    header : bool, optional
        CSV: whether the first line holds names. By default, if none of its features is a number.
    first_index : {0, 1}, optional
        svmlight: the id of the first feature. By default 1, and 0 if the id 0 occurs.
    n_features : int, optional
        svmlight: number of features, the largest that occurs by default.
    max_features : int
        Refuse a file with more.

    Returns
    -------
    Data

    Raises
    ------
    InvalidArgument
        With the line where there is one, for everything that is not finite data with one label a
        sample; also for an option that the format does not have.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from asysg import _files
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "two.svm")
    ...     _ = path.write_text("-1 1:0.5 3:2\n+1 2:1\n")
    ...     data = _files.read(path)
    >>> data.A.toarray()
    array([[0.5, 0. , 2. ],
           [0. , 1. , 0. ]])
    >>> data.y
    array([-1.,  1.])
    """
    path = Path(path)
    if not path.exists():
        raise InvalidArgument(f"{path} must be a file, got a path where there is none.")
    if path.is_dir():
        raise InvalidArgument(f"{path} must be a file, got a folder.")
    if format not in (None, *FORMATS):
        raise InvalidArgument(f"format must be one of {', '.join(FORMATS)}, got {format!r}.")
    if max_features < 1:
        raise InvalidArgument(f"max_features must be at least 1, got {max_features}.")
    format = format or _guess(path)
    given = {
        "labels": labels,
        "header": header,
        "first_index": first_index,
        "n_features": n_features,
    }
    takes = {
        "svmlight": ("first_index", "n_features"),
        "npz": ("labels",),
        "csv": ("labels", "header"),
    }[format]
    for name, value in given.items():
        if value is not None and name not in takes:
            raise InvalidArgument(f"{name} must be left out for {format} files, got {value!r}.")
    try:
        if format == "svmlight":
            data = read_svmlight(path, first_index, n_features, max_features)
        elif format == "npz":
            data = read_npz(path, labels)
        else:
            data = read_csv(path, labels, header)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise InvalidArgument(f"{path} must be a sound {format} file, got: {reason}.") from error
    except UnicodeDecodeError as error:
        raise InvalidArgument(f"{path} must be text in UTF-8, got other bytes.") from error
    if data.A.shape[1] > max_features:
        raise InvalidArgument(
            f"{path} must have at most {max_features} features, got {data.A.shape[1]}. Raise "
            "max_features if that is meant."
        )
    return data


def _guess(path: Path) -> str:
    suffix = Path(path.stem).suffix if path.suffix in OPENERS else path.suffix
    return {".npz": "npz", ".csv": "csv", ".tsv": "csv"}.get(suffix.lower(), "svmlight")
