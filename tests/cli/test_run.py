"""`asysg run`: data of every kind to a certificate, bad input to one line and exit code 2."""

import gzip
import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse
from matplotlib.figure import Figure
from sklearn.datasets import dump_svmlight_file, load_breast_cancer, load_digits

import asysg
from asysg import theory
from asysg.cli import main

SMALL = "1 1:0.5 3:-2.25\n-1 2:1 3:3\n-1\n1 1:7 2:.1\n"


@pytest.fixture(autouse=True)
def plain_picture(request, monkeypatch):
    """Draw an empty picture: only one test here looks at a real one, which takes a second."""
    if request.function is not test_breast_cancer_as_svmlight:
        monkeypatch.setattr(asysg.Result, "plot", lambda self: Figure(figsize=(1, 1)))


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.svm"
    path.write_text(SMALL)
    return path


@pytest.fixture
def run(tmp_path, capsys):
    """Return a function that runs the command and gives its exit code, stdout and stderr."""

    def call(*words):
        code = main(["run", *map(str, words), "--out", str(tmp_path / "out")])
        out, err = capsys.readouterr()
        if "--json" in words:
            return code, out, err
        assert all(len(line) <= 100 or str(tmp_path) in line for line in out.splitlines())
        # Lines are wrapped for people: tests look for words, wherever the lines break.
        return code, " ".join(out.split()), err

    return call


def refused(outcome):
    code, _, err = outcome
    assert code == 2
    assert err.startswith("asysg: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err


def test_breast_cancer_as_svmlight(run, tmp_path):
    X, y = load_breast_cancer(return_X_y=True)
    path = tmp_path / "cancer.svm"
    dump_svmlight_file(X, y, str(path), zero_based=False)
    code, out, err = run(path, "--scale", "unit-columns", "--updates", 5000, "--threads", 2)
    assert (code, err) == (0, "")
    assert "569 samples, 30 features" in out
    assert "0 -> 0, 1 -> 1" in out
    assert "largest absolute value" in out
    assert "Every hypothesis holds" in out
    assert "keeps the bound" in out
    saved = tmp_path / "out" / "cancer-sigmoid-asysg-incon.json"
    assert str(saved) in out
    result = asysg.Result.from_json(saved)
    assert result.nit == 5000
    assert result.certificate.recheck().verdict == "within"
    assert saved.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert saved.with_suffix(".png").stat().st_size > 10_000  # not an empty picture


def test_digits_against_the_rest(run, tmp_path):
    X, y = load_digits(return_X_y=True)
    path = tmp_path / "digits.svm.gz"
    with gzip.open(path, "wb") as file:
        dump_svmlight_file(X, y, file, zero_based=False)
    err = refused(run(path))
    assert "0, 1, 2, 3, 4, 5, 6, 7, 8, 9" in err
    assert "--positive" in err
    code, out, err = run(path, "--positive", 3, "--updates", 3000, "--method", "asysg-con")
    assert (code, err) == (0, "")
    assert "3 -> 1, all others -> 0" in out
    assert "keeps the bound" in out


@pytest.mark.parametrize("kind", ["svm", "csv", "npz", "csr"])
def test_every_format_gives_the_same_run(run, tmp_path, kind):
    rng = np.random.default_rng(0)
    A, y = rng.standard_normal((40, 5)).round(3), rng.integers(0, 2, 40)
    A[0, 0] = 0.0
    path, more = tmp_path / f"data.{kind}", []
    if kind == "svm":
        dump_svmlight_file(A, y, str(path), zero_based=False)
    elif kind == "csv":
        np.savetxt(path, np.column_stack([A, y]), delimiter=",", header="a,b,c,d,e,y", comments="")
    elif kind == "npz":
        np.savez(path, X=A, y=y)
    else:
        path = tmp_path / "data.npz"
        scipy.sparse.save_npz(path, scipy.sparse.csr_array(A))
        np.save(tmp_path / "y.npy", y)
        more = ["--labels", tmp_path / "y.npy"]
    code, _, _ = run(path, "--threads", 1, "--updates", 500, "--seed", 3, *more)
    assert code == 0
    found = asysg.Result.from_json(tmp_path / "out" / "data-sigmoid-asysg-incon.json")
    wanted = asysg.minimize(
        asysg.objectives.SigmoidRegression(A, y), np.zeros(5), n_updates=500, n_threads=1, rng=3
    )
    # Dense and sparse sums of a row may round differently; that is all that may differ.
    np.testing.assert_allclose(found.x, wanted.x, rtol=1e-12, atol=1e-14)
    assert found.steplength == pytest.approx(wanted.steplength, rel=1e-12)


@pytest.mark.parametrize(
    "objective", ["sigmoid", "nclogit", "welsch", "geman", "cauchy", "sine", "phase"]
)
@pytest.mark.parametrize("method", ["asysg-incon", "asysg-con", "hogwild", "asyscd", "sgd"])
def test_every_objective_and_method(run, tmp_path, objective, method):
    rng = np.random.default_rng(1)
    A, y = rng.standard_normal((60, 4)), rng.integers(0, 2, 60)
    np.savez(tmp_path / "data.npz", A=A, y=y)
    code, out, err = run(
        tmp_path / "data.npz", "--objective", objective, "--method", method, "--epochs", 50
    )
    assert (code, err) == (0, "")
    assert "keeps the bound" in out
    # Coordinate descent needs no sigma.
    assert ("ESTIMATED" in out) == (objective == "phase" and method != "asyscd")
    assert ("sigma 0," in out) == (method == "asyscd")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "where there is none"),
        ("", "at least one sample"),
        ("1 1:nan\n-1 1:1\n", "must be finite"),
        ("1 2:1 1:1\n", "line 1"),
        ("1 1:1\n1 1:1\n", "two classes, got 1 only"),
        ("1 1:1\n2 1:1\n3 1:2\n", "two classes, got 1, 2, 3"),
        ("1 1:1\n-1 99999999999999999999:1\n", "line 2"),
        ("1,2\n", "line 1"),
    ],
)
def test_bad_files(run, tmp_path, content, says):
    path = tmp_path / "bad.svm"
    if content is not None:
        path.write_text(content)
    assert says in refused(run(path))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--threads", "0"], "n_threads"),
        (["--batch-size", "0"], "batch_size"),
        (["--updates", "0"], "updates"),
        (["--method", "asyscd", "--batch-size", "2"], "batch_size must be 1 with --method asyscd"),
        (["--epochs", "nan"], "epochs"),
        (["--epochs", "-1"], "epochs"),
        (["--max-delay", "-1"], "max_delay"),
        (["--steplength", "-1"], "steplength"),
        (["--steplength", "nan"], "steplength"),
        (["--seed", "-1"], "seed"),
        (["--positive", "7"], "positive must be one of the labels -1, 1"),
        (["--positive", "1", "--objective", "welsch"], "positive must be left out"),
        (["--objective", "phase"], "y must be at least 0"),
        (["--record", "off", "--threads", "2"], "record"),
        (["--header", "yes"], "header"),
        (["--max-features", "2"], "max_features"),
        (["--checkpoint", "/nowhere/at/all"], "checkpoint"),
    ],
)
def test_bad_arguments(run, small, words, says):
    assert says in refused(run(small, *words))


@pytest.mark.parametrize(
    "words",
    [
        ["--frobnicate"],
        ["--objective", "convex"],
        ["--method", "adam"],
        ["--updates", "many"],
        ["--steplength", "big"],
        ["--max-delay", "1.5"],
        ["--updates", "5", "--epochs", "5"],
        ["another"],
    ],
)
def test_unknown_options(run, small, words):
    code, _, err = run(small, *words)
    assert code == 2
    assert "usage: asysg run" in err or "usage: asysg" in err
    assert words[0].lstrip("-") in err or words[-1] in err


def test_out_must_be_a_folder(small, tmp_path, capsys):
    assert main(["run", str(small), "--out", str(small)]) == 2
    assert "out must be a folder" in capsys.readouterr().err


def test_labels_are_mapped_aloud(run, small, tmp_path):
    _, out, _ = run(small, "--updates", 50)
    assert "-1 -> 0, 1 -> 1" in out
    _, out, _ = run(small, "--updates", 50, "--objective", "nclogit")
    assert "-1 -> -1, 1 -> 1" in out
    _, out, _ = run(small, "--updates", 50, "--positive", "-1")
    assert "-1 -> 1, 1 -> 0" in out
    words = tmp_path / "words.csv"
    words.write_text("1,benign\n2,malignant\n")
    _, out, _ = run(words, "--updates", 50, "--positive", "malignant")
    assert "malignant -> 1, benign -> 0" in out
    assert "got benign, malignant" in refused(run(words, "--objective", "welsch"))
    soft = tmp_path / "soft.csv"
    soft.write_text("1,0.25\n2,0.5\n3,1\n")
    _, out, _ = run(soft, "--updates", 50)
    assert "used as they are (all in 0..1)" in out
    assert "two classes" in refused(run(soft, "--updates", 50, "--objective", "nclogit"))


@pytest.mark.parametrize("sparse", [False, True])
def test_scaling(sparse):
    from asysg.cli import _problem

    A = np.array([[3.0, -4.0, 0.0], [0.0, 0.0, 0.0], [1e200, 1e200, 0.0]])
    given = scipy.sparse.csr_array(A) if sparse else A
    columns, _ = _problem.scaled(given, "unit-columns")
    rows, _ = _problem.scaled(given, "unit-rows")
    same, nothing = _problem.scaled(given, "none")
    assert same is given
    assert nothing is None
    if sparse:
        assert columns.format == rows.format == "csr"
        columns, rows = columns.toarray(), rows.toarray()
    np.testing.assert_allclose(columns, A / [1e200, 1e200, 1], rtol=1e-15)
    half = np.sqrt(0.5)
    np.testing.assert_allclose(rows, [[0.6, -0.8, 0], [0, 0, 0], [half, half, 0]], rtol=1e-15)


def test_json_is_one_document(run, small, tmp_path):
    code, out, err = run(small, "--updates", 300, "--threads", 1, "--json")
    assert (code, err) == (0, "")
    said = json.loads(out)
    c = theory.ProblemConstants.from_dict(said["constants"])
    p = theory.incon.prescribe(c, K=300, M=1, T=0)
    assert said["prescription"]["gamma"] == p.gamma
    assert said["prescription"]["bound"] == p.bound
    assert said["result"]["nit"] == 300
    cert = theory.Certificate.from_dict(said["result"]["certificate"])
    assert cert.recheck().gamma == said["result"]["steplength"]
    assert json.loads((tmp_path / "out/small-sigmoid-asysg-incon.json").read_text())["nit"] == 300


def test_results_are_never_overwritten(run, small, tmp_path):
    for _ in range(3):
        assert run(small, "--updates", 20)[0] == 0
    names = sorted(path.name for path in (tmp_path / "out").glob("*.json"))
    assert names == [f"small-sigmoid-asysg-incon{end}.json" for end in ("-2", "-3", "")]


def test_too_few_updates_are_said_aloud(run, small, tmp_path):
    words = [small, "--threads", 1, "--max-delay", 30]
    _, out, _ = run(*words, "--updates", 100_000, "--json")
    enough = json.loads(out)["prescription"]["K_min"]
    _, out, _ = run(*words, "--updates", enough)
    assert "as prescribed" in out
    code, out, _ = run(*words, "--updates", enough - 1, "--json")
    said = json.loads(out)
    assert code == 0
    assert said["prescription"]["holds"] is False
    assert said["result"]["steplength"] == said["prescription"]["gamma_opt"]
    assert "INSTEAD of the prescribed" in said["notes"]["steplength"]
    assert f"{enough:,} is needed" in said["notes"]["steplength"]


def test_steplength_by_name_and_number(run, small, tmp_path):
    _, out, _ = run(small, "--updates", 300, "--steplength", "optimal", "--json")
    said = json.loads(out)
    assert said["result"]["steplength"] == said["prescription"]["gamma_opt"]
    _, out, _ = run(small, "--updates", 300, "--steplength", "1e-3", "--json")
    assert json.loads(out)["result"]["steplength"] == 1e-3
    code, out, _ = run(small, "--updates", 300, "--steplength", "1e3")
    assert code == 0  # the run is done; the theorem just has nothing to say of it
    assert "No claim: steplength condition" in out


def test_steplengths_that_adapt(run, small):
    words = ("--updates", 300, "--steplength", "delay-adaptive", "--threads", 1)
    _, out, _ = run(small, *words, "--json")
    said = json.loads(out)
    assert said["result"]["method"] == "asysg-con"  # whose theorem there is
    assert said["result"]["steplength"] == said["prescription"]["gamma"]
    assert said["result"]["certificate"]["bound"] <= said["prescription"]["bound"]
    assert "gamma_opt" not in said["prescription"]
    code, out, _ = run(small, *words)
    assert code == 0
    assert "shorter for late gradients" in out
    assert "Theorem A" in out
    assert "No theorem here says" in refused(run(small, *words, "--method", "asysg-incon"))
    # Before the file is read.
    assert "Only these have proximal" in refused(run("none", "--method", "sync", "--l1", 0.1))


def test_default_length(run, small):
    _, out, _ = run(small, "--json")
    assert json.loads(out)["result"]["n_updates"] == 100_000
    _, out, _ = run(small, "--epochs", "10", "--batch-size", "4", "--json")
    assert json.loads(out)["result"]["n_updates"] == 10
    _, out, _ = run(small, "--method", "asyscd", "--json")
    assert json.loads(out)["result"]["n_updates"] == 20 * 3  # over its features


def test_max_delay(run, small):
    _, out, _ = run(small, "--threads", 2, "--updates", 500, "--json")
    said = json.loads(out)
    assert said["result"]["max_delay"] == 8
    assert "T = 8, enforced" in said["notes"]["staleness"]
    _, out, _ = run(small, "--threads", 2, "--updates", 500, "--max-delay", 3, "--json")
    assert json.loads(out)["result"]["staleness"]["max"] <= 3
    _, out, _ = run(small, "--threads", 2, "--updates", 500, "--max-delay", "none", "--json")
    said = json.loads(out)
    assert said["result"]["max_delay"] is None
    assert "measured by a pilot of 500 updates" in said["notes"]["staleness"]


def test_records(run, small, tmp_path):
    _, out, _ = run(small, "--threads", 1, "--updates", 200, "--record", "full", "--json")
    log = np.load(json.loads(out)["files"]["log"], allow_pickle=False)
    assert log.shape == (200,)
    words = ["--threads", 2, "--updates", 200, "--record", "off", "--steplength", "1e-4"]
    code, out, _ = run(small, *words)
    assert code == 0
    assert "No claim: delays bounded by T" in out


def test_checkpoint_goes_on(run, small, tmp_path):
    words = [small, "--threads", 1, "--updates", 400, "--checkpoint", tmp_path / "state", "--json"]
    first = json.loads(run(*words)[1])
    again = json.loads(run(*words)[1])
    assert again["result"]["fun"] == first["result"]["fun"]
    assert "n_updates" in refused(run(small, "--updates", 401, *words[-3:]))


def test_divergence_is_a_failed_run(run, small):
    words = ["--objective", "nclogit", "--steplength", "1e308", "--updates", 2000]
    code, out, _ = run(small, *words)
    assert code == 1
    assert "left the finite numbers" in out
    assert "Saved" in out


def test_a_violation_is_exit_code_1(run, small, monkeypatch):
    monkeypatch.setattr(theory.Certificate, "verdict", "violated")
    assert run(small, "--updates", 100)[0] == 1


def test_interrupt_keeps_the_partial_result(small, tmp_path):
    words = ["run", small, "--updates", "1000000000000", "--threads", "2", "--out", tmp_path / "o"]
    process = subprocess.Popen(
        [sys.executable, "-m", "asysg", *map(str, words)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )  # fmt: skip
    lines = []
    # The prescription is printed, and flushed, just before the run begins.
    for line in process.stdout:
        lines.append(line)
        if "largest admissible steplength" in line:
            break
    else:
        pytest.fail(f"the run did not begin: {process.stderr.read()}")
    # Ctrl-C may come before the first update; both ends are defined, this one is asked for.
    saved = tmp_path / "o" / "small-sigmoid-asysg-incon.json"
    wait_for_updates(process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert err == ""
    assert "interrupted" in out
    result = asysg.Result.from_json(saved)
    assert result.status == "interrupted"
    assert 0 < result.nit < 1_000_000_000_000
    assert not result.certificate.holds


def wait_for_updates(process):
    """Wait until the process has used processor time enough to be in its run."""
    import time

    def used():
        with open(f"/proc/{process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    start = used()
    while used() < start + 1.0 and process.poll() is None:
        time.sleep(0.02)


def test_interrupt_before_the_run(small, tmp_path, monkeypatch, capsys):
    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("asysg._files.read", interrupted)
    assert main(["run", str(small)]) == 130
    assert capsys.readouterr().err.count("\n") == 1


def test_help_names_every_option(capsys):
    assert main(["run", "--help"]) == 0
    out = capsys.readouterr().out
    for name in ("objective", "method", "threads", "batch-size", "updates", "epochs", "max-delay",
                 "steplength", "form", "seed", "record", "checkpoint", "out", "json",
                 "no-progress", "positive", "scale", "max-features"):  # fmt: skip
        assert re.search(rf"--{name}\b", out)
    said = " ".join(out.split())
    assert "K = E features (default: 20, and, but for asyscd, at least 100,000 updates)" in said
    assert "4 for each update under way, of which a thread has 1" in said
    assert "none where only 1 is under way, and for sync, delayed, delay-adaptive" in said


def test_proximal_terms(run, small, tmp_path):
    code, out, _ = run(
        small, "--l1", 0.05, "--l2", 0.01, "--lower", 0.25, "--updates", 2000, "--threads", 1
    )
    assert code == 0
    assert "proximal term l1 = 0.05, l2 = 0.01, box [0.25, inf]" in out
    assert "from x = 0, brought into the box" in out
    assert "no proximal term" in out
    saved = asysg.Result.from_json(next((tmp_path / "out").glob("*.json")))
    assert saved.x.min() == 0.25
    assert "l1 must be a finite number >= 0, got -1" in refused(run(small, "--l1", -1))
    assert "l2 must be left out with --mpi, got 1" in refused(run(small, "--l2", 1, "--mpi"))
