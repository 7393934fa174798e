"""Short pilots of a method on real threads: how fast it is here, and how stale its reads are."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ._minimize import METHODS, threads_engine
from ._plan import Plan, make_plan
from ._run import Pace
from ._skip import skip_law
from ._update import with_update
from .errors import InvalidArgument
from .objectives import Objective
from .result import Staleness
from .theory import ProblemConstants


@dataclass(frozen=True)
class Trial:
    """What a pilot measured, and what follows for a run as long as the serial one.

    Attributes
    ----------
    method : str
    n_threads : int
    update : str
        How the workers write: "atomic" or "replica".
    measured_over : int
        Updates of the pilot, at steplength 0.
    updates_per_second : float
    T : int
        The largest delay it measured. One pause of one thread can make it huge.
    T_99 : int
        The delay that 99 % of the updates kept (the end of its bin, and at most T): as
        ``max_delay`` it is enforced at the price of computing about 1 % of them again.
    delay_mean : float
        Measured.
    n_updates : int
        Updates that this rate gives in the seconds of the serial run.
    T_max : int or None
        The largest T with a linear speedup proven at this `n_updates`; -1 if `n_updates` is too
        small for any; None without constants.
    bound : float or None
        The smallest bound on the ergodic gradient norm after these updates with ``max_delay=T_99``;
        None without constants.
    """

    method: str
    n_threads: int
    update: str
    measured_over: int
    updates_per_second: float
    T: int
    T_99: int
    delay_mean: float
    n_updates: int = 0
    T_max: int | None = None
    bound: float | None = None


def pilot(
    obj: Objective,
    x0: NDArray[np.float64],
    method: str,
    p: int,
    *,
    M: int,
    K: int,
    constants: ProblemConstants | None,
    seconds: float,
    rng: int,
) -> Trial:
    """Run p threads at steplength 0 for about so many seconds, as a run of K updates would."""
    plan: Plan = make_plan(
        obj,
        x0,
        methods=METHODS,
        method=method,
        steplength="prescribed",
        batch_size=M,
        n_updates=K,
        n_records=1,
        form="plus",
        constants=constants,
        callback=None,
        progress=False,
        rng=rng,
    )
    law = skip_law(plan, None, p, replicas=False)
    plan = with_update(plan, None if law is None else "atomic", None, p)
    engine = threads_engine(replace(plan, record="sampled"), p, plan.x0, law=law)
    pace, still, spent = Pace(plan), np.zeros(1), 0.0
    warm = counted = 0.0
    while spent < seconds:  # in blocks, for the sake of Ctrl-C
        begin, clock = engine.clock, time.perf_counter()
        with obj._one_thread():
            engine.advance(begin + pace.block, still)
        took = time.perf_counter() - clock
        if engine.trouble is not None:
            raise InvalidArgument("obj must be computable at x0, got a failure in a pilot.")
        pace.after(engine.clock - begin, took)
        spent += took
        if spent < seconds / 3:  # the first blocks are short, and the caches cold
            warm, counted = spent, float(engine.clock)
    rate = (engine.clock - counted) / (spent - warm)
    T = int(engine.max_delay) if p > 1 else 0
    seen = Staleness(T, 0.0, engine.histogram)
    return Trial(
        method=method,
        n_threads=p,
        update=plan.update,
        measured_over=int(engine.clock),
        updates_per_second=float(rate),
        T=T,
        T_99=seen.quantile(0.99) if p > 1 else 0,
        delay_mean=float(engine.sum_delay / engine.clock) if p > 1 else 0.0,
    )
