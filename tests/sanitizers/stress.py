"""Conservation and the enforced bound under stress, block by block, to the last unit.

Run by Python with a stress build: ``python stress.py --updates N [--methods ...] [--lossy]``.
Prints one JSON object a setting, and ends with 1 if anything raised an alarm.

Gradient entries are 1 or 3, so each update adds to x positive integers that depend on its draw.
No lost update is made up for by another, none done twice goes unseen, and sums are exact up
to 2^53. What x must be is computed by the serial recursion with the same draws.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass, field
from itertools import product
from typing import Any

import numpy as np

from asysg import _draws, objectives
from asysg._core.recursion import Recursion
from asysg._core.threads import Threads

N = 4
METHODS = ("asysg-con", "asysg-incon", "hogwild")
WORKERS = (2, 3, 4)
BOUNDS = (-1, 0, 1, 16)
#: Updates between two merges of private copies; 0: none, writes to the shared x.
BATCHES = (0, 1, 5)
#: A block should take about so long: each setting gets the same share of the time.
BLOCK_SECONDS = 0.5
GAMMA = np.array([-1.0])


def integers() -> Any:
    """Gradient 2 +- 1 in every entry: a curvature so small, and a centre so far, that x is
    rounded away beside them; all exact, because they are powers of two."""
    return objectives.Quadratic(
        np.full(N, 2.0**-500),
        x_star=np.full(N, -(2.0**501)),
        sigma=np.sqrt(N),
        noise="rademacher",
    )


@dataclass
class Seen:
    """What one setting has shown; `alarms` is empty or says what was wrong."""

    method: str
    workers: int
    max_delay: int
    update: str
    updates: int = 0
    seconds: float = 0.0
    largest_delay: int = 0
    mean_delay: float = 0.0
    recomputed: int = 0
    overwrites: int = 0
    alarms: list[str] = field(default_factory=list)


class Setting:
    """One setting, its engine, and the serial recursion that follows the same draws."""

    def __init__(
        self, method: str, workers: int, max_delay: int, batch: int, lossy: bool, block: int
    ) -> None:
        update = f"replica, {batch}" if batch else "lossy" if lossy else "atomic"
        self.seen = Seen(method, workers, max_delay, update)
        self.objective = integers()
        key = _draws.key_from([METHODS.index(method), workers, max_delay + 1])
        start = np.zeros(N)
        capsule = self.objective._capsule
        self.engine = Threads(
            capsule,
            start,
            method=method,
            M=1,
            p=workers,
            key=key,
            max_delay=max_delay,
            recording="sampled",
            lossy=lossy,
            segment=2,
            sync_every=batch,
        )
        self.serial = Recursion(capsule, start, whole=method != "asysg-incon", M=1, T=0, key=key)
        self.block = block

    def visit(self) -> int:
        """Do one block, judge it, and return how many updates it was."""
        engine, seen = self.engine, self.seen
        until = seen.updates + self.block
        begin = time.perf_counter()
        engine.advance(until, GAMMA)
        seconds = time.perf_counter() - begin
        self.serial.advance(until, GAMMA, np.zeros((self.block, 1), dtype=np.int64))
        done, seen.updates = self.block, until
        seen.seconds += seconds
        seen.largest_delay = engine.max_delay
        seen.mean_delay = engine.sum_delay / until
        seen.recomputed = engine.recomputed
        seen.overwrites = engine.overwrites
        if not np.array_equal(engine.x, self.serial.x):
            seen.alarms.append(f"x is {engine.x.tolist()}, not {self.serial.x.tolist()}")
        if not engine.clock == sum(engine.updates_by_worker) == engine.histogram.sum() == until:
            seen.alarms.append(f"the clock says {engine.clock} after {until} updates")
        if 0 <= seen.max_delay < engine.max_delay:
            seen.alarms.append(f"a delay of {engine.max_delay} exceeds {seen.max_delay}")
        if seen.overwrites:
            seen.alarms.append(f"{seen.overwrites} writes overwrote another")
        if seconds < BLOCK_SECONDS / 2:
            self.block *= 2
        elif seconds > BLOCK_SECONDS * 2:
            self.block = max(1, self.block // 2)
        return done


def stress(
    method: str, updates: int, lossy: bool, bounds: tuple[int, ...], batches: tuple[int, ...]
) -> list[Seen]:
    """Let the settings of a method take turns until it has done so many updates in all.

    A setting ends at its first alarm.
    """
    grid = list(product(WORKERS, bounds, (0,) if lossy or method == "asysg-con" else batches))
    block = max(1, updates // len(grid) // 8)
    every = [Setting(method, p, bound, batch, lossy, block) for p, bound, batch in grid]
    while updates > 0:
        going = [setting for setting in every if not setting.seen.alarms]
        if not going:
            break
        for setting in going:
            updates -= setting.visit()
    return [setting.seen for setting in every]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, required=True, help="of each method")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--bounds", nargs="+", type=int, default=BOUNDS, help="-1: none")
    parser.add_argument(
        "--batches", nargs="+", type=int, default=BATCHES, help="of private copies; 0: none"
    )
    parser.add_argument("--lossy", action="store_true")
    given = parser.parse_args()
    alarms = 0
    for method in given.methods:
        for seen in stress(
            method, given.updates, given.lossy, tuple(given.bounds), tuple(given.batches)
        ):
            print(json.dumps(asdict(seen)), flush=True)
            alarms += len(seen.alarms)
    return int(alarms > 0)


if __name__ == "__main__":
    raise SystemExit(main())
