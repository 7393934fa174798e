"""Run a method on real threads: the front door."""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ._check import choice, integer, number
from ._checkpoint import Checkpoint, resumed
from ._core.openmp import openmp_version, thread_limit
from ._core.served import Served
from ._core.single import Single
from ._core.skip import Skip
from ._core.threads import RECORDING, Threads
from ._draws import RNG
from ._evidence import unbiased
from ._plan import OF_A_COORDINATE, Intermediate, Plan, State, make_plan, prescribe
from ._proximal import kernel, with_lazy, with_prox
from ._run import Pace, learn_constants, run
from ._served import (
    ORDERED,
    SERVED,
    allowed,
    delay_or,
    fitting,
    local_steps,
    oblivious,
    pushes_and_fetches,
)
from ._single import fitting_step, with_dtype
from ._skip import skip_law
from ._update import LOCK_FREE, with_update
from .errors import AsysgWarning, InvalidArgument
from .objectives import Objective
from .prox import Prox
from .result import Result
from .steplengths import Steplength
from .theory import Hypothesis, ProblemConstants

log = logging.getLogger("asysg")

METHODS = ("sgd", "asysg-con", "asysg-incon", "hogwild", "asyscd", *SERVED)
#: More workers than this are a mistake, or work for the simulator.
MOST_THREADS = 1024
#: Updates of the pilot that measures the delay before a steplength is prescribed, without those
#: passed over.
PILOT = 20_000


def minimize(
    obj: Objective,
    x0: ArrayLike,
    *,
    method: str = "asysg-incon",
    steplength: Steplength | str = "prescribed",
    batch_size: int | None = None,
    n_updates: int | None = None,
    n_threads: int | None = None,
    max_delay: int | None = None,
    delay: int | None = None,
    n_fetch: int = 1,
    n_push: int = 1,
    update: str | None = None,
    sync_every: int | None = None,
    record: str | bool = "sampled",
    skip_ahead: bool | None = None,
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
    r"""Minimise an objective by asynchronous stochastic gradient on real threads.

    Parameters
    ----------
    obj : Objective
        What to minimise; see `asysg.objectives`.
    x0 : array of shape (n,)
        The start, finite.
    method : {"asysg-incon", "asysg-con", "hogwild", "asyscd", "sgd", "sync", "delayed", "downpour"}
        Lock-free coordinate updates from inconsistent reads (Algorithm 2 of the paper);
        whole-vector updates from consistent reads, the lock in the place of the parameter
        server (Algorithm 1); lock-free updates of the sample's whole support (Niu et al. 2011);
        asynchronous coordinate descent (Liu et al. 2014): AsySG-incon on ``obj.exact``, with exact
        partial derivatives of f in the place of samples', certified without noise; or the serial
        method, one thread and no delay. "sync": the workers wait for one another, and each update
        is the sum of their parts of one minibatch. "delayed": the gradients are applied in a fixed
        order, so that update k reads :math:`x_{k-\tau}` with the same :math:`\tau` always
        (Agarwal & Duchi 2011). "downpour": workers step on their own replica of x, send the sum
        of their gradients every `n_push` steps, and fetch x every `n_fetch` (Dean et al. 2012,
        without Adagrad).
    steplength : float, Prescription, callable, ndarray, DelayAdaptive or str
        The factor of the *sum* over the minibatch. A callable or an array gives
        :math:`\gamma_k`, k = 1, 2, ..., K; its certificate is of Theorem 1, whatever `form` says,
        and none covers a schedule of updates of one coordinate. "prescribed" measures the delay T
        (by a short pilot at steplength 0, or takes `max_delay` where it is given) and uses the
        theorem's corollary; "optimal" does the same and uses the admissible steplength with the
        smallest bound. `asysg.steplengths.delay_adaptive` makes one that shrinks with the delay of
        its update; "delay-adaptive" does with the constants of the objective, for "asysg-con" and
        "sgd".
        The certificate is then of Theorem A, whatever `form` says.
    batch_size, n_updates : int
        M and K, at least 1. Taken from a `Prescription` if left out; `batch_size` is 1
        otherwise, and always for "asyscd". "sync" shares the M samples among the workers, of whom
        no more than M work; "downpour" among the `n_push` steps, of which M must be a multiple.
    n_threads : int, optional
        Workers. By default the cores this process may really use (affinity and container
        quota counted).
    max_delay : int, optional
        Enforce this T: an update whose read is older is computed again from a fresh read, so
        that the theorem's hypothesis holds by construction. Values below ``n_threads - 1``
        are kept too, at the price of wasted work. Without it, delays are measured only. Not for
        "sync" and "delayed".
    delay : int, optional
        For "delayed": :math:`\tau`, at least 0, by default ``n_threads - 1``. The last
        :math:`\tau + 1` iterates are kept. Beyond ``n_threads - 1`` no worker waits for a read.
    n_fetch, n_push : int
        For "downpour": local steps between two fetches and in one push, at least 1; `n_fetch` must
        be a multiple of `n_push`. Beyond 1 the steplength must be constant. A push counts as
        stale by all updates since the fetch, the worker's own too.
    update : {None, "atomic", "replica", "lossy"}
        How the workers of the lock-free methods write. "atomic": by an atomic add to the shared
        x, no update is lost. "replica": to private copies of x, which are merged every
        `sync_every` updates, a segment at a time under a lock; no update is lost, windows stay
        true, delays are longer, and several threads are faster than by writing to the same
        memory. It needs a constant steplength. "lossy": by load and store, as folklore has it;
        lost updates are counted, and the certificate says that this hypothesis fails. None:
        "replica" for more than one thread where it can be and the merges would cost less than
        the updates, otherwise, and for "asyscd", "atomic". ``Result.update`` says which it was.
    sync_every : int, optional
        Updates B of a worker between two merges, 1 to 2**20 and at most ``max_delay + 1``; asks
        for "replica". The copies of p workers in step are about 2Bp updates apart. By default
        16 n over the entries of x that an update looks at (its M samples' support, tried on a
        few, and 8 a sample for the rest), so that a merge costs a few percent; at most 4096, at
        most ``(max_delay + 1) / 2p``, and with a steplength by name at most
        :math:`\sqrt K/2p`; at least 1. A smaller B means fresher reads and more merging. With
        ``max_delay < n_threads - 1`` workers take turns even at B = 1.
    record : {"sampled", "full", "full+reads", False}
        "sampled": delays counted for every update, iterates recorded now and then. "full":
        besides, one entry an update in ``Result.log``, in memory or, if there are many, in a
        file (beside the checkpoint, if there is one). "full+reads": also all that was read, for
        small n and without a checkpoint; not for "sync", "delayed" and "downpour", where they
        follow from the log. False: for the lock-free methods no clock, hence no measured T and no
        certificate of one, at the highest speed; the other methods count delays all the same.
    skip_ahead : bool, optional
        "asysg-incon" on sparse samples: pass over the updates that are zero by structure, which
        gives the same process in law (other draws, though), much faster. None: where it is exact
        and pays. Not where every update is logged or steplengths adapt to the delay, nor with
        ``update="replica"`` or `prox`.
    prox : Prox, optional
        Minimise f + h, where h is a regulariser or the indicator of a box: see `asysg.prox`. Every
        update ends with a proximal step, of its coordinate alone where there is one. On sparse
        samples the steps of "hogwild" and "sgd" are made up for when an entry is next looked at,
        in closed form, so that updates stay as cheap as their samples; "hogwild" then needs a
        constant steplength. x0 must lie in the box. ``update`` must be "atomic". Not for "sync",
        "delayed" and "downpour". No theorem covers the run, and the certificate says so.
    dtype : {"float64", "float32"}
        What x, reads, gradients and updates are computed in. "float32", for "asysg-con" and "sgd"
        on a `Network`, a `Quadratic` with a diagonal or a regression on dense data: about twice as
        fast where an update is bound by memory or by products of matrices; x0 and steplengths are
        rounded to it, dense data are copied once. The trace is evaluated in float64. No theorem
        covers the run, and the certificate says so.
    n_records : int
        Iterates recorded in the trace, at least 1; each costs a full gradient, which is not
        counted in the times.
    form : str
        Form of the theorem the certificate rests on; see `asysg.theory`.
    constants : ProblemConstants, optional
        Use these instead of ``obj.constants(x0, T)``.
    callback : callable, optional
        ``callback(intermediate_result)`` at every recorded iterate, between parallel regions,
        with x, f, the delays so far, ...; return True or raise StopIteration to end the run.
        While it runs, a first Ctrl-C waits until it returns, and a second one raises
        KeyboardInterrupt in it. `asysg.Monitor` is one that writes to a file.
    checkpoint : path-like, optional
        Keep the state of the run in this file, and go on from it if it exists: with the same
        arguments, to the same budget; with one thread, to the same bits as without the stop.
        `n_threads` may differ. A flight record is kept beside it, in ``<checkpoint>.log``.
    checkpoint_every : float
        Least seconds between two writes of the checkpoint.
    progress : bool
        Show a progress bar on stderr, with updates a second, the 99 % quantile of the delays so
        far and the last recorded loss.
    rng : int, Generator, SeedSequence or None
        The same seed draws the same samples and coordinates for every number of threads. With
        one thread it gives the same bits. With several, the order in which updates meet is
        the machine's, so x differs from run to run: use `asysg.simulate` to repeat a run
        exactly. "sync" gives the same bits for the same number of threads, "delayed" for any (and
        the same `delay`).

    Returns
    -------
    Result
        With ``success=False`` and the reason in ``status`` and ``message`` where the run
        was interrupted, stopped, or left the finite numbers.

    Raises
    ------
    InvalidArgument
        For every argument that cannot be, before any thread starts. (A value of a callable
        steplength is known when it is used.)
    ObjectiveError
        If f or its gradient cannot be computed at x0, before any update. A failure later ends the
        run with ``status="failed"``.

    References
    ----------
    Lian, Huang, Li, Liu, "Asynchronous parallel stochastic gradient for nonconvex
    optimization", NIPS 2015, Algorithms 1 and 2. Liu, Wright, Ré, Bittorf, Sridhar, "An
    asynchronous parallel stochastic coordinate descent algorithm", ICML 2014. Agarwal & Duchi,
    "Distributed delayed stochastic optimization", NIPS 2011. Dean et al., "Large scale distributed
    deep networks", NIPS 2012.

    Examples
    --------
    >>> import asysg, numpy as np
    >>> obj = asysg.objectives.CosineQuadratic(n=20, sigma=0.1)
    >>> res = asysg.minimize(obj, np.ones(20), steplength=0.05, n_updates=5000, rng=0)
    >>> res.success, res.nit
    (True, 5000)
    >>> res = asysg.minimize(
    ...     obj, np.ones(20), method="delayed", delay=3, steplength=0.05, n_updates=5000, rng=0)
    >>> res.staleness.max
    3
    """
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
    choice("record", record, tuple(RECORDING))
    if record == "full+reads" and checkpoint is not None:
        raise InvalidArgument(
            "record must not be 'full+reads' with a checkpoint, got both. Reads are for short runs."
        )
    if record == "full+reads" and method in SERVED:
        raise InvalidArgument.of(
            "record", f"must not be 'full+reads' for method {method!r}", record,
            "What is read follows from the log of 'full'.",
        )  # fmt: skip
    p = threads(n_threads, method)
    n_push, n_fetch = pushes_and_fetches(method, n_push, n_fetch)
    if max_delay is not None:
        max_delay = integer("max_delay", max_delay, least=0)
    by_name = plan.wanted is not None and p > 1 and method not in ORDERED
    if record is False and (max_delay is not None or by_name or plan.adaptive):
        raise InvalidArgument(
            "record must be 'sampled' or 'full' with max_delay, a steplength by name or one that "
            "adapts to the delay, got False. They need the delays that a record counts."
        )
    checkpoint_every = number("checkpoint_every", checkpoint_every, least=0)
    plan = replace(
        with_dtype(with_prox(plan, prox), dtype),
        max_delay=max_delay,
        record=record,
        n_push=n_push,
        n_fetch=n_fetch,
        constant_delay=method == "delayed",
        evidence=evidence(method, p, n_push),
        in_flight=None if method in LOCK_FREE and p > 1 else p,
        checkpoint=None if checkpoint is None else Checkpoint(checkpoint, checkpoint_every),
    )

    plan = with_lazy(plan)
    state, x = State(), plan.x0
    stored = plan.checkpoint.read() if plan.checkpoint is not None else None
    # What was chosen for other threads is gone on with.
    before = {} if stored is None else stored[0]["identity"]
    chosen = before.get("update")
    plan = replace(plan, delay=delay_or(before.get("delay", p - 1), method, delay))
    plan = fitting(allowed(plan))
    law = skip_law(plan, skip_ahead, p, replicas=update == "replica" or sync_every is not None)
    if law is not None:
        update = update or "atomic"  # hits are too rare to disturb one another
    plan = with_update(plan, update, sync_every, p, chosen)
    plan = replace(plan, skip_ahead=law is not None)
    if stored is not None:
        plan, state, x = resumed(plan, *stored, repeats=isinstance(rng, int | np.integer))
        # What one thread guarantees does not hold where more took part before.
        plan = replace(plan, evidence=evidence(method, max(p, state.workers), n_push))
    elif plan.wanted is not None:
        plan = prescribe(plan, 0 if plan.adaptive else expected_delay(plan, p, law))
    engine = threads_engine(fitting_step(plan), p, x, state.clock, law)
    if plan.checkpoint is not None and (isinstance(engine, Served) or plan.lazy):
        plan.checkpoint.pending = engine.pending
        if stored is not None:
            engine.restore(state.pending)
    result = run(plan, engine, state, lambda: max(1, engine.team))
    if 0 < engine.team < p:
        warnings.warn(
            f"{p} threads were asked for and the OpenMP runtime gave {engine.team}; the other "
            "workers ran one after another. OMP_DYNAMIC=false may change that.",
            AsysgWarning,
            stacklevel=2,
        )
    return result


def threads_engine(plan: Plan, p: int, x: Any, clock: int = 0, law: Skip | None = None) -> Threads:
    """Make the scheduler of real threads."""
    capsule = plan.objective._capsule
    given: dict[str, Any] = {
        # The kernels tell AsySCD from AsySG-incon by the objective alone: it is f itself. Lazy
        # steps of the serial method are those of Hogwild with one worker.
        "method": "asysg-incon" if plan.method == "asyscd" else plan.method,
        "M": plan.M,
        "p": p,
        "key": plan.key,
        "max_delay": -1 if plan.max_delay is None else plan.max_delay,
        "recording": plan.record,
        "clock": clock,
    }
    if plan.method in SERVED:
        given |= {"delay": plan.delay or 0, "n_push": plan.n_push, "n_fetch": plan.n_fetch}
        return Served(capsule, x, **given)
    if plan.lazy:
        given["method"] = "hogwild"
    given["slope"] = plan.steps.slope(plan.M)
    if plan.dtype == "float32":
        del given["method"]  # AsySG-con; "sgd" is it with one worker
        return Single(capsule, x, **given)
    given |= {
        "lossy": plan.update == "lossy",
        "sync_every": plan.sync_every or 0,
        "skip": law,
        "prox": kernel(plan),
        "lazy": plan.lazy,
    }
    return Threads(capsule, x, **given)


def expected_delay(plan: Plan, p: int, law: Skip | None) -> int:
    """Return the T to prescribe for: what is enforced, or what a pilot measures."""
    if plan.max_delay is not None:
        return plan.max_delay
    if plan.method in ORDERED:
        return plan.delay or 0
    if p == 1:
        return plan.n_fetch // plan.n_push - 1
    learn_constants(plan, needed=True)  # a pilot is of no use without
    # Copies of workers in step: my batch, and of each other one its last and the one it is at. A
    # pilot may be too short to show that.
    B = plan.sync_every or 0
    in_step = min(plan.K - 1, (2 * p - 1) * B - 1) if B else 0
    # At steplength 0 the pilot reads, computes and writes as the run will, and x stays.
    pilot = threads_engine(replace(plan, record="sampled"), p, plan.x0, law=law)
    pace, until = Pace(plan), min(plan.K, int(PILOT / pilot.share))
    while pilot.clock < until and pilot.trouble is None:  # in blocks, for the sake of Ctrl-C
        begin = pilot.clock
        seconds = time.perf_counter()
        pilot.advance(min(until, begin + pace.block), np.zeros(1))
        pace.after(pilot.clock - begin, time.perf_counter() - seconds)
    if pilot.trouble is not None:
        raise InvalidArgument(
            f"obj must be computable at x0, got a failure in the pilot.{plan.objective._failure()}"
        )
    T = max(in_step, int(pilot.max_delay))
    log.info("pilot: T = %d, measured over %d updates of %d threads", T, pilot.clock, p)
    return T


def threads(n_threads: int | None, method: str) -> int:
    """Return how many workers will run, or refuse what this build or machine cannot give."""
    limit = min(thread_limit(), MOST_THREADS)
    if method == "sgd":
        if n_threads not in (None, 1):
            raise InvalidArgument(
                f"n_threads must be 1 for method 'sgd', got {n_threads!r}. "
                "The asynchronous methods are 'asysg-con' and 'asysg-incon'."
            )
        return 1
    if n_threads is None:
        import joblib

        return min(limit, int(joblib.cpu_count()))
    p = integer("n_threads", n_threads, least=1)
    if p > 1 and not openmp_version():
        raise InvalidArgument(
            f"n_threads must be 1 in a build without OpenMP, got {p}. Build again with "
            "ASYSG_OPENMP=require."
        )
    if p > limit:
        raise InvalidArgument(
            f"n_threads must be at most {limit}, got {p}. OMP_THREAD_LIMIT may raise that to "
            f"{MOST_THREADS}; for more workers use asysg.simulate."
        )
    return p


def evidence(method: str, p: int, n_push: int = 1) -> tuple[Hypothesis, ...]:
    """Say what real threads guarantee and what they cannot."""
    found = [unbiased(method)]
    if method in OF_A_COORDINATE:
        found.append(Hypothesis("coordinates uniform", True, None, {}, "by construction"))
    alone = "one thread: every read is the current iterate" if p == 1 else None
    examined = ", and asysg.verify.examine tests it on a flight record"
    found.append(
        oblivious(
            ORDERED.get(method, alone),
            "" if method == "downpour" else examined,
            what="coordinate" if method == "asyscd" else "sample",
        )
    )
    return (*found, *local_steps(n_push))
