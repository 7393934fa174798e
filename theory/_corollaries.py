"""The corollaries: a steplength in closed form, and how many updates it needs.

Whether K updates suffice for a delay of T is decided in rational arithmetic on the floats given,
so that `K_min` is the smallest and `T_max` the largest whole number, whatever their size.
"""

from __future__ import annotations

import math
import sys
from fractions import Fraction

from ._constants import ProblemConstants
from ._frame import LARGEST, Frame, gamma_max

# The constants are floats: a K that misses the demand by less than their rounding is enough.
_SLACK = 1 + 4 * Fraction(sys.float_info.epsilon)

# No delay beyond this is looked for: nothing could record it.
_COUNTABLE = 2**63 - 1


def _sqrt(q: Fraction) -> Fraction:
    """Square root to 200 bits or more, from below."""
    scale = 1 << (400 + max(0, q.denominator.bit_length() - q.numerator.bit_length()))
    return Fraction(math.isqrt(q.numerator * scale * scale // q.denominator), scale)


def demand(f: Frame, form: str) -> Fraction | None:
    """Return the number that K has to reach, None if no K does (no noise, or p^2 T / l too large).

    Source: con paper 4 M L gap (T+1)^2 / s2; incon paper 16 gap L_T M (n + 4 T^2/sqrt n) / s2;
    the others (2 p M l gap / s2) times the square of the larger of two numbers, chosen so that
    a + (stale terms) <= 1 and the staleness noise is at most the noise of the update itself.
    """
    c = f.c
    if c.gap == 0:
        return Fraction(0)
    if c.sigma == 0:
        return None
    p, T, l, Lam = map(Fraction, (f.p, f.T, f.l, f.Lam))  # noqa: E741
    unit = f.M * Fraction(c.gap) / Fraction(c.sigma) ** 2
    if form == "paper" and f.algorithm == "con":
        return 4 * unit * l * (T + 1) ** 2
    if form == "paper":
        return 16 * unit * Lam * (p + 4 * T * T / _sqrt(p))
    if form == "robust":
        steps, stale = Fraction(2), T * T / p
    else:
        rho = _sqrt((T - 1) / (2 * T)) if T > 1 and form in ("plus", "sharp") else Fraction(0)
        steps, stale = (2 * p + T - 1) / p, (1 + rho) * T / p
    if l == 0:  # every partial derivative is constant along its own coordinate
        return None if stale * Lam > 0 else Fraction(0)
    return 2 * p * unit * l * max(steps, (Lam / l) ** 2 * stale) ** 2


def suffices(f: Frame, form: str, K: int) -> bool:
    """Tell whether K updates are enough for the corollary."""
    need = demand(f, form)
    return need is not None and need <= K * _SLACK


def K_min(f: Frame, form: str) -> int | None:
    """Smallest K that suffices, None if there is none."""
    need = demand(f, form)
    return None if need is None else max(1, math.ceil(need / _SLACK))


def T_max(algorithm: str, c: ProblemConstants, form: str, K: int, M: int) -> int:
    """Largest T that K updates suffice for, -1 if none; K - 1 without a gap."""

    def enough(T: int) -> bool:
        return suffices(Frame(algorithm, c, M, T), form, K)

    if c.gap == 0:
        return K - 1
    if not enough(0):
        return -1
    low, high = 0, 1
    while enough(high):
        low, high = high, 2 * high
        if high > _COUNTABLE:
            return _COUNTABLE
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if enough(middle) else (low, middle)
    return low


def gamma_prescribed(f: Frame, form: str, K: int) -> float:
    """The corollary's steplength; gamma_max without noise, 0 without a gap."""
    c = f.c
    if c.sigma == 0:
        return min(gamma_max(f, form), LARGEST)
    if c.gap == 0:
        return 0.0
    if form == "paper":
        blocks = 2 * f.p if f.algorithm == "incon" else 1
        smooth = f.Lam
    else:
        blocks, smooth = 2 * f.p, f.l
    if smooth == 0:
        return LARGEST
    return min(math.sqrt(blocks / K / f.M * c.gap / smooth) / c.sigma, LARGEST)


def rate(f: Frame, form: str, K: int) -> float:
    """Right-hand side of the corollary."""
    if form == "paper":
        factor, smooth = (math.sqrt(72.0), f.Lam) if f.algorithm == "incon" else (4.0, f.l)
    else:
        factor, smooth = 3 * math.sqrt(2.0), f.l
    return factor * _unit(f, smooth, K)


def rate_proven(f: Frame, K: int) -> float:
    """Corollary 2 or 4 with the constant that its proof gives."""
    if f.algorithm == "con":
        return (3 + f.T / (f.T + 1)) * _unit(f, f.l, K)
    if f.Lam == 0:
        return 0.0
    late = 0.5 if f.T else 0.0
    return (math.sqrt(2.0) * (1 + f.l / f.Lam) + late) * _unit(f, f.Lam, K)


def _unit(f: Frame, smooth: float, K: int) -> float:
    # Square roots first: gap times L may leave the range of floats where the result does not.
    root = math.sqrt(f.p / K / f.M) * math.sqrt(f.c.gap) * math.sqrt(smooth)
    return root * f.c.sigma if f.c.sigma > 0 else 0.0
