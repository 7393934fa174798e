"""Regression with losses that are not convex."""

from __future__ import annotations

from math import e, sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InvalidArgument
from ._linear import LinearModel, labels

# sup over z and over y in [0, 1] of |d^2/dz^2 (s(z) - y)^2|: the second derivative is affine in
# y, so y = 0 is as bad as any; there it is 2 s^2 (1-s) (2-3s), stationary where
# 12 s^2 - 15 s + 4 = 0.
_S = (15 - sqrt(33)) / 24
SIGMOID_CURVATURE = 2 * _S**2 * (1 - _S) * (2 - 3 * _S)

_ROBUST = {  # loss: (sup |psi'| / scale, name of the paper trail)
    "welsch": sqrt(1 / (2 * e)),
    "geman": 3 * sqrt(3) / 16,
    "cauchy": 0.5,
}


class SigmoidRegression(LinearModel):
    """f(x) = (1/N) sum_j (s(a_j'x) - y_j)^2 with the logistic function s and y in [0, 1].

    The constants are those of `LinearModel` with sup |psi''| = 0.15405857... and, for every
    label, sup |psi'| = 2 |s - y| s (1 - s) at s = (1 + y +- sqrt(1 - y + y^2)) / 3, at most 8/27.

    Parameters
    ----------
    A : array_like or SciPy sparse matrix, shape (n_samples, n)
        Data, finite; see `LinearModel` for what is used without a copy.
    y : array_like, shape (n_samples,)
        Labels in [0, 1].

    Raises
    ------
    InvalidArgument
        If A or y is not finite, of the wrong shape, or a label lies outside [0, 1].

    Examples
    --------
    >>> from asysg.objectives import SigmoidRegression
    >>> f = SigmoidRegression([[1.0, 0.0], [0.0, 2.0]], [1.0, 0.0])
    >>> f.value([0.0, 0.0])
    0.25
    >>> f.gradient([0.0, 0.0])
    array([-0.125,  0.25 ])
    """

    _curvature = SIGMOID_CURVATURE

    def __init__(self, A: Any, y: ArrayLike) -> None:
        b = labels(y)
        if b.min() < 0 or b.max() > 1:
            worst = b.min() if b.min() < 0 else b.max()
            raise InvalidArgument(
                f"y must lie in [0, 1], got {worst}. For labels -1 and 1 give (y + 1) / 2."
            )
        self._set_model("sigmoid", A, b)
        root = np.sqrt(1 - b + b * b)
        self._slopes = np.zeros_like(b)
        for s in ((1 + b + root) / 3, (1 + b - root) / 3):
            self._slopes = np.maximum(self._slopes, 2 * np.abs(s - b) * s * (1 - s))

    @classmethod
    def planted(
        cls, n_samples: int, n: int, density: float | None = None, rng: Any = None
    ) -> SigmoidRegression:
        """Return a problem on synthetic data whose labels a hidden x fits: inf f = 0.

        Parameters
        ----------
        n_samples, n : int
            Shape of the data.
        density : float, optional
            Share of nonzero entries per row, in (0, 1]: CSR data. None: dense.
        rng : optional
            Anything that ``numpy.random.default_rng`` takes.
        """
        from .synthetic import design, hidden

        rng = np.random.default_rng(rng)
        A = design(n_samples, n, density=density, rng=rng)
        z = A @ hidden(n, rng=rng)
        return cls(A, 1 / (1 + np.exp(-z)))
