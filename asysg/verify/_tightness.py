"""The tightness table: measured over bound, of every theorem, where it is largest."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from scipy import optimize
from tqdm import tqdm

from .. import theory
from .._check import integer
from .._run import interruptible
from ..errors import InvalidArgument
from ..objectives import Quadratic
from ..simulate import delays
from ..simulate import minimize as simulate
from ..theory import FORMS, ProblemConstants, moments
from ._evidence import half_width

DELAYS = (0, 1, 2, 3, 5, 8)
#: Coordinates for AsySG-incon; for AsySG-con they make no difference.
N = 4
FILE = "tightness.csv"


@dataclass(frozen=True)
class Tightness:
    """One theorem on its tightest instance, the isotropic quadratic with a constant delay.

    Attributes
    ----------
    algorithm, form : str
    T : int
    noise, gap : float
        Exact expectation over bound, for K without end, where all comes from the noise (the start
        is the minimiser) and where all comes from the start (sigma = 0): at most 1. Both parts
        add up in bound and expectation alike, so nothing between them is tighter (for Theorem S,
        which is not linear, these are instances like others).
    noise_step, gap_step : float
        The steplengths at which, as shares of the largest admissible one.
    simulated, halfwidth : float
        The noise part as simulated runs have it, with half of a 95 % Student interval; nan where
        nothing was simulated.
    """

    algorithm: str
    form: str
    T: int
    noise: float
    gap: float
    noise_step: float
    gap_step: float
    simulated: float = math.nan
    halfwidth: float = math.nan

    @property
    def ratio(self) -> float:
        """The larger of the two: how near the theorem comes to what happens."""
        return max(self.noise, self.gap)


def parts(algorithm: str, form: str, T: int, gamma: float) -> tuple[float, float]:
    """Return expectation over bound for the noise and for the start, at this steplength.

    With L = M = 1 and K without end: the bound of the noise does not depend on K, and that of the
    start is inversely proportional to it.
    """
    side, n = (theory.incon, N) if algorithm == "incon" else (theory.con, 1)
    found = moments.limits(1.0, gamma=gamma, M=1, T=T, n=n, algorithm=algorithm)
    noisy = ProblemConstants(gap=0.0, sigma=1.0, L=1.0, n=n)
    quiet = ProblemConstants(gap=0.5, sigma=0.0, L=1.0, n=n)  # ||x_1 - x*|| = 1
    return (
        found.noise / side.bound(gamma, noisy, K=1, M=1, T=T, form=form),
        found.start / side.bound(gamma, quiet, K=1, M=1, T=T, form=form),
    )


def entry(algorithm: str, form: str, T: int) -> Tightness:
    """Return the tightest instance of a theorem among the admissible steplengths."""
    side, n = (theory.incon, N) if algorithm == "incon" else (theory.con, 1)
    c = ProblemConstants(gap=0.5, sigma=1.0, L=1.0, n=n)
    top = side.gamma_max(c, M=1, T=T, form=form)
    shares = np.linspace(0.02, 1.0, 50)
    # At the largest step of Theorem S the bound is infinite, and so may the moments be.
    shares[-1] -= 1e-6
    best: list[tuple[float, float]] = []
    for which in (0, 1):

        def ratio(share: float, which: int = which) -> float:
            return parts(algorithm, form, T, share * top)[which]

        values = [ratio(share) for share in shares]
        i = int(np.argmax(values))
        bracket = (shares[max(i - 1, 0)], shares[min(i + 1, len(shares) - 1)])
        found = optimize.minimize_scalar(
            lambda share, ratio=ratio: -ratio(share), bounds=bracket, method="bounded"
        )
        best.append(max((values[i], float(shares[i])), (-float(found.fun), float(found.x))))
    return Tightness(algorithm, form, T, best[0][0], best[1][0], best[0][1], best[1][1])


def simulated(one: Tightness, replicates: int, seed: np.random.SeedSequence) -> tuple[float, float]:
    """Return the noise part as runs have it, and half of its interval.

    Runs from the minimiser, long enough to forget it; the mean over their second half.
    """
    method = f"asysg-{one.algorithm}"
    side, n = (theory.incon, N) if one.algorithm == "incon" else (theory.con, 1)
    c = ProblemConstants(gap=0.0, sigma=1.0, L=1.0, n=n)
    gamma = one.noise_step * side.gamma_max(c, M=1, T=one.T, form=one.form)
    K = math.ceil(100 * (one.T + 1) * n / gamma)
    values = []
    for stream in seed.spawn(replicates):
        run = simulate(
            Quadratic.isotropic(n, 1.0, sigma=1.0),
            np.zeros(n),
            method=method,
            steplength=gamma,
            n_updates=K,
            n_records=400,
            delays=delays.constant(one.T),
            constants=c,
            rng=stream,
        )
        late = (run.trace.k > K // 2) & (run.trace.k <= K)
        values.append(float(run.trace.grad_norm_sq[late].mean()))
    bound = side.bound(gamma, c, K=1, M=1, T=one.T, form=one.form)
    measured = np.array(values) / bound
    return float(measured.mean()), half_width(measured)


@interruptible()
def tightness(
    *,
    forms: Sequence[str] = FORMS,
    T: Sequence[int] = DELAYS,
    replicates: int = 0,
    seed: int = 0,
    progress: bool = False,
) -> tuple[Tightness, ...]:
    """Return how near every theorem comes to what really happens.

    A bound that is never nearly reached cannot convict a small error; this says which are. On the
    isotropic quadratic with a constant delay the expectations are computed exactly
    (`theory.moments.limits`) and divided by the bound, at the admissible steplength where that is
    largest, for both algorithms.

    Parameters
    ----------
    forms : sequence of str
        Names of theorems; see `asysg.theory`.
    T : sequence of int
        Delays, at least 0.
    replicates : int
        Simulate the noise part of every entry so often, to confirm it; 0 or at least 2.
    seed : int
        Of these, at least 0.
    progress : bool
        Show a progress bar on stderr.

    Returns
    -------
    tuple of Tightness

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges.

    Examples
    --------
    >>> from asysg import verify
    >>> found, _ = verify.tightness(forms=["plus"], T=[1])
    >>> round(found.ratio, 3)
    1.0
    """
    if integer("replicates", replicates, least=0) == 1:
        raise InvalidArgument("replicates must be 0 or at least 2, got 1. One has no spread.")
    seeds = np.random.SeedSequence(integer("seed", seed, least=0))
    wanted = [(algorithm, form, t) for algorithm in ("con", "incon") for form in forms for t in T]
    streams = seeds.spawn(len(wanted))
    found = []
    for one, stream in tqdm(
        list(zip(wanted, streams, strict=True)), disable=not progress, desc="tightness"
    ):
        made = entry(*one)
        if replicates:
            mean, half = simulated(made, replicates, stream)
            values = {item.name: getattr(made, item.name) for item in fields(made)}
            made = Tightness(**values | {"simulated": mean, "halfwidth": half})
        found.append(made)
    return tuple(found)


Column = tuple[str, Callable[[Tightness], str]]
COLUMNS: tuple[Column, ...] = (
    ("algorithm", lambda t: t.algorithm),
    ("form", lambda t: t.form),
    ("T", lambda t: str(t.T)),
    ("noise part", lambda t: f"{t.noise:.4f}"),
    ("at gamma/largest", lambda t: f"{t.noise_step:.3f}"),
    ("start part", lambda t: f"{t.gap:.4f}"),
    ("at gamma/largest", lambda t: f"{t.gap_step:.3f}"),
    ("noise part, simulated", lambda t: f"{t.simulated:.3f} ± {t.halfwidth:.3f}"),
)


def table(found: Sequence[Tightness]) -> list[list[str]]:
    """Return heads and lines of the table, as text."""
    some = any(math.isfinite(one.simulated) for one in found)
    columns = COLUMNS if some else COLUMNS[:-1]
    return [[head for head, _ in columns], *([say(one) for _, say in columns] for one in found)]


def text(found: Sequence[Tightness]) -> str:
    """Return the table for a terminal."""
    lines = table(found)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def save(found: Sequence[Tightness], folder: str | os.PathLike[str]) -> Path:
    """Write the table as ``tightness.csv`` into a folder, made if need be."""
    where = Path(folder)
    where.mkdir(parents=True, exist_ok=True)
    with open(where / FILE, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(table(found))
    return where / FILE
