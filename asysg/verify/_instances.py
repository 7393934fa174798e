"""The built-in objectives, in instances small enough that a corollary's K is affordable."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from .. import objectives as o
from ..errors import InvalidArgument
from ..objectives._linear import LinearModel

Instance = tuple[o.Objective, NDArray[np.float64]]

SAMPLES, N = 200, 20


def _linear(family: type[LinearModel]) -> Callable[[], Instance]:
    def make() -> Instance:
        return family.planted(SAMPLES, N, rng=1), np.zeros(N)

    return make


#: Every family with constants proven for all x; the others (`Network`, `PhaseRetrieval`) have
#: unbounded noise or curvature, so that no theorem says anything about them.
INSTANCES: dict[str, Callable[[], Instance]] = {
    "cosine": lambda: (o.CosineQuadratic(N, sigma=2.0), np.full(N, 0.1)),
    "rotated-cosine": lambda: (o.RotatedCosineQuadratic(N, sigma=2.0), np.full(N, 0.1)),
    "huber-cosine": lambda: (o.HuberCosine(N, sigma=2.0), np.full(N, 0.1)),
    "sine-chain": lambda: (o.SineChain(N, sigma=2.0), np.full(N, 0.1)),
    "synchronization": lambda: (o.Synchronization.planted(N, sigma=4.0, rng=1), np.zeros(N)),
    "quadratic": lambda: (o.Quadratic(np.linspace(0.1, 1.0, N), sigma=1.0), np.full(N, 0.3)),
    "sigmoid": _linear(o.SigmoidRegression),
    "robust": _linear(o.RobustRegression),
    "sine": _linear(o.SineRegression),
    "logistic": _linear(o.NonconvexLogistic),
}


def chosen(names: Sequence[str] | None) -> tuple[str, ...]:
    """Return the names of the instances to run, all by default."""
    if names is None:
        return tuple(INSTANCES)
    if isinstance(names, str):
        names = (names,)
    if not names:
        raise InvalidArgument.of(
            "objectives", "must name at least one", list(names), "Leave it out for all."
        )
    for name in names:
        if name not in INSTANCES:
            raise InvalidArgument.of(
                "objectives",
                f"must be among {', '.join(INSTANCES)}",
                name,
                "Only families whose constants are proven for all x can be verified.",
            )
    return tuple(dict.fromkeys(names))
