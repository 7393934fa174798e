"""Noisy quadratics on real threads, and what is exact once their delays or reads are recorded."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import theory
from .._minimize import minimize
from ..objectives import Quadratic
from ..result import Result
from ..theory import moments
from ._given import SIGMA, START, Faults, Given, H, Seen, expectations, shares, statistics
from ._record import iterates
from ._settings import Settings
from ._white import White

Vector = NDArray[np.float64]


class Recorded:
    """AsySG-con on real threads, with the delays that the flight recorder found.

    The recorded delay of AsySG-con is the true one, and by whom and when an update is made does
    not depend on the noise here (every sample costs the same), so that given the recorded delays
    the moments are exact. Two curvatures, many coordinates of each: a sum of two isotropic parts.
    """

    PART, CURVATURES, M = 200, (1.0, 0.3), 2
    method, objective, form = "asysg-con", "anisotropic", "plus"

    def __init__(self, p: int, K: int) -> None:
        self.p, self.K = p, K
        self.T = 0 if p == 1 else max(4, 2 * (p - 1))
        self.curvature = np.repeat(self.CURVATURES, self.PART)
        self.problem = Quadratic(self.curvature, sigma=SIGMA, noise="rademacher")
        self.x0 = np.full(2 * self.PART, 0.07)
        self.constants = self.problem.constants(self.x0, T=self.T)
        self.gamma = 0.8 * theory.con.gamma_max(self.constants, M=self.M, T=self.T)
        self.run_on = "1 thread" if p == 1 else f"{p} threads"
        self._known: dict[tuple[tuple[int, int], Faults], list[moments.Moments]] = {}

    def replicates(self, settings: Settings) -> int:
        """Return how many replicates the row has."""
        return settings.number(60, 30)

    def watch(self, stream: np.random.SeedSequence, settings: Settings) -> Seen:
        """Run one replicate and measure it."""
        run = self.run(stream, settings.factor)
        if not run.success:
            return Seen(run, None)
        assert run.log is not None
        here = iterates(run)[:-1] * self.curvature
        return Seen(run, White.of(here, here[run.log["start"]][:, np.newaxis]))

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
            n_records=3,
            record="full",
            constants=self.constants,
            rng=stream,
        )

    def difference(self, seen: Seen, faults: Faults) -> Vector:
        """Return the statistics of a run minus their expectations given its delays."""
        if seen.white is None:
            return np.full(6, np.nan)
        parts = self.moments(seen.run, faults)
        square = float(self.x0[: self.PART] @ self.x0[: self.PART])
        expected = expectations(
            seen.run,
            np.sum([part.A for part in parts], axis=0),
            sum(float(part.f[-1]) for part in parts),
            sum(square * float(part.mean[-1, 0]) for part in parts),
            sum(float(part.B1.mean()) for part in parts),
            sum(float(part.D.mean()) for part in parts),
        )
        return statistics(seen, self.x0) - expected

    def moments(self, run: Result, faults: Faults) -> list[moments.Moments]:
        """Return the exact moments of the two parts given the delays of a run."""
        if (run.key, faults) in self._known:
            return self._known[run.key, faults]
        assert run.log is not None
        late = np.arange(self.K) - run.log["start"] + faults.late
        table = np.repeat(late[:, np.newaxis], self.M, axis=1)
        square = float(self.x0[: self.PART] @ self.x0[: self.PART])
        known = self._known[run.key, faults] = [
            moments.isotropic(
                curvature,
                math.sqrt(square),
                sigma=faults.noise * SIGMA / math.sqrt(2),
                gamma=faults.step * self.gamma,
                delays=table,
            )
            for curvature in self.CURVATURES
        ]
        return known

    def expected(self, seen: Seen) -> float | None:
        """Return the exact expectation of the ergodic norm, at the recorded iterates."""
        A = np.sum([part.A for part in self.moments(seen.run, Faults())], axis=0)
        return sum(shares(seen.run, np.append(A, 0.0)[seen.run.trace.k - 1]))


@dataclass(frozen=True)
class Path(Seen):
    """A run, its iterates and what each sample read."""

    x: Vector
    reads: Vector


class Steps:
    """AsySG-incon on real threads, with the reads that the flight recorder found.

    The moments of whole runs cannot be had here. A recorded window contains what a read may have
    missed, and even where all reads are recorded they tell what was missed of the coordinates that
    were drawn, not what would have been missed had others been. What is exact, whatever the reads
    were, is a single step: given the past and what was read, the coordinate is uniform and the
    noise has its law, so that for every linear or quadratic function phi the expectation of
    phi(x_{k+1}) is known. phi(x_{k+1}) minus that is a martingale difference; it is summed over
    the run for f, ||grad f||^2 and <x, x_1>, the first two over its early and its late part.
    """

    M, K = 2, 600
    method, objective, form = "asysg-incon", "single steps", "plus"

    def __init__(self, p: int) -> None:
        self.p = p
        self.T = 0 if p == 1 else max(4, 2 * (p - 1))
        self.problem, self.x0 = Given.problem, START
        self.constants = self.problem.constants(START, T=self.T)
        self.gamma = 0.8 * theory.incon.gamma_max(self.constants, M=self.M, T=self.T)
        self.run_on = "1 thread" if p == 1 else f"{p} threads"

    def replicates(self, settings: Settings) -> int:
        """Return how many replicates the row has."""
        return settings.number(200, 80)

    def watch(self, stream: np.random.SeedSequence, settings: Settings) -> Seen:
        """Run one replicate with all reads recorded."""
        run = minimize(
            self.problem,
            START,
            method=self.method,
            steplength=settings.factor * self.gamma,
            batch_size=self.M,
            n_updates=self.K,
            n_threads=self.p,
            max_delay=self.T,
            n_records=1,  # a look now and then would let fewer updates meet
            record="full+reads",
            constants=self.constants,
            rng=stream,
        )
        if not run.success:
            return Seen(run, None)
        assert run.reads is not None
        x = iterates(run)
        white = White.of(x[:-1] @ H, run.reads @ H)
        return Path(run, white, x, run.reads)

    def difference(self, seen: Seen, faults: Faults) -> Vector:
        """Return what happened minus what was to be expected, step by step and summed."""
        if not isinstance(seen, Path):
            return np.full(5, np.nan)
        n, g = len(H), faults.step * self.gamma
        x, pulls = seen.x, np.sum(seen.reads @ H, axis=1)
        variance = self.M * (faults.noise * SIGMA) ** 2 / n
        early = np.arange(self.K) < self.K // 4
        found = []
        for form in (H / 2, H @ H):
            values = np.einsum("ki,ij,kj->k", x, form, x)
            linear = -2 * g / n * np.sum((x[:-1] @ form) * pulls, axis=1)
            square = g * g / n * (pulls**2 + variance) @ np.diag(form)
            surprise = np.diff(values) - linear - square
            found += [float(surprise[early].sum()), float(surprise[~early].sum())]
        drift = (x[-1] - x[0] + g / n * pulls.sum(axis=0)) @ START
        return np.array([*found, float(drift)])

    def expected(self, seen: Seen) -> float | None:
        """Nothing: see the class."""
        return None
