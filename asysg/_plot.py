"""Several results in one figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from . import _figures
from ._check import choice
from .errors import InvalidArgument
from .result import Result
from .simulate.speedups import curves_to_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot(
    results: Sequence[Result] | Mapping[str | int, Result], *, against: str = "updates"
) -> Figure:
    """Draw results beside each other: loss, gradient norm with bounds, staleness, speedup.

    Parameters
    ----------
    results : sequence of Result, or mapping of labels to Result
        At least one. Labels that are integers are numbers of workers. The results of a sequence
        are labelled by method and threads.
    against : {"updates", "time"}
        What the recorded iterates are drawn against; time is in seconds of computing.

    Returns
    -------
    matplotlib.figure.Figure
        With four panels. The speedups are `asysg.simulate.speedups.curves_to_rows`, the authors'
        definition: of runs of one problem by 1 and by other numbers of workers. A panel for which
        something is missing says what.

    Raises
    ------
    InvalidArgument
        If there is no result, or something else than results.

    Examples
    --------
    >>> import asysg, numpy as np
    >>> obj = asysg.objectives.CosineQuadratic(n=20, sigma=0.1)
    >>> runs = {p: asysg.simulate.minimize(obj, np.ones(20), n_workers=p, steplength=0.02,
    ...                                    n_updates=2000, rng=0) for p in (1, 4)}
    >>> asysg.plot(runs, against="time").savefig("runs.png")  # doctest: +SKIP
    """
    from matplotlib.figure import Figure

    choice("against", against, _figures.AGAINST)
    named = labelled(results)
    figure = Figure(figsize=(11, 7.6), layout="constrained")
    (loss, norm), (delay, speedup) = figure.subplots(2, 2)
    _figures.panels((loss, norm, delay), named, against)
    speedups(speedup, workers(results))
    return figure


def labelled(results: Sequence[Result] | Mapping[str | int, Result]) -> dict[str, Result]:
    """Return the results by label."""
    if not isinstance(results, Mapping | Sequence) or not len(results):
        raise InvalidArgument.of("results", "must hold one Result or more", results)
    values = list(results.values() if isinstance(results, Mapping) else results)
    for result in values:
        if not isinstance(result, Result):
            raise InvalidArgument.of("results", "must hold results only", type(result).__name__)
    if isinstance(results, Mapping):
        names = [_name(key) for key in results]
    else:
        names = [
            f"{number}. {result.method}"
            + (", simulated" if result.simulated else f", {result.n_threads_used} thr.")
            for number, result in enumerate(values, 1)
        ]
    return dict(zip(names, values, strict=True))


def _name(key: str | int) -> str:
    return f"{key} worker{'s' * (key != 1)}" if isinstance(key, int) else str(key)


def workers(
    results: Sequence[Result] | Mapping[str | int, Result],
) -> dict[int, Result] | str:
    """Return the results by number of workers, or why that cannot be."""
    if isinstance(results, Mapping) and all(isinstance(key, int) for key in results):
        counts = [int(key) for key in results]
        values = list(results.values())
    else:
        values = list(results.values() if isinstance(results, Mapping) else results)
        counts = [result.n_threads_used for result in values]
        if any(result.simulated for result in values):
            return "how many virtual workers?\nGive {number of workers: result}"
    found = dict(zip(counts, values, strict=True))
    if len(found) < len(values):
        return "several results of the same number of workers"
    if 1 not in found or len(found) < 2:
        return "it takes a result of one worker and others"
    if len({(r.method, r.batch_size, len(r.x), float(r.trace.f[0])) for r in values}) > 1:
        return "methods, batch sizes, problems or starts differ"
    return found


def speedups(axes: Axes, counts: dict[int, Result] | str) -> None:
    """Draw both speedups, or say why there are none."""
    if isinstance(counts, str):
        axes.set(title="speedup")
        _figures.empty(axes, f"no speedup: {counts}")
        return
    rows = curves_to_rows({p: result.trace for p, result in counts.items()})
    curves = {
        "iterations": [row.iteration_speedup for row in rows],
        "running time": [row.time_speedup for row in rows],
    }
    _figures.speedup(axes, [row.n_workers for row in rows], curves)
