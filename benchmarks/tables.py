"""A record as Markdown."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from .goals import best, judge, turns
from .measure import BUSY, FAR, NEAR, from_json, ratio, summary

Style: TypeAlias = "type[Markdown] | type[RST]"
HOW = """\
Medians [quartiles] over {rounds} rounds in which contestants took turns of about {seconds:g} s in
an order shuffled anew; "near" and "far" are the medians of turns of several threads that lay
between two ping-pong probes that agreed (at most {near:g} ns one way; {far:g} to {busy:g} ns), with
their number. "asysg is" tells how many times faster the fastest mode of this package that loses no
update and records delays (**bold**) was: the median of ratios within rounds. "limit" is a
bound by what the machine can do at most, in the share of it that was reached."""


def time(ns: float) -> str:
    """Write nanoseconds in three digits and a fitting unit."""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if ns >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns:.3g} ns"


class Markdown:
    """How Markdown writes what a report is made of."""

    @staticmethod
    def heading(text: str, depth: int) -> str:
        return f"{'#' * depth} {text}"

    @staticmethod
    def table(head: list[str], rows: Iterable[list[str]]) -> str:
        lines = [head, ["---"] * len(head), *rows]
        return "\n".join(
            f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines
        )


class RST:
    """The same for Sphinx, as a part of a page."""

    @staticmethod
    def heading(text: str, depth: int) -> str:
        return f"{text}\n{' -^'[depth - 1] * len(text)}" if depth > 1 else ""

    @staticmethod
    def table(head: list[str], rows: Iterable[list[str]]) -> str:
        written = io.StringIO()
        csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([head, *rows])
        body = "".join(f"   {line}\n" for line in written.getvalue().splitlines())
        return f".. csv-table::\n   :header-rows: 1\n\n{body}"


def markdown(record: dict[str, Any]) -> str:
    """Write a whole record as Markdown."""
    return _text(record, Markdown)


def rst(record: dict[str, Any]) -> str:
    """Write a whole record as reStructuredText, to be included in a page."""
    return _text(record, RST)


def _text(record: dict[str, Any], style: Style) -> str:
    parts = [style.heading("Benchmarks", 1), "", *_head(record), ""]
    parts += [style.heading("Goals", 2), ""]
    goals = judge({line["workload"]: line for line in record["workloads"]}, record["quick"])
    parts += [style.table(["goal", "all", "near", "far", ""], goals), ""]
    for line in record["workloads"]:
        parts += [style.heading(f"{line['workload']}: {line['what']}", 2), ""]
        parts += [*_workload(line, style), ""]
    parts += [style.heading("Limits of the machine", 2), "", _limits(record["limits"], style)]
    return "\n".join(parts).strip() + "\n"


def _head(record: dict[str, Any]) -> Iterator[str]:
    machine = record["machine"]
    yield ", ".join(f"{name} {value or 'not installed'}" for name, value in machine.items()) + "."
    yield ""
    if record["quick"]:
        yield "**Quick sizes: this shows that everything runs, and nothing about speed.**"
        yield ""
    # The line breaks of the source mean nothing to Markdown.
    yield HOW.format(
        rounds=record["rounds"], seconds=record["seconds"], near=NEAR, far=FAR, busy=BUSY
    )


def _workload(line: dict[str, Any], style: Style) -> Iterator[str]:
    head = [
        "contestant",
        "threads",
        f"per {line['unit']}",
        "spread",
        "near",
        "far",
        "asysg is",
        "limit",
    ]
    yield style.table(head, (_row(line, one) for one in line["contestants"]))
    yield ""
    if len({one["computes"] for one in line["contestants"]}) > 1:
        said: dict[str, list[str]] = {}
        for one in line["contestants"]:
            said.setdefault(f"{one['name']}: {one['computes']}.", []).append(str(one["threads"]))
        for text, threads in said.items():
            yield f"- {text}" if len(threads) > 1 else f"- (threads: {threads[0]}) {text}"
    for p, floor in line["floors"].items():
        yield f"- Limit, {p} thread{'s' * (p != '1')}: {time(floor[0])}, {floor[1]}."
    for name, why in line["absent"].items():
        yield f"- **Not measured**: {name}: {why}."


def _row(line: dict[str, Any], one: dict[str, Any]) -> list[str]:
    p, ours = one["threads"], best(line, one["threads"])
    theirs = from_json(one["turns"])
    found = summary(theirs)
    everything = found["all"]
    low, high = everything["quartiles"]
    mine = one["name"] == ours
    places = [
        f"{time(found[place]['median'])} ({found[place]['turns']})" if place in found else ""
        for place in ("near", "far")
    ]
    faster = "" if mine or ours is None else _faster(turns(line, ours, p), theirs)
    floor = line["floors"].get(str(p))
    late = sum(turn.answer is None for turn in theirs)
    return [
        f"**{one['name']}**" if mine else one["name"],
        str(p),
        f"{time(everything['median'])} [{time(low)}, {time(high)}]"
        + (f", {late} not there" if late else ""),
        f"{everything['spread']:.0%}",
        *places,
        faster,
        "" if floor is None else f"{floor[0] / everything['median']:.0%}",
    ]


def _faster(ours: list[Any], theirs: list[Any]) -> str:
    cells = []
    for place in ("all", "near", "far") if ours and ours[0].place else ("all",):
        if (got := ratio(ours, theirs, place)) is not None:
            cells.append(f"× {got['median']:.2f}" + ("" if place == "all" else f" {place}"))
    return ", ".join(cells)


def _limits(limits: dict[str, Any], style: Style) -> str:
    rows = ([name, value if isinstance(value, str) else f"{value:.3g}"] for name, value in
            limits.items())  # fmt: skip
    return style.table(["limit", ""], rows)
