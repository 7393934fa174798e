"""AsySG-incon without the updates that are zero by structure."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK_HITS: int
_Ints = NDArray[np.int64]

def structure(capsule: Any) -> tuple[_Ints, _Ints] | str: ...
def columns(capsule: Any, counts: _Ints) -> tuple[_Ints, NDArray[np.int32]]: ...

class Skip:
    share: float
    nbytes: int
    def __init__(
        self,
        M: int,
        start: _Ints,
        counts: _Ints,
        column: _Ints | None = None,
        rows: NDArray[np.int32] | None = None,
    ) -> None: ...
    @property
    def turn(self) -> int: ...
    @turn.setter
    def turn(self, turn: int) -> None: ...
    @property
    def block(self) -> int: ...
    def hits(self, key: tuple[int, int], until: int) -> list[tuple[int, int, list[int]]]: ...
