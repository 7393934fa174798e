"""A few trials of each kind; ``python -m tests.trials all`` makes hundreds."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from asysg._core.openmp import openmp_version

pytestmark = pytest.mark.skipif(
    not (openmp_version() and hasattr(os, "fork")), reason="needs OpenMP and fork"
)


@pytest.mark.parametrize(
    ("kind", "trials"), [("ctrl-c", 24), ("fork", 12), ("kill", 12), ("ranks", 6)]
)
def test_trials(kind, trials):
    """Latencies are in the report, and are not judged, but for ranks: a job must end."""
    if kind == "ranks":
        pytest.importorskip("mpi4py", reason="mpi4py is not installed (asysg[mpi])")
    done = subprocess.run(
        [sys.executable, "-m", "tests.trials", kind, "--trials", str(trials), "--json"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)[kind]
    assert report["failures"] == [], done.stderr
    assert report["successes"] == report["trials"] == trials
