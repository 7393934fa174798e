"""Timed workers as a scheduler: speeds feed the compiled virtual clock."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.timed import Timed
from .._plan import Plan, State
from ._given import schedule_key
from .speeds import Speeds

#: Cycles whose times are drawn at once.
BLOCK = 4096


class TimedWorkers:
    """Virtual workers; see ``_core/timed.pyx``."""

    overwrites = 0
    reads: NDArray[np.float64] | None = None

    def __init__(
        self,
        plan: Plan,
        p: int,
        speeds: Speeds,
        state: State,
        x: NDArray[np.float64],
        *,
        dry: bool = False,
    ) -> None:
        self.plan, self.speeds, self.key = plan, speeds, schedule_key(plan)
        self.kernel = Timed(
            plan.objective._capsule,
            x,
            whole=plan.method != "asysg-incon",
            M=plan.M,
            p=p,
            K=plan.K,
            key=plan.key,
            max_delay=-1 if plan.max_delay is None else plan.max_delay,
            factor=np.asarray(speeds.factor(p), dtype=np.float64),
            pauses=speeds.pauses(p),
            full=plan.record == "full",
            dry=dry,
            clock=state.clock,
        )
        self.log_dtype = self.kernel.log_dtype
        self.log: NDArray[Any] | None = None

    @property
    def x(self) -> NDArray[np.float64]:
        """The current iterate."""
        return self.kernel.x

    @property
    def clock(self) -> int:
        """Updates done."""
        return self.kernel.clock

    @property
    def trouble(self) -> tuple[str, int, int] | None:
        """What ended the run early."""
        return self.kernel.trouble

    @property
    def histogram(self) -> NDArray[np.int64]:
        """Updates by delay, in log2 bins."""
        return self.kernel.histogram

    @property
    def max_delay(self) -> int:
        """Largest delay so far."""
        return self.kernel.max_delay

    @property
    def sum_delay(self) -> int:
        """Sum of the delays so far."""
        return self.kernel.sum_delay

    @property
    def recomputed(self) -> int:
        """Gradients that came too late."""
        return self.kernel.recomputed

    def now(self) -> float:
        """Return the virtual time of the last update."""
        return self.kernel.now

    def pending(self) -> dict[str, NDArray[Any]]:
        """Return what the next updates need besides x."""
        return self.kernel.pending()

    def restore(self, pending: dict[str, NDArray[Any]]) -> None:
        """Go on from what `pending` returned at this clock."""
        self.kernel.restore(pending)

    def advance(self, until: int, gamma: NDArray[np.float64]) -> None:
        """Do updates ``clock .. until - 1``."""
        kernel, base, logs = self.kernel, self.kernel.clock, []
        while kernel.clock < until and kernel.trouble is None:
            # Fewer than this would do only if all workers had begun and none came too late.
            cycles = kernel.cycles + min(BLOCK, until - kernel.clock)
            times = self.speeds.times(self.key, kernel.cycles, cycles)
            steps = gamma if len(gamma) == 1 else gamma[kernel.clock - base :]
            kernel.advance(until, steps, *times)
            if kernel.log is not None:
                logs.append(kernel.log)
        if logs:
            self.log = np.concatenate(logs)


def expected_delay(plan: Plan, p: int, speeds: Speeds) -> int:
    """Return the largest delay that this run will have: its clock does not depend on x."""
    if plan.max_delay is not None:
        return plan.max_delay
    dry = TimedWorkers(plan, p, speeds, State(), plan.x0, dry=True)
    dry.advance(plan.K, np.zeros(1))
    return dry.max_delay
