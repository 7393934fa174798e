"""A dense noisy quadratic under given reads, simulated, and its exact moments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _draws, theory
from .._minimize import minimize
from ..objectives import Quadratic
from ..result import Result
from ..simulate import delays
from ..simulate import minimize as simulate
from ..theory import moments
from ..theory.moments import Moments
from ._settings import Settings
from ._white import White, reads, watched

Vector = NDArray[np.float64]
#: Not diagonal, so that a partial derivative of the wrong coordinate shows.
H = np.array(
    [[1.0, 0.4, 0.0, 0.1], [0.4, 0.8, 0.3, 0.0], [0.0, 0.3, 0.6, 0.2], [0.1, 0.0, 0.2, 0.4]]
)
START = np.array([0.6, -0.3, 0.3, 0.6])
SIGMA = 1.0


@dataclass(frozen=True)
class Faults:
    """What to do wrong when expectations are computed, to learn what a row would notice."""

    step: float = 1.0
    noise: float = 1.0
    late: int = 0


@dataclass(frozen=True)
class Seen:
    """One run and what was measured on it.

    Attributes
    ----------
    run : Result
    white : White or None
        None if the run left the finite numbers.
    """

    run: Result
    white: White | None


def shares(run: Result, squares: Vector) -> tuple[float, float]:
    """Split the ergodic mean of `squares`, given at the recorded iterates, at a quarter of K."""
    weighted = run.trace.weight * squares
    early = run.trace.k <= run.n_updates // 4
    return float(weighted[early].sum()), float(weighted[~early].sum())


def statistics(seen: Seen, x0: Vector) -> Vector:
    """Return what is compared with its expectation.

    The shares of the first quarter and of the rest in the ergodic norm, the last f, the last x
    along the start, and the means of B1 and D. The first and the fourth show wrong gradients and
    steps, the others wrong noise and staleness; what was read shows in the last two.
    """
    if seen.white is None:
        return np.full(6, np.nan)
    run = seen.run
    return np.array(
        [
            *shares(run, run.trace.grad_norm_sq),
            run.fun,
            float(run.x @ x0),
            seen.white.B1.mean(),
            seen.white.D.mean(),
        ]
    )


def expectations(run: Result, A: Vector, f: float, drift: float, B1: float, D: float) -> Vector:
    """Return the expectations of `statistics`.

    The ergodic norm is estimated from the recorded iterates, so it is at these that the
    expectation is taken: which ones they are is drawn apart from samples and coordinates.
    """
    A = np.append(A, 0.0)  # the last record lies behind the K iterates
    return np.array([*shares(run, A[run.trace.k - 1]), f, drift, B1, D])


class Given:
    """Given reads on a dense quadratic of four variables, by the compiled recursion.

    Parameters
    ----------
    method : str
    reads : {"late", "constant", "random", "subsets", "scan", "fresh"}
        Delays drawn from 0..T once, alike for all replicates; the delay T always; delays drawn
        anew for every replicate, uniform and independent. For AsySG-incon also sets of missed
        updates drawn once, and scans of the memory that take T updates, one of the two reads of
        an update from the first coordinate to the last and one back: which updates they miss
        depends on the coordinates these wrote. Or no delay, and then on one real thread.
    """

    T, M, K = 3, 2, 60
    problem = Quadratic(H, sigma=SIGMA, noise="rademacher")
    form = "plus"

    def __init__(self, method: str, reads: str) -> None:
        self.method, self.reads = method, reads
        if reads == "fresh":
            self.T = 0
        rng = np.random.default_rng(7)
        self.table = rng.integers(0, self.T + 1, size=(self.K, self.M))
        self.seen = rng.integers(0, 2, size=(self.K, self.M, self.T)).astype(np.uint8)
        if reads in ("constant", "scan"):
            self.table = np.full((self.K, self.M), self.T)
        self.constants = self.problem.constants(START, T=self.T)
        side = theory.incon if self.incon else theory.con
        self.gamma = 0.8 * side.gamma_max(self.constants, M=self.M, T=self.T)
        self.run_on = {
            "late": "given delays",
            "constant": f"delay {self.T}",
            "random": "random delays",
            "subsets": "given sets",
            "scan": "scans",
            "fresh": "1 thread",
        }[reads]
        self.objective, self.x0 = "anisotropic", START
        self._known: dict[Faults, Moments] = {}

    @property
    def incon(self) -> bool:
        """Whether the method writes single coordinates."""
        return self.method == "asysg-incon"

    def replicates(self, settings: Settings) -> int:
        """Return how many replicates the row has."""
        return settings.number(1000, 400)

    def watch(self, stream: np.random.SeedSequence, settings: Settings) -> Seen:
        """Run one replicate and measure it."""
        run, x, table, seen = self.run(stream, settings.factor)
        if not run.success:
            return Seen(run, None)
        there = reads(x, table, seen) @ H
        return Seen(run, White.of(x[:-1] @ H, there))

    def run(
        self, stream: np.random.SeedSequence, factor: float
    ) -> tuple[Result, Vector, NDArray[np.int64], NDArray[np.uint8] | None]:
        """Run one replicate; return also its iterates and what its reads were to see."""
        options: dict[str, Any] = {
            "obj": self.problem,
            "x0": START,
            "method": self.method,
            "steplength": factor * self.gamma,
            "batch_size": self.M,
            "n_updates": self.K,
            "constants": self.constants,
            "rng": stream,
        }
        if self.reads == "fresh":
            run, x = watched(minimize, n_threads=1, max_delay=0, **options)
            return run, x, self.table, None
        if self.reads in ("late", "constant"):
            constant = self.reads == "constant"
            fixed = delays.constant(self.T) if constant else delays.given(self.table)
            run, x = watched(simulate, delays=fixed, **options)
            return run, x, self.table, None
        if self.reads == "random":
            drawn: list[NDArray[np.int64]] = []
            law = delays.uniform(self.T)

            def table(key: _draws.Key, start: int, stop: int, M: int) -> NDArray[np.int64]:
                drawn.append(law.table(key, start, stop, M))
                return drawn[-1]

            run, x = watched(simulate, delays=delays.Delays(law.name, self.T, table), **options)
            return run, x, np.concatenate(drawn), None
        seen = self.seen if self.reads == "subsets" else self.scan(stream)
        schedule = delays.Delays(
            f"given {self.reads}",
            self.T,
            lambda key, start, stop, M: np.full((stop - start, M), self.T, dtype=np.int64),
            lambda key, start, stop, M: seen[start:stop],
        )
        run, x = watched(simulate, delays=schedule, **options)
        return run, x, np.full((self.K, self.M), self.T), seen

    def scanned(self) -> NDArray[np.bool_]:
        """Return which updates the two scans see: entry (m, t, i) for the update t + 1 before that
        wrote coordinate i.

        Coordinate i is read in the middle of its share of the scan; the update t + 1 before was
        written T - t updates after the scan began.
        """
        n = len(H)
        at = self.T * (np.arange(n) + 0.5) / n
        written = self.T - np.arange(self.T)
        forth = written[:, np.newaxis] <= at
        return np.array([forth, forth[:, ::-1]])

    def scan(self, stream: np.random.SeedSequence) -> NDArray[np.uint8]:
        """Return what the scans of one run see, given the coordinates that it will draw."""
        i = _draws.coordinates(_draws.key_from(stream), np.arange(self.K), len(H))
        before = np.arange(self.K)[:, np.newaxis] - 1 - np.arange(self.T)
        wrote = i[np.maximum(before, 0)]
        rule = self.scanned()
        t = np.arange(self.T)
        return np.stack([rule[m, t, wrote] for m in range(self.M)], axis=1).astype(np.uint8)

    def difference(self, seen: Seen, faults: Faults) -> Vector:
        """Return the statistics of a run minus their expectations."""
        if faults not in self._known:
            self._known[faults] = self.moments(faults)
        m = self._known[faults]
        f, drift = float(m.f[-1]), float(m.mean[-1] @ START)
        expected = expectations(seen.run, m.A, f, drift, float(m.B1.mean()), float(m.D.mean()))
        return statistics(seen, START) - expected

    def expected(self, seen: Seen) -> float:
        """Return the exact expectation of the ergodic norm, at the recorded iterates."""
        A = np.append(self._known[Faults()].A, 0.0)
        return sum(shares(seen.run, A[seen.run.trace.k - 1]))

    def moments(self, faults: Faults) -> Moments:
        """Return the exact moments, the same for every replicate."""
        problem: dict[str, Any] = {
            "H": H,
            "z1": START,
            "Q": np.eye(4) * (faults.noise * SIGMA) ** 2 / 4,
            "gamma": faults.step * self.gamma,
            "algorithm": "incon" if self.incon else "con",
        }
        if self.reads == "random":
            law = np.zeros(self.T + faults.late + 1)
            law[faults.late :] = 1 / (self.T + 1)
            return moments.random_delays(M=self.M, K=self.K, law=law, **problem)
        if self.reads in ("subsets", "scan") and not faults.late:
            missed = self.seen[..., np.newaxis] == 0
            if self.reads == "scan":
                missed = np.broadcast_to(~self.scanned(), (self.K, self.M, self.T, len(H)))
            return moments.scheduled(missed=np.array(missed), **problem)
        if self.reads == "constant" and not self.incon:
            # By the closed form, which knows no window.
            late = {"M": self.M, "T": self.T + faults.late, "K": self.K}
            problem.pop("algorithm")
            return moments.constant_delay(**late, **problem)
        return moments.scheduled(delays=self.table + faults.late, **problem)
