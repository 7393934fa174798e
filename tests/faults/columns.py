"""The tests that are asked about every fault, and how they are asked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from asysg.verify._suite import KINDS

from .patch import ROOT, VARIABLE, YIELDS, Fault

#: Seeds after which a test that never convicted is not asked again.
ENOUGH = 3
#: Seconds after which a process hangs: a conviction, since no run of the tests would end. The same
#: tests are not asked again, which would take as long.
HANGS = 900
HUNG = -1
#: What the schedule of real threads may depend on.
THREADED = (
    *("threads.pyx", "server.pxd", "replica.pxd", "skip.pyx", "worker.pxd"),
    *("clock.h", "atomic.h", "merge.h", "_minimize.py", "served.pyx", "prox.h"),
)
CORE = ("asysg/_core", "asysg/_draws.py", "asysg/simulate", "asysg/steplengths.py")
FAMILIES = (
    "asysg/objectives",
    *(
        f"asysg/_core/{name}"
        for name in ("stream", "noise", "losses", "quadratic", "linear", "rows")
    ),
)
RUNS = ("asysg/_run.py", "asysg/_minimize.py", "asysg/_evidence.py", "asysg/result.py")


def threaded(fault: Fault) -> bool:
    """Tell whether the fault lies in code whose effect may depend on the schedule of threads."""
    return any(Path(edit.file).name in THREADED for edit in fault.edits)


@dataclass(frozen=True)
class Suite:
    """Tests run by pytest.

    Parameters
    ----------
    name : str
        Head of its column.
    paths : tuple of str
    reach : tuple of str
        Beginnings of the files whose code these tests run; a fault in another is not theirs.
    schedules : bool
        Whether they run several threads throughout.
    """

    name: str
    paths: tuple[str, ...]
    reach: tuple[str, ...]
    schedules: bool = False

    def reaches(self, fault: Fault) -> bool:
        """Tell whether the fault lies in what these tests run."""
        return any(edit.file.startswith(self.reach) for edit in fault.edits)


#: Kinds of rows of ``asysg verify``.
ROWS = KINDS
SUITES = (
    # The quickest first, since the first conviction ends a run.
    Suite(
        "theory",
        ("tests/theory/test_hand_values.py", "tests/theory/test_second_road.py", "tests/theory"),
        ("theory/",),
    ),
    Suite(
        "served",
        tuple(f"tests/{folder}/test_served.py" for folder in ("core", "concurrency", "minimize")),
        ("asysg/_core/served", "asysg/_core/turns"),
        schedules=True,
    ),
    Suite(
        "adaptive",
        ("tests/core/test_adaptive.py", "tests/minimize/test_adaptive.py"),
        ("asysg/_core/adaptive", "asysg/_core/worker", "asysg/_core/server"),
    ),
    Suite(
        "prox",
        tuple(f"tests/{folder}/test_prox.py" for folder in ("core", "concurrency", "minimize")),
        ("asysg/_core/prox",),
        schedules=True,
    ),
    Suite(
        "asyscd",
        ("tests/objectives/test_exact.py", "tests/minimize/test_asyscd.py"),
        ("asysg/_core/exact", "asysg/_core/full"),
    ),
    Suite(
        "ranks",
        ("tests/core/test_rank.py", "tests/mpi/test_ranks.py"),
        ("asysg/_core/rank",),
    ),
    Suite("oracle", ("tests/core",), CORE),
    Suite(
        "skip-ahead",
        ("tests/core/test_skip.py", "tests/statistical/test_skip_law.py"),
        ("asysg/_core/skip",),
    ),
    Suite(
        "schedules",
        ("tests/concurrency/test_every_schedule.py", "tests/concurrency/test_replica.py"),
        CORE,
        schedules=True,
    ),
    Suite("replay", ("tests/simulate",), (*CORE, *RUNS), schedules=True),
    Suite("objectives", ("tests/objectives",), FAMILIES),
    Suite(
        "runs",
        tuple(f"tests/minimize/test_{name}.py" for name in ("minimize", "divergence")),
        (*CORE, *RUNS, "theory/_certif"),
        schedules=True,
    ),
)
NAMES = (*ROWS, *(suite.name for suite in SUITES))


@dataclass(frozen=True)
class Outcome:
    """How often a test was asked about a fault, and how often it convicted."""

    fault: str
    column: str
    asked: int
    convicted: int

    @property
    def kills(self) -> bool:
        """Whether it convicted every time."""
        return 0 < self.asked == self.convicted


class Build:
    """The patched build, and a copy of the tests that imports it and nothing else."""

    def __init__(self, site: Path, folder: Path) -> None:
        self.site, self.tests = site, folder
        folder.mkdir(exist_ok=True)
        leave_out = shutil.ignore_patterns("__pycache__", "faults")
        shutil.copytree(ROOT / "tests", folder / "tests", ignore=leave_out)
        shutil.copy(ROOT / "pyproject.toml", folder)
        # The smallest counterexample is of no interest here, and takes long to find.
        with open(folder / "tests" / "conftest.py", "a") as conftest:
            conftest.write(
                "\nfrom hypothesis import Phase\n"
                "settings.register_profile('faults', max_examples=100, derandomize=True,\n"
                "    phases=[Phase.explicit, Phase.generate], **common)\n"
                "settings.load_profile('faults')\n"
            )

    def python(self, number: int, *args: str | Path, yields: bool = False) -> tuple[int, str]:
        """Run Python with this build and this fault; return the exit status and the output."""
        env = os.environ | {
            VARIABLE: str(number),
            YIELDS: str(int(yields)),
            "PYTHONPATH": str(self.site),
            "PYTHONSAFEPATH": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_WAIT_POLICY": "passive",
            "MPLBACKEND": "agg",
        }
        try:
            done = subprocess.run(
                [sys.executable, *map(str, args)],
                cwd=self.tests,
                env=env,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=HANGS,
            )
        except subprocess.TimeoutExpired as error:
            # Bytes, whatever was asked for.
            return HUNG, bytes(error.stdout or b"").decode()
        return done.returncode, done.stdout

    def pytest(self, number: int, *paths: str, yields: bool = False) -> int:
        """Return the exit status of these tests: 0 if they do not convict the fault."""
        options = ("-x", "-q", "-p", "no:cacheprovider", "--no-header")
        code, output = self.python(number, "-m", "pytest", *options, *paths, yields=yields)
        if code in (3, 4, 5):  # pytest's own troubles
            raise RuntimeError(output[-3000:])
        return code

    def suite(self, suite: Suite, fault: Fault, number: int, seeds: int) -> Outcome:
        """Ask tests once, or as often as there are seeds where the machine's schedule matters.

        Tests of single threads, a few of which run several, are then asked a few times.
        """
        chance = threaded(fault)
        times = 1 if not chance else seeds if suite.schedules else ENOUGH
        # First the file that bears the fault's name, since the first conviction ends a run.
        paths = sorted(suite.paths, key=lambda path: fault.name.split(":")[0] not in path)
        convicted = asked = 0
        while asked < times and (asked < ENOUGH or convicted):
            code = self.pytest(number, *paths, yields=chance)
            asked += 1
            convicted += code != 0
            if code == HUNG:
                break
        return Outcome(fault.name, suite.name, asked, convicted)

    def rows(
        self, fault: Fault, number: int, seeds: int, kinds: Sequence[str] = ROWS
    ) -> Iterator[Outcome]:
        """Ask every kind of row, at as many seeds."""
        script = Path(__file__).with_name("rows.py")
        code, output = self.python(number, script, str(seeds), str(ENOUGH), *kinds)
        if code == HUNG and len(kinds) > 1:  # which of them does it?
            for kind in kinds:
                yield from self.rows(fault, number, seeds, [kind])
            return
        found = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
        for kind in kinds:
            asked = sum(kind in line["asked"] for line in found)
            convicted = sum(kind in line["convicted"] for line in found)
            # A process that died convicts by every row it owed, one that hung by a single one.
            owed = seeds if convicted == asked else min(seeds, ENOUGH)
            missing = max(0, (min(owed, asked + 1) if code == HUNG else owed) - asked)
            yield Outcome(fault.name, kind, asked + missing, convicted + missing)
