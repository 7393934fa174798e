"""The main job as its users run it."""

import json
import math

import numpy as np
import pytest
from matplotlib.image import imread

from asysg import CertificateError, InvalidArgument, _minimize, verify
from asysg.theory import Certificate
from asysg.verify import _ordinary
from tests.budget import alpha

#: Of each suite that is run here.
ALPHA = alpha("verify: suite", 4)


@pytest.fixture(scope="module")
def report():
    """One quick suite on one thread: the same every time."""
    return verify.suite(
        quick=True, n_threads=1, objectives=["sigmoid"], alpha=ALPHA, progress=False
    )


def test_every_row_keeps_its_claim(report):
    assert report.ok
    assert {row.verdict for row in report.rows} <= {"within", "agrees"}
    assert max(row.ratio for row in report.rows if row.kind != "lemma") < 1
    # Beyond the limit of stability no theorem has anything to say.
    assert all(row.certificate.holds for row in report.rows if row.claim != "stability")


def test_tight_rows_are_tight(report):
    tight = report.block("tight")
    assert {row.certificate.T for row in tight} == {0, 1, 3, 8}
    assert {row.method for row in tight} == {"sgd", "asysg-con", "asysg-incon"}
    for row in tight:
        assert row.certificate.form == "uniform"
        assert row.certificate.T == row.T_measured
        assert 0.95 <= row.expected / row.bound < 0.98
        assert 0.9 <= row.ratio < 1


def test_every_row_says_what_it_could_detect(report):
    for row in report.block("tight"):
        assert row.detects.startswith("γx1.")
        assert "σx1." in row.detects
    assert all("γ±" in row.detects and "σ±" in row.detects for row in report.block("exact"))
    assert all(row.detects.startswith("mean x") for row in report.block("ordinary"))


def test_the_budget_is_shared_and_shown(report):
    shares = [math.exp(-row.log_threshold) for row in report.rows]
    assert sum(shares) <= report.alpha * (1 + 1e-9) == ALPHA * (1 + 1e-9)
    assert f"{ALPHA:g} in all" in report.table()


def test_the_table_is_one_line_a_row(report):
    lines = report.table().splitlines()
    assert max(map(len, lines)) <= 150
    for row in report.rows:
        said = row.claim if row.kind == "trace" else f"{row.bound:.4g}"
        assert any(said in line and row.verdict in line for line in lines)
    assert lines[-1].startswith("OK")


def test_real_threads_measure_their_delay(report):
    """Null: nothing is wrong."""
    found = verify.suite(
        quick=True, n_threads=2, objectives=["cosine"], alpha=ALPHA, progress=False
    )
    assert found.ok
    threaded = [row for row in found.rows if row.run == "2 threads"]
    assert {(row.kind, row.method) for row in threaded} == {
        ("ordinary", "asysg-con"),
        ("ordinary", "asysg-incon"),
        ("exact", "asysg-con"),
        ("exact", "asysg-incon"),
        ("lemma", "asysg-incon"),
        ("trace", "asysg-con"),
        ("trace", "asysg-incon"),
    }
    assert all(row.T_measured <= row.certificate.T > 0 for row in threaded)
    # What runs on one thread or on none repeats to the bit, whatever runs beside it.
    for kind in ("tight", "exact"):
        pairs = zip(found.block(kind), report.block(kind), strict=True)
        for row, other in pairs:
            if row.run == other.run:
                assert row.measured == other.measured


def test_a_kind_alone_draws_what_it_draws_among_others(report):
    alone = verify.suite(quick=True, n_threads=1, kinds=["tight"], progress=False)
    assert [row.measured for row in alone.rows] == [row.measured for row in report.block("tight")]


def test_a_deliberate_violation_is_convicted_by_the_tight_rows():
    """Steplength x 8 with the claim unchanged: power 1 up to rounding (ln e > 1000)."""
    found = verify.suite(
        quick=True, n_threads=1, objectives=["sigmoid"], alpha=ALPHA, progress=False,
        steplength_factor=8,
    )  # fmt: skip
    assert not found.ok
    assert {row.verdict for row in found.block("tight")} == {"violated"}
    assert all(row.log_e > 1000 for row in found.block("tight"))
    # Exactly why the tight rows are needed: this problem is far from the worst.
    assert {row.verdict for row in found.block("ordinary")} == {"within"}
    assert found.table().splitlines()[-1].startswith("FAILED")


def test_a_report_is_saved_and_read_back(report, tmp_path):
    data, picture = report.save(tmp_path / "out")
    assert verify.Report.from_json(data) == report
    json.loads(data.read_text(), parse_constant=pytest.fail)  # strict JSON
    image = imread(picture)
    assert image.shape[0] > 300
    assert image.shape[1] > 300
    assert np.unique(image.reshape(-1, image.shape[2]), axis=0).shape[0] > 10


def test_a_changed_report_is_refused(report, tmp_path):
    data = report.to_dict()
    data["rows"][0]["certificate"]["bound"] *= 2
    with pytest.raises(CertificateError, match="bound"):
        verify.Report.from_dict(data)
    with pytest.raises(InvalidArgument, match="data must be a report"):
        verify.Report.from_dict({"format": "other"})
    for name in ("rows", "alpha"):
        data = {key: value for key, value in report.to_dict().items() if key != name}
        with pytest.raises(InvalidArgument, match=f"a report .* got one with KeyError.*{name}"):
            verify.Report.from_dict(data)
    with pytest.raises(InvalidArgument, match="a report .* got one with KeyError"):
        verify.Report.from_dict({**report.to_dict(), "rows": [{}]})


def test_rows_carry_certificates(report, tmp_path):
    for row in report.rows:
        assert Certificate.from_dict(row.to_dict()["certificate"]).recheck() == row.certificate


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"objectives": ["sigmoid", "network"]}, "objectives must be among cosine.*'network'"),
        ({"objectives": []}, "objectives must"),
        ({"kinds": []}, "kinds must name at least one of tight"),
        ({"kinds": ["lax"]}, "kinds must name at least one of tight"),
        ({"seed": -1}, "seed must be an integer >= 0"),
        ({"n_threads": 0}, "n_threads must be"),
        ({"alpha": 1.0}, "total must be"),
        ({"steplength_factor": 0.0}, "steplength_factor must be a finite number > 0"),
        ({"steplength_factor": math.nan}, "steplength_factor must be a finite number > 0"),
        ({"out": __file__}, "out must be a folder that can be written"),
    ],
)
def test_bad_arguments_are_refused_before_anything_runs(arguments, message):
    with pytest.raises(InvalidArgument, match=message):
        verify.suite(quick=True, progress=False, **arguments)


def test_every_other_method_is_held_against_its_own_theorem():
    """K is small, the bounds of the noisy quadratic are nearly attained: no row may be violated."""
    how = {"quick": True, "kinds": ["method"], "objectives": ["quadratic"], "alpha": ALPHA}
    found = verify.suite(**how, progress=False)
    assert found.ok
    covered = {row.method for row in found.rows} | set(_ordinary.METHODS)
    assert covered == set(_minimize.METHODS)
    assert {row.certificate.form for row in found.rows} == {
        "uniform", "constant_delay", "plus", "delay_adaptive",
    }  # fmt: skip
    # Three hundred times the steplength: all of them diverge.
    wrong = verify.suite(**how, steplength_factor=300.0, progress=False)
    assert {row.verdict for row in wrong.rows} == {"violated"}
