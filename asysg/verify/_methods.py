"""Rows of the other methods on real threads, each against the theorem that covers it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import theory
from .._minimize import minimize
from .._plan import algorithm_of
from ..result import Result
from ..steplengths import delay_adaptive
from ..theory import AdaptiveSteps, Certificate, ProblemConstants, baselines
from ..theory._adaptive import SHORTENED
from ._evidence import (
    COUNTED,
    certificate,
    convicting_ratio,
    ergodic,
    half_width,
    log_e_value,
    most_stale,
    verdict,
)
from ._instances import INSTANCES
from ._ordinary import UPDATES, enforced_delay, replicates
from ._report import Row
from ._settings import Settings

#: Iterates recorded of a run. The first are the largest, and few records would meet them by chance.
RECORDS = 400


@dataclass(frozen=True)
class Way:
    """How a method runs, and what it is held against.

    Parameters
    ----------
    method : str
    form : str
        Of the theorem.
    M : int
        Batch size.
    delay : callable
        Number of threads to T of the claim.
    options : dict
        What else `asysg.minimize` is told; "T" stands for that number.
    adaptive : bool
        With delay-adaptive steplengths, whose theorem knows no T.
    """

    method: str
    form: str = "plus"
    M: int = 2
    delay: Callable[[int], int] = enforced_delay
    options: dict[str, Any] = field(default_factory=lambda: {"max_delay": "T"})
    adaptive: bool = False

    def constants(self, c: ProblemConstants) -> ProblemConstants:
        """Return the constants of what this method samples."""
        return replace(c, sigma=0.0) if self.method == "asyscd" else c


def _none(p: int) -> int:
    return 0


#: A minibatch of "sync" has a part for each of four workers.
WAYS = (
    Way("sgd", "uniform", delay=_none, options={}),
    Way("sync", "uniform", M=4, delay=_none, options={}),
    Way("delayed", "constant_delay", delay=lambda p: 3, options={"delay": "T"}),
    Way("hogwild"),
    Way("downpour", options={"max_delay": "T", "n_push": 1, "n_fetch": 2}),
    Way("asyscd", M=1),
    Way("asysg-con", options={}, adaptive=True),
)


def method_row(
    name: str,
    way: Way,
    settings: Settings,
    seed: np.random.SeedSequence,
    tick: Callable[[], object],
) -> Row:
    """Run one objective by one method and hold it against its theorem, at the best steplength."""
    obj, x0 = INSTANCES[name]()
    p = 1 if way.method == "sgd" else settings.n_threads
    T = way.delay(p)
    c = way.constants(obj.constants(x0, T=T))
    gamma = steplength(way, c, p, T)
    told: dict[str, Any] = {
        option: T if value == "T" else value for option, value in way.options.items()
    }
    scaled: Any = settings.factor * gamma
    runs = []
    for stream in seed.spawn(replicates(settings)):
        runs.append(
            minimize(
                obj,
                x0,
                method=way.method,
                steplength=delay_adaptive(scaled, c.L / settings.factor)
                if way.adaptive
                else scaled,
                batch_size=way.M,
                n_updates=UPDATES,
                n_threads=p,
                n_records=RECORDS,
                form=way.form,
                constants=c,
                rng=stream,
                **told,
            )
        )
        tick()
    if way.adaptive:
        values, claim = against_its_own(runs, c, way, settings.factor)
    else:
        values = np.array([ergodic(run) for run in runs])
        claim = certificate(c, runs, values, gamma=gamma, T=T, form=way.form)
    log_e, log_threshold = log_e_value(values, claim.bound), math.log(1 / settings.alpha)
    assert claim.measured is not None
    times = convicting_ratio(len(values), settings.alpha) * claim.bound / claim.measured
    return Row(
        kind="method",
        objective=name,
        method=way.method,
        run="1 thread" if p == 1 else f"{p} threads",
        steplength="delay-adaptive" if way.adaptive else "optimal",
        replicates=len(values),
        T_measured=most_stale(runs),
        measured=claim.measured,
        halfwidth=half_width(values),
        log_e=log_e,
        log_threshold=log_threshold,
        verdict=verdict(claim, log_e, log_threshold),
        detects=f"mean x {times:.0f}",
        certificate=claim,
    )


def steplength(way: Way, c: ProblemConstants, p: int, T: int) -> float:
    """Return the steplength that the theory makes of it."""
    if way.adaptive:
        return baselines.delay_adaptive_gamma(c, K=UPDATES, P=p, M=way.M)
    side = theory.incon if algorithm_of(way.method) == "incon" else theory.con
    gamma: float = side.gamma_opt(c, K=UPDATES, M=way.M, T=T, form=way.form)
    return gamma


def against_its_own(
    runs: list[Result], c: ProblemConstants, way: Way, factor: float
) -> tuple[NDArray[np.float64], Certificate]:
    """Return the measured norms, scaled to the bound of the first run, and its claim of them all.

    The bound of Theorem A holds given the steplengths, which the delays of each run have made. It
    is claimed for those that the runs would have had without `factor`.
    """
    claimed, values = [], []
    for run in runs:
        steps = run.certificate.gamma
        assert isinstance(steps, AdaptiveSteps)
        claimed.append(
            AdaptiveSteps(
                steps.gamma / factor,
                c.L,
                steps.P,
                steps.total / factor,
                steps.total_square / factor**2,
            )
        )
        share = claimed[0].bound(c, way.M) / claimed[-1].bound(c, way.M)
        measured = run.certificate.measured
        values.append(math.inf if measured is None or not run.success else measured * share)
    found, first = np.array(values), runs[0].certificate
    finite = bool(np.isfinite(found).all())
    claim = theory.certify(
        c,
        algorithm=first.algorithm,
        gamma=claimed[0],
        K=first.K,
        M=way.M,
        T=first.T,
        form=first.form,
        measured=float(found.mean()) if finite else math.inf,
        measured_halfwidth=half_width(found) if finite else None,
        evidence=[h for h in first.hypotheses if h.name not in (*COUNTED, SHORTENED)],
        note=f"Measured: mean over {len(runs)} independent replicates, each in the proportion of "
        "the bound that its own steplengths give.",
    )
    return found, claim
