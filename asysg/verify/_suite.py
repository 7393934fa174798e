"""The main job: run, measure, compare, tell."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version

import numpy as np
from tqdm import tqdm

from .. import _minimize
from .._check import folder, integer, number
from .._core.openmp import openmp_version
from .._run import interruptible
from ..errors import InvalidArgument
from ..theory.testing import TOTAL_FALSE_ALARM, ErrorBudget
from . import _exact, _flights, _lemma, _methods, _ordinary, _tight
from ._instances import chosen
from ._report import FILES, Report, Row
from ._settings import Settings

#: Kinds of rows, each with random streams of its own, in this order.
KINDS = ("tight", "exact", "ordinary", "lemma", "trace", "method")
#: Those that are made unless others are asked for.
DEFAULT = KINDS[:-1]

Tick = Callable[[], object]


@dataclass(frozen=True)
class Job:
    """Rows that come from the same runs.

    Attributes
    ----------
    runs, rows : int
        How many there will be.
    make : callable
        ``make(settings, seed, tick)`` makes the rows and calls `tick` after every run.
    """

    runs: int
    rows: int
    make: Callable[[Settings, np.random.SeedSequence, Tick], list[Row]]


def _single(runs: int, row: Callable[..., Row], *case: object) -> Job:
    """Make a job of a function that makes one row of a case."""
    return Job(runs, 1, lambda settings, seed, tick: [row(*case, settings, seed, tick)])


def _tights(settings: Settings, names: Sequence[str]) -> list[Job]:
    cases = _tight.TIGHT[: _tight.QUICK] if settings.quick else _tight.TIGHT
    return [_single(_tight.replicates(settings), _tight.tight_row, case) for case in cases]


def _exacts(settings: Settings, names: Sequence[str]) -> list[Job]:
    cases = _exact.cases(settings)
    return [_single(case.replicates(settings), _exact.exact_row, case) for case in cases]


def _ordinaries(settings: Settings, names: Sequence[str]) -> list[Job]:
    p = settings.n_threads
    counts = [p] if settings.quick or p == 1 else [p, 1]
    runs = _ordinary.replicates(settings)
    return [
        _single(runs, _ordinary.ordinary_row, name, method, q)
        for name in names
        for method in _ordinary.METHODS
        for q in counts
    ]


def _lemmas(settings: Settings, names: Sequence[str]) -> list[Job]:
    proofs = [proof for proof in _lemma.PROOFS if proof.quick or not settings.quick]
    return [
        *(
            Job(
                proof.replicates(settings),
                len(proof.lemmas(settings.n_threads)),
                partial(_lemma.proof_rows, proof),
            )
            for proof in proofs
        ),
        *(_single(1, _lemma.stability_row, limit) for limit in _lemma.LIMITS),
    ]


def _traces(settings: Settings, names: Sequence[str]) -> list[Job]:
    flights = [flight for flight in _flights.FLIGHTS if flight.quick or not settings.quick]
    return [_single(1, _flights.flight_row, flight) for flight in flights]


def _others(settings: Settings, names: Sequence[str]) -> list[Job]:
    runs = _ordinary.replicates(settings)
    return [
        _single(runs, _methods.method_row, name, way) for name in names for way in _methods.WAYS
    ]


MAKERS = {
    "tight": _tights,
    "exact": _exacts,
    "ordinary": _ordinaries,
    "lemma": _lemmas,
    "trace": _traces,
    "method": _others,
}


@interruptible()
def suite(
    *,
    quick: bool = False,
    n_threads: int | None = None,
    objectives: Sequence[str] | None = None,
    kinds: Sequence[str] = DEFAULT,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    steplength_factor: float = 1.0,
    alpha: float = TOTAL_FALSE_ALARM,
    progress: bool = True,
) -> Report:
    """Run both algorithms and hold what is measured against what the theory claims.

    Five kinds of rows, because no single one proves much, and a sixth if it is asked for:

    ordinary
        Every built-in objective with proven constants, on real threads, at the prescribed
        steplength. The delay T is enforced, hence certified by construction, and measured. The
        bound is that of Theorem P for the worst problem, so an ordinary one keeps it even with
        gross errors in the code: these rows show what a user gets and convict a divergence.
    tight
        Isotropic noisy quadratics with a constant delay, where Theorem U is attained: the exact
        expectation is 0.96 to 0.98 of the bound, so that a steplength 15 % too large convicts
        (30 % with `quick`).
    exact
        Anisotropic noisy quadratics with random delays, given or recorded on real threads,
        against their exact moments from both sides: errors that make a run *better* (lost
        updates, fresher reads than claimed) show here too.
    lemma
        The steps of the proof, each against its own measured side: descent, staleness, the
        telescoped sum, and the limit of stability.
    trace
        Flight records of single runs on real threads, by `examine`: every increment computed
        again, the law of the noise, the draws, the delays.
    method
        The other methods ("sgd", "sync", "delayed", "hogwild", "downpour", "asyscd", and
        delay-adaptive steplengths) on every objective and real threads, each at the steplength
        with the smallest bound and held against its own theorem, as ordinary rows are.

    Parameters
    ----------
    quick : bool
        Fewer rows and replicates: about 10 seconds on two cores in place of about a minute.
    n_threads : int, optional
        Threads of the ordinary rows, of the traces and of some exact and lemma rows; besides,
        all ordinary rows run on one thread (unless `quick`). By default what the process may use;
        1 without OpenMP.
    objectives : sequence of str, optional
        Keep only these of the ordinary and method rows; the others always stay.
    kinds : sequence of str, optional
        Make rows of these kinds only; by default all but "method". What a row draws does not
        depend on which others there are.
    seed : int
        At least 0. With one thread the report is the same every time; with more, which thread
        comes first is the machine's choice.
    out : path-like, optional
        Write ``verify.json`` and ``verify.png`` into this folder, made before anything runs.
    steplength_factor : float
        Multiply every steplength, and leave the claims as they are: a deliberate violation.
    alpha : float
        Probability, at most, that the report fails although every claim is true; in (0, 1).
    progress : bool
        Show a progress bar on stderr.

    Returns
    -------
    Report
        ``report.ok`` tells whether every row kept its claim.

    Raises
    ------
    InvalidArgument
        For every argument that cannot be, before anything runs.

    Notes
    -----
    *Half-widths* are those of 95 % intervals by Student's t over independent replicates (spawned
    seeds). The replicates' means are nearly but not exactly normal, so they are approximate.

    *Verdicts* do not rest on them alone. "violated" is said only by an e-value, the mean over
    several lambda of prod_r (1 + lambda (Z_r/bound - 1)): where the claim is true its expectation
    is at most 1, whatever the law of Z_r >= 0, so by Markov's inequality it exceeds 1/alpha with
    probability at most alpha. "within" is said where mean + half-width keeps the bound,
    "undecided" otherwise. Of exact rows, two tests by Student's t (mean ergodic norm and last f)
    say "agrees" or "disagrees"; their alpha is as approximate as the normality of a mean.

    *Error budget*: every row gets the same share of `alpha`.

    Examples
    --------
    >>> from asysg import verify
    >>> report = verify.suite(quick=True, objectives=["cosine"], n_threads=1, progress=False)
    >>> report.ok, max(row.ratio for row in report.block("tight")) < 1
    (True, True)
    """
    names = chosen(objectives)
    budget = ErrorBudget(alpha)
    if not kinds or not set(kinds) <= set(KINDS):
        raise InvalidArgument.of(
            "kinds", f"must name at least one of {', '.join(KINDS)}", kinds, "Leave it out for all."
        )
    seed = integer("seed", seed, least=0)
    p = _minimize.threads(n_threads, "asysg-con")
    factor = number(
        "steplength_factor", steplength_factor, above=0, remedy="1 leaves the steplengths alone."
    )
    if out is not None:
        folder("out", out, *FILES)
    settings = Settings(quick, p, seed, factor, 0.0)
    # One child per kind: leaving some out does not change the draws of the other rows.
    streams = dict(zip(KINDS, np.random.SeedSequence(seed).spawn(len(KINDS)), strict=True))
    jobs = [
        (job, stream)
        for kind in KINDS
        if kind in kinds
        for made in [MAKERS[kind](settings, names)]
        for job, stream in zip(made, streams[kind].spawn(len(made)), strict=True)
    ]
    count = sum(job.rows for job, _ in jobs)
    settings = replace(settings, alpha=budget.share("rows", tests=count, of=budget.total))
    total = sum(job.runs for job, _ in jobs)
    began = time.perf_counter()
    rows: list[Row] = []
    with tqdm(total=total, unit="run", disable=not progress, desc="verify") as bar:
        for job, stream in jobs:
            rows += job.make(settings, stream, bar.update)
    report = Report(
        rows=tuple(rows),
        alpha=budget.total,
        seed=seed,
        n_threads=p,
        quick=bool(quick),
        steplength_factor=factor,
        seconds=time.perf_counter() - began,
        notes=notes(settings, len(rows)),
        versions={
            "asysg": version("asysg"),
            "numpy": version("numpy"),
            "scipy": version("scipy"),
            "python": platform.python_version(),
            "openmp": str(openmp_version()),
        },
    )
    if out is not None:
        report.save(out)
    return report


def notes(settings: Settings, rows: int) -> tuple[str, ...]:
    """Return what a reader of the table must know."""
    found = [
        "gamma multiplies the sum over the M samples; bound, measured and exact are means of "
        "||grad f||^2 over the K updates; ratio = measured/bound;",
        "± is half of a 95 % Student interval; Tm: T measured, the largest delay that occurred; "
        "Tc: T certified, enforced or given, and claimed for.",
        "could detect: smallest error that would have been convicted: factor of the measured mean, "
        "of steplength γ or of noise σ; delay above T.",
        f"Error budget: {settings.alpha * rows:g} in all, {settings.alpha:.2g} for each of {rows} "
        f"rows: ln e >= {-np.log(settings.alpha):.1f} or p < {settings.alpha:.2g} convicts (half "
        "of it each where there are both).",
    ]
    if settings.n_threads == 1:
        why = "" if openmp_version() else ": this build has no OpenMP"
        found.append(f"Real threads: one{why}. With one thread every delay is 0.")
    return tuple(found)
