"""False alarms: the rows that can convict, on the correct code, at many seeds."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

from tqdm import tqdm

from asysg import _minimize, verify
from asysg.verify._suite import KINDS

#: Ordinary rows can convict a divergence only; what they could alarm at they share with the tight.
CONVICTING = tuple(kind for kind in KINDS if kind != "ordinary")
AT_ONCE = 2


def alone(turn: Any, everyone: Any) -> None:
    """Stop the other processes while real threads run in this one.

    Workers that keep a delay wait for one another; one that has lost its core lets all wait.
    """
    everyone.append(os.getpid())
    run = _minimize.run

    def exclusive(plan: Any, engine: Any, *rest: Any) -> Any:
        if len(engine.updates_by_worker) == 1:
            return run(plan, engine, *rest)
        with turn:
            others = [process for process in everyone if process != os.getpid()]
            for process in others:
                os.kill(process, signal.SIGSTOP)
            try:
                return run(plan, engine, *rest)
            finally:
                for process in others:
                    os.kill(process, signal.SIGCONT)

    _minimize.run = exclusive


def one(seed: int) -> dict[str, Any]:
    """Run the convicting rows at one seed."""
    began = time.perf_counter()
    rows = verify.suite(quick=True, kinds=CONVICTING, seed=seed, n_threads=2, progress=False).rows
    alarms = [f"{row.kind} {row.method} {row.run}: {row.verdict}" for row in rows if not row.ok]
    seconds = round(time.perf_counter() - began, 2)
    return {"seed": seed, "rows": len(rows), "alarms": alarms, "seconds": seconds}


def run(seeds: int, record: Path | None) -> list[dict[str, Any]]:
    """Run seeds 0, ..., seeds - 1 but for those that the record already holds."""
    found = {} if record is None else read(record)
    todo = [seed for seed in range(seeds) if seed not in found]
    spawn = multiprocessing.get_context("spawn")
    with (
        spawn.Manager() as manager,
        spawn.Pool(AT_ONCE, alone, (spawn.Lock(), manager.list())) as pool,
        tqdm(total=seeds, initial=seeds - len(todo), unit="seed", desc="false alarms") as bar,
    ):
        for entry in pool.imap_unordered(one, todo):
            found[entry["seed"]] = entry
            bar.update()
            if record is not None:
                with record.open("a") as file:
                    file.write(json.dumps(entry) + "\n")
    return [found[seed] for seed in range(seeds)]


def read(record: Path) -> dict[int, dict[str, Any]]:
    """Return the seeds kept in a record."""
    if not record.exists():
        return {}
    entries = [json.loads(line) for line in record.read_text().splitlines()]
    return {entry["seed"]: entry for entry in entries if "seed" in entry}


def summary(found: list[dict[str, Any]]) -> tuple[str, bool]:
    """Return the verdict in lines, and whether there was no alarm."""
    alarms = [f"seed {entry['seed']}: {alarm}" for entry in found for alarm in entry["alarms"]]
    rows = sum(entry["rows"] for entry in found)
    lines = [f"{len(alarms)} false alarms in {rows} rows at {len(found)} seeds.", *alarms]
    return "\n".join(lines), not alarms
