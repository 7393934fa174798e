"""Lemma rows: the steps of the proof, each held against its own measured side."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from .. import objectives as o
from .. import theory
from .._minimize import minimize
from ..result import Result
from ..simulate import delays, replay
from ..simulate import minimize as simulate
from ..theory import ProblemConstants, testing
from ..theory.testing import Outcome
from ._evidence import certificate, ergodic, half_width, log_e_value, most_stale, verdict
from ._ordinary import enforced_delay
from ._report import BAD, Row
from ._settings import Settings
from ._white import White, reads, watched

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Proof:
    """Runs on which every step of the proof is measured.

    Parameters
    ----------
    method : str
    family : {"isotropic", "rotated-cosine"}
        On the isotropic quadratic the descent lemma and the telescoped sum are equalities, and with
        constant delays and this steplength the staleness is nearly what the lemma allows. On the
        other they are inequalities.
    threads : bool
        Real threads, what was read taken from the flight record; else a constant delay.
    quick : bool
        Whether a quick suite has these rows too.
    """

    method: str
    family: str = "isotropic"
    threads: bool = False
    quick: bool = False

    M, K, LATE = 2, 400, 3

    @property
    def late(self) -> int:
        """The delay of simulated runs."""
        return self.LATE

    @cached_property
    def objective(self) -> o.Objective:
        """What is minimised."""
        if self.family == "isotropic":
            # Written as a matrix, so that a partial derivative reads all of x.
            return o.Quadratic(np.eye(8), sigma=1.0, noise="rademacher")
        return o.RotatedCosineQuadratic(8, sigma=1.0)

    @property
    def equal(self) -> bool:
        """Whether the descent lemma is an equality."""
        return self.family == "isotropic"

    @property
    def incon(self) -> bool:
        """Whether the method writes single coordinates."""
        return self.method == "asysg-incon"

    def claim(self, p: int) -> Claim:
        """Return what is claimed of the runs on p threads."""
        T = enforced_delay(p) if self.threads else self.LATE
        form = "plus" if self.threads else "constant_delay"
        side = theory.incon if self.incon else theory.con
        # From where the noise would take it too: neither part of the bound hides the other.
        far = np.ones(self.objective.n)
        c = self.objective.constants(far, T=T)
        gamma = 0.1 * side.gamma_max(c, M=self.M, T=T, form=form)
        size = math.sqrt(4 * gamma * c.sigma**2 / self.objective.n)
        x0 = size * far
        return Claim(self.objective.constants(x0, T=T), x0, gamma, T, form)

    def lemmas(self, p: int) -> tuple[str, ...]:
        """Return the lemmas that say anything: where no read is late nothing bounds staleness."""
        return LEMMAS if p > 1 or not self.threads else ("descent", "telescoped")

    def replicates(self, settings: Settings) -> int:
        """Return how many replicates the rows share."""
        if self.threads:
            return settings.number(60, 30)
        return settings.number(300, 120)

    def run(
        self, claim: Claim, settings: Settings, stream: np.random.SeedSequence
    ) -> tuple[Result, Vector, White] | Result:
        """Run one replicate; return f at its iterates too, if it kept to the finite numbers."""
        options: dict[str, Any] = {
            "obj": self.objective,
            "x0": claim.x0,
            "method": self.method,
            "steplength": settings.factor * claim.gamma,
            "batch_size": self.M,
            "n_updates": self.K,
            "constants": claim.constants,
            "rng": stream,
        }
        if not self.threads:
            schedule = delays.constant(self.late)
            result, x = watched(simulate, delays=schedule, **options)
            if not result.success:
                return result
            read = reads(x, np.full((self.K, self.M), self.late))
        else:
            result = minimize(
                **options,
                n_threads=settings.n_threads,
                max_delay=claim.T,
                n_records=1,  # a look at every iterate would let no two updates meet
                record="full+reads",
            )
            if not result.success:
                return result
            assert result.reads is not None
            x, read = iterates(result), result.reads
        f = np.array([self.objective.value(point) for point in x])
        return result, f, White.of(self.gradients(x[:-1]), self.gradients(read))

    def gradients(self, x: Vector) -> Vector:
        """Return the exact gradients at all points of an array (..., n)."""
        if self.equal:
            return x  # curvature 1, minimiser 0
        return np.apply_along_axis(self.objective.gradient, -1, x)


@dataclass(frozen=True)
class Claim:
    """What a row claims of its runs."""

    constants: ProblemConstants
    x0: Vector
    gamma: float
    T: int
    form: str


def iterates(result: Result) -> Vector:
    """Return x_1, ..., x_{K+1} of a recorded run."""
    if result.method != "asysg-incon":
        return np.array([x for _, x in replay(result).iterates()])
    assert result.log is not None
    assert result._plan is not None
    steps = np.zeros((result.nit + 1, result.x.size))
    steps[0] = result._plan.x0
    steps[np.arange(result.nit) + 1, result.log["coordinate"]] = result.log["increment"]
    return np.cumsum(steps, axis=0)


PROOFS = (
    Proof("asysg-con", quick=True),
    Proof("asysg-incon", quick=True),
    Proof("asysg-con", threads=True),
    Proof("asysg-incon", threads=True, quick=True),
    Proof("asysg-con", "rotated-cosine", threads=True),
    Proof("asysg-incon", "rotated-cosine", threads=True),
)


class Sides:
    """Both sides of every lemma on one run, with the constants of the claim."""

    def __init__(self, case: Proof, claim: Claim) -> None:
        self.case, self.claim = case, claim
        c, self.incon = claim.constants, case.incon
        self.p = c.n if self.incon else 1
        self.l = c.L_max if self.incon and c.L_max is not None else c.L
        side, M, T = theory.incon if self.incon else theory.con, case.M, claim.T
        # What staleness adds to bound and condition: c N and c s, by the theorem itself.
        bounds = [side.bound(claim.gamma, c, K=case.K, M=M, T=t, form=claim.form) for t in (T, 0)]
        conditions = [self._condition(t) for t in (T, 0)]
        self.noise, self.pull = bounds[0] - bounds[1], conditions[0] - conditions[1]

    def _condition(self, T: int) -> float:
        found = theory.certify(
            self.claim.constants,
            algorithm="incon" if self.incon else "con",
            gamma=self.claim.gamma,
            K=self.case.K,
            M=self.case.M,
            T=T,
            form=self.claim.form,
        )
        named = {h.name: h for h in found.hypotheses}
        return named["steplength condition"].numbers["lhs"]

    def descent(self, result: Result, f: Vector, white: White) -> tuple[Vector, Vector]:
        """Lemma 1, every step: E f(x_{k+1}) - f(x_k) + (M gamma/2p)(A + B1 - D) at most
        (l gamma^2/2p)(M sigma^2 + M^2 B); three sums over the updates.

        The first quarter, the rest, and all weighted with A_k/A_1: known before the step is made.
        """
        M, g = self.case.M, self.claim.gamma
        left = np.diff(f) + M * g / (2 * self.p) * (white.A + white.B1 - white.D)
        s2 = self.claim.constants.sigma**2
        right = self.l * g * g / (2 * self.p) * (M * s2 + M * M * white.B)
        early = np.arange(len(left)) < len(left) // 4
        weights = np.array([early, ~early, white.A / white.A[0]]) / len(left)
        return weights @ left, weights @ right

    def staleness(self, result: Result, f: Vector, white: White) -> tuple[Vector, Vector]:
        """Lemma 2: D at most c (N + s B)."""
        right = self.noise + self.pull * white.B.mean()
        return np.array([white.D.mean()]), np.array([right])

    def telescoped(self, result: Result, f: Vector, white: White) -> tuple[Vector, Vector]:
        """The sum of Lemma 1 over all updates, f from what the run itself reports."""
        M, g, K, trace = self.case.M, self.claim.gamma, self.case.K, result.trace
        a = M * self.l * g
        left = white.A.mean() + white.B1.mean() - a * white.B.mean() - white.D.mean()
        fall = trace.f[0] - result.fun
        right = 2 * self.p * fall / (K * M * g) + self.l * g * self.claim.constants.sigma**2
        return np.array([left]), np.array([right])


LEMMAS = ("descent", "staleness", "telescoped")


def proof_rows(
    case: Proof, settings: Settings, seed: np.random.SeedSequence, tick: Callable[[], object]
) -> list[Row]:
    """Measure replicates and hold every lemma against them."""
    claim = case.claim(settings.n_threads)
    runs: list[Result] = []
    measured: list[tuple[Result, Vector, White]] = []
    for stream in seed.spawn(case.replicates(settings)):
        found = case.run(claim, settings, stream)
        if isinstance(found, Result):
            runs.append(found)
        else:
            runs.append(found[0])
            measured.append(found)
        tick()
    values = np.array([ergodic(run) for run in runs])
    c = claim.constants
    claimed = certificate(c, runs, values, gamma=claim.gamma, T=claim.T, form=claim.form)
    log_e, log_threshold = log_e_value(values, claimed.bound), math.log(2 / settings.alpha)
    against = verdict(claimed, log_e, log_threshold)
    sides = Sides(case, claim)
    rows = []
    for name in case.lemmas(settings.n_threads):
        pairs = [getattr(sides, name)(*one) for one in measured]
        if len(pairs) < len(runs):  # a run that left the finite numbers has no sides
            pairs = [(np.array([math.nan]), np.array([math.nan]))] * 2
        left, right = (np.array([pair[i] for pair in pairs]) for i in (0, 1))
        equal = case.equal and name != "staleness"
        outcome = held(name, left - right, equal, settings.alpha / 2)
        # The parts of a sum, and not what was weighted besides.
        whole = slice(0, 2 if name == "descent" else None)
        total, other = (float(x[:, whole].sum(axis=1).mean()) for x in (left, right))
        # Where runs explode now and then, their spread hides the shift from Student's t.
        if against in BAD:
            said = against
        elif equal:
            said = "disagrees" if outcome.rejected else "agrees"
        else:
            said = "violated" if outcome.rejected else "within"
        where = f"delay {claim.T}" if not case.threads else threads(settings.n_threads)
        finite = math.isfinite(total)
        rows.append(
            Row(
                kind="lemma",
                objective=case.family,
                method=case.method,
                run=where,
                steplength="0.1 of the largest",
                replicates=len(runs),
                T_measured=most_stale(runs),
                measured=total if finite else math.inf,
                halfwidth=half_width((left - right)[:, whole].sum(axis=1)),
                log_e=log_e,
                log_threshold=log_threshold,
                verdict=said,
                detects=detectable(left, right, equal, outcome.alpha) if finite else "",
                certificate=claimed,
                z=outcome.statistic,
                p=outcome.p_value,
                claim=name,
                side=other if finite else 1.0,
            )
        )
    return rows


def threads(p: int) -> str:
    """Say on how many threads."""
    return "1 thread" if p == 1 else f"{p} threads"


def held(name: str, differences: Vector, equal: bool, alpha: float) -> Outcome:
    """Test that the columns have mean 0, or at most 0, by Student's t and Bonferroni."""
    null = "both sides have the same mean" if equal else "the left side is at most the right one"
    tests = [testing.equality_test(column, 0.0, alpha=alpha) for column in differences.T]
    count = len(differences)
    found = []
    for test in tests:
        p = test.p_value
        if not equal and math.isfinite(test.statistic):
            p = float(stats.t.sf(test.statistic, count - 1))
        found.append((min(1.0, len(tests) * p), test.statistic))
    p, z = min(found)
    return Outcome(name, null, z, p, alpha)


def detectable(left: Vector, right: Vector, equal: bool, alpha: float) -> str:
    """Return how far the left side may be from the right one, as shares of that."""
    differences = left - right
    found = []
    for d, r in zip(differences.T, right.T, strict=True):
        shift = testing.min_detectable(
            float(d.std(ddof=1)), len(d), alpha=alpha / len(differences.T)
        )
        found.append((shift - (0.0 if equal else float(d.mean()))) / abs(float(r.mean())))
    least = min(found)
    return f"{'±' if equal else '+'}{100 * least:.2g}%" if least > 0 else ""


@dataclass(frozen=True)
class Stability:
    """A run without noise just inside the limit of stability, and one just outside.

    x_{k+1} = x_k - a x_{k-T} shrinks if and only if a < 2 sin(pi/(4T+2)); for T + 1 the limit is
    smaller, for T - 1 larger, by more than these 2 %. So this test convicts every wrong delay,
    minibatch sum, steplength or curvature, without any chance.

    Parameters
    ----------
    T, M : int
    """

    T: int
    M: int

    MARGIN, K = 0.02, 4000

    def growth(self, share: float, factor: float) -> tuple[Result, float]:
        """Run at a share of the limit; return the run and by how much f grew."""
        f = o.Quadratic.isotropic(1, 1.0, sigma=0.0)
        limit = theory.moments.stability_limit(self.T)
        result = simulate(
            f,
            np.ones(1),
            method="asysg-con",
            steplength=factor * share * limit / self.M,
            batch_size=self.M,
            n_updates=self.K,
            n_records=self.K // 4,
            delays=delays.constant(self.T),
            rng=0,
        )
        if not result.success:
            return result, math.inf
        quarter = len(result.trace.f) // 4
        early, late = result.trace.f[:quarter].max(), result.trace.f[-quarter:].max()
        return result, float(late / early)


LIMITS = (Stability(1, 1), Stability(2, 2), Stability(3, 1), Stability(8, 2))


def stability_row(case: Stability, settings: Settings, tick: Callable[[], object]) -> Row:
    """Hold the limit of stability against what runs do."""
    inside, shrunk = case.growth(1 - case.MARGIN, settings.factor)
    outside, grown = case.growth(1 + case.MARGIN, settings.factor)
    tick()
    values = np.array([ergodic(inside)])
    gamma = (1 - case.MARGIN) * theory.moments.stability_limit(case.T) / case.M
    c = o.Quadratic.isotropic(1, 1.0).constants(np.ones(1), T=case.T)
    claimed = certificate(c, [inside], values, gamma=gamma, T=case.T, form="plus")
    # Both must be small: how f grew inside, and how it shrank outside.
    worst = max(shrunk, 1 / grown if grown > 0 else math.inf)
    return Row(
        kind="lemma",
        objective="no noise",
        method="asysg-con",
        run=f"delay {case.T}",
        steplength="2 % around the limit",
        replicates=2,
        T_measured=most_stale([inside, outside]),
        measured=worst,
        halfwidth=0.0,
        log_e=0.0,
        log_threshold=math.log(1 / settings.alpha),
        verdict="agrees" if worst < 0.1 else "disagrees",
        detects="γ±2% T±1",
        certificate=claimed,
        claim="stability",
        side=1.0,
    )
