"""The front door of the simulator."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .._check import choice, integer, number
from .._checkpoint import Checkpoint, resumed
from .._core.timed import bytes_per_worker
from .._draws import RNG
from .._evidence import unbiased
from .._plan import Intermediate, Plan, State, make_plan, prescribe
from .._proximal import with_prox
from .._run import run
from .._served import (
    ORDERED,
    SERVED,
    allowed,
    delay_or,
    fitting,
    local_steps,
    pushes_and_fetches,
)
from .._single import fitting_step, refused, with_dtype
from ..errors import InvalidArgument
from ..objectives import Objective
from ..prox import Prox
from ..result import Result
from ..steplengths import Steplength
from ..theory import Hypothesis, ProblemConstants
from ._flights import flights
from ._given import GivenAhead, GivenHistory, given_delays, history_bytes
from ._single import GivenSingle
from ._timed import TimedWorkers, expected_delay
from .delays import Delays, constant
from .speeds import Speeds, deterministic, known

GIVEN = ("sgd", "asysg-con", "asysg-incon", "asyscd", "sync", "delayed")
TIMED = ("sgd", "asysg-con", "asysg-incon", "asyscd", "hogwild", *SERVED)


def minimize(
    obj: Objective,
    x0: ArrayLike,
    *,
    method: str = "asysg-incon",
    steplength: Steplength | str = "prescribed",
    delays: Delays | None = None,
    n_workers: int | None = None,
    speeds: Speeds | None = None,
    batch_size: int | None = None,
    n_updates: int | None = None,
    max_delay: int | None = None,
    delay: int | None = None,
    n_fetch: int = 1,
    n_push: int = 1,
    record: str = "sampled",
    prox: Prox | None = None,
    dtype: DTypeLike = "float64",
    n_records: int = 200,
    form: str = "plus",
    constants: ProblemConstants | None = None,
    callback: Callable[[Intermediate], object] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: float = 10.0,
    progress: bool = False,
    rng: RNG = None,
) -> Result:
    """Minimise an objective with virtual workers, deterministically, on one core.

    Parameters
    ----------
    obj, x0, method, steplength, batch_size, n_updates, n_records, form, constants, callback, \
checkpoint, checkpoint_every, progress
        As in `asysg.minimize`. "prescribed" and "optimal" use the T of `delays`, `max_delay` where
        it is given, or else the largest delay that the timed workers will have; "delay-adaptive"
        the gradients that these have under way at once. An update whose samples have different
        delays takes the steplength of the largest. A resumed run ends at the bits of one that was
        never stopped.
    delays : Delays, optional
        What each read sees; see `asysg.simulate.delays`. Without `n_workers`; by default, and
        for "sgd" and "sync" (which is "sgd" here), no delay; for "delayed" the constant `delay`.
        Methods "asysg-incon", "asyscd", "asysg-con", "sgd", "sync" and "delayed".
    n_workers : int, optional
        Simulate so many workers, at least 1, on a virtual clock; then the delays come out of
        their speeds. Also for method "hogwild". Reads are made at one moment, the begin of a
        worker's cycle, so every read is an iterate, and "hogwild" is then "asysg-con". The speeds
        are those of a cycle, whatever a worker computes in it: of "sync" its part of the minibatch,
        of "downpour" all the steps of a push. With "sync" the server begins when all messages are
        there; with "delayed" a message waits for its turn, and update k is computed by worker
        k % n_workers from when iterate k - delay is there.
    speeds : Speeds, optional
        See `asysg.simulate.speeds`; by default every gradient takes one virtual second.
    max_delay : int, optional
        With `n_workers`: enforce this T, as `asysg.minimize` does: gradients that come too late
        are thrown away, computed again from a fresh read, and counted.
    delay, n_fetch, n_push : int
        As in `asysg.minimize`. Without `n_workers` `delay` must be given for "delayed", and there
        is no "downpour".
    record : {"sampled", "full"}
        "full", with `n_workers`: besides, one entry an update in ``Result.log``, which
        `asysg.simulate.replay` recomputes.
    prox : Prox, optional
        Minimise f + h: see `asysg.prox` and `asysg.minimize`. Every entry is looked at by every
        update, those of one coordinate excepted. A read that contains an update of an entry, and
        not an earlier one, has that update with its proximal step made of what it had.
    dtype : {"float64", "float32"}
        As in `asysg.minimize`; "float32" without `n_workers`, in NumPy and so slowly.
    rng : int, Generator, SeedSequence or None
        The same seed gives the same bits; samples and coordinates are those of
        `asysg.minimize` with this seed.

    Returns
    -------
    Result
        With ``simulated=True``. With `n_workers`, ``time`` and ``trace.time`` are virtual
        seconds.

    Raises
    ------
    InvalidArgument
        For every argument that cannot be, before anything runs. (A value of a callable
        steplength is known when it is used.)
    ObjectiveError
        If f or its gradient cannot be computed at x0, before any update. A failure later ends the
        run with ``status="failed"``.

    Examples
    --------
    >>> import asysg, numpy as np
    >>> obj = asysg.objectives.CosineQuadratic(n=20, sigma=0.1)
    >>> res = asysg.simulate.minimize(
    ...     obj, np.ones(20), delays=asysg.simulate.delays.uniform(T=12), steplength=0.05,
    ...     n_updates=5000, rng=0)
    >>> res.staleness.max
    12
    >>> res = asysg.simulate.minimize(
    ...     obj, np.ones(20), n_workers=1000, steplength=0.05, n_updates=5000, rng=0)
    >>> res.staleness.max, res.time
    (999, 5.0)
    """
    plan = make_plan(
        obj,
        x0,
        methods=GIVEN if n_workers is None else TIMED,
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
    choice("record", record, ("sampled", "full"))
    n_push, n_fetch = pushes_and_fetches(method, n_push, n_fetch)
    delay_or(None, method, delay)
    checkpoint_every = number("checkpoint_every", checkpoint_every, least=0)
    plan = replace(
        with_dtype(with_prox(plan, prox), dtype),
        simulated=True,
        update="simulated",
        record=record,
        n_push=n_push,
        n_fetch=n_fetch,
        constant_delay=method == "delayed",
        checkpoint=None if checkpoint is None else Checkpoint(checkpoint, checkpoint_every),
    )
    how: Delays | tuple[int, Speeds]
    if n_workers is not None:
        if plan.dtype == "float32":
            raise refused("with n_workers")
        if delays is not None:
            raise InvalidArgument(
                "delays must be left out with n_workers, got both. The workers' speeds make them."
            )
        plan, how = _with_workers(plan, n_workers, speeds, max_delay, delay)
    else:
        for name, value in (("speeds", speeds), ("max_delay", max_delay)):
            if value is not None:
                raise InvalidArgument(f"{name} must be left out without n_workers, got {value!r}.")
        if record == "full":
            raise InvalidArgument(
                "record must be 'sampled' without n_workers, got 'full'. The delays are given."
            )
        if method == "delayed":
            delays = _constant(delays, delay)
        plan, how = _with_delays(plan, constant(0) if delays is None else delays)

    state, x = State(), plan.x0
    stored = plan.checkpoint.read() if plan.checkpoint is not None else None
    if stored is not None:
        plan, state, x = resumed(plan, *stored, repeats=isinstance(rng, int | np.integer))
    if plan.adaptive and isinstance(how, Delays):
        P, one_read = flights(plan, how)
        plan = replace(plan, in_flight=P, one_read=one_read)
    if stored is None and plan.wanted is not None:
        plan = prescribe(plan, _expected(plan, how))
    engine = _engine(fitting_step(plan), how, state, x)
    if stored is not None:
        engine.restore(state.pending)
    if plan.checkpoint is not None:
        plan.checkpoint.pending = engine.pending
    return run(plan, engine, state, lambda: 1, getattr(engine, "now", None))


def _expected(plan: Plan, how: Delays | tuple[int, Speeds]) -> int:
    """Return the T to prescribe for; one that adapts to the delay needs none."""
    if plan.adaptive:
        return 0
    return how.T if isinstance(how, Delays) else expected_delay(plan, *how)


def _engine(
    plan: Plan, how: Delays | tuple[int, Speeds], state: State, x: NDArray[np.float64]
) -> GivenAhead | GivenHistory | GivenSingle | TimedWorkers:
    if isinstance(how, Delays):
        return given_delays(plan, how, state, x)
    return TimedWorkers(plan, *how, state, x)


def _constant(delays: Delays | None, delay: int | None) -> Delays:
    """Return the delays of "delayed" without workers."""
    if delays is not None:
        raise InvalidArgument.of(
            "delays", "must be left out for method 'delayed'", delays, "It has a constant delay."
        )
    if delay is None:
        raise InvalidArgument.of(
            "delay", "must be an integer >= 0 for method 'delayed' without n_workers", delay
        )
    return constant(delay)


def _with_delays(plan: Plan, schedule: Delays) -> tuple[Plan, Delays]:
    """Refuse delays that this method cannot have, and say what they guarantee."""
    if not isinstance(schedule, Delays):
        raise InvalidArgument(
            f"delays must be a schedule of asysg.simulate.delays, got {type(schedule).__name__}."
        )
    if plan.method in ("sgd", "sync") and schedule.T:
        raise InvalidArgument(
            f"delays must be left out for method {plan.method!r}, got {schedule.name}."
        )
    if plan.algorithm != "incon" and schedule.seen is not None:
        raise InvalidArgument(
            f"delays must be consistent for method {plan.method!r}, got {schedule.name}. Subsets "
            "of updates are reads of 'asysg-incon' and 'asyscd'."
        )
    if schedule.shape is not None and (
        schedule.shape[0] < plan.K or schedule.shape[1] not in (1, plan.M)
    ):
        raise InvalidArgument(
            f"delays must have a row an update, {plan.K}, and 1 or batch_size={plan.M} columns, "
            f"got {schedule.shape[0]} rows and {schedule.shape[1]} columns."
        )
    if schedule.watch is not None and plan.checkpoint is not None:
        raise InvalidArgument(
            f"checkpoint must be left out with delays {schedule.name}, got "
            f"{str(plan.checkpoint.path)!r}. What chooses them is not stored."
        )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    size = history_bytes(plan, schedule)
    if size > memory:
        raise InvalidArgument(
            f"delays must be so short that the iterates they may read fit the memory, got "
            f"T = {schedule.T} for n = {plan.objective.n}, {size} bytes. 'asysg-incon' and sparse "
            "objectives need no history."
        )
    if (schedule.T + 1) * plan.M >= 2**30:
        raise InvalidArgument(
            "delays must be so short that T * batch_size is below 2**30, got "
            f"T = {schedule.T} and batch_size {plan.M}."
        )
    plan = replace(
        plan,
        constant_delay=schedule.is_constant,
        scheduler=f"delays {schedule.name}",
        evidence=(
            _evidence(plan, f"delays {schedule.name} are drawn apart from the samples")
            if schedule.watch is None
            else _watched(plan, schedule)
        ),
    )
    return plan, schedule


def _with_workers(
    plan: Plan,
    n_workers: int,
    speeds: Speeds | None,
    max_delay: int | None,
    delay: int | None,
) -> tuple[Plan, tuple[int, Speeds]]:
    """Refuse workers that cannot be, and say what they guarantee."""
    p = integer("n_workers", n_workers, least=1)
    if plan.method == "sgd" and p != 1:
        raise InvalidArgument(f"n_workers must be 1 for method 'sgd', got {p}.")
    speeds = deterministic() if speeds is None else known("speeds", speeds)
    plan = replace(
        plan,
        max_delay=None if max_delay is None else integer("max_delay", max_delay, least=0),
        delay=delay_or(p - 1, plan.method, delay),
    )
    plan = fitting(allowed(plan))
    memory, each = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), 0
    if plan.method not in ORDERED:  # whose workers keep nothing
        whole, local = plan.algorithm == "con", plan.n_fetch > 1
        each = bytes_per_worker(plan.objective._capsule, whole=whole, M=plan.M, local=local)
    if p * each > memory:
        raise InvalidArgument(
            f"n_workers must be at most {memory // each} here, because each keeps {each} bytes "
            f"until its update is done, got {p}. 'asysg-incon' keeps one number."
        )
    plan = replace(
        plan,
        virtual_workers=p,
        in_flight=p,
        scheduler=f"{p} timed workers: {speeds}",
        evidence=_evidence(plan, "the speeds of the workers do not depend on the samples"),
    )
    return plan, (p, speeds)


def _evidence(plan: Plan, note: str) -> tuple[Hypothesis, ...]:
    oblivious = Hypothesis("reads oblivious", True, None, {}, "by construction", note)
    return (unbiased(plan.method), oblivious, *_coordinates(plan), *local_steps(plan.n_push))


def _watched(plan: Plan, schedule: Delays) -> tuple[Hypothesis, ...]:
    """Say what delays that depend on the run leave: Theorem R, of a constant steplength."""
    note = f"delays {schedule.name} are chosen from the iterates"
    past = Hypothesis("reads of the past alone", True, None, {}, "by construction", note)
    if plan.form == "robust" and not plan.adaptive and plan.steps.constant:
        return (unbiased(plan.method), past, *_coordinates(plan))
    note += ", hence from the noise so far; form 'robust' does not need this"
    oblivious = Hypothesis("reads oblivious", False, None, {}, "by construction", note)
    return (unbiased(plan.method), past, oblivious, *_coordinates(plan))


def _coordinates(plan: Plan) -> tuple[Hypothesis, ...]:
    uniform = Hypothesis("coordinates uniform", True, None, {}, "by construction")
    return (uniform,) if plan.algorithm == "incon" else ()
