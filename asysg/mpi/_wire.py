"""What travels between the server and its workers, and by which way.

A *slot* is one gradient under way between the server (rank 0; `_iterate` says what others do) and
one worker: a snapshot of x on its way out, a gradient on its way back, each behind a header of 64
bytes. It is in one hand at a time: who has posted it does not touch it before the answer is there.
So no buffer is overwritten while it travels, no request is dropped, and a snapshot is exactly the x
it was copied from.

Two ways to carry the vectors:

``messages``
    header and vector in one contiguous message, received into memory that waits for it; the
    vector in float64 or, rounded, in float32;
``shared``
    between ranks of one host: the vectors lie in an MPI shared window, where one side writes what
    the other reads, and the header alone is sent. That message orders their accesses; the window
    is synchronised before it leaves and after it has arrived.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from mpi4py import MPI

HEADER = np.dtype(
    [
        ("kind", np.int64),  # what to do, or what became of it
        ("draw", np.int64),
        ("start", np.int64),  # updates in the snapshot
        ("part", np.int64),  # of `parts`, into which the minibatch is split
        ("parts", np.int64),
        ("gamma", np.float64),  # for local steps
        ("seconds", np.float64),  # of computing
        ("spare", np.int64),
    ]
)
#: What the server says: compute from this snapshot, from your own replica, send back, leave.
WORK, GO_ON, ECHO, STOP = range(4)
#: What a worker answers, besides the codes of `asysg._core.rank`: there was an exception.
RAISED = 3
#: Slot s of a worker has the tag s; these are those of its traceback, and of what passes between
#: servers.
TEXT, ORDER, SLICE = 1 << 14, (1 << 14) + 1, (1 << 14) + 2
#: Seconds a rank that waits stays awake where few share a core, and the longest sleep.
AWAKE, NAP = 2e-4, 1e-3


class SilentRank(TimeoutError):
    """A rank has not answered for longer than the patience of the run."""


class Idle:
    """Wait without burning a core that others may need.

    Stay awake for a while where few ranks share a core; then, and where many do from the start,
    sleep. Each sleep is an eighth of what was waited so far (and as long as the
    system's shortest), so that it hardly delays the answer.

    Parameters
    ----------
    awake : float
        Seconds before the first sleep.
    """

    def __init__(self, awake: float) -> None:
        self.begin, self.awake = time.perf_counter(), awake

    def __call__(self) -> None:
        waited = time.perf_counter() - self.begin
        if waited < self.awake:
            os.sched_yield()
        else:
            time.sleep(min(waited / 8, NAP))


class Side:
    """What a slot carries in one direction.

    Parameters
    ----------
    n : int
    shared : ndarray of shape (n,), optional
        The vector, where both ranks see it; otherwise it lies behind the header and travels.
    wire : {"float64", "float32"}
        What it travels as.
    """

    def __init__(
        self, n: int, shared: NDArray[np.float64] | None = None, wire: str = "float64"
    ) -> None:
        head, kind = HEADER.itemsize, np.dtype(wire)
        self._itemsize = 0 if shared is not None else kind.itemsize
        self.bytes = np.zeros(head + self._itemsize * n, np.uint8)
        self.header = self.bytes[:head].view(HEADER)[0]  # a view: NumPy's void scalars are
        self._rounded: NDArray[np.float32] | None = None
        if shared is not None:
            self.vector = shared
        elif kind == np.float64:
            self.vector = self.bytes[head:].view(np.float64)
        else:
            self.vector, self._rounded = np.zeros(n), self.bytes[head:].view(np.float32)

    def part(self, begin: int, end: int, *, header: bool) -> NDArray[np.uint8]:
        """Return the bytes of a part of the vector, as they travel; its first has the header."""
        head = HEADER.itemsize
        first = 0 if header else head + self._itemsize * begin
        return self.bytes[first : head + self._itemsize * end]

    def pack(self) -> None:
        """Round the vector to what travels."""
        if self._rounded is not None:
            with np.errstate(over="ignore"):  # inf arrives, and is noticed
                self._rounded[:] = self.vector

    def unpack(self) -> None:
        """Take the vector from what has arrived."""
        if self._rounded is not None:
            self.vector[:] = self._rounded


class Slot(Protocol):
    """A gradient under way, as the server sees it."""

    number: int
    worker: int
    rank: int  # the worker's
    out: Side
    back: Side

    def post(self, *, vector: bool = True) -> None:
        """Send what is in `out`, and expect the answer in `back`."""


class Wire(Protocol):
    """All slots of a rank."""

    @property
    def slots(self) -> Sequence[Slot]: ...

    def idle(self) -> Idle:
        """Return what to call between two polls."""

    def poll(self) -> list[int]:
        """Return the slots whose message has arrived since the last call; do not wait."""


class RankSlot:
    """A slot of two ranks, as the one side sees it that sends `out` and receives `back`.

    Parameters
    ----------
    comm : Comm
    peers : list of (int, ndarray, ndarray)
        With whom: rank, bytes of `out` that go there, bytes of `back` that come from there. For a
        worker the servers, rank 0 first, which alone sends a header.
    rank : int
        The worker's.
    worker, tag, number : int
    out, back : Side
    window : Win, optional
        What the vectors lie in.
    """

    def __init__(
        self,
        comm: MPI.Comm,
        peers: list[tuple[int, NDArray[np.uint8], NDArray[np.uint8]]],
        *,
        rank: int,
        worker: int,
        tag: int,
        number: int,
        out: Side,
        back: Side,
        window: MPI.Win | None = None,
    ) -> None:
        self.rank, self.worker, self.number = rank, worker, number
        self.out, self.back = out, back
        self._comm, self._tag, self._window = comm, tag, window
        self._outgoing = [(peer, part) for peer, part, _ in peers]
        self.incoming, *self._rest = (
            comm.Recv_init(bytes_, peer, tag) for peer, _, bytes_ in peers
        )
        self._rest_under_way = False
        self._sent: list[MPI.Request] = []

    def listen(self) -> None:
        """Expect a message; every posted one is listened for first."""
        self.incoming.Start()
        if self._rest and not self._rest_under_way:
            for request in self._rest:
                request.Start()
            self._rest_under_way = True

    def received(self) -> bool:
        """Note that a message has arrived; tell whether the vector, if it has one, is whole."""
        if self._rest_under_way and self.back.header["kind"] == WORK:
            if not all(request.Test() for request in self._rest):
                return False
            self._rest_under_way = False
        self._complete()
        if self._window is not None:
            self._window.Sync()
        self.back.unpack()
        return True

    def _complete(self) -> None:
        """Complete what was sent before: the answer to it is there."""
        for request in self._sent:
            request.Wait()
        self._sent = []

    def post(self, *, vector: bool = True) -> None:
        """Send the header and, unless told otherwise, the vector."""
        self.listen()
        self.send(vector=vector)

    def send(self, *, vector: bool = True) -> None:
        """Send without expecting an answer."""
        if self._window is not None:
            self._window.Sync()
        if vector:
            self.out.pack()
            self._sent = [self._comm.Isend(part, peer, self._tag) for peer, part in self._outgoing]
        else:
            peer, part = self._outgoing[0]
            self._sent = [self._comm.Isend(part[: HEADER.itemsize], peer, self._tag)]

    def free(self) -> None:
        """Complete what was sent and give the requests back."""
        self._complete()
        for request in self._rest:
            if self._rest_under_way:
                request.Cancel()
                request.Wait()
            request.Free()
        self.incoming.Free()


class RankWire:
    """All slots of a rank, and the persistent requests they listen with.

    Parameters
    ----------
    slots : sequence of RankSlot
    awake : float
        See `Idle`.
    """

    def __init__(self, slots: Sequence[RankSlot], awake: float) -> None:
        from mpi4py import MPI

        self.slots, self.awake = slots, awake
        self._test = MPI.Request.Testsome
        self._incoming = [slot.incoming for slot in slots]
        self._partly: list[int] = []

    def idle(self) -> Idle:
        """Return what to call between two polls."""
        return Idle(self.awake)

    def poll(self) -> list[int]:
        """Return the slots whose message has arrived, all of it, since the last call."""
        begun = self._partly + (self._test(self._incoming) or [])
        if not begun:
            return []
        arrived: list[int] = []
        self._partly = []
        for number in begun:
            (arrived if self.slots[number].received() else self._partly).append(number)
        return arrived

    def wait(self) -> list[int]:
        """Return the slots whose message has arrived, once there are any."""
        idle = self.idle()
        while not (arrived := self.poll()):
            idle()
        return arrived

    def free(self) -> None:
        """Free every slot; nothing must be under way."""
        for slot in self.slots:
            slot.free()


class LocalSlot:
    """A slot of the server with itself, where there is no other rank."""

    def __init__(
        self, number: int, n: int, work: Callable[[Side, Side], None], answered: list[int]
    ) -> None:
        self.number, self.worker, self.rank = number, 0, 0
        self.out, self.back = Side(n), Side(n)
        self._work, self._answered = work, answered

    def post(self, *, vector: bool = True) -> None:
        """Compute the answer."""
        self._answered.append(self.number)  # even if it raises: nothing is under way then
        self._work(self.out, self.back)


class LocalWire:
    """The slots of a server without workers: it computes for itself when it hands out work."""

    def __init__(self, n: int, in_flight: int, work: Callable[[Side, Side], None]) -> None:
        self._answered: list[int] = []
        self.slots = [LocalSlot(number, n, work, self._answered) for number in range(in_flight)]

    def idle(self) -> Idle:
        """Return what to call between two polls; there is nothing to wait for."""
        return Idle(0.0)

    def poll(self) -> list[int]:
        """Return the slots whose gradient was computed since the last call, in that order."""
        arrived = self._answered.copy()
        self._answered.clear()
        return arrived
