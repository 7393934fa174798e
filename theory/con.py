"""AsySG-con: consistent reads, whole-vector updates (the paper's Algorithm 1).

The recursion: x_{k+1} = x_k - gamma sum_{m=1..M} G(x_{k - tau_{k,m}}, xi_{k,m}), 0 <= tau <= T.
Suppose, for every theorem here: grad f is L-Lipschitz; given the past the samples are unbiased,
uncorrelated and of variance at most sigma^2; tau_{k,m} <= T; and, except for "robust", which
delays occur does not depend on the samples (reads are *oblivious*). Every bound is one on the
ergodic gradient norm (1/K) sum_{k=1..K} E||grad f(x_k)||^2.

With a = L M gamma, R0 = 2 gap/(K M gamma) + L gamma sigma^2, N = L^2 M T gamma^2 sigma^2,
s = (L M T gamma)^2 and rho = sqrt((T-1)/(2T)) (0 for T <= 1), the forms are

"paper" (Theorem 1 of the paper)
    a + 2 s <= 1 gives R0 + 2 N. Holds for schedules gamma_k too.
"plus" (Theorem P)
    a + (1+rho) s <= 1 gives R0 + (1+rho) N. Never worse than "paper" with one number for gamma.
"constant_delay" (Theorem P with rho = 0)
    a + s <= 1 gives R0 + N, if every delay equals T (x_1 is read for k <= T).
"sharp" (Theorem S)
    a + s < 1 gives the supremum of min{R0 + D(B) - (1-a) B, (sqrt B + sqrt D(B))^2} over B >= 0,
    D(B) = N + 2 rho sqrt(N s B) + s B. Never worse than "plus".
"uniform" (Theorem U)
    a + s <= 1 gives (R0 + N)/(2 - a - s) for (1/K) sum_{k <= K-T}, if every delay equals T: each
    iterate is then read once. Attained within 0.3 % on quadratics; the one to verify with.
"robust" (Theorem R)
    a + s <= 1 gives R0 + T N whatever the reads depend on in the past.

References
----------
X. Lian, Y. Huang, Y. Li, J. Liu, Asynchronous Parallel Stochastic Gradient for Nonconvex
Optimization, NIPS 2015: Theorem 1 and Corollary 2. The other letters are this package's theorems.
Proof: documentation, "The theorems" and "The corollaries: what to prescribe".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import _certify, _theorems
from ._constants import ProblemConstants

if TYPE_CHECKING:
    from ._certify import Prescription
    from ._theorems import Steps

__all__ = [
    "K_min",
    "T_max",
    "admissible",
    "bound",
    "gamma_max",
    "gamma_opt",
    "gamma_prescribed",
    "prescribe",
    "rate",
    "rate_proven",
    "workers_max",
]

_ALGORITHM = "con"


def gamma_max(c: ProblemConstants, *, M: int, T: int, form: str = "plus") -> float:
    """Return the largest admissible constant steplength.

    The condition reads P1 gamma + (r gamma)^2 <= 1, so gamma_max = 2/(P1 + sqrt(P1^2 + 4 r^2)).
    "paper": 2/(L M (1 + sqrt(1 + 8 T^2))).

    Proof: documentation, "The theorems" and "Formulas of the theory module".

    Parameters
    ----------
    c : ProblemConstants
        Constants of the problem.
    M : int
        Samples per update, at least 1.
    T : int
        Bound on the delays, at least 0.
    form : str, optional
        The theorem, see the module's list.

    Returns
    -------
    float
        Above 0; inf if the condition holds for every steplength (no curvature). For "sharp" the
        supremum: the bound may be inf there.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges.

    Examples
    --------
    >>> from asysg import theory
    >>> c = theory.ProblemConstants(gap=2.0, sigma=1.0, L=0.5)
    >>> theory.con.gamma_max(c, M=2, T=1, form="paper")
    0.5
    """
    return _theorems.gamma_max(_ALGORITHM, c, M, T, form)


def admissible(gamma: Steps, c: ProblemConstants, *, M: int, T: int, form: str = "plus") -> bool:
    """Tell whether a steplength satisfies the theorem's condition, up to rounding (2e-15).

    Proof: documentation, "The theorems".

    Parameters
    ----------
    gamma : float or array_like of shape (K,)
        Constant steplength, at least 0; with form "paper" also a schedule gamma_1..gamma_K.
    c : ProblemConstants
        Constants of the problem.
    M : int
        Samples per update, at least 1.
    T : int
        Bound on the delays, at least 0.
    form : str, optional
        The theorem, see the module's list.

    Returns
    -------
    bool
        True if the theorem applies.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges, or for a schedule with another form than "paper".

    Examples
    --------
    >>> from asysg import theory
    >>> c = theory.ProblemConstants(gap=2.0, sigma=1.0, L=0.5)
    >>> theory.con.admissible(0.5, c, M=2, T=1, form="paper")
    True
    >>> theory.con.admissible([0.5, 0.6, 0.1], c, M=2, T=1, form="paper")
    False
    """
    return _theorems.admissible(_ALGORITHM, gamma, c, M, T, form)


def bound(
    gamma: Steps, c: ProblemConstants, *, K: int, M: int, T: int, form: str = "plus"
) -> float:
    """Return the theorem's bound on the ergodic gradient norm.

    Suppose the module's assumptions for `form` and, for a constant gamma, its condition. Then
    (1/K) sum_k E||grad f(x_k)||^2 <= bound.

    Theorem 1 (schedules, form "paper"; terms outside 1..K are 0). If for all k
    L M gamma_k + 2 L^2 M^2 T gamma_k sum_{j=1..T} gamma_{k+j} <= 1, then
    sum_k gamma_k E||grad f(x_k)||^2 / sum_k gamma_k is at most
    [2 gap + sum_k (L M gamma_k^2 + 2 L^2 M^2 gamma_k sum_{j=k-T..k-1} gamma_j^2) sigma^2]
    / (M sum_k gamma_k).

    Proof: documentation, "The theorems".

    Parameters
    ----------
    gamma : float or array_like of shape (K,)
        Constant steplength, at least 0; with form "paper" also a schedule gamma_1..gamma_K.
    c : ProblemConstants
        Constants of the problem.
    K : int
        Number of updates, at least 1.
    M : int
        Samples per update, at least 1.
    T : int
        Bound on the delays, at least 0.
    form : str, optional
        The theorem, see the module's list.

    Returns
    -------
    float
        At least 0, units of the squared gradient; inf where the condition fails.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges, or for a schedule with another form than "paper".

    Examples
    --------
    >>> from asysg import theory
    >>> c = theory.ProblemConstants(gap=2.0, sigma=1.0, L=0.5)
    >>> theory.con.bound(0.25, c, K=8, M=2, T=1)
    1.15625
    >>> theory.con.bound([0.25] * 8, c, K=8, M=2, T=1, form="paper")
    1.1796875
    """
    return _theorems.bound(_ALGORITHM, gamma, c, K, M, T, form)


def gamma_prescribed(c: ProblemConstants, *, K: int, M: int, T: int, form: str = "paper") -> float:
    """Return the steplength of the corollary.

    Corollary 2 (paper): gamma = sqrt(gap/(L M K sigma^2)).
    Corollary P, Corollary R: gamma = sqrt(2 gap/(L M K sigma^2)), which minimises R0.

    Parameters
    ----------
    c : ProblemConstants
        Constants of the problem.
    K : int
        Number of updates, at least 1.
    M : int
        Samples per update, at least 1.
    T : int
        Bound on the delays, at least 0; used where sigma = 0 only.
    form : str, optional
        "paper" for the paper's corollary, any other for Corollary P (which has one steplength).

    Returns
    -------
    float
        At least 0, finite. Without noise (sigma = 0) `gamma_max`, without a gap 0. Admissible
        once K >= `K_min`; for a smaller K it may be not.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges.

    Examples
    --------
    >>> from asysg import theory
    >>> c = theory.ProblemConstants(gap=2.0, sigma=1.0, L=0.5)
    >>> theory.con.gamma_prescribed(c, K=100, M=1, T=4)
    0.2
    """
    return _theorems.gamma_prescribed(_ALGORITHM, c, K, M, T, form)


def gamma_opt(c: ProblemConstants, *, K: int, M: int, T: int, form: str = "plus") -> float:
    """Return the admissible steplength that minimises `bound`.

    The bound is c1/gamma + c2 gamma + c3 gamma^2, convex: the minimum is at gamma_max or at the
    root of 2 c3 gamma^3 + c2 gamma^2 = c1, whichever is smaller. ("uniform" divides by 2 - a - s
    and stays quasiconvex; "sharp" is searched for.)

    Proof: documentation, "The theorems" and "Formulas of the theory module".

    Parameters
    ----------
    c : ProblemConstants
        Constants of the problem.
    K : int
        Number of updates, at least 1.
    M : int
        Samples per update, at least 1.
    T : int
        Bound on the delays, at least 0.
    form : str, optional
        The theorem, see the module's list.

    Returns
    -------
    float
        At least 0, finite; without noise `gamma_max` (except for "uniform", which then has its
        minimum below it), without a gap 0.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges.

    Examples
    --------
    >>> from asysg import theory
    >>> c = theory.ProblemConstants(gap=2.0, sigma=1.0, L=0.5)
    >>> theory.con.gamma_opt(c, K=32, M=1, T=0)
    0.5
    """
    return _theorems.gamma_opt(_ALGORITHM, c, K, M, T, form)


def K_min(c: ProblemConstants, *, M: int, T: int, form: str = "paper") -> int:
    """Return the smallest number of updates for which the corollary holds.

    Corollary 2 (paper): K >= 4 M L gap (T+1)^2 / sigma^2.
    Corollary P: K >= (2 M L gap/sigma^2) max{T+1, (1+rho) T}^2; rho = 0 for "constant_delay" and
    "uniform". Corollary R (robust): K >= (2 M L gap/sigma^2) max{2, T^2}^2.

    Parameters
    ----------
    c : ProblemConstants
        Constants of the problem.
    M : int
        Samples per update, at least 1.
    T : int
        Bound on the delays, at least 0.
    form : str, optional
        The corollary: see `rate`.

    Returns
    -------
    int
        At least 1, exact (rational arithmetic on the floats given).

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges, and where no K is enough: without noise (sigma = 0,
        gap > 0) the optimal rate would be 0.

    Examples
    --------
    >>> from asysg import theory
    >>> c = theory.ProblemConstants(gap=2.0, sigma=1.0, L=0.5)
    >>> theory.con.K_min(c, M=1, T=4)
    100
    """
    return _theorems.K_min(_ALGORITHM, c, M, T, form)


def T_max(c: ProblemConstants, *, K: int, M: int, form: str = "paper") -> int:
    """Return the largest delay that K updates are enough for, the inverse of `K_min`.

    The demand of `K_min`, solved for T. Proof: documentation, "The corollaries: what to prescribe".

    Parameters
    ----------
    c : ProblemConstants
        Constants of the problem.
    K : int
        Number of updates, at least 1.
    M : int
        Samples per update, at least 1.
    form : str, optional
        The corollary: see `rate`.

    Returns
    -------
    int
        -1 if K is too small for any T. Without a gap every T will do: then K - 1, since no delay
        among K updates is larger. At most 2^63 - 1 otherwise.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges.

    Examples
    --------
    >>> from asysg import theory
    >>> c = theory.ProblemConstants(gap=2.0, sigma=1.0, L=0.5)
    >>> theory.con.T_max(c, K=100, M=1), theory.con.T_max(c, K=99, M=1)
    (4, 3)
    """
    return _theorems.T_max(_ALGORITHM, c, K, M, form)


def rate(c: ProblemConstants, *, K: int, M: int, form: str = "paper") -> float:
    """Return the right-hand side of the corollary, the rate of a linear speedup.

    Corollary 2 (paper): 4 sqrt(gap L/(M K)) sigma. Corollaries P and R:
    3 sqrt(2) sqrt(gap L/(M K)) sigma, for a T up to sqrt(2) times larger ("plus").

    Parameters
    ----------
    c : ProblemConstants
        Constants of the problem.
    K : int
        Number of updates, at least 1.
    M : int
        Samples per update, at least 1.
    form : str, optional
        "paper" for the paper's corollary, any other for Corollary P.

    Returns
    -------
    float
        At least 0, units of the squared gradient. It bounds the ergodic gradient norm at
        `gamma_prescribed` if K >= `K_min`, and claims nothing otherwise.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges.

    Examples
    --------
    >>> from asysg import theory
    >>> c = theory.ProblemConstants(gap=2.0, sigma=1.0, L=0.5)
    >>> round(theory.con.rate(c, K=100, M=1), 4)
    0.4
    """
    return _theorems.rate(_ALGORITHM, c, K, M, form)


def rate_proven(c: ProblemConstants, *, K: int, M: int, T: int) -> float:
    """Return the paper's rate with the smaller constant that its proof gives.

    Corollary 2, under its own steplength and K: (3 + T/(T+1)) sqrt(gap L/(M K)) sigma,
    at most the paper's 4.

    Parameters
    ----------
    c : ProblemConstants
        Constants of the problem.
    K : int
        Number of updates, at least 1.
    M : int
        Samples per update, at least 1.
    T : int
        Bound on the delays, at least 0.

    Returns
    -------
    float
        At least 0, units of the squared gradient.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges.

    Examples
    --------
    >>> from asysg import theory
    >>> c = theory.ProblemConstants(gap=2.0, sigma=1.0, L=0.5)
    >>> round(theory.con.rate_proven(c, K=100, M=1, T=4), 4)
    0.38
    """
    return _theorems.rate_proven(_ALGORITHM, c, K, M, T)


def workers_max(c: ProblemConstants, *, K: int, M: int, form: str = "paper") -> int:
    """Return the number of workers with a linear speedup, 1 + `T_max` = O(sqrt K).

    P workers that deliver in turn cause delays of P - 1: each reads, computes M gradients from
    what it read, and meanwhile the others deliver once.

    Proof: documentation, "The corollaries: what to prescribe".

    Parameters
    ----------
    c : ProblemConstants
        Constants of the problem.
    K : int
        Number of updates, at least 1.
    M : int
        Samples per update, at least 1.
    form : str, optional
        The corollary: see `rate`.

    Returns
    -------
    int
        0 if K is too small even for one worker.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges.

    Examples
    --------
    >>> from asysg import theory
    >>> c = theory.ProblemConstants(gap=2.0, sigma=1.0, L=0.5)
    >>> theory.con.workers_max(c, K=100, M=1)
    5
    """
    return 1 + T_max(c, K=K, M=M, form=form)


def prescribe(c: ProblemConstants, *, K: int, M: int, T: int, form: str = "plus") -> Prescription:
    """Return steplength, bound and certificate for a plan.

    Source: documentation, "The corollaries: what to prescribe".

    Parameters
    ----------
    c : ProblemConstants
        Constants of the problem.
    K : int
        Number of updates, at least 1.
    M : int
        Samples per update, at least 1.
    T : int
        Bound on the delays, at least 0.
    form : str, optional
        The theorem and its corollary, see the module's list.

    Returns
    -------
    Prescription
        gamma is `gamma_prescribed`, bound is `bound` at it. If K is below `K_min` the
        certificate's `holds` is False and names the hypothesis; that is no exception.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges.

    Examples
    --------
    >>> from asysg import theory
    >>> c = theory.ProblemConstants(gap=2.0, sigma=1.0, L=0.5)
    >>> p = theory.con.prescribe(c, K=200, M=1, T=4)
    >>> p.gamma, p.certificate.holds
    (0.2, True)
    >>> theory.con.prescribe(c, K=20, M=1, T=4).certificate.holds
    False
    """
    return _certify.prescribe(_ALGORITHM, c, K, M, T, form)
