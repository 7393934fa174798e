"""Oscillators coupled by sines: on a chain, and on any graph."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from .stream import Stream

class Chain(Stream):
    def __new__(
        cls, n: int, pinning: float, spring: float, coupling: float, sigma: float, noise: str
    ) -> Self: ...

class Graph(Stream):
    def __new__(
        cls,
        start: NDArray[np.int64],
        neighbour: NDArray[np.int64],
        weight: NDArray[np.float64],
        phase: NDArray[np.float64],
        sigma: float,
        noise: str,
    ) -> Self: ...
