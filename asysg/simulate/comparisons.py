"""Every method on the same problem, with the same number of gradients and on the same clock."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from tqdm import tqdm

from .. import steplengths
from .._check import choice, integer, number
from .._draws import RNG, generator_from
from .._run import interruptible
from ..errors import InvalidArgument
from ..objectives import Objective
from ..result import Result, Trace
from ._front import minimize
from .speeds import Law, Speeds, deterministic, known
from .speedups import reach

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Entry", "Row", "compare", "draw", "entries"]

#: The target is this share of the way from the best loss that any of them has seen to the start's.
TARGET = 0.1


@dataclass(frozen=True)
class Entry:
    """How a method takes part.

    Attributes
    ----------
    name : str
        A method, or a method with a way to choose steps or to bound delays.
    method : str
    batch_size, n_updates : int
    options : mapping
        What else `asysg.minimize` is to be told.
    share : float
        What a worker computes in one cycle, in minibatches of M whole gradients.
    """

    name: str
    method: str
    batch_size: int
    n_updates: int
    options: Mapping[str, Any] = field(default_factory=dict)
    share: float = 1.0


@dataclass(frozen=True)
class Row:
    """What became of an entry, over replicates.

    Attributes
    ----------
    name, method : str
    steplength : float or None
        Of the first replicate; the largest where it adapts to the delay.
    batch_size, n_updates : int
    updates, seconds : float
        Median until the target; inf where more than half of the replicates never reached it.
    fun, ergodic : float
        Median of the last loss, mean of the ergodic gradient norm.
    delay_mean, delay_max : float
        Of all replicates.
    recomputed : float
        Mean number of gradients that came too late.
    bound : float or None
        On the ergodic norm, from the certificate of the first replicate; None where no theorem
        covers the run.
    says : str
        What the bound is from, or which hypothesis fails.
    trace : Trace
        Of the first replicate.
    """

    name: str
    method: str
    steplength: float | None
    batch_size: int
    n_updates: int
    updates: float
    seconds: float
    fun: float
    ergodic: float
    delay_mean: float
    delay_max: float
    recomputed: float
    bound: float | None
    says: str
    trace: Trace = field(repr=False)


def entries(
    obj: Objective,
    *,
    n_workers: int,
    n_updates: int,
    steplength: float | str = "optimal",
    batch_size: int = 1,
    max_delay: int | None = None,
    partial: float | None = None,
) -> list[Entry]:
    """Return every method with the batch size and updates that make them comparable.

    Each computes n_updates * batch_size gradients, or what costs as much: "sync" in updates of p
    minibatches, "downpour" in pushes of two steps. A partial derivative of a sample takes a worker
    `partial` of the time of a gradient, an exact one of N samples N times that.

    Parameters
    ----------
    obj : Objective
        With proven constants, of which a number as `steplength` needs L alone.
    n_workers, n_updates, batch_size : int
        Workers p, updates K of AsySG-con, samples M of a minibatch; at least 1.
    steplength : float, "optimal" or "prescribed"
        The same number for all, or what the theory gives each. Where no theorem speaks of a
        method ("downpour" with two steps a push), it is given that of "asysg-con".
    max_delay : int, optional
        Of the entry that discards late gradients; by default p - 1.
    partial : float, optional
        Default 1/n: right where entries of a gradient are computed one by one.

    Returns
    -------
    list of Entry

    Raises
    ------
    InvalidArgument
        For arguments that cannot be.

    Examples
    --------
    >>> import asysg
    >>> from asysg.simulate import comparisons
    >>> obj = asysg.objectives.CosineQuadratic(n=10, sigma=0.1)
    >>> found = comparisons.entries(obj, n_workers=4, n_updates=1000, steplength=0.05)
    >>> [(entry.name, entry.n_updates) for entry in found[:3]]
    [('sgd', 1000), ('sync', 250), ('asysg-con', 1000)]
    """
    p, K = integer("n_workers", n_workers, least=1), integer("n_updates", n_updates, least=1)
    M = integer("batch_size", batch_size, least=1)
    partial = 1 / obj.n if partial is None else number("partial", partial, above=0)
    T = p - 1 if max_delay is None else integer("max_delay", max_delay, least=0)
    many = K * M / partial  # partial derivatives that cost as much
    N = obj.n_samples or 1
    same: dict[str, Any] = {"steplength": steplength}
    adaptive: Any = "delay-adaptive"
    exact = steplength
    if isinstance(steplength, str):
        choice("steplength", steplength, ("optimal", "prescribed"), remedy="Or give a number.")
    else:
        gamma = number("steplength", steplength, above=0)
        adaptive = steplengths.delay_adaptive(gamma, obj.L)
        exact = gamma * M  # one exact derivative in the place of M samples'
    return [
        Entry("sgd", "sgd", M, K, same),
        Entry("sync", "sync", M * p, -(-K // p), same),
        Entry("asysg-con", "asysg-con", M, K, same),
        Entry(f"asysg-con, max_delay={T}", "asysg-con", M, K, {**same, "max_delay": T}),
        Entry("asysg-con, delay-adaptive", "asysg-con", M, K, {"steplength": adaptive}),
        Entry("delayed", "delayed", M, K, same),
        Entry(
            "downpour, n_push=2", "downpour", 2 * M, -(-K // 2),
            {**same, "n_push": 2, "n_fetch": 2}, share=2.0,
        ),
        Entry("asysg-incon", "asysg-incon", M, math.ceil(many / M), same, share=partial),
        Entry(
            "asyscd", "asyscd", 1, math.ceil(many / N), {"steplength": exact}, share=N * partial / M
        ),
    ]  # fmt: skip


@interruptible()
def compare(
    obj: Objective,
    x0: ArrayLike,
    *,
    n_workers: int,
    n_updates: int,
    steplength: float | str = "optimal",
    batch_size: int = 1,
    max_delay: int | None = None,
    partial: float | None = None,
    speeds: Speeds | None = None,
    real: bool = False,
    n_records: int = 100,
    n_replicates: int = 3,
    progress: bool = False,
    rng: RNG = None,
) -> list[Row]:
    """Run every method on the same problem and tell how they did.

    Parameters
    ----------
    obj, x0, n_workers, n_updates, steplength, batch_size, max_delay, partial
        See `entries`, and `asysg.minimize`.
    speeds : Speeds, optional
        Of the virtual workers, for a minibatch of `batch_size` gradients; see
        `asysg.simulate.speeds`. By default all take one virtual second.
    real : bool
        Run `n_workers` real threads instead, and take real seconds. "hogwild" takes part then;
        on virtual workers, whose reads are made at one moment, it would be "asysg-con".
    n_records : int
        Of each run.
    n_replicates : int
        At least 1; each has a seed of its own, the same for all methods.
    progress : bool
        Show a progress bar of the runs.
    rng : int, Generator, SeedSequence or None
        Of the runs.

    Returns
    -------
    list of Row
        The target they share is a loss: `TARGET` of the way from the best that any run recorded
        to that of the start. A run that diverges has not reached it, and has the loss inf.

    Raises
    ------
    InvalidArgument
        For arguments that cannot be.

    Examples
    --------
    >>> import asysg, numpy as np
    >>> from asysg.simulate import comparisons, speeds
    >>> obj = asysg.objectives.CosineQuadratic(n=10, sigma=0.1)
    >>> rows = comparisons.compare(
    ...     obj, np.ones(10), n_workers=4, n_updates=2000, steplength=0.05, n_replicates=1,
    ...     speeds=speeds.two_classes(10.0), rng=0)
    >>> by_name = {row.name: row for row in rows}
    >>> by_name["asysg-con"].seconds < by_name["sgd"].seconds
    True
    >>> by_name["sync"].says, by_name["delayed"].delay_max
    ("form 'plus'", 3.0)
    """
    replicates = integer("n_replicates", n_replicates, least=1)
    if real and speeds is not None:
        raise InvalidArgument("speeds must be left out with real=True, got both. They are real.")
    if speeds is not None:
        known("speeds", speeds)
    contestants = entries(
        obj, n_workers=n_workers, n_updates=n_updates, steplength=steplength,
        batch_size=batch_size, max_delay=max_delay, partial=partial,
    )  # fmt: skip
    if real:
        found = next(entry for entry in contestants if entry.method == "asysg-con")
        contestants.append(replace(found, name="hogwild", method="hogwild"))
    seeds = generator_from(rng).integers(2**63, size=replicates).tolist()
    runs: dict[str, list[Result]] = {entry.name: [] for entry in contestants}
    with tqdm(total=replicates * len(contestants), unit="run", disable=not progress) as bar:
        for seed in seeds:
            for entry in contestants:
                result = _run(entry, obj, x0, n_workers, speeds, real, n_records, seed)
                if result.status == "interrupted":
                    raise KeyboardInterrupt
                runs[entry.name].append(result)
                bar.update()
    every = [run for found in runs.values() for run in found]
    start = float(every[0].trace.f[0])
    best = min(float(np.nanmin(run.trace.f)) for run in every)
    target = best + TARGET * (start - best)
    return [_row(entry, runs[entry.name], target) for entry in contestants]


def _run(
    entry: Entry,
    obj: Objective,
    x0: ArrayLike,
    p: int,
    speeds: Speeds | None,
    real: bool,
    n_records: int,
    seed: int,
) -> Result:
    """Run an entry once."""
    p = 1 if entry.method == "sgd" else p
    common: dict[str, Any] = {
        "method": entry.method,
        "n_updates": entry.n_updates,
        "n_records": n_records,
        "rng": seed,
        **entry.options,
    }
    if entry.method != "asyscd":
        common["batch_size"] = entry.batch_size
    if real:
        from .._minimize import minimize as on_threads

        return on_threads(obj, x0, n_threads=p, **common)
    found = deterministic() if speeds is None else speeds
    return minimize(obj, x0, n_workers=p, speeds=_times(found, entry.share), **common)


def _times(speeds: Speeds, share: float) -> Speeds:
    """Return the speeds of workers that compute so many minibatches a cycle."""
    law = speeds.compute
    if share == 1:
        return speeds
    return replace(
        speeds,
        compute=Law(
            f"{share:g} x {law.name}",
            lambda key, start, stop: np.asarray(share * law.draw(key, start, stop)),
        ),
    )


def _row(entry: Entry, runs: Sequence[Result], target: float) -> Row:
    reached = np.nan_to_num([reach(run.trace, target) for run in runs], nan=np.inf)
    first = runs[0].certificate
    failed = [hypothesis.name for hypothesis in first.hypotheses if not hypothesis.holds]
    return Row(
        name=entry.name,
        method=entry.method,
        steplength=runs[0].steplength,
        batch_size=entry.batch_size,
        n_updates=entry.n_updates,
        updates=float(np.median(reached[:, 0])),
        seconds=float(np.median(reached[:, 1])),
        fun=float(np.median([run.fun if run.success else np.inf for run in runs])),
        ergodic=float(np.mean([run.trace.ergodic if run.success else np.inf for run in runs])),
        delay_mean=float(np.mean([run.staleness.mean or 0.0 for run in runs])),
        delay_max=float(max(run.staleness.max or 0 for run in runs)),
        recomputed=float(np.mean([run.n_recomputed for run in runs])),
        bound=None if failed else first.bound,
        says=f"no theorem: {', '.join(failed)}" if failed else f"form {first.form!r}",
        trace=runs[0].trace,
    )


def draw(rows: Sequence[Row], *, seconds: str = "virtual seconds") -> Figure:
    """Draw losses against time, and measured norms beside their bounds; return the figure.

    Parameters
    ----------
    rows : sequence of Row
        What `compare` returned.
    seconds : str
        What the time is.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import asysg, numpy as np
    >>> from asysg.simulate import comparisons
    >>> obj = asysg.objectives.CosineQuadratic(n=10, sigma=0.1)
    >>> rows = comparisons.compare(
    ...     obj, np.ones(10), n_workers=2, n_updates=500, steplength=0.05, n_replicates=1, rng=0)
    >>> len(comparisons.draw(rows).axes)
    2
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    loss, norm = figure.subplots(1, 2, width_ratios=(3, 2))
    for row in rows:
        loss.plot(row.trace.time, row.trace.f, lw=1, label=row.name)
    loss.set(xlabel=seconds, ylabel="loss")
    loss.set_xlim(0, 2 * max((row.seconds for row in rows if np.isfinite(row.seconds)), default=1))
    loss.legend(fontsize="small")
    at = np.arange(len(rows))
    norm.plot([row.ergodic for row in rows], at, "o", label="measured")
    norm.plot([np.nan if row.bound is None else row.bound for row in rows], at, "k|", label="bound")
    norm.set(xscale="log", xlabel="ergodic gradient norm")
    norm.set_yticks(at, [row.name for row in rows], fontsize="small")
    norm.invert_yaxis()
    norm.legend(fontsize="small")
    return figure
