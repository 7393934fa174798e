"""The specification: both algorithms, word for word, in NumPy.

Delays and read sets are *given*. Nothing here is fast and nothing here is compiled: this is
what every kernel, thread and record is compared with.

Numbers count from 0 here, as in the kernels: iterate 0 is the start x_1 of the theory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Vector: TypeAlias = NDArray[np.float64]

__all__ = ["con", "incon"]


def con(
    gradient: Callable[[Vector, int, Vector], object],
    x0: Vector,
    gamma: Vector,
    delays: NDArray[np.int64],
    samples: NDArray[np.uint64],
) -> Iterator[Vector]:
    r"""AsySG-con: ``x[k+1] = x[k] - gamma[k] * sum_m G(x[k - tau[k, m]]; xi[k, m])``.

    Parameters
    ----------
    gradient : callable
        ``gradient(x, sample, g)`` adds the stochastic gradient G to g (as
        ``Objective.gradient`` does).
    x0 : ndarray of shape (n,)
    gamma : ndarray of shape (K,)
    delays : ndarray of shape (K, M)
        tau, cut to 0..k: nothing is older than the start.
    samples : ndarray of shape (K, M)

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
        for m in range(delays.shape[1]):
            read = x[k - min(k, int(delays[k, m]))]
            gradient(read, int(samples[k, m]), g)
        x.append(x[k] - gamma[k] * g)
        yield x[-1]


def incon(
    partial: Callable[[Vector, int, int], float],
    x0: Vector,
    gamma: Vector,
    delays: NDArray[np.int64],
    samples: NDArray[np.uint64],
    coordinates: NDArray[np.int64],
    seen: NDArray[np.uint8] | None = None,
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
    for k in range(len(gamma)):
        i = int(coordinates[k])
        g = 0.0
        for m in range(delays.shape[1]):
            tau = min(k, int(delays[k, m]))
            read = x[k - tau].copy()
            for j in range(k - tau, k):
                if seen is not None and seen[k, m, k - 1 - j]:
                    read[coordinates[j]] += increments[j]
            g += partial(read, int(samples[k, m]), i)
        increments.append(-(gamma[k] * g))
        step = x[k].copy()
        step[i] += increments[k]
        x.append(step)
        yield step
