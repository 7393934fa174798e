"""Statistical tests of runs against the theory, each with its false alarm stated.

A bound is tested one-sidedly by an e-value, whose false alarm is exact for any law and any number
of replicates; an exact moment two-sidedly by a z-test; a recorded trace by martingale statistics;
coordinates by chi-square. A suite of tests shares one `ErrorBudget` (Bonferroni).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import scipy

from ._check import matrix, number, whole
from ._errors import InvalidArgument
from ._martingale import martingale_min_detectable, martingale_test
from ._outcome import TOTAL_FALSE_ALARM, ErrorBudget, Outcome, probability
from ._trace import (
    coordinate_pairs_test,
    coordinates_test,
    trace_bias_test,
    trace_reuse_test,
    trace_variance_test,
)

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = [
    "TOTAL_FALSE_ALARM",
    "ErrorBudget",
    "Outcome",
    "coordinate_pairs_test",
    "coordinates_test",
    "e_value",
    "equality_test",
    "evidence_against",
    "log_e_value",
    "martingale_min_detectable",
    "martingale_test",
    "min_detectable",
    "trace_bias_test",
    "trace_reuse_test",
    "trace_variance_test",
]


def log_e_value(
    z: npt.ArrayLike, bound: float, *, cap: float = 50.0, grid: npt.ArrayLike | None = None
) -> float:
    """Return the logarithm of `e_value`, which may be too large for a float.

    Proof: documentation, "The statistical tests".

    Parameters
    ----------
    z : array_like of shape (R,)
        Replicates.
    bound : float
        What their mean is claimed not to exceed.
    cap : float, optional
        Largest ratio that counts.
    grid : array_like, optional
        Bets in (0, 1].

    Returns
    -------
    float
        ln E.

    Raises
    ------
    InvalidArgument
        As `e_value`.

    Examples
    --------
    >>> from asysg.theory import testing
    >>> round(testing.log_e_value([2.0] * 10, 1.0, grid=[1.0]), 4)
    6.9315
    """
    x = np.asarray(z, dtype=np.float64)
    cap = number("cap", cap, low=1.0)
    if x.ndim != 1 or x.size == 0 or np.any(x < 0):
        raise InvalidArgument.of("z", "must be a one-dimensional array of numbers at least 0", z)
    b = float("inf") if bound == math.inf else number("bound", bound)
    # Geometric, so that small excesses and rare large ones both find their bet.
    bets = 2.0 ** -np.arange(0, 8, 0.5) if grid is None else matrix("grid", grid, (-1,))
    if bets.size == 0 or np.any(bets <= 0) or np.any(bets > 1):
        raise InvalidArgument.of("grid", "must hold numbers in (0, 1]", grid)
    ratio = np.full(x.size, cap)  # a replicate that diverged counts as the cap
    finite = np.isfinite(x)
    if b == 0:
        ratio[finite] = np.where(x[finite] > 0, cap, 0.0)
    else:
        with np.errstate(over="ignore"):
            ratio[finite] = np.minimum(x[finite] / b, cap)
    with np.errstate(divide="ignore"):  # a bet of 1 on a ratio of 0 loses everything
        logs = np.log1p(bets[:, None] * (ratio - 1)).sum(axis=1)
    return float(scipy.special.logsumexp(logs) - math.log(bets.size))


def e_value(
    z: npt.ArrayLike, bound: float, *, cap: float = 50.0, grid: npt.ArrayLike | None = None
) -> float:
    """Return an e-value against E Z <= bound.

    Null: z_1..z_R are independent, not negative, and have means at most `bound`. Statistic: the
    mean over bets lam of prod_r [1 + lam (min(z_r/bound, cap) - 1)]. Each factor has mean at most
    1, so its expectation is at most 1: rejecting at E >= 1/alpha has a false alarm of at most alpha
    for any law of Z and any R, in particular for runs that diverge.

    Proof: documentation, "The statistical tests".

    Parameters
    ----------
    z : array_like of shape (R,)
        Replicates, at least 0; inf and NaN stand for runs that diverged.
    bound : float
        What their mean is claimed not to exceed, at least 0 (inf: nothing is claimed).
    cap : float, optional
        Ratios are cut here, at least 1.
    grid : array_like, optional
        Bets in (0, 1]; 16 of them from 1 down to 1/181 if not given.

    Returns
    -------
    float
        At least 0; inf if too large for a float.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges.

    Examples
    --------
    >>> from asysg.theory import testing
    >>> testing.e_value([2.0] * 10, 1.0, grid=[1.0])
    1024.0
    """
    logarithm = log_e_value(z, bound, cap=cap, grid=grid)
    return math.exp(logarithm) if logarithm < 709 else math.inf


def evidence_against(z: npt.ArrayLike, bound: float, *, alpha: float, cap: float = 50.0) -> Outcome:
    """Test E Z <= bound by its e-value.

    Null: the mean of each independent replicate is at most `bound`. Statistic: ln E of `e_value`.
    False alarm: at most alpha, exactly, for every law.

    Proof: documentation, "The statistical tests".

    Parameters
    ----------
    z : array_like of shape (R,)
        Replicates, at least 0; inf and NaN stand for runs that diverged.
    bound : float
        What their mean is claimed not to exceed.
    alpha : float
        False alarm, in (0, 1).
    cap : float, optional
        Ratios are cut here, at least 1.

    Returns
    -------
    Outcome
        Rejected if E >= 1/alpha.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges.

    Examples
    --------
    >>> from asysg.theory import testing
    >>> testing.evidence_against([1.1] * 200, 1.0, alpha=1e-6).rejected
    True
    >>> testing.evidence_against([0.9] * 200, 1.0, alpha=1e-6).rejected
    False
    """
    logarithm = log_e_value(z, bound, cap=cap)
    p = 1.0 if logarithm <= 0 else math.exp(-logarithm)
    null = f"the mean is at most {bound:g}"
    return Outcome("e-value", null, logarithm, p, probability("alpha", alpha))


def equality_test(
    z: npt.ArrayLike, expected: float, *, alpha: float, sd: float | None = None
) -> Outcome:
    """Test E Z = expected, two-sided.

    Null: z_1..z_R are independent with mean `expected`. Statistic: (mean - expected)/se with
    se = sd/sqrt R. False alarm: alpha if the mean is normal; with `sd` not given it is estimated
    and Student's law with R - 1 degrees of freedom is used.

    Proof: documentation, "The statistical tests".

    Parameters
    ----------
    z : array_like of shape (R,)
        Replicates; R >= 2 if `sd` is not given. A NaN or inf among them rejects.
    expected : float
        The exact mean.
    alpha : float
        False alarm, in (0, 1).
    sd : float, optional
        Standard deviation of one replicate, if known; at least 0.

    Returns
    -------
    Outcome
        Two-sided p-value.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges.

    Examples
    --------
    >>> from asysg.theory import testing
    >>> round(testing.equality_test([1.0, 3.0, 1.0, 3.0], 1.0, alpha=0.01, sd=1.0).p_value, 4)
    0.0455
    """
    x = np.asarray(z, dtype=np.float64)
    target = float(matrix("expected", expected, ()))
    if x.ndim != 1 or x.size < (2 if sd is None else 1):
        raise InvalidArgument.of("z", "must hold at least two replicates (one if sd is known)", z)
    name, null = "equality", f"the mean is {target:g}"
    a = probability("alpha", alpha)
    if not np.all(np.isfinite(x)):
        return Outcome(name, null, math.inf, 0.0, a)
    # In units of the largest, so that squares of numbers that nearly exploded remain numbers.
    unit = max(float(np.abs(x).max()), abs(target)) or 1.0
    spread = float((x / unit).std(ddof=1)) if sd is None else number("sd", sd) / unit
    difference, target = float((x / unit).mean()) - target / unit, target / unit
    # Replicates without any spread: equal up to the rounding of a sum, or not at all.
    if spread <= 1e-14 * abs(target):
        ok = abs(difference) <= 1e-12 * abs(target)
        return Outcome(name, null, 0.0 if ok else math.copysign(math.inf, difference), float(ok), a)
    t = difference / (spread / math.sqrt(x.size))
    tail = scipy.stats.norm.sf(abs(t)) if sd is not None else scipy.stats.t.sf(abs(t), x.size - 1)
    return Outcome(name, null, t, float(2 * tail), a)


def min_detectable(sd: float, R: int, *, alpha: float, power: float = 0.99) -> float:
    """Return the difference from `expected` that `equality_test` finds with the given power.

    Proof: documentation, "The statistical tests".

    Parameters
    ----------
    sd : float
        Standard deviation of one replicate, at least 0.
    R : int
        Replicates, at least 1.
    alpha : float
        False alarm, in (0, 1).
    power : float, optional
        Probability of finding it, in (0, 1).

    Returns
    -------
    float
        (z_{1 - alpha/2} + z_power) sd/sqrt R, with z the normal quantiles.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges.

    Examples
    --------
    >>> from asysg.theory import testing
    >>> round(testing.min_detectable(1.0, 100, alpha=0.05, power=0.5), 3)
    0.196
    """
    a, b = probability("alpha", alpha), probability("power", power)
    quantiles = scipy.stats.norm.isf(a / 2) + scipy.stats.norm.ppf(b)
    return float(quantiles * number("sd", sd) / math.sqrt(whole("R", R, low=1)))
