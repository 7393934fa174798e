"""asysg on real threads; the stopping value counts passes over the data."""

import numpy as np
from benchopt import BaseSolver

import asysg
from asysg.objectives import NonconvexLogistic


class Solver(BaseSolver):
    """One sample an update, a constant steplength, the method and the threads as parameters."""

    name = "asysg"
    sampling_strategy = "iteration"
    requirements = ["pip::asysg"]  # noqa: RUF012
    parameters = {  # noqa: RUF012
        "method": ["hogwild", "asysg-con"],
        "n_threads": [1, 2],
        "steplength": [0.1, 1.0],
        "record": ["sampled"],
    }

    def set_objective(self, A, y, penalty, reg):
        # The nonconvex penalty is a part of f, the convex one a proximal step.
        self.f = NonconvexLogistic(A, y, reg=reg if penalty == "nonconvex" else 0.0)
        self.prox = asysg.prox.l2(reg) if penalty == "l2" else None
        self.start = np.zeros(A.shape[1])

    def run(self, n_iter):
        self.x = self.start
        if n_iter > 0:
            self.x = asysg.minimize(
                self.f,
                self.start,
                method=self.method,
                steplength=self.steplength,
                n_updates=n_iter * self.f.n_samples,
                n_threads=self.n_threads,
                prox=self.prox,
                record=self.record,
                n_records=1,
                rng=self.get_seed(),
            ).x

    def get_result(self):
        return {"x": self.x}
