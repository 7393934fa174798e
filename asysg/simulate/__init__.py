"""Virtual workers: the algorithms with given delays or timed workers, the same bits every time.

`recursion` is the specification in NumPy; `minimize` runs its compiled twins.
"""

from __future__ import annotations

from . import adversary, delays, recursion, speeds
from ._front import minimize
from ._replay import Replay, replay

__all__ = ["Replay", "adversary", "delays", "minimize", "recursion", "replay", "speeds"]
