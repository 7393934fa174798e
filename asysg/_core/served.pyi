"""Synchronous, delayed and Downpour stochastic gradient on real threads."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .threads import Threads

METHODS: tuple[str, ...]

class Served(Threads):
    def __init__(
        self,
        capsule: Any,
        x0: NDArray[np.float64],
        *,
        method: str,
        M: int,
        p: int,
        key: tuple[int, int],
        max_delay: int = -1,
        recording: bool | str = "sampled",
        clock: int = 0,
        segment: int | None = None,
        delay: int = 0,
        n_push: int = 1,
        n_fetch: int = 1,
    ) -> None: ...
    def pending(self) -> dict[str, NDArray[Any]]: ...
    def restore(self, pending: Mapping[str, NDArray[Any]]) -> None: ...
