"""Labels of a hidden x, a tenth of them wrong, on normal or on sparse data."""

import numpy as np
import scipy.sparse
from benchopt import BaseDataset


class Dataset(BaseDataset):
    """Rows of expected squared norm 1."""

    name = "Simulated"
    parameters = {  # noqa: RUF012
        "n_samples, n, density": [(10_000, 100, 1.0), (50_000, 5_000, 0.01)],
        "seed": [0],
    }
    test_parameters = {"n_samples, n, density": [(100, 10, 1.0), (100, 20, 0.2)]}  # noqa: RUF012

    def get_data(self):
        rng = np.random.default_rng(self.seed)
        shape = (self.n_samples, self.n)
        if self.density == 1:
            A = rng.standard_normal(shape)
        else:
            A = scipy.sparse.random_array(
                shape, density=self.density, format="csr", rng=rng,
                data_sampler=rng.standard_normal,
            )  # fmt: skip
        A = A / np.sqrt(self.n * self.density)
        hidden = rng.standard_normal(self.n) * 5
        y = np.where(A @ hidden > 0, 1.0, -1.0)
        y[rng.random(self.n_samples) < 0.1] *= -1
        return {"A": A, "y": y}
