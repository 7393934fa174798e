"""Objectives whose functions somebody else compiled."""

from collections.abc import Sequence
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
        gather: bool,
        checked: bool,
        parts: Sequence[tuple[int, int, bool]],
        keep: object,
    ) -> None: ...
    @property
    def failure(self) -> tuple[str, str, int] | None: ...

def capsule_parts(capsule: Any) -> tuple[str, int, int]: ...
