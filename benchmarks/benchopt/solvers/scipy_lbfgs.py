"""SciPy's L-BFGS on the exact gradient: how low the loss can go."""

import numpy as np
from benchopt import BaseSolver
from scipy.optimize import minimize

from asysg.objectives import NonconvexLogistic


class Solver(BaseSolver):
    """Whole gradients, by the compiled objective of asysg."""

    name = "scipy-lbfgs"
    sampling_strategy = "iteration"
    requirements = ["pip::scipy", "pip::asysg"]  # noqa: RUF012

    def set_objective(self, A, y, penalty, reg):
        self.f = NonconvexLogistic(A, y, reg=reg if penalty == "nonconvex" else 0.0)
        self.ridge = reg if penalty == "l2" else 0.0
        self.start = np.zeros(A.shape[1])

    def run(self, n_iter):
        self.x = self.start
        if n_iter > 0:
            self.x = minimize(
                lambda x: self.f.value(x) + self.ridge * (x @ x) / 2,
                self.start,
                jac=lambda x: self.f.gradient(x) + self.ridge * x,
                method="L-BFGS-B",
                options={"maxiter": n_iter},
            ).x

    def get_result(self):
        return {"x": self.x}
