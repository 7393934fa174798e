"""The loop around every scheduler: advance, look, record, and certify at the end.

A scheduler (real threads, given delays, ...) only knows how to do the next so many updates.
Between two such blocks x is exactly an iterate and nothing else runs, so that recording,
checks, callbacks, checkpoints and Ctrl-C need no care for concurrency.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from ._adaptive import weights
from ._draws import Key, words
from ._evidence import certify
from ._plan import Intermediate, Plan, State
from ._progress import Progress
from ._recorder import Recorder
from ._single import evidence as of_rounding
from .errors import AsysgWarning, InvalidArgument, ObjectiveError
from .result import STATUS, Result, Staleness, Trace

#: A block of updates should take about this long: the longest wait for Ctrl-C, and the check
#: interval for divergence.
BLOCK_SECONDS = 0.02
#: It may take longer where it would take nearly as long for fewer, but no longer than this.
LONGEST_BLOCK = 0.2
#: So many times the seconds for twice the updates are hardly longer.
HARDLY_LONGER = 1.5
#: Steplengths of a schedule that one block may take.
STEPS_IN_BLOCK = 2**20
#: Doubles of recorded reads that one block may make.
READS_IN_BLOCK = 2**22
#: The words that choose the recorded iterates lie beyond every minibatch.
RECORD_SLOT = 2**62

log = logging.getLogger("asysg")


class Engine(Protocol):
    """A scheduler as the loop sees it."""

    @property
    def x(self) -> NDArray[np.float64]: ...
    @property
    def clock(self) -> int: ...
    @property
    def histogram(self) -> NDArray[np.int64]: ...
    @property
    def max_delay(self) -> int: ...
    @property
    def sum_delay(self) -> int: ...
    @property
    def recomputed(self) -> int: ...
    @property
    def overwrites(self) -> int: ...
    @property
    def sums(self) -> tuple[float, float]: ...
    @property
    def log_dtype(self) -> np.dtype[Any]: ...
    @property
    def log(self) -> NDArray[Any] | None: ...
    @property
    def reads(self) -> NDArray[np.float64] | None: ...
    @property
    def trouble(self) -> tuple[str, int, int] | None: ...

    def advance(self, until: int, gamma: NDArray[np.float64]) -> object:
        """Do updates ``clock .. until - 1``, or as many as go well and do not keep one waiting."""


def strata(K: int, n_records: int) -> NDArray[np.int64]:
    """Return the edges of equally long strata of 0..K-1, one for each iterate to be recorded."""
    return np.linspace(0, K, min(n_records, K) + 1).astype(np.int64)


def recorded(key: Key, K: int, n_records: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Choose one iterate of 0..K-1 uniformly from each stratum; return them and their weights."""
    edges = strata(K, n_records)
    widths = np.diff(edges)
    unit = (words(key, np.arange(len(widths)), RECORD_SLOT) >> np.uint64(11)) * 2.0**-53
    return edges[:-1] + (unit * widths).astype(np.int64), widths / K


def run(
    plan: Plan,
    engine: Engine,
    state: State,
    workers: Callable[[], int],
    now: Callable[[], float] | None = None,
) -> Result:
    """Do what is left of the K updates, recording as planned, and certify what happened.

    `now` reads the virtual clock of a scheduler that has one.
    """
    chosen, weights = recorded(plan.key, plan.K, plan.n_records)
    weight_of = dict(zip(chosen.tolist(), weights.tolist(), strict=True))
    looks = {0, plan.K, *weight_of}
    marks = set(strata(plan.K, plan.n_records).tolist()) if plan.adaptive else set()
    stops = sorted(looks | marks)
    done_rows = {row[0] for row in state.rows}
    learn_constants(plan)
    record = flight_recorder(plan, engine, state)
    reads: list[NDArray[np.float64]] = []
    pace = Pace(plan)
    status, kept, kept_at = "completed", engine.x.copy(), engine.clock
    bar = Progress(plan.K, engine.clock) if plan.progress else None

    def so_far() -> Staleness:
        return staleness(plan, merged(state, engine, workers()))

    def save(*, now: bool = False) -> None:
        if plan.checkpoint is None:
            return
        try:
            plan.checkpoint.write(plan, merged(state, engine, workers()), kept, record, now=now)
        except OSError as error:  # a full disk, say: the run is worth more than its checkpoint
            warnings.warn(
                f"The checkpoint could not be written: {error}. The run goes on without.",
                AsysgWarning,
                stacklevel=2,
            )

    with (
        bar or nullcontext(),
        record or nullcontext(),
        plan.objective._one_thread(),
        Interrupts() as interrupts,
    ):
        try:
            for stop in stops:
                while engine.clock < stop:
                    begin, until = engine.clock, min(stop, engine.clock + pace.block)
                    gamma = plan.steps.block(begin, until)
                    clock = time.perf_counter()
                    engine.advance(until, gamma)
                    elapsed = time.perf_counter() - clock
                    state.seconds = now() if now is not None else state.seconds + elapsed
                    if log.isEnabledFor(logging.DEBUG):
                        log.debug("updates %d to %d in %.3g s", begin + 1, engine.clock, elapsed)
                    if bar is not None:
                        bar.update(engine.clock - begin, so_far)
                    if record is not None and engine.log is not None:
                        record.append(engine.log[: engine.clock - begin])
                    if engine.reads is not None:
                        reads.append(engine.reads[: engine.clock - begin])
                    if np.isfinite(engine.x).all():
                        kept[:], kept_at = engine.x, engine.clock
                    else:
                        status = "diverged"
                    if engine.trouble is not None:
                        status = engine.trouble[0]
                    elif interrupts.asked and engine.clock < plan.K:
                        status = "interrupted"
                    if status != "completed":
                        break
                    interrupts.deliver()
                    pace.after(engine.clock - begin, elapsed)
                    if engine.clock < stop:
                        save()
                if status != "completed":
                    break
                if stop in marks and stop > (state.marks[-1][0] if state.marks else -1):
                    state.marks.append((stop, state.sum_step + engine.sums[0]))
                if stop in looks and stop not in done_rows:
                    with interrupts.raising():
                        weight = weight_of.get(stop, 0.0)
                        row = look_or_none(plan, engine.x, stop, state.seconds, weight)
                        if row is None:
                            status = "failed"
                            break
                        state.rows.append(row)
                        if bar is not None:
                            bar.fun = row[2]
                        if plan.callback is not None:
                            here = Intermediate(
                                engine.x.copy(), row[2], row[3], stop, state.seconds, so_far()
                            )
                            if plan.callback(here) is True:
                                raise StopIteration
                save()
        except StopIteration:
            status = "stopped" if engine.clock < plan.K else "completed"
        except KeyboardInterrupt:  # from the callback, a second Ctrl-C, or a handler of their own
            status = "interrupted"
        if status in ("completed", "interrupted", "stopped"):
            save(now=True)
        log.info("%s after %d of %d updates, %.3g s", status, engine.clock, plan.K, state.seconds)
        # Still here, where Ctrl-C is only noted: what is done must not be lost at the end.
        return finish(
            plan,
            merged(state, engine, workers()),
            Ending(status, kept, kept_at, engine.trouble),
            None if record is None else record.entries(),
            np.concatenate(reads) if reads else None,
        )


def learn_constants(plan: Plan, *, needed: bool = False) -> None:
    """Let the objective work out what the certificate will ask for; if `needed`, it must.

    That may take long (a singular value decomposition), and would come between Ctrl-C and the
    partial result if it were left to the end. Objectives keep what they have found.
    """
    if plan.constants is None:
        # Where there are no constants the certificate will say so.
        with nullcontext() if needed else suppress(InvalidArgument):
            plan.objective.constants(plan.x0, T=0)


def flight_recorder(plan: Plan, engine: Engine, state: State) -> Recorder | None:
    """Open the flight record, beside the checkpoint where there is one."""
    if plan.record not in ("full", "full+reads"):
        return None
    path = None if plan.checkpoint is None else plan.checkpoint.log_path
    return Recorder(engine.log_dtype, path, keep=state.clock)


class Pace:
    """How many updates to do at once: so many that a block takes about `BLOCK_SECONDS`.

    Where other processes want the cores, a block lasts until all its workers had their turn,
    however little there is to do. Fewer updates at once would not end sooner, and more cost
    nothing: so blocks grow as long as twice the updates take hardly longer.

    Attributes
    ----------
    block : int
    """

    def __init__(self, plan: Plan) -> None:
        self.block, self._most = 1, 2**62
        if plan.steps.gamma is None:
            self._most = STEPS_IN_BLOCK
        if plan.record == "full+reads":
            self._most = min(self._most, READS_IN_BLOCK // (plan.M * plan.objective.n))
        self._took: dict[int, float] = {}  # seconds of the last whole block of each size

    def after(self, done: int, seconds: float) -> None:
        """Learn from a block of which `done` updates were made in so many seconds."""
        half, double, whole = self.block // 2, 2 * self.block, done == self.block
        if whole:
            self._took[self.block] = seconds
        free = (
            len(self._took) == 1  # not known: to be found out
            or seconds < HARDLY_LONGER * self._took.get(half, 0.0)
            or self._took.get(double, np.inf) < HARDLY_LONGER * seconds
        )
        if seconds > LONGEST_BLOCK:
            self.block = half
        elif whole and (seconds < BLOCK_SECONDS / 2 or (free and seconds < LONGEST_BLOCK / 2)):
            self.block = double
        elif seconds > 2 * BLOCK_SECONDS and not free:
            self.block = half
        self.block = max(1, min(self.block, self._most))


class Interrupts:
    """Turn the first Ctrl-C into a wish that the loop grants between two blocks.

    Raised in the midst of the loop's book-keeping, KeyboardInterrupt would leave x, the counts
    and the record of different moments. So it is raised only where it does no harm, `raising`:
    there a second Ctrl-C ends a callback that takes too long. A handler of the user's own is
    called in the same places, and between blocks, by `deliver`. Threads other than the main one
    get no signals.
    """

    def __init__(self) -> None:
        self.asked = False
        self._harmless = False
        self._held: tuple[int, FrameType | None] | None = None
        main = threading.current_thread() is threading.main_thread()
        self._theirs = signal.getsignal(signal.SIGINT) if main else None

    def __enter__(self) -> Self:
        if callable(self._theirs):
            signal.signal(signal.SIGINT, self._ask)
        return self

    def _ask(self, number: int, frame: FrameType | None) -> None:
        own = self._theirs is not signal.default_int_handler
        if own or self.asked:
            self._held = number, frame
        if self._harmless:
            self.deliver()
        self.asked = self.asked or not own

    def deliver(self) -> None:
        """Call the handler, which may raise, if a signal was held back; several count as one."""
        held, self._held = self._held, None
        if held is not None and callable(self._theirs):
            self._theirs(*held)

    @contextmanager
    def raising(self) -> Iterator[None]:
        """Let signals raise what they raise."""
        self._harmless = True
        try:
            self.deliver()
            yield
        finally:
            self._harmless = False

    def __exit__(self, *_: object) -> None:
        if callable(self._theirs):
            signal.signal(signal.SIGINT, self._theirs)
            if self._theirs is not signal.default_int_handler:
                self.deliver()


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C end a sequence of runs, whenever it comes.

    A run whose updates are all done only notes it, to lose nothing, and the next would begin.
    A handler that is not the interpreter's own is called all the same, when the run gives it back.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        # First, because it may strike below, before the handler is given back there.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass(frozen=True)
class Ending:
    """How a run ended: its status, the last finite x, when that was, and what went wrong."""

    status: str
    x: NDArray[np.float64]
    x_at: int
    trouble: tuple[str, int, int] | None

    def message(self, plan: Plan, clock: int) -> str:
        """Say it in a sentence or two."""
        said = STATUS[self.status]
        if self.status == "failed":
            where = f"f or its gradient was to be evaluated after k = {clock} updates."
            if self.trouble is not None:
                _, worker, k = self.trouble
                where = f"It was computed by worker {worker} for update k = {k + 1} or later."
            return f"{said} {where}{plan.objective._failure()}"
        if self.status == "diverged":
            since = f"x is from after k = {self.x_at}"
            if self.trouble is not None:
                _, worker, k = self.trouble
                where = f"Worker {worker} noticed it at update k = {k + 1}"
                if self.x_at > k:  # the update was not written, and neither were its like
                    since = "x is without that update"
            else:
                k = clock - 1
                where = f"It was noticed after update k = {clock}"
            gamma = plan.steps.at(min(k + 1, plan.K))
            return f"{said} {where}, at steplength {gamma:.6g}; {since}. Try a smaller steplength."
        return said


def look(
    plan: Plan, x: NDArray[np.float64], clock: int, seconds: float, weight: float
) -> tuple[int, float, float, float, float]:
    """Evaluate what is minimised and its exact gradient (mapping) at an iterate."""
    # A run that explodes has squares beyond the largest float before x has: inf says so.
    with np.errstate(over="ignore"):
        gradient = plan.gradient(x, clock + 1)
        # Not gradient @ gradient: of a long vector that is a task for BLAS's own threads, which
        # then stay awake for a while on the cores that the workers need.
        square = float(np.einsum("i,i", gradient, gradient))
    return clock, seconds, plan.value(x), square, weight


def look_or_none(
    plan: Plan, x: NDArray[np.float64], clock: int, seconds: float, weight: float
) -> tuple[int, float, float, float, float] | None:
    """Look, and return None where the objective fails; at x0, before any update, raise its error.

    Not in line in `run`: a signal that strikes before the first statement of a `try` in a `with`
    would leave that unended.
    """
    try:
        return look(plan, x, clock, seconds, weight)
    except ObjectiveError:
        if not clock:
            raise
        return None


def merged(state: State, engine: Engine, workers: int) -> State:
    """Return the state with what the engine has counted since the run began or went on."""
    return State(
        clock=engine.clock,
        seconds=state.seconds,
        rows=state.rows,
        histogram=state.histogram + engine.histogram,
        max_delay=max(state.max_delay, engine.max_delay),
        sum_delay=state.sum_delay + engine.sum_delay,
        recomputed=state.recomputed + engine.recomputed,
        overwrites=state.overwrites + engine.overwrites,
        workers=max(state.workers, workers),
        sum_step=state.sum_step + engine.sums[0],
        sum_square=state.sum_square + engine.sums[1],
        marks=state.marks,
    )


def value_at_the_end(plan: Plan, ending: Ending) -> float:
    """Return what is minimised at the last x; NaN where the objective failed and fails there."""
    try:
        return plan.value(ending.x)
    except ObjectiveError:
        if ending.status != "failed":
            raise
        return np.nan


def staleness(plan: Plan, state: State) -> Staleness:
    """Return the delays of all updates so far."""
    counted, serial = int(state.histogram.sum()), state.workers == 1
    return Staleness(
        max=state.max_delay if counted else (0 if serial else None),
        mean=state.sum_delay / counted if counted else (0.0 if serial else None),
        histogram=state.histogram,
        max_delay=plan.max_delay,
    )


def finish(
    plan: Plan,
    state: State,
    ending: Ending,
    log: NDArray[Any] | None,
    reads: NDArray[np.float64] | None,
) -> Result:
    """Gather the result of a run and certify it."""
    seen = staleness(plan, state)
    rows = np.array(state.rows, dtype=np.float64).reshape(-1, 5)
    timed = not plan.simulated or plan.virtual_workers > 0
    seconds = rows[:, 1] if timed else np.full(len(rows), np.nan)
    weight = rows[:, 4]
    if plan.adaptive:
        weight = weights(rows, strata(plan.K, plan.n_records), state)
    trace = Trace(rows[:, 0].astype(np.int64) + 1, seconds, rows[:, 2], rows[:, 3], weight)
    certified = replace(plan, evidence=(*plan.evidence, *of_rounding(plan, ending.x, state.clock)))
    return Result(
        x=ending.x,
        fun=value_at_the_end(plan, ending),
        nit=state.clock,
        success=ending.status == "completed",
        status=ending.status,
        message=ending.message(plan, state.clock),
        method=plan.method,
        steplength=plan.steps.gamma,
        batch_size=plan.M,
        n_updates=plan.K,
        max_delay=plan.max_delay,
        update=plan.update,
        record=plan.record,
        skip_ahead=plan.skip_ahead,
        prox=None if plan.prox is None else str(plan.prox),
        dtype=plan.dtype,
        n_threads_used=state.workers,
        n_lost=state.overwrites,
        n_recomputed=state.recomputed,
        n_gradients=(state.clock + state.recomputed) * plan.M * plan.objective._samples_each,
        time=state.seconds,
        key=plan.key,
        staleness=seen,
        trace=trace,
        certificate=certify(certified, seen, trace, ending.status, state),
        simulated=plan.simulated,
        scheduler=plan.scheduler,
        sync_every=plan.sync_every,
        log=log,
        reads=reads,
        _plan=plan,
    )
