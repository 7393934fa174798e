"""Baselines that depend on the delays otherwise than through a bound T, and the convex ones."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ._adaptive import AdaptiveSteps
from ._check import ROUNDING, number, vector, whole
from ._constants import ProblemConstants
from ._errors import InvalidArgument
from ._theorems import frame
from ._window import delay_table

if TYPE_CHECKING:
    import numpy.typing as npt

    from ._check import Array


@dataclass(frozen=True)
class DelayProfile:
    """What `schedule_aware_bound` needs to know of a schedule.

    Source: documentation, "The systems one compares with".

    Parameters
    ----------
    tau_max : int
        Largest delay.
    tau_avg : float
        Mean delay.
    tau_C : float
        Concurrency: the largest number of reads, over M, that miss one update.
    C : float
        The largest sum over the reads that miss one update of their delays, over M; at most
        tau_max tau_C.
    """

    tau_max: int
    tau_avg: float
    tau_C: float
    C: float


def delay_profile(delays: npt.ArrayLike) -> DelayProfile:
    """Return the profile of a table of delays.

    Source: documentation, "The systems one compares with".

    Parameters
    ----------
    delays : array_like of int, shape (K, M)
        tau_{k,m}, at least 0; cut at k - 1 (nothing is older than x_1).

    Returns
    -------
    DelayProfile
        In O(K M) time.

    Raises
    ------
    InvalidArgument
        If `delays` is not such a table.

    Examples
    --------
    >>> from asysg.theory import baselines
    >>> baselines.delay_profile([[0], [1], [2], [0]])
    DelayProfile(tau_max=2, tau_avg=0.75, tau_C=2.0, C=3.0)
    """
    tau = delay_table(delays)
    K, M = tau.shape
    k = np.broadcast_to(np.arange(K)[:, None], tau.shape)
    # Read (k, m) misses the updates k - tau, ..., k - 1: add at the first, take off at k.
    count, weight = np.zeros(K + 1), np.zeros(K + 1)
    np.add.at(count, k - tau, 1.0)
    np.add.at(count, k, -1.0)
    np.add.at(weight, k - tau, tau.astype(float))
    np.add.at(weight, k, -tau.astype(float))
    return DelayProfile(
        tau_max=int(tau.max()),
        tau_avg=float(tau.mean()),
        tau_C=float(np.cumsum(count).max()) / M,
        C=float(np.cumsum(weight).max()) / M,
    )


def schedule_aware_gamma_max(c: ProblemConstants, profile: DelayProfile, *, M: int) -> float:
    """Return the largest steplength of `schedule_aware_bound`, 1/(L M (1/2 + sqrt(1/4 + 2 C))).

    Proof: documentation, "The systems one compares with".

    Parameters
    ----------
    c : ProblemConstants
        Constants of the problem.
    profile : DelayProfile
        Of the schedule.
    M : int
        Samples per update, at least 1.

    Returns
    -------
    float
        About 1/(L M sqrt(2 tau_max tau_C)) for large delays.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges.

    Examples
    --------
    >>> from asysg import theory
    >>> c = theory.ProblemConstants(gap=1.0, sigma=1.0, L=1.0)
    >>> one = theory.baselines.DelayProfile(tau_max=1, tau_avg=1.0, tau_C=1.0, C=1.0)
    >>> theory.baselines.schedule_aware_gamma_max(c, one, M=1)
    0.5
    """
    M = frame("con", c, M, 0).M
    return 1 / (0.5 + math.sqrt(0.25 + 2 * number("C", profile.C))) / c.L / M


def schedule_aware_bound(
    gamma: float, c: ProblemConstants, profile: DelayProfile, *, K: int, M: int
) -> float:
    """Return the bound for AsySG-con that knows the schedule: mean in place of largest delay.

    If L M gamma + 2 (L M gamma)^2 C <= 1 and reads are oblivious, then (1/K) sum E||grad f(x_k)||^2
    <= 2 gap/(K M gamma) + L gamma sigma^2 + 2 L^2 M tau_avg gamma^2 sigma^2. (Theorem 1's proof
    with every window as long as it is; the dependence on the delays is that of Koloskova et al.,
    2022. P workers with one read per update have tau_avg <= P - 1 and tau_C <= P - 1.)

    Proof: documentation, "The systems one compares with".

    Parameters
    ----------
    gamma : float
        Steplength, at least 0.
    c : ProblemConstants
        Constants of the problem.
    profile : DelayProfile
        Of the schedule.
    K, M : int
        Updates, samples per update; at least 1.

    Returns
    -------
    float
        At least 0; inf where the condition fails.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges.

    Examples
    --------
    >>> from asysg import theory
    >>> c = theory.ProblemConstants(gap=1.0, sigma=1.0, L=1.0)
    >>> one = theory.baselines.DelayProfile(tau_max=1, tau_avg=1.0, tau_C=1.0, C=1.0)
    >>> theory.baselines.schedule_aware_bound(0.25, c, one, K=16, M=1)
    0.875
    """
    g, K, M = number("gamma", gamma), whole("K", K, low=1), frame("con", c, M, 0).M
    a = c.L * M * g
    if a + 2 * a * a * number("C", profile.C) > 1 + ROUNDING:
        return math.inf
    start = 0.0 if c.gap == 0 else math.inf if g == 0 else 2 / K / M * c.gap / g
    noise = c.L * g * c.sigma * c.sigma
    return start + noise * (1 + 2 * a * number("tau_avg", profile.tau_avg))


def delay_adaptive_steps(
    gamma: float, c: ProblemConstants, delays: npt.ArrayLike, *, M: int = 1
) -> Array:
    """Return the steps gamma_k = min{gamma, 1/(2 L M tau_k)}, which shrink only for late gradients.

    The steps of Theorem A. Source: documentation, "The systems one compares with".

    Parameters
    ----------
    gamma : float
        Largest step, at least 0; `delay_adaptive_bound` wants gamma <= 1/(L M P).
    c : ProblemConstants
        Constants of the problem.
    delays : array_like of int, shape (K,)
        tau_k, at least 0; one read per update.
    M : int, optional
        Samples per update, all at the one read.

    Returns
    -------
    ndarray of shape (K,)
        The steps.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges or of other shapes.

    Examples
    --------
    >>> from asysg import theory
    >>> c = theory.ProblemConstants(gap=1.0, sigma=1.0, L=1.0)
    >>> theory.baselines.delay_adaptive_steps(0.25, c, [0, 1, 0, 0, 4])
    array([0.25 , 0.25 , 0.25 , 0.25 , 0.125])
    """
    g, M = number("gamma", gamma), frame("con", c, M, 0).M
    tau = delay_table(np.asarray(delays)[..., None])[:, 0]
    steps = np.full(tau.size, g)
    late = tau > 0
    steps[late] = np.minimum(g, 1 / (2 * c.L * M * tau[late]))
    return steps


def delay_adaptive_bound(
    steps: npt.ArrayLike, c: ProblemConstants, *, gamma: float, P: int, M: int = 1
) -> float:
    """Return the bound of Theorem A, for delay-adaptive steps: no largest delay in it.

    P workers, one read per update, oblivious delays. If gamma <= 1/(L M P) and
    gamma_k = min{gamma, 1/(2 L M tau_k)}, then sum gamma_k E||grad f(x_k)||^2 / sum gamma_k <=
    [2 gap/M + (1 + 2 L M P gamma) L sigma^2 sum gamma_k^2] / sum gamma_k.

    Proof: documentation, "The systems one compares with".

    Parameters
    ----------
    steps : array_like of shape (K,)
        From `delay_adaptive_steps`.
    c : ProblemConstants
        Constants of the problem.
    gamma : float
        The largest step, above 0.
    P : int
        Workers, at least 1.
    M : int, optional
        Samples per update, all at the one read.

    Returns
    -------
    float
        At least 0; inf if gamma > 1/(L M P).

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges, or steps above gamma.

    Examples
    --------
    >>> from asysg import theory
    >>> c = theory.ProblemConstants(gap=1.0, sigma=1.0, L=1.0)
    >>> theory.baselines.delay_adaptive_bound([0.25] * 16, c, gamma=0.25, P=2)
    1.0
    """
    g = number("gamma", gamma, strict=True)
    x, P, M = vector("steps", steps), whole("P", P, low=1), frame("con", c, M, 0).M
    if x.max() > g * (1 + ROUNDING):
        raise InvalidArgument.of("steps", f"must be at most gamma = {g:g}", float(x.max()))
    return AdaptiveSteps(g, c.L, P, float(x.sum()), float(np.sum(x * x))).bound(c, M)


def delay_adaptive_gamma(c: ProblemConstants, *, K: int, P: int, M: int = 1) -> float:
    """Return min{1/(4 L M P), sqrt(8 gap/(3 L M K sigma^2))}, the gamma of `delay_adaptive_rate`.

    A consequence of Theorem A. Proof: documentation, "The systems one compares with".

    Parameters
    ----------
    c : ProblemConstants
        Constants of the problem.
    K, P : int
        Updates and workers, at least 1.
    M : int, optional
        Samples per update, all at the one read.

    Returns
    -------
    float
        The largest step.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges.

    Examples
    --------
    >>> from asysg import theory
    >>> c = theory.ProblemConstants(gap=1.5, sigma=1.0, L=1.0)
    >>> theory.baselines.delay_adaptive_gamma(c, K=400, P=1)
    0.1
    """
    K, P, M = whole("K", K, low=1), whole("P", P, low=1), frame("con", c, M, 0).M
    least = 1 / (4 * c.L * M * P)
    if c.sigma == 0:
        return least
    return min(least, math.sqrt(8 * c.gap / 3 / M / K / c.L) / c.sigma)


def delay_adaptive_rate(c: ProblemConstants, *, K: int, P: int, M: int = 1) -> float:
    """Return 16 L P gap/K + 2 sqrt(6) sqrt(L gap/(M K)) sigma, at `delay_adaptive_gamma`.

    For P workers with one read per update, since sum tau_k <= (K-1)(P-1) whatever their speeds:
    half the updates take the whole step. (Mishchenko et al. and Koloskova et al., 2022, have the
    same orders; these constants are ours.)

    A consequence of Theorem A. Proof: documentation, "The systems one compares with".

    Parameters
    ----------
    c : ProblemConstants
        Constants of the problem.
    K, P : int
        Updates and workers, at least 1.
    M : int, optional
        Samples per update, all at the one read.

    Returns
    -------
    float
        Bound on the gamma-weighted ergodic gradient norm.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges.

    Examples
    --------
    >>> from asysg import theory
    >>> c = theory.ProblemConstants(gap=1.0, sigma=0.0, L=1.0)
    >>> theory.baselines.delay_adaptive_rate(c, K=32, P=2)
    1.0
    """
    K, P, M = whole("K", K, low=1), whole("P", P, low=1), frame("con", c, M, 0).M
    return 16 * c.L * P * c.gap / K + 2 * math.sqrt(6 * c.L * c.gap / M / K) * c.sigma


def convex_delayed_gamma_max(c: ProblemConstants, *, M: int, T: int) -> float:
    """Return the largest steplength of `convex_delayed_bound`, 1/(8 L M (T + 1)).

    Proof: documentation, "The systems one compares with".

    Parameters
    ----------
    c : ProblemConstants
        Constants of the problem; the gap is not used.
    M, T : int
        Samples per update (>= 1), bound on the delays (>= 0).

    Returns
    -------
    float
        Above 0.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges.

    Examples
    --------
    >>> from asysg import theory
    >>> c = theory.ProblemConstants(gap=1.0, sigma=1.0, L=1.0)
    >>> theory.baselines.convex_delayed_gamma_max(c, M=1, T=1)
    0.0625
    """
    f = frame("con", c, M, T)
    return 1 / (8 * c.L * f.M * (f.T + 1))


def convex_delayed_bound(
    gamma: float, c: ProblemConstants, *, distance: float, K: int, M: int, T: int
) -> float:
    """Return the bound on mean f(read) - f* of delayed SGD on convex f.

    f convex and L-smooth with minimiser x*, oblivious delays of at most T, L M gamma <=
    1/(8(T+1)): the mean over k, m of E f(x_{k - tau_{k,m}}) - f* is at most
    1.6 ||x_1 - x*||^2/(K M gamma) + 2.4 gamma sigma^2. Speedup is linear up to T = O(sqrt K), where
    Agarwal and Duchi (2011) have O(K^{1/4}).

    Proof: documentation, "The systems one compares with".

    Parameters
    ----------
    gamma : float
        Steplength, at least 0.
    c : ProblemConstants
        Constants of the problem; the gap is not used.
    distance : float
        ||x_1 - x*||, at least 0.
    K, M, T : int
        Updates (>= 1), samples per update (>= 1), bound on the delays (>= 0).

    Returns
    -------
    float
        Units of f; inf where the condition fails.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges.

    Examples
    --------
    >>> from asysg import theory
    >>> c = theory.ProblemConstants(gap=1.0, sigma=0.0, L=1.0)
    >>> theory.baselines.convex_delayed_bound(0.0625, c, distance=1.0, K=256, M=1, T=1)
    0.1
    """
    g, r, K = number("gamma", gamma), number("distance", distance), whole("K", K, low=1)
    f = frame("con", c, M, T)
    if 8 * c.L * f.M * g * (f.T + 1) > 1 + ROUNDING:
        return math.inf
    start = 0.0 if r == 0 else math.inf if g == 0 else 1.6 * r * r / K / f.M / g
    return start + 2.4 * g * c.sigma * c.sigma


def agarwal_duchi_limit(K: int) -> float:
    """Return K^{1/4}: the *order* of the delay up to which Agarwal and Duchi (2011) speed up.

    Cited, not proven here: an optimisation error of O(1/sqrt K + tau^2 log K/K) for convex f. The
    constant is unspecified, so this is for slopes in plots and not for planning.

    Source: documentation, "The systems one compares with".

    Parameters
    ----------
    K : int
        Updates, at least 1.

    Returns
    -------
    float
        K to the power 1/4.

    Raises
    ------
    InvalidArgument
        If K is not an integer at least 1.

    Examples
    --------
    >>> from asysg.theory import baselines
    >>> baselines.agarwal_duchi_limit(10_000)
    10.0
    """
    return math.sqrt(math.sqrt(whole("K", K, low=1)))
