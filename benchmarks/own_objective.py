"""The loss of W1 as a user would write it: two loops in numba, on rows that asysg hands over."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from asysg import objectives

from .workloads import Data


@numba.cfunc(objectives.signature("numba", row=True), error_model="numpy")
def gradient(x: Any, g: Any, n: Any, sample: Any, row: Any) -> Any:
    z = 0.0
    for t in range(n):
        z += row[t] * x[t]
    s = 1 / (1 + np.exp(-z))
    c = 2 * (s - row[n]) * s * (1 - s)
    for t in range(n):
        g[t] += c * row[t]
    return 1


@numba.cfunc(objectives.signature("numba", "value", row=True), error_model="numpy")
def value(x: Any, out: Any, n: Any, sample: Any, row: Any) -> Any:
    z = 0.0
    for t in range(n):
        z += row[t] * x[t]
    out[0] = (1 / (1 + np.exp(-z)) - row[n]) ** 2
    return 1


def objective(given: Data) -> objectives.Objective:
    """Return the objective of W1 by these functions."""
    return objectives.from_lowlevel(gradient, A=given.A, y=given.y, value=value)
