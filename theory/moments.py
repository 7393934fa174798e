"""Exact second moments of asynchronous stochastic gradient on noisy quadratics.

f(x) = (x - x*)' H (x - x*)/2 with H symmetric (indefinite if you like), and stochastic gradients
grad f(x) + zeta with E zeta = 0 and covariance Q, whatever their law, all independent. For any
schedule of reads that is fixed beforehand the second moments of the iterates then obey a linear
recursion, so what a theorem bounds is known here to the last digits, without a single run.

`constant_delay` sums closed forms, `scheduled` follows given delays or given sets of missed
updates, `random_delays` averages over independent random delays, `isotropic` is the fast way for
H = lam I in any dimension, and `limits` tells where that ends with a constant delay.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import scipy

from ._check import choice, matrix, number, whole
from ._errors import InvalidArgument
from ._frame import ALGORITHMS
from ._limits import Limits, limits
from ._window import (
    Engine,
    Moments,
    delay_table,
    law_reads,
    missed_by_delay,
    missed_table,
    problem,
    table_reads,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    from ._check import Array

__all__ = [
    "Limits",
    "Moments",
    "constant_delay",
    "impulse_response",
    "isotropic",
    "limits",
    "random_delays",
    "scheduled",
    "stability_limit",
    "stationary_variance",
]


def impulse_response(al: float, T: int, count: int) -> Array:
    """Return h_0..h_{count-1} of h_{j+1} = h_j - al h_{j-T}, h_0 = 1, h_j = 0 before.

    One mode of AsySG-con with a constant delay answers a unit of noise in this way.

    Proof: documentation, "Exact moments on quadratics".

    Parameters
    ----------
    al : float
        gamma M lam, at least 0.
    T : int
        The delay, at least 0.
    count : int
        How many terms, at least 1.

    Returns
    -------
    ndarray of shape (count,)
        In closed form h_j = sum_{r >= 0} (-al)^r binom(j - r T, r).

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges.

    Examples
    --------
    >>> from asysg.theory import moments
    >>> moments.impulse_response(0.5, 1, 5)
    array([ 1.  ,  1.  ,  0.5 ,  0.  , -0.25])
    """
    al, T = number("al", al), whole("T", T, low=0)
    return _response(al, T, whole("count", count, low=1))


def _response(al: float, T: int, count: int) -> Array:
    if count <= T:  # the delayed term never comes
        return np.ones(count)
    denominator = np.zeros(T + 2)
    denominator[:2] = 1, -1
    denominator[T + 1] += al
    impulse = np.zeros(count)
    impulse[0] = 1
    # An unstable mode may overflow: inf and NaN are then the honest answer.
    return np.asarray(scipy.signal.lfilter([1.0], denominator, impulse), dtype=np.float64)


def stability_limit(T: int) -> float:
    """Return the al = gamma M lam below which a constant delay of T is stable, 2 sin(pi/(4T+2)).

    Proof: documentation, "Exact moments on quadratics".

    Parameters
    ----------
    T : int
        The delay, at least 0.

    Returns
    -------
    float
        2 for T = 0, 1 for T = 1, about pi/(2 T) for large T.

    Raises
    ------
    InvalidArgument
        If T is not an integer at least 0.

    Examples
    --------
    >>> from asysg.theory import moments
    >>> round(moments.stability_limit(1), 12)
    1.0
    """
    return 2 * math.sin(math.pi / (4 * whole("T", T, low=0) + 2))


def stationary_variance(al: float, T: int) -> float:
    """Return the limit of Var z_k / (gamma^2 M q) for one mode with a constant delay.

    The Yule-Walker equations of z_{k+1} = z_k - al z_{k-T} + e_k with Var e_k = 1. In closed form
    1/(al (2 - al)) for T = 0 and (1 + al)/(al (1 - al)(2 + al)) for T = 1.

    Proof: documentation, "Exact moments on quadratics".

    Parameters
    ----------
    al : float
        gamma M lam, above 0 and below `stability_limit(T)`.
    T : int
        The delay, at least 0.

    Returns
    -------
    float
        The variance in units of gamma^2 M q, with q the noise variance of the mode.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges.

    Examples
    --------
    >>> from asysg.theory import moments
    >>> round(moments.stationary_variance(0.5, 0), 12)
    1.333333333333
    """
    al, T = number("al", al, strict=True), whole("T", T, low=0)
    if al >= stability_limit(T):
        raise InvalidArgument.of("al", f"must be below {stability_limit(T):g}, the limit of T", al)
    # Unknowns r_0..r_{T+1}: r_d - r_{|d-1|} + al r_{|d-T-1|} = (1 if d = 0 else 0).
    size = T + 2
    system, right = np.eye(size), np.zeros(size)
    right[0] = 1
    for d in range(size):
        system[d, abs(d - 1)] -= 1
        system[d, abs(d - T - 1)] += al
    return float(np.linalg.solve(system, right)[0])


@np.errstate(over="ignore", invalid="ignore")
def constant_delay(
    H: npt.ArrayLike,
    z1: npt.ArrayLike,
    *,
    Q: npt.ArrayLike,
    gamma: float,
    M: int,
    T: int,
    K: int,
) -> Moments:
    """Return the moments of AsySG-con when update k reads x_{max(1, k-T)}, from closed forms.

    Along an eigenvector v of H with eigenvalue lam, with al = gamma M lam and z_k = v'(x_k - x*),
    E z_k = z_1 (1 - al sum_{j<=k-2} h_j), Var z_k = gamma^2 M v'Qv sum_{j<=k-2} h_j^2 and
    Cov(z_k, z_{k-d}) = gamma^2 M v'Qv sum_{j<=k-d-2} h_{j+d} h_j.

    Proof: documentation, "Exact moments on quadratics".

    Parameters
    ----------
    H : array_like of shape (n, n)
        Hessian, symmetric.
    z1 : array_like of shape (n,)
        x_1 - x*.
    Q : array_like of shape (n, n)
        Covariance of one stochastic gradient; its trace is sigma^2.
    gamma : float
        Steplength, at least 0.
    M, T, K : int
        Samples per update (>= 1), the delay (>= 0), the number of updates (>= 1).

    Returns
    -------
    Moments
        O(K n) time and memory.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges or of other shapes.

    Examples
    --------
    >>> from asysg.theory import moments
    >>> m = moments.constant_delay([[1.0]], [1.0], Q=[[0.0]], gamma=0.5, M=1, T=0, K=3)
    >>> m.A
    array([1.    , 0.25  , 0.0625])
    """
    h_, z, q_ = problem(H, z1, Q)
    g, M = number("gamma", gamma), whole("M", M, low=1)
    T, K = whole("T", T, low=0), whole("K", K, low=1)
    lam, vectors = np.linalg.eigh(h_)
    A, D, f = np.zeros(K + 1), np.zeros(K), np.zeros(K + 1)
    mean = np.zeros((K + 1, lam.size))
    late = np.maximum(np.arange(K) - T, 0)
    for i in range(lam.size):
        v = vectors[:, i]
        al, noise = g * M * lam[i], g * g * M * float(v @ q_ @ v)
        h = _response(al, T, K + 1)
        m = float(v @ z) * (1 - al * _before(h))
        variance = noise * _before(h * h)
        common = noise * _before(h[T:] * h[: h.size - T])[: max(K + 1 - T, 1)] if T <= K else None
        square = m * m + variance
        A += lam[i] ** 2 * square
        f += lam[i] / 2 * square
        mean += np.outer(m, v)
        # Cov(z_k, z_{k-T}); before update T + 2 the read is x_1, which is not random.
        covariance = np.zeros(K)
        if common is not None:
            covariance[T:] = common[: K - T]
        spread = variance[:K] + variance[late] - 2 * covariance
        D += lam[i] ** 2 * ((m[:K] - m[late]) ** 2 + spread)
    B = A[late]
    return Moments(A[:K], B, B.copy(), D, f, mean)


def _before(x: Array) -> Array:
    """Return sums of x_0..x_{k-1}, one for each entry of x."""
    return np.concatenate([[0.0], np.cumsum(x)[:-1]])


@np.errstate(over="ignore", invalid="ignore")
def scheduled(
    H: npt.ArrayLike,
    z1: npt.ArrayLike,
    *,
    Q: npt.ArrayLike,
    gamma: float,
    delays: npt.ArrayLike | None = None,
    missed: npt.ArrayLike | None = None,
    algorithm: str = "con",
) -> Moments:
    """Return the moments for any schedule of reads that is fixed beforehand.

    With the window X_k = (x_k, ..., x_{k-T}) and S_k = E X_k X_k' (all relative to x*), reads
    xh_{k,m} = C_{k,m} X_k and C = sum_m C_{k,m}::

        E x_{k+1} X_k'     = S_0. - (gamma/p) H C S
        E x_{k+1} x_{k+1}' = S_00 - (gamma/p) (H C S_.0 + its transpose)
                             + (gamma^2/p) Pi(H C S C' H + M Q)

    where p = 1 and Pi = id for con, p = n and Pi keeps the diagonal for incon.

    Proof: documentation, "Exact moments on quadratics".

    Parameters
    ----------
    H : array_like of shape (n, n)
        Hessian, symmetric.
    z1 : array_like of shape (n,)
        x_1 - x*.
    Q : array_like of shape (n, n)
        Covariance of one stochastic gradient; its trace is sigma^2.
    gamma : float
        Steplength, at least 0.
    delays : array_like of int, shape (K, M)
        tau_{k,m}: read m of update k sees x_{k - tau} (x_1 before the first). Or give `missed`.
    missed : array_like of bool, shape (K, M, T) or (K, M, T, n)
        missed[k, m, d-1, i]: read m of update k lacks what update k - d did to coordinate i. For
        incon an update touches one coordinate, so the last axis is "missed if it hit i".
    algorithm : str, optional
        "con" or "incon".

    Returns
    -------
    Moments
        O(K M ((T + 1) n)^2) time.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges or of other shapes, or if not exactly one of `delays`
        and `missed` is given.

    Examples
    --------
    >>> from asysg.theory import moments
    >>> m = moments.scheduled([[1.0]], [1.0], Q=[[0.0]], gamma=0.5, delays=[[0], [1], [0]])
    >>> m.A
    array([1.  , 0.25, 0.  ])
    """
    h_, z, q_ = problem(H, z1, Q)
    g = number("gamma", gamma)
    n = z.size
    p = n if choice("algorithm", algorithm, ALGORITHMS) == "incon" else 1
    if (delays is None) == (missed is None):
        raise InvalidArgument.of("delays", "or missed must be given, not both", delays)
    lacks = missed_by_delay(delays, n) if missed is None else missed_table(missed, n)
    K, M, T = lacks.shape[:3]
    engine = Engine(h_, z, q_, g, M, T, p)
    for k in range(K):
        engine.record(*table_reads(lacks[k], engine.S))
    return engine.moments()


@np.errstate(over="ignore", invalid="ignore")
def random_delays(
    H: npt.ArrayLike,
    z1: npt.ArrayLike,
    *,
    Q: npt.ArrayLike,
    gamma: float,
    M: int,
    K: int,
    law: npt.ArrayLike,
    shared: bool = False,
    algorithm: str = "con",
) -> Moments:
    """Return the moments for random delays, independent of everything and from update to update.

    Proof: documentation, "Exact moments on quadratics".

    Parameters
    ----------
    H : array_like of shape (n, n)
        Hessian, symmetric.
    z1 : array_like of shape (n,)
        x_1 - x*.
    Q : array_like of shape (n, n)
        Covariance of one stochastic gradient; its trace is sigma^2.
    gamma : float
        Steplength, at least 0.
    M, K : int
        Samples per update, updates; at least 1.
    law : array_like of shape (T + 1,)
        Probabilities of the delays 0..T (reads before x_1 see x_1); their sum is 1.
    shared : bool, optional
        True if the M reads of an update have one delay in common, False if each has its own.
    algorithm : str, optional
        "con" or "incon".

    Returns
    -------
    Moments
        Expectations over the delays too.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges or of other shapes.

    Examples
    --------
    >>> from asysg.theory import moments
    >>> m = moments.random_delays(
    ...     [[1.0]], [1.0], Q=[[0.0]], gamma=0.5, M=1, K=3, law=[0.5, 0.5]
    ... )
    >>> m.A[1:]
    array([0.25   , 0.03125])
    """
    h_, z, q_ = problem(H, z1, Q)
    g, M, K = number("gamma", gamma), whole("M", M, low=1), whole("K", K, low=1)
    pi = matrix("law", law, (-1,))
    if pi.size == 0 or np.any(pi < 0) or abs(float(pi.sum()) - 1) > 1e-9:
        raise InvalidArgument.of("law", "must be probabilities with sum 1", pi.tolist())
    p = z.size if choice("algorithm", algorithm, ALGORITHMS) == "incon" else 1
    engine = Engine(h_, z, q_, g, M, pi.size - 1, p)
    for _ in range(K):
        engine.record(*law_reads(pi, M, shared, engine.S, z.size))
    return engine.moments()


@np.errstate(over="ignore", invalid="ignore")
def isotropic(
    lam: float,
    start: float,
    *,
    sigma: float,
    gamma: float,
    delays: npt.ArrayLike,
    n: int = 1,
    algorithm: str = "con",
) -> Moments:
    """Return the moments for H = lam I and noise of any covariance with trace sigma^2.

    All coordinates obey one recursion, linear in the products E<x_{k-s} - x*, x_{k-t} - x*>: a
    (T+1) x (T+1) matrix in place of one (T+1) n wide.

    Proof: documentation, "Exact moments on quadratics".

    Parameters
    ----------
    lam : float
        Curvature.
    start : float
        ||x_1 - x*||, at least 0.
    sigma : float
        Square root of the noise variance, at least 0.
    gamma : float
        Steplength, at least 0.
    delays : array_like of int, shape (K, M)
        tau_{k,m} as in `scheduled`.
    n : int, optional
        Number of coordinates; matters for incon only.
    algorithm : str, optional
        "con" or "incon".

    Returns
    -------
    Moments
        O(K (T + 1)(T + M)) time: about a second for K = 10^5.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges or of other shapes.

    Examples
    --------
    >>> import numpy as np
    >>> from asysg.theory import moments
    >>> late = np.full((1000, 1), 2)
    >>> m = moments.isotropic(1.0, 0.0, sigma=1.0, gamma=0.1, delays=late)
    >>> bool(abs(m.A[-1] - 0.01 * moments.stationary_variance(0.1, 2)) < 1e-12)
    True
    """
    curvature = float(matrix("lam", lam, ()))
    first, sig, g = number("start", start), number("sigma", sigma), number("gamma", gamma)
    n = whole("n", n, low=1)
    p = n if choice("algorithm", algorithm, ALGORITHMS) == "incon" else 1
    tau = delay_table(delays)
    K, M = tau.shape
    W = int(tau.max()) + 1
    S = np.full((W, W), first * first)
    sums = np.empty((4, K + 1))  # ||x||^2, summed read, reads, inner products
    path = np.ones(K + W)  # the means of x_{2-W}, ..., x_{K+1}
    h, noise = g * curvature / p, g * g * M * sig * sig / p
    square = g * g * curvature * curvature / p
    for k in range(K):
        t = tau[k]
        row = S[t].sum(axis=0)
        both = row[t].sum()
        sums[:4, k] = S[0, 0], both, S[t, t].sum(), row[0]
        path[k + W] = path[k + W - 1] - h * path[k + W - 1 - t].sum()
        new = S[0] - h * row
        last = S[0, 0] - 2 * h * row[0] + square * both + noise
        S[1:, 1:] = S[:-1, :-1].copy()
        S[0, 1:] = S[1:, 0] = new[:-1]
        S[0, 0] = last
    sums[0, K] = S[0, 0]
    x, both, reads, inner = sums[0], sums[1, :K], sums[2, :K] / M, sums[3, :K] / M
    unit = curvature * curvature
    return Moments(
        A=unit * x[:K],
        B=unit * both / M**2,
        B1=unit * reads,
        D=unit * np.maximum(x[:K] + reads - 2 * inner, 0.0),
        f=curvature / 2 * x,
        mean=path[W - 1 :, None],
    )
