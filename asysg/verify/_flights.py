"""Trace rows: runs on real threads, their flight records examined one test at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from .. import objectives as o
from .. import theory
from .._minimize import minimize
from .._plan import algorithm_of
from ..result import Result
from ._evidence import certificate, ergodic, log_e_value
from ._ordinary import enforced_delay
from ._record import certain
from ._report import Row
from ._settings import Settings
from ._trace import examine


@dataclass(frozen=True)
class Flight:
    """A recorded run.

    Parameters
    ----------
    method : str
    family : {"quadratic", "sigmoid"}
        Additive noise from a start that is far away, so that the length of the gradients shows
        against the noise; or a finite sum.
    K, quick : int
        Updates; the second number if the suite is quick, 0 for no such row.
    """

    method: str
    family: str
    K: int
    quick: int = 0

    @property
    def M(self) -> int:
        """Batch size."""
        return 1 if self.method == "asyscd" else 2

    @property
    def objective(self) -> o.Objective:
        """What is minimised."""
        if self.family == "quadratic":
            return o.Quadratic(np.linspace(0.3, 1.0, 8), sigma=1.0)
        return o.SigmoidRegression.planted(40, 8, rng=1)

    def run(self, settings: Settings, seed: np.random.SeedSequence) -> tuple[Result, float, int]:
        """Run once with the flight recorder on; return also the steplength and T of the claim."""
        obj, p = self.objective, settings.n_threads
        T = enforced_delay(p)
        x0 = np.full(obj.n, 3.0 if self.family == "quadratic" else 1.0)
        c = obj.constants(x0, T=T)
        side = theory.incon if algorithm_of(self.method) == "incon" else theory.con
        gamma = 0.3 * side.gamma_max(c, M=self.M, T=T)
        result = minimize(
            obj,
            x0,
            method=self.method,
            steplength=settings.factor * gamma,
            batch_size=self.M,
            n_updates=settings.number(self.K, self.quick),
            n_threads=p,
            max_delay=T,
            n_records=50,
            record="full+reads",
            constants=c,
            rng=seed,
        )
        return result, gamma, T


FLIGHTS = (
    Flight("asysg-con", "quadratic", 8_000, quick=4_000),
    Flight("asysg-incon", "quadratic", 20_000, quick=5_000),
    Flight("asysg-con", "sigmoid", 5_000),
    Flight("asysg-incon", "sigmoid", 5_000),
    Flight("asyscd", "sigmoid", 5_000),
)


def flight_row(
    case: Flight, settings: Settings, seed: np.random.SeedSequence, tick: Callable[[], object]
) -> Row:
    """Examine the record of one run."""
    result, gamma, T = case.run(settings, seed)
    tick()
    values = np.array([ergodic(result)])
    c = result._plan.constants if result._plan is not None else None
    assert c is not None
    claim = certificate(c, [result], values, gamma=gamma, T=T, form="plus")
    log_e = log_e_value(values, claim.bound)
    found = None
    if not result.success:
        verdict, worst = "violated", certain("divergence", "the run stays finite", False)
    elif result.steplength != gamma:
        verdict, worst = "disagrees", certain("steplength", "it is that of the claim", False)
    else:
        found = examine(result, alpha=settings.alpha)
        tests = found.outcomes if found.oblivious or not found.ok else found.diagnostics
        worst = min(tests, key=lambda test: test.p_value)
        verdict = found.verdict if tests is found.outcomes else "no claim"
        claim = replace(claim, hypotheses=tuple(map(found.tested, claim.hypotheses)))
    checks = () if found is None else (*found.outcomes, *found.diagnostics)
    assert claim.measured is not None
    return Row(
        kind="trace",
        objective=case.family,
        method=case.method,
        run="1 thread" if settings.n_threads == 1 else f"{settings.n_threads} threads",
        steplength="0.3 of the largest",
        replicates=1,
        T_measured=result.staleness.max or 0,
        measured=claim.measured,
        halfwidth=0.0,
        log_e=log_e,
        log_threshold=math.log(1 / settings.alpha),
        verdict=verdict,
        detects="" if found is None else found.detects,
        certificate=claim,
        z=worst.statistic,
        p=min(1.0, max(1, len(checks)) * worst.p_value),
        claim=worst.name,
        checks=checks,
    )
