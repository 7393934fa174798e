"""The rate: ergodic gradient norm against updates K, for several minibatches, beside the bound.

At the corollary's steplength for every K, with every delay equal to T, from the K on from which
the corollary holds. The theory says that the norm falls like K^(-1/2) at last; where K is not yet
large for T, terms of order 1/K make it, and the bound, fall faster. On the noisy cosine quadratic,
whose constants are proven; runs are simulated with given delays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ._chart import COLOURS, Chart, Panel, Series
from ._experiment import Asked, seeds
from ._record import Line, Record
from ._table import Table, interval

if TYPE_CHECKING:
    from ..simulate.speedups import Interval

METHODS = ("asysg-con", "asysg-incon")


def check(asked: Asked) -> None:
    """Nothing is needed."""


def settings(asked: Asked) -> Line:
    """Return what is run."""
    quick = asked.quick
    return {
        "quick": quick,
        "seed": asked.seed,
        "n": 10,
        "sigma": 4.0,
        "T": 2,
        "batch_sizes": [1, 4] if quick else [1, 4, 16],
        "doublings": 4 if quick else 6,
        "replicates": asked.replicates or (4 if quick else 5),
        # Many: few would mostly miss the short time in which the gradient is large.
        "n_records": 3000 if quick else 20_000,
    }


def problem(settings: Line) -> tuple[Any, Any]:
    """Return objective and start."""
    from ..objectives import CosineQuadratic

    return CosineQuadratic(n=settings["n"], sigma=settings["sigma"]), np.ones(settings["n"])


def tasks(settings: Line) -> list[Line]:
    """Return every run: K doubles from the smallest one of the corollary."""
    from .. import theory

    obj, x0 = problem(settings)
    T = settings["T"]
    c = obj.constants(x0, T=T)
    found = []
    for method in METHODS:
        side = theory.incon if method == "asysg-incon" else theory.con
        for M in settings["batch_sizes"]:
            first = side.K_min(c, M=M, T=T, form="paper")
            found += [
                {"method": method, "M": M, "K": first * 2**j, "replicate": r}
                for j in range(settings["doublings"] + 1)
                for r in range(settings["replicates"])
            ]
    return found


def run(settings: Line, task: Line, done: Sequence[Line], asked: Asked) -> Line:
    """Run one of them."""
    from .. import theory
    from ..simulate import phases

    obj, x0 = problem(settings)
    T, K, M = settings["T"], task["K"], task["M"]
    seed = seeds(settings["seed"], settings["replicates"])[task["replicate"]]
    res = phases.measure(
        obj, x0, T=T, K=K, method=task["method"], batch_size=M, rng=seed,
        n_records=settings["n_records"],
    )  # fmt: skip
    side = theory.incon if task["method"] == "asysg-incon" else theory.con
    c = obj.constants(x0, T=T)
    gamma = side.gamma_prescribed(c, K=K, M=M, T=T, form="paper")
    return {
        "how": "simulated",
        "run_seed": seed,
        "status": res.status,
        "staleness_max": res.staleness.max,
        "staleness_mean": res.staleness.mean,
        "gamma": gamma,
        "ergodic": phases.measured(res),
        "bound": side.bound(gamma, c, K=K, M=M, T=T, form="paper"),
        "rate": side.rate(c, K=K, M=M),
    }


def fitted(K: Sequence[float], norms: Sequence[float]) -> float:
    """Return the slope of log norm over log K, by least squares."""
    x, y = np.log(K), np.log(norms)
    x -= x.mean()
    return float((x * y).sum() / (x * x).sum())


def slope(lines: Sequence[Line]) -> Interval:
    """Return the slope of the measured norms: one fit a replicate, and their interval."""
    from ..simulate.speedups import Interval

    fits = []
    for replicate in sorted({line["task"]["replicate"] for line in lines}):
        mine = [line for line in lines if line["task"]["replicate"] == replicate]
        K, norms = zip(*((line["task"]["K"], float(line["ergodic"])) for line in mine), strict=True)
        fits.append(fitted(K, norms))
    return Interval.around(fits)


def means(lines: Sequence[Line]) -> list[tuple[int, Interval, float, float]]:
    """Return for every K the mean norm with its interval, the bound and the proven rate."""
    from ..simulate.speedups import Interval

    found = []
    for K in sorted({line["task"]["K"] for line in lines}):
        mine = [line for line in lines if line["task"]["K"] == K]
        norms = Interval.around([float(line["ergodic"]) for line in mine])
        found.append((K, norms, float(mine[0]["bound"]), float(mine[0]["rate"])))
    return found


def charts(record: Record) -> dict[str, Chart]:
    """Draw both algorithms."""
    panels = []
    for method in METHODS:
        series = []
        for number, M in enumerate(record.settings["batch_sizes"]):
            lines = record.of(method=method, M=M)
            points = means(lines)
            K = [float(p[0]) for p in points]
            y = [p[1].mean for p in points]
            fit = slope(lines)
            middle = float(np.exp(np.mean(np.log(y))))
            centre = float(np.exp(np.mean(np.log(K))))
            colour = COLOURS[number]
            series += [
                Series(
                    f"M = {M}: slope {fit.mean:.3f}", K, y, [p[1].low for p in points],
                    [p[1].high for p in points], colour=colour, line=False,
                ),
                Series(
                    "", K, [middle * (k / centre) ** fit.mean for k in K], colour=colour,
                    dots=False,
                ),
                Series(
                    "bound" if number == 0 else "", K, [p[2] for p in points], colour=colour,
                    dots=False, dash=(2, 2),
                ),
            ]  # fmt: skip
        panels.append(
            Panel(
                method, "updates K", "ergodic gradient norm", tuple(series), log=(True, True),
                legend="upper right",
            )
        )  # fmt: skip
    return {"rate": Chart("The rate: norm against updates", (tuple(panels),), notes(record))}


def notes(record: Record) -> tuple[str, ...]:
    """Say what was run."""
    s = record.settings
    return (
        f"Noisy cosine quadratic, n = {s['n']}, sigma = {s['sigma']:g}; every delay is T = "
        f"{s['T']}; {s['replicates']} replicates; steplength of the paper's corollary; K from the "
        "smallest one of the corollary on.",
        "Norms are measured in SIMULATED runs (given delays, no clock). Intervals: 95 %, Student, "
        "over replicates. Dotted: the bound of the paper's theorem.",
    )


def tables(record: Record) -> dict[str, Table]:
    """Set fitted slopes beside -1/2 and norms beside the bound."""
    rows, numbers = [], []
    for method in METHODS:
        for M in record.settings["batch_sizes"]:
            lines = record.of(method=method, M=M)
            points, fit = means(lines), slope(lines)
            steep = fitted([p[0] for p in points], [p[2] for p in points])
            tightest = max(p[1].mean / p[2] for p in points)
            first, last = points[0][0], points[-1][0]
            rows.append(
                (
                    method, str(M), f"{first:,} to {last:,}",
                    interval(fit), f"{steep:.3f}",
                    interval(points[-1][1]), f"{points[-1][2]:.3g}", f"{tightest:.3f}",
                )
            )  # fmt: skip
            numbers.append(
                {
                    "method": method, "M": M, "K_first": first, "K_last": last,
                    "slope": fit.mean, "slope_low": fit.low, "slope_high": fit.high,
                    "slope_of_bound": steep,
                    "norm_last": points[-1][1].mean, "norm_last_low": points[-1][1].low,
                    "norm_last_high": points[-1][1].high, "bound_last": points[-1][2],
                    "largest_measured_over_bound": tightest,
                }
            )  # fmt: skip
    head = (
        "method", "M", "K", "slope", "slope of the bound", "norm at the last K", "bound there",
        "largest norm / bound",
    )  # fmt: skip
    return {
        "rate": Table(
            "Slopes of log norm over log K; -1/2 in the limit",
            head,
            tuple(rows),
            tuple(numbers),
            notes(record),
        )
    }
