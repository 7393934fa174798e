"""Instructions a thing takes, counted by valgrind: ``python -m benchmarks.instructions``.

Counts do not depend on what else the machine does, so that a regression of a few percent shows
where seconds would not. They are those of one thread and of the code valgrind's processor gets
(no AVX-512), the difference between a run of 3K and one of K updates over 2K: what happens once
cancels. Every count is taken twice; where the two differ by more than `STABLE` that is said.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from .measure import Contestant, machine, say
from .workloads import chosen, ours

#: Two counts of the same may differ by this much.
STABLE = 0.01
NAMES = ("W1", "W1c", "W2", "W3-1", "W3-10", "con-1e3", "sim-100")
#: Things in a short run; the parameter of a network's minibatch comes on top.
COUNT = {"W1": 20_000, "W1c": 100_000, "W2": 20_000, "W3": 2000, "con": 2000, "sim": 20_000}
REFS = re.compile(r"I\s+refs:\s+([\d,]+)")


def contestants(name: str) -> list[Contestant]:
    """Return ours of a workload on one thread, recorded as by default."""
    (workload,) = chosen([name])
    found = [one for one in ours(workload, 1, True) if isinstance(one, Contestant)]
    return [one for one in found if "unrecorded" not in one.name]


def count(valgrind: str, name: str, contestant: str, things: int) -> int:
    """Count the instructions of a process that does so many things."""
    with tempfile.TemporaryDirectory(prefix="asysg-valgrind-") as folder:
        command = [
            valgrind,
            "--tool=cachegrind",
            "--cache-sim=no",
            f"--cachegrind-out-file={folder}/out",
            sys.executable,
            *("-m", __spec__.name, "--work", name, contestant, str(things)),
        ]
        # One order of everything, one thread in every library.
        fixed = {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            command, capture_output=True, text=True, env=os.environ | fixed,
            cwd=Path(__file__).parents[1],
        )  # fmt: skip
    found = REFS.search(done.stderr)
    if done.returncode or found is None:
        raise RuntimeError(f"valgrind must count, got {done.stderr[-2000:]}")
    return int(found[1].replace(",", ""))


def per_thing(valgrind: str, name: str, contestant: str) -> list[float]:
    """Count twice what one thing takes."""
    (workload,) = chosen([name])
    few = COUNT[workload.kind]
    return [
        (count(valgrind, name, contestant, 3 * few) - count(valgrind, name, contestant, few))
        / (2 * few)
        for _ in range(2)
    ]


def main() -> None:
    """Count, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instructions", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--json", type=Path, help="write the counts here too")
    parser.add_argument("--work", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work:
        name, wanted, things = asked.work
        (one,) = (one for one in contestants(name) if one.name == wanted)
        one.run(int(things))
        return
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        sys.exit("valgrind is not installed: nothing counted.")
    rows = []
    for name in asked.only:
        for one in contestants(name):
            say(f"{name}: {one.name}")
            first, second = per_thing(valgrind, name, one.name)
            differ = abs(first - second) / max(first, second)
            rows.append(
                {"workload": name, "mode": one.name, "instructions": [first, second],
                 "stable": differ <= STABLE}
            )  # fmt: skip
            said = "" if differ <= STABLE else f" UNSTABLE: {second:.2f} the second time"
            print(f"{name:8} {one.name:24} {first:12.2f} instructions{said}", flush=True)
    if asked.json:
        asked.json.write_text(json.dumps({"machine": machine(), "counts": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
