"""Theorem S: the supremum Phi that the three inequalities of the proof leave."""

from __future__ import annotations

import math

import scipy


def phi(R0: float, N: float, a: float, sw: float, sg: float, rho: float) -> float:
    """Return sup over B >= 0 of min{R0 + D(B) - (1-a) B, (sqrt B + sqrt D(B))^2}.

    D(B) = P + 2 rho sqrt(P sg B) + sg B with P = N + sw B. The first function is concave, the
    second increasing, so the supremum is the first's maximum if the second is above it there, and
    else the one crossing to its right.
    """
    unit = R0 + N
    if unit == 0 or unit == math.inf:
        return unit
    R0, N = R0 / unit, N / unit  # Phi is homogeneous of degree 1 in (R0, N)

    def staleness(B: float) -> float:
        P = N + sw * B
        return P + 2 * rho * math.sqrt(P * sg * B) + sg * B

    def excess(B: float) -> float:
        # (sqrt B + sqrt D)^2 - first, with R0 + D taken out of both
        return (2 - a) * B + 2 * math.sqrt(B * staleness(B)) - R0

    e = 1 - a - sw - sg  # the first function is R0 + N + 2 rho sqrt(P sg B) - e B
    q = rho * rho * sg
    if q * N > 0:
        # Put B = (N / 2 sw)(cosh t - 1) to find its maximum, and where it is.
        rest = e * e - 4 * q * sw
        peak = R0 + N + 2 * N * q / (e + math.sqrt(max(rest, 0.0))) if e > 0 else math.inf
        if e <= 0 or rest <= 0:  # the boundary of the condition: a limit, B -> infinity
            return unit * peak
        B0 = N * (q / rest) * 2 / (1 + math.sqrt(1 + 4 * q * sw / rest))
    else:
        peak, B0 = R0 + N, 0.0  # affine, not increasing
    if excess(B0) >= 0:
        return unit * peak
    # excess increases from -R0 and is at least (2 - a) B - R0, a <= 1.
    B = float(scipy.optimize.brentq(excess, B0, 2 * R0, xtol=1e-300, rtol=1e-14))
    return unit * (R0 + staleness(B) - (1 - a) * B)
