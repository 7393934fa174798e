"""Figure 4 and Table 2: AsySG-incon on threads, thr-1 ... thr-32, the synthetic network.

Threads are real. Where they are more than the cores, iterations are what they are anywhere and
seconds are not; so virtual workers stand beside them, on the same problem.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import InvalidArgument
from . import _speedups
from ._chart import Chart
from ._experiment import Asked, how, seeds
from ._poster import LAYERS, TABLES
from ._record import Line, Record
from ._table import Table


def check(asked: Asked) -> None:
    """Refuse to start where a build has one thread only."""
    from .._core.openmp import openmp_version

    if not openmp_version():
        raise InvalidArgument(
            "figure4 and table2 must have a build with OpenMP, got none. Build again with "
            "ASYSG_OPENMP=require."
        )


def settings(asked: Asked) -> Line:
    """Return what is run."""
    quick = asked.quick
    of = TABLES["table2"]
    return {
        "quick": quick,
        "seed": asked.seed,
        "workers": list(of.workers),
        "replicates": asked.replicates or (2 if quick else 3),
        "virtual": {
            "layers": list(LAYERS),
            "updates": 3000 if quick else of.updates,
            "records": 20 if quick else 40,
            "replicates": asked.replicates or (2 if quick else 5),
            "spread": 0.1,
        },
    }


def tasks(settings: Line) -> list[Line]:
    """Return the runs, those of real threads last."""
    threads = [
        {"what": "threads", "workers": p, "replicate": r}
        for r in range(settings["replicates"])
        for p in settings["workers"]
    ]
    return [*_speedups.virtual_tasks(settings), *threads]


def run(settings: Line, task: Line, done: Sequence[Line], asked: Asked) -> Line:
    """Measure costs, run virtual workers, or real threads."""
    if task["what"] == "costs":
        return _speedups.costs("table2", settings)
    if task["what"] == "virtual":
        return _speedups.virtual("table2", settings, task, done)
    import joblib

    from .._minimize import minimize

    obj, x0 = _speedups.network(settings)
    of, sizes = TABLES["table2"], settings["virtual"]
    seed = seeds(settings["seed"], settings["replicates"])[task["replicate"]]
    res = minimize(
        obj, x0, method=of.method, steplength=of.steplength, batch_size=of.batch_size,
        n_updates=sizes["updates"], n_records=sizes["records"], n_threads=task["workers"],
        rng=seed,
    )  # fmt: skip
    seconds = how(task["workers"], int(joblib.cpu_count()))
    return {"how": seconds, "run_seed": seed, **_speedups.told(res)}


def charts(record: Record) -> dict[str, Chart]:
    """Draw Figure 4."""
    title = "Figure 4: AsySG-incon on the synthetic network"
    return {"figure4": _speedups.chart(record, "threads", "table2", title, notes(record))}


def tables(record: Record) -> dict[str, Table]:
    """Write Table 2."""
    title = "Table 2: speedups of AsySG-incon beside the poster's"
    return {"table2": _speedups.table(record, "threads", "table2", title, notes(record))}


def notes(record: Record) -> tuple[str, ...]:
    """Say what was run, and what its numbers are."""
    s, v, cores = record.settings, record.settings["virtual"], record.head["cores"]
    of = TABLES["table2"]
    return (
        f"Real threads on {cores} cores ({record.head['cpu']}): fully connected "
        f"{'-'.join(map(str, v['layers']))} network, {of.batch_size} samples per update, "
        f"{v['updates']:,} updates, steplength {of.steplength:g}, {s['replicates']} replicates. "
        f"Iterations and delays are MEASURED.{_speedups.busy(record.of(what='threads'))}",
        "*: OVERSUBSCRIBED, more threads than cores; these seconds are measured, and say nothing "
        "of a machine with as many cores.",
        "Simulated: virtual workers on a virtual clock with costs measured here, same problem, "
        f"{v['replicates']} replicates. In brackets: 95 % confidence of the mean (Student).",
        of.note,
    )
