"""The noisy quadratic, on which everything can be computed exactly."""

from __future__ import annotations

from functools import cached_property
from itertools import combinations
from math import comb, inf, sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _check
from .._check import Vector
from .._core import quadratic as _compiled
from ..errors import InvalidArgument
from ._bounds import EPS, top_eigenvalue
from ._stream import Stream

ENUMERATION_LIMIT = 2000  # most coordinate sets over which L_T is maximised one by one


class Quadratic(Stream):
    """f(x) = (x - x*)' H (x - x*) / 2 with additive gradient noise.

    H may be indefinite; then f has no lower bound and `constants` refuses. All constants are
    exact up to rounding: L = ||H||, L_max = max |H_ii|, and L_T = max ||H[:, S]|| over the sets
    S of T coordinates where they can be enumerated (else an upper bound by row sums and traces of
    H^2). A contiguous float64 H is used in place.

    Parameters
    ----------
    H : array_like, shape (n,) or (n, n)
        The diagonal, or a symmetric matrix.
    x_star : array_like, shape (n,), optional
        The stationary point, zero by default.
    sigma : float
        Standard deviation of the gradient noise, at least 0.
    noise : str
        Its law, see `Stream`.

    Raises
    ------
    InvalidArgument
        If H is not symmetric or finite or is zero, or another argument does not fit.

    Examples
    --------
    >>> from asysg.objectives import Quadratic
    >>> f = Quadratic([[2.0, 1.0], [1.0, 2.0]], sigma=0.5)
    >>> f.gradient([1.0, 0.0])
    array([2., 1.])
    >>> round(f.L, 9), f.L_max, f.sigma
    (3.0, 2.0, 0.5)
    """

    def __init__(
        self,
        H: ArrayLike,
        x_star: ArrayLike | None = None,
        sigma: float = 0.0,
        noise: str = "gaussian",
    ) -> None:
        self._set_noise(sigma, noise)
        given = np.asarray(H)
        square = given.ndim == 2 and given.shape[0] == given.shape[1]
        flat = _check.vector(
            "H",
            given.reshape(-1) if square else given,
            None,
            remedy="Give the diagonal, shape (n,), or a symmetric matrix, shape (n, n).",
        )
        n = given.shape[0]
        if square and not np.array_equal(flat.reshape(n, n), flat.reshape(n, n).T):
            raise InvalidArgument.of("H", "must be symmetric", H, "Give (H + H.T) / 2.")
        self._build(flat, n, x_star, square)

    @classmethod
    def isotropic(
        cls,
        n: int,
        L: float = 1.0,
        sigma: float = 0.0,
        noise: str = "gaussian",
        x_star: ArrayLike | None = None,
    ) -> Quadratic:
        """Return L ||x - x*||^2 / 2 in n variables, which stores one number for H.

        Parameters
        ----------
        n : int
            Number of coordinates, at least 1.
        L : float
            Any nonzero curvature.
        sigma, noise, x_star
            As for the class.
        """
        n = _check.integer("n", n, least=1, remedy="It is the number of coordinates.")
        L = _check.number("L", L, remedy="It is the curvature.")
        self = cls.__new__(cls)
        self._set_noise(sigma, noise)
        self._build(np.array([L]), n, x_star, dense=False)
        return self

    def _build(self, flat: Vector, n: int, x_star: Any, dense: bool) -> None:
        if not flat.any():
            raise InvalidArgument.of("H", "must not be zero", 0.0, "A constant has no minimiser.")
        centre = _check.vector(
            "x_star",
            np.zeros(n) if x_star is None else x_star,
            n,
            remedy="Give one number per coordinate.",
        )
        self._flat, self._dense = flat, dense and n > 1
        self._kernel = _compiled.Quadratic(flat, centre, self.sigma, self.noise)

    @property
    def _matrix(self) -> Vector:
        return self._flat.reshape(self.n, self.n)

    @cached_property
    def lower_bound(self) -> float:
        """0 if H is positive semidefinite up to rounding, else -inf."""
        if not self._dense:
            return 0.0 if self._flat.min() >= 0 else -inf
        slack = 8 * self.n * EPS * float(np.linalg.norm(self._flat))
        return 0.0 if top_eigenvalue(-self._matrix) <= slack else -inf

    @cached_property
    def L(self) -> float:
        """||H||, exact up to an allowance for rounding."""
        if not self._dense:
            return float(np.abs(self._flat).max())
        return max(top_eigenvalue(self._matrix), top_eigenvalue(-self._matrix))

    @cached_property
    def L_max(self) -> float:
        """Max |H_ii|."""
        diagonal = np.diagonal(self._matrix) if self._dense else self._flat
        return float(np.abs(diagonal).max())

    def _L_T(self, T: int) -> float:
        if not self._dense:
            return self.L
        square = self._matrix @ self._matrix  # ||H[:, S]||^2 = lambda_max(square[S, S])
        if comb(self.n, T) <= ENUMERATION_LIMIT:
            sets = map(list, combinations(range(self.n), T))
            return sqrt(max(top_eigenvalue(square[np.ix_(S, S)]) for S in sets))
        # lambda_max is at most the largest row sum of |square[S, S]| and at most its trace.
        rows = np.sort(np.abs(square), axis=1)[:, -T:].sum(axis=1)
        trace = np.sort(np.diagonal(square))[-T:].sum()
        return sqrt(min(rows.max(), trace)) * (1 + 4 * self.n * EPS)
