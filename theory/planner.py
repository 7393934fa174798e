"""How long each method takes to reach a target, for workers of given speeds.

`predict` turns the theorems of this package into seconds: an upper bound with explicit constants
for each method, at the best of its free parameters. `orders` gives the published complexities,
which have no constants: they compare how methods scale, and guarantee nothing. The two are never
mixed. The target is E||grad f||^2 <= eps in the ergodic mean.

Workers have fixed speeds, so delays do not depend on samples and reads are oblivious.
Proof: documentation, "The planner: time to a target".
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import scipy

from ._check import choice, number
from ._constants import ProblemConstants
from ._crew import CLOCK_ERROR, Crew, largest_delay, positive_seconds, time_of_updates
from ._target import fresh_read_bound, least_updates, with_delays, without_delays
from ._theorems import frame

if TYPE_CHECKING:
    import numpy.typing as npt

    from ._check import Array

__all__ = [
    "METHODS",
    "Order",
    "Prediction",
    "fresh_read_bound",
    "largest_delay",
    "orders",
    "predict",
    "time_of_updates",
]

SERIAL = "Theorem U without delays: theory.baselines.synchronous_bound"
PLUS = 'Theorem P: theory.con.bound, form "plus"'
FRESH = "Theorem U, fresh reads: theory.planner.fresh_read_bound"
SCHEDULE = "Theorem 1 with the schedule's delays: theory.baselines.schedule_aware_bound"
FRESH_SCHEDULE = f"{FRESH} of the schedule"
ADAPTIVE = "steps that adapt to their delay: theory.baselines.delay_adaptive_bound"

KOLOSKOVA = (
    "Koloskova, Stich, Jaggi: Sharper Convergence Guarantees for Asynchronous SGD for Distributed "
    "and Federated Learning, NeurIPS 2022, arXiv:2206.08307"
)
MISHCHENKO = (
    "Mishchenko, Bach, Even, Woodworth: Asynchronous SGD Beats Minibatch SGD Under Arbitrary "
    "Delays, NeurIPS 2022, arXiv:2206.07638"
)
TYURIN = (
    "Tyurin, Richtárik: Optimal Time Complexities of Parallel Stochastic Optimization Methods "
    "Under a Fixed Computation Model, NeurIPS 2023, arXiv:2305.12387"
)
MARANJYAN = (
    "Maranjyan, Tyurin, Richtárik: Ringmaster ASGD: The First Asynchronous SGD with Optimal Time "
    "Complexity, ICML 2025, arXiv:2501.16168"
)


@dataclass(frozen=True)
class Prediction:
    """An upper bound of the time to the target, proven, and the parameters that give it.

    Source: documentation, "The planner: time to a target".

    Parameters
    ----------
    method : str
        One of `METHODS`.
    seconds : float
        By then the bound is at most eps; inf if one waits for a worker that never delivers.
    updates : int
        K. For "sync" the number of rounds.
    gamma : float
        Steplength, the factor of the sum over all samples of an update; for "delay-adaptive" the
        largest, of steps min{gamma, 1/(2 L M tau_k)}.
    batch_size : int
        M, samples of one worker per update.
    workers : int
        Workers that take part: the fastest.
    T : int
        No delay exceeds it; for "threshold" because later gradients are thrown away
        (``max_delay=T``).
    reference : str
        The theorem, and the function that evaluates it.
    note : str
        What to know besides.
    """

    method: str
    seconds: float
    updates: int
    gamma: float
    batch_size: int
    workers: int
    T: int
    reference: str
    note: str = ""


@dataclass(frozen=True)
class Order:
    """A published time complexity: seconds up to a constant that the source does not settle.

    Source: documentation, "The planner: time to a target", section "Published complexities".

    Parameters
    ----------
    method : str
        One of `METHODS`, or "lower bound": no method is of a smaller order.
    seconds : float
        The expression, evaluated. Compare it with other orders, not with a `Prediction`.
    workers : int
        Workers that take part: the fastest.
    formula : str
        The expression.
    reference : str
        Where it was published.
    """

    method: str
    seconds: float
    workers: int
    formula: str
    reference: str


class _Run(NamedTuple):
    seconds: float
    updates: int
    y: float  # gamma times the samples of an update
    T: int
    reference: str
    note: str = ""


def predict(
    method: str,
    c: ProblemConstants,
    *,
    eps: float,
    seconds: npt.ArrayLike,
    server: float = 0.0,
    fastest: bool = False,
) -> Prediction:
    """Return the time in which a method is certain to reach the target.

    Steplength and batch size are chosen for the smallest time, as is for "threshold" the bound of
    the delays. Without `server` a batch size of 1 is best.

    Proof: documentation, "The planner: time to a target".

    Parameters
    ----------
    method : str
        "sync", synchronous minibatches; "asysg-con" (Theorems P and U); "schedule-aware", the same
        algorithm by a theorem that knows the delays of the schedule; "threshold", which throws
        late gradients away; "delay-adaptive", which shortens their steps.
    c : ProblemConstants
        Constants of the problem.
    eps : float
        Target for the ergodic mean of E||grad f(x_k)||^2 over the updates (weighted by the steps
        for "delay-adaptive"), above 0.
    seconds : array_like of shape (p,)
        Seconds per gradient of each worker, above 0; inf for one that never delivers.
    server : float, optional
        Seconds the server is busy with one message, at least 0.
    fastest : bool, optional
        Use only the m fastest workers, with the m that takes the least time. Otherwise all.

    Returns
    -------
    Prediction

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges, and for a target that needs more updates than a float
        can count.

    Notes
    -----
    m is searched up to 8 and then in steps of an eighth, batch sizes and thresholds in powers of
    2 (thresholds also at the delays of the workers): what is found is certain, and nearly the
    least that these theorems give.

    Examples
    --------
    >>> from asysg import theory
    >>> c = theory.ProblemConstants(gap=1.0, sigma=1.0, L=1.0)
    >>> slow = [1.0, 1.0, 1.0, 100.0]
    >>> theory.planner.predict("sync", c, eps=0.1, seconds=slow).seconds
    7000.0
    >>> found = theory.planner.predict("threshold", c, eps=0.1, seconds=slow)
    >>> found.seconds, found.T, found.workers
    (91.0, 2, 4)
    """
    frame("con", c, 1, 0)
    run = _RUNS[choice("method", method, METHODS)]
    eps, server = number("eps", eps, strict=True), number("server", server)
    times = positive_seconds(seconds)
    p, alive = times.size, int(np.isfinite(times).sum())
    best: tuple[_Run, int, int] | None = None
    for m in [p] if method == "sync" and not fastest else _grid(alive):
        own = times[:m]
        for M in _batches(own, server):
            found = run(c, eps, M, Crew.of(own[np.isfinite(own)], M, server))
            if alive < m:
                found = found._replace(seconds=math.inf)
            # Who has not delivered by the end might as well not have been there.
            counts = fastest or m == p or found.seconds < M * times[m]
            if counts and (best is None or found.seconds < best[0].seconds):
                best = found, m, M
    assert best is not None  # all that ever deliver always count
    found, m, M = best
    samples = M * m if method == "sync" else M
    taking_part, note = (m, found.note) if fastest else (p, found.note)
    if m < taking_part:
        note = "; ".join(filter(None, [note, f"only the {m} fastest deliver before the end"]))
    return Prediction(
        method, found.seconds, found.updates, found.y / samples, M, taking_part, found.T,
        found.reference, note,
    )  # fmt: skip


def _grid(top: int) -> list[int]:
    """Return 1, 2, ..., 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, ..., top."""
    sizes = [1]
    while sizes[-1] < top:
        sizes.append(min(top, sizes[-1] + max(1, sizes[-1] // 8)))
    return sizes


def _batches(times: Array, server: float) -> list[int]:
    """Return the batch sizes worth trying: a larger one only spares the server."""
    sizes = [1]
    while sizes[-1] * times[0] < 16 * times.size * server:
        sizes.append(2 * sizes[-1])
    return sizes


def _sync(c: ProblemConstants, eps: float, M: int, crew: Crew) -> _Run:
    y, K, _ = without_delays(c, eps, M * crew.size)
    return _Run(K * float(crew.cycle[-1]), K, y, 0, SERIAL)


def _asysg_con(c: ProblemConstants, eps: float, M: int, crew: Crew) -> _Run:
    T = int(crew.delays().max())
    y, K, fresh = with_delays(c, eps, M, T, fresh=True)
    return _Run(crew.time_of(K), K, y, T, _reference(T, fresh))


def _reference(T: int, fresh: bool) -> str:
    return SERIAL if T == 0 else FRESH if fresh else PLUS


def _schedule_aware(
    c: ProblemConstants, eps: float, M: int, crew: Crew, top: float = math.inf
) -> _Run:
    profile = crew.profile()
    T = profile.tau_max
    y, K, fresh = with_delays(c, eps, M, T, profile=profile, fresh=True, top=top)
    reference = SERIAL if T == 0 else FRESH_SCHEDULE if fresh else SCHEDULE
    note = f"mean delay {profile.tau_avg:g}, C = {profile.C:.6g} at most"
    return _Run(crew.time_of(K), K, y, T, reference, note)


def _threshold(c: ProblemConstants, eps: float, M: int, crew: Crew) -> _Run:
    best = _asysg_con(c, eps, M, crew)  # a threshold that nobody reaches
    delays, pace = crew.delays(), float(np.sum(crew.count / crew.cycle))
    powers = {2**q - 1 for q in range(best.T.bit_length())}
    for T in sorted(powers | {int(delays[m - 1]) for m in _grid(delays.size)}, reverse=True):
        if T >= best.T:
            continue
        # Whoever is late now and then leaves an iterate unread.
        y, K, _ = with_delays(c, eps, M, T, fresh=False)
        if K / pace < best.seconds:
            time = crew.time_kept(K, T, delays)
            if time < best.seconds:
                best = _Run(time, K, y, T, _reference(T, False))
    for g in _grid(delays.size):
        T, alone = crew.quickest(g)
        # Whoever is always late reads nothing that another does not read too.
        if alone and T < delays.max():
            y, K, fresh = with_delays(c, eps, M, T, fresh=True)
            time = crew.time_of_quickest(K, g)
            if time < best.seconds:
                best = _Run(time, K, y, T, _reference(T, fresh))
    return best._replace(note=f"gradients later than {best.T} are thrown away")


def _delay_adaptive(c: ProblemConstants, eps: float, M: int, crew: Crew) -> _Run:
    p, delays = crew.size, crew.delays()
    if p == 1:
        return _asysg_con(c, eps, M, crew)
    # The largest steps that nobody's delay shortens, and 1/(L p), the theorem's largest.
    cap, limit = 1 / (2 * c.L * delays), 1 / (c.L * p)
    # Where none is shortened the theorems of constant steps hold.
    even = _schedule_aware(c, eps, M, crew, top=float(cap.min()))
    noise = c.L * c.sigma * (c.sigma / M)

    def left(y: float) -> float:  # what the noise leaves of eps
        return eps - noise * y * (1 + 2 * c.L * p * y)

    # noise y (1 + 2 L p y) = eps
    scale = 8 * c.L * p * eps
    top = min(limit, 2 * eps / (noise + math.sqrt(noise * (noise + scale))) if noise else limit)
    pace = crew.count / (crew.cycle / crew.cycle[0])

    def slowness(u: float) -> float:
        return -float(np.sum(pace * np.minimum(u, cap / top))) * left(u * top) / eps

    # A product of positive concave functions: no local maxima. Any y is safe.
    y = top * float(scipy.optimize.minimize_scalar(slowness, bounds=(0, 1), method="bounded").x)
    if slowness(1.0) < slowness(y / top):
        y = top
    short = np.minimum(y, cap)
    need = 2 * c.gap / left(y) if left(y) > 0 else math.inf

    def total(K: int) -> float:  # of the steps of K updates, at least
        turns = np.floor(crew.time_of(K) / (crew.busy + crew.server) * (1 + CLOCK_ERROR))
        return max(K * float(short.min()), K * y - float(np.sum(crew.count * turns * (y - short))))

    low, high = least_updates(eps, need, y), least_updates(eps, need, float(short.min()))
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if total(middle) >= need else (middle + 1, high)
    found = _Run(crew.time_of(high), high, y, even.T, ADAPTIVE, "a mean weighted by the steps")
    return min(found, even._replace(note="no step is shortened"), key=lambda run: run.seconds)


_RUNS: dict[str, Callable[[ProblemConstants, float, int, Crew], _Run]] = {
    "sync": _sync,
    "asysg-con": _asysg_con,
    "schedule-aware": _schedule_aware,
    "threshold": _threshold,
    "delay-adaptive": _delay_adaptive,
}
#: What `predict` knows. Source: documentation, "The planner: time to a target".
METHODS = tuple(_RUNS)


def orders(c: ProblemConstants, *, eps: float, seconds: npt.ArrayLike) -> tuple[Order, ...]:
    """Return the published time complexities, without their constants.

    With t_1 <= ... <= t_p the seconds per gradient, H(m) = 1/((1/m) sum_{i<=m} 1/t_i), and
    a = L gap/eps, b = L gap sigma^2/eps^2:

    - "sync": t_p (a + b/p);
    - "asysg-con": H(p) ((1 + sqrt(T (p-1))) a + b)/p, T the largest delay;
    - "delay-adaptive": H(p) (a + b/p);
    - "threshold" and "lower bound": min over m of H(m) (a + b/m).

    Source: documentation, "The planner: time to a target", section "Published complexities".

    Parameters
    ----------
    c : ProblemConstants
        Constants of the problem.
    eps : float
        Target for E||grad f||^2, above 0.
    seconds : array_like of shape (p,)
        Seconds per gradient of each worker, above 0; inf for one that never delivers. The server
        takes no time.

    Returns
    -------
    tuple of Order
        In the order of the list.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges.

    Examples
    --------
    >>> from asysg import theory
    >>> c = theory.ProblemConstants(gap=1.0, sigma=1.0, L=1.0)
    >>> found = theory.planner.orders(c, eps=0.1, seconds=[1.0, 1.0, 1.0, 100.0])
    >>> [(order.method, round(order.seconds)) for order in found]
    [('sync', 3500), ('asysg-con', 137), ('delay-adaptive', 47), ('threshold', 43), \
('lower bound', 43)]
    """
    frame("con", c, 1, 0)
    eps, times = number("eps", eps, strict=True), positive_seconds(seconds)
    p = times.size
    start = c.L * c.gap / eps
    noise = start * (c.sigma / eps * c.sigma)
    m = np.arange(1, p + 1)
    mean = m / np.cumsum(1 / times)
    each = mean * (start + noise / m)
    best = int(np.argmin(each))
    T = largest_delay(times) if math.isfinite(times[-1]) else math.inf
    stale = 1 + (math.sqrt(T) * math.sqrt(p - 1) if p > 1 else 0.0)
    last = 0.0 if start == 0 else float(times[-1] * (start + noise / p))
    late = 0.0 if start == 0 else float(mean[-1] * (stale * start + noise) / p)
    least = float(each[best])
    return (
        Order("sync", last, p, "t_p (a + b/p)", TYURIN),
        Order("asysg-con", late, p, "H(p) ((1 + sqrt(T (p-1))) a + b)/p", KOLOSKOVA),
        Order("delay-adaptive", float(each[-1]), p, "H(p) (a + b/p)", f"{KOLOSKOVA}; {MISHCHENKO}"),
        Order("threshold", least, best + 1, "min over m of H(m) (a + b/m)", MARANJYAN),
        Order("lower bound", least, best + 1, "min over m of H(m) (a + b/m)", TYURIN),
    )
