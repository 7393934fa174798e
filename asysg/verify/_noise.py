"""What the noise of an update is, according to what the objective says of it.

Exact variances and bounds: of additive noise from its law, of finite sums by going through all
samples at the point that was read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..objectives import Objective
from ..objectives._stream import Stream

Vector = NDArray[np.float64]


def _law(noise: str, n: int) -> tuple[float, float, float, float]:
    """Describe an additive law by four numbers.

    The largest entry over sqrt s, the variance of its square over s^2, with s = sigma^2/n its
    variance; the largest norm over sigma, and the variance of the squared norm over sigma^4.
    """
    skewed = 0.1 * 81 + 0.9 / 81 - 1  # the squares are 9 s with probability 1/10, else s/9
    return {
        "gaussian": (math.inf, 2.0, math.inf, 2.0 / n),
        "rademacher": (1.0, 0.0, 1.0, 0.0),
        "coordinate": (math.sqrt(n), n - 1.0, 1.0, 0.0),
        "jumps": (8.0, 63.0, 8.0, 63.0),
        "skewed": (3.0, skewed, 3.0, skewed / n),
    }[noise]


@dataclass(frozen=True)
class Noise:
    """What the noise z of each update is, given the past: a sum over the minibatch.

    For AsySG-incon z is one number, the noise of the entry that is written.

    Attributes
    ----------
    k : ndarray of int64
        The updates (from 0) that this is about.
    along : ndarray
        Variance of <z, v> for the unit vectors v asked for, one row a direction.
    reach : ndarray or None
        Largest |<z, v>|; None where it is normal.
    total : ndarray
        E||z||^2.
    spread, excess : ndarray
        Variance of ||z||^2, and the largest | ||z||^2 - E||z||^2 |; nan where z is normal.
    """

    k: NDArray[np.int64]
    along: Vector
    reach: Vector | None
    total: Vector
    spread: Vector
    excess: Vector


def additive(objective: Stream, M: int, count: int, rows: int, *, entry: bool) -> Noise:
    """Return the noise of `count` updates of an objective with additive noise."""
    n, variance = objective.n, objective.sigma**2
    normal, s = objective.noise == "gaussian", variance / n
    entry_reach, entry_spread, norm_reach, norm_spread = _law(objective.noise, n)
    if entry:
        mean, largest, own, pairs = s, entry_reach * math.sqrt(s), entry_spread * s * s, s * s
    else:
        mean, largest, own = variance, norm_reach * objective.sigma, norm_spread * variance**2
        pairs = variance**2 / n
    ones = np.ones(count)
    total = M * mean
    spread = M * own + 2 * M * (M - 1) * pairs
    most = np.nan if normal else max((M * largest) ** 2 - total, total)
    return Noise(
        k=np.arange(count),
        along=np.full((rows, count), M * s),
        reach=None if normal else np.full((rows, count), M * largest),
        total=total * ones,
        spread=spread * ones,
        excess=most * ones,
    )


def enumerated(
    objective: Objective,
    reads: NDArray[np.float64],
    coordinates: NDArray[np.int64] | None,
    directions: NDArray[np.float64],
    k: NDArray[np.int64],
) -> Noise:
    """Return the noise of the updates `k` of a finite sum, sample by sample at what was read.

    Parameters
    ----------
    objective : Objective
    reads : ndarray of shape (K, M or 1, n)
        One row serves all M samples if the second axis has been broadcast.
    coordinates : ndarray of shape (K,), optional
        For AsySG-incon.
    directions : ndarray of shape (rows, K, d)
        Unit vectors; d = 1 for AsySG-incon.
    k : ndarray of int64
    """
    M, samples = reads.shape[1], range(objective.n_samples or 0)
    rows = len(directions)
    along, reach = np.zeros((rows, k.size)), np.zeros((rows, k.size))
    total, spread, excess = np.zeros(k.size), np.zeros(k.size), np.zeros(k.size)
    for at, update in enumerate(k):
        known: dict[bytes, Vector] = {}
        tables = []
        for m in range(M):
            x = np.nan_to_num(reads[update, m], nan=0.0)
            name = x.tobytes()
            if name not in known:
                if coordinates is None:
                    table = np.array([objective.gradient(x, j) for j in samples])
                else:
                    i = int(coordinates[update])
                    table = np.array([[objective.partial(x, j, i)] for j in samples])
                known[name] = table - table.mean(axis=0)
            tables.append(known[name])
        norms = [np.sum(table**2, axis=1) for table in tables]
        covariances = [table.T @ table / len(table) for table in tables]
        for row in range(rows):
            shares = [table @ directions[row, update] for table in tables]
            along[row, at] = sum(float(np.mean(share**2)) for share in shares)
            reach[row, at] = sum(float(np.abs(share).max()) for share in shares)
        total[at] = sum(float(norm.mean()) for norm in norms)
        summed = np.sum(covariances, axis=0)
        pairs = float(np.sum(summed**2) - sum(np.sum(c**2) for c in covariances))
        spread[at] = sum(float(norm.var()) for norm in norms) + 2 * pairs
        largest = sum(float(np.sqrt(norm.max())) for norm in norms) ** 2
        excess[at] = max(largest - total[at], total[at])
    return Noise(k, along, reach, total, spread, excess)
