"""Given delays as a scheduler: a schedule feeds one of the two compiled recursions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .._core.ahead import Ahead, sparse
from .._core.recursion import Recursion
from .._plan import Plan, State
from .._proximal import kernel
from ._compiled import Compiled, schedule_key
from ._single import GivenSingle
from .delays import Delays


class GivenAhead(Compiled):
    """Reads of iterates, each made when x is that iterate; see ``_core/ahead.pyx``."""

    kernel: Ahead
    recomputed = 0
    log_dtype = np.dtype(np.void)

    def __init__(self, plan: Plan, schedule: Delays, state: State, x: NDArray[np.float64]) -> None:
        self.plan, self.schedule, self.key = plan, schedule, schedule_key(plan)
        self.kernel = Ahead(
            plan.objective._capsule,
            x,
            whole=plan.algorithm == "con",
            M=plan.M,
            T=schedule.T,
            K=plan.K,
            key=plan.key,
            clock=state.clock,
            slope=plan.steps.slope(plan.M),
            prox=kernel(plan),
        )

    def advance(self, until: int, gamma: NDArray[np.float64]) -> None:
        """Do updates ``clock .. until - 1``."""
        kernel, K, M, base = self.kernel, self.plan.K, self.plan.M, self.kernel.clock
        while kernel.clock < until and kernel.trouble is None:
            stop = min(until, kernel.clock + kernel.block)
            last = min(K, stop + self.schedule.T)
            if kernel.filed < last:
                kernel.file(self.schedule.table(self.key, kernel.filed, last, M))
            here = kernel.clock - base
            kernel.advance(stop, gamma if len(gamma) == 1 else gamma[here : stop - base])


class GivenHistory(Compiled):
    """Reads rebuilt from a history, for subsets and dense gradients; ``_core/recursion.pyx``."""

    kernel: Recursion
    recomputed = 0
    log_dtype = np.dtype(np.void)

    def __init__(self, plan: Plan, schedule: Delays, state: State, x: NDArray[np.float64]) -> None:
        self.plan, self.schedule, self.key = plan, schedule, schedule_key(plan)
        self.kernel = Recursion(
            plan.objective._capsule,
            x,
            whole=plan.algorithm == "con",
            M=plan.M,
            T=schedule.T,
            key=plan.key,
            clock=state.clock,
            slope=plan.steps.slope(plan.M),
            prox=kernel(plan),
        )
        self.choose = schedule.watch() if schedule.watch is not None else None

    def advance(self, until: int, gamma: NDArray[np.float64]) -> None:
        """Do updates ``clock .. until - 1``."""
        start, M = self.clock, self.plan.M
        if self.choose is None:
            table = self.schedule.table(self.key, start, until, M)
            seen = self.schedule.seen and self.schedule.seen(self.key, start, until, M)
            self.kernel.advance(until, gamma, table, seen)
            return
        while self.clock < until and self.trouble is None:
            k = self.clock
            table = np.full((1, M), self.choose(k, self.x.copy()), dtype=np.int64)
            here = 0 if len(gamma) == 1 else k - start
            self.kernel.advance(k + 1, gamma[here : here + 1], table)


def without_history(plan: Plan, schedule: Delays) -> bool:
    """Tell whether every read can be made when x is the iterate that is read.

    For AsySG-con of a dense objective it could, but a gradient kept instead of the iterate it is
    computed at is as large.
    """
    known = schedule.seen is None and schedule.watch is None
    return known and (plan.algorithm == "incon" or sparse(plan.objective._capsule))


def history_bytes(plan: Plan, schedule: Delays) -> int:
    """Return the bytes of the iterates that a run keeps."""
    kept = plan.algorithm == "con" and not without_history(plan, schedule)
    return np.dtype(plan.dtype).itemsize * plan.objective.n * (schedule.T + 1) if kept else 0


def given_delays(
    plan: Plan, schedule: Delays, state: State, x: NDArray[np.float64]
) -> GivenAhead | GivenHistory | GivenSingle:
    """Return the scheduler of these delays, the one that needs no history where there is one."""
    if plan.dtype == "float32":
        return GivenSingle(plan, schedule, state, x)
    engine = GivenAhead if without_history(plan, schedule) else GivenHistory
    return engine(plan, schedule, state, x)
