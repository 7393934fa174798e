"""Measure everything and write the report.

``python -m benchmarks.report [--quick] [--rounds N] [--only W1 W2 ...] [--json P] [--md P]``

What is measured is kept, a workload a line, in a file beside the JSON: a report that was stopped
goes on where it was if it is asked for the same again on the same machine.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from . import native, target
from .by_hand import by_hand
from .measure import Absent, Contestant, as_json, cores, machine, rounds, say, summary
from .measure import size as sized
from .peers import peers
from .probes import floor, limits, prober
from .tables import markdown, rst
from .workloads import WORKLOADS, Workload, chosen, ours

#: Seconds of a turn.
SECONDS, QUICK_SECONDS = 0.3, 0.01


def contestants(workload: Workload, p: int, quick: bool) -> list[Contestant | Absent]:
    """Return all that does a workload with p threads or processes."""
    if workload.kind == "target":
        return list(target.contestants(workload, p, quick))
    found = [*ours(workload, p, quick), *peers(workload, p, quick), *by_hand(workload, p, quick)]
    names = [one.name for one in found if isinstance(one, Contestant)]
    if len(names) != len(set(names)):
        raise ValueError(f"names must be unique, got {names}")
    return found


def measured(
    workload: Workload, team: list[int], n_rounds: int, quick: bool, known: dict[str, Any]
) -> dict[str, Any]:
    """Measure a workload: one line of the record."""
    seconds = QUICK_SECONDS if quick else SECONDS
    found = [one for p in team for one in contestants(workload, p, quick)]
    absent = {one.name: one.why for one in found if isinstance(one, Absent)}
    for name, why in absent.items():
        say(f"    NOT MEASURED: {name}: {why}")
    racing = [one for one in found if isinstance(one, Contestant)]
    try:
        counts = {}
        for one in racing:
            # A race is run once; anything else is repeated until it takes long enough.
            counts[one.key] = 1 if workload.kind == "target" else sized(one, seconds)
            say(f"    {one.key}: {counts[one.key]} a turn")
        turns = rounds(racing, counts, n_rounds, prober())
    finally:
        for one in racing:
            one.close()
    floors = {}
    if "absent" not in known:
        floors = {str(p): floor(workload, p, known, quick) for p in team}
    return {
        "workload": workload.name,
        "what": workload.what,
        "unit": workload.unit,
        "contestants": [
            {
                "name": one.name,
                "role": one.role,
                "threads": one.threads,
                "computes": one.computes,
                "count": counts[one.key],
                "ns": summary(turns[one.key]),
                "turns": as_json(turns[one.key]),
            }
            for one in racing
        ],
        "absent": absent,
        "floors": {p: bound for p, bound in floors.items() if bound is not None},
    }


def known_limits(quick: bool) -> dict[str, Any]:
    """Measure the machine's limits, or say loudly why not."""
    try:
        return {**limits(quick), "compiler": native.version()}
    except native.NoCompiler as reason:
        say(f"NOT MEASURED: limits, near and far, C++ by hand: {reason}")
        return {"absent": str(reason)}


class Kept:
    """The lines of a report that is under way, in a file."""

    def __init__(self, path: Path, head: dict[str, Any]) -> None:
        self.path, self.lines = path, {}
        stored = (
            [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        )
        if stored and stored[0] == head:
            self.lines = {line["workload"]: line for line in stored[1:]}
            say(f"going on: {path} has {', '.join(self.lines) or 'nothing yet'}")
        else:
            path.write_text(json.dumps(head) + "\n")

    def add(self, line: dict[str, Any]) -> None:
        """Keep a line, at once."""
        self.lines[line["workload"]] = line
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")


def arguments(given: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.report",
        description="Measure this package, its peers and the machine's limits in turns.",
    )
    parser.add_argument("--quick", action="store_true", help="small sizes: whether all runs")
    parser.add_argument("--rounds", type=int, default=11, help="turns of everyone (11)")
    parser.add_argument("--threads", type=int, nargs="+", help="numbers of threads (1 2)")
    parser.add_argument(
        "--only", nargs="+", metavar="NAME",
        choices=sorted({name for one in WORKLOADS for name in (one.name, one.kind)}),
        help="workloads or kinds of them: W1 W1c W2 W3 con sim target, or W3-100 and such",
    )  # fmt: skip
    parser.add_argument(
        "--json", type=Path, default=Path("build/benchmarks.json"), help="(%(default)s)"
    )
    parser.add_argument("--md", type=Path, help="write the tables here, not to the output")
    parser.add_argument("--rst", type=Path, help="write them as a part of a Sphinx page")
    parser.add_argument(
        "--from", dest="old", type=Path, help="measure nothing: tables of this JSON"
    )
    asked = parser.parse_args(given)
    if asked.rounds < 1 or min(asked.threads or [1]) < 1:
        parser.error("--rounds and --threads must be at least 1")
    return asked


def report(asked: argparse.Namespace) -> dict[str, Any]:
    """Measure what is asked for, or what of it is not there yet."""
    team = sorted(set(asked.threads)) if asked.threads else [1, 2][: cores()]
    head = {
        "machine": machine(),
        "quick": asked.quick,
        "rounds": asked.rounds,
        "seconds": QUICK_SECONDS if asked.quick else SECONDS,
        "threads": team,
    }
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    kept = Kept(asked.json.with_suffix(asked.json.suffix + ".lines"), head)
    wanted, known = chosen(asked.only), known_limits(asked.quick)
    for number, workload in enumerate(wanted, 1):
        if workload.name in kept.lines:
            continue
        begin = time.perf_counter()
        say(f"{workload.name} ({number} of {len(wanted)}): {workload.what}")
        kept.add(measured(workload, team, asked.rounds, asked.quick, known))
        say(f"    {time.perf_counter() - begin:.0f} s")
    lines = [kept.lines[one.name] for one in wanted]
    record = {**head, "limits": known, "workloads": lines}
    asked.json.write_text(json.dumps(record, indent=1) + "\n")
    kept.path.unlink()
    return record


def main(given: list[str] | None = None) -> None:
    """Measure and write."""
    asked = arguments(given)
    record = json.loads(asked.old.read_text()) if asked.old else report(asked)
    if asked.rst:
        asked.rst.write_text(rst(record))
    if asked.md:
        asked.md.write_text(markdown(record))
    if not (asked.md or asked.rst):
        sys.stdout.write(markdown(record))


if __name__ == "__main__":
    main()
