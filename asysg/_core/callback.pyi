"""Objectives whose functions are Python's."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .kernel import Kernel

class Callback(Kernel):
    def __init__(
        self,
        n: int,
        n_samples: int,
        value: Callable[[NDArray[np.float64], NDArray[np.int64]], float],
        gradient: Callable[[NDArray[np.float64], NDArray[np.int64]], NDArray[np.float64]],
        full: Callable[[NDArray[np.float64]], tuple[float, NDArray[np.float64]]] | None = None,
    ) -> None: ...
    outside: Callable[..., Any] | None
    @property
    def error(self) -> BaseException | None: ...
