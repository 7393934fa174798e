"""Exact rows: anisotropic noisy quadratics, held against their exact moments from both sides."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from .. import theory
from .._minimize import minimize
from ..objectives import Quadratic
from ..result import Result
from ..simulate import delays
from ..simulate import minimize as simulate
from ..theory import Certificate, moments, testing
from ._evidence import (
    certificate,
    ergodic,
    half_width,
    log_e_value,
    most_stale,
    verdict,
)
from ._report import BAD, Row
from ._settings import Settings

#: Not diagonal, so that a partial derivative of the wrong coordinate shows.
H = np.array(
    [[1.0, 0.4, 0.0, 0.1], [0.4, 0.8, 0.3, 0.0], [0.0, 0.3, 0.6, 0.2], [0.1, 0.0, 0.2, 0.4]]
)
START = np.array([0.6, -0.3, 0.3, 0.6])
SIGMA = 1.0

Vector = NDArray[np.float64]
#: E||grad f(x_k)||^2 for k = 1..K, E f at the end (f* being 0), E <x_{K+1}, x_1>.
Expected = tuple[Vector, float, float]


@dataclass(frozen=True)
class Faults:
    """What to do wrong when expectations are computed, to learn what a row would notice."""

    step: float = 1.0
    noise: float = 1.0
    late: int = 0


class Given:
    """Given delays on a dense quadratic of four variables, by the compiled recursion.

    Parameters
    ----------
    method : str
    reads : {"late", "subsets", "fresh"}
        Delays drawn from 0..T once, alike for all replicates; for AsySG-incon also sets of missed
        updates of that age; or no delay, and then on one real thread.
    """

    T, M, K = 3, 2, 60
    problem = Quadratic(H, sigma=SIGMA, noise="rademacher")

    def __init__(self, method: str, reads: str) -> None:
        self.method, self.reads = method, reads
        if reads == "fresh":
            self.T = 0
        rng = np.random.default_rng(7)
        self.table = rng.integers(0, self.T + 1, size=(self.K, self.M))
        self.seen = rng.integers(0, 2, size=(self.K, self.M, self.T)).astype(np.uint8)
        self.constants = self.problem.constants(START, T=self.T)
        side = theory.incon if self.incon else theory.con
        self.gamma = 0.8 * side.gamma_max(self.constants, M=self.M, T=self.T)
        self.run_on = {"late": "given delays", "subsets": "given sets", "fresh": "1 thread"}[reads]
        self.objective, self.x0 = "anisotropic", START

    @property
    def incon(self) -> bool:
        """Whether the method writes single coordinates."""
        return self.method == "asysg-incon"

    def replicates(self, settings: Settings) -> int:
        """Return how many replicates the row has."""
        return settings.number(1000, 500)

    def run(self, stream: np.random.SeedSequence, factor: float) -> Result:
        """Run one replicate, every iterate recorded."""
        options: dict[str, Any] = {
            "method": self.method,
            "steplength": factor * self.gamma,
            "batch_size": self.M,
            "n_updates": self.K,
            "n_records": self.K,
            "constants": self.constants,
            "rng": stream,
        }
        if self.reads == "fresh":
            return minimize(self.problem, START, n_threads=1, max_delay=0, **options)
        schedule = delays.given(self.table)
        if self.reads == "subsets":
            schedule = delays.Delays(
                "given sets",
                self.T,
                lambda key, start, stop, M: np.full((stop - start, M), self.T, dtype=np.int64),
                lambda key, start, stop, M: self.seen[start:stop],
            )
        return simulate(self.problem, START, delays=schedule, **options)

    def expected(self, run: Result, faults: Faults) -> Expected:
        """Return the exact moments, the same for every replicate."""
        reads: dict[str, NDArray[np.int64] | NDArray[np.bool_]] = {
            "delays": self.table + faults.late
        }
        if self.reads == "subsets" and not faults.late:
            reads = {"missed": self.seen == 0}
        m = moments.scheduled(
            H,
            START,
            Q=np.eye(4) * (faults.noise * SIGMA) ** 2 / 4,
            gamma=faults.step * self.gamma,
            algorithm="incon" if self.incon else "con",
            **reads,
        )
        return m.A, float(m.f[-1]), float(m.mean[-1] @ START)


class Recorded:
    """AsySG-con on real threads, with the delays that the flight recorder found.

    The recorded delay of AsySG-con is the true one, and by whom and when an update is made does
    not depend on the noise here (every sample costs the same), so that given the recorded delays
    the moments are exact. Two curvatures, many coordinates of each: a sum of two isotropic parts.
    """

    PART, CURVATURES, M = 200, (1.0, 0.3), 2
    method, objective = "asysg-con", "anisotropic"

    def __init__(self, p: int, K: int) -> None:
        self.p, self.K = p, K
        self.T = 0 if p == 1 else max(4, 2 * (p - 1))
        self.problem = Quadratic(
            np.repeat(self.CURVATURES, self.PART), sigma=SIGMA, noise="rademacher"
        )
        self.x0 = np.full(2 * self.PART, 0.07)
        self.constants = self.problem.constants(self.x0, T=self.T)
        self.gamma = 0.8 * theory.con.gamma_max(self.constants, M=self.M, T=self.T)
        self.run_on = "1 thread" if p == 1 else f"{p} threads"

    def replicates(self, settings: Settings) -> int:
        """Return how many replicates the row has."""
        return settings.number(60, 30)

    def run(self, stream: np.random.SeedSequence, factor: float) -> Result:
        """Run one replicate with the flight recorder on."""
        return minimize(
            self.problem,
            self.x0,
            method=self.method,
            steplength=factor * self.gamma,
            batch_size=self.M,
            n_updates=self.K,
            n_threads=self.p,
            max_delay=self.T,
            n_records=12,
            record="full",
            constants=self.constants,
            rng=stream,
        )

    def expected(self, run: Result, faults: Faults) -> Expected:
        """Return the exact moments given the delays of this replicate."""
        assert run.log is not None
        late = np.arange(self.K) - run.log["start"] + faults.late
        table = np.repeat(late[:, np.newaxis], self.M, axis=1)
        square = float(self.x0[: self.PART] @ self.x0[: self.PART])
        parts = [
            moments.isotropic(
                curvature,
                math.sqrt(square),
                sigma=faults.noise * SIGMA / math.sqrt(2),
                gamma=faults.step * self.gamma,
                delays=table,
            )
            for curvature in self.CURVATURES
        ]
        return (
            np.sum([part.A for part in parts], axis=0),
            sum(float(part.f[-1]) for part in parts),
            sum(square * float(part.mean[-1, 0]) for part in parts),
        )


def cases(settings: Settings) -> tuple[Given | Recorded, ...]:
    """Return the exact rows of a suite."""
    return (
        Given("asysg-con", "late"),
        Given("asysg-incon", "late"),
        Given("asysg-incon", "subsets"),
        Given("asysg-incon", "fresh"),
        Recorded(settings.n_threads, 2000),
    )


def exact_row(
    case: Given | Recorded,
    settings: Settings,
    seed: np.random.SeedSequence,
    tick: Callable[[], object],
) -> Row:
    """Hold replicates against their exact moments by four statistics; see `statistics`."""
    runs: list[Result] = []
    for stream in seed.spawn(case.replicates(settings)):
        runs.append(case.run(stream, settings.factor))
        tick()
    values = np.array([ergodic(run) for run in runs])
    claim = certificate(case.constants, runs, values, gamma=case.gamma, T=case.T, form="plus")
    exact = expectations(case, runs, Faults())
    ergodic_norms = exact[np.isfinite(exact[:, 0]), :2].sum(axis=1)
    differences = np.array([statistics(case, run) for run in runs]) - exact
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
        detects=detectable(case, runs, differences, settings.alpha),
        certificate=claim,
        expected=float(ergodic_norms.mean()) if ergodic_norms.size else None,
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


def statistics(case: Given | Recorded, run: Result) -> Vector:
    """Return the shares of the first quarter and of the rest in the ergodic norm, the last f, and
    the last x along the start.

    The first and the last show wrong gradients and steps, the others wrong noise and staleness.
    """
    if not run.success:
        return np.full(4, np.nan)
    drift = float(run.x @ case.x0)
    return np.array([*shares(run, run.trace.grad_norm_sq), run.fun, drift])


def shares(run: Result, squares: Vector) -> tuple[float, float]:
    """Split the ergodic mean of `squares`, given at the recorded iterates, at a quarter of K."""
    weighted = run.trace.weight * squares
    early = run.trace.k <= run.n_updates // 4
    return float(weighted[early].sum()), float(weighted[~early].sum())


def expectations(case: Given | Recorded, runs: Sequence[Result], faults: Faults) -> Vector:
    """Return the exact expectations of `statistics`, one row a run.

    The ergodic norm is estimated from the recorded iterates, so it is at these that the
    expectation is taken: which ones they are is drawn apart from samples and coordinates.
    """
    rows: list[tuple[float, ...]] = []
    known: Expected | None = None
    for run in runs:
        if not run.success:  # there are no statistics to compare with
            rows.append((math.nan,) * 4)
            continue
        if known is None or isinstance(case, Recorded):
            known = case.expected(run, faults)
        A, end, drift = known
        A = np.append(A, 0.0)  # the last record lies behind the K iterates
        rows.append((*shares(run, A[run.trace.k - 1]), end, drift))
    return np.array(rows)


def detectable(
    case: Given | Recorded, runs: Sequence[Result], differences: Vector, alpha: float
) -> str:
    """Return the smallest fault of each sort that one of the statistics would show.

    From the exact moments with a small fault, linearly: a shift by the convicting quantile and
    three standard errors more.
    """
    if not np.isfinite(differences).all():
        return ""
    count, tests = differences.shape
    error = differences.std(axis=0, ddof=1) / math.sqrt(count)
    shift = (stats.t.isf(alpha / (4 * tests), count - 1) + 3) * error

    def moved(faults: Faults) -> float:
        exact = expectations(case, runs[:1], faults) - expectations(case, runs[:1], Faults())
        return float((np.abs(exact[0]) / shift).max())

    sizes = [("γ", 1 / moved(Faults(step=1.01))), ("σ", 1 / moved(Faults(noise=1.01)))]
    # Beyond, it would be no small fault (the runs spread as much as those that explode).
    found = [f"{name}±{size:.1f}%" for name, size in sizes if size < 100]
    if moved(Faults(late=1)) > 1:
        found.append("T+1")
    return " ".join(found)
