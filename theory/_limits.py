"""Where the moments of an isotropic quadratic go if every delay is the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ._check import choice, number, whole
from ._errors import InvalidArgument
from ._frame import ALGORITHMS


@dataclass(frozen=True)
class Limits:
    """What `isotropic` tends to with a constant delay.

    Source: documentation, "Exact moments on quadratics".

    Parameters
    ----------
    noise : float
        Limit of E||grad f(x_k)||^2, over sigma^2.
    start : float
        Sum over all k of E||grad f(x_k)||^2 without noise, over ||x_1 - x*||^2.
    """

    noise: float
    start: float


def limits(
    lam: float, *, gamma: float, M: int, T: int, n: int = 1, algorithm: str = "con"
) -> Limits:
    """Return where the moments of an isotropic quadratic go if every delay is T.

    The products E<x_{k-s} - x*, x_{k-t} - x*> obey a linear recursion of dimension
    (T + 1)(T + 2)/2, so the stationary point and the sum over all time are two linear systems.

    Proof: documentation, "Exact moments on quadratics".

    Parameters
    ----------
    lam : float
        Curvature, above 0.
    gamma : float
        Steplength, above 0.
    M, T : int
        Samples per update (>= 1), the delay (>= 0).
    n : int, optional
        Number of coordinates; matters for incon only.
    algorithm : str, optional
        "con" or "incon".

    Returns
    -------
    Limits
        Exact up to rounding.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges, or a steplength at which the moments grow.

    Examples
    --------
    >>> from asysg.theory import moments
    >>> found = moments.limits(1.0, gamma=0.5, M=1, T=0)
    >>> round(found.noise, 12), round(found.start, 12)
    (0.333333333333, 1.333333333333)
    """
    curvature, g = number("lam", lam, strict=True), number("gamma", gamma, strict=True)
    M, T, n = whole("M", M, low=1), whole("T", T, low=0), whole("n", n, low=1)
    p = n if choice("algorithm", algorithm, ALGORITHMS) == "incon" else 1
    W = T + 1
    rows, columns = np.triu_indices(W)
    size = rows.size
    S = np.zeros((W, W, size))  # one matrix for every unit of the state
    S[rows, columns, np.arange(size)] = S[columns, rows, np.arange(size)] = 1
    h = g * curvature / p * M
    new = np.empty_like(S)
    new[1:, 1:] = S[:-1, :-1]
    new[0, 1:] = new[1:, 0] = (S[0] - h * S[T])[:-1]
    new[0, 0] = S[0, 0] - 2 * h * S[T, 0] + (g * curvature * M) ** 2 / p * S[T, T]
    step = new[rows, columns]
    if np.abs(np.linalg.eigvals(step)).max() >= 1:
        raise InvalidArgument.of("gamma", "must be below the limit of stability", gamma)
    unit = curvature * curvature
    noise = np.zeros(size)
    noise[0] = g * g * M / p
    ends = np.linalg.solve(np.eye(size) - step, np.array([noise, np.ones(size)]).T)
    return Limits(noise=float(unit * ends[0, 0]), start=float(unit * ends[0, 1]))
