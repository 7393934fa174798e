"""One frame for both algorithms: every bound is R0 + c N, every condition a + r^2 g^2 <= 1.

p is the number of blocks an update is drawn from (con: 1, the whole vector; incon: n, one
coordinate), l the descent constant and Lam the staleness constant. Then, with g the steplength,

    a  = M l g,     R0 = 2 p gap / (K M g) + l g sigma^2,     N = Lam^2 M T g^2 sigma^2 / p,
    sw = (M Lam g)^2 T (p - 1) / p^2,     sg = (M Lam g)^2 T^2 / p^2,
    rho = sqrt((T - 1) / (2 T))  (0 for T <= 1).

Products of a large and a tiny constant are never formed (sigma^2 of a sigma of 1e-200 is 0), so
the formulas hold over the whole range of floats; what does overflow becomes inf, never NaN.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Literal, get_args

import scipy

from ._check import ROUNDING
from ._constants import ProblemConstants
from ._sharp import phi

Algorithm = Literal["con", "incon"]
Form = Literal["paper", "plus", "constant_delay", "sharp", "uniform", "robust"]
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)
#: The theorems of both algorithms. Source: documentation, "The theorems".
FORMS: tuple[Form, ...] = get_args(Form)
LARGEST = sys.float_info.max


@dataclass(frozen=True)
class Frame:
    """An algorithm, its constants, a batch size and a delay bound."""

    algorithm: str
    c: ProblemConstants
    M: int
    T: int

    @property
    def p(self) -> int:
        """Number of blocks."""
        return self.c.n if self.algorithm == "incon" else 1

    @property
    def l(self) -> float:  # noqa: E743  (THEORY's letter)
        """Descent constant."""
        return self.c.L_max if self.algorithm == "incon" else self.c.L

    @property
    def Lam(self) -> float:
        """Staleness constant."""
        return self.c.L_T if self.algorithm == "incon" else self.c.L

    @property
    def rho(self) -> float:
        """Correlation of the two parts of the staleness, 0 for T <= 1, below 0.7072."""
        return math.sqrt((self.T - 1) / (2 * self.T)) if self.T > 1 else 0.0

    def noise_factor(self, form: str) -> float:
        """The c of R0 + c N."""
        factors = {"paper": 2.0, "plus": 1 + self.rho, "robust": float(self.T)}
        return factors.get(form, 1.0)

    def slope(self) -> float:
        """P1 of the condition P1 g + (r g)^2 <= 1."""
        return self.M * self.l

    def curvature(self, form: str) -> float:
        """The r of the condition P1 g + (r g)^2 <= 1."""
        p, T = float(self.p), float(self.T)
        if form == "paper" and self.algorithm == "incon":  # Young's form
            root = math.sqrt(2 * T) * math.sqrt(math.sqrt(p) + T - 1) / p**0.75
        elif form == "paper":
            root = math.sqrt(2.0) * T
        elif form == "robust":
            root = T / math.sqrt(p)
        elif form == "sharp":
            cross = 2 * self.rho * math.sqrt(T * (p - 1)) / p * (T / p)
            root = math.sqrt(T * (p - 1) / p / p + cross + (T / p) * (T / p))
        else:
            factor = 1 + self.rho if form == "plus" else 1.0
            root = math.sqrt(factor * T) * math.sqrt(p + T - 1) / p
        return self.M * self.Lam * root if T else 0.0


def condition(f: Frame, form: str, g: float) -> float:
    """Left-hand side of the steplength condition lhs <= 1."""
    if g == 0:
        return 0.0
    stale = f.curvature(form) * g
    return f.slope() * g + stale * stale


def holds(lhs: float) -> bool:
    """Tell whether lhs <= 1 up to the rounding of lhs."""
    return lhs <= 1 + ROUNDING


def gamma_max(f: Frame, form: str) -> float:
    """Largest g with P1 g + (r g)^2 <= 1."""
    P1 = f.slope()
    twice = P1 + math.hypot(P1, 2 * f.curvature(form))
    return 2 / twice if twice > 0 else math.inf


def _parts(f: Frame, K: int, g: float) -> tuple[float, float]:
    """R0 and N."""
    c = f.c
    start = 0.0 if c.gap == 0 else math.inf if g == 0 else 2 * f.p / K / f.M * c.gap / g
    stale = f.Lam * g * c.sigma
    return start + f.l * g * c.sigma * c.sigma, f.T / f.p * f.M * stale * stale


def bound(f: Frame, form: str, K: int, g: float) -> float:
    """The ergodic bound, inf where the condition fails."""
    lhs = condition(f, form, g)
    if not holds(lhs):
        return math.inf
    R0, N = _parts(f, K, g)
    if form == "sharp":
        T, p = float(f.T), float(f.p)
        x = f.M * f.Lam * g / p
        return phi(R0, N, f.slope() * g, x * x * T * (p - 1), x * x * T * T, f.rho)
    if form == "uniform":
        return (R0 + N) / (2 - lhs)
    return R0 + f.noise_factor(form) * N


def gamma_opt(f: Frame, form: str, K: int) -> float:
    """The g in [0, gamma_max] that minimises `bound`."""
    top = min(gamma_max(f, form), LARGEST)
    c = f.c
    if c.sigma == 0 and form not in ("uniform", "sharp"):
        return top
    if c.gap == 0:
        return top if c.sigma == 0 else 0.0
    if form == "sharp":
        return _sharp_opt(f, K, top)
    # The two steps where c1/g meets c2 g and 2 c3 g^2: the only scales of the problem.
    start = 2 * f.p / K / f.M * c.gap
    g2 = g3 = math.inf
    if f.l * c.sigma > 0:
        g2 = math.sqrt(start / f.l) / c.sigma
    if f.T > 0 and f.Lam > 0 and c.sigma > 0:
        c3 = f.noise_factor(form) * f.T / f.p * f.M
        root = math.cbrt(f.Lam) * math.cbrt(c.sigma)
        g3 = math.cbrt(start) / math.cbrt(2 * c3) / root / root
    g0 = min(g2, g3)
    if g0 == 0:  # a gap that underflows is no gap
        return 0.0
    if form == "uniform":
        return _uniform_opt(f, min(g0, top), g2, g3)
    if g0 == math.inf:
        return top
    quadratic, cubic = (g0 / g2) ** 2, (g0 / g3) ** 3
    # g = t g0; the larger of the two coefficients is 1, so the root lies in [1/2, 1].
    t = scipy.optimize.brentq(lambda t: t * t * (cubic * t + quadratic) - 1, 0.5, 1.0, xtol=1e-15)
    return min(float(t) * g0, top)


def _uniform_opt(f: Frame, top: float, g2: float, g3: float) -> float:
    P1, r = f.slope(), f.curvature("uniform")
    if top == 0:  # constants at the end of the range of floats
        return top

    def slope(t: float) -> float:  # sign of the derivative of (c1/g + c2 g + c3 g^2)/(2 - a - s)
        g = t * top
        u, v = (g / g2) ** 2, (g / g3) ** 3 / 2
        a, s = P1 * g, (r * g) ** 2
        return (u + 2 * v - 1) * (2 - a - s) + (1 + u + v) * (a + 2 * s)

    if slope(1.0) <= 0:  # only by rounding: at top the derivative is not negative
        return top
    return float(scipy.optimize.brentq(slope, 0.0, 1.0, xtol=1e-15)) * top


def _sharp_opt(f: Frame, K: int, top: float) -> float:
    # In units where gap = L = 1: gamma is 1/L there, sigma^2 is L gap.
    c = f.c
    sigma = c.sigma / math.sqrt(c.L) / math.sqrt(c.gap)
    if sigma == math.inf:
        return gamma_opt(f, "plus", K)
    unit = ProblemConstants(1.0, sigma, 1.0, c.n, c.L_max / c.L, c.L_T / c.L)
    f = Frame(f.algorithm, unit, f.M, f.T)
    known = gamma_opt(f, "plus", K)
    # R0 <= 2 Phi (take B = R0/2), so wherever R0 exceeds twice a value of Phi that is known to be
    # reached there is no minimum: this leaves a bracket.
    reached = bound(f, "sharp", K, known)
    if not 0 < reached < math.inf:
        return min(known / c.L, top)
    edge = high = min(gamma_max(f, "sharp"), LARGEST)
    if f.l * sigma > 0:
        high = min(edge, 2 * reached / f.l / sigma / sigma)
    low = min(f.p / K / f.M / reached, known)
    if low == 0:  # more updates than floats can tell apart
        return min(known / c.L, top)
    start, stop = math.log(low), math.log(max(high, known))

    def value(u: float) -> float:
        return bound(f, "sharp", K, min(math.exp(u), edge))

    count = 64
    grid = [start + (stop - start) * i / count for i in range(count + 1)]
    best = min(range(count + 1), key=lambda i: value(grid[i]))
    left, right = grid[max(best - 1, 0)], grid[min(best + 1, count)]
    golden = (math.sqrt(5) - 1) / 2
    while right - left > 1e-9:  # the minimum is flat: 1e-18 in the bound
        a, b = right - golden * (right - left), left + golden * (right - left)
        left, right = (left, b) if value(a) <= value(b) else (a, right)
    found = [math.exp(u) for u in (left, right, grid[best])]
    g = min([known, *found], key=lambda g: bound(f, "sharp", K, min(g, edge)))
    return min(g / c.L, top)
