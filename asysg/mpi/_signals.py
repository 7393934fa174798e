"""Ctrl-C, which mpiexec hands to every rank: one of them decides what it means, and when.

A rank that left in the midst of what all do together would leave the others waiting for ever.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Self


class Held:
    """Hold Ctrl-C back, except where this rank is ready for it.

    Parameters
    ----------
    server : bool
        Whether this rank decides. The others are told by it when to stop, and forget the signal.
    """

    def __init__(self, *, server: bool) -> None:
        self._server = server
        self._asked = False
        main = threading.current_thread() is threading.main_thread()
        self._theirs = signal.getsignal(signal.SIGINT) if main else None

    def __enter__(self) -> Self:
        if callable(self._theirs):
            signal.signal(signal.SIGINT, self._hold)
        return self

    def _hold(self, number: int, frame: FrameType | None) -> None:
        self._asked = True

    def _deliver(self) -> None:
        asked, self._asked = self._asked, False
        if asked and self._server and callable(self._theirs):
            self._theirs(signal.SIGINT, None)

    @contextmanager
    def ready(self) -> Iterator[None]:
        """Let signals do what they do, and first those that were held back."""
        if not callable(self._theirs):
            yield
            return
        signal.signal(signal.SIGINT, self._theirs)
        try:
            self._deliver()
            yield
        finally:
            signal.signal(signal.SIGINT, self._hold)

    def __exit__(self, *_: object) -> None:
        if callable(self._theirs):
            signal.signal(signal.SIGINT, self._theirs)
            self._deliver()
