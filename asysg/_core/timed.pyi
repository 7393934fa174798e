"""Virtual workers on a virtual clock."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .proximal import Proximal

EVENT: np.dtype[Any]
CYCLE: np.dtype[Any]
PAUSE: np.dtype[Any]
LOG: np.dtype[np.void]

def bytes_per_worker(capsule: Any, *, whole: bool, M: int, local: bool = False) -> int: ...

class Timed:
    def __init__(
        self,
        capsule: Any,
        x0: NDArray[np.float64],
        *,
        whole: bool,
        M: int,
        p: int,
        K: int,
        key: tuple[int, int],
        max_delay: int,
        factor: NDArray[np.float64],
        pauses: NDArray[Any],
        full: bool = False,
        dry: bool = False,
        clock: int = 0,
        slope: float = 0.0,
        n_push: int = 1,
        n_fetch: int = 1,
        prox: Proximal | None = None,
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
    def sums(self) -> tuple[float, float]: ...
    @property
    def recomputed(self) -> int: ...
    @property
    def trouble(self) -> tuple[str, int, int] | None: ...
    @property
    def log(self) -> NDArray[Any] | None: ...
    @property
    def log_dtype(self) -> np.dtype[Any]: ...
    @property
    def updates_by_worker(self) -> NDArray[np.int64]: ...
