"""``asysg run --dtype float32``."""

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
    """Run the command on a small dense file; return its exit code and what it said."""
    monkeypatch.setattr(asysg.Result, "plot", lambda self: Figure(figsize=(1, 1)))
    rng = np.random.default_rng(1)
    path = tmp_path / "data.npz"
    np.savez(path, A=rng.standard_normal((60, 4)), y=rng.integers(0, 2, 60))

    def call(*words):
        where = ["--epochs", 50, "--out", tmp_path / "out", "--dtype", "float32"]
        code = main(["run", *map(str, [path, *where, *words])])
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.mark.parametrize("words", [[], ["--max-delay", "none"], ["--steplength", "delay-adaptive"]])
def test_one_document(run, words):
    code, out, err = run("--threads", P, "--json", *words)
    assert (code, err) == (0, "")
    said = json.loads(out)
    assert "float32" in said["notes"]["precision"]
    result = said["result"]
    assert (result["dtype"], result["method"]) == ("float32", "asysg-con")
    failed = [h["name"] for h in result["certificate"]["hypotheses"] if not h["holds"]]
    assert "x in double precision" in failed


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--method", "asysg-incon"], "dtype must be 'float64' for method 'asysg-incon'"),
        (["--mpi"], "dtype must be 'float64' with --mpi"),
        (["--l1", 0.1], "dtype must be 'float64' with prox"),
    ],
)
def test_bad_arguments(run, words, says):
    code, _, err = run(*words)
    assert code == 2
    assert err.startswith(f"asysg: {says}")
    assert err.count("\n") == 1
