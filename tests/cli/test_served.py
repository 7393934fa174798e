"""``asysg run --method sync, delayed, downpour`` on threads."""

import json

import numpy as np
import pytest
from matplotlib.figure import Figure

import asysg
from asysg._core.openmp import openmp_version
from asysg.cli import main

P = 2 if openmp_version() else 1


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """Run the command on a small file; return its exit code and what it said."""
    monkeypatch.setattr(asysg.Result, "plot", lambda self: Figure(figsize=(1, 1)))
    rng = np.random.default_rng(1)
    path = tmp_path / "data.npz"
    np.savez(path, A=rng.standard_normal((60, 4)), y=rng.integers(0, 2, 60))

    def call(*words):
        where = ["--threads", P, "--epochs", 50, "--out", tmp_path / "out"]
        code = main(["run", *map(str, [path, *where, *words])])
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.mark.parametrize(
    ("words", "T", "holds"),
    [
        (["sync"], 0, True),
        (["delayed"], P - 1, True),
        (["delayed", "--delay", 5], 5, True),
        (["downpour", "--n-fetch", 3], 4 * 3 * P, True),
        (["downpour", "--n-fetch", 4, "--n-push", 2, "--max-delay", 7], 7, False),
    ],
)
def test_one_document(run, words, T, holds):
    code, out, err = run("--batch-size", 2, "--json", "--method", *words)
    assert (code, err) == (0, "")
    said = json.loads(out)
    assert f"T = {T}" in said["notes"]["staleness"]
    assert said["result"]["status"] == "completed"
    assert said["result"]["staleness"]["max"] <= T
    assert said["result"]["certificate"]["holds"] == holds


@pytest.mark.parametrize(("n_fetch", "each"), [(1, "a thread"), (2, "an update under way")])
def test_the_staleness_says_what_it_is_a_multiple_of(run, n_fetch, each):
    words = ["--method", "downpour", "--n-fetch", n_fetch, "--threads", 2, "--json"]
    said = json.loads(run(*words)[1])["notes"]["staleness"]
    assert said.startswith(f"T = {8 * n_fetch}, enforced (4 for {each};")


def test_delays_of_downpour_are_measured(run):
    code, out, err = run("--method", "downpour", "--n-fetch", 3, "--max-delay", "none", "--json")
    assert (code, err) == (0, "")
    assert "measured by a pilot" in json.loads(out)["notes"]["staleness"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--method", "sync", "--delay", 2], "delay must be left out for method 'sync'"),
        (["--delay", 2], "delay must be left out for method 'asysg-incon'"),
        (["--method", "delayed", "--delay", -1], "delay must be an integer >= 0"),
        (["--method", "delayed", "--max-delay", 3], "max_delay must be left out for method"),
        (["--n-push", 2, "--n-fetch", 2], "n_fetch and n_push must be 1 for method"),
        (["--method", "downpour", "--n-push", 0], "n_push must be an integer >= 1"),
        (["--method", "downpour", "--n-push", 2], "n_fetch must be a multiple of n_push, 2"),
    ],
)
def test_bad_arguments(run, words, says):
    code, _, err = run(*words)
    assert code == 2
    assert err.startswith(f"asysg: {says}")
    assert err.count("\n") == 1
