"""Logistic regression with an l2 or a nonconvex penalty, as a benchmark for benchopt."""

import numpy as np
from benchopt import BaseObjective


class Objective(BaseObjective):
    """f(x) = mean_j log(1 + exp(-y_j a_j'x)) + reg * penalty(x).

    The penalty is ||x||^2 / 2 ("l2"), or sum_i x_i^2 / (1 + x_i^2), which large coordinates escape
    ("nonconvex").
    """

    name = "Logistic regression, convex or not"
    min_benchopt_version = "1.10"
    parameters = {"penalty": ["l2", "nonconvex"], "reg": [1e-3]}  # noqa: RUF012

    def set_data(self, A, y):
        self.A, self.y = A, y

    def get_objective(self):
        return {"A": self.A, "y": self.y, "penalty": self.penalty, "reg": self.reg}

    def get_one_result(self):
        return {"x": np.zeros(self.A.shape[1])}

    def evaluate_result(self, x):
        margin = self.y * (self.A @ x)
        slope = -self.y / (1 + np.exp(margin))
        gradient = self.A.T @ slope / len(self.y)
        if self.penalty == "l2":
            penalty, pull = x @ x / 2, x
        else:
            penalty, pull = (x**2 / (1 + x**2)).sum(), 2 * x / (1 + x**2) ** 2
        return {
            "value": np.logaddexp(0, -margin).mean() + self.reg * penalty,
            "gradient_norm_squared": float(np.sum((gradient + self.reg * pull) ** 2)),
        }
