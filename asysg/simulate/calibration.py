"""What this machine's real costs are, for the virtual clock."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .._check import choice, integer, number, vector
from .._core import costs
from .._core.threads import Threads
from .._draws import key_from
from .._plan import need_objective
from ..objectives import Objective
from .speeds import Speeds, deterministic, lognormal

__all__ = ["Calibration", "calibrate"]

#: Bytes that a local socket surely takes before somebody reads.
PACKET = 2**15
#: Seconds below which no cost is told from none.
LEAST = 1e-9


@dataclass(frozen=True)
class Calibration:
    """Seconds measured on this machine, each the median of several measurements.

    Attributes
    ----------
    method, batch_size, transport
        What was measured.
    compute : float
        The stochastic gradient (or partial derivative) of a minibatch; of the lock-free methods
        with what it takes to read for it and to write it.
    read, update : float
        Of "asysg-con", a copy of x and adding a gradient to it; 0 otherwise.
    message : float
        n doubles through a local socket, both ways of the kernel counted; 0 for threads.
    """

    method: str
    batch_size: int
    transport: str
    compute: float
    read: float
    update: float
    message: float

    def speeds(self, spread: float = 0.0) -> Speeds:
        """Return workers as fast as this machine's.

        Whole vectors are read and written one worker at a time: by the server, or under the lock
        that takes its place. What is read entry by entry costs the worker alone.

        Parameters
        ----------
        spread : float
            Deviation of the logarithm of the times of computing, >= 0. Not measured: medians
            say nothing of it.
        """
        spread = number("spread", spread, least=0)
        # Of the lock-free methods reading and writing are in the time of computing.
        server = self.read + self.update
        if spread:
            return lognormal(
                spread, self.compute, read=self.message, send=self.message, server=server
            )
        return deterministic(self.compute, read=self.message, send=self.message, server=server)


def calibrate(
    obj: Objective,
    x0: ArrayLike,
    *,
    method: str = "asysg-incon",
    batch_size: int = 1,
    transport: str = "threads",
    seconds: float = 1.0,
) -> Calibration:
    """Measure what one worker's steps cost here.

    A whole update is timed in the compiled loop of one real thread; of "asysg-con" its copies
    are timed apart, and what is left is computing.

    Parameters
    ----------
    obj, x0, method, batch_size
        As in `asysg.minimize`; method "asysg-con", "asysg-incon" or "hogwild".
    transport : {"threads", "messages"}
        Whether workers share memory or send their vectors.
    seconds : float
        About so long it takes, > 0.

    Returns
    -------
    Calibration

    Raises
    ------
    InvalidArgument
        For arguments that cannot be.

    Examples
    --------
    >>> import asysg, numpy as np
    >>> from asysg.simulate import calibration
    >>> obj = asysg.objectives.CosineQuadratic(n=20, sigma=0.1)
    >>> cost = calibration.calibrate(obj, np.ones(20), seconds=0.05)
    >>> cost.compute > 0
    True
    """
    need_objective(obj)
    choice("method", method, ("asysg-con", "asysg-incon", "hogwild"))
    choice("transport", transport, ("threads", "messages"))
    M, seconds = integer("batch_size", batch_size, least=1), number("seconds", seconds, above=0)
    start = vector("x0", x0, obj.n)
    engine = Threads(
        obj._capsule,
        start,
        method=method,
        M=M,
        p=1,
        key=key_from(0),
        max_delay=-1,
        recording="sampled",
    )
    still = np.zeros(1)  # x stays: what is timed is the same again and again
    whole = _median(lambda K: engine.advance(engine.clock + K, still), seconds / 2)
    read = update = message = 0.0
    if method == "asysg-con":
        x, other = start.copy(), np.zeros(obj.n)
        read = _median(lambda K: costs.copy(x, other, K), seconds / 8)
        update = _median(lambda K: costs.add(0.0, other, x, K), seconds / 8)
    if transport == "messages":
        left, right = socket.socketpair()
        with left, right:
            data = memoryview(start.tobytes())
            room = memoryview(bytearray(min(PACKET, len(data))))

            def send(K: int) -> None:
                for _ in range(K):
                    for at in range(0, len(data), PACKET):
                        left.sendall(data[at : at + PACKET])
                        got = 0
                        while got < min(PACKET, len(data) - at):
                            got += right.recv_into(room)

            message = _median(send, seconds / 4)
    compute = max(whole - read - update, LEAST)
    return Calibration(method, M, transport, compute, read, update, message)


def _median(work: Callable[[int], object], seconds: float) -> float:
    """Return the seconds of one piece of work: the median of eleven measurements of many."""
    count, elapsed = 1, 0.0
    while elapsed < seconds / 22 and count < 2**30:
        begin = time.perf_counter()
        work(count)
        elapsed = time.perf_counter() - begin
        count *= 2
    found = []
    for _ in range(11):
        begin = time.perf_counter()
        work(count)
        found.append((time.perf_counter() - begin) / count)
    return float(np.median(found))
