"""NumPy in processes that share x: a loop over samples with a few array operations each. Racy."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from typing import Any

import numpy as np

from ..measure import Contestant, Reading
from ..team import Team
from ..workloads import STEP, Contestants, Workload, data


def share(context: Any, array: Any) -> tuple[Any, str, tuple[int, ...]]:
    """Copy an array to memory that spawned processes see; `view` shows it."""
    memory = context.RawArray("b", array.nbytes)
    view((memory, array.dtype.str, array.shape))[...] = array
    return memory, array.dtype.str, array.shape


def view(shared: tuple[Any, str, tuple[int, ...]]) -> Any:
    """Return the array in what `share` made."""
    memory, dtype, shape = shared
    return np.frombuffer(memory, dtype).reshape(shape)


def setup(worker: int, gamma: float, shared: list[Any]) -> Callable[[int], None]:
    """Make a worker."""
    x, y, *matrix = [view(one) for one in shared]
    rng = np.random.default_rng(worker)

    def slope(z: float, label: float) -> float:
        s = 1 / (1 + np.exp(-z))
        return float(2 * (s - label) * s * (1 - s))

    def dense(count: int) -> None:
        (A,) = matrix
        for row in rng.integers(len(y), size=count).tolist():
            a = A[row]
            x[...] -= gamma * slope(a @ x, y[row]) * a

    def sparse(count: int) -> None:
        values, indices, start = matrix
        for row in rng.integers(len(y), size=count).tolist():
            at = slice(start[row], start[row + 1])
            a, i = values[at], indices[at]
            x[i] -= gamma * slope(a @ x[i], y[row]) * a

    return dense if len(matrix) == 1 else sparse


def contestants(workload: Workload, p: int, quick: bool) -> Contestants:
    given = data(workload.kind, quick=quick)
    context = multiprocessing.get_context("spawn")
    A = given.A
    arrays = [A] if workload.kind == "W2" else [A.data, A.indices, A.indptr]
    held: list[Any] = []

    def run(count: int) -> Reading:
        if not held:
            shared = [share(context, one) for one in (given.x0, given.y, *arrays)]
            team = Team(context, p, setup, (STEP[workload.kind], shared))
            # `shared` too: memory that nobody here holds is given to whoever shares next.
            held[:] = view(shared[0]), team, shared
        x, team, _ = held
        x[...] = given.x0
        took = team.run(count)
        return Reading(took, count, given.objective.value(x))

    def close() -> None:
        if held:
            held[1].close()
            held.clear()

    computes = "random rows; " + ("racy: loses updates" if p > 1 else "the same")
    yield Contestant("NumPy, processes", "peer", p, run, computes, start=200, close=close)
