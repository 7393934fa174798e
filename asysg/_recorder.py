"""The flight record of a run, in bounded memory."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from .errors import InvalidArgument

#: Bytes of the record kept in memory; what is longer goes to a file.
MEMORY = 2**26


class Recorder:
    """Entries in the order of their updates, in memory or, if there are many, in a file.

    Parameters
    ----------
    dtype : dtype
    path : path-like, optional
        Append to this file (made anew unless `keep`). Without it the record moves to a temporary
        file, gone with the process, once it outgrows `MEMORY`.
    keep : int
        Entries of the file to keep; what lies behind them belongs to updates that a resumed
        run does again.

    Raises
    ------
    InvalidArgument
        If the file does not have the entries to keep.
    """

    def __init__(
        self, dtype: np.dtype[Any], path: str | os.PathLike[str] | None = None, keep: int = 0
    ) -> None:
        self.dtype = dtype
        self.length = keep
        self._blocks: list[NDArray[Any]] = []
        self._file: IO[bytes] | None = None
        if path is not None:
            self._file = opened(Path(path), keep * dtype.itemsize)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()  # a map of it stays

    def append(self, block: NDArray[Any]) -> None:
        """Add the entries of a block of updates."""
        self.length += len(block)
        if self._file is None and self.length * self.dtype.itemsize > MEMORY:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115
            for held in self._blocks:
                self._file.write(held.tobytes())
            self._blocks.clear()
        if self._file is None:
            self._blocks.append(block)
        else:
            self._file.write(block.tobytes())

    def sync(self) -> None:
        """Make sure that what was appended to a file would survive a crash."""
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())

    def entries(self) -> NDArray[Any]:
        """Return all entries; a read-only map of the file where they are in one."""
        if self._file is None:
            return np.concatenate([np.empty(0, self.dtype), *self._blocks])
        self._file.flush()
        if not self.length:
            return np.empty(0, self.dtype)
        return np.memmap(self._file, dtype=self.dtype, mode="r", shape=(self.length,))


def opened(path: Path, size: int) -> IO[bytes]:
    """Open a record to append to it, behind its first `size` bytes.

    A file is never cut short where it is, because the result of an earlier run in this process
    may still map it, and would die of looking at what is no longer there.
    """
    found = path.stat().st_size if path.exists() else 0
    if found < size:
        raise InvalidArgument(
            f"checkpoint must lie beside the flight record {str(path)!r} it goes on with, of at "
            f"least {size} bytes, got {found}. Delete the checkpoint to start anew."
        )
    if found != size or not size:
        temporary = path.with_name(f"{path.name}.tmp")
        with temporary.open("wb") as head:
            if size:
                with path.open("rb") as whole:
                    copy(whole, head, size)
            head.flush()
            os.fsync(head.fileno())
        temporary.replace(path)
    return path.open("ab+")


def copy(source: IO[bytes], target: IO[bytes], size: int) -> None:
    """Copy the first `size` bytes."""
    while size:
        size -= target.write(source.read(min(size, MEMORY)))
