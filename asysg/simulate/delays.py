"""Given delays: which past iterate each read of a simulated run sees.

Every schedule here is *oblivious*: it is a function of its own random key and of k, never of
the samples or coordinates drawn in the run. That is what the theorems ask (all but the robust
form). Those of an adversary are in `asysg.simulate.adversary`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._check import integer, number, vector
from .._core import laws
from .._draws import Key, words
from ..errors import InvalidArgument
from ..result import Result

__all__ = [
    "Delays",
    "constant",
    "from_trace",
    "geometric",
    "given",
    "heavy_tail",
    "law",
    "straggler",
    "subsets",
    "uniform",
]


@dataclass(frozen=True)
class Delays:
    """A schedule of delays.

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
    watch : callable or None
        None: the schedule is oblivious. Otherwise the delays depend on the run, and `table` is
        not used: ``watch()`` begins a run and returns ``choose(k, x)``, which is called once for
        every update k = 0, 1, ... with x_k and returns the delay of its reads, in 0..min(k, T).
    shape : tuple of two int, or None
        Rows and columns of a given table, of which a run needs K and 1 or M.
    """

    name: str
    T: int
    table: Callable[[Key, int, int, int], NDArray[np.int64]]
    seen: Callable[[Key, int, int, int], NDArray[np.uint8]] | None = None
    is_constant: bool = False
    watch: Callable[[], Callable[[int, NDArray[np.float64]], int]] | None = None
    shape: tuple[int, int] | None = None


def _grid(key: Key, start: int, stop: int, slots: int) -> NDArray[np.uint64]:
    return words(key, np.arange(start, stop)[:, np.newaxis], np.arange(slots))


def constant(T: int) -> Delays:
    """Every read is T updates old (the start, where fewer have happened).

    Parameters
    ----------
    T : int
        At least 0.

    Returns
    -------
    Delays

    Raises
    ------
    InvalidArgument
        For a T out of range.

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

    Returns
    -------
    Delays

    Raises
    ------
    InvalidArgument
        For a T out of range.

    Examples
    --------
    >>> from asysg.simulate import delays
    >>> delays.uniform(3).name
    'uniform(3)'
    """
    T = integer("T", T, least=0)
    return Delays(
        f"uniform({T})",
        T,
        lambda key, start, stop, M: laws.below(key, start, stop, M, T + 1),
    )


def law(probabilities: ArrayLike, name: str = "law") -> Delays:
    """Each sample's delay is t with probability ``probabilities[t]``, all independent.

    Parameters
    ----------
    probabilities : array of shape (T + 1,)
        At least 0 and not all 0; divided by their sum.
    name : str
        What runs call it.

    Returns
    -------
    Delays

    Raises
    ------
    InvalidArgument
        If they are not.

    References
    ----------
    A. J. Walker, "An efficient method for generating discrete random variables with general
    distributions", ACM TOMS 3 (1977): one comparison a draw, whatever T is.

    Examples
    --------
    >>> from asysg.simulate import delays
    >>> delays.law([0.5, 0.0, 0.5]).T
    2
    """
    p = vector("probabilities", probabilities, None)
    if (p < 0).any() or not p.sum() > 0:
        raise InvalidArgument.of("probabilities", "must be >= 0 and not all 0", probabilities)
    T = int(np.flatnonzero(p)[-1])
    share, other = _columns(p[: T + 1] / p.sum())
    return Delays(
        name, T, lambda key, start, stop, M: laws.alias(key, start, stop, M, share, other)
    )


def _columns(p: NDArray[np.float64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return Walker's table: how many of 2^64 parts of column i are i's own, and whose the rest."""
    height, other = p * len(p), np.arange(len(p))
    small = [int(i) for i in np.flatnonzero(height < 1)]
    large = [int(i) for i in np.flatnonzero(height >= 1)]
    while small and large:
        low, high = small.pop(), large[-1]
        other[low] = high
        height[high] -= 1 - height[low]
        if height[high] < 1:
            small.append(large.pop())
    # What is left over is full, but for rounding; its alias is itself.
    top = 2.0**64 - 2.0**11  # the largest float below 2^64
    return np.minimum(np.clip(height, 0, 1) * 2.0**64, top).astype(np.uint64), other


def geometric(T: int, mean: float) -> Delays:
    """Each sample's delay is geometric, cut at T: P(t) is proportional to q^t for t = 0..T.

    Parameters
    ----------
    T : int
        At least 0.
    mean : float
        Mean without the cut, q / (1 - q); > 0.

    Returns
    -------
    Delays

    Raises
    ------
    InvalidArgument
        For numbers out of range.

    Examples
    --------
    >>> from asysg.simulate import delays
    >>> delays.geometric(100, mean=5.0).T
    100
    """
    T, mean = integer("T", T, least=0), number("mean", mean, above=0)
    return law((mean / (1 + mean)) ** np.arange(T + 1.0), f"geometric({T}, {mean:g})")


def heavy_tail(T: int, exponent: float = 1.5) -> Delays:
    """Each sample's delay has a heavy tail, cut at T: P(t) proportional to (1 + t)^-exponent.

    Parameters
    ----------
    T : int
        At least 0.
    exponent : float
        At least 0; up to 2 the mean grows with T.

    Returns
    -------
    Delays

    Raises
    ------
    InvalidArgument
        For numbers out of range.

    Examples
    --------
    >>> from asysg.simulate import delays
    >>> delays.heavy_tail(1000).name
    'heavy_tail(1000, 1.5)'
    """
    T, exponent = integer("T", T, least=0), number("exponent", exponent, least=0)
    return law((1.0 + np.arange(T + 1)) ** -exponent, f"heavy_tail({T}, {exponent:g})")


def straggler(T: int, period: int, others: int = 0) -> Delays:
    """Every `period`-th update comes from a straggler, T old; the others are `others` old.

    Parameters
    ----------
    T : int
        At least 0.
    period : int
        At least 1.
    others : int
        In 0..T.

    Returns
    -------
    Delays

    Raises
    ------
    InvalidArgument
        For numbers out of range.

    Examples
    --------
    >>> from asysg.simulate import delays
    >>> every_third = delays.straggler(8, period=3)
    >>> every_third.table((0, 0), 0, 6, 1).ravel().tolist()
    [0, 0, 8, 0, 0, 8]
    """
    T, period = integer("T", T, least=0), integer("period", period, least=1)
    others = integer("others", others, least=0)
    if others > T:
        raise InvalidArgument(f"others must be at most T = {T}, got {others}.")

    def rows(key: Key, start: int, stop: int, M: int) -> NDArray[np.int64]:
        late = np.arange(start, stop) % period == period - 1
        return np.repeat(np.where(late, T, others)[:, np.newaxis], M, axis=1)

    return Delays(f"straggler({T}, {period}, {others})", T, rows)


def from_trace(result: Result) -> Delays:
    """Use the delays that a run recorded.

    Parameters
    ----------
    result : Result
        With ``record="full"``: its very delays, in their order, for a run of no more updates.
        Otherwise independent delays of its histogram, uniform within each of its bins. For delays
        that are oblivious, give the new run a seed of its own.

    Returns
    -------
    Delays

    Raises
    ------
    InvalidArgument
        If it recorded none.

    Examples
    --------
    >>> import asysg, numpy as np
    >>> from asysg.simulate import delays
    >>> obj = asysg.objectives.CosineQuadratic(n=5, sigma=0.1)
    >>> res = asysg.simulate.minimize(
    ...     obj, np.ones(5), method="asysg-con", delays=delays.uniform(7), steplength=0.05,
    ...     n_updates=100, rng=0)
    >>> delays.from_trace(res).T
    7
    """
    staleness = result.staleness
    if result.log is not None and len(result.log):
        table = np.arange(len(result.log)) - result.log["start"]
        return replace(given(table), name="from_trace")
    if staleness.max is None or not staleness.histogram.any():
        raise InvalidArgument.of(
            "result", "must have recorded delays", result.record, 'Use record="sampled".'
        )
    T = staleness.max
    weights = np.zeros(T + 1)
    for bin_, count in enumerate(staleness.histogram.tolist()):
        low, high = (1 << bin_) >> 1, min(T, (1 << bin_) - 1)
        if count:
            weights[low : high + 1] = count / (high + 1 - low)
    return law(weights, "from_trace")


def subsets(T: int, seen: float = 0.5) -> Delays:
    """Each of the last T updates is in the read with probability `seen`, all independent.

    The read set of AsySG-incon in its full generality; other methods refuse it.

    Parameters
    ----------
    T : int
        At least 0.
    seen : float
        In 0..1.

    Returns
    -------
    Delays

    Raises
    ------
    InvalidArgument
        For numbers out of range.

    Examples
    --------
    >>> from asysg.simulate import delays
    >>> delays.subsets(4, seen=0.25).name
    'subsets(4, 0.25)'
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

    Returns
    -------
    Delays

    Raises
    ------
    InvalidArgument
        If an entry is negative or no integer. The run refuses a table that has fewer than K rows,
        or neither 1 nor M columns.

    Examples
    --------
    >>> from asysg.simulate import delays
    >>> delays.given([0, 1, 2, 1]).T
    2
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
        return np.ascontiguousarray(np.broadcast_to(array[start:stop], (stop - start, M)))

    # Its name tells one table from another, so that no run goes on with other delays.
    name = f"given({len(array)} rows, {hashlib.sha256(array.tobytes()).hexdigest()[:8]})"
    return Delays(name, int(array.max()), rows, shape=array.shape)
