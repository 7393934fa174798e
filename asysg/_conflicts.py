"""How often updates that are made at the same time get in each other's way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from . import _draws
from ._core import evaluate
from ._draws import Key
from .objectives import Objective

#: Up to so many draws that are equally likely all pairs are counted; of more, this many are drawn.
DRAWS = 512

Entries = NDArray[np.int64] | None  # None: all of them


@dataclass(frozen=True)
class Conflict:
    """How often two independent updates of a method meet.

    Attributes
    ----------
    method : str
    rate : float
        The probability that one of them writes an entry of x that the other reads or writes.
    halfwidth : float
        Of its 95 % confidence interval (jackknife, normal approximation); 0 where it is exact.
    exact : bool
        All pairs were counted; otherwise those of 512 draws.
    reads, writes : float
        Mean entries of x that an update reads and writes.
    """

    method: str
    rate: float
    halfwidth: float
    exact: bool
    reads: float
    writes: float


def conflict(obj: Objective, method: str, M: int, key: Key) -> Conflict:
    """Return how often two independent updates of a method meet, by the supports of its samples.

    Parameters
    ----------
    obj : Objective
    method : {"asysg-con", "hogwild", "asysg-incon"}
        What it reads: all of x, the samples' support, and what their partial derivatives look at.
    M : int
        Samples per update.
    key : tuple of two int
        Of the draws, where these are too many to count all.
    """
    samples, chosen, share, every = draws(obj, method, M, key)
    reads: list[Entries] = []
    writes: list[Entries] = []
    for batch, i in zip(samples.tolist(), chosen.tolist(), strict=True):
        support = union(evaluate.support(obj._capsule, s) for s in batch)
        if method == "asysg-incon":
            here = support is None or i in support
            writes.append(np.array([i] if here else [], dtype=np.int64))
            reads.append(union(evaluate.support(obj._capsule, s, i) for s in batch))
        else:
            writes.append(support)
            reads.append(None if method == "asysg-con" else support)
    touched = [union(pair) for pair in zip(reads, writes, strict=True)]
    hits, m = meet(writes, touched, obj.n), len(samples)
    dense = all(evaluate.support(obj._capsule, s) is None for s in samples.ravel().tolist())
    exact = every or (dense and bool(hits.all()))  # dense samples: it is so by structure
    if exact:
        rate, half = float(hits.mean()), 0.0
    else:
        np.fill_diagonal(hits, 0.0)  # an update does not meet itself
        mine = (hits.sum(axis=0) + hits.sum(axis=1)) / (2 * (m - 1))
        rate = float(mine.mean())
        half = 1.96 * 2 * float(mine.std(ddof=1)) / float(np.sqrt(m))
        if rate in (0.0, 1.0):  # the rule of three, for as many pairs as are independent
            half = 3 / (m / 2)
    return Conflict(
        method,
        rate * share**2,
        half * share**2,
        exact,
        mean_size(reads, obj.n) * share,
        mean_size(writes, obj.n) * share,
    )


def draws(
    obj: Objective, method: str, M: int, key: Key
) -> tuple[NDArray[Any], NDArray[np.int64], float, bool]:
    """Return samples (m, M) and coordinates (m,) of updates, and what they stand for.

    That is the probability of an update to be among them, the others being zero by structure, and
    whether they are all there are, equally likely, rather than draws.
    """
    coordinates = obj.n if method == "asysg-incon" else 1
    N, number = obj.n_samples, np.arange(DRAWS)
    if N is not None and M == 1 and N * coordinates <= DRAWS:
        every = np.repeat(np.arange(N), coordinates)[:, np.newaxis]
        return every, np.tile(np.arange(coordinates), N), 1.0, True
    if N is not None and M == 1 and coordinates > 1 and not isinstance(obj._pattern, str):
        # Of sparse samples nearly all coordinates are outside: draw from the others alone.
        start = obj._pattern[0]
        entry = _draws.below(_draws.words(key, number, 0), int(start[-1])).astype(np.int64)
        rows = np.searchsorted(start, entry, side="right") - 1
        supports = [evaluate.support(obj._capsule, int(s)) for s in rows]
        chosen = [
            int(support[e - start[s]]) if support is not None else int(e - start[s])
            for support, e, s in zip(supports, entry, rows, strict=True)
        ]
        return rows[:, np.newaxis], np.array(chosen), float(start[-1]) / N / obj.n, False
    samples = _draws.samples(key, number, M, N)
    return samples, _draws.coordinates(key, number, coordinates), 1.0, False


def union(parts: Iterable[Entries]) -> Entries:
    """Return the entries that are in one of the sets or more."""
    found = []
    for part in parts:
        if part is None:
            return None
        found.append(part)
    return np.unique(np.concatenate(found))


def mean_size(sets: list[Entries], n: int) -> float:
    """Return the mean number of entries."""
    return float(np.mean([n if one is None else len(one) for one in sets]))


def meet(left: list[Entries], right: list[Entries], n: int) -> NDArray[np.float64]:
    """Return 1 for each pair of sets, one of each list, with a common entry, and 0 for others."""
    common = np.asarray((incidence(left, n) @ incidence(right, n).T).todense()) > 0
    whole = [np.array([one is None for one in sets]) for sets in (left, right)]
    some = [np.array([one is None or len(one) > 0 for one in sets]) for sets in (left, right)]
    common |= np.outer(whole[0], some[1]) | np.outer(some[0], whole[1])
    return common.astype(np.float64)


def incidence(sets: list[Entries], n: int) -> scipy.sparse.csr_array:
    """Return a row of ones for each set that is not the whole."""
    parts = [np.empty(0, np.int64) if one is None else one for one in sets]
    ends = np.cumsum([0, *(len(part) for part in parts)])
    entries = np.concatenate(parts)
    return scipy.sparse.csr_array((np.ones(len(entries)), entries, ends), shape=(len(sets), n))
