"""The kill table: every fault, every test, how often it convicts."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

from . import code, constants
from .columns import NAMES, SUITES, Build, Outcome
from .patch import Fault, build, numbers

FAULTS: tuple[Fault, ...] = (*code.FAULTS, *constants.FAULTS)
NONE = Fault("(none)", ())
#: Processes at once.
AT_ONCE = 2

Outcomes = dict[tuple[str, str], Outcome]


def chosen(names: Sequence[str]) -> tuple[Fault, ...]:
    """Return the faults whose names contain one of these, all without any."""
    found = tuple(f for f in FAULTS if not names or any(name in f.name for name in names))
    if not found:
        raise SystemExit(f"--only must name a fault, got {', '.join(names)}.")
    return found


def tasks(
    made: Build, faults: Sequence[Fault], seeds: int, known: Outcomes
) -> Iterator[Callable[[], list[Outcome]]]:
    """Yield what is to be done and is not known yet, the sound build first."""
    number = {NONE.name: 0} | numbers(FAULTS)

    def suite(which: int, fault: Fault) -> Callable[[], list[Outcome]]:
        return lambda: [made.suite(SUITES[which], fault, number[fault.name], seeds)]

    def rows(fault: Fault) -> Callable[[], list[Outcome]]:
        return lambda: list(made.rows(fault, number[fault.name], seeds))

    for fault in (NONE, *faults):
        for which, column in enumerate(SUITES):
            if (fault is NONE or column.reaches(fault)) and (fault.name, column.name) not in known:
                yield suite(which, fault)
    for fault in (NONE, *faults):
        if (fault.name, "tight") not in known:
            yield rows(fault)


def run(faults: Sequence[Fault], seeds: int, record: Path | None) -> Outcomes:
    """Make the patched build and ask every test about every fault.

    What `record` already holds is not asked again; what is found is added to it at once.
    """
    known = {} if record is None else read(record)
    with tempfile.TemporaryDirectory(prefix="asysg-faults-") as name:
        made = Build(build(Path(name), FAULTS), Path(name) / "work")
        todo = list(tasks(made, faults, seeds, known))
        print(f"{len(todo)} tests of {len(faults)} faults to run", flush=True)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for number, done in enumerate(as_completed([pool.submit(t) for t in todo]), start=1):
                for outcome in done.result():
                    known[outcome.fault, outcome.column] = outcome
                    print(
                        f"[{number}/{len(todo)}] {outcome.fault} | {outcome.column}: "
                        f"{outcome.convicted} of {outcome.asked}",
                        flush=True,
                    )
                    if record is not None:
                        with record.open("a") as file:
                            file.write(json.dumps(asdict(outcome)) + "\n")
    return known


def read(record: Path) -> Outcomes:
    """Return the outcomes kept in a record."""
    if not record.exists():
        return {}
    entries = [json.loads(line) for line in record.read_text().splitlines()]
    outcomes = [Outcome(**entry) for entry in entries if "fault" in entry]
    return {(outcome.fault, outcome.column): outcome for outcome in outcomes}


def killed(fault: Fault, outcomes: Outcomes) -> bool:
    """Tell whether some test convicts the fault every time."""
    found = (outcomes.get((fault.name, column)) for column in NAMES)
    return any(outcome is not None and outcome.kills for outcome in found)


def summary(faults: Sequence[Fault], outcomes: Outcomes) -> tuple[str, bool]:
    """Return the verdict in lines, and whether all is well."""
    survivors = [fault.name for fault in faults if not killed(fault, outcomes)]
    wrong = [
        f"{column}: {outcomes[NONE.name, column].convicted}"
        for column in NAMES
        if (NONE.name, column) in outcomes and outcomes[NONE.name, column].convicted
    ]
    lines = [f"{len(faults) - len(survivors)} of {len(faults)} faults are convicted every time."]
    lines += [f"SURVIVES: {name}" for name in survivors]
    lines += [f"CONVICTS THE SOUND BUILD: {name}" for name in wrong]
    return "\n".join(lines), not survivors and not wrong
