"""The iterate where it is kept: in one piece, or in slices on several servers.

With ``n_servers=s`` the ranks 0 .. s-1 are servers, and server i holds the i-th of s slices of x,
of nearly equal length. A worker sends each of them its slice of a gradient, and gets from each a
slice of the snapshot, so that the traffic of large vectors is spread over s hosts.

Reads stay consistent because all servers do the same things in the same order. Rank 0 alone
decides: whose gradient is the next update, at which steplength, who is given a snapshot, and when.
Each decision is an *order*, one small message to every other server, which carries them out one
by one, as they were given, and waits for the gradient that an order needs, whatever else has
arrived. A snapshot ordered after k updates is therefore made of the same k updates in every slice:
it is x_k. And since an update is done element by element, the bits are those of one server.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from .._core.rank import descend
from ._wire import ORDER, SLICE, Idle, RankWire, SilentRank, Slot

if TYPE_CHECKING:
    from mpi4py import MPI

#: What an order says.
SET, SHOW, GIVE, GO_ON, APPLY, ADD, FORGET, NO_MORE = range(8)
NOBODY = -1
Orders = np.dtype(
    [("what", np.int64), ("slot", np.int64), ("following", np.int64), ("gamma", np.float64)]
)


class Iterate(Protocol):
    """What the server does to x."""

    @property
    def x(self) -> NDArray[np.float64]: ...

    def give(self, slot: Slot) -> None:
        """Put a snapshot into a slot."""

    def go_on(self, slot: Slot) -> None:
        """Note that a worker will send another gradient without a snapshot."""

    def apply(self, slot: Slot, gamma: float, following: Slot | None = None) -> None:
        """Do the update of a slot's gradient, and put the new x into a slot in the same pass."""

    def add(self, slots: Sequence[Slot], gamma: float) -> None:
        """Do one update of the sum of these slots' gradients, added in their order."""

    def forget(self) -> None:
        """Note that every gradient under way has arrived, and that none will be used."""


class Whole:
    """x in one piece.

    Parameters
    ----------
    x : ndarray of shape (n,)
        Copied.
    """

    def __init__(self, x: NDArray[np.float64]) -> None:
        self.x = x.copy()

    def give(self, slot: Slot) -> None:
        """Copy x into a slot."""
        np.copyto(slot.out.vector, self.x)

    def go_on(self, slot: Slot) -> None:
        """Do nothing: the gradient will be heard of when it is there."""

    def apply(self, slot: Slot, gamma: float, following: Slot | None = None) -> None:
        """Do an update."""
        snapshot = None if following is None else following.out.vector
        descend(self.x, slot.back.vector, gamma, snapshot)

    def add(self, slots: Sequence[Slot], gamma: float) -> None:
        """Do an update of a sum."""
        total = slots[0].back.vector
        for slot in slots[1:]:
            np.add(total, slot.back.vector, out=total)
        descend(self.x, total, gamma)

    def forget(self) -> None:
        """Do nothing."""


def edges(n: int, n_servers: int) -> list[int]:
    """Return where the slices begin, and n."""
    return [int(edge) for edge in np.linspace(0, n, n_servers + 1)]


class Sliced:
    """x as rank 0 sees it where there are more servers: its own slice, and orders for the others.

    Parameters
    ----------
    comm : Comm
    n_servers : int
    awake : float
        See `Idle`.
    x : ndarray of shape (n,)
        Copied.
    patience : float or None
        Seconds another server may take to send its slice.
    """

    def __init__(
        self,
        comm: MPI.Comm,
        n_servers: int,
        awake: float,
        x: NDArray[np.float64],
        patience: float | None = None,
    ) -> None:
        self._comm, self._n_servers = comm, n_servers
        self._awake, self._patience = awake, patience
        self._edges, self._x = edges(len(x), n_servers), x.copy()
        self._own = Whole(self._x[: self._edges[1]])
        self._gathered = True
        self._say(SET)
        for server in range(1, n_servers):
            comm.Send(self._slice(server), server, SLICE)

    def _slice(self, server: int) -> NDArray[np.float64]:
        return self._x[self._edges[server] : self._edges[server + 1]]

    def _say(
        self, what: int, slot: int = NOBODY, following: int = NOBODY, gamma: float = 0.0
    ) -> None:
        order(self._comm, self._n_servers, what, slot, following, gamma)

    @property
    def x(self) -> NDArray[np.float64]:
        """Gather the slices, if x has changed since the last time."""
        if not self._gathered:
            from mpi4py import MPI

            coming = [
                self._comm.Irecv(self._slice(server), server, SLICE)
                for server in range(1, self._n_servers)
            ]
            self._say(SHOW)
            self._slice(0)[:] = self._own.x
            idle = Idle(self._awake)
            while not MPI.Request.Testall(coming):
                waited = time.perf_counter() - idle.begin
                if self._patience is not None and waited > self._patience:
                    raise SilentRank(
                        f"the other servers must answer within patience = {self._patience:g} s, "
                        f"got nothing from one of the ranks 1..{self._n_servers - 1}. Is its "
                        "process stopped?"
                    )
                idle()
            self._gathered = True
        return self._x

    def give(self, slot: Slot) -> None:
        """Let every server give its slice of a snapshot."""
        self._say(GIVE, slot.number)
        self._own.give(slot)

    def go_on(self, slot: Slot) -> None:
        """Let every server listen for another gradient."""
        self._say(GO_ON, slot.number)

    def apply(self, slot: Slot, gamma: float, following: Slot | None = None) -> None:
        """Let every server do the update on its slice."""
        self._gathered = False
        self._say(APPLY, slot.number, NOBODY if following is None else following.number, gamma)
        self._own.apply(slot, gamma, following)

    def add(self, slots: Sequence[Slot], gamma: float) -> None:
        """Let every server do the update on its slice."""
        self._gathered = False
        self._say(ADD, len(slots), gamma=gamma)
        self._own.add(slots, gamma)

    def forget(self) -> None:
        """Let every server wait for what is under way."""
        self._say(FORGET)


def order(
    comm: MPI.Comm,
    n_servers: int,
    what: int,
    slot: int = NOBODY,
    following: int = NOBODY,
    gamma: float = 0.0,
) -> None:
    """Send an order from rank 0 to all other servers."""
    said = np.array([(what, slot, following, gamma)], dtype=Orders)
    for server in range(1, n_servers):
        comm.Send(said.view(np.uint8), server, ORDER)


class Obedient:
    """A server that does what rank 0 orders, on its slice of x.

    Parameters
    ----------
    comm : Comm
    wire : RankWire
        The slots of all workers, with the numbers that rank 0 knows them by.
    size : int
        Of the slice.
    """

    def __init__(self, comm: MPI.Comm, wire: RankWire, size: int) -> None:
        self._comm, self._wire = comm, wire
        self._held = Whole(np.zeros(size))
        self._expected: set[int] = set()
        self._arrived: set[int] = set()

    def serve(self) -> None:
        """Carry out orders until there are no more."""
        said = np.zeros(1, dtype=Orders)
        while True:
            coming, idle = self._comm.Irecv(said.view(np.uint8), 0, ORDER), self._wire.idle()
            while not coming.Test():
                idle()
            what, slot, following, gamma = said[0].item()
            if what == NO_MORE:
                return
            self._carry_out(what, slot, following, gamma)

    def _carry_out(self, what: int, number: int, following: int, gamma: float) -> None:
        slots, held = self._wire.slots, self._held
        if what == SET:
            self._comm.Recv(held.x, 0, SLICE)
        elif what == SHOW:
            self._comm.Send(held.x, 0, SLICE)
        elif what == GIVE:
            self._await(number)  # a gradient that was not used came too late
            held.give(slots[number])
            self._post(number)
        elif what == GO_ON:
            slots[number].listen()
            self._expected.add(number)
        elif what == APPLY:
            self._await(number)
            held.apply(slots[number], gamma, None if following == NOBODY else slots[following])
            if following != NOBODY:
                self._post(following)
        elif what == ADD:
            for each in range(number):
                self._await(each)
            held.add(slots[:number], gamma)
        elif what == FORGET:
            for each in sorted(self._expected):
                self._await(each)

    def _post(self, number: int) -> None:
        self._wire.slots[number].post()
        self._expected.add(number)

    def _await(self, number: int) -> None:
        """Wait for the gradient of a slot, if one is under way."""
        if number not in self._expected:
            return
        idle = self._wire.idle()
        while number not in self._arrived:
            arrived = self._wire.poll()
            self._arrived.update(arrived)
            if not arrived:
                idle()
        self._arrived.remove(number)
        self._expected.remove(number)
