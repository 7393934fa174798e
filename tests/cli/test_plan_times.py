"""`asysg plan --eps --seconds` says what the planner says."""

import json
from dataclasses import asdict

import pytest

from asysg.cli import main
from asysg.theory import ProblemConstants, planner

PLAN = ["plan", "--gap", "1", "--L", "4", "--sigma", "1"]
TIMES = ["--eps", "0.01", "--seconds", "1,1,1,1000"]
C = ProblemConstants(gap=1.0, sigma=1.0, L=4.0)


@pytest.mark.parametrize("server", [0.0, 0.25])
def test_the_times_are_the_planners(capsys, server):
    assert main([*PLAN, *TIMES, "--server", str(server), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["workers"] == 4
    assert said["max_delay"] == 3
    how = {"eps": 0.01, "seconds": [1.0, 1.0, 1.0, 1000.0]}
    for word, fastest in (("all_workers", False), ("fastest_workers", True)):
        wanted = [
            asdict(planner.predict(m, C, **how, server=server, fastest=fastest))
            for m in planner.METHODS
        ]
        assert said["predicted"][word] == wanted
    assert said["predicted"]["orders"] == [asdict(o) for o in planner.orders(C, **how)]


def test_the_tables(capsys):
    assert main([*PLAN, *TIMES]) == 0
    out = capsys.readouterr().out
    found = planner.predict("sync", C, eps=0.01, seconds=[1, 1, 1, 1000])
    line = next(line for line in out.splitlines() if line.startswith("  sync"))
    assert f"{found.seconds:.6g}" in line
    assert max(map(len, out.splitlines())) <= 100
    for word in (*planner.METHODS, "lower bound", "Theorem U", "arXiv:2206.08307"):
        assert word in out


def test_a_dead_worker(capsys):
    words = ["--eps", "0.01", "--seconds", "1,inf"]
    assert main([*PLAN, *words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["predicted"]["all_workers"][0]["seconds"] == "inf"
    assert said["predicted"]["seconds"] == [1.0, "inf"]
    assert main([*PLAN, *words]) == 0
    assert "inf" in capsys.readouterr().out


def test_nobody_asked(capsys):
    assert main([*PLAN, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert "predicted" not in said
    assert said["workers"] == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--eps", "0.1"], "seconds must be given"),
        (["--seconds", "1,2"], "eps must be given"),
        (["--eps", "0", "--seconds", "1"], "eps must be"),
        (["--eps", "0.1", "--seconds", "1,0"], "seconds must be"),
        (["--eps", "0.1", "--seconds", "1,1", "--server", "-1"], "server must be"),
        (["--eps", "0.1", "--seconds", "1,1", "--workers", "3"], "seconds must be one number"),
    ],
)
def test_refusals(capsys, words, says):
    assert main([*PLAN, *words]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert says in err


def test_seconds_that_are_no_numbers(capsys):
    assert main([*PLAN, "--eps", "0.1", "--seconds", "1,fast"]) == 2
    assert "--seconds" in capsys.readouterr().err
