"""Given delays without a history."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .proximal import Proximal

NODE: np.dtype[Any]

def sparse(capsule: Any) -> bool: ...

class Ahead:
    def __init__(
        self,
        capsule: Any,
        x0: NDArray[np.float64],
        *,
        whole: bool,
        M: int,
        T: int,
        K: int,
        key: tuple[int, int],
        clock: int = 0,
        slope: float = 0.0,
        prox: Proximal | None = None,
    ) -> None: ...
    def file(self, delays: NDArray[np.int64]) -> None: ...
    def advance(self, until: int, gamma: NDArray[np.float64]) -> None: ...
    def pending(self) -> dict[str, NDArray[Any]]: ...
    def restore(self, pending: Mapping[str, NDArray[Any]]) -> None: ...
    @property
    def x(self) -> NDArray[np.float64]: ...
    @property
    def clock(self) -> int: ...
    @property
    def filed(self) -> int: ...
    @property
    def block(self) -> int: ...
    @property
    def histogram(self) -> NDArray[np.int64]: ...
    @property
    def max_delay(self) -> int: ...
    @property
    def sum_delay(self) -> int: ...
    @property
    def sums(self) -> tuple[float, float]: ...
    @property
    def trouble(self) -> tuple[str, int, int] | None: ...
