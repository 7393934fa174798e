"""Finite sums of a scalar function of a linear model, dense or CSR, maybe regularised."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .kernel import Kernel

class Linear(Kernel):
    def __init__(
        self,
        loss: str,
        n: int,
        data: NDArray[np.float64],
        b: NDArray[np.float64] | None,
        start: NDArray[np.int64] | None = None,
        indices: NDArray[Any] | None = None,
        scale: float = 1.0,
        reg: float = 0.0,
        weight: NDArray[np.float64] | None = None,
        free: int = 0,
    ) -> None: ...
    @property
    def nbytes(self) -> int: ...
    def unpacked(
        self,
    ) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]: ...

def csr_flaw(start: NDArray[np.int64], indices: NDArray[Any], n: int) -> str: ...
def all_finite(values: NDArray[np.float64]) -> bool: ...
def aligned(values: NDArray[np.float64]) -> NDArray[np.float64]: ...
def pack(
    data: NDArray[np.float64],
    b: NDArray[np.float64],
    start: NDArray[np.int64],
    indices: NDArray[Any],
) -> tuple[NDArray[np.float64], NDArray[np.int64]]: ...
