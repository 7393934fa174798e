"""Given delays: which past iterate each read of a simulated run sees.

Every schedule here is *oblivious*: it is a function of its own random key and of k, never of
the samples or coordinates drawn in the run. That is what the theorems ask (all but the robust
form).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._check import integer
from .._draws import Key, below, words
from ..errors import InvalidArgument

__all__ = ["Delays", "constant", "given", "subsets", "uniform"]


@dataclass(frozen=True)
class Delays:
    """An oblivious schedule of delays.

    Attributes
    ----------
    name : str
    T : int
        No delay exceeds it.
    table : callable
        ``table(key, start, stop, M)``: int64 array (stop - start, M) of the delays of updates
        start..stop-1 (numbered from 0), the same however the range is cut.
    seen : callable or None
        ``seen(key, start, stop, M)``: uint8 array (stop - start, M, T); entry (k, m, t) says
        whether the read contains update k - 1 - t although it lies within the delay. None:
        it contains none of those.
    is_constant : bool
        Every delay equals T (as far as there are so many updates).
    """

    name: str
    T: int
    table: Callable[[Key, int, int, int], NDArray[np.int64]]
    seen: Callable[[Key, int, int, int], NDArray[np.uint8]] | None = None
    is_constant: bool = False


def _grid(key: Key, start: int, stop: int, slots: int) -> NDArray[np.uint64]:
    return words(key, np.arange(start, stop)[:, np.newaxis], np.arange(slots))


def constant(T: int) -> Delays:
    """Every read is T updates old (the start, where fewer have happened).

    Parameters
    ----------
    T : int
        At least 0.

    Examples
    --------
    >>> from asysg.simulate import delays
    >>> delays.constant(3).T
    3
    """
    T = integer("T", T, least=0)
    return Delays(
        f"constant({T})",
        T,
        lambda key, start, stop, M: np.full((stop - start, M), T, dtype=np.int64),
        is_constant=True,
    )


def uniform(T: int) -> Delays:
    """Each sample's delay is uniform on 0..T, all independent.

    Parameters
    ----------
    T : int
        At least 0.
    """
    T = integer("T", T, least=0)
    return Delays(
        f"uniform({T})",
        T,
        lambda key, start, stop, M: below(_grid(key, start, stop, M), T + 1).astype(np.int64),
    )


def subsets(T: int, seen: float = 0.5) -> Delays:
    """Each of the last T updates is in the read with probability `seen`, all independent.

    The read set of AsySG-incon in its full generality; other methods refuse it.

    Parameters
    ----------
    T : int
        At least 0.
    seen : float
        In 0..1.
    """
    T = integer("T", T, least=0)
    if not 0 <= seen <= 1:
        raise InvalidArgument(f"seen must lie in 0..1, got {seen!r}.")

    def draw(key: Key, start: int, stop: int, M: int) -> NDArray[np.uint8]:
        unit = (_grid(key, start, stop, M * T) >> np.uint64(11)) * 2.0**-53
        return (unit < seen).astype(np.uint8).reshape(stop - start, M, T)

    return Delays(f"subsets({T}, {seen})", T, constant(T).table, draw)


def given(table: ArrayLike) -> Delays:
    """Use the delays of a table, one row an update.

    Parameters
    ----------
    table : array of shape (K,) or (K, M), int
        Entry (k, m): sample m of update k (from 0) reads so many updates back. A row of one
        entry serves all M samples.

    Raises
    ------
    InvalidArgument
        If an entry is negative or no integer; at run time if the table is too short.
    """
    array = np.asarray(table)
    if array.ndim == 1:
        array = array[:, np.newaxis]
    if array.ndim != 2 or array.size == 0 or array.dtype.kind not in "iu" or array.min() < 0:
        raise InvalidArgument(
            f"table must be a (K,) or (K, M) array of integers >= 0, got {table!r}."
        )
    array = array.astype(np.int64)

    def rows(key: Key, start: int, stop: int, M: int) -> NDArray[np.int64]:
        if stop > len(array):
            raise InvalidArgument(
                f"table must have one row an update, got {len(array)} rows for {stop} updates."
            )
        if array.shape[1] not in (1, M):
            raise InvalidArgument(
                f"table must have 1 or batch_size={M} columns, got {array.shape[1]}."
            )
        return np.ascontiguousarray(np.broadcast_to(array[start:stop], (stop - start, M)))

    return Delays("given", int(array.max()), rows)
