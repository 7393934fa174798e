"""Run a method on MPI ranks: the front door."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._check import choice, integer, number
from .._checkpoint import Checkpoint, identity, resumed
from .._draws import RNG
from .._plan import Intermediate, Plan, State, make_plan
from .._served import allowed, delay_or, pushes_and_fetches
from ..errors import InvalidArgument, MissingPackage
from ..objectives import Objective
from ..result import Result
from ..steplengths import Steplength
from ..theory import ProblemConstants
from ._connect import TRANSPORTS
from ._evidence import evidence
from ._presence import guard, is_everywhere, muster
from ._ranks import Options, agree, ranks
from ._signals import Held

if TYPE_CHECKING:
    from mpi4py import MPI

METHODS = ("asysg-con", "sync", "delayed", "downpour")
WIRES = ("float64", "float32")


def minimize(
    obj: Objective,
    x0: ArrayLike,
    *,
    method: str = "asysg-con",
    steplength: Steplength | str = "prescribed",
    batch_size: int | None = None,
    n_updates: int | None = None,
    max_delay: int | None = None,
    late: str = "recompute",
    delay: int | None = None,
    n_fetch: int = 1,
    n_push: int = 1,
    in_flight: int = 1,
    n_servers: int = 1,
    transport: str = "auto",
    wire: str = "float64",
    patience: float | None = None,
    record: str = "sampled",
    n_records: int = 200,
    form: str = "plus",
    constants: ProblemConstants | None = None,
    callback: Callable[[Intermediate], object] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: float = 10.0,
    progress: bool = False,
    rng: RNG = None,
    comm: MPI.Intracomm | None = None,
) -> Result | None:
    r"""Minimise an objective on the ranks of an MPI communicator.

    All ranks call it, with the same arguments. Rank 0 is the server of the paper's Algorithm 1: it
    holds x, hands out copies of it, and applies the gradients that come back. The others are
    workers; worker w is rank w + `n_servers`. A single rank does both, one after the other.

    Parameters
    ----------
    obj : Objective
        What to minimise, made on every rank from the same data.
    x0, steplength, n_updates, n_records, form, constants, progress
        As in `asysg.minimize`.
    method : {"asysg-con", "sync", "delayed", "downpour"}
        "asysg-con": an update of every gradient, as it arrives (Algorithm 1). "sync": the workers
        wait for one another; each update is the sum of their parts of one minibatch. "delayed":
        the gradients are applied in a fixed order, so that update k reads
        :math:`x_{k-\tau}` with the same :math:`\tau` always (Agarwal & Duchi 2011).
        "downpour": workers step on their own replica of x, send the sum of their gradients every
        `n_push` steps, and fetch x every `n_fetch` (Dean et al. 2012, without Adagrad).
    batch_size : int, optional
        M, the samples of one update: for "sync" shared among the workers, for "downpour" among
        the `n_push` steps, of which it must be a multiple.
    max_delay : int, optional
        For "asysg-con" and "downpour": keep this T. Without it, delays are measured only.
    late : {"recompute", "wait"}
        How `max_delay` is kept. "recompute": the server refuses a gradient that comes too late, and
        has it computed again from a new snapshot. "wait": it applies a gradient only when all
        that are under way can still be in time afterwards, and has at most T + 1 of them under
        way, so that nothing is computed twice; one slow worker then slows the others down.
    delay : int, optional
        For "delayed": :math:`\tau`, at most, and by default, one less than the gradients under
        way.
    n_fetch, n_push : int
        For "downpour": `n_fetch` must be a multiple of `n_push`.
    in_flight : int
        Gradients of one worker under way at once. With 2 it computes one while another travels;
        the delay doubles. For "asysg-con" and "delayed".
    n_servers : int
        Servers, each of which holds a slice of x: the ranks 0 .. n_servers - 1. For vectors so
        large that one host's network is the bottleneck. Rank 0 decides the order of the updates
        for all of them, so that every read is still some :math:`x_k`, and the bits are those of
        one server. Vectors then go in messages.
    transport : {"auto", "messages", "shared"}
        How vectors go to the workers on the server's host: in messages, or through an MPI shared
        window. "auto" measures both at the start and takes the faster; ``Result.cluster`` says
        which. Vectors to other hosts go in messages.
    wire : {"float64", "float32"}
        What vectors travel as. "float32" halves the messages; x itself stays float64 on the
        server. Every read is then x rounded, and every gradient is rounded again: relative errors
        up to 2^-24 that are no noise of mean zero, so that the certificate does not hold, and
        says why. Not for transport "shared".
    patience : float, optional
        Seconds a worker may take for a gradient. If one is silent for longer, because its process
        or its host is stopped, the job is aborted, with a message that names its rank.
        Without it, the server waits.
    record : {"sampled", "full"}
        As in `asysg.minimize`; the server knows every delay.
    callback, checkpoint, checkpoint_every
        As in `asysg.minimize`, on rank 0. A run may go on with another number of ranks.
    rng : int, Generator, SeedSequence or None
        Rank 0's counts. The same seed draws the same samples for every number of ranks. "sync" and
        "delayed" give the same bits again for the same number of ranks (and the same `delay`);
        for the others the order in which gradients arrive is the machine's.
    comm : Comm, optional
        `mpi4py.MPI.COMM_WORLD` by default. It is duplicated, so that no message of the caller's
        can be taken for one of these.

    Returns
    -------
    Result or None
        On rank 0 the result; None on the workers. ``Result.cluster`` says what each of them did.

    Raises
    ------
    InvalidArgument
        On all ranks, for arguments that cannot be or that differ between ranks, before anything is
        computed. (Of `steplength`, `form` and `constants` those of rank 0 count.)
    ObjectiveError
        On all ranks but the one that raised, if the objective raised on a worker; there, what it
        raised.
    MissingPackage
        Without mpi4py; it is an ImportError.

    Notes
    -----
    Ctrl-C (of mpiexec) ends the run with a partial result on rank 0. Once `asysg.mpi` is imported,
    an exception that nobody catches on one rank ends the job (``MPI_Abort``): import it at the top
    of the script. So does a rank whose script is over while others call this again. One that
    exits before their first call leaves them waiting, as in any MPI program;
    ``mpiexec -n P python -m mpi4py script.py`` helps if its exit code is not 0.

    References
    ----------
    Lian, Huang, Li, Liu, "Asynchronous parallel stochastic gradient for nonconvex
    optimization", NIPS 2015, Algorithm 1. Agarwal & Duchi, "Distributed delayed stochastic
    optimization", NIPS 2011. Dean et al., "Large scale distributed deep networks", NIPS 2012.

    Examples
    --------
    Without mpiexec there is one rank, which does all the work:

    >>> import asysg, numpy as np
    >>> obj = asysg.objectives.CosineQuadratic(n=20, sigma=0.1)
    >>> res = asysg.mpi.minimize(obj, np.ones(20), steplength=0.05, n_updates=5000, rng=0)
    >>> res.success, res.staleness.max
    (True, 0)
    """
    MPI = mpi()
    world = MPI.COMM_WORLD if comm is None else comm
    if not isinstance(world, MPI.Intracomm) or world == MPI.COMM_NULL:
        raise InvalidArgument.of("comm", "must be an intracommunicator of mpi4py", comm)

    def prepared() -> tuple[Options, Plan, State, NDArray[np.float64]]:
        options = checked(
            world.size,
            method,
            late,
            delay,
            n_fetch,
            n_push,
            in_flight,
            n_servers,
            transport,
            wire,
            patience,
        )
        plan = make_plan(
            obj,
            x0,
            methods=METHODS,
            method=method,
            steplength=steplength,
            batch_size=batch_size,
            n_updates=n_updates,
            n_records=n_records,
            form=form,
            constants=constants,
            callback=callback,
            progress=progress,
            rng=rng,
        )
        plan, state = planned(world.size, options, plan, max_delay, record), State()
        every = number("checkpoint_every", checkpoint_every, least=0)
        if world.rank or checkpoint is None:
            return options, plan, state, plan.x0
        plan = replace(plan, checkpoint=Checkpoint(checkpoint, every))
        return options, *going_on(plan, state, repeats=isinstance(rng, int | np.integer))

    guard()
    with Held(server=world.rank == 0) as held:
        muster(world)
        own = world.Dup()
        try:
            options, plan, state, x = agreed(own, prepared)
            result = ranks(own, plan, options, state, x, held)
        except BaseException as error:
            if world.size == 1 or is_everywhere(error):  # else this rank is alone with it
                own.Free()
            raise
        own.Free()
        return result


def mpi() -> Any:
    """Import mpi4py, which starts MPI."""
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise MissingPackage(
            f"mpi4py must be installed with an MPI library, got: {error}. Install asysg[mpi]."
        ) from error
    return MPI


def checked(
    size: int,
    method: str,
    late: str,
    delay: int | None,
    n_fetch: int,
    n_push: int,
    in_flight: int,
    n_servers: int,
    transport: str,
    wire: str,
    patience: float | None,
) -> Options:
    """Validate what only ranks need to know."""
    choice("method", method, METHODS)
    choice("late", late, ("recompute", "wait"))
    choice("transport", transport, TRANSPORTS)
    choice("wire", wire, WIRES)
    if wire != "float64" and transport == "shared":
        raise InvalidArgument(
            f"wire must be 'float64' for transport 'shared', got {wire!r}. Nothing travels there."
        )
    in_flight = integer("in_flight", in_flight, least=1)
    if in_flight > 1 and method not in ("asysg-con", "delayed"):
        raise InvalidArgument(f"in_flight must be 1 for method {method!r}, got {in_flight}.")
    n_servers = integer("n_servers", n_servers, least=1)
    if n_servers > 1 and n_servers >= size:
        raise InvalidArgument.of(
            "n_servers", f"must leave ranks to work, of {size}", n_servers, "Use more ranks."
        )
    if n_servers > 1 and transport == "shared":
        raise InvalidArgument(
            f"n_servers must be 1 for transport 'shared', got {n_servers}. Several serve in "
            "messages."
        )
    n_push, n_fetch = pushes_and_fetches(method, n_push, n_fetch)
    most = max(1, size - n_servers) * in_flight - 1
    delay = delay_or(most, method, delay)
    if delay is not None and delay > most:
        raise InvalidArgument.of(
            "delay",
            f"must be at most {most}, one less than the gradients under way",
            delay,
            "Use more ranks, a larger in_flight, or threads, or asysg.simulate.",
        )
    if patience is not None:
        patience = number("patience", patience, above=0)
    return Options(late, delay, n_fetch, n_push, in_flight, transport, wire, patience, n_servers)


def planned(size: int, options: Options, plan: Plan, max_delay: int | None, record: str) -> Plan:
    """Complete the plan by what depends on the method and on the ranks."""
    choice("record", record, ("sampled", "full"))
    if max_delay is not None:
        max_delay = integer("max_delay", max_delay, least=0)
    elif options.late == "wait":
        raise InvalidArgument("late must be 'recompute' without max_delay, got 'wait'.")
    if options.n_servers > plan.objective.n:
        raise InvalidArgument.of(
            "n_servers", f"must be at most n, {plan.objective.n}", options.n_servers
        )
    slots = max(1, size - options.n_servers) * options.in_flight
    rounded = options.wire != "float64" and size > 1
    return allowed(
        replace(
            plan,
            max_delay=max_delay,
            update=f"served in {options.wire}" if rounded else "served",
            record=record,
            n_push=options.n_push,
            n_fetch=options.n_fetch,
            constant_delay=plan.method == "delayed",
            in_flight=slots,
            evidence=evidence(plan.method, slots, options.n_push, rounded=rounded),
        )
    )


def going_on(plan: Plan, state: State, *, repeats: bool) -> tuple[Plan, State, NDArray[np.float64]]:
    """Return what a checkpoint has, or the start where there is none yet."""
    stored = plan.checkpoint.read() if plan.checkpoint is not None else None
    if stored is None:
        return plan, state, plan.x0
    plan, state, x = resumed(plan, *stored, repeats=repeats)
    # Where it goes on, the first updates read what there is.
    return replace(plan, constant_delay=plan.constant_delay and not state.clock), state, x


def agreed(
    comm: MPI.Intracomm, prepared: Callable[[], tuple[Options, Plan, State, NDArray[np.float64]]]
) -> tuple[Options, Plan, State, NDArray[np.float64]]:
    """Prepare on every rank, and raise on all if one cannot, or prepares something else."""
    error: Exception | None = None
    try:
        options, plan, state, x = prepared()
        mine = {**identity(plan), **vars(options), "gradient at x0": probe(plan)}
    except Exception as raised:
        error, mine = raised, {}
    agree(comm, error, mine)
    return options, replace(plan, key=comm.bcast(plan.key)), state, x


def probe(plan: Plan) -> float:
    """Return a number that ranks with other data would not have."""
    count = plan.objective.n_samples or 2**32
    samples = [int(s) for s in np.linspace(0, count - 1, 8)]
    return float(np.linalg.norm(plan.objective.minibatch(plan.x0, samples)))
