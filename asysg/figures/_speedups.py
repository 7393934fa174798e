"""What the two speedup experiments share: curves, the authors' definition, table and figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ..result import Result, Trace
from ..simulate.speedups import Study, curves_to_rows
from ._chart import COLOURS, Chart, Panel, Series, shade
from ._experiment import seeds
from ._poster import TABLES
from ._record import Line, Record
from ._table import Table, interval

WHAT = ("iteration_speedup", "time_speedup")
COSTS = ("compute", "read", "update", "message")


def network(settings: Line) -> tuple[Any, Any]:
    """Return the synthetic network and its start."""
    from ..objectives import Network

    obj = Network.planted(layers=settings["virtual"]["layers"], rng=settings["seed"])
    return obj, obj.initial_point(rng=settings["seed"])


def busy(lines: Sequence[Line]) -> str:
    """Say how busy the machine was, where the lines know it."""
    loads = [float(line["load"]) for line in lines if "load" in line]
    if not loads:
        return ""
    return f" Load of the machine when they began: {min(loads):.1f} to {max(loads):.1f}."


def virtual_tasks(settings: Line) -> list[Line]:
    """Return the measurement of this machine's costs, and the runs of virtual workers."""
    return [
        {"what": "costs"},
        *(
            {"what": "virtual", "workers": p, "replicate": r}
            for r in range(settings["virtual"]["replicates"])
            for p in settings["workers"]
        ),
    ]


def costs(table: str, settings: Line) -> Line:
    """Measure what a worker does."""
    from ..simulate.calibration import calibrate

    obj, x0 = network(settings)
    of = TABLES[table]
    found = calibrate(obj, x0, method=of.method, batch_size=of.batch_size, transport=of.transport)
    return {"how": "measured", **{name: getattr(found, name) for name in COSTS}}


def virtual(table: str, settings: Line, task: Line, done: Sequence[Line]) -> Line:
    """Run virtual workers whose costs are those measured before."""
    from .. import simulate
    from ..simulate.calibration import Calibration

    obj, x0 = network(settings)
    of, sizes = TABLES[table], settings["virtual"]
    (known,) = (line for line in done if line["task"]["what"] == "costs")
    machine = Calibration(of.method, of.batch_size, of.transport, *(known[name] for name in COSTS))
    seed = seeds(settings["seed"], sizes["replicates"])[task["replicate"]]
    res = simulate.minimize(
        obj, x0, method=of.method, steplength=of.steplength, batch_size=of.batch_size,
        n_updates=sizes["updates"], n_records=sizes["records"], n_workers=task["workers"],
        speeds=machine.speeds(sizes["spread"]), rng=seed,
    )  # fmt: skip
    return {"how": "simulated", "run_seed": seed, **told(res)}


def told(res: Result) -> Line:
    """Return what a line says of a run."""
    if res.status == "interrupted":
        raise KeyboardInterrupt
    return {
        "status": res.status,
        "scheduler": res.scheduler,
        "update": res.update,
        "staleness_max": res.staleness.max,
        "staleness_mean": res.staleness.mean,
        "k": res.trace.k.tolist(),
        "time": res.trace.time.tolist(),
        "f": res.trace.f.tolist(),
    }


def curve(line: Line) -> Trace:
    """Return the loss curve of a line; gradients are not drawn."""
    f = np.array(line["f"], dtype=np.float64)
    absent = np.full(len(f), np.nan)
    return Trace(np.array(line["k"]), np.array(line["time"], dtype=np.float64), f, absent, absent)


def study(lines: Sequence[Line]) -> Study:
    """Return the speedups of runs of one kind, each replicate with a target of its own."""
    records = []
    for replicate in sorted({line["task"]["replicate"] for line in lines}):
        mine = {
            line["task"]["workers"]: line
            for line in lines
            if line["task"]["replicate"] == replicate
        }
        for row in curves_to_rows({p: curve(line) for p, line in mine.items()}):
            line = mine[row.n_workers]
            more = {name: line[name] for name in ("staleness_max", "staleness_mean", "how")}
            last = float(line["f"][-1])
            records.append({**asdict(row), "replicate": replicate, "last_loss": last, **more})
    return Study(tuple(sorted({r["n_workers"] for r in records})), records)


def table(record: Record, real: str, name: str, title: str, notes: Sequence[str]) -> Table:
    """Set real workers, virtual workers and the poster beside each other.

    `real` is the kind of real workers in the tasks, `name` the poster's table.
    """
    measured, virtual = study(record.of(what=real)), study(record.of(what="virtual"))
    prefix = {"ranks": "mpi", "threads": "thr"}[real]
    rows, numbers = [], []
    for p in measured.workers:
        mine = [r for r in measured.records if r["n_workers"] == p]
        how = mine[0]["how"]
        cells: list[str] = []
        row: dict[str, Any] = {"workers": p, "seconds_are": how}
        for what, poster in zip(WHAT, TABLES[name].poster.get(p, (None, None)), strict=True):
            found, simulated = measured.interval(p, what), virtual.interval(p, what)
            star = "*" if what == "time_speedup" and how == "oversubscribed" else ""
            cells += [
                interval(found) + star,
                interval(simulated),
                "" if poster is None else f"{poster:g}",
            ]
            for kind, one in (("", found), ("_simulated", simulated)):
                ends = {"": one.mean, "_low": one.low, "_high": one.high}
                row |= {f"{what}{kind}{end}": value for end, value in ends.items()}
            row[f"{what}_poster"] = poster
        row["staleness_mean"] = float(np.mean([r["staleness_mean"] for r in mine]))
        row["staleness_max"] = max(r["staleness_max"] for r in mine)
        row["last_loss"] = float(np.mean([r["last_loss"] for r in mine]))
        cells += [f"{row['staleness_mean']:.2f}", f"{row['staleness_max']}"]
        rows.append((f"{prefix}-{p}", *cells, f"{row['last_loss']:.4g}"))
        numbers.append(row)
    head = (
        "workers", "iteration speedup", "simulated", "poster", "time speedup", "simulated",
        "poster", "mean delay", "T", "last loss",
    )  # fmt: skip
    return Table(title, head, tuple(rows), tuple(numbers), tuple(notes))


def chart(record: Record, real: str, name: str, title: str, notes: Sequence[str]) -> Chart:
    """Draw loss curves of the first replicate, and both speedups of all."""
    first = record.of(what=real, replicate=0)
    beside = record.of(what="virtual", replicate=0)
    prefix = {"ranks": "mpi", "threads": "thr"}[real]
    scarce = any(line["how"] == "oversubscribed" for line in first)
    rows = (
        (
            _curves(first, prefix, "k", "updates", f"Loss of real {real}"),
            _curves(
                first, prefix, "time", "seconds",
                f"Real {real}{', oversubscribed' if scarce else ''}",
            ),
        ),
        (
            _curves(beside, prefix, "time", "virtual seconds", "Virtual workers (synthetic)"),
            _delays(record, real),
        ),
        (_speedup(record, real, name, 0), _speedup(record, real, name, 1)),
    )  # fmt: skip
    return Chart(title, rows, tuple(notes))


def _delays(record: Record, real: str) -> Panel:
    """Draw how stale reads are: the mean over all updates of a run, and over replicates."""
    series = []
    for kind, label, colour in (
        ("virtual", "simulated", COLOURS[0]), (real, f"real {real}", COLOURS[1]),
    ):  # fmt: skip
        found = study(record.of(what=kind))
        what = "staleness_mean"
        series.append(_intervals(label, found, found.workers, what, colour, line=True))
    return Panel("Staleness", "workers", "mean delay", tuple(series), legend="upper left")


def _curves(lines: Sequence[Line], prefix: str, over: str, words: str, title: str) -> Panel:
    series = []
    for number, line in enumerate(lines):
        x = [float(v) - (over == "k") for v in line[over]]
        colour = shade(0.92 * number / max(len(lines) - 1, 1))
        label = f"{prefix}-{line['task']['workers']}"
        f = [float(v) for v in line["f"]]
        series.append(Series(label, x, f, colour=colour, dots=False))
    return Panel(title, words, "loss", tuple(series))


def _speedup(record: Record, real: str, name: str, column: int) -> Panel:
    what = WHAT[column]
    measured, virtual = study(record.of(what=real)), study(record.of(what="virtual"))
    hows = {r["n_workers"]: r["how"] for r in measured.records}
    series = [
        Series("linear", measured.workers, measured.workers, colour=COLOURS[6], dots=False,
               dash=(2, 2)),
        _intervals("simulated", virtual, virtual.workers, what, COLOURS[0], line=True),
    ]  # fmt: skip
    for how in ("measured", "oversubscribed"):
        those = [p for p in measured.workers if hows[p] == how]
        if those:
            series.append(
                _intervals(f"real {real}, {how}", measured, those, what, COLOURS[1],
                           hollow=how == "oversubscribed")
            )  # fmt: skip
    known = {p: v[column] for p, v in TABLES[name].poster.items() if v[column] is not None}
    series.append(
        Series("poster", list(known), [float(v) for v in known.values() if v is not None],
               colour=COLOURS[2], line=False)
    )  # fmt: skip
    title = what.replace("_", " ").capitalize()
    return Panel(title, "workers", title.lower(), tuple(series), legend="upper left")


def _intervals(
    label: str, of: Study, workers: Sequence[int], what: str, colour: str, *, line: bool = False,
    hollow: bool = False,
) -> Series:  # fmt: skip
    found = [of.interval(p, what) for p in workers]
    return Series(
        label, workers, [i.mean for i in found], [i.low for i in found], [i.high for i in found],
        colour=colour, line=line, hollow=hollow,
    )  # fmt: skip
