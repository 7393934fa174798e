"""What the ranks of a cluster compute: a worker's gradient, the server's pass over x."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

OK: int
FAILED: int
NOT_FINITE: int

class Gradients:
    def __init__(self, capsule: Any, *, M: int, key: tuple[int, int]) -> None: ...
    def sum(
        self,
        x: NDArray[np.float64],
        draw: int,
        first: int,
        last: int,
        g: NDArray[np.float64],
    ) -> int: ...

def descend(
    x: NDArray[np.float64],
    g: NDArray[np.float64],
    step: float,
    snapshot: NDArray[np.float64] | None = None,
) -> None: ...
