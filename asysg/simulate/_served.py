"""Runs on a cluster again, where an update is more than one gradient at one iterate.

"sync": each update is a sum of parts, added in the order of the workers. "downpour": workers step
on replicas of their own. Both to the last bit, from what the log says.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _draws
from .._plan import Plan

Vector = NDArray[np.float64]
Advance = Callable[[int, int], None]


def samples(plan: Plan, draw: int) -> NDArray[np.uint64]:
    """Return the samples of a draw."""
    return _draws.samples(plan.key, draw, plan.M, plan.objective.n_samples)


def synchronous(plan: Plan, log: NDArray[Any]) -> tuple[Advance, Vector]:
    """Return a function that does updates start..stop-1 to the x returned with it."""
    x = plan.x0.copy()

    def advance(start: int, stop: int) -> None:
        for k in range(start, stop):
            drawn, parts = samples(plan, log["draw"][k]), int(log["worker"][k]) + 1
            cuts = [plan.M * part // parts for part in range(parts + 1)]
            g = plan.objective.minibatch(x, drawn[: cuts[1]])
            for first, last in pairwise(cuts[1:]):
                g += plan.objective.minibatch(x, drawn[first:last])
            x[:] -= plan.steps.at(k + 1) * g

    return advance, x


def downpour(plan: Plan, log: NDArray[Any], T: int) -> tuple[Advance, Vector]:
    """Return a function that does updates start..stop-1 to the x returned with it.

    A worker whose recorded start is that of its last update went on from its replica; otherwise it
    fetched x, as it was after so many updates: of these, the last T + 1 are at hand.
    """
    x = plan.x0.copy()
    iterates = np.empty((T + 1, len(x)))
    iterates[0] = x
    replicas: dict[int, tuple[int, Vector]] = {}
    size = plan.M // plan.n_push

    def advance(start: int, stop: int) -> None:
        for k in range(start, stop):
            worker, since = int(log["worker"][k]), int(log["start"][k])
            found = replicas.get(worker)
            if found is None or found[0] != since:
                found = replicas[worker] = since, iterates[since % (T + 1)].copy()
            replica, gamma = found[1], plan.steps.at(k + 1)
            drawn, total = samples(plan, log["draw"][k]), np.zeros(len(x))
            for first in range(0, plan.M, size):
                g = plan.objective.minibatch(replica, drawn[first : first + size])
                total += g
                replica -= gamma * g
            x[:] -= gamma * total
            iterates[(k + 1) % (T + 1)] = x

    return advance, x
