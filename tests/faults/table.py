"""The kill table: every fault, every test, how often it convicts."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from . import code, concurrency, constants, methods
from .columns import NAMES, ROWS, SUITES, Build, Outcome
from .patch import Fault, build, numbers

FAULTS: tuple[Fault, ...] = (
    *code.FAULTS,
    *concurrency.FAULTS,
    *methods.FAULTS,
    *constants.FAULTS,
)
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


def asked(
    made: Build, fault: Fault, seeds: int, known: Outcomes, *, every: bool
) -> Iterator[Outcome]:
    """Ask what is not known yet of a fault, the quickest tests first.

    Once a test has convicted it every time, the others are no longer asked, and the rows of
    `asysg verify` once; unless all are asked `every` time. The sound build is always asked all.
    """
    number = ({NONE.name: 0} | numbers(FAULTS))[fault.name]
    caught = not every and killed(fault, known)
    for column in SUITES:
        wanted = fault is NONE or (column.reaches(fault) and not caught)
        if wanted and (fault.name, column.name) not in known:
            outcome = made.suite(column, fault, number, seeds)
            caught = caught or (outcome.kills and not every)
            yield outcome
    if kinds := unasked_rows(fault, known):
        yield from made.rows(fault, number, 1 if caught else seeds, kinds)


def unasked_rows(fault: Fault, known: Outcomes) -> list[str]:
    """Return the kinds of rows of `asysg verify` still to be asked about a fault."""
    return [kind for kind in ROWS if (fault.name, kind) not in known]


def run(
    faults: Sequence[Fault], seeds: int, record: Path | None, *, every: bool = False
) -> Outcomes:
    """Make the patched build and ask the tests about every fault.

    What `record` already holds is not asked again; what is found is added to it at once.
    """
    known = {} if record is None else read(record)
    # The rows are asked last. A new column asks the sound build, whatever is known of it.
    left = [fault for fault in faults if unasked_rows(fault, known)]
    if any((NONE.name, column) not in known for column in NAMES):
        left.insert(0, NONE)
    if not left:
        return known
    lock = threading.Lock()
    with tempfile.TemporaryDirectory(prefix="asysg-faults-") as name:
        made = Build(build(Path(name), FAULTS), Path(name) / "work")

        def ask(fault: Fault) -> None:
            for outcome in asked(made, fault, seeds, dict(known), every=every):
                with lock:
                    known[outcome.fault, outcome.column] = outcome
                    bar.write(
                        f"{outcome.fault} | {outcome.column}: "
                        f"{outcome.convicted} of {outcome.asked}"
                    )
                    if record is not None:
                        with record.open("a") as file:
                            file.write(json.dumps(asdict(outcome)) + "\n")

        with (
            ThreadPoolExecutor(AT_ONCE) as pool,
            tqdm(total=len(left), unit="fault", desc="faults") as bar,
        ):
            for done in as_completed([pool.submit(ask, fault) for fault in left]):
                done.result()
                bar.update()
    return known


def read(record: Path) -> Outcomes:
    """Return the outcomes kept in a record."""
    if not record.exists():
        return {}
    entries = [json.loads(line) for line in record.read_text().splitlines()]
    outcomes = [Outcome(**entry) for entry in entries if "fault" in entry]
    return {(outcome.fault, outcome.column): outcome for outcome in outcomes}


def kills(fault: Fault, outcomes: Outcomes) -> list[Outcome]:
    """Return the outcomes of the tests that convict the fault every time."""
    found = (outcomes.get((fault.name, column)) for column in NAMES)
    return [outcome for outcome in found if outcome is not None and outcome.kills]


def killed(fault: Fault, outcomes: Outcomes) -> bool:
    """Tell whether some test convicts the fault every time."""
    return bool(kills(fault, outcomes))


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
