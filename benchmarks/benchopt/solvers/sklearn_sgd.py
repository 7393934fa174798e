"""scikit-learn's SGD, one thread; the stopping value counts passes over the data."""

import warnings

import numpy as np
from benchopt import BaseSolver
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import SGDClassifier


class Solver(BaseSolver):
    """The same constant steplength as asysg's."""

    name = "sklearn-sgd"
    sampling_strategy = "iteration"
    requirements = ["pip::scikit-learn"]  # noqa: RUF012
    parameters = {"steplength": [0.1, 1.0]}  # noqa: RUF012

    def skip(self, A, y, penalty, reg):
        return penalty != "l2", f"has no penalty {penalty!r}"

    def set_objective(self, A, y, penalty, reg):
        self.A, self.y, self.reg = A, y, reg

    def run(self, n_iter):
        self.x = np.zeros(self.A.shape[1])
        if n_iter > 0:
            model = SGDClassifier(
                loss="log_loss", penalty="l2", alpha=self.reg, fit_intercept=False,
                max_iter=n_iter, tol=None, learning_rate="constant", eta0=self.steplength,
                random_state=self.get_seed() % 2**32,
            )  # fmt: skip
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                self.x = model.fit(self.A, self.y).coef_.ravel()

    def get_result(self):
        return {"x": self.x}
