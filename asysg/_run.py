"""The loop around every scheduler: advance, look, record, and certify at the end.

A scheduler (real threads, given delays, ...) only knows how to do the next so many updates.
Between two such blocks x is exactly an iterate and nothing else runs, so that recording,
checks, callbacks, checkpoints and Ctrl-C need no care for concurrency.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from . import theory
from ._draws import Key, words
from ._plan import Intermediate, Plan, State
from .errors import InvalidArgument
from .result import STATUS, Result, Staleness, Trace
from .theory import Certificate, Hypothesis

#: A block of updates should take about this long: the longest wait for Ctrl-C, and the check
#: interval for divergence.
BLOCK_SECONDS = 0.02
#: The words that choose the recorded iterates lie beyond every minibatch.
RECORD_SLOT = 2**62


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
    def log(self) -> NDArray[Any] | None: ...

    def advance(self, until: int, gamma: NDArray[np.float64]) -> bool:
        """Do updates ``clock .. until - 1``; False if the objective failed."""


def recorded(key: Key, K: int, n_records: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Choose one iterate of 0..K-1 uniformly from each stratum; return them and their weights."""
    edges = np.linspace(0, K, min(n_records, K) + 1).astype(np.int64)
    widths = np.diff(edges)
    unit = (words(key, np.arange(len(widths)), RECORD_SLOT) >> np.uint64(11)) * 2.0**-53
    return edges[:-1] + (unit * widths).astype(np.int64), widths / K


def run(plan: Plan, engine: Engine, state: State, workers: Callable[[], int]) -> Result:
    """Do what is left of the K updates, recording as planned, and certify what happened."""
    chosen, weights = recorded(plan.key, plan.K, plan.n_records)
    weight_of = dict(zip(chosen.tolist(), weights.tolist(), strict=True))
    stops = sorted({0, plan.K, *weight_of})
    done_rows = {row[0] for row in state.rows}
    status, block, finite = "completed", 256, engine.x.copy()
    bar = tqdm(
        total=plan.K,
        initial=engine.clock,
        unit="update",
        unit_scale=True,
        disable=not plan.progress,
    )
    try:
        for stop in stops:
            while engine.clock < stop and status == "completed":
                begin, until = engine.clock, min(stop, engine.clock + block)
                gamma = plan.steps.block(begin, until)
                clock = time.perf_counter()
                ok = engine.advance(until, gamma)
                elapsed = time.perf_counter() - clock
                state.seconds += elapsed
                if engine.log is not None:
                    state.logs.append(engine.log[: engine.clock - begin])
                bar.update(engine.clock - begin)
                if not np.isfinite(engine.x).all():
                    status = "diverged"
                elif not ok:
                    status = "failed"
                else:
                    finite[:] = engine.x
                if until - begin == block and elapsed < BLOCK_SECONDS / 2:
                    block *= 2
                elif elapsed > 2 * BLOCK_SECONDS:
                    block = max(1, block // 2)
            if status != "completed":
                break
            if stop not in done_rows:
                row = look(plan, engine.x, stop, state.seconds, weight_of.get(stop, 0.0))
                state.rows.append(row)
                bar.set_postfix(f=f"{row[2]:.4g}", refresh=False)
                if plan.callback is not None:
                    plan.callback(
                        Intermediate(engine.x.copy(), row[2], row[3], stop, state.seconds)
                    )
            if plan.checkpoint is not None:
                plan.checkpoint.write(plan, merged(state, engine), finite, last=stop == plan.K)
    except StopIteration:
        status = "stopped" if engine.clock < plan.K else "completed"
    except KeyboardInterrupt:
        status = "interrupted"
    finally:
        bar.close()
    if status == "interrupted" and plan.checkpoint is not None:
        plan.checkpoint.write(plan, merged(state, engine), finite, last=True)
    return finish(plan, merged(state, engine), status, finite, workers())


def look(
    plan: Plan, x: NDArray[np.float64], clock: int, seconds: float, weight: float
) -> tuple[int, float, float, float, float]:
    """Evaluate f and its exact gradient at an iterate."""
    gradient = plan.objective.gradient(x)
    return clock, seconds, float(plan.objective.value(x)), float(gradient @ gradient), weight


def merged(state: State, engine: Engine) -> State:
    """Return the state with what the engine has counted since the run began or went on."""
    return State(
        clock=engine.clock,
        seconds=state.seconds,
        rows=state.rows,
        histogram=state.histogram + engine.histogram,
        max_delay=max(state.max_delay, engine.max_delay),
        sum_delay=state.sum_delay + engine.sum_delay,
        recomputed=state.recomputed + engine.recomputed,
        logs=state.logs,
    )


def finish(plan: Plan, state: State, status: str, x: NDArray[np.float64], n_workers: int) -> Result:
    """Gather the result of a run and certify it."""
    counted = int(state.histogram.sum())
    staleness = Staleness(
        max=state.max_delay if counted else (0 if n_workers == 1 else None),
        mean=state.sum_delay / counted if counted else (0.0 if n_workers == 1 else None),
        histogram=state.histogram,
        max_delay=plan.max_delay,
    )
    rows = np.array(state.rows, dtype=np.float64).reshape(-1, 5)
    seconds = np.full(len(rows), np.nan) if plan.simulated else rows[:, 1]
    trace = Trace(rows[:, 0].astype(np.int64) + 1, seconds, rows[:, 2], rows[:, 3], rows[:, 4])
    message = STATUS[status]
    if status in ("diverged", "failed"):
        k = min(state.clock + 1, plan.K)
        message += (
            f" Noticed at k = {state.clock} of {plan.K}, method {plan.method}, "
            f"steplength {plan.steps.at(k):.6g}; try a smaller steplength."
            if status == "diverged"
            else f" It happened near k = {k} of {plan.K}."
        )
    return Result(
        x=x,
        fun=float(plan.objective.value(x)),
        nit=state.clock,
        success=status == "completed",
        status=status,
        message=message,
        method=plan.method,
        steplength=plan.steps.gamma,
        batch_size=plan.M,
        n_updates=plan.K,
        max_delay=plan.max_delay,
        update=plan.update,
        record=plan.record,
        n_threads_used=n_workers,
        n_lost=0,
        n_recomputed=state.recomputed,
        n_gradients=(state.clock + state.recomputed) * plan.M,
        time=state.seconds,
        key=plan.key,
        staleness=staleness,
        trace=trace,
        certificate=certify(plan, staleness, trace, status, state.clock),
        simulated=plan.simulated,
        log=np.concatenate(state.logs) if state.logs else None,
    )


def certify(plan: Plan, staleness: Staleness, trace: Trace, status: str, nit: int) -> Certificate:
    """Say which hypotheses of the theorem this run satisfied, and what follows."""
    T = staleness.max
    evidence = [
        Hypothesis(
            "delays bounded by T",
            T is not None,
            None if T is None else 0.0,
            {} if T is None else {"max_delay": float(T), "T": float(T)},
            "measured" if plan.max_delay is None else "enforced",
            delay_note(T, plan.prescribed_T),
        ),
        Hypothesis(
            "all updates done",
            status == "completed",
            None,
            {"done": float(nit), "K": float(plan.K)},
            "measured",
            "" if status == "completed" else STATUS[status],
        ),
        *plan.evidence,
    ]
    gamma: Any = plan.steps.gamma
    K, form = max(1, nit), plan.form
    if gamma is None and plan.algorithm == "con":
        # Theorem 1 is the one statement for steps that vary.
        gamma, form = plan.steps.block(0, K), "paper"
    elif gamma is None:
        gamma = plan.steps.at(1)
        evidence.append(
            Hypothesis(
                "constant steplength",
                False,
                None,
                {},
                "by construction",
                "no theorem for schedules of AsySG-incon is available",
            )
        )
    if form in ("constant_delay", "uniform"):
        evidence.append(
            Hypothesis(
                "every delay equals T",
                T == 0 or plan.constant_delay,
                None,
                {},
                "by construction" if plan.simulated else "measured",
            )
        )
    constants = plan.constants
    if constants is None:
        try:
            constants = plan.objective.constants(plan.x0, T=T or 0)
        except InvalidArgument as error:
            evidence.append(Hypothesis("constants known", False, None, {}, "proven", str(error)))
    # A run that diverged has no finite ergodic norm; one stopped before its first recorded
    # iterate has none at all.
    measured = float("inf") if status == "diverged" else trace.ergodic
    if form == "uniform" and status == "completed":
        # Theorem U bounds the sum over the iterates that were read, k <= K - T.
        read = trace.k <= K - (T or 0)
        measured = float(trace.weight[read] @ trace.grad_norm_sq[read])
    return theory.certify(
        constants,
        algorithm=plan.algorithm,
        gamma=gamma,
        K=K,
        M=plan.M,
        T=T or 0,
        form=form,
        measured=None if np.isnan(measured) else measured,
        evidence=tuple(evidence),
    )


def delay_note(T: int | None, prescribed: int | None) -> str:
    """Compare the delay that occurred with the one the steplength was prescribed for."""
    if T is None:
        return "the run recorded no delays (record=False)"
    if prescribed is None:
        return ""
    if T > prescribed:
        return f"larger than T = {prescribed}, for which the steplength was prescribed"
    return f"the steplength was prescribed for T = {prescribed}"
