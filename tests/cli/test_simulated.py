"""``asysg speedup``, ``calibrate``, ``phase``, and the simulated part of ``plan``."""

import json

import pytest

from asysg._core.openmp import openmp_version
from asysg.cli import main
from asysg.cli.speedup import TABLES

SMALL = ["--layers", "6,4,3", "--costs", "1e-5,1e-6,2e-6,5e-6", "--replicates", "2"]


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("table", sorted(TABLES))
def test_speedup(table, tmp_path, capsys):
    out = tmp_path / "s"
    words = ["speedup", "--poster", table, "--workers", "1,2,8", "--updates", "400", *SMALL]
    assert main([*words, "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "SIMULATED" in shown
    assert "confidence" in shown
    head, *records = lines(out.with_name("s.jsonl"))
    assert head["costs"]["compute"] == 1e-5
    assert {record["n_workers"] for record in records} == {1, 2, 8}
    assert len(records) == 6
    assert out.with_name("s.png").stat().st_size > 1000
    # The same seed, the same bits.
    first = out.with_name("s.jsonl").read_bytes()
    assert main([*words, "--out", str(out)]) == 0
    assert out.with_name("s.jsonl").read_bytes() == first


def test_speedup_beside_real_threads(capsys):
    if openmp_version():
        assert main(["speedup", "--workers", "2", "--updates", "300", "--threads", *SMALL]) == 0
        assert "real threads" in capsys.readouterr().out
    assert main(["speedup", "--workers", "3", "--updates", "300", "--threads", *SMALL]) == 2


def test_speedup_beside_real_ranks(capsys):
    words = ["speedup", "--workers", "2", "--updates", "100", "--ranks", *SMALL]
    assert main([*words, "--poster", "table2"]) == 2
    assert "poster must be table1 for --ranks" in capsys.readouterr().err
    pytest.importorskip("mpi4py", reason="mpi4py is not installed (asysg[mpi])")
    assert main([*words, "--poster", "table1"]) == 0
    said = capsys.readouterr().out
    assert "real ranks" in said
    assert "seconds, p = 2" in said


def test_only_known_numbers_of_the_poster_are_shown():
    assert set(TABLES["table1"].poster) == {1, 8}
    assert set(TABLES["table2"].poster) == {1, 28, 32}


def test_calibrate(capsys):
    assert main(["calibrate", "--poster", "table1", "--layers", "6,4,3", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["compute"] > 0
    assert found["transport"] == "messages"
    assert main(["calibrate", "--layers", "6,4,3"]) == 0
    assert "asysg speedup --costs" in capsys.readouterr().out


def test_phase(tmp_path, capsys):
    out = tmp_path / "p"
    words = ["phase", "--delays", "0,4", "--updates", "200,800", "--n", "5", "--replicates", "2"]
    assert main([*words, "--out", str(out)]) == 0
    assert "workers with linear speedup" in capsys.readouterr().out
    assert len(lines(out.with_name("p.jsonl"))) == 4
    assert out.with_name("p.png").stat().st_size > 1000


PLAN = ["plan", "--gap", "2.3", "--L", "4", "--sigma", "1.5", "--n", "10", "--workers", "50"]


def test_plan_with_speeds(capsys):
    assert main([*PLAN, "--compute", "1e-3", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    # Fifty equal workers: 50,000 updates a second, every delay 49.
    for algorithm in ("con", "incon"):
        assert found["simulated"][algorithm]["updates_per_second"] == pytest.approx(5e4, rel=0.01)
        assert found["simulated"][algorithm]["delay_max"] == 49
    assert main([*PLAN, "--compute", "1e-3", "--spread", "1"]) == 0
    assert "beyond T = 49" in capsys.readouterr().out
    assert main([*PLAN, "--compute", "1e-3", "--server", "1e-4", "--max-delay", "60"]) == 0
    assert "beyond" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        ["speedup", "--workers", "0", *SMALL],
        ["speedup", "--costs", "1,2"],
        ["speedup", "--layers", "5", "--costs", "1,1,1,1"],
        ["speedup", "--seed", "-1"],
        ["phase", "--sigma", "0"],
        ["phase", "--seed", "-1"],
        ["phase", "--delays", "x"],
        [*PLAN, "--compute", "-1"],
    ],
)
def test_bad_input(words, capsys):
    assert main(words) == 2
    assert capsys.readouterr().err
