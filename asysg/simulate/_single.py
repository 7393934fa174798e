"""AsySG-con in single precision with given delays, word for word in NumPy.

A wrong answer here would be a wrong oracle, so nothing is compiled but the objective: the kernel on
threads is held against this, and records are replayed by it.
"""

from __future__ import annotations

from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from .. import _draws
from .._plan import Plan, State
from ..steplengths import adapted
from ._compiled import schedule_key
from .delays import Delays


class Single:
    """A run of AsySG-con whose x is float32: `recursion.con`, with the last iterates alone.

    Parameters
    ----------
    plan : Plan
    T : int
        The largest delay that will occur.
    x : ndarray of shape (n,)
        The iterate after `clock` updates.
    clock : int
    """

    overwrites = recomputed = 0
    log = reads = trouble = None
    log_dtype = np.dtype(np.void)

    def __init__(self, plan: Plan, T: int, x: NDArray[np.float64], clock: int = 0) -> None:
        self.plan, self.T, self.clock = plan, T, clock
        self.x = x.copy()
        self.histogram = np.zeros(64, dtype=np.int64)
        self.max_delay = self.sum_delay = 0
        self.sums = 0.0, 0.0
        # Iterate k in row k % (T + 1).
        self.iterates = np.zeros((T + 1, len(x)), dtype=np.float32)
        self.iterates[clock % (T + 1)] = x

    def update(self, gamma: float, delays: NDArray[np.int64], draw: int) -> None:
        """Make the next update, from iterates so many updates old, one a sample."""
        plan, k, rows = self.plan, self.clock, self.T + 1
        samples = _draws.samples(plan.key, draw, plan.M, plan.objective.n_samples)
        g = np.zeros(len(self.x), dtype=np.float32)
        reads = k - np.minimum(k, delays)
        for read, group in groupby(range(plan.M), reads.__getitem__):
            plan.objective.minibatch(
                self.iterates[read % rows], samples[list(group)], g, dtype="float32"
            )
        late = int(k - reads.min())
        step = float(adapted(np.array([gamma]), np.array([late]), plan.steps.slope(plan.M))[0])
        with np.errstate(over="ignore", invalid="ignore"):
            now = self.iterates[k % rows] - np.float32(step) * g
        self.iterates[(k + 1) % rows] = now
        self.clock = k + 1
        self.histogram[np.frexp(late)[1]] += 1
        self.max_delay = max(self.max_delay, late)
        self.sum_delay += late
        self.sums = self.sums[0] + step, self.sums[1] + step * step

    def settle(self) -> None:
        """Let `x` be the last iterate."""
        self.x[:] = self.iterates[self.clock % (self.T + 1)]

    def pending(self) -> dict[str, NDArray[np.float32]]:
        """Return what the next updates need besides x."""
        return {"iterates": self.iterates.copy()}

    def restore(self, pending: dict[str, NDArray[np.float32]]) -> None:
        """Go on from what `pending` returned at this clock.

        Raises ValueError if it belongs to another run.
        """
        if "iterates" not in pending or pending["iterates"].shape != self.iterates.shape:
            raise ValueError("what was pending must have the shape it has in this run.")
        self.iterates[:] = pending["iterates"]


class GivenSingle(Single):
    """The delays of a schedule as a scheduler."""

    def __init__(self, plan: Plan, schedule: Delays, state: State, x: NDArray[np.float64]) -> None:
        super().__init__(plan, schedule.T, x, state.clock)
        self.schedule, self.key = schedule, schedule_key(plan)
        self.choose = schedule.watch() if schedule.watch is not None else None

    def advance(self, until: int, gamma: NDArray[np.float64]) -> None:
        """Do updates ``clock .. until - 1``."""
        start, M = self.clock, self.plan.M
        if self.choose is None:
            table = self.schedule.table(self.key, start, until, M)
        for k in range(start, until):
            if self.choose is not None:
                self.settle()
                delays = np.full(M, self.choose(k, self.x.copy()), dtype=np.int64)
            else:
                delays = table[k - start]
            self.update(float(gamma[0 if len(gamma) == 1 else k - start]), delays, k)
        self.settle()
