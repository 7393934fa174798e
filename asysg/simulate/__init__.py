"""Virtual workers: the algorithms with given delays or timed workers, the same bits every time.

`recursion` is the specification in NumPy; `minimize` runs its compiled twins.
"""

from __future__ import annotations

from . import adversary, calibration, comparisons, delays, phases, recursion, speeds, speedups
from ._front import minimize
from ._replay import Replay, replay
from ._timed import Forecast, forecast

__all__ = [
    "Forecast",
    "Replay",
    "adversary",
    "calibration",
    "comparisons",
    "delays",
    "forecast",
    "minimize",
    "phases",
    "recursion",
    "replay",
    "speeds",
    "speedups",
]
