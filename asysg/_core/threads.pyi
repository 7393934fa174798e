"""The algorithms on real threads."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .proximal import Proximal
from .skip import Skip

LOG: np.dtype[np.void]
METHODS: dict[str, int]
SEGMENT: int
LARGEST_SEGMENT: int
RECORDING: dict[bool | str, int]

def segment_for(n: int) -> int: ...

class Threads:
    def __init__(
        self,
        capsule: Any,
        x0: NDArray[np.float64],
        *,
        method: str,
        M: int,
        p: int,
        key: tuple[int, int],
        max_delay: int,
        recording: bool | str,
        lossy: bool = False,
        sync_every: int = 0,
        clock: int = 0,
        segment: int | None = ...,
        skip: Skip | None = None,
        slope: float = 0.0,
        prox: Proximal | None = None,
        lazy: bool = False,
    ) -> None: ...
    def shared(
        self, x0: NDArray[np.float64], dtype: type[np.floating[Any]] = ...
    ) -> NDArray[Any]: ...
    def cells(self, shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any]: ...
    def advance(self, until: int, gamma: NDArray[np.float64]) -> None: ...
    def pending(self) -> dict[str, NDArray[Any]]: ...
    def restore(self, pending: Mapping[str, NDArray[Any]]) -> None: ...
    @property
    def x(self) -> NDArray[np.float64]: ...
    @property
    def log(self) -> NDArray[Any] | None: ...
    @property
    def log_dtype(self) -> np.dtype[np.void]: ...
    @property
    def reads(self) -> NDArray[np.float64] | None: ...
    @property
    def share(self) -> float: ...
    @property
    def team(self) -> int: ...
    @property
    def clock(self) -> int: ...
    @property
    def trouble(self) -> tuple[str, int, int] | None: ...
    @property
    def histogram(self) -> NDArray[np.int64]: ...
    @property
    def max_delay(self) -> int: ...
    @property
    def sum_delay(self) -> int: ...
    @property
    def recomputed(self) -> int: ...
    @property
    def overwrites(self) -> int: ...
    @property
    def sums(self) -> tuple[float, float]: ...
    @property
    def updates_by_worker(self) -> list[int]: ...
