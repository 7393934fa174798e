"""AsySG-incon: inconsistent reads, one coordinate per update (the paper's Algorithm 2).

The recursion: x_{k+1} = x_k - gamma e_i e_i' sum_{m=1..M} G(xh_{k,m}, xi_{k,m}), with i = i_k drawn
uniformly from the n coordinates and xh_{k,m} equal to x_k without some of the last T updates.
Suppose, for every theorem here: each partial derivative is L_max-Lipschitz along its own
coordinate; grad f is L_T-Lipschitz between points that differ in at most T coordinates; given the
past the samples are unbiased, uncorrelated and of variance at most sigma^2; i_k is uniform and
independent of all that; and, except for "robust", which updates a read misses does not depend on
samples or coordinates (reads are *oblivious*; missing an update may depend on its own coordinate,
as it does when memory is scanned in order). Every bound is one on the ergodic gradient norm
(1/K) sum_{k=1..K} E||grad f(x_k)||^2.

With a = L_max M gamma, R0 = 2 n gap/(K M gamma) + L_max gamma sigma^2,
N = L_T^2 M T gamma^2 sigma^2 / n, s = (L_T M gamma)^2 T (n + T - 1)/n^2 and
rho = sqrt((T-1)/(2T)) (0 for T <= 1), the forms are

"paper" (Theorem 3 of the paper in Young's form)
    a + 2 M^2 T L_T^2 (sqrt n + T - 1) gamma^2 / n^{3/2} <= 1 gives R0 + 2 N. (The N/2 that
    circulates for the paper's Theorem 3 is not proven and not offered.)
"plus" (Theorem P)
    a + (1+rho) s <= 1 gives R0 + (1+rho) N. T may grow like n instead of n^{3/4}.
"constant_delay" (Theorem P with rho = 0)
    a + s <= 1 gives R0 + N, if reads are consistent and every delay equals T.
"sharp" (Theorem S)
    With sw = (L_T M gamma)^2 T (n-1)/n^2 and sg = (L_T M gamma T/n)^2:
    a + sw + 2 rho sqrt(sw sg) + sg < 1 gives the supremum of min{R0 + D(B) - (1-a) B,
    (sqrt B + sqrt D(B))^2} over B >= 0, D(B) = P + 2 rho sqrt(P sg B) + sg B, P = N + sw B.
"uniform" (Theorem U)
    a + s <= 1 gives (R0 + N)/(2 - a - s) for (1/K) sum_{k <= K-T}, if reads are consistent and
    every delay equals T: each iterate is then read once.
"robust" (Theorem R)
    a + (L_T M T gamma)^2 / n <= 1 gives R0 + T N whatever the reads depend on in the past.

References
----------
X. Lian, Y. Huang, Y. Li, J. Liu, Asynchronous Parallel Stochastic Gradient for Nonconvex
Optimization, NIPS 2015: Theorem 3 and Corollary 4. The other letters are this package's theorems.
Proof: documentation, "The theorems" and "The corollaries: what to prescribe".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import _certify, _theorems
from ._constants import ProblemConstants

if TYPE_CHECKING:
    from ._certify import Prescription

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

_ALGORITHM = "incon"


def gamma_max(c: ProblemConstants, *, M: int, T: int, form: str = "plus") -> float:
    """Return the largest admissible constant steplength.

    The condition reads P1 gamma + (r gamma)^2 <= 1, so gamma_max = 2/(P1 + sqrt(P1^2 + 4 r^2)).
    P1 = L_max M; "plus": r^2 = (1+rho) (L_T M)^2 T (n+T-1)/n^2.

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
    >>> c = theory.ProblemConstants(gap=1.0, sigma=2.0, L=2.0, n=16, L_max=1.0, L_T=2.0)
    >>> theory.incon.gamma_max(c, M=4, T=0)
    0.25
    """
    return _theorems.gamma_max(_ALGORITHM, c, M, T, form)


def admissible(gamma: float, c: ProblemConstants, *, M: int, T: int, form: str = "plus") -> bool:
    """Tell whether a steplength satisfies the theorem's condition, up to rounding (2e-15).

    Proof: documentation, "The theorems".

    Parameters
    ----------
    gamma : float
        Constant steplength, at least 0.
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
        For arguments outside their ranges.

    Examples
    --------
    >>> from asysg import theory
    >>> c = theory.ProblemConstants(gap=1.0, sigma=2.0, L=2.0, n=16, L_max=1.0, L_T=2.0)
    >>> theory.incon.admissible(0.25, c, M=4, T=1)
    False
    """
    return _theorems.admissible(_ALGORITHM, gamma, c, M, T, form)


def bound(
    gamma: float, c: ProblemConstants, *, K: int, M: int, T: int, form: str = "plus"
) -> float:
    """Return the theorem's bound on the ergodic gradient norm.

    Suppose the module's assumptions for `form` and its condition on gamma. Then
    (1/K) sum_k E||grad f(x_k)||^2 <= bound.

    Proof: documentation, "The theorems".

    Parameters
    ----------
    gamma : float
        Constant steplength, at least 0.
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
        For arguments outside their ranges.

    Examples
    --------
    >>> from asysg import theory
    >>> c = theory.ProblemConstants(gap=1.0, sigma=2.0, L=2.0, n=16, L_max=1.0, L_T=2.0)
    >>> theory.incon.bound(0.125, c, K=512, M=4, T=1)
    0.6875
    """
    return _theorems.bound(_ALGORITHM, gamma, c, K, M, T, form)


def gamma_prescribed(c: ProblemConstants, *, K: int, M: int, T: int, form: str = "paper") -> float:
    """Return the steplength of the corollary.

    Corollary 4 (paper): gamma = sqrt(2 n gap/(L_T M K sigma^2)).
    Corollary P, Corollary R: gamma = sqrt(2 n gap/(L_max M K sigma^2)), which minimises R0.

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
    >>> c = theory.ProblemConstants(gap=1.0, sigma=2.0, L=2.0, n=16, L_max=1.0, L_T=2.0)
    >>> theory.incon.gamma_prescribed(c, K=400, M=1, T=4)
    0.1
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
    >>> c = theory.ProblemConstants(gap=1.0, sigma=2.0, L=2.0, n=16, L_max=1.0, L_T=2.0)
    >>> theory.incon.gamma_opt(c, K=128, M=1, T=0)
    0.25
    """
    return _theorems.gamma_opt(_ALGORITHM, c, K, M, T, form)


def K_min(c: ProblemConstants, *, M: int, T: int, form: str = "paper") -> int:
    """Return the smallest number of updates for which the corollary holds.

    Corollary 4 (paper; L_max <= L_T): K >= 16 gap L_T M (n^{3/2} + 4 T^2)/(sqrt(n) sigma^2).
    Corollary P, kap = L_T/L_max: K >= (2 n M L_max gap/sigma^2)
    max{(2n+T-1)/n, (1+rho) kap^2 T/n}^2; rho = 0 for "constant_delay" and "uniform".
    Corollary R (robust): K >= (2 n M L_max gap/sigma^2) max{2, kap^2 T^2/n}^2.

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
    >>> c = theory.ProblemConstants(gap=1.0, sigma=2.0, L=2.0, n=16, L_max=1.0, L_T=2.0)
    >>> theory.incon.K_min(c, M=1, T=4)
    256
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
    >>> c = theory.ProblemConstants(gap=1.0, sigma=2.0, L=2.0, n=16, L_max=1.0, L_T=2.0)
    >>> theory.incon.T_max(c, K=256, M=1), theory.incon.T_max(c, K=255, M=1)
    (4, 3)
    """
    return _theorems.T_max(_ALGORITHM, c, K, M, form)


def rate(c: ProblemConstants, *, K: int, M: int, form: str = "paper") -> float:
    """Return the right-hand side of the corollary, the rate of a linear speedup.

    Corollary 4 (paper): sqrt(72 gap L_T n/(M K)) sigma. Corollaries P and R:
    3 sqrt(2) sqrt(gap L_max n/(M K)) sigma.

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
    >>> c = theory.ProblemConstants(gap=1.0, sigma=2.0, L=2.0, n=16, L_max=1.0, L_T=2.0)
    >>> round(theory.incon.rate(c, K=400, M=1), 4)
    4.8
    """
    return _theorems.rate(_ALGORITHM, c, K, M, form)


def rate_proven(c: ProblemConstants, *, K: int, M: int, T: int) -> float:
    """Return the paper's rate with the smaller constant that its proof gives.

    Corollary 4, under its own steplength and K:
    (sqrt(2) (1 + L_max/L_T) + 1/2) sqrt(gap L_T n/(M K)) sigma (without the 1/2 for T = 0), at
    most 3.33 where the paper has sqrt(72) = 8.49.

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
    >>> c = theory.ProblemConstants(gap=1.0, sigma=2.0, L=2.0, n=16, L_max=1.0, L_T=2.0)
    >>> round(theory.incon.rate_proven(c, K=400, M=1, T=4), 4)
    1.4828
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
    >>> c = theory.ProblemConstants(gap=1.0, sigma=2.0, L=2.0, n=16, L_max=1.0, L_T=2.0)
    >>> theory.incon.workers_max(c, K=256, M=1)
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
    >>> c = theory.ProblemConstants(gap=1.0, sigma=2.0, L=2.0, n=16, L_max=1.0, L_T=2.0)
    >>> p = theory.incon.prescribe(c, K=800, M=1, T=4)
    >>> p.gamma, p.certificate.holds
    (0.1, True)
    >>> theory.incon.prescribe(c, K=20, M=1, T=4).certificate.holds
    False
    """
    return _certify.prescribe(_ALGORITHM, c, K, M, T, form)
