"""The steplength and the least number of updates with which a bound reaches a target.

With y = gamma M, the bounds of AsySG-con with a constant step have the form

    2 gap/(K y) + n(y),  n(y) = L y sigma^2/M + b y^2 sigma^2/M,  if  L y + q y^2 <= 1;

where each iterate is read, Theorem U divides by 2 - L y - q y^2.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from ._check import ROUNDING, number, whole
from ._constants import ProblemConstants
from ._delay_aware import DelayProfile
from ._errors import InvalidArgument
from ._theorems import frame


class Plan(NamedTuple):
    """y = gamma M, and the number of updates with which the bound is at most eps."""

    y: float
    K: int
    fresh: bool  # by `fresh_read_bound`


def _curvatures(
    c: ProblemConstants, M: int, T: int, profile: DelayProfile | None
) -> tuple[float, float]:
    """Return q and b: of Theorem P, or of the schedule."""
    if profile is not None:
        return 2 * c.L * c.L * profile.C, 2 * c.L * c.L * profile.tau_avg
    b = frame("con", c, M, T).noise_factor("plus") * c.L * c.L * T
    return b * T, b


def fresh_read_bound(
    gamma: float,
    c: ProblemConstants,
    *,
    K: int,
    M: int,
    T: int,
    profile: DelayProfile | None = None,
) -> float:
    """Return the bound for AsySG-con where each worker reads what it has just written.

    Whoever delivers update k reads x_{k+1} at once, and delivers what it computes of it after T
    updates more at most. If a + s <= 1, then (1/K) sum E||grad f(x_k)||^2 <=
    [2 gap/(K M gamma) + (1 + T/K) (L gamma sigma^2 + N)]/(2 - a - s), with a = L M gamma and, as
    in Theorem P, s = (1+rho) (L M T gamma)^2, N = (1+rho) L^2 M T gamma^2 sigma^2; or with the
    schedule's s = 2 (L M gamma)^2 C, N = 2 L^2 M tau_avg gamma^2 sigma^2.

    Parameters
    ----------
    gamma : float
        Steplength, at least 0.
    c : ProblemConstants
        Constants of the problem.
    K, M, T : int
        Updates (>= 1), samples per update, all at one read (>= 1), bound on the delays (>= 0).
    profile : DelayProfile, optional
        Bounds of the schedule's constants; of a schedule T updates longer than K.

    Returns
    -------
    float
        At least 0; inf where the condition fails.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges.

    Notes
    -----
    Theorem U for the iterates that are read within the first K + T updates, which are the first K
    and others; these later updates change nothing of what is bounded. No gradient may be thrown
    away. Proof: documentation, "The planner: time to a target".

    Examples
    --------
    >>> from asysg import theory
    >>> c = theory.ProblemConstants(gap=1.0, sigma=0.0, L=1.0)
    >>> theory.planner.fresh_read_bound(0.5, c, K=8, M=1, T=1)
    0.4
    """
    g, K, f = number("gamma", gamma), whole("K", K, low=1), frame("con", c, M, T)
    q, b = _curvatures(c, f.M, f.T, profile)
    y = f.M * g
    load = c.L * y + q * y * y
    if load > 1 + ROUNDING:
        return math.inf
    start = 0.0 if c.gap == 0 else math.inf if g == 0 else 2 / K * c.gap / y
    return (start + (1 + f.T / K) * _noise(c, f.M, b, y)) / (2 - load)


def _noise(c: ProblemConstants, M: int, b: float, y: float) -> float:
    return (c.L * y + b * y * y) * c.sigma * (c.sigma / M)


def least_updates(eps: float, start: float, progress: float) -> int:
    """Return the least K >= 1 with start/K <= progress."""
    needed = start / progress if progress > 0 else math.inf if start > 0 else 0.0
    if not math.isfinite(needed):
        raise InvalidArgument.of("eps", "must be large enough for a finite number of updates", eps)
    return max(1, math.ceil(needed))


def without_delays(c: ProblemConstants, eps: float, B: int) -> Plan:
    """Return the plan of SGD with B samples per update, by Theorem U.

    (2 gap/(K y) + L y sigma^2/B)/(2 - L y) <= eps is K >= 2 gap/(y (2 eps - L y e)) with
    e = eps + sigma^2/B: the least at y = eps/(L e), admissible since L y <= 1.
    """
    y = eps / (c.L * (eps + c.sigma * (c.sigma / B)))
    return Plan(y, least_updates(eps, 2 * c.gap, y * eps), True)


def with_delays(
    c: ProblemConstants,
    eps: float,
    M: int,
    T: int,
    *,
    profile: DelayProfile | None = None,
    fresh: bool,
    top: float = math.inf,
) -> Plan:
    """Return the plan of AsySG-con with a step y of at most `top`; of the better theorem if fresh.

    By Theorem P (or of the schedule) K >= 2 gap/(y (eps - n(y))), by `fresh_read_bound`
    K >= 2 gap/(y (2 eps - eps L y - eps q y^2 - (1 + T/K) n(y))): both denominators are of the form
    of `_largest`. A larger K never spoils the second, so the least is found by halving.
    """
    if T == 0:
        return without_delays(c, eps, M)
    q, b = _curvatures(c, M, T, profile)
    top = min(top, 2 / (c.L + math.sqrt(c.L * c.L + 4 * q)))
    noise = c.sigma * (c.sigma / M)
    y, progress = _largest(eps, c.L * noise, b * noise, top)
    usual = Plan(y, least_updates(eps, 2 * c.gap, progress), False)
    if not fresh:
        return usual

    def fits(K: int) -> Plan | None:
        late = (1 + T / K) * noise
        y, progress = _largest(2 * eps, c.L * (eps + late), q * eps + b * late, top)
        return Plan(y, K, True) if 2 * c.gap / K <= progress else None

    best, low, high = fits(usual.K) or usual, 1, usual.K
    while best.fresh and low < high:
        middle = (low + high) // 2
        found = fits(middle)
        if found is None:
            low = middle + 1
        else:
            best, high = found, middle
    return best


def _largest(eps: float, alpha: float, beta: float, top: float) -> tuple[float, float]:
    """Return the y in (0, top] that maximises y (eps - alpha y - beta y^2), and the maximum."""
    divisor = alpha + math.sqrt(alpha * alpha + 3 * beta * eps)
    y = min(top, eps / divisor) if divisor > 0 else top
    return y, y * (eps - alpha * y - beta * y * y)
