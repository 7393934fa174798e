"""numba: the loops a user would write, `prange` over workers. Racy: updates get lost.

Rows and coordinates are drawn beforehand and not timed.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from ..measure import Absent, Contestant, Reading
from ..workloads import STEP, Contestants, Workload, data


@numba.njit(inline="always", error_model="numpy")
def slope(z: float, y: float) -> float:
    s = 1 / (1 + np.exp(-z))
    return 2 * (s - y) * s * (1 - s)


@numba.njit(parallel=True, error_model="numpy")
def support(data, indices, start, y, x, gamma, rows, p):  # type: ignore[no-untyped-def]
    for w in numba.prange(p):
        for k in range(len(rows) * w // p, len(rows) * (w + 1) // p):
            row = rows[k]
            z = 0.0
            for e in range(start[row], start[row + 1]):
                z += data[e] * x[indices[e]]
            step = gamma * slope(z, y[row])
            for e in range(start[row], start[row + 1]):
                x[indices[e]] -= step * data[e]


@numba.njit(parallel=True, error_model="numpy")
def coordinate(data, indices, start, y, x, gamma, rows, entries, p):  # type: ignore[no-untyped-def]
    for w in numba.prange(p):
        for k in range(len(rows) * w // p, len(rows) * (w + 1) // p):
            row, i = rows[k], entries[k]
            low, high = start[row], start[row + 1]
            while low < high:
                middle = (low + high) // 2
                if indices[middle] < i:
                    low = middle + 1
                else:
                    high = middle
            if low < start[row + 1] and indices[low] == i:
                z = 0.0
                for e in range(start[row], start[row + 1]):
                    z += data[e] * x[indices[e]]
                x[i] -= gamma * slope(z, y[row]) * data[low]


@numba.njit(parallel=True, error_model="numpy")
def hit(data, indices, start, y, x, gamma, rows, places, p):  # type: ignore[no-untyped-def]
    for w in numba.prange(p):
        for k in range(len(rows) * w // p, len(rows) * (w + 1) // p):
            row, place = rows[k], places[k]
            z = 0.0
            for e in range(start[row], start[row + 1]):
                z += data[e] * x[indices[e]]
            x[indices[place]] -= gamma * slope(z, y[row]) * data[place]


def _whole(A, y, x, gamma, rows, p):  # type: ignore[no-untyped-def]
    for w in numba.prange(p):
        for k in range(len(rows) * w // p, len(rows) * (w + 1) // p):
            row = rows[k]
            z = 0.0
            for i in range(len(x)):
                z += A[row, i] * x[i]
            step = gamma * slope(z, y[row])
            for i in range(len(x)):
                x[i] -= step * A[row, i]


whole = numba.njit(parallel=True, error_model="numpy")(_whole)
whole_fast = numba.njit(parallel=True, error_model="numpy", fastmath=True)(_whole)


def contestants(workload: Workload, p: int, quick: bool) -> Contestants:
    if p > numba.config.NUMBA_NUM_THREADS:
        yield Absent("numba", f"has {numba.config.NUMBA_NUM_THREADS} threads here, not {p}")
        return
    given = data(workload.kind, quick=quick)
    kind, (N, n) = workload.kind, given.A.shape
    drawn: dict[str, Any] = {}

    def draws(count: int, sequential: bool) -> tuple[Any, Any]:
        """Draw once for all rounds: drawing is not timed."""
        if len(drawn.get("rows", ())) != count:
            rng = np.random.default_rng(1)
            drawn["rows"] = rng.integers(N, size=count, dtype=np.int32)
            drawn["entries"] = rng.integers(n, size=count, dtype=np.int32)
            drawn["order"] = (np.arange(count) % N).astype(np.int32)
        return drawn["order" if sequential else "rows"], drawn["entries"]

    def skipping(count: int) -> Reading:
        """Only the updates that are not zero by structure; gaps and entries drawn beforehand."""
        if drawn.get("count") != count:
            rng = np.random.default_rng(1)
            stored = len(given.A.data)
            hits = rng.binomial(count, stored / (N * n))
            drawn["places"] = rng.integers(stored, size=hits)
            owner = np.searchsorted(given.A.indptr, drawn["places"], side="right") - 1
            drawn["owners"], drawn["count"] = owner.astype(np.int32), count
        x = given.x0.copy()
        numba.set_num_threads(p)
        took = seconds(
            hit, given.A.data, given.A.indices, given.A.indptr, given.y, x, STEP[kind],
            drawn["owners"], drawn["places"], p,
        )  # fmt: skip
        return Reading(took, count, given.objective.value(x))

    def contestant(name: str, kernel: Any, computes: str, sequential: bool = False) -> Contestant:
        def run(count: int) -> Reading:
            rows, entries = draws(count, sequential)
            x = given.x0.copy()
            matrix = (given.A,) if kind == "W2" else (given.A.data, given.A.indices, given.A.indptr)
            where = (rows, entries) if kind == "W1c" else (rows,)
            numba.set_num_threads(p)
            took = seconds(kernel, *matrix, given.y, x, STEP[kind], *where, p)
            return Reading(took, count, given.objective.value(x))

        return Contestant(name, "peer", p, run, computes)

    lossy = "racy: loses updates" if p > 1 else "the same"
    if kind == "W1":
        yield contestant("numba", support, f"random rows; {lossy}")
        yield contestant("numba, sequential", support, f"rows in their order; {lossy}", True)
    elif kind == "W1c":
        yield contestant("numba, naive", coordinate, f"every update looked up; {lossy}")
        computes = f"our skip-ahead, drawn beforehand and not timed; {lossy}"
        yield Contestant("numba, skip-ahead", "peer", p, skipping, computes)
    else:
        for name, kernel in (("numba", whole), ("numba fastmath", whole_fast)):
            yield contestant(name, kernel, f"random rows; {lossy}")
            computes = f"rows in their order; {lossy}"
            yield contestant(f"{name}, sequential", kernel, computes, True)


def seconds(kernel: Any, *arguments: Any) -> float:
    """Time one call."""
    import time

    begin = time.perf_counter()
    kernel(*arguments)
    return time.perf_counter() - begin
