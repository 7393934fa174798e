"""What the classifier and the regressor share."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from numbers import Real
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit
from sklearn.utils import check_array, check_random_state
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted, validate_data

from .. import _check
from .._adaptive import COVERED
from .._adaptive import NAME as ADAPTIVE
from .._minimize import METHODS
from ..errors import InvalidArgument
from ..objectives import LeastSquares, NonconvexLogistic, RobustRegression, SigmoidRegression
from ._callbacks import CallbackSupportMixin, Epochs, Task
from ._samples import Samples, distinct
from ._training import AUTO, NAMED, Settings, Trained, Watch, train

Vector = NDArray[np.float64]
Score = Callable[[Vector], float]

ROBUST = ("welsch", "geman", "cauchy")
#: Of a normal distribution, standard deviations per median absolute deviation.
NORMAL = 1.4826


class LinearEstimator(CallbackSupportMixin, BaseEstimator, ABC):
    """Parameters, checks and runs; see `AsySGClassifier` and `AsySGRegressor`."""

    _losses: tuple[str, ...]
    classes_: Any
    coef_: Vector
    intercept_: Vector
    scale_: float
    t_: int

    def _settings(self, *, once: bool = False) -> Settings:
        """Check the parameters; `once` is for one epoch that nothing ends early."""
        _check.choice("loss", self.loss, self._losses)
        _check.choice("method", self.method, METHODS)
        _check.number("alpha", self.alpha, least=0, remedy="It is the weight of the penalty.")
        for name in ("fit_intercept", "early_stopping", "warm_start"):
            _check.choice(name, getattr(self, name), (True, False))
        share = _check.number("validation_fraction", self.validation_fraction, above=0)
        if share >= 1:
            raise InvalidArgument.of("validation_fraction", "must be < 1", share)
        if isinstance(self.steplength, str):
            _check.choice(
                "steplength", self.steplength, (AUTO, *NAMED), remedy="Or give a number > 0."
            )
        else:
            _check.number("steplength", self.steplength, above=0)
        tol = None if self.tol is None else _check.number("tol", self.tol, least=0)
        # A theorem speaks of all K updates, so that runs at its steplength go to the end.
        to_the_end = once or (self.steplength in NAMED and not self.early_stopping)
        serial = self.method == "sgd"
        threads = 1 if serial and self.n_jobs is None else effective_n_jobs(self.n_jobs)
        if serial and threads > 1:
            raise InvalidArgument.of("n_jobs", "must be 1 for method 'sgd'", self.n_jobs)
        if self.steplength == ADAPTIVE and self.method not in COVERED:
            words = " or ".join(repr(method) for method in COVERED)
            raise InvalidArgument.of(
                "method", f"must be {words} with steplength {ADAPTIVE!r}", self.method
            )
        return Settings(
            method=self.method,
            steplength=self.steplength,
            batch_size=_check.integer("batch_size", self.batch_size, least=1),
            max_delay=None
            if self.max_delay is None
            else _check.integer("max_delay", self.max_delay, least=0),
            n_threads=threads,
            max_iter=1 if once else _check.integer("max_iter", self.max_iter, least=1),
            tol=None if to_the_end else tol,
            patience=_check.integer("n_iter_no_change", self.n_iter_no_change, least=1),
        )

    def _seeds(self) -> Iterator[int]:
        random = check_random_state(self.random_state)
        while True:
            yield int(random.randint(np.iinfo(np.int32).max))

    def _checked(self, X: Any, y: Any, *, reset: bool, **how: Any) -> tuple[Any, Any]:
        found: tuple[Any, Any] = validate_data(
            self, X, y, accept_sparse="csr", dtype=np.float64, order="C", reset=reset, **how
        )
        return found

    def _weights(self, sample_weight: Any, n_samples: int) -> Vector:
        if sample_weight is None:
            return np.ones(n_samples)
        if isinstance(sample_weight, Real):
            sample_weight = np.full(n_samples, sample_weight)
        weights = check_array(
            sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
        )
        if weights.shape != (n_samples,):
            raise InvalidArgument.of(
                "sample_weight", f"must have shape ({n_samples},)", weights.shape
            )
        if weights.min() < 0:
            raise InvalidArgument.of("sample_weight", "must be >= 0", float(weights.min()))
        if not weights.any():
            raise InvalidArgument.of("sample_weight", "must contain at least one non-zero", "zeros")
        return np.asarray(weights)

    def _split(self, y: Any, weights: Vector) -> tuple[Any, Any] | None:
        """Return the indices of training and validation samples; None where all are trained on."""
        if not self.early_stopping:
            return None
        kind = ShuffleSplit if self._targets is None else StratifiedShuffleSplit
        split = kind(n_splits=1, test_size=self.validation_fraction, random_state=self.random_state)
        trained, held = next(split.split(np.zeros((len(y), 1)), y))
        if not weights[trained].any() or not weights[held].any():
            raise InvalidArgument(
                "sample_weight must leave weight in the training and the validation set, got "
                "zeros only in one of them. Another random_state or validation_fraction may help."
            )
        return trained, held

    # The values of y by class; None for a regression.
    _targets: tuple[float, float] | None = None

    def _objective(self, samples: Samples, y: Vector) -> Any:
        free = int(self.fit_intercept)
        given: dict[str, Any] = {"reg": self.alpha, "weights": samples.weights, "free": free}
        if self.loss == "logistic":
            return NonconvexLogistic(samples.A, y, **given)
        if self.loss == "sigmoid":
            return SigmoidRegression(samples.A, y, **given)
        if self.loss == "squared":
            return LeastSquares(samples.A, y, **given)
        return RobustRegression(samples.A, y, self.loss, self.scale_, **given)

    def _learn(
        self,
        rows: Vector,
        X: Any,
        y: Any,
        weights: Vector,
        settings: Settings,
        targets: Sequence[Callable[[Vector], Vector]],
        told: dict[str, Any],
        *,
        centre: float = 0.0,
        once: bool,
    ) -> None:
        """Train one row of parameters after another, from where it is, and keep the results.

        `targets` say for each row what the loss shall compare with, given y; `centre` is the
        intercept of a model without coefficients, whose loss is the scale of progress; `once` says
        that it is one epoch of many calls, whose steplengths shrink like the root of their number.
        """
        self.t_ = self.t_ + 1 if once and hasattr(self, "t_") else 1
        shrunk = self.t_**-0.5 if once else 1.0
        seeds = self._seeds()
        split = self._split(y, weights) if settings.tol is not None else None
        kept = slice(None) if split is None else split[0]
        samples = distinct(X[kept], y[kept], weights[kept], intercept=self.fit_intercept)
        alone = len(targets) == 1
        root = None
        if told:
            root = Task.root(self, settings.max_iter if alone else len(targets), told)
        if root is not None:
            root.begin(partial(self._attributes, rows))
        trained: list[Trained] = []
        obj: Any = None
        for row, target in enumerate(targets):
            before, obj = obj, self._objective(samples, target(samples.y))
            if before is not None:
                obj._share_norms(before)
            score = None
            if split is not None:
                held = split[1]
                score = self._score_of(X[held], target(y[held]), weights[held])
            task = root if alone or root is None else root.child("class", settings.max_iter)
            if task is not None and task is not root:
                task.begin(partial(self._attributes, rows))
            x = rows[row].copy()
            empty = np.zeros_like(x)
            if self.fit_intercept:
                empty[-1] = centre
            scale = max(obj.value(empty), np.finfo(float).tiny) if score is None else 1.0
            hooks = None if task is None else Epochs(task, partial(self._with_row, rows, row))
            watch = Watch(settings, scale, score, hooks)
            trained.append(train(obj, x, settings, watch, seeds, shrunk))
            rows[row] = trained[-1].x
            if trained[-1].status == "interrupted":
                break
            trained[-1].results[-1].raise_if_failed()
            if task is not None and task is not root and task.end(partial(self._attributes, rows)):
                break
        self.results_ = [found.results for found in trained]
        self.result_ = trained[-1].results[-1]
        self.n_iter_ = max(found.epochs for found in trained)
        for name, value in self._attributes(rows).items():
            setattr(self, name, value)
        if trained[-1].status == "interrupted":
            # What is done is kept; whoever runs this fit (a search, a pipeline) shall stop too.
            raise KeyboardInterrupt
        if root is not None:
            root.end(partial(self._attributes, rows))
        if not all(found.converged for found in trained):
            warnings.warn(
                f"Progress had not ended after max_iter = {settings.max_iter} epochs. More of them "
                "may improve the fit, and so may features of similar size (StandardScaler).",
                ConvergenceWarning,
                stacklevel=4,
            )

    @abstractmethod
    def _score_of(self, X: Any, y: Vector, weights: Vector) -> Score:
        """Return the score on held-out samples as a function of a row of parameters."""

    def _with_row(self, rows: Vector, row: int, x: Vector) -> dict[str, Any]:
        """Return coef_ and intercept_ where one row is at x."""
        rows = rows.copy()
        rows[row] = x
        return self._attributes(rows)

    @abstractmethod
    def _attributes(self, rows: Vector) -> dict[str, Any]:
        """Return coef_ and intercept_ of rows."""

    def _values(self, X: Any) -> Any:
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=np.float64, reset=False)
        return safe_sparse_dot(X, self.coef_.T, dense_output=True) + self.intercept_

    def _begin(self, n_rows: int, n_features: int, *, go_on: bool) -> Vector:
        """Return the rows of parameters to start from: zeros, or what is known."""
        rows = np.zeros((n_rows, n_features + bool(self.fit_intercept)))
        if not go_on:
            return rows
        coef = np.atleast_2d(self.coef_)
        if coef.shape != (n_rows, n_features):
            raise InvalidArgument.of(
                "warm_start", f"must find coef_ of shape {(n_rows, n_features)}", coef.shape,
                "Fit anew with warm_start=False.",
            )  # fmt: skip
        rows[:, :n_features] = coef
        if self.fit_intercept:
            rows[:, -1] = self.intercept_
        return rows

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "coef_")
