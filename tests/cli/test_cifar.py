"""``asysg cifar``: the paper's experiment on ranks, small, and what it refuses."""

import json

import numpy as np
import pytest

from asysg.cli import main
from asysg.cli.cifar import rows, speedups


def test_two_workers_beside_one(tmp_path, capsys):
    pytest.importorskip("mpi4py", reason="mpi4py is not installed (asysg[mpi])")
    pytest.importorskip("torch", reason="PyTorch is not installed (asysg[torch])")
    out = tmp_path / "cifar"
    words = ["cifar", "--workers", "2", "--samples", "30", "--updates", "6", "--records", "3"]
    assert main([*words, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "n = 89,578" in said
    assert "mpi-1" in said
    assert "mpi-2" in said
    assert out.with_name("cifar.png").stat().st_size > 1000
    head, *lines = map(json.loads, out.with_name("cifar.jsonl").read_text().splitlines())
    assert head["n_updates"] == 6
    runs = [line for line in lines if "status" in line]
    assert [run["n_workers"] for run in runs] == [1, 2]
    for run in runs:
        assert run["status"] == "completed"
        assert run["k"][-1] == 7
        assert sum(run["cluster"]["updates"]) == 6
    assert runs[0]["T"] == 0
    # The same weights, images and loss at the start, whatever the number of workers.
    assert runs[0]["f"][0] == pytest.approx(runs[1]["f"][0], rel=1e-6)
    assert runs[0]["f"][0] == pytest.approx(np.log(10), rel=1e-2)


def curve(seconds, T):
    """Loss 4, 2, 1 after 0, 10, 20 updates."""
    return {
        "k": [1, 11, 21], "time": seconds, "f": [4.0, 2.0, 1.0], "grad_norm_sq": [1.0] * 3,
        "weight": [0.5, 0.5, 0.0], "T": T, "mean": T / 2,
    }  # fmt: skip


def test_the_table_is_by_the_authors_definition():
    replicates = [[curve([0, 1, 2], 0), curve([0, 0.5, 1], 3)] for _ in range(2)]
    study = speedups([1, 8], replicates)
    one, eight = rows(study, cores=2)[1:]
    assert one[:5] == ("mpi-1", "1 [1, 1]", "1.01", "1 [1, 1]", "1")
    assert eight[:5] == ("mpi-8", "8 [8, 8]", "5.96", "2 [2, 2] *", "5")
    assert eight[5:] == ("1.50", "3", "1")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--samples", "5"], "samples must be an integer >= 10, got 5"),
        (["--workers", "0"], "workers must be integers >= 1"),
        (["--records", "1"], "records must be an integer >= 2, got 1"),
        (["--data", ".", "--samples", "50"], "samples must be left out with --data, got 50"),
        (["--learning-rate", "-1"], "learning_rate must be a finite number > 0, got -1"),
    ],
)
def test_bad_input(words, text, capsys):
    assert main(["cifar", *words]) == 2
    assert text in capsys.readouterr().err


def test_data_that_is_not_there(capsys):
    pytest.importorskip("mpi4py", reason="mpi4py is not installed (asysg[mpi])")
    pytest.importorskip("torch", reason="PyTorch is not installed (asysg[torch])")
    assert main(["cifar", "--data", "/nowhere"]) == 2
    assert "folder must hold data_batch_1.bin" in capsys.readouterr().err
