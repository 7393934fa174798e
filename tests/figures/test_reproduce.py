"""Small runs of every experiment, and the command."""

import json
import signal
import subprocess
import sys
import time

import pytest

from asysg import InvalidArgument, figures, verify
from asysg._core.openmp import openmp_version
from asysg.cli import main
from asysg.cli.reproduce import NAMES as WORDS
from asysg.figures import cluster, multicore, phase, rate, tightness
from asysg.figures._experiment import Asked
from asysg.figures._reproduce import EXPERIMENTS, NAMES
from asysg.verify import _tightness

from .conftest import DOCS, read_lines, timeless


def test_the_command_has_every_name():
    assert set(WORDS) == {*NAMES, "all"}
    assert set(NAMES.values()) == set(EXPERIMENTS)


def smaller(monkeypatch, module, **changes):
    """Let an experiment be smaller than its quick runs."""
    full = module.settings

    def settings(asked):
        found = full(asked)
        found["virtual"] = {**found.get("virtual", {}), **changes.get("virtual", {})}
        return {**found, **{k: v for k, v in changes.items() if k != "virtual"}}

    monkeypatch.setattr(module, "settings", settings)


def test_simulated_runs_repeat_and_follow_the_seed(monkeypatch, tmp_path):
    smaller(monkeypatch, rate, doublings=1, n_records=50, batch_sizes=[1])
    smaller(monkeypatch, phase, delays=[0, 1, 3], updates=[100, 300, 1000], n_records=50)
    smaller(monkeypatch, tightness, delays=[0, 1], forms=["paper"])
    names = ["rate", "phase", "limits", "tightness"]
    for folder, seed in (("a", 0), ("b", 0), ("c", 1)):
        drawn = figures.reproduce(names, tmp_path / folder, quick=True, seed=seed)
        assert set(drawn.tables) == set(names)
        assert all(path.stat().st_size > 50 for path in drawn.files)
    for name in ("rate", "phase", "tightness"):
        a, b, c = (timeless(tmp_path / f / "records" / f"{name}.jsonl") for f in "abc")
        assert a == b
        assert a[1] != c[1]


def test_tightness_has_the_numbers_of_verify(monkeypatch, tmp_path):
    smaller(monkeypatch, tightness, delays=[0, 2], forms=["plus"])
    drawn = figures.reproduce(["tightness"], tmp_path, seed=5, replicates=3)
    found = verify.tightness(forms=["plus"], T=[0, 2], replicates=3, seed=5)
    assert [list(row) for row in drawn.tables["tightness"].rows] == _tightness.table(found)[1:]


def test_threads_and_virtual_workers(monkeypatch, tmp_path):
    if not openmp_version():
        with pytest.raises(InvalidArgument, match="must have a build with OpenMP"):
            figures.reproduce(["figure4"], tmp_path, quick=True)
        return
    small = {"layers": [6, 4, 3], "updates": 200, "records": 5}
    smaller(monkeypatch, multicore, workers=[1, 3], virtual=small)
    drawn = figures.reproduce(["figure4", "table2"], tmp_path, quick=True)
    head, lines = read_lines(tmp_path / "records" / "multicore.jsonl")
    assert [line["task"]["what"] for line in lines].count("threads") == 4
    for line in lines:
        if line["task"]["what"] == "threads":
            scarce = line["task"]["workers"] > head["cores"]
            assert line["how"] == ("oversubscribed" if scarce else "measured")
            assert line["k"][-1] == 201
    one, three = drawn.tables["table2"].numbers
    assert one["iteration_speedup_simulated"] == 1
    assert three["staleness_mean"] >= 0
    assert three["iteration_speedup_poster"] is None


def test_ranks(monkeypatch, tmp_path):
    pytest.importorskip("mpi4py", reason="mpi4py is not installed (asysg[mpi])")
    pytest.importorskip("torch", reason="PyTorch is not installed (asysg[torch])")
    small = {"layers": [6, 4, 3], "updates": 100, "records": 5, "replicates": 2}
    smaller(monkeypatch, cluster, workers=[1, 2], samples=30, updates=4, records=2, virtual=small)
    drawn = figures.reproduce(["figure3", "table1"], tmp_path, quick=True)
    _, lines = read_lines(tmp_path / "records" / "cluster.jsonl")
    ranks = [line for line in lines if line["task"]["what"] == "ranks"]
    assert [line["k"][-1] for line in ranks] == [5, 5]
    assert "89,578 parameters" in drawn.tables["table1"].text()
    assert (tmp_path / "figure3.svg").exists()
    with pytest.raises(InvalidArgument, match=r"data_batch_1\.bin"):
        figures.reproduce(["table1"], tmp_path, data=tmp_path)


def test_images_of_cifar_are_told_apart_by_what_they_are(tmp_path):
    for number in range(1, 6):
        (tmp_path / f"data_batch_{number}.bin").write_bytes(bytes([number]))
    asked = Asked(data=tmp_path)
    first = cluster.settings(asked)
    assert (first["images"], first["updates"], first["learning_rate"]) == ("CIFAR-10", 10_000, 1e-3)
    assert str(tmp_path) not in json.dumps(first)
    (tmp_path / "data_batch_3.bin").write_bytes(b"other")
    assert cluster.settings(asked)["digest"] != first["digest"]


def test_from_draws_only(tmp_path, capsys):
    words = ["reproduce", "rate", "table1", "--from", str(DOCS / "figures" / "records")]
    assert main([*words, "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert f"From the records in {DOCS / 'figures' / 'records'} were drawn:\n" in shown
    assert (DOCS / "figures" / "rate.txt").read_text() in shown
    assert "OVERSUBSCRIBED" in shown
    assert "5.96" in shown
    assert not (tmp_path / "records").exists()
    assert main([*words, "--out", str(tmp_path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert set(document["tables"]) == {"rate", "table1"}
    assert str(tmp_path / "rate.svg") in document["files"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["figure9"], "invalid choice"),
        (["rate", "--seed", "-1"], "seed must be an integer >= 0, got -1"),
        (["rate", "--replicates", "1"], "replicates must be an integer >= 2, got 1"),
        (["rate", "--from", "/nowhere"], "must be a readable record"),
        (["rate", "--from", "/nowhere", "--quick"], "quick must be left out with --from"),
    ],
)
def test_bad_input(words, text, capsys, tmp_path):
    assert main(["reproduce", *words, "--out", str(tmp_path)]) == 2
    assert text in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_leaves_a_valid_record(tmp_path):
    """In the full run, of minutes, so that the signal comes before its end."""
    command = [sys.executable, "-m", "asysg", "reproduce", "rate", "--out", str(tmp_path)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    path = tmp_path / "records" / "rate.jsonl"
    while process.poll() is None and not (path.exists() and path.read_bytes().count(b"\n") > 2):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    assert "the same command goes on from there" in said
    head, lines = read_lines(path)
    assert len(lines) >= 2
    assert [line["task"] for line in lines] == rate.tasks(head["settings"])[: len(lines)]
