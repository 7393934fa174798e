"""The specification: both algorithms, word for word, in NumPy.

Delays and read sets are *given*. Nothing here is fast and nothing here is compiled: this is
what every kernel, thread and record is compared with.

Numbers count from 0 here, as in the kernels: iterate 0 is the start x_1 of the theory.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Vector: TypeAlias = NDArray[np.float64]

__all__ = ["con", "incon", "schedule"]


def con(
    minibatch: Callable[[Vector, NDArray[np.uint64], Vector], object],
    x0: Vector,
    gamma: Vector,
    delays: NDArray[np.int64],
    samples: NDArray[np.uint64],
    prox: Callable[[Vector, float], Vector] | None = None,
) -> Iterator[Vector]:
    r"""AsySG-con: ``x[k+1] = x[k] - gamma[k] * sum_m G(x[k - tau[k, m]]; xi[k, m])``.

    Parameters
    ----------
    minibatch : callable
        ``minibatch(x, samples, g)`` adds the stochastic gradients G of some samples to g (as
        ``Objective.minibatch`` does). It gets those together that read the same iterate and stand
        beside one another.
    x0 : ndarray of shape (n,)
    gamma : ndarray of shape (K,)
    delays : ndarray of shape (K, M)
        tau, cut to 0..k: nothing is older than the start.
    samples : ndarray of shape (K, M)
    prox : callable, optional
        ``prox(v, t)``, the proximal step that ends every update, with ``t = gamma[k] * M`` (as
        ``Prox.proximal`` does).

    Yields
    ------
    ndarray of shape (n,)
        Iterates 1, ..., K.

    References
    ----------
    Lian, Huang, Li, Liu (NIPS 2015), Algorithm 1.
    """
    x = [np.array(x0, dtype=np.float64)]
    for k in range(len(gamma)):
        g = np.zeros_like(x[0])
        reads = k - np.minimum(k, delays[k])
        for read, group in groupby(range(len(reads)), reads.__getitem__):
            minibatch(x[read], samples[k, list(group)], g)
        step = x[k] - gamma[k] * g
        x.append(step if prox is None else prox(step, gamma[k] * delays.shape[1]))
        yield x[-1]


def incon(
    partial: Callable[[Vector, int, int], float],
    x0: Vector,
    gamma: Vector,
    delays: NDArray[np.int64],
    samples: NDArray[np.uint64],
    coordinates: NDArray[np.int64],
    seen: NDArray[np.uint8] | None = None,
    prox: Callable[[Vector, float], Vector] | None = None,
) -> Iterator[Vector]:
    r"""AsySG-incon: ``x[k+1] = x[k] - gamma[k] * sum_m G_i(xhat[k, m]; xi[k, m]) e_i``.

    The read ``xhat[k, m]`` contains every update before ``k - tau[k, m]`` and, of the later
    ones, those that `seen` names.

    Parameters
    ----------
    partial : callable
        ``partial(x, sample, i)``, entry i of the stochastic gradient.
    x0 : ndarray of shape (n,)
    gamma : ndarray of shape (K,)
    delays : ndarray of shape (K, M)
        tau, cut to 0..k.
    samples : ndarray of shape (K, M)
    coordinates : ndarray of shape (K,)
        i of every update.
    seen : ndarray of shape (K, M, T), optional
        Entry (k, m, t): the read contains update k - 1 - t although t < tau[k, m]. Without it
        none of these, which is the read of Algorithm 1.
    prox : callable, optional
        As in `con`; of an update's coordinate alone, in x and in a read that contains the update.

    Yields
    ------
    ndarray of shape (n,)
        Iterates 1, ..., K.

    References
    ----------
    Lian, Huang, Li, Liu (NIPS 2015), Algorithm 2.
    """
    x = [np.array(x0, dtype=np.float64)]
    increments: list[float] = []

    def add(x: Vector, j: int) -> None:
        """Make update j, of a coordinate of x."""
        x[coordinates[j]] += increments[j]
        if prox is not None:
            x[coordinates[j]] = prox(x, gamma[j] * delays.shape[1])[coordinates[j]]

    for k in range(len(gamma)):
        i = int(coordinates[k])
        g = 0.0
        for m in range(delays.shape[1]):
            tau = min(k, int(delays[k, m]))
            read = x[k - tau].copy()
            for j in range(k - tau, k):
                if seen is not None and seen[k, m, k - 1 - j]:
                    add(read, j)
            g += partial(read, int(samples[k, m]), i)
        increments.append(-(gamma[k] * g))
        step = x[k].copy()
        add(step, k)
        x.append(step)
        yield step


def schedule(
    p: int,
    K: int,
    *,
    compute: Vector,
    other: Vector,
    server: Vector,
    factor: Vector,
    pauses: NDArray[Any],
    max_delay: int | None = None,
) -> Iterator[tuple[int, int, int, float]]:
    """Yield the updates of p virtual workers in their order: who, what was read, and when.

    Worker w begins a cycle: it reads x, takes draw number d, and sends its gradient ``factor[w] *
    compute[c] + other[c]`` seconds later (and what pauses add), c counting cycles in the order in
    which they begin. Messages are served in the order in which they arrive (ties: the smaller w),
    one at a time, for ``server[c]`` seconds, c the cycle that begins when this one ends. All
    begin at time 0, in their order; there are K draws, and who finds none left stops.

    Parameters
    ----------
    p, K : int
        Workers and updates.
    compute, other, server : ndarray
        Seconds of the cycles.
    factor : ndarray of shape (p,)
    pauses : structured ndarray of shape (p,)
        `stop`, `resume` and `period` of each worker.
    max_delay : int, optional
        A gradient of an older read is thrown away; its worker begins again with the same draw.

    Yields
    ------
    worker, start, draw, time
        `start` is the iterate that was read: the delay of update k is ``k - start``.
    """
    heap: list[tuple[float, int, int, int]] = []
    free, k, draws = 0.0, 0, min(p, K)

    def send(w: int, begin: float, c: int, draw: int) -> None:
        seconds = float(factor[w] * compute[c] + other[c])
        heapq.heappush(heap, (_busy_until(pauses[w], begin, seconds), w, k, draw))

    for w in range(draws):
        send(w, 0.0, w, w)
    cycle = draws
    while heap:
        arrival, w, start, draw = heapq.heappop(heap)
        free = max(arrival, free) + float(server[cycle])
        late = max_delay is not None and k - start > max_delay
        if not late:
            yield w, start, draw, free
            k += 1
            draw, draws = draws, draws + 1
        if late or draw < K:
            send(w, free, cycle, draw)
        cycle += 1


def _busy_until(pause: Any, t: float, work: float) -> float:
    """Return when `work` seconds of work begun at t are done."""
    stop, resume, period = (float(pause[name]) for name in ("stop", "resume", "period"))
    while True:
        begin, end = stop, resume
        if t >= end:
            turn = math.floor((t - stop) / period)
            if turn > 0:
                begin, end = begin + turn * period, end + turn * period
            if t >= end:
                begin, end = begin + period, end + period
        if t + work <= begin:
            return t + work
        if t < begin:
            work -= begin - t
        t = end
