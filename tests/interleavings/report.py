"""What was explored, and which schedule catches which fault, as tables."""

import itertools
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .explore import Exploration, Step, explore, explore_progress
from .memory import ReleaseAcquire, Sequential
from .model import CLOCK, DRAWS, MUTANTS, NONE, SLOT, Protocol

CHAIN = ((0, 1), (1, 2), (0, 2))  # supports of Hogwild's draws
BOTH = ((0, 1),)


@dataclass(frozen=True)
class Search:
    """A run of the correct protocol and how far its schedules are searched."""

    protocol: Protocol
    memory: type = Sequential
    preemptions: int | None = None

    @property
    def progress(self) -> bool:
        """Whether progress is judged too: needs every schedule, and one value a location."""
        return self.memory is Sequential and self.preemptions is None

    def run(self) -> Exploration:
        if self.progress:
            return explore_progress(self.protocol)
        return explore(self.protocol, memory=self.memory, preemptions=self.preemptions)

    def __str__(self) -> str:
        memory = "release/acquire" if self.memory is ReleaseAcquire else "sequential"
        bound = "all" if self.preemptions is None else f"<= {self.preemptions} preemptions"
        return f"{describe(self.protocol)}; {memory}; {bound}"


def describe(protocol: Protocol) -> str:
    """Say what is run, in words."""
    words = [
        f"{protocol.method}, {protocol.workers} workers, {protocol.updates} updates,"
        f" n = {protocol.coordinates}"
    ]
    if protocol.max_delay >= 0:
        words.append(f"max_delay {protocol.max_delay}")
    if protocol.retries >= 0:
        words.append(f"<= {protocol.retries} retries an update")
    if protocol.allotment > 1:
        words.append(f"draws by {protocol.allotment}")
    return ", ".join(words)


SHORT = [
    Search(Protocol(updates=6)),
    *(Search(Protocol(updates=4, max_delay=T)) for T in (0, 1, 2)),
    Search(Protocol(updates=5, allotment=2)),
    Search(Protocol(updates=5, method="hogwild", coordinates=3, writes=CHAIN)),
    Search(Protocol(updates=6, method="con")),
    Search(Protocol(updates=6, method="con", max_delay=1)),
    Search(Protocol(workers=3, updates=3)),
    Search(Protocol(workers=3, updates=6), preemptions=2),
    Search(Protocol(workers=3, updates=3, method="con")),
    Search(Protocol(updates=3), ReleaseAcquire),
    Search(Protocol(updates=3, method="hogwild", writes=BOTH), ReleaseAcquire),
    Search(Protocol(updates=3, max_delay=1, retries=1), ReleaseAcquire),
    Search(Protocol(updates=4, method="con"), ReleaseAcquire),
    Search(Protocol(workers=3, updates=3), ReleaseAcquire, preemptions=1),
    Search(Protocol("replica", updates=8, allotment=2, writes=BOTH)),
    *(
        Search(Protocol("replica", updates=4, allotment=2, max_delay=T, writes=BOTH))
        for T in (0, 3)
    ),
    Search(Protocol("replica", updates=6, allotment=2, max_delay=2, writes=BOTH)),
    Search(Protocol("replica", updates=4, allotment=2, writes=BOTH), ReleaseAcquire),
]

LONG = [
    *(Search(Protocol(updates=6, max_delay=T)) for T in (0, 1, 2)),
    Search(Protocol(updates=6, method="hogwild", writes=BOTH)),
    Search(Protocol(updates=6, method="hogwild", coordinates=3, writes=CHAIN)),
    Search(Protocol(workers=3, updates=3, max_delay=0)),
    Search(Protocol(workers=3, updates=4)),
    Search(Protocol(workers=3, updates=6, max_delay=1), preemptions=2),
    Search(Protocol(workers=3, updates=9), preemptions=2),
    Search(Protocol(workers=3, updates=6, method="con")),
    Search(Protocol(updates=4), ReleaseAcquire),
    Search(Protocol(updates=3, max_delay=0, retries=1), ReleaseAcquire),
    Search(Protocol(workers=3, updates=3), ReleaseAcquire, preemptions=2),
    Search(Protocol("replica", updates=8, allotment=2, max_delay=3, writes=BOTH)),
    Search(Protocol("replica", workers=3, updates=5, writes=BOTH), preemptions=2),
    Search(Protocol("replica", updates=3, writes=BOTH), ReleaseAcquire),
    Search(Protocol("replica", updates=6, allotment=2, writes=BOTH), ReleaseAcquire, preemptions=2),
]

# Accesses whose memory order is taken away, one at a time, and whether that does harm.
ORDERS = {
    "clock": True,
    "slots": True,
    "announce load": False,
    "announce": True,
    "ticket": True,
    "clear": True,
    "lock": True,
    "unlock": True,
}


def without_order(site: str) -> Protocol:
    return Protocol(
        updates=3, method="con" if site in ("lock", "unlock") else "incon", relaxed=(site,)
    )


def catch(protocol: Protocol, memory: type = Sequential) -> Exploration:
    """Search with 0, 1, 2, 3 preemptions, then without a bound and for progress."""
    found = explore(protocol, memory=memory, preemptions=3)
    if found.fault:
        return found
    return explore_progress(protocol) if memory is Sequential else explore(protocol, memory=memory)


# How a schedule is written.


def turns(trace: list[Step]) -> Iterator[tuple[str, list[Step]]]:
    """Yield the worker and the steps of each turn."""
    for w, steps in itertools.groupby(trace, key=lambda step: step.worker):
        yield "ABCD"[w], list(steps)


def turns_in_short(trace: list[Step]) -> str:
    return " ".join(f"{who}{len(steps)}" for who, steps in turns(trace))


def schedule(found: Exploration) -> str:
    """Write the trace, a paragraph a turn."""
    protocol = found.system.protocol
    lines = [
        textwrap.fill(
            f"{who}: " + ", ".join(wording(protocol, step) for step in steps),
            width=90,
            subsequent_indent="   ",
        )
        for who, steps in turns(found.trace)
    ]
    return "\n".join([*lines, f"=> {found.fault}"])


def wording(protocol: Protocol, step: Step) -> str:
    op, at, value, expected, _ = step.request
    name = protocol.name(at) if at >= 0 else ""
    if at == DRAWS:
        return f"draw {step.answer}"
    if op == "load":
        return f"{name}→{number(protocol, at, step.answer)}"
    if op == "store":
        return f"{name}:={number(protocol, at, value)}"
    if op == "add":
        return f"ticket {step.answer}" if at == CLOCK else f"{name}+={digits(value)}"
    if op == "cas":
        return f"ticket {expected}" if step.answer == expected else f"no ticket {expected}"
    return op


def number(protocol: Protocol, at: int, value: Any) -> str:
    if at >= protocol.x(0):
        return digits(value)
    return "none" if at >= SLOT and value == NONE else str(value)


def digits(value: int) -> str:
    """Write a value of x as the draws it contains."""
    times = {d: value >> 2 * d & 3 for d in range(value.bit_length() // 2 + 1)}
    return "{" + ",".join(str(d) for d, count in times.items() for _ in range(count)) + "}"


# The tables.


def searches(which: list[Search]) -> Iterator[list[str]]:
    for search in which:
        began = time.perf_counter()
        found = search.run()
        seconds = time.perf_counter() - began
        schedules = found.schedules()
        yield [
            str(search),
            f"{len(found.states):,}",
            f"{len(found.tail):,}",
            "endless" if schedules is None else f"{schedules:.3g}",
            found.fault or "0",
            f"{seconds:.1f}",
        ]


def faults(found: dict[str, Exploration]) -> Iterator[list[str]]:
    for mutant, exploration in found.items():
        yield [
            mutant,
            describe(exploration.system.protocol),
            f"{len(exploration.states):,}",
            turns_in_short(exploration.trace) or "-",
            exploration.fault or "none found",
        ]


def table(head: list[str], rows: list[list[str]], rst: bool) -> str:
    """Draw a table in Markdown or reStructuredText."""
    if not rst:
        ruled = [head, ["---"] * len(head), *rows]
        return "\n".join("| " + " | ".join(row) + " |" for row in ruled)
    lines = [".. csv-table::", "   :header-rows: 1", ""]
    return "\n".join(
        lines + ["   " + ", ".join(f'"{cell}"' for cell in row) for row in [head, *rows]]
    )


def main(*, long: bool, rst: bool) -> None:
    """Print everything; in reStructuredText, which is for keeping, without the times."""
    head = ["run; memory; schedules", "states", "steps", "schedules covered", "violations", "s"]
    rows = [head, *searches(SHORT + LONG if long else SHORT)]
    head, *rows = [row[:-1] for row in rows] if rst else rows
    print(table(head, rows, rst), end="\n\n")
    caught = {mutant: catch(protocol) for mutant, protocol in MUTANTS.items()}
    head = ["fault", "run", "states", "turns", "what the schedule breaks"]
    print(table(head, list(faults(caught)), rst), end="\n\n")
    weak = {f"{site} relaxed": catch(without_order(site), ReleaseAcquire) for site in ORDERS}
    print(table(head, list(faults(weak)), rst), end="\n\n")
    for mutant, found in (caught | weak).items():
        if found.fault:
            text = schedule(found)
            if rst:
                print(f"*{mutant}* ::\n\n    " + text.replace("\n", "\n    "), end="\n\n")
            else:
                print(f"{mutant}:\n\n```\n{text}\n```", end="\n\n")
