"""No rank leaves the others waiting: one that ends before its time ends the job.

Ranks that are killed, or that exit without a word to MPI, are the launcher's to notice. These are
not:

- An exception that nobody catches on one rank. MPI is then finalised, which waits for ranks that
  wait for this one. `guard` puts a hook behind ``sys.excepthook`` that aborts the job.
- A rank whose script is over while others call `asysg.mpi.minimize` again. Where they begin, all
  ranks call one another (`muster`), and one that has left hears it and aborts the job (`leave`).
  Before their first common call ranks do not know of one another: there a rank that ends
  without an exception leaves the others waiting, as in any MPI program.

What is raised on every rank (`everywhere`) needs no abort: all of them leave, each with its own
traceback. If they do not, because some have caught it and go on, the job ends after `LINGER`.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn

from ._wire import Idle

if TYPE_CHECKING:
    from mpi4py import MPI

#: What launchers tell the processes that they start.
LAUNCHED = ("PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK")
INTERRUPTED = 130
#: Seconds a rank that ended by an exception of all waits for the others to end.
LINGER = 10.0
#: Seconds a launcher is given to pass the last line on; some drop what they have when a job ends.
FORWARDED = 0.1

_guarded = False
#: By the ranks of a communicator, a copy of it for calls and farewells.
_watches: dict[tuple[int, ...], MPI.Intracomm] = {}
_raised_everywhere: BaseException | None = None
_ended_by: str | None = None


def guard_if_launched() -> None:
    """Guard this rank as soon as the package is imported, if a launcher has started it."""
    child = multiprocessing.current_process().name != "MainProcess"  # of a rank: no rank itself
    if not child and any(name in os.environ for name in LAUNCHED):
        try:
            from mpi4py import MPI  # noqa: F401 - starts MPI
        except ImportError:
            return  # minimize will say so
        guard()


def guard() -> None:
    """Make this rank's end known to the others; once a process, where it is not alone."""
    global _guarded
    from mpi4py import MPI

    world = MPI.COMM_WORLD
    if _guarded or world.size == 1:
        return
    _guarded = True
    before = sys.excepthook

    def ended(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        global _ended_by
        before(kind, error, trace)
        _ended_by = kind.__name__
        if error is _raised_everywhere or MPI.Is_finalized():
            return
        interrupted = issubclass(kind, KeyboardInterrupt)
        abort(f"rank {world.rank} has ended by {kind.__name__}", INTERRUPTED if interrupted else 1)

    sys.excepthook = ended
    atexit.register(leave)


def muster(comm: MPI.Intracomm) -> None:
    """Call the other ranks of a communicator, so that one that has left ends the job.

    The first time all wait for one another; later each waits for rank 0, and rank 0 for all.
    """
    from mpi4py import MPI

    ranks = tuple(MPI.Group.Translate_ranks(comm.group, None, MPI.COMM_WORLD.group))
    if ranks not in _watches:
        watch = comm.Dup()  # waits for all
        assert isinstance(watch, MPI.Intracomm)
        _watches[ranks] = watch
        return
    watch = _watches[ranks]
    peers = range(1, watch.size) if watch.rank == 0 else [0]
    coming = [watch.Irecv(bytearray(1), peer) for peer in peers]
    for peer in peers:
        watch.Send(bytearray(1), peer)  # so short that it waits for nobody
    idle = Idle(0.0)
    while not MPI.Request.Testall(coming):
        idle()


def leave() -> None:
    """Wait, asleep, until all ranks that this one has met are leaving too."""
    from mpi4py import MPI

    # ``python -m mpi4py`` ends the job by itself where a rank has failed, but only after this.
    if MPI.Is_finalized() or "mpi4py.run" in sys.modules:
        return
    begin = time.perf_counter()
    leaving = [(watch, watch.Ibarrier()) for watch in _watches.values()]
    idle = Idle(0.0)
    while not all(everyone.Test() for _, everyone in leaving):
        if any(watch.Iprobe(MPI.ANY_SOURCE) for watch, _ in leaving):
            rank = MPI.COMM_WORLD.rank
            abort(f"rank {rank} has ended while others call asysg.mpi.minimize", 1)
        if _ended_by is not None and time.perf_counter() - begin > LINGER:
            abort(f"rank {MPI.COMM_WORLD.rank} has ended by {_ended_by}", 1)
        idle()
    for watch, _ in leaving:
        watch.Free()


def abort(why: str, code: int) -> NoReturn:
    """End all ranks, with one line that says why."""
    from mpi4py import MPI

    sys.stdout.flush()
    print(f"asysg: {why}; the job is aborted.", file=sys.stderr, flush=True)
    time.sleep(FORWARDED)
    MPI.COMM_WORLD.Abort(code)
    os._exit(code)  # some libraries return from Abort, and the launcher ends the ranks a bit later


def everywhere(error: BaseException) -> BaseException:
    """Note that every rank is about to raise, this one this error, and return it."""
    global _raised_everywhere
    _raised_everywhere = error
    return error


def is_everywhere(error: BaseException) -> bool:
    """Tell whether every rank raises when this one raises this error."""
    return error is _raised_everywhere
