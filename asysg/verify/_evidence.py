"""From replicates to a row: the certificate, the interval, and tests with a known false alarm."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from .. import theory
from .._plan import algorithm_of
from ..result import Result
from ..theory import Certificate, Hypothesis, ProblemConstants, testing

Values = NDArray[np.float64]

CONFIDENCE = 0.95
#: Hypotheses that are computed or counted here and not taken over from a run's own certificate.
COUNTED = ("steplength condition", "problem constants", "delays bounded by T", "all updates done")


def half_width(values: Values) -> float:
    """Half the 95 % confidence interval of a mean, by Student's t; 0 where it has no meaning."""
    if len(values) < 2 or not np.isfinite(values).all():
        return 0.0
    quantile = stats.t.ppf(0.5 + CONFIDENCE / 2, len(values) - 1)
    # In units of the largest, so that squares of runs that nearly explode remain numbers.
    unit = float(np.abs(values).max()) or 1.0
    return float(quantile * (values / unit).std(ddof=1) / math.sqrt(len(values))) * unit


def certificate(
    constants: ProblemConstants,
    runs: Sequence[Result],
    values: Values,
    *,
    gamma: float,
    T: int,
    form: str,
    corollary: bool = False,
) -> Certificate:
    """Certify the replicates of one run: what was measured together, what holds for each.

    `gamma` and `T` are those of the claim; what else the theorem supposes is what the runs say.
    """
    first = runs[0]
    worst = most_stale(runs)
    enforced = not first.simulated
    evidence = [
        Hypothesis(
            "delays bounded by T",
            worst <= T,
            float(T - worst),
            {"largest_delay": float(worst), "T": float(T)},
            "enforced" if enforced else "by construction",
        ),
        *(h for h in first.certificate.hypotheses if h.name not in COUNTED),
    ]
    if form == "uniform":
        evidence.append(
            Hypothesis("every delay equals T", True, 0.0, {"n_other": 0.0}, "by construction")
        )
    finite = bool(np.isfinite(values).all())
    return theory.certify(
        constants,
        algorithm=algorithm_of(first.method),
        gamma=gamma,
        K=first.n_updates,
        M=first.batch_size,
        T=T,
        form=form,
        measured=float(values.mean()) if finite else math.inf,
        measured_halfwidth=half_width(values) if finite else None,
        evidence={h.name: h for h in evidence}.values(),
        corollary=corollary,
        note=f"Measured: mean over {len(values)} independent replicates"
        + (f"; +/- {CONFIDENCE:.0%} interval by Student's t." if finite else "."),
    )


def most_stale(runs: Sequence[Result]) -> int:
    """Return the largest delay that occurred in any of the runs."""
    return max(run.staleness.max or 0 for run in runs)


def ergodic(run: Result, last: int | None = None) -> float:
    """Return the run's unbiased estimate of (1/K) sum of the squared gradient norms, k <= last.

    A run that left the finite numbers has none: inf, which no bound admits.
    """
    if not run.success:
        return math.inf
    trace = run.trace
    weight = trace.weight if last is None else np.where(trace.k <= last, trace.weight, 0.0)
    used = weight > 0
    return float(weight[used] @ trace.grad_norm_sq[used])


def verdict(claim: Certificate, log_e: float, log_threshold: float) -> str:
    """Say what the replicates mean for the bound.

    "violated" only by the e-value, whose false alarm is known; an interval that reaches over the
    bound is merely "undecided".
    """
    if not claim.holds:
        return "no claim"
    if log_e >= log_threshold:
        return "violated"
    assert claim.measured is not None
    above = claim.measured + (claim.measured_halfwidth or 0.0) > claim.bound
    return "undecided" if above else "within"


def log_e_value(values: Values, bound: float) -> float:
    """Return ln of the e-value against "the mean is at most bound"; see `theory.testing.e_value`.

    Ratios are practically not cut: with few replicates one that exploded must be able to convict.
    """
    return testing.log_e_value(values, bound, cap=1e100)


def convicting_ratio(replicates: int, alpha: float) -> float:
    """Return the least measured/bound at which replicates that agree convict a claim."""

    def excess(log_ratio: float) -> float:
        values = np.full(replicates, math.exp(log_ratio))
        return log_e_value(values, 1.0) - math.log(1 / alpha)

    return math.exp(float(optimize.brentq(excess, 0.0, 200.0)))
