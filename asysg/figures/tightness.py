"""How near every theorem comes to what really happens: `asysg.verify.tightness`, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields

import numpy as np

from ..theory import FORMS
from ..verify import _tightness
from ..verify._tightness import Tightness
from ._chart import COLOURS, Chart, Panel, Series
from ._experiment import Asked
from ._record import Line, Record
from ._table import Table

ALGORITHMS = ("con", "incon")


def check(asked: Asked) -> None:
    """Nothing is needed."""


def settings(asked: Asked) -> Line:
    """Return what is run."""
    return {
        "quick": asked.quick,
        "seed": asked.seed,
        "forms": list(FORMS),
        "delays": [0, 1, 3] if asked.quick else list(_tightness.DELAYS),
        "replicates": asked.replicates or (3 if asked.quick else 20),
    }


def tasks(settings: Line) -> list[Line]:
    """Return every entry, in the order of `asysg.verify.tightness`."""
    return [
        {"algorithm": algorithm, "form": form, "T": T}
        for algorithm in ALGORITHMS
        for form in settings["forms"]
        for T in settings["delays"]
    ]


def run(settings: Line, task: Line, done: Sequence[Line], asked: Asked) -> Line:
    """Compute one entry, and simulate its part of the noise."""
    every = tasks(settings)
    # The stream that `asysg.verify.tightness` gives this entry: the same numbers come out.
    stream = np.random.SeedSequence(settings["seed"]).spawn(len(every))[every.index(task)]
    one = _tightness.entry(task["algorithm"], task["form"], task["T"])
    mean, half = _tightness.simulated(one, settings["replicates"], stream)
    found = asdict(one) | {"simulated": mean, "halfwidth": half}
    return {"how": "exact and simulated", **{k: v for k, v in found.items() if k not in task}}


def entries(record: Record) -> list[Tightness]:
    """Return the entries of a record."""
    names = [item.name for item in fields(Tightness)]
    every = [
        {**line["task"], **line} for line in (record.of(**t)[0] for t in tasks(record.settings))
    ]
    return [Tightness(**{name: one[name] for name in names}) for one in every]


def charts(record: Record) -> dict[str, Chart]:
    """Draw the ratios of both algorithms over T."""
    found = entries(record)
    panels = []
    for algorithm in ALGORITHMS:
        series = []
        for number, form in enumerate(record.settings["forms"]):
            mine = [e for e in found if (e.algorithm, e.form) == (algorithm, form)]
            series.append(
                Series(form, [e.T for e in mine], [e.ratio for e in mine], colour=COLOURS[number])
            )
        panels.append(
            Panel(
                f"asysg-{algorithm}", "delay T", "expectation / bound", tuple(series),
                legend="lower left", ticks=(record.settings["delays"], [0, 0.2, 0.4, 0.6, 0.8, 1]),
            )
        )  # fmt: skip
    chart = Chart("How tight the theorems are", (tuple(panels),), notes(record))
    return {"tightness": chart}


def notes(record: Record) -> tuple[str, ...]:
    """Say what is computed and what is simulated."""
    return (
        "Exact expectations over bounds on the isotropic quadratic with every delay equal to T, "
        "at the admissible steplength where that is largest; 1 is a theorem that is attained.",
        f"The last column of the table: mean of {record.settings['replicates']} SIMULATED runs "
        "and half of its 95 % Student interval.",
    )


def tables(record: Record) -> dict[str, Table]:
    """Write the table of `asysg verify --tightness`."""
    found = entries(record)
    head, *rows = _tightness.table(found)
    table = Table(
        "How near expectations come to bounds", tuple(head), tuple(map(tuple, rows)),
        tuple(asdict(one) for one in found), notes(record),
    )  # fmt: skip
    return {"tightness": table}
