"""Speedup as the authors of the paper measured it: from loss curves to a target they share.

Pool the recorded losses of all worker counts; the target is their median. ``iters_p`` is the total
number of updates, all p workers together, until the loss first reaches it, ``time_p`` the seconds;

    iteration speedup = p iters_1 / iters_p,     running-time speedup = time_1 / time_p.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from .. import _figures
from .._check import integer
from .._draws import RNG, generator_from
from .._run import interruptible
from ..errors import InvalidArgument
from ..objectives import Objective
from ..result import Trace
from ..steplengths import Steplength
from ._front import minimize
from .speeds import Speeds, known

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Interval", "Row", "Study", "curves_to_rows", "study"]

Vector = NDArray[np.float64]

#: The two speedups of a `Row`, and what people call them.
WHAT = {"iteration_speedup": "iterations", "time_speedup": "running time"}


@dataclass(frozen=True)
class Row:
    """What one worker count reached.

    Attributes
    ----------
    n_workers : int
    target : float
        The loss to reach.
    updates, seconds : float
        Until it was reached, interpolated between the records around; nan if it never was.
    iteration_speedup, time_speedup : float
    """

    n_workers: int
    target: float
    updates: float
    seconds: float
    iteration_speedup: float
    time_speedup: float


def curves_to_rows(curves: Mapping[int, Trace]) -> list[Row]:
    """Return the speedups of loss curves, by the authors' definition.

    Parameters
    ----------
    curves : mapping of int to Trace
        The trace of one run by its number of workers; 1 must be among them.

    Returns
    -------
    list of Row
        In the order of the worker counts. A curve that never reaches the target has nan: it is
        not left out.

    Raises
    ------
    InvalidArgument
        If there is no run of one worker.

    Examples
    --------
    >>> import numpy as np
    >>> from asysg.result import Trace
    >>> from asysg.simulate.speedups import curves_to_rows
    >>> k, f = np.array([1, 11, 21]), np.array([4.0, 2.0, 1.0])
    >>> one = Trace(k, (k - 1) * 1.0, f, f, f)
    >>> two = Trace(k, (k - 1) * 0.5, f, f, f)
    >>> [(row.iteration_speedup, row.time_speedup) for row in curves_to_rows({1: one, 2: two})]
    [(1.0, 1.0), (2.0, 2.0)]
    """
    if 1 not in curves:
        raise InvalidArgument(f"curves must have one of 1 worker, got {sorted(curves)}.")
    losses = np.concatenate([trace.f for trace in curves.values()])
    # A loss beyond the largest float is a loss all the same: it counts as the largest.
    target = float(np.median(np.nan_to_num(losses, nan=np.inf)))
    reached = {p: reach(curves[p], target) for p in sorted(curves)}
    updates_1, seconds_1 = reached[1]
    return [
        Row(p, target, updates, seconds, p * _ratio(updates_1, updates), _ratio(seconds_1, seconds))
        for p, (updates, seconds) in reached.items()
    ]


def _ratio(one: float, other: float) -> float:
    return one / other if other > 0 else float("nan")


def reach(trace: Trace, target: float) -> tuple[float, float]:
    """Return updates and seconds until the loss is first at most `target`."""
    below = np.flatnonzero(trace.f <= target)
    if not below.size:
        return float("nan"), float("nan")
    j = int(below[0])
    if j == 0:
        return float(trace.k[0] - 1), float(trace.time[0])
    high, low = float(trace.f[j - 1]), float(trace.f[j])
    part = (high - target) / (high - low) if np.isfinite(high) else 1.0
    updates = trace.k[j - 1] - 1 + part * (trace.k[j] - trace.k[j - 1])
    seconds = trace.time[j - 1] + part * (trace.time[j] - trace.time[j - 1])
    return float(updates), float(seconds)


@dataclass(frozen=True)
class Interval:
    """A mean over replicates and where it lies with 95 % confidence (Student's t).

    Attributes
    ----------
    mean, low, high : float
        Of the replicates that reached the target; nan bounds for fewer than two.
    reached, of : int
        So many of so many replicates.
    """

    mean: float
    low: float
    high: float
    reached: int
    of: int

    @classmethod
    def around(cls, values: Sequence[float]) -> Interval:
        """Return the interval of these replicates."""
        found = np.array([v for v in values if np.isfinite(v)])
        mean = float(found.mean()) if found.size else float("nan")
        half = float("nan")
        if found.size > 1:
            quantile = float(scipy.stats.t.ppf(0.975, found.size - 1))
            half = quantile * float(found.std(ddof=1)) / float(np.sqrt(found.size))
        return cls(mean, mean - half, mean + half, int(found.size), len(values))


@dataclass(frozen=True)
class Study:
    """Speedups of several worker counts, over replicates.

    Attributes
    ----------
    workers : tuple of int
    records : list of dict
        One a run: the row, its replicate, seed, delays and what was simulated; JSON's types.
    """

    workers: tuple[int, ...]
    records: list[dict[str, Any]]

    def interval(self, p: int, what: str = "iteration_speedup") -> Interval:
        """Return the interval of "iteration_speedup", "time_speedup", or another number."""
        return Interval.around([r[what] for r in self.records if r["n_workers"] == p])

    def plot(self) -> Figure:
        """Draw both speedups by number of workers, with 95 % confidence where there are replicates.

        Returns
        -------
        matplotlib.figure.Figure
            With one panel, which says where workers are simulated and who never reached the
            target.

        Examples
        --------
        >>> import asysg, numpy as np
        >>> from asysg.simulate import speeds, speedups
        >>> obj = asysg.objectives.CosineQuadratic(n=20, sigma=0.1)
        >>> found = speedups.study(
        ...     obj, np.ones(20), workers=[1, 4], speeds=speeds.lognormal(0.2), rng=0,
        ...     steplength=0.02, n_updates=2000, n_replicates=2)
        >>> found.plot().axes[0].get_title()
        'speedup to a loss they share, SIMULATED workers'
        """
        from matplotlib.figure import Figure

        figure = Figure(figsize=(5.5, 4), layout="constrained")
        axes = figure.subplots()
        curves, halves = {}, {}
        for what, name in WHAT.items():
            found = [self.interval(p, what) for p in self.workers]
            curves[name] = [i.mean for i in found]
            halves[name] = [i.high - i.mean for i in found]
        _figures.speedup(axes, self.workers, curves, halves)
        if all("virtual_seconds" in record for record in self.records):
            axes.set_title(f"{axes.get_title()}, SIMULATED workers")
        return figure


@interruptible()
def study(
    obj: Objective,
    x0: ArrayLike,
    *,
    workers: Sequence[int],
    speeds: Speeds | Callable[[int], Speeds],
    steplength: Steplength,
    n_updates: int,
    method: str = "asysg-incon",
    batch_size: int = 1,
    n_records: int = 100,
    n_replicates: int = 5,
    progress: bool = False,
    rng: RNG = None,
) -> Study:
    """Run every worker count on the virtual clock, several times, and measure the speedups.

    Parameters
    ----------
    obj, x0, method, steplength, batch_size, n_updates, n_records
        As in `asysg.simulate.minimize`; every worker count does `n_updates` updates.
    workers : sequence of int
        Worker counts, >= 1; 1 is added if it is not there.
    speeds : Speeds, or callable p -> Speeds
        Of p workers.
    n_replicates : int
        At least 1, each with a target of its own and a seed of its own: all worker counts of a
        replicate draw the same samples, so that chance does not come between them.
    progress : bool
        Show a progress bar of the runs.
    rng : int, Generator, SeedSequence or None
        Of the runs.

    Returns
    -------
    Study

    Raises
    ------
    InvalidArgument
        For every argument that cannot be.

    Examples
    --------
    >>> import asysg, numpy as np
    >>> from asysg.simulate import speeds, speedups
    >>> obj = asysg.objectives.CosineQuadratic(n=20, sigma=0.1)
    >>> found = speedups.study(
    ...     obj, np.ones(20), workers=[1, 4, 16], speeds=speeds.lognormal(0.2), rng=0,
    ...     steplength=0.02, n_updates=5000, n_replicates=2)
    >>> 3.5 < found.interval(4, "time_speedup").mean < 4.5
    True
    """
    counts = tuple(sorted({1, *(integer("workers", p, least=1) for p in workers)}))
    replicates = integer("n_replicates", n_replicates, least=1)
    made = {p: known("speeds", speeds(p) if callable(speeds) else speeds) for p in counts}
    seeds = generator_from(rng).integers(2**63, size=replicates).tolist()
    records = []
    bar = tqdm(total=replicates * len(counts), unit="run") if progress else None
    try:
        for replicate, seed in enumerate(seeds):
            results = {}
            for p in counts:
                results[p] = minimize(
                    obj,
                    x0,
                    method=method,
                    steplength=steplength,
                    n_workers=p,
                    speeds=made[p],
                    batch_size=batch_size,
                    n_updates=n_updates,
                    n_records=n_records,
                    rng=seed,
                )
                if results[p].status == "interrupted":
                    raise KeyboardInterrupt
                if bar is not None:
                    bar.update()
            rows = curves_to_rows({p: res.trace for p, res in results.items()})
            for row in rows:
                res = results[row.n_workers]
                records.append(
                    {
                        **asdict(row),
                        "replicate": replicate,
                        "seed": seed,
                        "status": res.status,
                        "staleness_max": res.staleness.max,
                        "staleness_mean": res.staleness.mean,
                        "virtual_seconds": res.time,
                        "scheduler": res.scheduler,
                    }
                )
    finally:
        if bar is not None:
            bar.close()
    return Study(counts, records)
