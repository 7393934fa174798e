"""The recursions of both algorithms with given delays."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .proximal import Proximal

class Recursion:
    def __init__(
        self,
        capsule: Any,
        x0: NDArray[np.float64],
        *,
        whole: bool,
        M: int,
        T: int,
        key: tuple[int, int],
        clock: int = 0,
        slope: float = 0.0,
        prox: Proximal | None = None,
    ) -> None: ...
    def advance(
        self,
        until: int,
        gamma: NDArray[np.float64],
        delays: NDArray[np.int64],
        seen: NDArray[np.uint8] | None = None,
        draws: NDArray[np.int64] | None = None,
    ) -> None: ...
    def pending(self) -> dict[str, NDArray[Any]]: ...
    def restore(self, pending: Mapping[str, NDArray[Any]]) -> None: ...
    @property
    def x(self) -> NDArray[np.float64]: ...
    @property
    def clock(self) -> int: ...
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
