"""The specification: the algorithms, word for word, in NumPy.

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

__all__ = ["con", "downpour", "incon", "rounds", "schedule", "sync", "turns"]


def con(
    minibatch: Callable[[Vector, NDArray[np.uint64], Vector], object],
    x0: Vector,
    gamma: Vector,
    delays: NDArray[np.int64],
    samples: NDArray[np.uint64],
    prox: Callable[[Vector, float], Vector] | None = None,
    dtype: type = np.float64,
) -> Iterator[NDArray[Any]]:
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
    dtype : type
        Of x, of what `minibatch` gets and adds to, and of the update: the steplength is rounded to
        it, then each product, then each difference. float32 without `prox`.

    Yields
    ------
    ndarray of shape (n,), `dtype`
        Iterates 1, ..., K.

    References
    ----------
    Lian, Huang, Li, Liu (NIPS 2015), Algorithm 1.
    """
    x: list[NDArray[Any]] = [np.array(x0, dtype=dtype)]
    for k in range(len(gamma)):
        g = np.zeros_like(x[0])
        reads = k - np.minimum(k, delays[k])
        for read, group in groupby(range(len(reads)), reads.__getitem__):
            minibatch(x[read], samples[k, list(group)], g)
        step = x[k] - x[k].dtype.type(gamma[k]) * g
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


def sync(
    minibatch: Callable[[Vector, NDArray[np.uint64], Vector], object],
    x0: Vector,
    gamma: Vector,
    samples: NDArray[np.uint64],
    parts: int,
) -> Iterator[Vector]:
    r"""Synchronous: ``x[k+1] = x[k] - gamma[k] * sum_m G(x[k]; xi[k, m])``, summed by parts.

    Parameters
    ----------
    minibatch, x0, gamma, samples
        As for `con`.
    parts : int
        Worker w of so many, at most M, computes the samples ``M*w//parts .. M*(w+1)//parts - 1``;
        what they found is added in their order.

    Yields
    ------
    ndarray of shape (n,)
        Iterates 1, ..., K.
    """
    x, M = np.array(x0, dtype=np.float64), samples.shape[1]
    for k in range(len(gamma)):
        total = np.zeros_like(x)
        for w in range(parts):
            g = np.zeros_like(x)
            minibatch(x, samples[k, M * w // parts : M * (w + 1) // parts], g)
            total = g if w == 0 else total + g
        x = x - gamma[k] * total
        yield x


def downpour(
    minibatch: Callable[[Vector, NDArray[np.uint64], Vector], object],
    x0: Vector,
    gamma: float,
    workers: NDArray[np.int64],
    starts: NDArray[np.int64],
    samples: NDArray[np.uint64],
    n_push: int,
) -> Iterator[Vector]:
    r"""Downpour: update k is the sum of `n_push` steps that a worker made on its replica.

    Parameters
    ----------
    minibatch, x0
        As for `con`.
    gamma : float
        The steplength, of the replicas too.
    workers, starts : ndarray of shape (K,)
        Who made update k, and which iterate it had fetched last. Where that is the one of its
        update before, it went on from its replica.
    samples : ndarray of shape (K, M)
        M a multiple of `n_push`: each step is made of an equal part.
    n_push : int

    Yields
    ------
    ndarray of shape (n,)
        Iterates 1, ..., K.

    References
    ----------
    Dean et al., "Large scale distributed deep networks", NIPS 2012, without Adagrad.
    """
    x = [np.array(x0, dtype=np.float64)]
    fetched: dict[int, int] = {}
    replica: dict[int, Vector] = {}
    for k, w in enumerate(workers.tolist()):
        if fetched.get(w) != starts[k]:
            fetched[w], replica[w] = starts[k], x[starts[k]]
        total = np.zeros_like(x[0])
        for part in np.split(samples[k], n_push):
            g = np.zeros_like(x[0])
            minibatch(replica[w], part, g)
            total = total + g
            replica[w] = replica[w] - gamma * g
        x.append(x[k] - gamma * total)
        yield x[-1]


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
    pushes: int = 1,
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
    pushes : int
        A worker reads x after so many updates ("downpour": ``n_fetch // n_push``), or earlier, if
        the next one could not keep `max_delay`.

    Yields
    ------
    worker, start, draw, time
        `start` is the iterate that was read: the delay of update k is ``k - start``.
    """
    heap: list[tuple[float, int, int, int]] = []
    free, k, draws = 0.0, 0, min(p, K)
    pushed = [0] * p

    def send(w: int, begin: float, c: int, read: int, draw: int) -> None:
        seconds = float(factor[w] * compute[c] + other[c])
        heapq.heappush(heap, (_busy_until(pauses[w], begin, seconds), w, read, draw))

    for w in range(draws):
        send(w, 0.0, w, 0, w)
    cycle = draws
    while heap:
        arrival, w, start, draw = heapq.heappop(heap)
        free = max(arrival, free) + float(server[cycle])
        late = max_delay is not None and k - start > max_delay
        if not late:
            yield w, start, draw, free
            k += 1
            draw, draws = draws, draws + 1
        goes_on = not late and pushed[w] + 1 < pushes
        if max_delay is not None and k - start > max_delay:
            goes_on = False
        pushed[w] = pushed[w] + 1 if goes_on else 0
        if late or draw < K:
            send(w, free, cycle, start if goes_on else k, draw)
        cycle += 1


def rounds(
    p: int,
    K: int,
    *,
    compute: Vector,
    other: Vector,
    server: Vector,
    factor: Vector,
    pauses: NDArray[Any],
) -> Iterator[tuple[int, int, int, float]]:
    """Yield the updates of p synchronous workers.

    All begin together, the first time at 0 and then when the last update is done; worker w's
    message is there ``factor[w] * compute[c] + other[c]`` seconds later (and what pauses add), with
    c = k p + w in update k. When all are there the server takes ``server[c]`` for each.

    Parameters
    ----------
    p, K, compute, other, server, factor, pauses
        As for `schedule`.

    Yields
    ------
    worker, start, draw, time
        The last worker, k and k: all took part, and read iterate k.
    """
    done = 0.0
    for k in range(K):
        arrivals = [
            _busy_until(pauses[w], done, float(factor[w] * compute[c] + other[c]))
            for w, c in enumerate(range(k * p, (k + 1) * p))
        ]
        done = max(arrivals)
        for c in range(k * p, (k + 1) * p):
            done += float(server[c])
        yield p - 1, k, k, done


def turns(
    p: int,
    K: int,
    delay: int,
    *,
    compute: Vector,
    other: Vector,
    server: Vector,
    factor: Vector,
    pauses: NDArray[Any],
) -> Iterator[tuple[int, int, int, float]]:
    """Yield the updates of p workers whose gradients are applied in the order of their draws.

    Draw k is handed out when k - `delay` updates are done, to the worker that has been free for
    longest: that is worker k % p. Its message is there ``factor[w] * compute[k] + other[k]``
    seconds later (and what pauses add), waits for update k - 1, and is served for ``server[k]``
    seconds; then the worker is free.

    Parameters
    ----------
    p, K, compute, other, server, factor, pauses
        As for `schedule`.
    delay : int
        Update k reads iterate k - delay, or 0.

    Yields
    ------
    worker, start, draw, time
    """
    done: list[float] = []
    for k in range(K):
        w = k % p
        begin = max(done[j] if j >= 0 else 0.0 for j in (k - p, k - delay - 1))
        seconds = float(factor[w] * compute[k] + other[k])
        arrival = _busy_until(pauses[w], begin, seconds)
        done.append(max(arrival, done[k - 1] if k else 0.0) + float(server[k]))
        yield w, max(0, k - delay), k, done[k]


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
