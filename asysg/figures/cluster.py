"""Figure 3 and Table 1: AsySG-con on MPI ranks, mpi-1 ... mpi-8, the CIFAR10-FULL network.

Ranks are real. Where they are more than the cores, iterations are what they are anywhere and
seconds are not; so virtual workers stand beside them, whose costs are measured here and whose
problem is the synthetic network.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from . import _on_ranks, _speedups
from ._chart import Chart
from ._experiment import Asked, how
from ._poster import CIFAR_BATCH, CIFAR_RATE, GENERATED_RATE, LAYERS, TABLES
from ._record import Line, Record
from ._table import Table


def check(asked: Asked) -> None:
    """Refuse to start without MPI and PyTorch, or with a folder that does not hold CIFAR-10."""
    _on_ranks.need("mpi4py", "torch")
    if asked.data is not None:
        from ..objectives import cifar

        cifar.read(asked.data)


def settings(asked: Asked) -> Line:
    """Return what is run."""
    quick, generated = asked.quick, asked.data is None
    of = TABLES["table1"]
    return {
        "quick": quick,
        "seed": asked.seed,
        "images": "generated" if generated else "CIFAR-10",
        "samples": (200 if quick else 1000) if generated else 50_000,
        "digest": None if asked.data is None else digest(asked),
        "workers": [1, 2, 4, 8] if quick else list(of.workers),
        "batch_size": CIFAR_BATCH,
        "learning_rate": GENERATED_RATE if generated else CIFAR_RATE,
        "updates": 40 if quick else (1000 if generated else 10_000),
        "records": 5 if quick else (25 if generated else 200),
        "replicates": asked.replicates or (3 if generated and not quick else 1),
        "virtual": {
            "layers": list(LAYERS),
            "updates": 1000 if quick else of.updates,
            "records": 20 if quick else 40,
            "replicates": asked.replicates or (2 if quick else 5),
            "spread": 0.1,
        },
    }


def digest(asked: Asked) -> str:
    """Return what tells one set of images from another, wherever it lies."""
    from ..objectives.cifar import BATCHES

    assert asked.data is not None
    found = hashlib.sha256()
    for name in BATCHES:
        found.update((asked.data / name).read_bytes())
    return found.hexdigest()[:16]


def tasks(settings: Line) -> list[Line]:
    """Return the runs, those of ranks last."""
    ranks = [
        {"what": "ranks", "workers": p, "replicate": r}
        for r in range(settings["replicates"])
        for p in settings["workers"]
    ]
    return [*_speedups.virtual_tasks(settings), *ranks]


def run(settings: Line, task: Line, done: Sequence[Line], asked: Asked) -> Line:
    """Measure costs, run virtual workers, or start p + 1 ranks."""
    if task["what"] == "costs":
        return _speedups.costs("table1", settings)
    if task["what"] == "virtual":
        return _speedups.virtual("table1", settings, task, done)
    data = settings["samples"] if asked.data is None else str(asked.data.resolve())
    said = _on_ranks.run(
        task["workers"], {"cifar": data, "seed": settings["seed"]}, method="asysg-con",
        batch_size=settings["batch_size"], n_updates=settings["updates"],
        steplength=settings["learning_rate"] / settings["batch_size"],
        n_records=settings["records"], rng=settings["seed"] + task["replicate"],
    )  # fmt: skip
    return line(task, said)


def line(task: Line, said: Line) -> Line:
    """Return what a line says of what rank 0 said."""
    same = ("status", "n", "n_samples", "k", "time", "f", "grad_norm_sq", "weight", "cluster")
    return {
        "how": how(task["workers"] + 1, said["cores"]),
        "staleness_max": said["T"],
        "staleness_mean": said["mean"],
        **{name: said[name] for name in same},
    }


def charts(record: Record) -> dict[str, Chart]:
    """Draw Figure 3."""
    title = "Figure 3: AsySG-con on the CIFAR10-FULL network"
    return {"figure3": _speedups.chart(record, "ranks", "table1", title, notes(record))}


def tables(record: Record) -> dict[str, Table]:
    """Write Table 1."""
    title = "Table 1: speedups of AsySG-con beside the poster's"
    return {"table1": _speedups.table(record, "ranks", "table1", title, notes(record))}


def notes(record: Record) -> tuple[str, ...]:
    """Say what was run, and what its numbers are."""
    s, v, cores = record.settings, record.settings["virtual"], record.head["cores"]
    n = record.of(what="ranks")[0]["n"]
    runs = f"{s['replicates']} run{'s' * (s['replicates'] > 1)} of each"
    return (
        f"Real ranks (p workers and a server) on {cores} cores ({record.head['cpu']}): "
        f"cifar10_full, {n:,} parameters, {s['samples']:,} {s['images']} images, "
        f"{s['batch_size']} per update, {s['updates']:,} updates, learning rate "
        f"{s['learning_rate']:g}, {runs}. Iterations and delays are MEASURED."
        f"{_speedups.busy(record.of(what='ranks'))}",
        "*: OVERSUBSCRIBED, more ranks than cores; these seconds are measured, and say nothing of "
        "a cluster of as many hosts.",
        "Simulated: virtual workers on a virtual clock with costs measured here, on the synthetic "
        f"{'-'.join(map(str, v['layers']))} network, {v['updates']:,} updates, "
        f"{v['replicates']} replicates. In brackets: 95 % confidence of the mean (Student).",
        "The poster's are the ends of the ranges it gives for mpi-1 ... mpi-8, after 10,000 "
        "updates on the 50,000 images of CIFAR-10.",
    )
