"""Exact rows: anisotropic noisy quadratics, held against their exact moments from both sides."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ..theory import Certificate, ProblemConstants, testing
from ._evidence import (
    certificate,
    ergodic,
    half_width,
    log_e_value,
    most_stale,
    verdict,
)
from ._given import Faults, Given, Seen
from ._recorded import Recorded, Steps
from ._report import BAD, Row
from ._settings import Settings

Vector = NDArray[np.float64]


class Case(Protocol):
    """Runs of which something is known exactly."""

    method: str
    objective: str
    run_on: str
    constants: ProblemConstants
    gamma: float
    T: int
    form: str

    def replicates(self, settings: Settings) -> int: ...
    def watch(self, stream: np.random.SeedSequence, settings: Settings) -> Seen: ...
    def difference(self, seen: Seen, faults: Faults) -> Vector: ...
    def expected(self, seen: Seen) -> float | None: ...


def cases(settings: Settings) -> tuple[Case, ...]:
    """Return the exact rows of a suite."""
    p = settings.n_threads
    always: list[Case] = [
        Given("asysg-con", "late"),
        Given("asysg-incon", "late"),
        Given("asysg-incon", "subsets"),
        Given("asysg-incon", "fresh"),
        Recorded(p, settings.number(1000, 400)),
        Given("asysg-con", "random"),
        Given("asysg-incon", "scan"),
        Steps(p),
    ]
    if settings.quick:  # constant delays have their tight rows
        return tuple(always)
    return (
        *always,
        Given("asysg-con", "constant"),
        Given("asysg-incon", "constant"),
        Given("asysg-incon", "random"),
    )


def exact_row(
    case: Case,
    settings: Settings,
    seed: np.random.SeedSequence,
    tick: Callable[[], object],
) -> Row:
    """Hold replicates against what is known exactly, by every statistic of the case."""
    seen: list[Seen] = []
    for stream in seed.spawn(case.replicates(settings)):
        seen.append(case.watch(stream, settings))
        tick()
    runs = [one.run for one in seen]
    values = np.array([ergodic(run) for run in runs])
    claim = certificate(case.constants, runs, values, gamma=case.gamma, T=case.T, form=case.form)
    with np.errstate(over="ignore", invalid="ignore"):  # of runs that explode
        differences = np.array([case.difference(one, Faults()) for one in seen])
    finite = [one for one in seen if one.white is not None]
    exact = [case.expected(one) for one in finite]
    known = [value for value in exact if value is not None]
    tests = [testing.equality_test(d, 0.0, alpha=settings.alpha) for d in differences.T]
    worst = min(tests, key=lambda test: test.p_value)
    p = min(1.0, len(tests) * worst.p_value)
    log_e, log_threshold = log_e_value(values, claim.bound), math.log(2 / settings.alpha)
    assert claim.measured is not None
    return Row(
        kind="exact",
        objective=case.objective,
        method=case.method,
        run=case.run_on,
        steplength="0.8 of the largest",
        replicates=len(runs),
        T_measured=most_stale(runs),
        measured=claim.measured,
        halfwidth=half_width(values),
        log_e=log_e,
        log_threshold=log_threshold,
        verdict=conclusion(claim, log_e, log_threshold, p, settings.alpha),
        detects=detectable(case, finite, differences, settings.alpha),
        certificate=claim,
        expected=float(np.mean(known)) if known else None,
        z=worst.statistic,
        p=p,
    )


def conclusion(
    claim: Certificate, log_e: float, log_threshold: float, p: float, alpha: float
) -> str:
    """Say what a row's two tests found; each may use half of the row's budget.

    Where runs explode now and then, their spread hides the shift of their mean from Student's
    t; the e-value against the bound has no such weakness.
    """
    if (against := verdict(claim, log_e, log_threshold)) in BAD:
        return against
    return "disagrees" if p < alpha / 2 else "agrees"


def detectable(case: Case, seen: Sequence[Seen], differences: Vector, alpha: float) -> str:
    """Return the smallest fault of each sort that one of the statistics would show.

    From the exact expectations with a small fault, linearly: a shift by the convicting quantile
    and three standard errors more.
    """
    if not np.isfinite(differences).all():
        return ""
    count, tests = differences.shape
    error = differences.std(axis=0, ddof=1) / math.sqrt(count)
    shift = (stats.t.isf(alpha / (4 * tests), count - 1) + 3) * error

    def moved(faults: Faults) -> float:
        some = seen[: 1 if isinstance(case, Given) else 3]
        moves = [case.difference(one, faults) - case.difference(one, Faults()) for one in some]
        # A statistic that does not vary finds every fault that moves it.
        away = np.abs(np.mean(moves, axis=0))
        return float(np.divide(away, shift, out=np.zeros_like(away), where=shift > 0).max())

    sizes = [("γ", 1 / moved(Faults(step=1.01))), ("σ", 1 / moved(Faults(noise=1.01)))]
    # Beyond, it would be no small fault (the runs spread as much as those that explode).
    found = [f"{name}±{size:.1f}%" for name, size in sizes if size < 100]
    if moved(Faults(late=1)) > 1:
        found.append("T+1")
    return " ".join(found)
