"""What the trials run."""

import numpy as np

from asysg import objectives

SMALL, LARGE = 10, 1000
METHODS = ("asysg-incon", "asysg-con", "hogwild")


def sigmoid(n: int) -> objectives.SigmoidRegression:
    """Dense sigmoid regression on 4 n <= 1000 samples, the same every time."""
    rng = np.random.default_rng(n)
    A = rng.normal(size=(min(4 * n, 1000), n)) / np.sqrt(n)
    return objectives.SigmoidRegression(A, (A[:, 0] > 0).astype(float))


def replayable(method: str, p: int, record: str | bool) -> bool:
    """Tell whether `asysg.simulate.replay` takes the record of such a run."""
    if method == "hogwild" and p > 1:
        return record == "full+reads"
    return record in ("full", "full+reads")
