"""AsySG-con against delays that depend on the run: beyond form "robust" of `con`.

Form "robust" lets delays depend on everything that happened before an update. Lemma 2D gives the
same with a factor that does not grow with T, and Theorem V also allows delays that depend on
the samples being drawn, for which the samples themselves have to be smooth. (Delays that depend on
the current samples, with rough noise, leave no bound at all.)
"""

from __future__ import annotations

import math

from ._check import ROUNDING, number, whole
from ._constants import ProblemConstants
from ._theorems import frame

__all__ = ["doob_bound", "doob_gamma_max", "sample_bound", "sample_gamma_max"]


def doob_gamma_max(c: ProblemConstants, *, M: int, T: int) -> float:
    """Return the largest steplength of `doob_bound`, 2/(L M (1 + sqrt(1 + 8 T^2))).

    Lemma 2D put into the summed descent. Proof: documentation, "The theorems", after Theorem R.

    Parameters
    ----------
    c : ProblemConstants
        Constants of the problem.
    M, T : int
        Samples per update (>= 1), bound on the delays (>= 0).

    Returns
    -------
    float
        That of Theorem 1.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges.

    Examples
    --------
    >>> from asysg import theory
    >>> c = theory.ProblemConstants(gap=1.0, sigma=1.0, L=1.0)
    >>> theory.adversarial.doob_gamma_max(c, M=1, T=1)
    0.5
    """
    f = frame("con", c, M, T)
    return 2 / (1 + math.hypot(1.0, math.sqrt(8.0) * f.T)) / c.L / f.M


def doob_bound(gamma: float, c: ProblemConstants, *, K: int, M: int, T: int) -> float:
    """Return the bound of Lemma 2D, by Doob's inequality: delays that depend on the past.

    Lemma 2D put into the summed descent. Proof: documentation, "The theorems", after Theorem R.

    With a = L M gamma and N = L^2 M T gamma^2 sigma^2: a + 2 (a T)^2 <= 1 gives
    (1/K) sum E||grad f(x_k)||^2 <= 2 gap/(K M gamma) + L gamma sigma^2 + 18 N. Reads are x_{k-tau}
    with tau <= T chosen by anyone who knows all before update k; better than form "robust" for
    T > 18.

    Parameters
    ----------
    gamma : float
        Steplength, at least 0.
    c : ProblemConstants
        Constants of the problem.
    K, M, T : int
        Updates (>= 1), samples per update (>= 1), bound on the delays (>= 0).

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
    >>> theory.adversarial.doob_bound(0.25, c, K=16, M=1, T=1)
    1.875
    """
    g, K, f = number("gamma", gamma), whole("K", K, low=1), frame("con", c, M, T)
    a = c.L * f.M * g
    stale = a * f.T
    if a + 2 * stale * stale > 1 + ROUNDING:
        return math.inf
    return _start(c, K, f.M, g) + c.L * g * c.sigma * c.sigma * (1 + 18 * stale)


def sample_gamma_max(c: ProblemConstants, *, L_sample: float, M: int, T: int) -> float:
    """Return the largest steplength of `sample_bound`, min{1/(8 L M), 1/(sqrt(20) L_sample M T)}.

    The conditions of Theorem V. Proof: documentation, "The theorems".

    Parameters
    ----------
    c : ProblemConstants
        Constants of the problem.
    L_sample : float
        Lipschitz constant of every single stochastic gradient, above 0.
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
    >>> theory.adversarial.sample_gamma_max(c, L_sample=2.0, M=1, T=0)
    0.125
    """
    f, rough = frame("con", c, M, T), number("L_sample", L_sample, strict=True)
    return 1 / max(8 * c.L, math.sqrt(20) * rough * f.T) / f.M


def sample_bound(
    gamma: float, c: ProblemConstants, *, L_sample: float, K: int, M: int, T: int
) -> float:
    """Return the bound of Theorem V: delays that may depend on the samples being drawn.

    Suppose ||G(x, xi) - G(y, xi)|| <= L_sample ||x - y|| for every xi, xi_{k,m} independent of the
    past, and delays in 0..T chosen by anyone who also sees xi_{k,m}. If L M gamma <= 1/8 and
    (L_sample M gamma T)^2 <= 1/20, then (1/K) sum E||grad f(x_k)||^2 <=
    4 gap/(K M gamma) + 4 L gamma sigma^2 + 10 L_sample^2 M T^2 gamma^2 sigma^2.

    Proof: documentation, "The theorems".

    Parameters
    ----------
    gamma : float
        Steplength, at least 0.
    c : ProblemConstants
        Constants of the problem.
    L_sample : float
        Lipschitz constant of every single stochastic gradient, above 0.
    K, M, T : int
        Updates (>= 1), samples per update (>= 1), bound on the delays (>= 0).

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
    >>> theory.adversarial.sample_bound(0.125, c, L_sample=1.0, K=64, M=1, T=1)
    1.15625
    """
    g, K, f = number("gamma", gamma), whole("K", K, low=1), frame("con", c, M, T)
    stale = number("L_sample", L_sample, strict=True) * g * f.T
    if max(8 * c.L * f.M * g, math.sqrt(20) * f.M * stale) > 1 + ROUNDING:
        return math.inf
    late = stale * c.sigma
    return 2 * _start(c, K, f.M, g) + 4 * c.L * g * c.sigma * c.sigma + 10 * f.M * late * late


def _start(c: ProblemConstants, K: int, M: int, g: float) -> float:
    return 0.0 if c.gap == 0 else math.inf if g == 0 else 2 / K / M * c.gap / g
