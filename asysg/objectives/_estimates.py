"""Constants of an objective that nobody knows, estimated at some points.

Nothing here bounds what happens elsewhere: that is why constants made of it are marked.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from ._base import Objective

Vector = NDArray[np.float64]
#: Up to so many coordinates the whole Hessian is made, column by column.
SMALL = 64
#: Relative step of differences of gradients.
STEP = 1e-5


@dataclass(frozen=True)
class Interval:
    """A number: seen to be at least `least`, and with the confidence asked for at most `most`."""

    least: float
    most: float


@dataclass(frozen=True)
class Curvature:
    """What is known of the second derivatives at the points.

    Attributes
    ----------
    L : Interval
    L_max : Interval or None
        None where n is too large to look at every coordinate.
    columns : ndarray or None
        The largest norm of each column, largest first.
    """

    L: Interval
    L_max: Interval | None = None
    columns: Vector | None = None


def derivative(obj: Objective, x: Vector, v: Vector) -> Vector:
    """Return H v at x, v a unit vector, by a central difference of full gradients."""
    h = STEP * (1 + float(np.abs(x).max()))
    return (obj.gradient(x + h * v) - obj.gradient(x - h * v)) / (2 * h)


def curvature(
    obj: Objective, points: list[Vector], steps: int, alarm: float, rng: np.random.Generator
) -> Curvature:
    """Estimate Lipschitz constants; `alarm` is the probability that L is too small at a point."""
    secants = [
        float(np.linalg.norm(obj.gradient(a) - obj.gradient(b)) / np.linalg.norm(a - b))
        for a, b in itertools.pairwise(points)
        if not np.array_equal(a, b)
    ]
    least = max(secants, default=0.0)
    if obj.n <= SMALL:
        hessians = [
            np.stack([derivative(obj, x, e) for e in np.eye(obj.n)], axis=1) for x in points
        ]
        norm = max(float(np.linalg.norm(H, 2)) for H in hessians)
        diagonal = max(float(np.abs(np.diag(H)).max()) for H in hessians)
        columns = np.max([np.linalg.norm(H, axis=0) for H in hessians], axis=0)
        top = max(norm, least)
        return Curvature(Interval(top, top), Interval(diagonal, diagonal), -np.sort(-columns))
    found = [
        power(partial(derivative, obj, x), obj.n, steps, alarm / len(points), rng) for x in points
    ]
    least = max(least, *(one.least for one in found))
    return Curvature(Interval(least, max(least, *(one.most for one in found))))


def power(
    apply: Callable[[Vector], Vector], n: int, steps: int, alarm: float, rng: np.random.Generator
) -> Interval:
    r"""Bound the norm of a symmetric matrix H by a power iteration from a random direction u.

    With c the component of u along a top eigenvector, ||H^k u|| >= ||H||^k |c|. For u uniform
    on the sphere P(|c| <= t) <= t sqrt(2 n / pi), since the density of c is at most
    sqrt(n / (2 pi)) for n >= 3, so that with probability 1 - alarm

        ||H|| <= (||H^k u|| sqrt(2 n / pi) / alarm)^(1/k).
    """
    v = rng.standard_normal(n)
    v /= np.linalg.norm(v)
    logarithm = least = 0.0
    for _ in range(steps):
        w = apply(v)
        size = float(np.linalg.norm(w))
        if size == 0:
            return Interval(least, least)
        least = max(least, size)
        logarithm += math.log(size)
        v = w / size
    slack = math.log(math.sqrt(2 * n / math.pi) / alarm)
    return Interval(least, max(least, math.exp((logarithm + slack) / steps)))


@dataclass(frozen=True)
class Mean:
    """What the mean of some samples' gradients less the gradient of f is at a point.

    Attributes
    ----------
    worst : float
        Its largest entry, over the largest of all gradients.
    score : float
        The largest component along some random directions, in standard errors.
    """

    worst: float
    score: float


def noise(
    obj: Objective,
    points: list[Vector],
    samples: NDArray[Any],
    alarm: float,
    directions: int,
    rng: np.random.Generator,
) -> tuple[Interval, list[Mean]]:
    """Estimate sigma as the largest of the points'; tell besides how biased samples seem.

    sigma is exact where `samples` are all there are; else by the normal approximation.
    """
    exact = len(samples) == obj.n_samples
    low, high, means = 0.0, 0.0, []
    for x in points:
        full = obj.gradient(x)
        largest = float(np.abs(full).max())
        squares, total = np.empty(len(samples)), np.zeros(obj.n)
        along = rng.choice((-1.0, 1.0), size=(directions, obj.n))
        components = np.empty((len(samples), directions))
        for k, sample in enumerate(samples):
            difference = obj.gradient(x, int(sample)) - full
            total += difference
            squares[k] = np.einsum("i,i", difference, difference)
            components[k] = np.einsum("di,i->d", along, difference)
            largest = max(largest, float(np.abs(difference).max()))
        mean, error = float(squares.mean()), 0.0
        if not exact:
            error = float(scipy.stats.norm.isf(alarm / len(points)) * scipy.stats.sem(squares))
        low, high = max(low, mean - error), max(high, mean + error)
        scale = largest or 1.0
        rounding = 1e-9 * scale * math.sqrt(obj.n)
        off = np.maximum(0.0, np.abs(components.mean(axis=0)) - rounding)
        scores = off / (scipy.stats.sem(components, axis=0) + rounding)
        means.append(Mean(float(np.abs(total).max()) / len(samples) / scale, float(scores.max())))
    return Interval(math.sqrt(max(0.0, low)), math.sqrt(high)), means


def descent(obj: Objective, x0: Vector, steps: int) -> tuple[float, list[Vector]]:
    """Go down by L-BFGS; return the smallest f that was met, and the way."""
    way: list[Vector] = []
    best = obj.value(x0)

    def both(x: Vector) -> tuple[float, Vector]:
        nonlocal best
        f = obj.value(x)
        best = min(best, f)
        return f, obj.gradient(x)

    scipy.optimize.minimize(
        both, x0, jac=True, method="L-BFGS-B", options={"maxiter": steps},
        callback=lambda x: way.append(x.copy()),
    )  # fmt: skip
    return best, way
