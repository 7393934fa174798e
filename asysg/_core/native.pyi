"""Objectives whose functions somebody else compiled."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .kernel import Kernel

WHATS: tuple[str, ...]
WHYS: tuple[str, ...]

class Native(Kernel):
    def __init__(
        self,
        n: int,
        n_samples: int,
        gradient_: tuple[int, int],
        value_: tuple[int, int],
        partial_: tuple[int, int],
        start: NDArray[np.int64] | None,
        indices: NDArray[Any] | None,
        rows: NDArray[np.float64] | None,
        extras: int,
        checked: bool,
        keep: object,
    ) -> None: ...
    @property
    def failure(self) -> tuple[str, str, int] | None: ...

def pack(
    data: NDArray[np.float64],
    start: NDArray[np.int64],
    indices: NDArray[np.int32],
    extras: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.int64]]: ...
def capsule_parts(capsule: Any) -> tuple[str, int, int]: ...
