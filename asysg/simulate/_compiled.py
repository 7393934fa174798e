"""What the loop asks of a simulated scheduler, passed on to its compiled kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.ahead import Ahead
from .._core.recursion import Recursion
from .._core.timed import Timed
from .._core.turns import Turns
from .._plan import Plan


def schedule_key(plan: Plan) -> tuple[int, int]:
    """Return the key of delays and times: not that of samples and coordinates."""
    return plan.key[1] ^ 0x5EED, plan.key[0]


class Compiled:
    """A scheduler, except how it advances."""

    kernel: Ahead | Recursion | Timed | Turns
    overwrites = 0
    log: NDArray[Any] | None = None
    reads: NDArray[np.float64] | None = None

    @property
    def x(self) -> NDArray[np.float64]:
        """The current iterate."""
        return self.kernel.x

    @property
    def clock(self) -> int:
        """Updates done."""
        return self.kernel.clock

    @property
    def trouble(self) -> tuple[str, int, int] | None:
        """What ended the run early."""
        return self.kernel.trouble

    @property
    def histogram(self) -> NDArray[np.int64]:
        """Updates by delay, in log2 bins."""
        return self.kernel.histogram

    @property
    def max_delay(self) -> int:
        """Largest delay so far."""
        return self.kernel.max_delay

    @property
    def sum_delay(self) -> int:
        """Sum of the delays so far."""
        return self.kernel.sum_delay

    @property
    def sums(self) -> tuple[float, float]:
        """Sum of the steplengths and of their squares so far."""
        return self.kernel.sums

    def pending(self) -> dict[str, NDArray[Any]]:
        """Return what the next updates need besides x."""
        return self.kernel.pending()

    def restore(self, pending: dict[str, NDArray[Any]]) -> None:
        """Go on from what `pending` returned at this clock."""
        self.kernel.restore(pending)
