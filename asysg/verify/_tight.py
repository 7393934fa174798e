"""Tight rows: isotropic noisy quadratics with a constant delay, where Theorem U is attained."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from .._minimize import minimize
from ..objectives import Quadratic
from ..result import Result
from ..simulate import delays
from ..simulate import minimize as simulate
from ..theory import ProblemConstants, moments
from ._evidence import (
    certificate,
    convicting_ratio,
    ergodic,
    half_width,
    log_e_value,
    most_stale,
    verdict,
)
from ._report import Row
from ._settings import Settings


@dataclass(frozen=True)
class Tight:
    """A run for which measured/bound is nearly 1.

    Parameters
    ----------
    method : str
    T : int
        Constant delay. 0 runs on a real thread, more in the compiled recursion.
    share : float
        gamma solves a/share + s/share = 1, a + s <= 1 being the condition of Theorem U: small
        shares are sensitive to noise, large ones to staleness.
    n, M : int
    horizon : float
        K in units of (T + 1) p / a, about the time after which the start is forgotten.
    """

    method: str
    T: int
    share: float
    n: int
    M: int = 1
    horizon: float = 12.0

    SIGMA = 1.0
    L = 1.0

    @property
    def algorithm(self) -> str:
        """The algorithm whose theorem applies."""
        return "incon" if self.method == "asysg-incon" else "con"

    @property
    def blocks(self) -> int:
        """How many blocks of coordinates an update picks one of: p of the theory."""
        return self.n if self.algorithm == "incon" else 1

    @property
    def a(self) -> float:
        """M L gamma."""
        p, T = self.blocks, self.T
        stale = T * (p + T - 1) / p**2
        return 2 * self.share / (1 + math.sqrt(1 + 4 * self.share * stale))

    @property
    def gamma(self) -> float:
        """The steplength."""
        return self.a / (self.M * self.L)

    @property
    def K(self) -> int:
        """Number of updates."""
        return math.ceil(self.horizon * (self.T + 1) * self.blocks / self.a)

    @property
    def gap(self) -> float:
        """f(x_1) - f*: twice what the noise alone will sustain, so that both parts matter."""
        return 0.5 * self.gamma * self.SIGMA**2

    @property
    def constants(self) -> ProblemConstants:
        """Exact constants."""
        return ProblemConstants(gap=self.gap, sigma=self.SIGMA, L=self.L, n=self.n)

    @cache  # noqa: B019 - of a handful of instances that live as long as the module
    def expected(self, *, step: float = 1.0, late: int = 0, noise: float = 1.0) -> float:
        """Return the exact expectation of what is measured, with faults if wanted.

        Parameters
        ----------
        step : float
            Factor of the steplength.
        late : int
            Added to every delay.
        noise : float
            Factor of sigma.
        """
        m = moments.isotropic(
            self.L,
            math.sqrt(2 * self.gap / self.L),
            sigma=noise * self.SIGMA,
            gamma=step * self.gamma,
            delays=np.full((self.K, self.M), self.T + late),
            n=self.n,
            algorithm=self.algorithm,
        )
        return float(m.A[: self.K - self.T].sum()) / self.K

    def run(self, stream: np.random.SeedSequence, factor: float) -> Result:
        """Run one replicate with `factor` times the steplength."""
        obj = Quadratic.isotropic(self.n, self.L, sigma=self.SIGMA)
        x0 = np.full(self.n, math.sqrt(2 * self.gap / self.L / self.n))
        options: dict[str, Any] = {
            "method": self.method,
            "steplength": factor * self.gamma,
            "batch_size": self.M,
            "n_updates": self.K,
            "n_records": 80,
            "constants": self.constants,
            "rng": stream,
        }
        if self.T == 0:
            return minimize(obj, x0, n_threads=1, max_delay=0, **options)
        return simulate(obj, x0, delays=delays.constant(self.T), **options)


#: The horizons make the exact expectation about 0.965 of the bound: far enough below 1 for the
#: noise of the mean not to pass it, near enough for a small error to.
TIGHT = (
    Tight("sgd", 0, 0.4, 64, horizon=16),
    Tight("asysg-con", 1, 0.8, 64, horizon=20),
    Tight("asysg-con", 3, 0.15, 64, horizon=8),
    Tight("asysg-con", 8, 0.4, 64, horizon=10),
    Tight("asysg-incon", 0, 0.8, 32, M=4, horizon=20),
    Tight("asysg-incon", 1, 0.8, 32, horizon=12),
    Tight("asysg-incon", 3, 0.4, 32, M=2, horizon=5),
    Tight("asysg-incon", 8, 0.8, 32, horizon=5),
    Tight("asysg-con", 0, 0.8, 64, M=4, horizon=20),
    Tight("asysg-incon", 0, 0.4, 32, horizon=16),
    Tight("asysg-con", 1, 0.4, 64, M=2, horizon=14),
    Tight("asysg-con", 3, 0.4, 64, M=4, horizon=12),
    Tight("asysg-con", 8, 0.15, 64, horizon=5),
    Tight("asysg-incon", 1, 0.4, 32, horizon=8),
    Tight("asysg-incon", 3, 0.8, 32, horizon=7),
    Tight("asysg-incon", 8, 0.4, 32, horizon=3.5),
)
QUICK = 8  # of these, the first so many


def tight_row(
    case: Tight, settings: Settings, seed: np.random.SeedSequence, tick: Callable[[], object]
) -> Row:
    """Hold replicates of a tight run against Theorem U by the e-value."""
    runs = []
    for stream in seed.spawn(replicates(settings)):
        runs.append(case.run(stream, settings.factor))
        tick()
    values = np.array([ergodic(run, case.K - case.T) for run in runs])
    claim = certificate(case.constants, runs, values, gamma=case.gamma, T=case.T, form="uniform")
    log_e, log_threshold = log_e_value(values, claim.bound), math.log(1 / settings.alpha)
    assert claim.measured is not None
    return Row(
        kind="tight",
        objective="isotropic",
        method=case.method,
        run="1 thread" if case.T == 0 else f"delay {case.T}",
        steplength=f"condition at {case.share:g}",
        replicates=len(values),
        T_measured=most_stale(runs),
        measured=claim.measured,
        halfwidth=half_width(values),
        log_e=log_e,
        log_threshold=log_threshold,
        verdict=verdict(claim, log_e, log_threshold),
        detects=detectable(case, claim.bound, len(values), settings.alpha),
        certificate=claim,
        expected=case.expected(),
    )


def replicates(settings: Settings) -> int:
    """Return how many replicates a tight row has."""
    return settings.number(300, 120)


def detectable(case: Tight, bound: float, count: int, alpha: float) -> str:
    """Return the smallest of a few faults of each sort that the row convicts, by exact moments.

    The mean of a faulty run must reach the convicting ratio with 3 % to spare, which is more than
    three standard errors of every row.
    """
    target = 1.03 * convicting_ratio(count, alpha) * bound
    faults: tuple[tuple[str, Callable[[float], float], tuple[float, ...]], ...] = (
        ("γx", lambda x: case.expected(step=x), (1.1, 1.15, 1.2, 1.3, 1.5, 2, 3)),
        ("σx", lambda x: case.expected(noise=x), (1.05, 1.1, 1.15, 1.2, 1.3, 1.5, 2)),
        ("T+", lambda x: case.expected(late=int(x)), (1, 2, 3, 4, 8)),
    )
    found = []
    for sign, expected, sizes in faults:
        size = next((x for x in sizes if expected(x) >= target), None)
        found += [] if size is None else [f"{sign}{size:g}"]
    return " ".join(found)
