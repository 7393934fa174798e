"""Linear models under losses that are not convex."""

from __future__ import annotations

from math import e, inf, sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from .. import _check
from .._check import Vector
from ..errors import InvalidArgument
from ..theory import ProblemConstants
from . import _bounds
from ._linear import LinearModel, answers

# sup over z and over y in [0, 1] of |d^2/dz^2 (s(z) - y)^2|. The second derivative is affine in
# y, so y = 0 is as bad as any; there it is 2 s^2 (1-s) (2-3s), stationary where
# 12 s^2 - 15 s + 4 = 0.
_S = (15 - sqrt(33)) / 24
_SIGMOID_CURVATURE = 2 * _S**2 * (1 - _S) * (2 - 3 * _S)

# sup |psi'| at scale 1; sup |psi''| is 1 for all three, at residual zero.
_ROBUST_SLOPES = {"welsch": sqrt(1 / (2 * e)), "geman": 3 * sqrt(3) / 16, "cauchy": 0.5}


class SigmoidRegression(LinearModel):
    """f(x) = (1/N) sum_j w_j (s(a_j'x) - y_j)^2 with the logistic function s and y in [0, 1].

    With `reg` plus reg sum_i x_i^2 / (1 + x_i^2).

    The constants are those of `LinearModel` with sup |psi''| = 0.15405857... and, for every
    label, sup |psi'| = 2 |s - y| s (1 - s) at s = (1 + y +- sqrt(1 - y + y^2)) / 3, at most 8/27.

    Parameters
    ----------
    A : array_like or SciPy sparse matrix, shape (n_samples, n)
        Data, finite; see `LinearModel` for what is used without a copy.
    y : array_like, shape (n_samples,)
        Labels in [0, 1].
    reg : float
        Weight of the penalty ``sum_i x_i^2 / (1 + x_i^2)``, at least 0. If it is not zero,
        gradients of samples are dense.
    packed : bool
        Keep sparse rows as contiguous records, faster to reach at random; see `LinearModel`.
    weights : array_like, shape (n_samples,), optional
        Weight of each sample in the mean, at least 0; 1 if left out.
    free : int
        The last so many coordinates (an intercept) are not penalised.

    Raises
    ------
    InvalidArgument
        If an argument is not finite, of the wrong shape or out of range.

    Examples
    --------
    >>> from asysg.objectives import SigmoidRegression
    >>> f = SigmoidRegression([[1.0, 0.0], [0.0, 2.0]], [1.0, 0.0])
    >>> f.value([0.0, 0.0])
    0.25
    >>> f.gradient([0.0, 0.0])
    array([-0.125,  0.25 ])
    """

    _curvature = _SIGMOID_CURVATURE

    def __init__(
        self,
        A: Any,
        y: ArrayLike,
        reg: float = 0.0,
        *,
        packed: bool = False,
        weights: ArrayLike | None = None,
        free: int = 0,
    ) -> None:
        b = answers(y)
        if b.min() < 0 or b.max() > 1:
            worst = float(b.min() if b.min() < 0 else b.max())
            raise InvalidArgument.of(
                "y", "must lie in [0, 1]", worst, "For labels -1 and 1 give (y + 1) / 2."
            )
        self._set_model("sigmoid", A, b, reg=reg, packed=packed, weights=weights, free=free)
        self.reg = self._reg
        root = np.sqrt(1 - b + b * b)
        s = np.stack([1 + b + root, 1 + b - root]) / 3
        self._slopes = (2 * np.abs(s - b) * s * (1 - s)).max(axis=0)

    @staticmethod
    def _answers(z: Vector) -> Vector:
        return np.asarray(expit(z))


class RobustRegression(LinearModel):
    """f(x) = (1/N) sum_j w_j psi(a_j'x - y_j) with a loss psi that outliers hardly move.

    With `reg` plus reg sum_i x_i^2 / (1 + x_i^2). With u = r / scale, psi(r) is scale^2 times

    ``"welsch"``
        (1 - exp(-u^2)) / 2, |psi'| <= scale sqrt(1 / (2 e));
    ``"geman"``
        u^2 / (2 (1 + u^2)), |psi'| <= scale 3 sqrt(3) / 16;
    ``"cauchy"``
        log(1 + u^2) / 2, |psi'| <= scale / 2.

    For all three sup |psi''| = 1, at r = 0, so L and L_max are exact if some x fits all data
    and `reg` is 0.

    Parameters
    ----------
    A : array_like or SciPy sparse matrix, shape (n_samples, n)
        Data, finite; see `LinearModel` for what is used without a copy.
    y : array_like, shape (n_samples,)
        Targets, finite.
    loss : str
        The loss.
    scale : float
        Residual, > 0, from which on a datum counts as an outlier.
    reg : float
        Weight of the penalty ``sum_i x_i^2 / (1 + x_i^2)``, at least 0. If it is not zero,
        gradients of samples are dense.
    packed : bool
        Keep sparse rows as contiguous records, faster to reach at random; see `LinearModel`.
    weights : array_like, shape (n_samples,), optional
        Weight of each sample in the mean, at least 0; 1 if left out.
    free : int
        The last so many coordinates (an intercept) are not penalised.

    Raises
    ------
    InvalidArgument
        If an argument is not finite, of the wrong shape or out of range.

    Examples
    --------
    >>> from asysg.objectives import RobustRegression
    >>> f = RobustRegression([[1.0], [1.0]], [0.0, 1e6], loss="geman")
    >>> round(f.value([0.0]), 6)
    0.25
    """

    _curvature = 1.0

    def __init__(
        self,
        A: Any,
        y: ArrayLike,
        loss: str = "welsch",
        scale: float = 1.0,
        reg: float = 0.0,
        *,
        packed: bool = False,
        weights: ArrayLike | None = None,
        free: int = 0,
    ) -> None:
        self.loss = _check.choice(
            "loss", loss, tuple(_ROBUST_SLOPES), remedy="All three are bounded-influence losses."
        )
        self.scale = _check.number("scale", scale, above=0, remedy="It is a size of residuals.")
        b = answers(y)
        self._set_model(loss, A, b, self.scale, reg, packed=packed, weights=weights, free=free)
        self.reg = self._reg
        self._slopes = self.scale * _ROBUST_SLOPES[loss]


class LeastSquares(LinearModel):
    """f(x) = (1/N) sum_j w_j (a_j'x - y_j)^2 / 2 + reg sum_i x_i^2 / (1 + x_i^2).

    Not convex for reg > 0. The constants L are those of `LinearModel` with sup |psi''| = 1. The
    gradients of the samples differ without bound as ||x|| grows, so no sigma holds for all x and
    `constants` refuses; `constants_below` has one for where f is no larger than at the start.

    Parameters
    ----------
    A : array_like or SciPy sparse matrix, shape (n_samples, n)
        Data, finite; see `LinearModel` for what is used without a copy.
    y : array_like, shape (n_samples,)
        Targets, finite.
    reg : float
        Weight of the penalty ``sum_i x_i^2 / (1 + x_i^2)``, at least 0. If it is not zero,
        gradients of samples are dense.
    packed : bool
        Keep sparse rows as contiguous records, faster to reach at random; see `LinearModel`.
    weights : array_like, shape (n_samples,), optional
        Weight of each sample in the mean, at least 0; 1 if left out.
    free : int
        The last so many coordinates (an intercept) are not penalised.

    Raises
    ------
    InvalidArgument
        If an argument is not finite, of the wrong shape or out of range.

    Examples
    --------
    >>> from asysg.objectives import LeastSquares
    >>> f = LeastSquares([[1.0], [3.0]], [1.0, 1.0])
    >>> f.gradient([0.0]), round(f.L, 9)
    (array([-2.]), 5.0)
    >>> c = f.constants_below([0.0])
    >>> c.sigma, c.estimated
    (3.0, True)
    """

    _curvature = 1.0
    _remedy = (
        "The samples' gradients differ without bound in ||x||: give a float steplength, or "
        "constants=f.constants_below(x0), estimated=True since they hold below f(x0) only."
    )

    def __init__(
        self,
        A: Any,
        y: ArrayLike,
        reg: float = 0.0,
        *,
        packed: bool = False,
        weights: ArrayLike | None = None,
        free: int = 0,
    ) -> None:
        self._set_model(
            "squared", A, answers(y), reg=reg, packed=packed, weights=weights, free=free
        )
        self.reg = self._reg
        self.sigma = inf

    def constants_below(self, x0: ArrayLike) -> ProblemConstants:
        r"""Return constants that hold where f(x) <= f(x0), marked as estimated.

        L and the gap are proven. sigma is proven in that region alone: the second moment of the
        samples' gradients, :math:`\frac1N\sum_j w_j^2 r_j^2 \|a_j\|^2`, is at most
        :math:`\max_j w_j \|a_j\|^2` times :math:`\frac1N\sum_j w_j r_j^2 \le 2 f(x)`. A run may
        leave the region, hence the mark, which its certificate carries.

        Parameters
        ----------
        x0 : array_like, shape (n,)
            The start.

        Returns
        -------
        ProblemConstants
            For every T.
        """
        value = self.value(x0)
        rows = _bounds.squared_row_norms(self._weighted_rows)
        return ProblemConstants(
            gap=value,
            sigma=sqrt(2 * value * float(rows.max())),
            L=self.L,
            n=self.n,
            L_max=self.L_max,
            L_T=self.L,
            estimated=True,
        )


class SineRegression(LinearModel):
    """f(x) = (1/N) sum_j (1 - cos(a_j'x - y_j)): regression of angles, with many minima.

    The constants are those of `LinearModel` with sup |psi''| = sup |psi'| = 1; L and L_max are
    exact if some x fits all data.

    Parameters
    ----------
    A : array_like or SciPy sparse matrix, shape (n_samples, n)
        Data, finite; see `LinearModel` for what is used without a copy.
    y : array_like, shape (n_samples,)
        Angles, finite.
    packed : bool
        Keep sparse rows as contiguous records, faster to reach at random; see `LinearModel`.

    Raises
    ------
    InvalidArgument
        If A or y is not finite or of the wrong shape.

    Examples
    --------
    >>> from asysg.objectives import SineRegression
    >>> SineRegression([[1.0, 2.0]], [0.0]).gradient([0.0, 0.0])
    array([0., 0.])
    """

    _curvature = 1.0
    _slopes = 1.0

    def __init__(self, A: Any, y: ArrayLike, *, packed: bool = False) -> None:
        self._set_model("sine", A, answers(y), packed=packed)


class PhaseRetrieval(LinearModel):
    """f(x) = (1/N) sum_j (sqrt(1 + (a_j'x)^2) - y_j)^2 / 2: the sign of a_j'x is lost.

    The constants are those of `LinearModel` with sup |psi''| = max(1, max_j y_j - 1). The
    gradients of the samples differ without bound as ||x|| grows, so no sigma holds for all x and
    `constants` refuses. The lower bound is the mean of max(0, 1 - y_j)^2 / 2.

    Parameters
    ----------
    A : array_like or SciPy sparse matrix, shape (n_samples, n)
        Data, finite; see `LinearModel` for what is used without a copy.
    y : array_like, shape (n_samples,)
        Smoothed amplitudes, at least 0.
    packed : bool
        Keep sparse rows as contiguous records, faster to reach at random; see `LinearModel`.

    Raises
    ------
    InvalidArgument
        If A or y is not finite, of the wrong shape, or an amplitude is negative.

    Examples
    --------
    >>> from asysg.objectives import PhaseRetrieval
    >>> f = PhaseRetrieval([[1.0]], [2.0])
    >>> f.value([3**0.5]) < 1e-30, f.value([-(3**0.5)]) < 1e-30, round(f.L, 9)
    (True, True, 1.0)
    """

    _remedy = (
        "The samples' gradients differ without bound in ||x||: give a float steplength, or your "
        "own theory.ProblemConstants(..., estimated=True) with a sigma for the region you expect."
    )

    def __init__(self, A: Any, y: ArrayLike, *, packed: bool = False) -> None:
        b = answers(y)
        if b.min() < 0:
            raise InvalidArgument.of(
                "y", "must be at least 0", float(b.min()), "Amplitudes have no sign; give abs(y)."
            )
        self._set_model("amplitude", A, b, packed=packed)
        self._curvature = max(1.0, float(b.max()) - 1.0)
        self.sigma = inf
        self.lower_bound = float(np.mean(np.maximum(0.0, 1.0 - b) ** 2) / 2)

    @staticmethod
    def _answers(z: Vector) -> Vector:
        return np.hypot(1.0, z)


class NonconvexLogistic(LinearModel):
    """Logistic loss with a penalty that large coordinates escape.

    f(x) = (1/N) sum_j w_j log(1 + exp(-y_j a_j'x)) + reg sum_i x_i^2 / (1 + x_i^2), y_j = -1 or 1.

    The constants are those of `LinearModel` with sup |psi''| = 1/4 and sup |psi'| = 1; L and
    L_max are attained at x = 0.

    Parameters
    ----------
    A : array_like or SciPy sparse matrix, shape (n_samples, n)
        Data, finite; see `LinearModel` for what is used without a copy.
    y : array_like, shape (n_samples,)
        Labels, -1 or 1.
    reg : float
        Weight of the penalty, at least 0. If it is not zero, gradients of samples are dense.
    packed : bool
        Keep sparse rows as contiguous records, faster to reach at random; see `LinearModel`.
    weights : array_like, shape (n_samples,), optional
        Weight of each sample in the mean, at least 0; 1 if left out.
    free : int
        The last so many coordinates (an intercept) are not penalised.

    Raises
    ------
    InvalidArgument
        If an argument is not finite, of the wrong shape, or a label is neither -1 nor 1.

    Examples
    --------
    >>> from asysg.objectives import NonconvexLogistic
    >>> f = NonconvexLogistic([[2.0, 0.0]], [1.0], reg=0.5)
    >>> f.gradient([0.0, 1.0])
    array([-1.  ,  0.25])
    >>> round(f.L, 9)
    2.0
    """

    _curvature = 0.25
    _slopes = 1.0

    def __init__(
        self,
        A: Any,
        y: ArrayLike,
        reg: float = 0.01,
        *,
        packed: bool = False,
        weights: ArrayLike | None = None,
        free: int = 0,
    ) -> None:
        b = answers(y)
        wrong = b[np.abs(b) != 1]
        if wrong.size:
            raise InvalidArgument.of(
                "y", "must be -1 or 1", float(wrong[0]), "For labels 0 and 1 give 2 * y - 1."
            )
        self._set_model("logistic", A, b, reg=reg, packed=packed, weights=weights, free=free)
        self.reg = self._reg

    @staticmethod
    def _answers(z: Vector) -> Vector:
        return np.where(z < 0, -1.0, 1.0)
