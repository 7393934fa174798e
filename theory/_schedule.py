"""Theorem 1 of the paper for steplengths that change from update to update, in O(K)."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

import numpy as np

from ._check import ROUNDING
from ._constants import ProblemConstants

if TYPE_CHECKING:
    from ._check import Array


def trailing_sums(x: Array, T: int) -> Array:
    """Return s_k = x_{k-T} + ... + x_{k-1}, terms before the first left out.

    Blocks of T with running sums from both ends give every window as one addition of non-negative
    numbers: differences of one long running sum would lose small steps behind large ones.

    Examples
    --------
    >>> trailing_sums(np.array([1.0, 2.0, 3.0, 4.0]), 2)
    array([0., 1., 3., 5.])
    """
    K = x.size
    T = min(T, K)
    if T == 0:
        return np.zeros(K)
    blocks = -(-(K + T) // T)
    padded = np.zeros(blocks * T)
    padded[T : T + K] = x  # window of k is padded[k : k + T], k from 0
    rows = padded.reshape(blocks, T)
    ahead = np.cumsum(rows, axis=1).ravel()
    behind = np.cumsum(rows[:, ::-1], axis=1)[:, ::-1].ravel()
    k = np.arange(K)
    head = np.where(k % T == 0, 0.0, ahead[k + T - 1])
    return np.asarray(behind[k] + head, dtype=np.float64)


def leading_sums(x: Array, T: int) -> Array:
    """Return s_k = x_{k+1} + ... + x_{k+T}, terms after the last left out."""
    return trailing_sums(x[::-1], T)[::-1]


def condition(c: ProblemConstants, gamma: Array, M: int, T: int) -> float:
    """Largest left-hand side of Theorem 1's condition over all k."""
    with np.errstate(over="ignore", invalid="ignore"):
        a = c.L * M * gamma
        lhs = float(np.max(a + 2 * T * a * leading_sums(a, T)))
    return math.inf if math.isnan(lhs) else lhs  # NaN comes from inf times 0


def holds(lhs: float, T: int) -> bool:
    """Tell whether lhs <= 1 up to the rounding of a sum of T terms."""
    return lhs <= 1 + ROUNDING + T * sys.float_info.epsilon


def bound(c: ProblemConstants, gamma: Array, M: int, T: int) -> float:
    """Theorem 1's bound on the gamma-weighted ergodic mean, inf where the condition fails."""
    if not holds(condition(c, gamma, M, T), T):
        return math.inf
    total = float(np.sum(gamma)) * M
    if c.gap > 0 and total == 0:
        return math.inf
    if total == 0:
        return 0.0
    a = c.L * M * gamma
    stale = gamma * c.L * c.sigma
    noise = (
        np.sum(a * gamma * c.sigma * c.sigma)
        + 2 * M * np.sum(a * trailing_sums(stale * stale, T)) / c.L
    )
    return float((2 * c.gap + noise) / total)
