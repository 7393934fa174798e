"""What a server does with a vector, to be timed."""

import numpy as np
from numpy.typing import NDArray

def copy(x: NDArray[np.float64], out: NDArray[np.float64], count: int) -> None: ...
def add(step: float, g: NDArray[np.float64], x: NDArray[np.float64], count: int) -> None: ...
