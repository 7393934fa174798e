"""The life of a run on ranks: start together, do one's part, leave together."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._plan import Plan, State, prescribe
from .._run import Interrupts, learn_constants, run
from ..errors import InvalidArgument, ObjectiveError
from ..result import Result
from ._connect import Connection, connect
from ._iterate import NO_MORE, Iterate, Obedient, Sliced, Whole, edges, order
from ._presence import abort, everywhere
from ._server import Barrier, Rule, Server
from ._signals import Held
from ._wire import STOP, TEXT, Idle, LocalWire, SilentRank, Wire
from ._worker import Work, serve

if TYPE_CHECKING:
    from mpi4py import MPI

#: The pilot that measures the delay ends after so many updates or seconds.
PILOT, PILOT_SECONDS = 20_000, 2.0
#: What rank 0's failures are on the workers, where they are not a RuntimeError.
SAME = {"InvalidArgument": InvalidArgument, "ObjectiveError": ObjectiveError}


@dataclass(frozen=True)
class Options:
    """What only ranks need to know; the same on all of them."""

    late: str
    delay: int | None
    n_fetch: int
    n_push: int
    in_flight: int
    transport: str
    wire: str
    patience: float | None
    n_servers: int

    @property
    def local(self) -> bool:
        """Whether workers step on replicas of their own."""
        return self.n_fetch > 1 or self.n_push > 1


def agree(comm: MPI.Intracomm, error: Exception | None, mine: dict[str, Any]) -> None:
    """Raise on all ranks if any of them has an error, or was called with something else."""
    said = comm.allgather((None if error is None else str(error), mine))
    if error is not None:
        raise everywhere(error)
    for rank, (text, _) in enumerate(said):
        if text is not None:
            raise everywhere(InvalidArgument(f"rank {rank} could not start. {text}"))
    for rank, (_, theirs) in enumerate(said):
        for name, value in said[0][1].items():
            same = theirs[name] == value
            if isinstance(value, float) and not same:  # not to the bit: hosts may differ
                same = bool(np.isclose(theirs[name], value, rtol=1e-9, equal_nan=True))
            if not same:
                text = (
                    f"{name} must be the same on every rank, got {value!r} on rank 0 and "
                    f"{theirs[name]!r} on rank {rank}."
                )
                raise everywhere(InvalidArgument(text))


def ranks(
    comm: MPI.Intracomm,
    plan: Plan,
    options: Options,
    state: State,
    x: NDArray[np.float64],
    held: Held,
) -> Result | None:
    """Do this rank's part, and leave together with the others.

    Raises
    ------
    ObjectiveError, InvalidArgument, RuntimeError
        On every rank, if rank 0 or an objective raised; on that rank, its own. An exception of
        another kind is that rank's alone.
    """
    n, n_servers = plan.objective.n, options.n_servers
    if comm.size == 1:
        local = LocalWire(n, options.in_flight, Work(plan, local=options.local))
        result, server = lead(plan, options, local, Whole, state, x, held)
        return with_cluster(result, server, options)
    connection = connect(comm, n, options.in_flight, options.transport, options.wire, n_servers)
    ended: Result | None = None
    failure: BaseException | None = None
    work = Work(plan, local=options.local) if comm.rank >= n_servers else None
    try:
        if comm.rank == 0:

            def text_of(rank: int) -> str:
                return str(comm.recv(source=rank, tag=TEXT))

            def keep(x: NDArray[np.float64]) -> Iterate:
                if n_servers == 1:
                    return Whole(x)
                return Sliced(comm, n_servers, connection.wire.awake, x, options.patience)

            result, server = lead(plan, options, connection.wire, keep, state, x, held, text_of)
            ended = with_cluster(result, server, options, connection)
        elif comm.rank < n_servers:
            at = edges(n, n_servers)
            Obedient(comm, connection.wire, at[comm.rank + 1] - at[comm.rank]).serve()
        else:
            assert work is not None
            failure = serve(comm, connection.wire, plan, work)
    except SilentRank:
        # It will take part in nothing any more, and MPI cannot end without it.
        traceback.print_exc()
        abort("a rank is silent", 1)
    except BaseException as error:
        if comm.rank:
            raise  # nobody else knows: this rank ends the job
        failure = error
    if comm.rank == 0:
        for slot in connection.wire.slots:
            slot.out.header["kind"] = STOP
            slot.send(vector=False)
        order(comm, n_servers, NO_MORE)
    gather_round(comm, connection.wire.idle(), options.patience)
    told = comm.bcast(None if failure is None else (type(failure).__name__, str(failure)))
    connection.free()
    if failure is not None:
        raise everywhere(failure)
    if told is not None:
        kind = SAME.get(told[0], RuntimeError)
        raise everywhere(kind(f"Rank 0 ended the run. {told[0]}: {told[1]}"))
    return ended


def gather_round(comm: MPI.Intracomm, idle: Idle, patience: float | None) -> None:
    """Wait for all ranks; abort the job if rank 0 waits longer than its patience.

    A worker that was never given work may be stopped without anyone having missed it until now.
    """
    everyone = comm.Ibarrier()
    while not everyone.Test():
        waited = time.perf_counter() - idle.begin
        if comm.rank == 0 and patience is not None and waited > patience:
            abort(f"a rank must end within patience = {patience:g} s, got nothing from it", 1)
        idle()


def lead(
    plan: Plan,
    options: Options,
    wire: Wire,
    keep: Callable[[NDArray[np.float64]], Iterate],
    state: State,
    x: NDArray[np.float64],
    held: Held,
    text_of: Callable[[int], str] = str,
) -> tuple[Result, Server]:
    """Serve from the first update to the last, and certify what happened; `keep` takes x."""
    slots = len(wire.slots)
    pushes = options.n_fetch // options.n_push
    most = slots
    if plan.method == "delayed" and options.delay is not None:
        most = options.delay + 1
    elif options.late == "wait" and plan.max_delay is not None:
        most = min(slots, plan.max_delay + 1)
    rule = Rule(
        most, plan.max_delay, options.late, plan.method == "delayed", pushes, options.patience
    )
    kind = Barrier if plan.method == "sync" else Server
    resumed = plan.prescribed_T is not None or plan.steps.L is not None  # with its own
    if plan.wanted is not None and not resumed:
        T = {"sync": 0, "delayed": options.delay}.get(plan.method, plan.max_delay)
        if plan.adaptive or (T is None and slots == 1 and pushes == 1):
            T = 0
        if T is None:
            learn_constants(plan, needed=True)  # a pilot is of no use without
            trial = kind(replace(plan, record="sampled"), wire, rule, keep(x), 0, (), text_of)
            with drained(trial), held.ready():
                T = pilot(trial)
        plan = prescribe(plan, T)
    pending = state.pending["draws"].tolist() if "draws" in state.pending else []
    server = kind(plan, wire, rule, keep(x), state.clock, pending, text_of)
    if plan.checkpoint is not None:
        plan.checkpoint.pending = server.pending
    with drained(server), held.ready():
        result = run(plan, server, state, lambda: len(server.updates))
    server.complain()  # also of a worker that was heard last
    return result, server


@contextmanager
def drained(server: Server) -> Iterator[None]:
    """Leave with nothing under way, whatever happened."""
    try:
        yield
    except SilentRank:
        raise  # there is no waiting for that one
    except BaseException:
        server.drain()
        raise
    server.drain()


def pilot(server: Server) -> int:
    """Measure the delay at steplength 0: all is read, computed and sent as in the run."""
    begin, least = time.perf_counter(), min(server.plan.K, 4 * server.rule.most)
    with Interrupts() as interrupts:
        while server.clock < min(server.plan.K, PILOT) and server.trouble is None:
            if server.clock >= least and time.perf_counter() - begin > PILOT_SECONDS:
                break
            if interrupts.asked:
                raise KeyboardInterrupt
            server.advance(min(server.plan.K, PILOT, server.clock + 256), np.zeros(1))
    if server.trouble is not None:
        raise InvalidArgument("obj must be computable at x0, got a failure in the pilot.")
    return server.max_delay


def with_cluster(
    result: Result, server: Server, options: Options, connection: Connection | None = None
) -> Result:
    """Add to the result what each worker did, and by which way."""
    cluster: dict[str, Any] = {
        "updates": server.updates.tolist(),
        "computing_seconds": server.seconds.tolist(),
        "servers": options.n_servers,
        "transports": [] if connection is None else connection.transports,
        "seconds_a_round": {} if connection is None else connection.seconds,
        "hosts": [] if connection is None else connection.hosts,
    }
    message = result.message
    if server.trouble is not None and connection is not None:
        worker = server.trouble[1]
        rank = worker + options.n_servers
        message += f" Worker {worker} is rank {rank} on {connection.hosts[rank]}."
    return replace(result, cluster=cluster, message=message)
