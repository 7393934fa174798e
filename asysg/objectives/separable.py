"""Sums of one wavy scalar function of every coordinate, straight or rotated."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check
from .._check import Vector
from .._core import separable as _compiled
from ._bounds import EPS
from ._stream import Stream


class _Wavy(Stream):
    """sum_i u(t_i), u(t) = bowl(t) + height (1 - cos(frequency t)), bowl'' in [0, steepness]."""

    # u'' is at most steepness + height frequency^2, attained at zero, and at least
    # -height frequency^2; u >= 0 = u(0).

    def _set_wave(
        self,
        n: Any,
        bowl: str,
        steepness: tuple[str, Any],
        height: Any,
        frequency: Any,
        noise: tuple[Any, Any],
        rotation: Vector | None = None,
    ) -> None:
        n = _check.integer("n", n, least=1, remedy="It is the number of coordinates.")
        top = _check.number(*steepness, above=0, remedy="It is the curvature of the bowl at zero.")
        height = _check.number("height", height, least=0, remedy="Use 0 for a plain bowl.")
        frequency = _check.number("frequency", frequency, above=0, remedy="Use height=0 for none.")
        self._set_noise(*noise)
        self.lower_bound = 0.0
        self.L = self.L_max = top + height * frequency**2
        self._kernel = _compiled.Separable(
            n, bowl, (top, height, frequency), self.sigma, self.noise, rotation
        )


class CosineQuadratic(_Wavy):
    """f(x) = sum_i curvature x_i^2 / 2 + height (1 - cos(frequency x_i)).

    L = L_max = L_T = curvature + height frequency^2, attained at x = 0, the minimiser; f is not
    convex if height frequency^2 > curvature. A partial derivative reads one coordinate.

    Parameters
    ----------
    n : int
        Number of coordinates, at least 1.
    curvature : float
        Of the bowl, > 0.
    height, frequency : float
        Of the waves, >= 0 and > 0.
    sigma : float
        Standard deviation of the gradient noise, at least 0.
    noise : str
        Its law, see `Stream`.

    Raises
    ------
    InvalidArgument
        If an argument is out of range.

    Examples
    --------
    >>> from asysg.objectives import CosineQuadratic
    >>> f = CosineQuadratic(3, curvature=1.0, height=1.0, frequency=2.0)
    >>> f.value([0.0, 0.0, 0.0]), f.L
    (0.0, 5.0)
    >>> f.support(0, 1)
    array([1])
    """

    def __init__(
        self,
        n: int,
        curvature: float = 1.0,
        height: float = 1.0,
        frequency: float = 2.0,
        sigma: float = 0.0,
        noise: str = "gaussian",
    ) -> None:
        steepness = ("curvature", curvature)
        self._set_wave(n, "cosine", steepness, height, frequency, (sigma, noise))


class HuberCosine(_Wavy):
    """f(x) = sum_i slope (sqrt(1 + x_i^2) - 1) + height (1 - cos(frequency x_i)).

    L = L_max = L_T = slope + height frequency^2, attained at x = 0, the minimiser. Far out f grows
    only linearly, with slope `slope`.

    Parameters
    ----------
    n : int
        Number of coordinates, at least 1.
    slope : float
        Far out, and curvature of the bowl at zero, > 0.
    height, frequency : float
        Of the waves, >= 0 and > 0.
    sigma : float
        Standard deviation of the gradient noise, at least 0.
    noise : str
        Its law, see `Stream`.

    Raises
    ------
    InvalidArgument
        If an argument is out of range.

    Examples
    --------
    >>> from asysg.objectives import HuberCosine
    >>> HuberCosine(2, slope=3.0, height=0.0).value([1e300, 0.0])
    3e+300
    """

    def __init__(
        self,
        n: int,
        slope: float = 1.0,
        height: float = 1.0,
        frequency: float = 2.0,
        sigma: float = 0.0,
        noise: str = "gaussian",
    ) -> None:
        self._set_wave(n, "huber", ("slope", slope), height, frequency, (sigma, noise))


class RotatedCosineQuadratic(_Wavy):
    """`CosineQuadratic` at Qx, Q a random rotation (uniform over the orthogonal matrices).

    The constants are the same, widened by how far Q is from orthogonal in floating point; every
    coordinate now matters to every partial derivative. Costs n^2 numbers and operations.

    Parameters
    ----------
    n : int
        Number of coordinates, at least 1.
    curvature : float
        Of the bowl, > 0.
    height, frequency : float
        Of the waves, >= 0 and > 0.
    sigma : float
        Standard deviation of the gradient noise, at least 0.
    noise : str
        Its law, see `Stream`.
    rng : optional
        Draws Q; anything that ``numpy.random.default_rng`` takes.

    Raises
    ------
    InvalidArgument
        If an argument is out of range.

    Examples
    --------
    >>> from asysg.objectives import RotatedCosineQuadratic
    >>> f = RotatedCosineQuadratic(4, rng=0)
    >>> f.value([0.0] * 4), round(f.L, 9)
    (0.0, 5.0)
    """

    def __init__(
        self,
        n: int,
        curvature: float = 1.0,
        height: float = 1.0,
        frequency: float = 2.0,
        sigma: float = 0.0,
        noise: str = "gaussian",
        rng: Any = None,
    ) -> None:
        n = _check.integer("n", n, least=1, remedy="It is the number of coordinates.")
        normal = np.random.default_rng(rng).standard_normal((n, n))
        Q, R = np.linalg.qr(normal)
        Q = np.ascontiguousarray(Q * np.sign(np.diagonal(R)))  # else the law is not uniform
        steepness = ("curvature", curvature)
        self._set_wave(n, "cosine", steepness, height, frequency, (sigma, noise), Q)
        # ||Q||^2 <= 1 + ||Q'Q - I||; the last term is the rounding of the product.
        defect = float(np.linalg.norm(Q.T @ Q - np.eye(n))) + n * n * EPS
        self.L = self.L_max = self.L * (1 + defect)
