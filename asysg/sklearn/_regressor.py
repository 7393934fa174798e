"""Regression."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin

from .. import _check
from ._base import NORMAL, ROBUST, LinearEstimator, Score, Vector
from ._callbacks import told_to_callbacks, with_callbacks
from ._shared import PARAMETERS, described


@described(PARAMETERS)
class AsySGRegressor(RegressorMixin, LinearEstimator):
    r"""Linear regression, robust if wanted, by asynchronous stochastic gradient.

    Minimises :math:`\sum_j w_j\,\psi(a_j^\top x+b-y_j)/\sum_j w_j+\alpha\sum_i x_i^2/(1+x_i^2)`.

    Parameters
    ----------
    loss : {"squared", "welsch", "geman", "cauchy"}
        Half the square; or a loss that outliers hardly move, see
        `asysg.objectives.RobustRegression`. The robust ones are not convex.
    alpha : float
        Weight of the penalty :math:`x_i^2/(1+x_i^2)` of every coefficient, at least 0, which large
        coefficients escape. Not convex. If it is not 0, every update costs as many operations as
        there are features, on sparse data too.
    scale : float, optional
        Of the robust losses: the residual, > 0, from which on a datum counts as an outlier. By
        default twice the standard deviation that a normal distribution with the median absolute
        deviation of y would have.
    {parameters}

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
    intercept_ : ndarray of shape (1,)
    scale_ : float
        Of a robust loss.
    {attributes}

    See Also
    --------
    AsySGClassifier

    References
    ----------
    Lian, Huang, Li, Liu, "Asynchronous parallel stochastic gradient for nonconvex
    optimization", NIPS 2015.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from asysg.sklearn import AsySGRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), AsySGRegressor(random_state=0)).fit(X, y)
    >>> round(model.score(X, y), 1)
    0.5
    """

    _losses = ("squared", *ROBUST)

    def __init__(
        self,
        loss: str = "squared",
        *,
        alpha: float = 0.0,
        scale: float | None = None,
        method: str = "hogwild",
        steplength: float | str = "auto",
        batch_size: int = 1,
        max_delay: int | None = None,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float | None = 1e-4,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        warm_start: bool = False,
        n_jobs: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.loss = loss
        self.alpha = alpha
        self.scale = scale
        self.method = method
        self.steplength = steplength
        self.batch_size = batch_size
        self.max_delay = max_delay
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.random_state = random_state

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n_samples, n_features)
            Features, finite.
        y : array_like of shape (n_samples,)
            Targets, finite.
        sample_weight : array_like of shape (n_samples,), optional
            At least 0; 1 if left out.

        Returns
        -------
        AsySGRegressor
            This one.

        Raises
        ------
        InvalidArgument
            For parameters that cannot be.
        DivergenceError
            If a steplength of your own is too large.
        KeyboardInterrupt
            After Ctrl-C; what was learned until then is kept.
        """
        return self._fit(X, y, sample_weight, once=False)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Do one epoch on these samples, from where the model is.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.

        Returns
        -------
        AsySGRegressor
            This one.

        Raises
        ------
        InvalidArgument, DivergenceError, KeyboardInterrupt
            As in `fit`.
        """
        return self._fit(X, y, sample_weight, once=True)

    def _fit(self, X: Any, y: Any, sample_weight: Any, *, once: bool) -> Self:
        settings = self._settings(once=once)
        go_on = hasattr(self, "coef_") and (once or self.warm_start)
        X, y = self._checked(X, y, reset=not (once and go_on), y_numeric=True)
        y = np.asarray(y, dtype=np.float64)
        weights = self._weights(sample_weight, len(y))
        rows = self._begin(1, X.shape[1], go_on=go_on)
        centre = weighted_median(y, weights)
        if not (once and hasattr(self, "scale_")):
            self._choose_scale(y, centre, weights)
        if self.loss == "squared":
            centre = float(np.average(y, weights=weights))
        if self.fit_intercept and not go_on:
            rows[0, -1] = centre
        told = {} if once else told_to_callbacks(X, y, sample_weight)
        self._learn(rows, X, y, weights, settings, [lambda y: y], told, centre=centre, once=once)
        return self

    def _choose_scale(self, y: Vector, centre: float, weights: Vector) -> None:
        if self.loss == "squared":
            self.__dict__.pop("scale_", None)
        elif self.scale is not None:
            self.scale_ = _check.number("scale", self.scale, above=0)
        else:
            # Where half of the targets are equal it says nothing.
            self.scale_ = 2 * NORMAL * weighted_median(np.abs(y - centre), weights) or 1.0

    def _attributes(self, rows: Vector) -> dict[str, Any]:
        n = rows.shape[1] - bool(self.fit_intercept)
        intercept = rows[:, -1].copy() if self.fit_intercept else np.zeros(1)
        return {"coef_": rows[0, :n].copy(), "intercept_": intercept}

    def _score_of(self, X: Any, y: Vector, weights: Vector) -> Score:
        """Return x -> coefficient of determination on held-out samples."""
        spread = weights @ np.square(y - np.average(y, weights=weights))

        def score(x: Vector) -> float:
            z = X @ x[: X.shape[1]] + (x[-1] if self.fit_intercept else 0.0)
            return float(1 - weights @ np.square(y - z) / max(spread, np.finfo(float).tiny))

        return score

    def predict(self, X: Any) -> Vector:
        """Return the predictions.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n_samples, n_features)
            Features, finite.

        Returns
        -------
        ndarray of shape (n_samples,)

        Raises
        ------
        NotFittedError
            Before `fit`.
        """
        return np.asarray(self._values(X))


def weighted_median(values: Vector, weights: Vector) -> float:
    """Return the middle of the values, each counted as its weight says."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    return float(values[order[np.searchsorted(reached, reached[-1] / 2)]])
