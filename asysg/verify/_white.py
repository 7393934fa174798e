"""What the theory speaks of, measured on a run: at its iterates and at what was read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._plan import Intermediate
from ..result import Result

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class White:
    """Squared norms at every update of one run, each of shape (K,).

    Attributes
    ----------
    A : ndarray
        ||grad f(x_k)||^2.
    B : ndarray
        ||(1/M) sum_m grad f(xh_{k,m})||^2.
    B1 : ndarray
        (1/M) sum_m ||grad f(xh_{k,m})||^2.
    D : ndarray
        (1/M) sum_m ||grad f(x_k) - grad f(xh_{k,m})||^2.
    """

    A: Vector
    B: Vector
    B1: Vector
    D: Vector

    @classmethod
    @np.errstate(over="ignore", invalid="ignore")  # squares of a run that explodes: inf says so
    def of(cls, here: Vector, there: Vector) -> White:
        """Make it from the gradients at the iterates, (K, n), and at the reads, (K, M, n)."""
        apart = here[:, np.newaxis] - there
        return cls(
            A=np.sum(here**2, axis=1),
            B=np.sum(there.mean(axis=1) ** 2, axis=1),
            B1=np.mean(np.sum(there**2, axis=2), axis=1),
            D=np.mean(np.sum(apart**2, axis=2), axis=1),
        )


def watched(run: Callable[..., Result], **options: Any) -> tuple[Result, Vector]:
    """Run, every iterate recorded, and return the iterates too, shape (nit + 1, n)."""
    path: list[Vector] = []

    def keep(intermediate: Intermediate) -> None:
        path.append(intermediate.x)

    result = run(n_records=options["n_updates"], callback=keep, **options)
    return result, np.array(path)


def reads(x: Vector, delays: NDArray[np.int64], seen: NDArray[np.uint8] | None = None) -> Vector:
    """Return what was read according to a schedule, shape (K, M, n).

    Parameters
    ----------
    x : ndarray of shape (K + 1, n)
    delays : ndarray of shape (K, M)
    seen : ndarray of shape (K, M, T), optional
        As in `asysg.simulate.recursion.incon`.
    """
    k = np.arange(len(delays))[:, np.newaxis]
    delays = np.minimum(delays, k)
    found: Vector = x[k - delays]
    if seen is not None:
        for t in range(seen.shape[2]):
            late = np.maximum(k - 1 - t, 0)
            inside = (seen[:, :, t] != 0) & (t < delays)
            found = found + inside[:, :, np.newaxis] * (x[late + 1] - x[late])
    return found
