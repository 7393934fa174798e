"""Processes under mpiexec, with a limit of time each and nothing left behind."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from asysg.figures._on_ranks import mpiexec

pytest.importorskip("mpi4py", reason="mpi4py is not installed (asysg[mpi])")

PROGRAMS = Path(__file__).with_name("programs.py")
LIMIT = 120


def command(ranks: int, program: str, **arguments) -> list[str]:
    """Return the words that start a program on so many ranks."""
    return [mpiexec(), "-n", str(ranks), sys.executable, str(PROGRAMS), program,
            json.dumps(arguments)]  # fmt: skip


class Job:
    """A program under way on several ranks."""

    def __init__(self, folder: Path, words: list[str]) -> None:
        # Files and not pipes: nobody waits for a reader, and nothing is lost.
        self.out, self.err = folder / "out", folder / "err"
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        with self.out.open("w") as out, self.err.open("w") as err:
            self.process = subprocess.Popen(
                words, stdout=out, stderr=err, stdin=subprocess.DEVNULL, cwd=folder,
                env=environment, start_new_session=True,
            )  # fmt: skip

    def lines(self) -> list[dict]:
        """Return what was said so far, line by line."""
        whole = self.out.read_text().rpartition("\n")[0].splitlines()
        return [json.loads(line) for line in whole if line.startswith("{")]

    def wait(self) -> int:
        """Return the exit code."""
        try:
            return self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.end()
            pytest.fail(f"no end after {LIMIT} s:\n{self.out.read_text()}{self.err.read_text()}")

    def end(self) -> None:
        """Leave no process of the job."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@pytest.fixture
def start_words(tmp_path):
    """Start jobs; what is still running at the end of the test is ended."""
    jobs = []

    def starting(words: list[str]) -> Job:
        folder = tmp_path / f"job{len(jobs)}"
        folder.mkdir()
        jobs.append(Job(folder, words))
        return jobs[-1]

    yield starting
    for job in jobs:
        job.end()


@pytest.fixture
def start(start_words):
    """Start programs on so many ranks."""
    return lambda ranks, program, **arguments: start_words(command(ranks, program, **arguments))


@pytest.fixture
def said(start):
    """Run a program to its end, and return what it said."""

    def saying(ranks: int, program: str, *, code: int = 0, **arguments) -> list[dict]:
        job = start(ranks, program, **arguments)
        assert job.wait() == code, job.err.read_text()
        return job.lines()

    return saying
