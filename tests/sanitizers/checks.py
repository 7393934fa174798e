"""What each kind of build must show, and what its seeded faults must show."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .builds import HERE, ROOT, Build, Ran, build, python, seed

METHODS = ("asysg-con", "asysg-incon", "hogwild")
#: The tests that run compiled code; the rest of the suite would only run it again.
PARTS = ("core", "concurrency", "simulate", "minimize", "objectives", "statistical", "verify")


@dataclass(frozen=True)
class Verdict:
    """One check: what was asked, whether it holds, and what was seen."""

    asked: str
    holds: bool
    seen: str

    def __str__(self) -> str:
        return f"{'holds' if self.holds else 'FAILS'}: {self.asked}\n    {self.seen}"


def silent(asked: str, ran: Ran) -> Verdict:
    """No report, and a good end."""
    last = (ran.output.strip().splitlines() or ["no output"])[-1]
    seen = f"{len(ran.reports)} reports, exit {ran.code}: {last}"
    if ran.code or ran.reports:
        seen += "\n" + "\n".join([ran.output[-3000:], *ran.reports])
    return Verdict(asked, ran.code == 0 and not ran.reports, seen)


def reported(asked: str, ran: Ran, sign: str) -> Verdict:
    """At least one report, of the right kind and at the right place."""
    found = [report for report in ran.reports if re.search(sign, report, re.S)]
    seen = f"{len(found)} reports that match {sign!r}, {len(ran.reports)} in all"
    return Verdict(asked, bool(found), seen if found else f"{seen}\n{ran.output[-3000:]}")


def thread(folder: Path, *, short: bool = False) -> Iterator[Verdict]:
    """ThreadSanitizer over the kernels."""
    how = (HERE / "exercise.py", *(["--short"] if short else []))
    # On busy cores a worker may do all it has to before another begins, and what never overlaps
    # cannot race: random yields make them overlap.
    sound = build(folder / "sound", "thread", stress=True)
    yield silent("ThreadSanitizer is silent on the kernels", python(sound, *how))
    for fault, sign in {
        "plain read": "data race.*asysg_load.*asysg_add",
        "lock without release": "data race.*(serve|asysg_step|mem|asysg_merge|asysg_pull)",
        "merge without the lock": "data race.*asysg_(merge|pull)",
    }.items():
        faulty = seed(sound, folder / fault.replace(" ", "-"), fault)
        yield reported(
            f"ThreadSanitizer reports the seeded fault: {fault}",
            python(faulty, HERE / "exercise.py", "--short"),
            sign,
        )


def address(folder: Path) -> Iterator[Verdict]:
    """AddressSanitizer and UndefinedBehaviorSanitizer over the tests."""
    sound = build(folder / "sound", "address")
    yield silent(
        "AddressSanitizer and UBSan are silent on every way to run",
        python(sound, HERE / "exercise.py", "--short"),
    )
    for fault, sign in {
        "one entry too many": "heap-buffer-overflow.*asysg_load",
        "bits of zero": "runtime error: passing zero to clz",
    }.items():
        faulty = seed(sound, folder / fault.replace(" ", "-"), fault)
        yield reported(
            f"they report the seeded fault: {fault}",
            python(faulty, HERE / "exercise.py", "--short"),
            sign,
        )
    yield silent(f"they are silent on the tests of {', '.join(PARTS)}", tests(sound, PARTS))


def tests(built: Build, parts: tuple[str, ...]) -> Ran:
    """Run some of our tests with a build, away from the sources it was made of."""
    away = built.site.parent / "away"
    shutil.rmtree(away, ignore_errors=True)
    away.mkdir()
    shutil.copy(ROOT / "pyproject.toml", away)
    for part in ("tests", "docs/explanation", "docs/figures"):  # some look at the docs' tables
        shutil.copytree(ROOT / part, away / part, ignore=shutil.ignore_patterns("__pycache__"))
    where = [f"tests/{part}" for part in parts]
    # Output of C is not captured, lest it die with the process.
    how = ("-q", "-p", "no:cacheprovider", "--capture=sys")
    return python(built, "-m", "pytest", *how, *where, cwd=away)


def stress(folder: Path, *, updates: int, short: bool = False) -> Iterator[Verdict]:
    """Conservation and the bound on delays, with random yields."""
    script = HERE / "stress.py"
    sound = build(folder / "sound", stress=True)
    for method in METHODS:
        share = -(-updates // len(METHODS))
        ran = python(sound, script, "--updates", str(share), "--methods", method)
        yield Verdict(
            f"{method} under stress loses no update and keeps every bound on delays",
            ran.code == 0 and sum(row["updates"] for row in rows(ran)) >= share,
            summary(ran),
        )
    lock_free = ("--methods", "asysg-incon", "hogwild")
    ran = python(sound, script, "--updates", "300000", "--lossy", *lock_free)
    yield alarmed("lossy writes raise the alarm", ran, r"x is .* not")
    for fault, (sign, *how) in {
        "bound checked too early": ("a delay of", *lock_free, "--bounds", "0", "1", "16"),
        "merge without the lock": ("x is .* not", *lock_free, "--batches", "1", "5"),
        "lock that lets everyone in": ("x is .* not|the clock says", "--methods", "asysg-con"),
    }.items():
        faulty = seed(sound, folder / fault.replace(" ", "-"), fault)
        ran = python(faulty, script, "--updates", "300000", *how)
        yield alarmed(f"the seeded fault raises the alarm: {fault}", ran, sign)
    if not short:
        faulty = seed(sound, folder / "late", "start looked up after the merge")
        ran = tests(faulty, ("concurrency",))
        name = "test_every_read_contains_what_its_window_says"
        yield Verdict(
            "windows of private copies that begin too late fail the tests of concurrency",
            ran.code == 1 and f"FAILED tests/concurrency/test_replica.py::{name}" in ran.output,
            (ran.output.strip().splitlines() or ["no output"])[-1],
        )
        yield silent("the tests of concurrency pass under stress", tests(sound, ("concurrency",)))


def rows(ran: Ran) -> list[dict[str, Any]]:
    """Return what the settings of a stress run have shown."""
    return [json.loads(line) for line in ran.output.splitlines() if line.startswith("{")]


def alarmed(asked: str, ran: Ran, sign: str) -> Verdict:
    """Some setting raised the right alarm."""
    every = rows(ran)
    loud = [row for row in every if any(re.search(sign, text) for text in row["alarms"])]
    seen = f"{len(loud)} of {len(every)} settings raised it"
    if loud:
        seen += f", {loud[0]['method']}: {loud[0]['alarms'][0]}"
    return Verdict(asked, bool(loud), seen if loud else f"{seen}\n{ran.output[-3000:]}")


def summary(ran: Ran) -> str:
    """Say what the settings of a stress run did together."""
    every = rows(ran)
    updates, seconds = sum(row["updates"] for row in every), sum(row["seconds"] for row in every)
    if not seconds:
        return ran.output[-3000:]
    alarms = [f"on {row['workers']}: {alarm}" for row in every for alarm in row["alarms"]]
    said = (
        f"{updates} updates in {seconds:.0f} s ({updates / seconds:.2g} a second), "
        f"{sum(row['recomputed'] for row in every)} gradients computed again, largest delay "
        f"{max(row['largest_delay'] for row in every)}, {len(alarms)} alarms"
    )
    return "\n    ".join([said, *alarms])
