"""What every command has: help for every option, --json, and the same exit codes."""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import asysg
from asysg._core.openmp import openmp_version
from asysg.cli import _problem, main, parser

THREADS = "2" if openmp_version() else "1"
DOCS = Path(__file__).parents[2] / "docs"


def commands() -> dict[str, argparse.ArgumentParser]:
    (found,) = (a for a in parser()._actions if isinstance(a, argparse._SubParsersAction))
    return dict(found.choices)


COMMANDS = commands()

#: Each command with arguments that take a moment only; FILE is a small data file, OUT a folder,
#: RECORDS those of the docs.
SMALL = {
    "run": "FILE --updates 300 --threads 1 --no-progress --out OUT",
    "diagnose": f"FILE --threads {THREADS} --seconds 0.01 --updates 1000",
    "plan": "--gap 1 --L 1 --sigma 1",
    "compare": "--workers 2 --updates 200 --samples 20 --n 3 --replicates 1",
    "speedup": "--layers 6,4,3 --costs 1e-5,1e-6,2e-6,5e-6 --replicates 2 --workers 1,2 "
    "--updates 200",
    "calibrate": "--layers 6,4,3",
    "phase": "--delays 0,2 --updates 200 --n 4 --replicates 1",
    "reproduce": "rate --from RECORDS --out OUT",
    "verify": "--tightness --out OUT",
    "info": "",
}
#: And a mistake in an argument of each.
WRONG = {
    "run": "nowhere.svm",
    "diagnose": "nowhere.svm",
    "plan": "--gap -1 --L 1 --sigma 1",
    "compare": "--seed -1",
    "speedup": "--seed -1",
    "calibrate": "--seed -1",
    "cifar": "--samples 1",
    "phase": "--seed -1",
    "reproduce": "rate --seed -1",
    "verify": "--objective nothing",
    "info": "--fast",
}


@pytest.fixture
def words(tmp_path, monkeypatch):
    """Return a function that makes the words of a command."""
    monkeypatch.chdir(tmp_path)
    np.savez(
        tmp_path / "data.npz",
        A=np.random.default_rng(0).standard_normal((30, 3)),
        y=np.arange(30) % 2,
    )
    records = str(DOCS / "figures" / "records")
    names = {"FILE": "data.npz", "OUT": "out", "RECORDS": records}
    return lambda command, text: [command, *(names.get(word, word) for word in text.split())]


@pytest.fixture
def quick(monkeypatch):
    """Leave out what the figures and simulated replicates of tightness would take."""
    from matplotlib.figure import Figure

    from asysg import verify

    found = verify.tightness(forms=["plus"], T=[0, 1])
    monkeypatch.setattr(verify, "tightness", lambda **_: found)
    monkeypatch.setattr(asysg.Result, "plot", lambda *_: Figure(figsize=(1, 1)))


def test_every_command_is_here():
    assert set(COMMANDS) == set(WRONG) == {*SMALL, "cifar"}


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_option_says_what_it_is(command):
    known = COMMANDS[command]
    assert known.description
    for action in known._actions:
        assert action.help, action.dest
        takes_a_value = action.nargs != 0
        assert not takes_a_value or action.metavar or action.choices, action.dest
    assert any("--json" in action.option_strings for action in known._actions)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_help_and_reference(command, capsys):
    assert main([command, "--help"]) == 0
    assert f"usage: asysg {command}" in capsys.readouterr().out
    assert main(["--help"]) == 0
    assert re.search(rf"\n    {command}\s", capsys.readouterr().out)
    reference = (DOCS / "reference" / "command-line.rst").read_text()
    assert f"generated/asysg-{command}.txt" in reference
    assert re.search(rf'COMMANDS = \([^)]*"{command}"', (DOCS / "conf.py").read_text())


@pytest.mark.parametrize("command", sorted(SMALL))
def test_one_json_document_and_nothing_else(command, words, quick, capfd):
    """On the process's own stdout: nothing compiled writes there either."""
    assert main([*words(command, SMALL[command]), "--json"]) == 0
    out, err = capfd.readouterr()

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    assert isinstance(json.loads(out, parse_constant=refuse), dict)
    assert "Traceback" not in err


@pytest.mark.parametrize("command", sorted(SMALL))
def test_without_json_people_can_read_it(command, words, quick, capsys):
    assert main(words(command, SMALL[command])) == 0
    out = capsys.readouterr().out
    assert out
    with pytest.raises(json.JSONDecodeError):
        json.loads(out)


@pytest.mark.parametrize("command", sorted(WRONG))
def test_bad_input_is_2(command, words, capsys):
    assert main(words(command, WRONG[command])) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "asysg" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("command", sorted(COMMANDS))
@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (KeyboardInterrupt(), 130),
        (asysg.DivergenceError("x"), 1),
        (asysg.ObjectiveError("x"), 1),
        (MemoryError(), 1),
        (OSError(28, "No space left on device", "c.png"), 1),
        (asysg.InvalidArgument("x"), 2),
        (asysg.CertificateError("x"), 2),
        (asysg.MissingPackage("x"), 2),
    ],
)
def test_what_is_raised_makes_the_exit_code(command, raised, code, words, monkeypatch, capsys):
    """Whatever a command raises, it is one line on stderr and the same code for all of them."""

    def fail(args):
        raise raised

    def replaced():
        found = parser()
        (action,) = (a for a in found._actions if isinstance(a, argparse._SubParsersAction))
        action.choices[command].set_defaults(command=fail)
        return found

    monkeypatch.setattr(asysg.cli, "parser", replaced)
    assert main(words(command, SMALL.get(command, ""))) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("asysg: ")
    assert err.count("\n") == 1


#: Where the work of each command that saves something begins.
WORK = {
    "run": "asysg.minimize",
    "compare": "asysg.simulate.comparisons.compare",
    "speedup": "asysg.simulate.speedups.study",
    "cifar": "asysg.figures._on_ranks.run",
    "phase": "asysg.simulate.phases.diagram",
    "reproduce": "asysg.figures._reproduce._continued",
    "verify": "asysg.verify.tightness",
}


#: Those that make the folder they are given.
MAKERS = ("run", "reproduce", "verify")


@pytest.mark.parametrize(
    ("command", "out"),
    [
        (command, out)
        for command in sorted(WORK)
        for out in ("none/c", "data.npz/c", ".")
        if out == "data.npz/c" or command not in MAKERS
    ],
)
def test_nothing_runs_for_what_cannot_be_saved(command, out, words, monkeypatch, capsys):
    def work(*_, **__):
        raise AssertionError("work was begun")

    monkeypatch.setattr(WORK[command], work)
    monkeypatch.setattr("asysg.figures._on_ranks.need", lambda *_: None)
    text = SMALL.get(command, "").replace(" --out OUT", "").replace("--from RECORDS", "--quick")
    assert main([*words(command, text), "--out", out]) == 2
    said, err = capsys.readouterr()
    assert said == ""
    assert err.startswith("asysg: out must be ")
    assert sorted(path.name for path in Path().iterdir()) == ["data.npz"]


@pytest.mark.parametrize("quietly", [[], ["--json"]])
def test_a_failed_run_is_1(quietly, words, quick, capsys):
    text = "FILE --objective nclogit --updates 2000 --threads 1 --steplength 1e308 --out OUT"
    assert main([*words("run", text), *quietly]) == 1
    out = capsys.readouterr().out
    if quietly:
        assert json.loads(out)["result"]["status"] == "diverged"


def test_a_diagnosis_of_a_file_and_of_what_is_built_in(words, capsys):
    assert main([*words("diagnose", SMALL["diagnose"])]) == 0
    out = capsys.readouterr().out
    assert "30 samples, 3 features" in out
    assert "SIMULATED speedup" in out
    for problem in ("cosine", "sigmoid", "sparse", "network"):
        text = f"--problem {problem} --threads 1 --seconds 0.005 --updates 100 --json"
        assert main(words("diagnose", text)) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["about"]["problem"].startswith(problem)
        assert (found["method"], found["asynchronous"]) == ("sgd", False)
    assert main(words("diagnose", "FILE --problem cosine")) == 2
    assert "problem must be left out with a file" in capsys.readouterr().err


@pytest.mark.parametrize(
    "option",
    [
        "--objective cauchy", "--objective sigmoid", "--format csv", "--labels 2", "--header no",
        "--first-index 0", "--features 3", "--max-features 9", "--positive 1",
        "--scale unit-rows",
    ],
)  # fmt: skip
def test_what_is_built_in_is_not_read(option, words, capsys):
    assert main(words("diagnose", f"--problem cosine {option}")) == 2
    name, value = option.removeprefix("--").split()
    says = f"asysg: {name.replace('-', '_')} must be left out without FILE, got {value}.\n"
    assert capsys.readouterr().err == says


def test_every_option_of_the_data_has_its_usual_value():
    known = argparse.ArgumentParser()
    _problem.add_data(known)
    assert vars(known.parse_args([])) == _problem.UNASKED


def test_a_monitored_run(words, quick, tmp_path, capsys):
    text = SMALL["run"] + " --monitor seen.jsonl"
    assert main(words("run", text)) == 0
    lines = (tmp_path / "seen.jsonl").read_text().splitlines()
    result = asysg.Result.from_json(tmp_path / "out" / "data-sigmoid-asysg-incon.json")
    assert [json.loads(line)["nit"] for line in lines] == (result.trace.k - 1).tolist()
    assert main(words("run", SMALL["run"] + " --monitor none/seen.jsonl")) == 2
    assert "path must be a file that can be written" in capsys.readouterr().err


def test_the_parser_can_be_completed(tmp_path):
    """Tools that write completions (shtab) need a parser from a function without arguments."""
    program = """
from asysg.cli import parser
import argparse
assert isinstance(parser(), argparse.ArgumentParser) and parser().prog == "asysg"
import sys
assert not {"asysg._core.threads", "matplotlib"} & set(sys.modules), "slow to complete"
"""
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
