"""The progress bar of a run: updates a second, the delays so far, the last loss."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from .result import Staleness

#: The quantile of the delays that is shown.
QUANTILE = 0.99
#: Seconds between two looks at the bar.
SECONDS = 0.1


class Progress:
    """A bar on stderr. What it shows is gathered between blocks, and only when it is drawn again.

    Made only when asked for: tqdm keeps a thread, which users who fork would not thank us for.

    Parameters
    ----------
    total, done : int
        Updates to do and done.

    Attributes
    ----------
    fun : float or None
        The last recorded loss.
    """

    def __init__(self, total: int, done: int) -> None:
        self.fun: float | None = None
        # Here, because it takes time to import.
        from tqdm import tqdm

        self._bar = tqdm(
            total=total, initial=done, unit="update", unit_scale=True, mininterval=SECONDS
        )
        self._left = total - done
        self._drawn = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def update(self, done: int, seen: Callable[[], Staleness]) -> None:
        """Count so many updates more; `seen` gives the delays so far where they are shown."""
        now = time.perf_counter()
        self._left -= done
        if now - self._drawn >= SECONDS or self._left <= 0:
            self._drawn = now
            self._bar.set_postfix_str(said(seen(), self.fun), refresh=False)
        self._bar.update(done)


def said(staleness: Staleness, fun: float | None) -> str:
    """Return what stands behind the rate."""
    words = [] if fun is None else [f"f={fun:.4g}"]
    if staleness.max is not None and staleness.histogram.any():
        words.append(f"{QUANTILE:.0%} of delays<={staleness.quantile(QUANTILE)}")
    return ", ".join(words)
