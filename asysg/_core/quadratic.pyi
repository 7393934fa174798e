"""Noisy quadratics: f(x) = (x - x*)' H (x - x*) / 2 with H diagonal or dense symmetric."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from .stream import Stream

class Quadratic(Stream):
    def __new__(
        cls, h: NDArray[np.float64], x_star: NDArray[np.float64], sigma: float, noise: str
    ) -> Self: ...
