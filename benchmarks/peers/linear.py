"""scikit-learn: `SGDClassifier` for W1 and W2, `MLPClassifier` for W3. One thread only."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import SGDClassifier
from sklearn.neural_network import MLPClassifier

from ..measure import Contestant, Reading
from ..workloads import STEP, Contestants, Data, Workload, data


def sgd(gamma: float, shuffle: bool, epochs: int, seed: int = 0) -> Any:
    """Return a logistic regression without intercept or penalty, at a constant steplength."""
    return SGDClassifier(
        loss="log_loss",
        penalty=None,
        fit_intercept=False,
        learning_rate="constant",
        eta0=gamma,
        max_iter=epochs,
        tol=None,
        shuffle=shuffle,
        random_state=seed,
    )


def passes(given: Data, gamma: float, seed: int, shuffle: bool) -> Iterator[tuple[float, Any]]:
    """Yield the seconds of each pass over the data, and x after it."""
    model = sgd(gamma, shuffle, 1, seed)
    classes = np.unique(given.y)
    while True:
        begin = time.perf_counter()
        model.partial_fit(given.A, given.y, classes)
        yield time.perf_counter() - begin, model.coef_[0]


def contestants(workload: Workload, p: int, quick: bool) -> Contestants:
    if p > 1:
        return
    if workload.kind == "W3":
        yield _network(workload, quick)
        return
    for name, shuffle, order in (
        ("scikit-learn SGD", True, "a shuffle each epoch"),
        ("scikit-learn SGD, sequential", False, "rows in their order"),
    ):
        yield _linear(workload, name, shuffle, order, quick)


def _linear(workload: Workload, name: str, shuffle: bool, order: str, quick: bool) -> Contestant:
    given = data(workload.kind, quick=quick)
    N = given.A.shape[0]

    def run(count: int) -> Reading:
        model = sgd(STEP[workload.kind], shuffle, max(1, round(count / N)))
        begin = time.perf_counter()
        model.fit(given.A, given.y)
        took = time.perf_counter() - begin
        return Reading(took, model.n_iter_ * N, given.objective.value(model.coef_[0]))

    computes = f"logistic loss, as it has no sigmoid least squares (one exp a sample too); {order}"
    return Contestant(name, "peer", 1, run, computes, start=N)


def _network(workload: Workload, quick: bool) -> Contestant:
    given, M = data("W3", workload.size, quick), workload.size
    N = len(given.A)

    def run(count: int) -> Reading:
        model = MLPClassifier(
            given.layers[1:-1],
            activation="tanh",
            solver="sgd",
            alpha=0.0,
            batch_size=M,
            learning_rate_init=STEP["W3"],
            max_iter=max(1, round(count / N)),
            momentum=0.0,
            nesterovs_momentum=False,
            n_iter_no_change=10**9,
            random_state=0,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # it is meant to stop there
            begin = time.perf_counter()
            model.fit(given.A, given.y)
            took = time.perf_counter() - begin
        return Reading(took, model.n_iter_ * N, given.objective.value(_flat(model)))

    computes = "the same network, loss and minibatches; a shuffle each epoch; its own start"
    return Contestant("scikit-learn MLP", "peer", 1, run, computes, start=N)


def _flat(model: Any) -> Any:
    """Return the parameters in the order of `objectives.Network`."""
    parts = zip(model.coefs_, model.intercepts_, strict=True)
    return np.concatenate([part for W, b in parts for part in (W.T.reshape(-1), b)])
