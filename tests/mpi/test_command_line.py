"""``mpiexec asysg run --mpi``: rank 0 speaks and saves, every rank leaves."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from asysg.figures._on_ranks import mpiexec


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(0)
    A = rng.normal(size=(200, 4))
    np.savetxt(tmp_path / "data.csv", np.c_[A, A[:, 0] > 0], delimiter=",")
    return tmp_path / "data.csv"


def command(*words, ranks=3):
    return [mpiexec(), "-n", str(ranks), sys.executable, "-m", "asysg", "run", *map(str, words)]


@pytest.mark.parametrize(
    ("method", "more"),
    [
        ("asysg-con", ["--in-flight", 2]),
        ("sync", []),
        ("delayed", ["--servers", 2]),
        ("downpour", ["--n-fetch", 4, "--n-push", 2]),
    ],
)
def test_one_document_and_one_set_of_files(start_words, data, method, more):
    job = start_words(
        command(data, "--mpi", "--method", method, "--updates", 300, "--batch-size", 2,
                "--json", "--out", data.parent / "out", *more, ranks=3 + ("--servers" in more))
    )  # fmt: skip
    assert job.wait() == 0, job.err.read_text()
    said = json.loads(job.out.read_text())
    assert said["result"]["status"] == "completed"
    assert said["result"]["n_threads_used"] == 2
    assert len(said["result"]["cluster"]["updates"]) == 2
    names = sorted(path.name for path in Path(data.parent, "out").iterdir())
    assert names == [f"data-sigmoid-{method}.json", f"data-sigmoid-{method}.png"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            ["--mpi", "--method", "sgd"],
            "method must be one of asysg-con, sync, delayed, downpour with --mpi",
        ),
        (["--mpi", "--method", "sync", "--delay", "1"], "delay must be left out for method 'sync'"),
        (["--mpi", "--threads", "2"], "threads must be left out with --mpi, got 2"),
        (["--late", "wait"], "late must be recompute without --mpi"),
        (["--servers", "2"], "servers must be 1 without --mpi, got 2"),
        (["--mpi", "--servers", "2"], "servers must leave ranks to work, of 2, got 2"),
        (["--mpi", "--batch-size", "0"], "batch_size must be an integer >= 1"),
    ],
)
def test_bad_input_is_one_line(start_words, data, words, text):
    job = start_words(command(data, *words, ranks=2 if "--mpi" in words else 1))
    assert job.wait() == 2
    lines = job.err.read_text().splitlines() + job.out.read_text().splitlines()
    [line] = [line for line in lines if line.startswith("asysg:")]
    assert text in line
