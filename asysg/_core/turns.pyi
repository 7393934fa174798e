"""Virtual workers that take turns."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

LOG: np.dtype[np.void]
PAUSE: np.dtype[Any]

class Turns:
    def __init__(
        self,
        capsule: Any,
        x0: NDArray[np.float64],
        *,
        groups: int,
        parts: int,
        delay: int,
        M: int,
        key: tuple[int, int],
        factor: NDArray[np.float64],
        pauses: NDArray[Any],
        full: bool = False,
        clock: int = 0,
    ) -> None: ...
    def advance(
        self,
        until: int,
        gamma: NDArray[np.float64],
        compute: NDArray[np.float64],
        other: NDArray[np.float64],
        server: NDArray[np.float64],
    ) -> None: ...
    def pending(self) -> dict[str, NDArray[Any]]: ...
    def restore(self, pending: Mapping[str, NDArray[Any]]) -> None: ...
    @property
    def x(self) -> NDArray[np.float64]: ...
    @property
    def parts(self) -> int: ...
    @property
    def clock(self) -> int: ...
    @property
    def cycles(self) -> int: ...
    @property
    def now(self) -> float: ...
    @property
    def histogram(self) -> NDArray[np.int64]: ...
    @property
    def max_delay(self) -> int: ...
    @property
    def sum_delay(self) -> int: ...
    @property
    def recomputed(self) -> int: ...
    @property
    def sums(self) -> tuple[float, float]: ...
    @property
    def trouble(self) -> tuple[str, int, int] | None: ...
    @property
    def log(self) -> NDArray[Any] | None: ...
    @property
    def log_dtype(self) -> np.dtype[Any]: ...
