"""A test of martingales whose false alarm is exact for any law, and how much it detects."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import scipy

from ._check import matrix, number, whole
from ._errors import InvalidArgument
from ._outcome import Outcome, probability

if TYPE_CHECKING:
    import numpy.typing as npt

    from ._check import Array

#: Bets, in units of 1/sqrt(K). A deviation of z standard errors is best met by the bet z; bets
#: beyond matter for weights that are not of size 1.
BETS = 2.0 ** np.arange(-1.0, 5.5, 0.5)


def martingale_test(
    increments: npt.ArrayLike,
    variances: npt.ArrayLike,
    *,
    alpha: float,
    bounds: npt.ArrayLike | None = None,
    weights: npt.ArrayLike | None = None,
    name: str = "martingale",
    null: str = "the increments have mean 0 given the past",
) -> Outcome:
    """Test that increments have mean 0 given the past, exactly for any law and any K.

    Null: E[d_k | past] = 0, E[d_k^2 | past] <= v_k and |d_k| <= b_k (or, without `bounds`, d_k is
    normal given the past), where v_k, b_k and w_k are functions of the past. With
    z_k = w_k d_k/sqrt(v_k), S = sum z_k and psi_k the logarithm of the largest moment generating
    function such a z_k can have (Bennett's; lam^2 w_k^2/2 where it is normal),
    exp(lam S - sum psi_k(lam)) has expectation at most 1 for every lam. So has its mean E over
    fixed lam of both signs, and by Markov's inequality P(1/E <= alpha) <= alpha.

    Proof: documentation, "The statistical tests".

    Parameters
    ----------
    increments : array_like of shape (K,)
        d_k. A NaN or inf among them rejects.
    variances : array_like of shape (K,)
        v_k, at least 0. Where v_k = 0 the increment must be 0, or the null is false.
    alpha : float
        False alarm, in (0, 1).
    bounds : array_like of shape (K,), optional
        b_k, at least 0.
    weights : array_like of shape (K,), optional
        w_k, about 1 in the mean square for the best power; 1 if not given.
    name, null : str, optional
        What to call the test and what it supposes.

    Returns
    -------
    Outcome
        The statistic is S/sqrt(sum w_k^2), the p-value min(1, 1/E).

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges or of other shapes.

    References
    ----------
    G. Bennett (1962), Probability inequalities for the sum of independent random variables,
    J. Am. Stat. Assoc. 57.

    Examples
    --------
    >>> import numpy as np
    >>> from asysg.theory import testing
    >>> signs = np.random.default_rng(0).choice([-1.0, 1.0], 5000)
    >>> one = np.ones(5000)
    >>> testing.martingale_test(signs, one, bounds=one, alpha=1e-6).rejected
    False
    >>> testing.martingale_test(signs + 0.15, one, bounds=1.15 * one, alpha=1e-6).rejected
    True
    """
    d = np.asarray(increments, dtype=np.float64)
    if d.ndim != 1 or d.size == 0:
        raise InvalidArgument.of("increments", "must be of shape (K,), not empty", d.shape)
    v = matrix("variances", variances, d.shape)
    w = np.ones(d.size) if weights is None else matrix("weights", weights, d.shape)
    b = None if bounds is None else matrix("bounds", bounds, d.shape)
    if np.any(v < 0) or (b is not None and np.any(b < 0)):
        raise InvalidArgument.of("variances and bounds", "must be at least 0", float(v.min()))
    a = probability("alpha", alpha)
    still = v == 0
    if not np.isfinite(d).all() or np.any(d[still] != 0):
        return Outcome(name, null, math.inf, 0.0, a)
    sd = np.sqrt(v[~still])
    w = w[~still]
    z = w * d[~still] / sd
    scale = math.sqrt(float(w @ w))
    if scale == 0:  # nothing is random here, and nothing deviates
        return Outcome(name, null, 0.0, 1.0, a)
    reach = np.zeros(z.size) if b is None else np.abs(w) * b[~still] / sd
    total = float(z.sum())
    p_value = math.exp(min(0.0, -_log_e(total, w, reach)))  # 1/E, at most 1
    return Outcome(name, null, total / scale, p_value, a)


def _log_e(total: float, w: Array, reach: Array) -> float:
    """Return the logarithm of the e-value of a sum with these weights and bounds."""
    logs = []
    for bet in BETS / math.sqrt(w.size):
        cost = float(np.sum(w * w * bet * bet * _bennett(bet * reach)))
        logs += [bet * total - cost, -bet * total - cost]
    return float(scipy.special.logsumexp(logs)) - math.log(len(logs))


def _bennett(u: Array) -> Array:
    """Return (e^u - 1 - u)/u^2, 1/2 at 0."""
    small = u < 1e-3
    safe = np.where(small, 1.0, np.minimum(u, 500.0))  # beyond, a bet is lost for certain
    return np.where(small, 0.5 + u / 6, (np.expm1(safe) - safe) / safe**2)


def martingale_min_detectable(
    K: int, *, alpha: float, bound: float = 0.0, power: float = 0.99
) -> float:
    """Return the drift that `martingale_test` finds with the given power.

    Proof: documentation, "The statistical tests".

    Parameters
    ----------
    K : int
        Number of increments, at least 1.
    alpha : float
        False alarm, in (0, 1).
    bound : float, optional
        Bound of an increment in units of its standard deviation; 0 for normal ones.
    power : float, optional
        Probability of finding it, in (0, 1), for a sum that is nearly normal.

    Returns
    -------
    float
        Least mean of all increments, in units of their standard deviation.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges.

    Examples
    --------
    >>> from asysg.theory import testing
    >>> round(testing.martingale_min_detectable(10_000, alpha=1e-8), 3)
    0.089
    """
    K = whole("K", K, low=1)
    reach = np.full(1, number("bound", bound))
    a, lost = probability("alpha", alpha), float(scipy.stats.norm.ppf(probability("power", power)))
    costs = [K * bet * bet * float(_bennett(bet * reach)[0]) for bet in BETS / math.sqrt(K)]

    def excess(z: float) -> float:
        gains = z * BETS
        logs = np.concatenate([gains - costs, -gains - costs])
        return float(scipy.special.logsumexp(logs)) - math.log(logs.size) + math.log(a)

    high = 1.0
    while excess(high) < 0:
        high *= 2
    return float(scipy.optimize.brentq(excess, 0.0, high) + lost) / math.sqrt(K)
