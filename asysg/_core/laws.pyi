"""Numbers of given laws."""

import numpy as np
from numpy.typing import NDArray

_Key = tuple[int, int]

def below(key: _Key, start: int, stop: int, slots: int, bound: int) -> NDArray[np.int64]: ...
def alias(
    key: _Key,
    start: int,
    stop: int,
    slots: int,
    share: NDArray[np.uint64],
    other: NDArray[np.int64],
) -> NDArray[np.int64]: ...
def uniform(key: _Key, start: int, stop: int) -> NDArray[np.float64]: ...
def exponential(key: _Key, start: int, stop: int) -> NDArray[np.float64]: ...
def lognormal(key: _Key, start: int, stop: int, spread: float) -> NDArray[np.float64]: ...
def pareto(key: _Key, start: int, stop: int, shape: float) -> NDArray[np.float64]: ...
