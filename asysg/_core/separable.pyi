"""Sums of one scalar function of every coordinate, or of every coordinate of Qx."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from .stream import Stream

class Separable(Stream):
    def __new__(
        cls,
        n: int,
        u: str,
        c: tuple[float, float, float],
        sigma: float,
        noise: str,
        q: NDArray[np.float64] | None = None,
    ) -> Self: ...
