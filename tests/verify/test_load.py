"""Stored certificates."""

import json

import numpy as np
import pytest

import asysg
from asysg import CertificateError, InvalidArgument, verify
from asysg._core.openmp import openmp_version


@pytest.fixture(scope="module")
def result():
    obj = asysg.objectives.CosineQuadratic(n=5, sigma=0.1)
    return asysg.minimize(obj, np.ones(5), steplength="optimal", n_updates=2000, n_threads=1, rng=0)


def test_a_result_is_read_back(result, tmp_path):
    path = tmp_path / "result.json"
    result.to_json(path)
    found = verify.load(path)
    assert found == result.certificate
    assert found.verdict == "within"


def _stop(intermediate):
    if intermediate.nit > 500:
        raise StopIteration


@pytest.mark.parametrize(
    "how",
    [
        {"method": "asysg-con", "steplength": asysg.steplengths.diminishing(0.05)},
        {"steplength": asysg.steplengths.diminishing(0.05)},
        {"method": "hogwild", "update": "lossy"},
        {"callback": _stop},
        {"n_updates": 1},
        {"steplength": 50.0},
        {"record": False},
        {"method": "asysg-con", "form": "uniform", "n_records": 2000},
    ],
)
@pytest.mark.parametrize("n_threads", [1, 2] if openmp_version() else [1])
def test_every_kind_of_result_is_read_back(tmp_path, how, n_threads):
    obj = asysg.objectives.CosineQuadratic(n=5, sigma=0.1)
    how = {"steplength": 0.01, "n_updates": 2000, "n_threads": n_threads, "rng": 0, **how}
    _read_back(asysg.minimize(obj, np.ones(5), **how), tmp_path)


@pytest.mark.parametrize("callback", [None, _stop])
def test_the_iterates_of_theorem_u_are_those_read(tmp_path, callback):
    obj = asysg.objectives.CosineQuadratic(n=5, sigma=0.1)
    how = {"method": "asysg-con", "form": "uniform", "steplength": 0.01, "n_records": 1000}
    late = asysg.simulate.delays.constant(30)
    res = asysg.simulate.minimize(
        obj, np.ones(5), n_updates=1000, delays=late, callback=callback, rng=0, **how
    )
    if callback is None:
        norms = res.trace.grad_norm_sq
        assert res.certificate.measured == pytest.approx(norms[:970].sum() / 1000, rel=1e-12)
        assert res.certificate.measured < res.trace.ergodic
    _read_back(res, tmp_path)


def _read_back(res, tmp_path):
    res.to_json(tmp_path / "result.json")
    assert verify.load(tmp_path / "result.json") == res.certificate


def test_a_certificate_is_read_back(result, tmp_path):
    path = tmp_path / "certificate.json"
    result.certificate.to_json(path)
    assert verify.load(str(path)) == result.certificate


def _set(*keys, to):
    def change(data):
        for key in keys[:-1]:
            data = data[key]
        data[keys[-1]] = to(data[keys[-1]])

    return change


@pytest.mark.parametrize(
    "change",
    [
        _set("certificate", "bound", to=lambda b: 2 * b),
        _set("certificate", "gamma", to=lambda g: g / 2),
        _set("certificate", "constants", "sigma", to=lambda s: s / 2),
        _set("certificate", "verdict", to=lambda _: "violated"),
        _set("certificate", "measured", to=lambda m: m / 2),
        _set("trace", "grad_norm_sq", to=lambda g: [v / 2 for v in g]),
        _set("staleness", "max", to=lambda _: 3),
        _set("batch_size", to=lambda _: 2),
        _set("nit", to=lambda k: k - 1),
        _set("trace", to=lambda _: {}),
    ],
)
def test_a_changed_result_is_refused(result, tmp_path, change):
    path = tmp_path / "result.json"
    result.to_json(path)
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    with pytest.raises(CertificateError):
        verify.load(path)


def test_a_changed_certificate_is_refused(result, tmp_path):
    path = tmp_path / "certificate.json"
    data = result.certificate.to_dict()
    data["K"] *= 2
    path.write_text(json.dumps(data))
    with pytest.raises(CertificateError, match="got"):
        verify.load(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "{}", '{"format": "asysg.verification.v1"}'])
def test_a_file_that_is_neither_is_refused(tmp_path, text):
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(InvalidArgument, match=r"path must name a file written by to_json.*other"):
        verify.load(path)


@pytest.mark.parametrize("read", [verify.load, verify.Report.from_json, asysg.Result.from_json])
def test_a_file_that_is_missing_or_no_json_is_refused(tmp_path, read):
    with pytest.raises(InvalidArgument, match=r"path must name .*none.json' \(No such file"):
        read(tmp_path / "none.json")
    for content in (b"{", b"\xff", b""):
        (tmp_path / "other.json").write_bytes(content)
        with pytest.raises(InvalidArgument, match=r"path must name .* \(which is no JSON\)"):
            read(tmp_path / "other.json")
