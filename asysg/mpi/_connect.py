"""Which way the vectors go between the server and each worker: chosen by measurement."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InvalidArgument
from ._iterate import edges
from ._presence import everywhere
from ._wire import AWAKE, ECHO, RankSlot, RankWire, Side

if TYPE_CHECKING:
    from mpi4py import MPI
    from numpy.typing import NDArray

TRANSPORTS = ("auto", "messages", "shared")
#: Ranks a core, up to which those that wait stay awake for a moment, and give the core away at
#: every look. With more of them that costs those that work more than sleeping and waking up does.
CROWD = 2.5
#: Rounds of the measurement, the first of which is not counted.
ROUNDS = 6
#: Slots that use a window have tags of their own.
SHARED = 1 << 13


@dataclass
class Connection:
    """The slots of a rank, and what there is to free at the end.

    Attributes
    ----------
    wire : RankWire
    transports : list of str
        "messages" or "shared", by worker.
    seconds : dict
        Seconds of one round (snapshot out, gradient back, nothing computed) by each way, where
        both were measured.
    hosts : list of str
        By rank.
    """

    wire: RankWire
    transports: list[str]
    seconds: dict[str, float]
    hosts: list[str]
    _window: MPI.Win | None

    def free(self) -> None:
        """Free requests and window, all ranks together."""
        self.wire.free()
        if self._window is not None:
            self._window.Unlock_all()
            self._window.Free()


def connect(
    comm: MPI.Intracomm,
    n: int,
    in_flight: int,
    transport: str,
    wire: str = "float64",
    n_servers: int = 1,
) -> Connection:
    """Connect every worker with the servers; all ranks call it.

    Parameters
    ----------
    comm : Comm
        Used for nothing else. The first ranks are the servers.
    n : int
        Numbers in a vector.
    in_flight : int
        Slots of each worker.
    transport : {"auto", "messages", "shared"}
        "auto" measures both ways with the workers on the server's host and takes the faster.
    wire : {"float64", "float32"}
        What vectors travel as; float32 in messages only.
    n_servers : int
        Several serve in messages only.

    Raises
    ------
    InvalidArgument
        On every rank, if "shared" is asked for and no worker is on the server's host.
    """
    import joblib
    from mpi4py import MPI

    if wire != "float64" or n_servers > 1:
        transport = "messages"
    node = comm.Split_type(MPI.COMM_TYPE_SHARED)
    assert isinstance(node, MPI.Intracomm)
    awake = AWAKE if node.size <= CROWD * joblib.cpu_count() else 0.0
    places = comm.bcast(MPI.Group.Translate_ranks(comm.group, None, node.group))
    near = [rank for rank in range(1, comm.size) if places[rank] != MPI.UNDEFINED]
    window, ways, seconds = None, {}, {}
    if transport == "shared" and not near:
        node.Free()
        text = (
            "transport must not be 'shared' where no worker runs on the server's host, got "
            "'shared'. Use 'auto'."
        )
        raise everywhere(InvalidArgument(text))
    if near and transport != "messages" and (comm.rank == 0 or comm.rank in near):
        # Each worker brings its own memory, near to where it runs.
        size = 0 if comm.rank == 0 else 16 * n * in_flight
        window = MPI.Win.Allocate_shared(size, 8, comm=node)
        window.Lock_all()
        views = {rank: seen(window, places[rank], n, in_flight) for rank in near}
        ways["shared"] = slots(comm, n, in_flight, near, 1, views, window, wire)
    node.Free()
    if transport != "shared" or len(near) < comm.size - 1:
        everyone = range(n_servers, comm.size)
        ways["messages"] = slots(comm, n, in_flight, everyone, n_servers, {}, None, wire)
    if near and transport == "auto":
        if comm.rank == 0:
            seconds = {way: rounds(found, near, awake) for way, found in ways.items()}
        elif comm.rank in near:
            for way in ways.values():
                echo(way[0], awake)
        seconds = comm.bcast(seconds)
    use = near if transport == "shared" or (seconds and best(seconds) == "shared") else []
    transports = ["shared" if rank in use else "messages" for rank in range(n_servers, comm.size)]
    kept: list[RankSlot] = []
    for name, found in ways.items():
        for slot in found:
            if transports[slot.worker] == name:
                kept.append(slot)
            else:
                slot.free()
    kept.sort(key=lambda slot: slot.number)
    if comm.rank >= n_servers:
        for number, slot in enumerate(kept):
            slot.number = number
    hosts = comm.allgather(MPI.Get_processor_name())
    return Connection(RankWire(kept, awake), transports, seconds, hosts, window)


def best(seconds: dict[str, float]) -> str:
    """Return the faster way."""
    return min(seconds, key=seconds.__getitem__)


def seen(window: MPI.Win, place: int, n: int, in_flight: int) -> NDArray[np.float64]:
    """Return a worker's part of the window: (slot, snapshot or gradient, n)."""
    memory: Any = window.Shared_query(place)[0]  # a buffer, which its stub does not say
    shape = (in_flight, 2, n)
    view: NDArray[np.float64] = np.frombuffer(memory, dtype=np.float64).reshape(shape)
    return view


def slots(
    comm: MPI.Intracomm,
    n: int,
    in_flight: int,
    workers: Sequence[int],
    n_servers: int,
    views: dict[int, NDArray[np.float64]],
    window: MPI.Win | None,
    wire: str,
) -> list[RankSlot]:
    """Make the slots of this rank with the workers it serves, or with its servers."""
    at, me = edges(n, n_servers), comm.rank
    size = n if me >= n_servers else at[me + 1] - at[me]
    found = []
    for rank in workers:
        if me >= n_servers and me != rank:
            continue
        for tag in range(in_flight):
            snapshot, gradient = (
                Side(size, views[rank][tag, side] if views else None, wire) for side in (0, 1)
            )
            out, back = (snapshot, gradient) if me < n_servers else (gradient, snapshot)
            if me < n_servers:
                parts = [(rank, 0, size, me == 0)]
            else:
                parts = [(i, at[i], at[i + 1], i == 0) for i in range(n_servers)]
            worker = rank - n_servers
            found.append(
                RankSlot(
                    comm,
                    [
                        (peer, out.part(a, b, header=first), back.part(a, b, header=first))
                        for peer, a, b, first in parts
                    ],
                    rank=rank,
                    worker=worker,
                    tag=tag + (SHARED if views else 0),
                    number=worker * in_flight + tag,
                    out=out,
                    back=back,
                    window=window,
                )
            )
    return found


def rounds(found: Sequence[RankSlot], workers: Sequence[int], awake: float) -> float:
    """Return the seconds of a round with a worker, as the server sees it.

    The fastest round of each worker counts: what else runs here can only delay one.
    """
    fastest = []
    for worker in workers:
        slot = next(slot for slot in found if slot.worker == worker - 1)
        wire, times = RankWire([slot], awake), []
        x = np.zeros(len(slot.out.vector))
        for _ in range(ROUNDS):
            begin = time.perf_counter()
            np.copyto(slot.out.vector, x)
            slot.out.header["kind"] = ECHO
            slot.post()
            wire.wait()
            np.copyto(x, slot.back.vector)
            times.append(time.perf_counter() - begin)
        fastest.append(min(times[1:]))
    return float(np.mean(fastest))


def echo(slot: RankSlot, awake: float) -> None:
    """Send back what the server sends, as often as it does."""
    wire = RankWire([slot], awake)
    slot.listen()
    for left in range(ROUNDS, 0, -1):
        wire.wait()
        np.copyto(slot.out.vector, slot.back.vector)
        if left > 1:
            slot.post()
        else:
            slot.send()
