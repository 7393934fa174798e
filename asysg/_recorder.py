"""The flight record of a run, in bounded memory."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

#: Bytes of the record kept in memory; what is longer goes to a file.
MEMORY = 2**26


class Recorder:
    """Entries in the order of their updates, in memory or, if there are many, in a file.

    Parameters
    ----------
    dtype : dtype
    path : path-like, optional
        Append to this file (made if missing). Without it the record moves to a temporary file,
        gone with the process, once it outgrows `MEMORY`.
    keep : int
        Entries of the file to keep; what lies behind them belongs to updates that a resumed
        run does again.
    """

    def __init__(
        self, dtype: np.dtype[Any], path: str | os.PathLike[str] | None = None, keep: int = 0
    ) -> None:
        self.dtype = dtype
        self.length = keep
        self._blocks: list[NDArray[Any]] = []
        self._file: IO[bytes] | None = None
        if path is not None:
            self._file = Path(path).open("r+b" if keep else "w+b")  # noqa: SIM115
            self._file.truncate(keep * dtype.itemsize)
            self._file.seek(0, os.SEEK_END)

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
