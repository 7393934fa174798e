"""Workers of fixed speeds: how stale their reads can be, and how long their updates take.

A worker computes a message for `busy` seconds; the message waits at the server until those before
it are done, is served for `server` seconds and becomes an update (or, under an enforced bound of
the delay, is thrown away); at that moment the worker reads x and begins anew. All begin at 0.
Proof: documentation, "The planner: time to a target".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ._check import ROUNDING, number, whole
from ._delay_aware import DelayProfile
from ._errors import InvalidArgument

if TYPE_CHECKING:
    import numpy.typing as npt

    from ._check import Array

# Clocks err: a ratio of speeds is called whole if it is whole but for so much.
CLOCK_ERROR = 1e-9


def positive_seconds(value: npt.ArrayLike) -> Array:
    """Return seconds per gradient in ascending order; inf is a worker that never delivers."""
    try:
        x = np.asarray(value)
    except ValueError:  # ragged nested sequences
        x = np.asarray(None)
    if x.dtype.kind not in "iuf" or x.ndim != 1 or x.size == 0 or not np.all(x > 0):
        raise InvalidArgument.of(
            "seconds", "must be a one-dimensional array of numbers above 0, not empty", value
        )
    if not math.isfinite(x.min()):
        raise InvalidArgument.of("seconds", "must hold a finite number", value)
    return np.sort(x.astype(np.float64))


@dataclass(frozen=True)
class Crew:
    """Workers of fixed speeds, grouped.

    Parameters
    ----------
    busy : ndarray
        Distinct seconds of computing one message, ascending, finite.
    count : ndarray
        Workers of each of these speeds.
    server : float
        Seconds the server is busy with one message.
    """

    busy: Array
    count: Array
    server: float

    @classmethod
    def of(cls, seconds: Array, M: int, server: float) -> Crew:
        """Return workers of so many seconds per gradient that send sums of M gradients."""
        busy, count = np.unique(M * seconds, return_counts=True)
        return cls(busy, count.astype(np.float64), server)

    @property
    def size(self) -> int:
        """Number of workers."""
        return int(self.count.sum())

    @property
    def cycle(self) -> Array:
        """The longest cycle of each speed: nobody waits for more than one message of each other."""
        return self.busy + self.size * self.server

    def delays(self) -> Array:
        """Return for each speed a bound of the delay of its gradients.

        While worker i computes, worker j finishes at most 1 + floor(t_i/(t_j + server)) messages,
        and one if t_j = t_i.
        """
        ratio = self.busy[:, None] / (self.busy + self.server)
        between = 1 + np.floor(ratio * (1 + CLOCK_ERROR))
        np.fill_diagonal(between, 1.0)
        found: Array = between @ self.count - 1
        return found

    def profile(self) -> DelayProfile:
        """Return bounds of the schedule's constants.

        Over one update at most one gradient of every other worker is on its way.
        """
        delays, others = self.delays(), float(self.size - 1)
        C = float(delays @ self.count - delays.min())
        return DelayProfile(int(delays.max()), others, others, C)

    def time_of(self, K: int) -> float:
        """Return when K updates are done if none is thrown away: then or before.

        By time S worker i has finished floor(S/cycle_i) messages at least, and without a server's
        time no more.
        """
        return _earliest(K, self.cycle, self.count, np.zeros(self.busy.size))

    def quickest(self, g: int) -> tuple[int, bool]:
        """Return T of the first g speeds alone, and whether a bound of T shuts out all others.

        While a slower worker computes, worker j of these finishes floor(t_i/cycle_j) messages at
        least, one less where that is whole and the last may come too late.
        """
        T = int(Crew(self.busy[:g], self.count[:g], self.server).delays().max())
        if g == self.busy.size:
            return T, True
        turns = np.floor(self.busy[g] / self.cycle[:g] * (1 - CLOCK_ERROR))
        return T, float(np.sum(self.count[:g] * turns)) > T

    def time_of_quickest(self, K: int, g: int) -> float:
        """Return a time by which the first g speeds have done K updates."""
        return _earliest(K, self.cycle[:g], self.count[:g], np.zeros(g))

    def time_kept(self, K: int, T: int, delays: Array) -> float:
        """Return a time by which K updates are done if gradients later than T are thrown away.

        Those whose delay is T at most are never late. Of the others, in any stretch of time with
        fewer than T + 1 updates, only a gradient begun before it can be late.
        """
        late = delays > T
        kept, cycle, count = ~late, self.cycle, self.count
        turns, rest = divmod(K, T + 1)
        spare = late.astype(np.float64)
        time = turns * _earliest(T + 1, cycle, count, spare) if turns else 0.0
        time += _earliest(rest, cycle, count, spare) if rest else 0.0
        if kept.any():
            alone = _earliest(K, cycle[kept], count[kept], np.zeros(int(kept.sum())))
            time = min(time, alone)
        return time


def _earliest(K: int, cycle: Array, count: Array, spare: Array) -> float:
    """Return the first S with sum_i count_i max(0, floor(S/cycle_i) - spare_i) >= K."""
    pace, spared = float(np.sum(count / cycle)), float(np.sum(count * (1 + spare)))
    # Less than K at `low`, K or more at `high`: floor(x) lies in (x - 1, x].
    low, high = (K - 0.5) / pace, (K + spared) / pace
    if K > 1e6 * spared:  # what lies between is too short to matter
        return high
    first, last = (np.floor(S / cycle * (1 + ROUNDING)) for S in (low, high))
    number = (last - first).astype(np.int64)
    whose = np.repeat(np.arange(cycle.size), number)
    before = np.repeat(np.cumsum(number) - number, number)
    turn = first[whose] + 1 + (np.arange(whose.size) - before)
    when, gain = turn * cycle[whose], count[whose] * (turn > spare[whose])
    order = np.argsort(when)
    done = float(np.sum(count * np.maximum(first - spare, 0.0))) + np.cumsum(gain[order])
    return float(when[order[np.searchsorted(done, K)]])


def largest_delay(seconds: npt.ArrayLike, *, server: float = 0.0, M: int = 1) -> int:
    """Return a bound of the delays of workers of fixed speeds: the slowest worker's.

    sum over the others of 1 + floor(M t_max/(M t_j + server)), and of 1 where t_j = t_max. With
    equal speeds it is p - 1, which is attained.

    Proof: documentation, "The planner: time to a target".

    Parameters
    ----------
    seconds : array_like of shape (p,)
        Seconds per gradient of each worker, above 0. Those that are inf deliver nothing and count
        for nothing.
    server : float, optional
        Seconds the server is busy with one message, at least 0.
    M : int, optional
        Gradients per message, all at the one read.

    Returns
    -------
    int
        T: every delay is at most this.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges.

    Examples
    --------
    >>> from asysg.theory import planner
    >>> planner.largest_delay([2.0, 2.0, 2.0, 2.0]), planner.largest_delay([1.0, 1.0, 2.5])
    (3, 6)
    """
    return int(_crew(seconds, server, M).delays().max())


def time_of_updates(
    K: int,
    seconds: npt.ArrayLike,
    *,
    server: float = 0.0,
    M: int = 1,
    max_delay: int | None = None,
) -> float:
    """Return a time by which workers of fixed speeds have done K updates.

    They go on after that; a run of exactly K waits for the gradients that the slow have begun.

    Without `server` and `max_delay` it is the first S with sum floor(S/(M t_i)) >= K (and for a K
    above a million updates of each worker at most a millionth more).

    Proof: documentation, "The planner: time to a target".

    Parameters
    ----------
    K : int
        Updates, at least 1.
    seconds, server, M
        As for `largest_delay`.
    max_delay : int, optional
        Gradients of a larger delay are thrown away and computed again; none by default.

    Returns
    -------
    float
        Seconds, above 0.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges.

    Examples
    --------
    >>> from asysg.theory import planner
    >>> planner.time_of_updates(7, [1.0, 1.0, 2.0])
    3.0
    >>> planner.time_of_updates(7, [1.0, 1.0, 2.0], max_delay=2)  # the slow one's may be late
    4.0
    """
    K, crew = whole("K", K, low=1), _crew(seconds, server, M)
    if max_delay is None:
        return crew.time_of(K)
    return crew.time_kept(K, whole("max_delay", max_delay, low=0), crew.delays())


def _crew(seconds: npt.ArrayLike, server: float, M: int) -> Crew:
    x = positive_seconds(seconds)
    return Crew.of(x[np.isfinite(x)], whole("M", M, low=1), number("server", server))
