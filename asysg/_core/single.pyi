"""AsySG-con on real threads with x in single precision."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .threads import Threads

class Single(Threads):
    def __init__(
        self,
        capsule: Any,
        x0: NDArray[np.float64],
        *,
        M: int,
        p: int,
        key: tuple[int, int],
        max_delay: int = -1,
        recording: bool | str = "sampled",
        clock: int = 0,
        segment: int | None = None,
        slope: float = 0.0,
    ) -> None: ...
