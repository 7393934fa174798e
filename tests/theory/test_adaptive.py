"""Theorem A as a certificate carries it, and the threshold."""

import copy
import dataclasses
import json
import math

import numpy as np
import pytest

from asysg import theory
from asysg.theory import AdaptiveSteps, Certificate, CertificateError, Hypothesis, InvalidArgument
from asysg.theory.baselines import (
    delay_adaptive_bound,
    delay_adaptive_gamma,
    delay_adaptive_rate,
    delay_adaptive_steps,
    threshold_delay,
)

C = theory.ProblemConstants(gap=1.0, sigma=1.0, L=2.0)
K, P, M = 400, 4, 2
TAU = np.minimum(np.arange(K), np.random.default_rng(0).geometric(1 / P, K) - 1)
GAMMA = delay_adaptive_gamma(C, K=K, P=P, M=M)
STEPS = delay_adaptive_steps(GAMMA, C, TAU, M=M)
SUMS = AdaptiveSteps(GAMMA, C.L, P, float(STEPS.sum()), float(np.sum(STEPS**2)))


def certificate(gamma=SUMS, c=C, **changes):
    args = {"algorithm": "con", "K": K, "M": M, "T": 77, "form": theory.ADAPTIVE, "measured": 0.1}
    return theory.certify(c, gamma=gamma, **(args | changes))


def changed(**fields):
    return dataclasses.replace(SUMS, **fields)


def failing(cert):
    return [h.name for h in cert.hypotheses if not h.holds]


def test_the_bound_is_that_of_the_steps():
    cert = certificate()
    expected = delay_adaptive_bound(STEPS, C, gamma=GAMMA, P=P, M=M)
    assert cert.bound == pytest.approx(expected, rel=1e-14)
    assert cert.bounds == {theory.ADAPTIVE: cert.bound}
    # [2 gap/M + (1 + 2 L M P gamma) L sigma^2 sum gamma_k^2]/sum gamma_k
    by_hand = (1.0 + (1 + 32 * GAMMA) * 2.0 * np.sum(STEPS**2)) / np.sum(STEPS)
    assert cert.bound == pytest.approx(by_hand, rel=1e-14)
    assert cert.bound <= delay_adaptive_rate(C, K=K, P=P, M=M)
    assert cert.verdict == "within"


def test_hypotheses_have_no_largest_delay():
    assert [h.name for h in certificate().hypotheses] == [
        "steplength condition",
        "problem constants",
        "late steplengths short enough",
        "one read per update",
        "gradients under way",
        "samples unbiased",
        "no update is lost",
        "reads oblivious",
    ]
    assert certificate(T=10**9).bound == certificate(T=0).bound


@pytest.mark.parametrize(
    ("gamma", "missing"),
    [
        (changed(gamma=1.01 / (C.L * M * P)), ["steplength condition"]),
        (changed(L=C.L / 8), ["late steplengths short enough"]),
        (changed(P=None), ["steplength condition"]),
        (changed(P=100), ["steplength condition"]),
    ],
)
def test_what_fails(gamma, missing):
    cert = certificate(gamma)
    assert failing(cert) == missing
    assert (cert.bound, cert.verdict) == (math.inf, "no claim")
    assert cert.recheck() == cert


def test_the_largest_admissible_steplength():
    top = 1 / (C.L * M * P)
    sums = AdaptiveSteps(top, C.L, P, K * top, K * top * top)
    cert = certificate(sums)
    assert cert.holds
    assert cert.hypotheses[0].slack == pytest.approx(0.0, abs=1e-12)
    assert cert.bound == pytest.approx(1.0 / (K * top) + 3 * C.L * top, rel=1e-12)


def test_no_theorem_for_coordinates_and_none_without_constants():
    cert = certificate(algorithm="incon")
    assert failing(cert) == ["steplength condition"]
    assert "no theorem" in cert.hypotheses[0].note
    assert cert.bound == math.inf
    cert = certificate(c=None)
    assert cert.bound == math.inf
    assert set(failing(cert)) >= {"problem constants", "steplength condition"}
    assert cert.recheck() == cert


@pytest.mark.parametrize(("gap", "bound"), [(1.0, math.inf), (0.0, 0.0)])
def test_no_step_at_all(gap, bound):
    still = AdaptiveSteps(0.0, 1.0, 2, 0.0, 0.0)
    c = theory.ProblemConstants(gap=gap, sigma=1.0, L=1.0)
    assert certificate(still, c).bound == bound


def test_explain():
    text = certificate().explain()
    for part in ("Theorem A", f"at most {GAMMA:.6g}", "gradients under way", "T = 77"):
        assert part in text
    assert "weighted by the steplengths" in certificate(measured=None).explain()
    assert "robust" not in text


def test_there_and_back():
    for cert in (certificate(), certificate(changed(P=None)), certificate(measured=math.inf)):
        data = json.loads(json.dumps(cert.to_dict(), allow_nan=False))
        assert Certificate.from_dict(data) == cert
        assert Certificate.from_dict(data).recheck() == cert


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("gamma", "total"), SUMS.total * 0.99),
        (("gamma", "total"), K * GAMMA * 1.1),
        (("gamma", "total_square"), SUMS.total_square * 0.999),
        (("gamma", "total_square"), SUMS.total_square * 100),
        (("gamma", "P"), 3),
        (("gamma", "P"), None),
        (("gamma", "P"), 0),
        (("gamma", "gamma"), GAMMA / 2),
        (("gamma", "L"), 1.0),
        (("gamma",), GAMMA),
        (("form",), "plus"),
        (("bound",), 0.5),
        (("bounds", theory.ADAPTIVE), 0.5),
        (("bounds", "plus"), 0.5),
        (("K",), 2 * K),
        (("hypotheses", 2, "numbers", "L"), 1.0),
        (("hypotheses", 2, "holds"), False),
        (("verdict",), "violated"),
    ],
)
def test_a_changed_file_is_noticed(path, value):
    data = copy.deepcopy(certificate().to_dict())
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(CertificateError):
        Certificate.from_dict(data).recheck()


def test_the_evidence_speaks_of_the_same_workers():
    seen = Hypothesis("gradients under way", True, None, {"P": 3.0}, "by construction")
    with pytest.raises(CertificateError, match="gradients under way"):
        certificate(evidence=[seen]).recheck()
    seen = dataclasses.replace(seen, numbers={"P": float(P)})
    assert certificate(evidence=[seen]).recheck().holds


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"form": "plus"}, "gamma"),
        ({"gamma": 0.1}, "gamma"),
        ({"gamma": np.full(K, 0.1)}, "gamma"),
        ({"corollary": True}, "corollary"),
        ({"gamma": changed(total=K * GAMMA * 1.01)}, "total"),
        ({"gamma": changed(total_square=SUMS.total_square * 2 * P)}, "total_square"),
        ({"gamma": changed(total_square=SUMS.total**2 / K * 0.99)}, "total_square"),
    ],
)
def test_refused(changes, name):
    with pytest.raises(InvalidArgument, match=f"^{name} must"):
        certificate(**changes)


@pytest.mark.parametrize(
    ("field", "value"),
    [("gamma", -1.0), ("L", 0.0), ("P", 0), ("P", 1.5), ("total", math.nan),
     ("total_square", math.inf)],
)  # fmt: skip
def test_refused_numbers(field, value):
    with pytest.raises(InvalidArgument, match=f"^{field} must"):
        changed(**{field: value})


@pytest.mark.parametrize(
    ("sigma", "eps", "M", "T"),
    [(0.0, 0.1, 1, 0), (1.0, 2.0, 1, 0), (1.0, 1.0, 1, 0), (2.0, 1.0, 1, 3), (2.0, 0.3, 1, 13),
     (2.0, 1.0, 4, 0), (2.0, 1.0, 3, 1)],
)  # fmt: skip
def test_threshold(sigma, eps, M, T):
    """R = max{1, ceil(sigma^2/(M eps))} gradients are enough; delays of R and more are dropped."""
    c = theory.ProblemConstants(gap=1.0, sigma=sigma, L=1.0)
    assert threshold_delay(c, eps, M) == T


@pytest.mark.parametrize("eps", [0.0, -1.0, math.nan, 1e-320])
def test_threshold_refused(eps):
    c = theory.ProblemConstants(gap=1.0, sigma=1e10, L=1.0)
    with pytest.raises(InvalidArgument, match="^eps must"):
        threshold_delay(c, eps)
