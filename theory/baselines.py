"""The theorems of the systems one compares with.

Serial and synchronous SGD, Hogwild-style whole-vector updates, asynchronous coordinate descent,
steplengths that know the schedule or adapt to the delays, a threshold for the delay, and convex
delayed SGD: each with an
explicit proven constant. The cited order of Agarwal and Duchi stands apart, by its name.
"""

from __future__ import annotations

import math

from . import con, incon
from ._check import number, whole
from ._constants import ProblemConstants
from ._delay_aware import (
    DelayProfile,
    agarwal_duchi_limit,
    convex_delayed_bound,
    convex_delayed_gamma_max,
    delay_adaptive_bound,
    delay_adaptive_gamma,
    delay_adaptive_rate,
    delay_adaptive_steps,
    delay_profile,
    schedule_aware_bound,
    schedule_aware_gamma_max,
)
from ._errors import InvalidArgument
from ._theorems import frame
from ._threshold import threshold_delay

__all__ = [
    "DelayProfile",
    "agarwal_duchi_limit",
    "asyscd_bound",
    "asyscd_gamma_max",
    "convex_delayed_bound",
    "convex_delayed_gamma_max",
    "delay_adaptive_bound",
    "delay_adaptive_gamma",
    "delay_adaptive_rate",
    "delay_adaptive_steps",
    "delay_profile",
    "hogwild_bound",
    "hogwild_gamma_max",
    "round_robin_delay",
    "schedule_aware_bound",
    "schedule_aware_gamma_max",
    "serial_bound",
    "serial_gamma_opt",
    "synchronous_bound",
    "synchronous_gamma_max",
    "synchronous_gamma_opt",
    "threshold_delay",
]


def round_robin_delay(P: int, *, M: int = 1) -> int:
    """Return the largest delay when P workers deliver in turn and M gradients make an update.

    tau is floor((P-1)/M) or ceil((P-1)/M). (Where each worker delivers a whole minibatch computed
    from one read, M = 1 here: T = P - 1.)

    Proof: documentation, "Formulas of the theory module", section "Workers and delays".

    Parameters
    ----------
    P, M : int
        Workers and gradients per update, at least 1.

    Returns
    -------
    int
        ceil((P - 1)/M).

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges.

    Examples
    --------
    >>> from asysg.theory import baselines
    >>> baselines.round_robin_delay(8), baselines.round_robin_delay(8, M=4)
    (7, 2)
    """
    return -(-(whole("P", P, low=1) - 1) // whole("M", M, low=1))


def synchronous_gamma_max(c: ProblemConstants, *, M: int, P: int) -> float:
    """Return the steplength 2/(L M P) from which on `synchronous_bound` is inf.

    Theorem U with T = 0. Proof: documentation, "The systems one compares with".

    Parameters
    ----------
    c : ProblemConstants
        Constants of the problem.
    M, P : int
        Samples per worker and workers, at least 1.

    Returns
    -------
    float
        A supremum, itself not admissible.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges.

    Examples
    --------
    >>> from asysg import theory
    >>> c = theory.ProblemConstants(gap=1.0, sigma=1.0, L=1.0)
    >>> theory.baselines.synchronous_gamma_max(c, M=1, P=4)
    0.5
    """
    f = frame("con", c, M, 0)
    return 2 / c.L / f.M / whole("P", P, low=1)


def synchronous_bound(gamma: float, c: ProblemConstants, *, K: int, M: int, P: int) -> float:
    """Return the bound for synchronous SGD: P workers, M samples each, summed after a barrier.

    Theorem U with T = 0 and M P samples. If a = L M P gamma < 2, then (1/K) sum E||grad f(x_k)||^2
    <= (2 gap/(K M P gamma) + L gamma sigma^2)/(2 - a), with equality on f = L||x||^2/2 but for
    the last iterate. With the same number of gradients there are K/P updates.

    Proof: documentation, "The systems one compares with".

    Parameters
    ----------
    gamma : float
        Steplength, at least 0, factor of the sum over all M P samples.
    c : ProblemConstants
        Constants of the problem.
    K : int
        Number of updates (barriers), at least 1.
    M, P : int
        Samples per worker and workers, at least 1.

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
    >>> theory.baselines.synchronous_bound(0.25, c, K=8, M=1, P=4)
    0.5
    """
    g, K = number("gamma", gamma), whole("K", K, low=1)
    f = frame("con", c, M, 0)
    batch = f.M * whole("P", P, low=1)
    a = c.L * batch * g
    if a >= 2:
        return math.inf
    start = 0.0 if c.gap == 0 else math.inf if g == 0 else 2 / K / batch * c.gap / g
    return (start + c.L * g * c.sigma * c.sigma) / (2 - a)


def synchronous_gamma_opt(c: ProblemConstants, *, K: int, M: int, P: int) -> float:
    """Return the steplength that minimises `synchronous_bound`.

    With c1 = 2 gap/(K M P), c2 = L sigma^2 and l = L M P it is
    2 c1/(c1 l + sqrt((c1 l)^2 + 4 c1 c2)), at most 1/l.

    Theorem U with T = 0.
    Proof: documentation, "Formulas of the theory module", section "Best steplength without delays".

    Parameters
    ----------
    c : ProblemConstants
        Constants of the problem.
    K : int
        Number of updates, at least 1.
    M, P : int
        Samples per worker and workers, at least 1.

    Returns
    -------
    float
        1/(L M P) without noise, 0 without a gap.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges.

    Examples
    --------
    >>> from asysg import theory
    >>> c = theory.ProblemConstants(gap=1.0, sigma=0.0, L=1.0)
    >>> theory.baselines.synchronous_gamma_opt(c, K=8, M=1, P=4)
    0.25
    """
    batch = frame("con", c, M, 0).M * whole("P", P, low=1)
    return con.gamma_opt(c, K=K, M=batch, T=0, form="uniform")


def serial_bound(gamma: float, c: ProblemConstants, *, K: int, M: int = 1) -> float:
    """Return the bound for serial SGD: `synchronous_bound` with one worker.

    Theorem U with T = 0. Proof: documentation, "The systems one compares with".

    Parameters
    ----------
    gamma : float
        Steplength, at least 0, factor of the sum over the M samples.
    c : ProblemConstants
        Constants of the problem.
    K : int
        Number of updates, at least 1.
    M : int, optional
        Samples per update, at least 1.

    Returns
    -------
    float
        At least 0; inf where L M gamma >= 2.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges.

    Examples
    --------
    >>> from asysg import theory
    >>> c = theory.ProblemConstants(gap=1.0, sigma=1.0, L=1.0)
    >>> theory.baselines.serial_bound(1.0, c, K=2)
    2.0
    """
    return synchronous_bound(gamma, c, K=K, M=M, P=1)


def serial_gamma_opt(c: ProblemConstants, *, K: int, M: int = 1) -> float:
    """Return the steplength that minimises `serial_bound`.

    Theorem U with T = 0.
    Proof: documentation, "Formulas of the theory module", section "Best steplength without delays".

    Parameters
    ----------
    c : ProblemConstants
        Constants of the problem.
    K : int
        Number of updates, at least 1.
    M : int, optional
        Samples per update, at least 1.

    Returns
    -------
    float
        At most 1/(L M).

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges.

    Examples
    --------
    >>> from asysg import theory
    >>> c = theory.ProblemConstants(gap=1.0, sigma=0.0, L=4.0)
    >>> theory.baselines.serial_gamma_opt(c, K=2)
    0.25
    """
    return synchronous_gamma_opt(c, K=K, M=M, P=1)


def hogwild_gamma_max(c: ProblemConstants, *, M: int, T: int, form: str = "plus") -> float:
    """Return the largest admissible steplength of whole-vector updates with inconsistent reads.

    Identical to `con.gamma_max`: see `hogwild_bound`.

    Proof: documentation, "The systems one compares with".

    Parameters
    ----------
    c : ProblemConstants
        Constants of the problem.
    M, T : int
        Samples per update (>= 1), bound on the delays (>= 0).
    form : str, optional
        "paper", "plus", "sharp" or "robust".

    Returns
    -------
    float
        Above 0.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges, "constant_delay" and "uniform" among them.

    Examples
    --------
    >>> from asysg import theory
    >>> c = theory.ProblemConstants(gap=1.0, sigma=1.0, L=1.0)
    >>> theory.baselines.hogwild_gamma_max(c, M=1, T=1, form="paper")
    0.5
    """
    return con.gamma_max(c, M=M, T=T, form=_inconsistent(form))


def hogwild_bound(
    gamma: float, c: ProblemConstants, *, K: int, M: int, T: int, form: str = "plus"
) -> float:
    """Return the bound for whole-vector updates with inconsistent reads (dense Hogwild).

    The theorems of AsySG-con hold with the same constants if each *coordinate* of a read may miss
    its own subset of the last T updates, supposing that (h1) which ones does not depend on the
    samples (else form "robust"), (h2) no component of an update is lost, (h3) updates are numbered
    by the start of their write, and T counts those that started before mine and were not wholly
    visible in my read. ||grad f||^2 is taken at the sums of all whole updates before k, which no
    worker need ever have seen; "uniform" does not apply since reads are not iterates.

    Proof: documentation, "The systems one compares with".

    Parameters
    ----------
    gamma : float
        Steplength, at least 0.
    c : ProblemConstants
        Constants of the problem.
    K, M, T : int
        Updates (>= 1), samples per update (>= 1), bound on the delays (>= 0).
    form : str, optional
        "paper", "plus", "sharp" or "robust".

    Returns
    -------
    float
        At least 0; inf where the condition fails.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges, "constant_delay" and "uniform" among them.

    Examples
    --------
    >>> from asysg import theory
    >>> c = theory.ProblemConstants(gap=1.0, sigma=1.0, L=1.0)
    >>> theory.baselines.hogwild_bound(0.25, c, K=16, M=1, T=1)
    0.8125
    """
    return con.bound(gamma, c, K=K, M=M, T=T, form=_inconsistent(form))


def _inconsistent(form: str) -> str:
    if form in ("constant_delay", "uniform"):
        raise InvalidArgument.of("form", "must not need consistent reads", form)
    return form


def asyscd_gamma_max(c: ProblemConstants, *, T: int) -> float:
    """Return the largest admissible steplength of asynchronous coordinate descent.

    Theorem P of AsySG-incon with M = 1. Proof: documentation, "The systems one compares with".

    Parameters
    ----------
    c : ProblemConstants
        Constants of the problem; sigma is not used (partial derivatives are exact).
    T : int
        Bound on the delays, at least 0.

    Returns
    -------
    float
        The positive root of L_max g + (1+rho) L_T^2 T (n+T-1) g^2/n^2 = 1.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges.

    Examples
    --------
    >>> from asysg import theory
    >>> c = theory.ProblemConstants(gap=1.0, sigma=0.0, L=2.0, n=4, L_max=0.5)
    >>> theory.baselines.asyscd_gamma_max(c, T=0)
    2.0
    """
    return incon.gamma_max(c, M=1, T=T)


def asyscd_bound(gamma: float, c: ProblemConstants, *, K: int, T: int) -> float:
    """Return the bound for asynchronous coordinate descent on nonconvex f: 2 n gap/(K gamma).

    Theorem P of AsySG-incon without noise, M = 1: if L_max gamma + (1+rho) L_T^2 T (n+T-1)
    gamma^2/n^2 <= 1, then (1/K) sum E||grad f(x_k)||^2 <= 2 n gap/(K gamma). Speedup is linear
    while T = O(n (L_max/L_T)^2). (Liu et al., ICML 2014, treat convex f.)

    Proof: documentation, "The systems one compares with".

    Parameters
    ----------
    gamma : float
        Steplength, at least 0.
    c : ProblemConstants
        Constants of the problem; sigma is not used.
    K, T : int
        Updates (>= 1), bound on the delays (>= 0).

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
    >>> c = theory.ProblemConstants(gap=1.0, sigma=0.0, L=2.0, n=4, L_max=0.5)
    >>> theory.baselines.asyscd_bound(1.0, c, K=8, T=0)
    1.0
    """
    frame("incon", c, 1, T)
    exact = ProblemConstants(c.gap, 0.0, c.L, c.n, c.L_max, c.L_T)
    return incon.bound(gamma, exact, K=K, M=1, T=T)
