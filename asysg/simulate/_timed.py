"""Timed workers as a scheduler: speeds feed the compiled virtual clock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._check import integer
from .._core.timed import Timed
from .._core.turns import Turns
from .._draws import RNG
from .._plan import Plan, State, make_plan
from .._proximal import kernel
from .._served import ORDERED
from ..errors import InvalidArgument
from ..objectives import CosineQuadratic
from ..result import Staleness
from ._compiled import Compiled, schedule_key
from .speeds import Speeds, known

#: Updates after which a forecast goes on in proportion.
FORECAST = 1_000_000
#: Cycles whose times are drawn at once.
BLOCK = 4096


class TimedWorkers(Compiled):
    """Virtual workers; see ``_core/timed.pyx``, and ``turns.pyx`` where they take turns."""

    kernel: Timed | Turns

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
        workers: dict[str, Any] = {
            "factor": np.asarray(speeds.factor(p), dtype=np.float64),
            "pauses": speeds.pauses(p),
        }
        if plan.method in ORDERED:
            parts = min(p, plan.M) if plan.method == "sync" else 1
            self.cycles_an_update = parts
            self.kernel = Turns(
                plan.objective._capsule,
                x,
                groups=p if plan.method == "delayed" else 1,
                parts=parts,
                delay=plan.delay or 0,
                M=plan.M,
                key=plan.key,
                full=plan.record == "full",
                clock=state.clock,
                **workers,
            )
        else:
            self.cycles_an_update = 1
            self.kernel = Timed(
                plan.objective._capsule,
                x,
                whole=plan.algorithm == "con",
                M=plan.M,
                p=p,
                K=plan.K,
                key=plan.key,
                max_delay=-1 if plan.max_delay is None else plan.max_delay,
                full=plan.record == "full",
                dry=dry,
                clock=state.clock,
                n_push=plan.n_push,
                n_fetch=plan.n_fetch,
                slope=plan.steps.slope(plan.M),
                prox=kernel(plan),
                **workers,
            )
        self.log_dtype = self.kernel.log_dtype

    @property
    def recomputed(self) -> int:
        """Gradients that came too late."""
        return self.kernel.recomputed

    def now(self) -> float:
        """Return the virtual time of the last update."""
        return self.kernel.now

    def advance(self, until: int, gamma: NDArray[np.float64]) -> None:
        """Do updates ``clock .. until - 1``."""
        kernel, base, logs = self.kernel, self.kernel.clock, []
        while kernel.clock < until and kernel.trouble is None:
            # Fewer than this would do only if all workers had begun and none came too late.
            each = self.cycles_an_update
            cycles = each * min(max(1, BLOCK // each), until - kernel.clock)
            times = self.speeds.times(self.key, kernel.cycles, kernel.cycles + cycles)
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
    if plan.method in ORDERED:
        return plan.delay or 0
    dry = TimedWorkers(plan, p, speeds, State(), plan.x0, dry=True)
    dry.advance(plan.K, np.zeros(1))
    return dry.max_delay


@dataclass(frozen=True)
class Forecast:
    """What the virtual clock says of workers, whatever they compute.

    Attributes
    ----------
    seconds : float
        Virtual seconds until all updates are done.
    updates_per_second : float
    staleness : Staleness
    n_recomputed : int
    simulated : int
        Updates that were simulated; beyond them seconds go on in proportion.
    """

    seconds: float
    updates_per_second: float
    staleness: Staleness
    n_recomputed: int
    simulated: int


def forecast(
    n_workers: int,
    n_updates: int,
    speeds: Speeds,
    *,
    max_delay: int | None = None,
    rng: RNG = 0,
) -> Forecast:
    """Say how long so many updates take these workers, and how stale their reads are.

    Parameters
    ----------
    n_workers, n_updates : int
        At least 1. At most a million updates are simulated.
    speeds : Speeds
        See `asysg.simulate.speeds`.
    max_delay : int, optional
        Enforced bound of the delay.
    rng : int, Generator, SeedSequence or None
        Of the times.

    Returns
    -------
    Forecast

    Raises
    ------
    InvalidArgument
        For arguments that cannot be.

    Examples
    --------
    >>> from asysg.simulate import forecast, speeds
    >>> found = forecast(10, 1000, speeds.deterministic(0.5))
    >>> found.seconds, found.staleness.max
    (50.0, 9)
    """
    p, K = integer("n_workers", n_workers, least=1), integer("n_updates", n_updates, least=1)
    if max_delay is not None:
        integer("max_delay", max_delay, least=0)
    known("speeds", speeds)
    simulated = min(K, FORECAST)
    plan = make_plan(
        CosineQuadratic(1),
        np.zeros(1),
        methods=("asysg-incon",),
        method="asysg-incon",
        steplength=0.0,
        batch_size=1,
        n_updates=simulated,
        n_records=1,
        form="plus",
        constants=None,
        callback=None,
        progress=False,
        rng=rng,
    )
    workers = TimedWorkers(
        replace(plan, max_delay=max_delay), p, speeds, State(), plan.x0, dry=True
    )
    workers.advance(simulated, np.zeros(1))
    staleness = Staleness(
        workers.max_delay, workers.sum_delay / simulated, workers.histogram, max_delay
    )
    seconds = workers.now() * (K / simulated)
    if not seconds > 0:
        raise InvalidArgument(f"speeds must take some time, got {speeds}.")
    return Forecast(seconds, K / seconds, staleness, workers.recomputed, simulated)
