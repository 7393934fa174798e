"""Classification."""

from __future__ import annotations

from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit, softmax
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from .. import _check
from ..errors import InvalidArgument
from ._base import LinearEstimator, Score, Vector
from ._callbacks import told_to_callbacks, with_callbacks
from ._shared import PARAMETERS, described

#: What the losses call the negative and the positive class.
LABELS = {
    "logistic": (-1.0, 1.0),
    "sigmoid": (0.0, 1.0),
    "squared": (-1.0, 1.0),
    "welsch": (-1.0, 1.0),
}


def _knows_probabilities(estimator: Any) -> bool:
    if estimator.loss in ("logistic", "sigmoid"):
        return True
    raise AttributeError(f"probabilities need loss 'logistic' or 'sigmoid', not {estimator.loss!r}")


@described(PARAMETERS)
class AsySGClassifier(ClassifierMixin, LinearEstimator):
    r"""Linear classifier, robust if wanted, by asynchronous stochastic gradient.

    Minimises :math:`\sum_j w_j\,\psi(a_j^\top x+b;y_j)/\sum_j w_j+\alpha\sum_i x_i^2/(1+x_i^2)`;
    with more than two classes each of them against the rest, one run after the other.

    Parameters
    ----------
    loss : {"logistic", "sigmoid", "squared", "welsch"}
        The logistic loss; the squared error of the logistic function, which a wrong label moves
        little; half the squared error, or Welsch's loss, of the labels -1 and 1. "sigmoid" and
        "welsch" are not convex.
    alpha : float
        Weight of the penalty :math:`x_i^2/(1+x_i^2)` of every coefficient, at least 0, which large
        coefficients escape. Not convex. If it is not 0, every update costs as many operations as
        there are features, on sparse data too.
    scale : float
        Of the loss "welsch", > 0. A label counts as an outlier where it is missed by more; below
        0.7 times that the loss is convex.
    class_weight : dict, "balanced" or None
        Factors of the samples' weights by class. "balanced": so that all classes have the same
        weight, `sample_weight` counted.
    {parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
    intercept_ : ndarray of shape (1,) or (n_classes,)
    {attributes}

    See Also
    --------
    AsySGRegressor

    References
    ----------
    Lian, Huang, Li, Liu, "Asynchronous parallel stochastic gradient for nonconvex
    optimization", NIPS 2015.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from asysg.sklearn import AsySGClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), AsySGClassifier(random_state=0)).fit(X, y)
    >>> model.score(X, y) > 0.97
    True

    A certificate, for the steplength that the theory prescribes:

    >>> certified = AsySGClassifier(steplength="prescribed", max_iter=50, random_state=0)
    >>> certified.fit(StandardScaler().fit_transform(X), y).result_.certificate.holds
    True
    """

    _losses = tuple(LABELS)

    def __init__(
        self,
        loss: str = "logistic",
        *,
        alpha: float = 0.0,
        scale: float = 3.0,
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
        class_weight: Any = None,
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
        self.class_weight = class_weight
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
            Classes, at least two.
        sample_weight : array_like of shape (n_samples,), optional
            At least 0; 1 if left out. Multiplied by `class_weight`.

        Returns
        -------
        AsySGClassifier
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
        return self._fit(X, y, sample_weight, None, once=False)

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Do one epoch on these samples, from where the model is.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`; y need not have all classes.
        classes : array_like of shape (n_classes,), optional
            All classes there are; needed at the first call.

        Returns
        -------
        AsySGClassifier
            This one.

        Raises
        ------
        InvalidArgument, DivergenceError, KeyboardInterrupt
            As in `fit`; also for ``class_weight="balanced"``, which a part of the data cannot tell.
        """
        if self.class_weight == "balanced":
            raise InvalidArgument(
                "class_weight must not be 'balanced' for partial_fit, got 'balanced'. Give a dict, "
                "for instance by sklearn.utils.class_weight.compute_class_weight."
            )
        known = hasattr(self, "classes_")
        if classes is not None:
            classes = np.unique(classes)
            if known and not np.array_equal(classes, self.classes_):
                raise InvalidArgument.of("classes", f"must stay {self.classes_}", classes)
        elif not known:
            raise InvalidArgument(
                "classes must be given at the first call of partial_fit, got None. A part of the "
                "data may lack some."
            )
        return self._fit(X, y, sample_weight, self.classes_ if known else classes, once=True)

    def _fit(self, X: Any, y: Any, sample_weight: Any, classes: Any, *, once: bool) -> Self:
        settings = self._settings(once=once)
        if self.loss == "welsch":
            self.scale_ = _check.number("scale", self.scale, above=0)
        else:
            self.__dict__.pop("scale_", None)
        go_on = hasattr(self, "coef_") and (once or self.warm_start)
        X, y = self._checked(X, y, reset=not (once and go_on))
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        found, codes = np.unique(y, return_inverse=True)
        if classes is None:
            classes = found
        elif not np.isin(found, classes).all():
            raise InvalidArgument.of("y", f"must hold classes among {classes}", found)
        else:
            codes = np.searchsorted(classes, y)
        if len(classes) < 2:
            raise InvalidArgument.of(
                "y", "must have at least two classes", f"one class, {classes[0]!r}"
            )
        if go_on and not np.array_equal(classes, self.classes_):
            raise InvalidArgument.of(
                "y",
                f"must have the classes of the first fit, {self.classes_}",
                classes,
                "Fit anew with warm_start=False.",
            )
        weights = self._weights(sample_weight, len(y))
        weights *= self._of_classes(classes, codes, y, weights)[codes]
        if not weights.any():
            raise InvalidArgument.of("class_weight", "must leave some weight non-zero", "zeros")
        self.classes_ = classes
        rows = self._begin(1 if len(classes) == 2 else len(classes), X.shape[1], go_on=go_on)
        positives = [1] if len(classes) == 2 else range(len(classes))
        targets = [partial(_labels, positive, LABELS[self.loss]) for positive in positives]
        told = {} if once else told_to_callbacks(X, y, sample_weight)
        codes = codes.astype(np.float64)
        self._learn(rows, X, codes, weights, settings, targets, told, once=once)
        return self

    def _of_classes(self, classes: Any, codes: Any, y: Any, weights: Vector) -> Vector:
        """Return the factor of every class."""
        if self.class_weight is None:
            return np.ones(len(classes))
        if isinstance(self.class_weight, str):
            _check.choice("class_weight", self.class_weight, ("balanced",), remedy="Or a dict.")
            total = np.bincount(codes, weights, len(classes))
            # A class without weight has no samples for its factor to matter.
            factor = weights.sum() / (len(classes) * np.where(total > 0, total, np.inf))
        else:
            factor = compute_class_weight(self.class_weight, classes=classes, y=y)
        if not (np.isfinite(factor).all() and factor.min() >= 0):
            raise InvalidArgument.of("class_weight", "must be finite and >= 0", self.class_weight)
        return np.asarray(factor, dtype=np.float64)

    def _attributes(self, rows: Vector) -> dict[str, Any]:
        n = rows.shape[1] - bool(self.fit_intercept)
        intercept = rows[:, -1].copy() if self.fit_intercept else np.zeros(len(rows))
        return {"coef_": rows[:, :n].copy(), "intercept_": intercept}

    def _score_of(self, X: Any, y: Vector, weights: Vector) -> Score:
        """Return x -> share of held-out samples that lie on the right side."""
        positive = y == LABELS[self.loss][1]

        def score(x: Vector) -> float:
            z = X @ x[: X.shape[1]] + (x[-1] if self.fit_intercept else 0.0)
            return float(np.average((z > 0) == positive, weights=weights))

        return score

    def decision_function(self, X: Any) -> Vector:
        """Return the signed confidence that a sample belongs to a class.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n_samples, n_features)
            Features, finite.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Of two classes that of the second one, which is predicted where it is > 0.

        Raises
        ------
        NotFittedError
            Before `fit`.
        """
        found = np.asarray(self._values(X))
        return found[:, 0] if found.shape[1] == 1 else found

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the class of every sample.

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
        z = self.decision_function(X)
        best = (z > 0).astype(np.intp) if z.ndim == 1 else z.argmax(axis=1)
        return np.asarray(self.classes_[best])

    @available_if(_knows_probabilities)
    def predict_proba(self, X: Any) -> Vector:
        """Return the probability of every class: the logistic function, normalised.

        Only for the losses "logistic" and "sigmoid", whose model it is.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n_samples, n_features)
            Features, finite.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)

        Raises
        ------
        NotFittedError
            Before `fit`.
        """
        z = self.decision_function(X)
        if z.ndim == 1:
            return np.column_stack([expit(-z), expit(z)])
        # By logarithms, so that rows where all are tiny can be normalised too.
        return np.asarray(softmax(log_expit(z), axis=1))

    @available_if(_knows_probabilities)
    def predict_log_proba(self, X: Any) -> Vector:
        """Return the logarithms of `predict_proba`, whose parameters and errors it has.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n_samples, n_features)
            Features, finite.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        z = self.decision_function(X)
        logs = np.column_stack([log_expit(-z), log_expit(z)]) if z.ndim == 1 else log_expit(z)
        return np.asarray(logs - np.logaddexp.reduce(logs, axis=1, keepdims=True))


def _labels(positive: int, names: tuple[float, float], codes: Vector) -> Vector:
    """Name one class against the rest."""
    return np.where(codes == positive, names[1], names[0])
