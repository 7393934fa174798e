"""The owner of an objective's C struct, shared by every compiled family."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

def rounded(values: ArrayLike) -> NDArray[np.float32]: ...

class Kernel:
    @property
    def capsule(self) -> Any: ...
    @property
    def n(self) -> int: ...
    @property
    def n_samples(self) -> int: ...
    def single(self) -> bool: ...
