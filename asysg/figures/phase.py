"""Where linear speedup ends: a grid of delays T and updates K, and its two readings.

Read along K, the grid says how many updates a delay demands before an update is worth half of
what it is worth without delay: proportional to T^2, says the theory. Read along T, it says up to
how many workers K updates bear: proportional to sqrt(K). See `asysg.simulate.phases`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..simulate import phases
from ..simulate.speedups import Interval
from ._chart import COLOURS, Cell, Chart, Panel, Series, edges, shade
from ._experiment import Asked
from ._record import Line, Record
from ._table import Table, interval

#: An update is worth so much of one without delay, where the limit is drawn.
WORTH = 0.5
FORM = "paper"


def check(asked: Asked) -> None:
    """Nothing is needed."""


def settings(asked: Asked) -> Line:
    """Return what is run."""
    quick = asked.quick
    return {
        "quick": quick,
        "seed": asked.seed,
        "n": 50,
        "sigma": 3.0,
        "M": 1,
        "delays": [0, 1, 3, 7, 15] if quick else [0, 1, 3, 7, 15, 31, 63],
        "updates": [round(10 ** (j / 4)) for j in range(8 if quick else 9, 18 if quick else 24)],
        "replicates": asked.replicates or (2 if quick else 5),
        "n_records": 1000 if quick else 5000,
    }


def problem(settings: Line) -> tuple[Any, Any]:
    """Return objective and start."""
    from ..objectives import CosineQuadratic

    return CosineQuadratic(n=settings["n"], sigma=settings["sigma"]), np.ones(settings["n"])


def tasks(settings: Line) -> list[Line]:
    """Return every run."""
    return [
        {"K": K, "T": T, "replicate": r}
        for K in settings["updates"]
        for T in settings["delays"]
        for r in range(settings["replicates"])
    ]


def run(settings: Line, task: Line, done: Sequence[Line], asked: Asked) -> Line:
    """Run one of them."""
    obj, x0 = problem(settings)
    T, K = task["T"], task["K"]
    # Every run draws for itself: what is compared is a mean over replicates.
    seed = np.random.SeedSequence([settings["seed"], K, T, task["replicate"]])
    res = phases.measure(
        obj, x0, T=T, K=K, batch_size=settings["M"], form=FORM, rng=seed,
        n_records=settings["n_records"],
    )  # fmt: skip
    return {
        "how": "simulated",
        "status": res.status,
        "staleness_max": res.staleness.max,
        "staleness_mean": res.staleness.mean,
        "ergodic": phases.measured(res),
    }


class Grid:
    """What a record says at every (T, K), replicate by replicate."""

    def __init__(self, record: Record) -> None:
        s = record.settings
        self.delays = [T for T in s["delays"] if T > 0]
        self.updates, self.replicates = s["updates"], s["replicates"]
        obj, x0 = problem(s)
        norms = {
            (T, K): [float(line["ergodic"]) for line in record.of(T=T, K=K)]
            for T in s["delays"]
            for K in self.updates
        }
        fresh = {K: float(np.mean(norms[0, K])) for K in self.updates}
        self.worth = {
            (T, K): [(fresh[K] / norm) ** 2 for norm in found] for (T, K), found in norms.items()
        }
        self.points = {
            (T, K): phases.point(
                obj.constants(x0, T=T), found, fresh[K], T=T, K=K, method="asysg-con",
                batch_size=s["M"], form=FORM,
            )
            for (T, K), found in norms.items()
        }  # fmt: skip

    def needed(self, T: int, replicate: int) -> float:
        """Return the K from which on an update is worth enough; nan if not within the grid."""
        return crossing(self.updates, [self.worth[T, K][replicate] for K in self.updates])

    def borne(self, K: int, replicate: int) -> float:
        """Return the number of workers up to which it is; nan if not within the grid."""
        workers = [*(T + 1 for T in reversed(self.delays)), 1]
        return crossing(workers, [self.worth[T - 1, K][replicate] for T in workers])

    def limits(self, of: Callable[[int, int], float], at: Sequence[int]) -> list[Interval]:
        """Return the interval of a limit at each of these; nan unless all replicates have it."""
        found = []
        for value in at:
            limits = [of(value, r) for r in range(self.replicates)]
            found.append(Interval.around(limits if np.isfinite(limits).all() else [math.nan]))
        return found

    def slope(self, of: Callable[[int, int], float], at: Sequence[int], shift: int) -> Interval:
        """Return the slope of a limit over `at` + `shift`, both in logarithms."""
        known = [
            value
            for value, one in zip(at, self.limits(of, at), strict=True)
            if math.isfinite(one.mean)
        ]
        if len(known) < 2:
            return Interval.around([math.nan])
        x = np.log(np.array(known) + shift)
        return Interval.around(
            [
                float(np.polyfit(x, np.log([of(value, r) for value in known]), 1)[0])
                for r in range(self.replicates)
            ]
        )


def crossing(x: Sequence[int], worth: Sequence[float]) -> float:
    """Return where the worth last rises through WORTH, interpolated in log x.

    `x` is ordered so that the worth rises along it in the main, upwards or downwards.
    """
    below = [i for i, value in enumerate(worth) if value < WORTH]
    if not below or below[-1] == len(x) - 1:
        return math.nan
    i = below[-1]
    part = (WORTH - worth[i]) / (worth[i + 1] - worth[i])
    return math.exp(math.log(x[i]) + part * (math.log(x[i + 1]) - math.log(x[i])))


def charts(record: Record) -> dict[str, Chart]:
    """Draw the grid, and its two readings."""
    grid = Grid(record)
    return {"phase": diagram(record, grid), "limits": readings(record, grid)}


def diagram(record: Record, grid: Grid) -> Chart:
    """Draw the grid twice: what an update is worth, and measured over bound."""
    delays, updates = record.settings["delays"], record.settings["updates"]
    at_K, at_p = edges(updates), edges([T + 1 for T in delays])
    limit = [float(grid.points[0, K]["T_max"]) + 1 for K in updates]
    panels = []
    for what, title in (
        ("efficiency", "What an update is worth: iteration speedup / workers"),
        ("ratio", "Measured / bound; empty where no theorem holds"),
    ):
        cells = []
        for j, K in enumerate(updates):
            for i, T in enumerate(delays):
                value = float(grid.points[T, K][what])
                known = math.isfinite(value)
                fill = shade(value) if known else "#f0f0f0"
                words = f"{value:.2f}" if known else ""
                ink = "#000000" if value > 0.55 else "#ffffff"
                cells.append(Cell(at_K[j], at_K[j + 1], at_p[i], at_p[i + 1], fill, words, ink))
        inside = [(K, p) for K, p in zip(updates, limit, strict=True) if p <= at_p[-1]]
        line = Series(
            "below: proven, K >= K_min(T)", [k for k, _ in inside], [p for _, p in inside],
            colour="#d55e00", dots=False,
        )  # fmt: skip
        panels.append(
            Panel(
                title, "updates K", "workers T + 1", (line,), tuple(cells), (True, True),
                "upper left" if what == "ratio" else "",
                ([K for K in updates if math.log10(K) % 1 < 1e-6], [T + 1 for T in delays]),
            )
        )  # fmt: skip
    rows = tuple((panel,) for panel in panels)
    return Chart("Where linear speedup ends", rows, notes(record), width=560.0, height=270.0)


def readings(record: Record, grid: Grid) -> Chart:
    """Draw the K that a delay needs, and the workers that K updates bear."""
    found = []
    for of, at, shift, proven, words in _both(grid):
        limits = grid.limits(of, at)
        fit = grid.slope(of, at, shift)
        x = [float(value + shift) for value in at]
        label = f"measured, slope {fit.mean:.2f}" if fit.reached else "measured"
        found.append(
            Panel(
                words[0], words[1], words[2],
                (
                    Series(
                        label, x, [one.mean for one in limits], [one.low for one in limits],
                        [one.high for one in limits], line=False,
                    ),
                    Series(
                        f"proven, slope {words[3]}", x, [float(v) for v in proven],
                        colour=COLOURS[1], dots=False,
                    ),
                ),
                log=(True, True),
                legend="upper left",
                ticks=([value + shift for value in at] if shift else (), ()),
            )
        )  # fmt: skip
    rows = (tuple(found),)
    return Chart("Updates that a delay needs, workers that updates bear", rows, notes(record))


def _both(
    grid: Grid,
) -> tuple[tuple[Callable[[int, int], float], Sequence[int], int, list[Any], list[str]], ...]:
    """Return both readings: the limit, of what, plus what, what is proven, and how it is called."""
    first = grid.updates[0]
    return (
        (
            grid.needed, grid.delays, 1, [grid.points[T, first]["K_min"] for T in grid.delays],
            ["Updates a delay needs", "T + 1", "updates K", "2"],
        ),
        (
            grid.borne, grid.updates, 0,
            [max(grid.points[0, K]["T_max"], 0) + 1 for K in grid.updates],
            ["Workers that updates bear", "updates K", "workers T + 1", "1/2"],
        ),
    )  # fmt: skip


def notes(record: Record) -> tuple[str, ...]:
    """Say what was run."""
    s = record.settings
    return (
        f"AsySG-con on a noisy cosine quadratic, n = {s['n']}, sigma = {s['sigma']:g}, M = "
        f"{s['M']}; every delay is T, as of T + 1 workers that take turns; {s['replicates']} "
        "replicates; steplength of the paper's corollary, which does not depend on T.",
        "Norms are measured in SIMULATED runs (given delays, no clock). An update is worth (norm "
        f"without delay / norm with it)^2; the limit is where that is {WORTH:g}. Intervals: 95 %, "
        "Student, over replicates.",
    )


def tables(record: Record) -> dict[str, Table]:
    """Write the grid, and both readings."""
    grid = Grid(record)
    s = record.settings
    rows = tuple(
        (
            str(T + 1),
            *(
                f"{grid.points[T, K]['efficiency']:.3f}"
                + ("*" if grid.points[T, K]["guaranteed"] else "")
                for K in s["updates"]
            ),
        )
        for T in s["delays"]
    )
    star = ("*: K >= K_min(T), where the theory guarantees linear speedup.",)
    head = ("workers", *(f"K = {K}" for K in s["updates"]))
    points = tuple(grid.points[T, K] for T in s["delays"] for K in s["updates"])
    found = {
        "phase": Table("Iteration speedup / workers", head, rows, points, (*star, *notes(record))),
        "limits": _limits(record, grid),
    }
    return found


def _limits(record: Record, grid: Grid) -> Table:
    """Write both readings below each other."""
    rows: list[tuple[str, ...]] = []
    numbers: list[dict[str, Any]] = []
    for of, at, shift, proven, words in _both(grid):
        for value, one, known in zip(at, grid.limits(of, at), proven, strict=True):
            if not one.reached:
                continue
            rows.append((words[0], f"{value + shift:,}", interval(one), f"{known:,}"))
            numbers.append(
                {
                    "reading": words[0], "at": value + shift, "measured": one.mean,
                    "low": one.low, "high": one.high, "proven": known,
                }
            )  # fmt: skip
        fit = grid.slope(of, at, shift)
        rows.append((f"{words[0]}: slope", "", interval(fit), words[3]))
        numbers.append(
            {
                "reading": f"{words[0]}: slope", "measured": fit.mean, "low": fit.low,
                "high": fit.high, "proven": 2.0 if shift else 0.5,
            }
        )  # fmt: skip
    head = ("", "at T + 1, or at K", "measured", "proven")
    title = "Updates that a delay needs, workers that updates bear"
    return Table(title, head, tuple(rows), tuple(numbers), notes(record))
