"""Objectives called from Python: one evaluation at a time, through the ABI of any objective."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

def value(capsule: Any, x: ArrayLike, sample: int | None = None) -> float: ...
def gradient(
    capsule: Any,
    x: ArrayLike,
    sample: int | None = None,
    out: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]: ...
def minibatch(
    capsule: Any,
    x: ArrayLike,
    samples: Sequence[int] | NDArray[np.integer[Any]],
    out: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]: ...
def minibatch32(
    capsule: Any,
    x: ArrayLike,
    samples: Sequence[int] | NDArray[np.integer[Any]],
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]: ...
def partial(capsule: Any, x: ArrayLike, sample: int | None, i: int) -> float: ...
def support(capsule: Any, sample: int, i: int = -1) -> NDArray[np.int64] | None: ...
def shape(capsule: Any) -> tuple[int, int]: ...
def descend(capsule: Any, x: ArrayLike, sample: int, step: float) -> NDArray[np.float64] | None: ...
def touch(capsule: Any, sample: int) -> bool: ...
