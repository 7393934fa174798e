"""`asysg plan` says what the theory says; `info`, `verify` and the way in."""

import json
import subprocess
import sys
from types import ModuleType

import joblib
import pytest

import asysg
from asysg import theory
from asysg._core.openmp import openmp_version
from asysg.cli import main

PLAN = ["plan", "--gap", "2.3", "--L", "4", "--sigma", "1.5", "--n", "1000"]


@pytest.mark.parametrize("form", theory.FORMS)
@pytest.mark.parametrize("more", [[], ["--workers", "8"], ["--max-delay", "3"]])
def test_plan_is_the_theory(capsys, form, more):
    words = ["--L-max", "2", "--L-T", "3", "--batch-size", "4", "--updates", "100000"]
    assert main([*PLAN, *words, *more, "--form", form, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    c = theory.ProblemConstants(gap=2.3, sigma=1.5, L=4.0, n=1000, L_max=2.0, L_T=3.0)
    T = {"--workers": 7, "--max-delay": 3}.get(more[0], 0) if more else 0
    assert said["max_delay"] == T
    K, M = 100_000, 4
    for name, side in (("con", theory.con), ("incon", theory.incon)):
        p = side.prescribe(c, K=K, M=M, T=T, form=form)
        best = side.gamma_opt(c, K=K, M=M, T=T, form=form)
        wanted = {
            "updates": K,
            "K_min": side.K_min(c, M=M, T=T, form=form),
            "gamma": p.gamma,
            "bound": p.bound,
            "rate": side.rate(c, K=K, M=M, form=form),
            "gamma_max": side.gamma_max(c, M=M, T=T, form=form),
            "gamma_opt": best,
            "bound_opt": side.bound(best, c, K=K, M=M, T=T, form=form),
            "T_max": side.T_max(c, K=K, M=M, form=form),
            "workers_max": side.workers_max(c, K=K, M=M, form=form),
            "holds": p.certificate.holds,
        }
        assert {field: said[name][field] for field in wanted} == wanted


def test_plan_without_updates_takes_the_least(capsys):
    assert main([*PLAN, "--workers", "8"]) == 0
    out = capsys.readouterr().out
    c = theory.ProblemConstants(gap=2.3, sigma=1.5, L=4.0, n=1000)
    for side in (theory.con, theory.incon):
        assert f"{side.K_min(c, M=1, T=7, form='plus'):,}" in out
    assert "T = 7 (workers - 1" in out
    assert "do not apply" not in out
    assert max(map(len, out.splitlines())) <= 100


def test_plan_says_what_fails(capsys):
    assert main([*PLAN, "--workers", "8", "--updates", "10"]) == 0
    out = capsys.readouterr().out
    assert "do not apply" in out
    assert "AsySG-con: K at least K_min" in out or "AsySG-con: " in out
    assert "none" in out  # no staleness at all is covered by so few updates


def test_plan_without_noise(capsys):
    words = ["plan", "--gap", "1", "--L", "1", "--sigma", "0"]
    assert main(words) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main([*words, "--updates", "100", "--workers", "3"]) == 0
    assert "none" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--gap", "-1"], "gap must be"),
        (["--L", "0"], "L must be"),
        (["--sigma", "nan"], "sigma must be"),
        (["--n", "0"], "n must be"),
        (["--L-max", "5"], "L_max must be at most"),
        (["--workers", "0"], "workers must be"),
        (["--max-delay", "-1"], "T must be"),
        (["--batch-size", "0"], "M must be"),
        (["--updates", "0"], "K must be"),
        (["--spread", "0.5"], "spread must be left out without --compute, got 0.5"),
        (["--read", "1"], "read must be left out without --compute, got 1.0"),
        (["--send", "nan"], "send must be left out without --compute, got nan"),
        (["--server", "1"], "server must be left out without --compute and --seconds, got 1.0"),
        (["--eps", "1", "--seconds", "1,2", "--read", "1"], "read must be left out"),
    ],
)
def test_plan_refuses(capsys, words, says):
    assert main([*PLAN, *words]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert says in err


def test_info(capsys):
    assert main(["info", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["asysg"] == asysg.__version__
    assert said["openmp_date"] == openmp_version()
    assert said["cores_usable"] == joblib.cpu_count()
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    for word in (asysg.__version__, "OpenMP", "compiler", "cores", "platform", "NumPy", "SciPy"):
        assert word in out


def test_info_of_a_build_without_openmp(capsys, monkeypatch):
    monkeypatch.setattr("asysg._core.openmp.openmp_version", lambda: 0)
    monkeypatch.setattr("asysg._core.openmp.thread_limit", lambda: 1)
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    assert "ASYSG_OPENMP=require" in out
    assert "at most 1" in out


@pytest.mark.parametrize("ok", [True, False])
def test_verify_passes_its_options_on(capsys, monkeypatch, tmp_path, ok):
    seen = {}

    class Report:
        def __init__(self):
            self.ok = ok

        def table(self):
            return "the table"

    def suite(**options):
        seen.update(options)
        return Report()

    module = ModuleType("asysg.verify")
    module.suite = suite
    monkeypatch.setitem(sys.modules, "asysg.verify", module)
    monkeypatch.setattr(asysg, "verify", module, raising=False)
    words = ["--quick", "--threads", "2", "--objective", "sigmoid", "--objective", "sine",
             "--seed", "7", "--out", str(tmp_path), "--steplength-factor", "3"]  # fmt: skip
    assert main(["verify", *words]) == (0 if ok else 1)
    assert "the table" in capsys.readouterr().out
    assert seen == {
        "quick": True,
        "n_threads": 2,
        "objectives": ["sigmoid", "sine"],
        "seed": 7,
        "out": tmp_path,
        "steplength_factor": 3.0,
        "progress": True,
    }


def test_verify_tightness_prints_and_saves_the_table(capsys, monkeypatch, tmp_path):
    from asysg import verify

    found = verify.tightness(forms=["plus"], T=[0, 1])
    seen = {}
    monkeypatch.setattr(verify, "tightness", lambda **options: seen.update(options) or found)
    assert main(["verify", "--tightness", "--seed", "3", "--out", str(tmp_path)]) == 0
    assert seen == {"replicates": 20, "seed": 3, "progress": True}
    out = capsys.readouterr().out
    assert out.count("plus") == 4
    lines = (tmp_path / "tightness.csv").read_text().splitlines()
    assert lines[0] == "algorithm,form,T,noise part,at gamma/largest,start part,at gamma/largest"
    assert lines[1] == "con,plus,0,1.0000,1.000,1.0000,1.000"


@pytest.mark.parametrize(
    ("option", "got"),
    [
        ("--quick", True), ("--all", True), ("--threads 0", 0), ("--objective none", ["none"]),
        ("--steplength-factor nan", "nan"),
    ],
)  # fmt: skip
def test_verify_tightness_refuses_what_it_has_no_use_for(
    capsys, monkeypatch, tmp_path, option, got
):
    monkeypatch.chdir(tmp_path)
    assert main(["verify", "--tightness", *option.split()]) == 2
    name = option.split()[0].removeprefix("--").replace("-", "_")
    says = f"asysg: {name} must be left out with --tightness, got {got}.\n"
    assert capsys.readouterr().err == says
    assert not any(tmp_path.iterdir())


def test_module_is_a_way_in(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "asysg", "run", str(tmp_path / "none.svm")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_a_reader_that_leaves_is_no_traceback():
    done = subprocess.run(
        f"{sys.executable} -m asysg plan --gap 1 --L 1 --sigma 1 | true",
        shell=True, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""


@pytest.mark.parametrize("words", [[], ["fly"], ["plan"], ["info", "--fast"]])
def test_unknown_commands_and_options(capsys, words):
    assert main(words) == 2
    assert "usage: asysg" in capsys.readouterr().err


def test_version_and_help(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"asysg {asysg.__version__}\n"
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    for command in ("run", "plan", "verify", "info"):
        assert command in out
