r"""Regularisers and boxes: the proximal term of a run.

With ``prox=`` a run minimises :math:`f + h` instead of f, where

.. math:: h(x) = l_1 \|x\|_1 + \tfrac{l_2}{2} \|x\|^2, \qquad lower \le x \le upper.

An update ends with a proximal step, :math:`x_{k+1} = \mathrm{prox}_{\gamma_k M h}(x_k - \gamma_k
\sum_m G)`: the steplength multiplies the *sum* over the minibatch, hence h counts M times.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._check import number
from .errors import InvalidArgument

__all__ = ["Prox", "box", "elastic_net", "l1", "l2"]

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Prox:
    r"""The function h and its proximal step, entry by entry.

    Parameters
    ----------
    l1, l2 : float
        Weights of :math:`\|x\|_1` and :math:`\|x\|^2/2`, finite and at least 0.
    lower, upper : float or array of shape (n,)
        The box, ``lower <= x <= upper``; infinite where there is no bound.

    Raises
    ------
    InvalidArgument
        If a weight is negative or not finite, or the box is empty.

    References
    ----------
    Parikh, Boyd, "Proximal algorithms", Foundations and Trends in Optimization 1 (2014),
    sections 2.2 and 6.

    Examples
    --------
    >>> import numpy as np
    >>> from asysg.prox import Prox
    >>> h = Prox(l1=1.0, upper=2.0)
    >>> h.proximal(np.array([-3.0, 0.5, 4.0]), 1.0).tolist()
    [-2.0, 0.0, 2.0]
    """

    l1: float = 0.0
    l2: float = 0.0
    lower: float | Vector = -np.inf
    upper: float | Vector = np.inf

    def __post_init__(self) -> None:
        for name in ("l1", "l2"):
            object.__setattr__(self, name, number(name, getattr(self, name), least=0.0))
        for name, never in (("lower", np.inf), ("upper", -np.inf)):
            object.__setattr__(self, name, _bound(name, getattr(self, name), never))
        lower, upper = np.asarray(self.lower), np.asarray(self.upper)
        if lower.ndim and upper.ndim and lower.shape != upper.shape:
            raise InvalidArgument.of(
                "upper", f"must have the shape of lower, {lower.shape}", upper.shape
            )
        if not (lower <= upper).all():
            i = int(np.flatnonzero(~np.atleast_1d(lower <= upper))[0])
            low, high = (float(np.atleast_1d(b)[i if b.ndim else 0]) for b in (lower, upper))
            raise InvalidArgument.of("upper", f"must be >= lower = {low}", high)

    def __str__(self) -> str:
        said = [
            f"{name} = {value:g}" for name, value in (("l1", self.l1), ("l2", self.l2)) if value
        ]
        if self.has_box:
            low, high = (
                f"{bound:g}" if isinstance(bound, float) else "one an entry"
                for bound in (self.lower, self.upper)
            )
            said.append(f"box [{low}, {high}]")
        return ", ".join(said) or "nothing"

    @property
    def has_box(self) -> bool:
        """Whether there is any bound."""
        return bool(np.isfinite(self.lower).any() or np.isfinite(self.upper).any())

    def value(self, x: ArrayLike) -> float:
        """Return h(x), inf outside the box.

        Parameters
        ----------
        x : array of shape (n,)
            Where to evaluate.

        Returns
        -------
        float
        """
        x = np.asarray(x, dtype=np.float64)
        if not ((self.lower <= x) & (x <= self.upper)).all():
            return float("inf")
        # Not dot products, which are a task for BLAS's own threads.
        return float(self.l1 * np.abs(x).sum() + self.l2 / 2 * np.square(x).sum())

    def proximal(self, v: Vector, t: float | Vector) -> Vector:
        """Return the x that minimises ``t h(x) + ||x - v||^2 / 2``.

        Parameters
        ----------
        v : array of shape (n,)
            Where the step begins.
        t : float, or array of shape (n,)
            At least 0; in a run the steplength times the batch size.

        Returns
        -------
        ndarray of shape (n,)
            ``clip(soft(v, t l1) / (1 + t l2), lower, upper)``.
        """
        a, b = t * self.l1, 1.0 + t * self.l2
        return _clip((v - _clip(v, -a, a)) / b, self.lower, self.upper)

    def gradient_mapping(self, x: Vector, gradient: Vector, t: float) -> Vector:
        """Return ``(x - proximal(x - t gradient, t)) / t``, for t = 0 its limit.

        The gradient itself where there is no h; 0 where x is stationary for f + h.

        Parameters
        ----------
        x : array of shape (n,)
            In the box.
        gradient : array of shape (n,)
            Of f at x.
        t : float
            At least 0.

        Returns
        -------
        ndarray of shape (n,)
        """
        if t > 0:
            return (x - self.proximal(x - t * gradient, t)) / t
        bent = gradient - _clip(gradient, -self.l1, self.l1)
        found = np.where(x != 0, gradient + self.l2 * x + self.l1 * np.sign(x), bent)
        found = np.where(x <= self.lower, np.minimum(found, 0.0), found)
        return np.where(x >= self.upper, np.maximum(found, 0.0), found)

    def entry(self, i: int) -> Prox:
        """Return what h is of entry i alone."""
        lower, upper = (
            bound if isinstance(bound, float) else float(bound[i])
            for bound in (self.lower, self.upper)
        )
        return Prox(self.l1, self.l2, lower, upper)

    def bounds(self, n: int) -> tuple[Vector, Vector]:
        """Return the box as two arrays, of one entry or both of n.

        Raises
        ------
        InvalidArgument
            If it has another number of entries.
        """
        size = n if np.ndim(self.lower) or np.ndim(self.upper) else 1
        for name, bound in (("lower", self.lower), ("upper", self.upper)):
            if np.ndim(bound) and np.shape(bound) != (n,):
                raise InvalidArgument.of(
                    name, f"must be a number or an array of shape ({n},)", np.shape(bound)
                )
        lower, upper = (np.broadcast_to(bound, size) for bound in (self.lower, self.upper))
        return np.ascontiguousarray(lower), np.ascontiguousarray(upper)

    @property
    def identity(self) -> str:
        """What tells it from any other h."""
        sizes = hashlib.sha256()
        for bound in (self.lower, self.upper):
            sizes.update(f"{np.shape(bound)}".encode() + np.asarray(bound).tobytes())
        return f"l1 {self.l1!r}, l2 {self.l2!r}, box {sizes.hexdigest()}"


def l1(weight: float) -> Prox:
    """Return h(x) = weight * ||x||_1, which makes entries exactly 0.

    Parameters
    ----------
    weight : float
        Finite, at least 0.

    Returns
    -------
    Prox

    Raises
    ------
    InvalidArgument
        If it is not.

    Examples
    --------
    >>> from asysg import prox
    >>> str(prox.l1(0.1))
    'l1 = 0.1'
    """
    return Prox(l1=weight)


def l2(weight: float) -> Prox:
    """Return h(x) = weight * ||x||^2 / 2 (ridge, weight decay).

    Parameters
    ----------
    weight : float
        Finite, at least 0.

    Returns
    -------
    Prox

    Raises
    ------
    InvalidArgument
        If it is not.

    Examples
    --------
    >>> from asysg import prox
    >>> str(prox.l2(0.1))
    'l2 = 0.1'
    """
    return Prox(l2=weight)


def box(lower: float | ArrayLike = -np.inf, upper: float | ArrayLike = np.inf) -> Prox:
    """Return the constraint lower <= x <= upper.

    Parameters
    ----------
    lower, upper : float or array of shape (n,)
        The bounds of every entry, or of each.

    Returns
    -------
    Prox

    Raises
    ------
    InvalidArgument
        If the box is empty.

    Examples
    --------
    >>> from asysg import prox
    >>> str(prox.box(0, 1))
    'box [0, 1]'
    """
    return Prox(lower=lower, upper=upper)  # type: ignore[arg-type]


def elastic_net(weight: float, ratio: float) -> Prox:
    """Return h(x) = weight * (ratio * ||x||_1 + (1 - ratio) * ||x||^2 / 2).

    Parameters
    ----------
    weight : float
        Finite, at least 0.
    ratio : float
        In 0..1.

    Returns
    -------
    Prox

    Raises
    ------
    InvalidArgument
        If they are not.

    Examples
    --------
    >>> from asysg import prox
    >>> str(prox.elastic_net(1.0, 0.25))
    'l1 = 0.25, l2 = 0.75'
    """
    weight, ratio = number("weight", weight, least=0.0), number("ratio", ratio, least=0.0)
    if ratio > 1:
        raise InvalidArgument.of("ratio", "must lie in 0..1", ratio)
    return Prox(l1=weight * ratio, l2=weight * (1.0 - ratio))


def _bound(name: str, value: Any, never: float) -> float | Vector:
    """Return one side of a box as a float or a read-only array of its own."""
    try:
        bound = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        bound = np.array(np.nan)
    if bound.ndim > 1 or not bound.size or np.isnan(bound).any() or (bound == never).any():
        raise InvalidArgument.of(
            name, f"must be a number or an array of shape (n,), without nan or {never}", value
        )
    if not bound.ndim:
        return float(bound)
    bound.setflags(write=False)
    return bound


def _clip(v: Vector, low: float | Vector, high: float | Vector) -> Vector:
    """Clip as the kernels do: nan stays, and so does the sign of a zero inside."""
    return np.where(v < low, low, np.where(v > high, high, v))
