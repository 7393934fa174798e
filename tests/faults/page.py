"""The kill table as a page of the documentation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from . import alarms, code, concurrency, constants, methods
from .columns import ENOUGH, HANGS, NAMES, ROWS, Outcome, threaded
from .patch import Fault
from .table import FAULTS, NONE, Outcomes, killed, kills

HEAD = """\
Kill table
==========

.. This page is written by ``python -m tests.faults --json RECORD --rst PAGE``.

A test that has never failed has shown nothing. So {count} mistakes are put, one at a time, into a
copy of the sources, and every part of the tests is asked whether it notices. Rows are the
mistakes, columns the tests; an entry says how often the test convicted, of how many times it was
asked. **{killed} of {count} are convicted every time** by one column at least (bold), and none of
the tests convicts the sound build.

How it is done
--------------

The package carries no switches. ``tests/faults`` copies the sources, turns every anchor of its
catalogue into a choice between what is there and the mistake, compiles that copy once, and wakes
one mistake a process by the variable ``ASYSG_FAULT``. Every anchor must be found exactly once,
else nothing runs. A change that moves an anchor needs one line of ``tests/faults/code.py``,
``concurrency.py``, ``methods.py`` or ``constants.py``.

.. code-block:: console

   $ python -m tests.faults --json RECORD --rst docs/explanation/kill-table.rst
   $ python -m tests.faults --every --seeds 100 --json ANOTHER   # without limit of time
   $ python -m tests.faults --only "staleness T+1" "torn read"
   $ python -m tests.faults --false-alarms 1000 --json RECORD

On two cores the table takes an hour or two, the false alarms about one; what RECORD holds already
is not run again. That of this page is ``docs/explanation/kill-table.jsonl``. Every run of the tests
builds the copy and checks a few faults of every kind.

The columns
-----------

{columns}

The rows of ``asysg verify --quick`` ({rows}) draw, so they are asked at {seeds} seeds, each with
two threads and the budget of a whole suite, a false alarm of 1e-6; so are tests of faults in the
code of the threads, whose schedule the machine draws, with workers that yield at random. What
convicts at {seeds} of {seeds} seeds has a power above {wilson:.2f} (Wilson, 95 %). Of {chancy}
mistakes nothing stronger is known; their tests convicted {pooled} times of {pooled}, which puts
their mean power above {mean:.3f}. The other tests repeat to the bit: what convicts when asked once
does so always. A test that fails to convict at one of the first {enough} seeds is not asked
again, nor are tests that do not end within {hangs} minutes. Once one of the other tests has
convicted a mistake every time, those after it are left out and the rows are asked once; ``--every``
asks all of them. A dot: not asked, or the mistake is in no
code that these tests run.

False alarms
------------

{alarms}

{tables}"""

DESCRIPTIONS = {
    "tight": "tight instances against Theorem U, by the e-value",
    "exact": "second moments against their exact values, from both sides",
    "trace": "recorded runs: noise, coordinates, samples and delays",
    "lemma": "the steps of the proof, each against its own measurement",
    "method": "the other methods, each against its own theorem",
    "ordinary": "ordinary objectives at the prescribed steplength",
    "theory": "``tests/theory``: hand values, limits, two roads to one number",
    "served": "synchronous, delayed and Downpour SGD: kernels, schedules, runs",
    "adaptive": "steplengths that adapt to delays: kernels and runs",
    "prox": "proximal steps: kernels, schedules, runs",
    "asyscd": "exact derivatives, and coordinate descent by them",
    "ranks": "what a rank computes, and runs on ranks, replayed; with the extra ``mpi``",
    "oracle": "``tests/core``: kernels equal to the NumPy recursion, the law of the draws",
    "skip-ahead": "what skip-ahead draws: its tests, and its law",
    "schedules": "``tests/concurrency``: what holds under every schedule of threads",
    "replay": "``tests/simulate``: given delays, and records that run again",
    "objectives": "``tests/objectives``: derivatives, constants, noise",
    "runs": "``tests/minimize``: what a run returns and certifies",
}


def page(outcomes: Outcomes, seeds: Sequence[dict[str, Any]]) -> str:
    """Return the page.

    Parameters
    ----------
    outcomes : dict
        Of `table.run`.
    seeds : sequence of dict
        The entries of `alarms.run`.
    """
    asked = max(outcome.asked for outcome in outcomes.values())
    chancy = [fault for fault in FAULTS if _by_chance(fault, kills(fault, outcomes))]
    pooled = sum(max(o.asked for o in kills(fault, outcomes)) for fault in chancy)
    text, _ = alarms.summary(list(seeds))
    groups = {
        "What runs": code.FAULTS,
        "What workers share": concurrency.FAULTS,
        "Other methods, proximal and adaptive steps, ranks": methods.FAULTS,
        "The theory": constants.FAULTS,
    }
    return HEAD.format(
        count=len(FAULTS),
        killed=sum(killed(fault, outcomes) for fault in FAULTS),
        columns="\n".join(f"{name}\n    {DESCRIPTIONS[name]}" for name in NAMES),
        rows=", ".join(ROWS),
        seeds=asked,
        wilson=wilson(asked),
        chancy=len(chancy),
        pooled=pooled,
        mean=wilson(pooled),
        enough=ENOUGH,
        hangs=HANGS // 60,
        alarms=text,
        tables="\n\n".join(
            f"{title}\n{'-' * len(title)}\n\n" + "\n".join(lines((*faults, NONE), outcomes))
            for title, faults in groups.items()
        )
        + "\n",
    )


def _by_chance(fault: Fault, found: Sequence[Outcome]) -> bool:
    """Tell whether no test that repeats to the bit is among those that convict the fault."""
    if not found or {outcome.column for outcome in found} <= set(ROWS):
        return bool(found)
    return threaded(fault) and all(outcome.column != "oracle" for outcome in found)


def wilson(count: int) -> float:
    """Return the lower end of Wilson's 95 % interval when all of `count` trials succeed."""
    return count / (count + 1.96**2)


def lines(faults: Sequence[Fault], outcomes: Outcomes) -> Iterator[str]:
    """Yield a table's lines, without the columns that no fault of it reaches."""
    used = [
        column
        for column in NAMES
        if any((fault.name, column) in outcomes for fault in faults if fault is not NONE)
    ]
    yield ".. list-table::"
    yield "   :header-rows: 1"
    yield ""
    for number, entry in enumerate(("mistake", *used)):
        yield f"   {'* -' if number == 0 else '  -'} {entry}"
    for fault in faults:
        yield f"   * - {fault.name}"
        for column in used:
            yield f"     - {cell(outcomes.get((fault.name, column)))}"


def cell(outcome: Outcome | None) -> str:
    """Return an entry of the table."""
    if outcome is None:
        return "·"
    said = f"{outcome.convicted}/{outcome.asked}"
    return f"**{said}**" if outcome.kills else said


assert set(NAMES) == set(DESCRIPTIONS)
