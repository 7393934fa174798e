"""Certificates: what they claim, how they read, and that a changed file is noticed."""

import copy
import dataclasses
import json
import math
import struct

import numpy as np
import pytest

from asysg import theory
from asysg.theory import Certificate, CertificateError, Hypothesis, InvalidArgument

C = theory.ProblemConstants(gap=1.0, sigma=1.0, L=1.0, n=4, L_max=0.5, L_T=0.75)


def certificate(**changes):
    args = {"algorithm": "con", "gamma": 0.01, "K": 10_000, "M": 1, "T": 4, "measured": 0.02}
    return theory.certify(C, **(args | changes))


def names(cert):
    return [h.name for h in cert.hypotheses]


def test_bound_and_hypotheses():
    cert = certificate()
    assert cert.bound == theory.con.bound(0.01, C, K=10_000, M=1, T=4)
    assert set(cert.bounds) == {
        "paper",
        "plus",
        "constant_delay",
        "sharp",
        "uniform",
        "robust",
    }
    assert names(cert) == [
        "steplength condition",
        "problem constants",
        "delays bounded by T",
        "samples unbiased",
        "no update is lost",
        "reads oblivious",
    ]
    # 0.01 + (1 + sqrt(3/8)) * (0.04)^2
    lhs = 0.01 + (1 + math.sqrt(3 / 8)) * 0.0016
    assert cert.hypotheses[0].slack == pytest.approx(1 - lhs, rel=1e-14)
    assert cert.holds
    assert cert.ratio == 0.02 / cert.bound


def test_each_form_supposes_what_its_theorem_does():
    assert "reads oblivious" not in names(certificate(form="robust"))
    assert "every delay equals T" in names(certificate(form="uniform"))
    assert "every delay equals T" in names(certificate(form="constant_delay"))
    assert "coordinates uniform" in names(certificate(algorithm="incon"))


@pytest.mark.parametrize(
    ("measured", "half", "verdict"),
    [
        (None, None, "no claim"),
        (0.9, None, "within"),
        (1.0, None, "within"),
        (1.1, None, "violated"),
        (0.9, 0.05, "within"),
        (0.98, 0.05, "undecided"),
        (1.04, 0.05, "undecided"),
        (1.2, 0.05, "violated"),
        (math.inf, None, "violated"),
        (math.inf, math.inf, "violated"),
    ],
)
def test_verdict(measured, half, verdict):
    b = certificate().bound
    scaled = [None if x is None else x * b for x in (measured, half)]
    cert = certificate(measured=scaled[0], measured_halfwidth=scaled[1])
    assert cert.verdict == verdict


def test_a_failing_hypothesis_ends_every_claim():
    cert = certificate(gamma=2.0)
    assert (cert.holds, cert.bound, cert.verdict) == (False, math.inf, "no claim")
    assert "[FAILS] steplength condition" in cert.explain()
    assert "No claim: steplength condition" in cert.explain()
    late = Hypothesis("delays bounded by T", False, -2.0, {"largest_delay": 6, "T": 4}, "measured")
    cert = certificate(evidence=[late])
    assert (cert.holds, cert.verdict) == (False, "no claim")
    assert math.isfinite(cert.bound)
    assert names(cert).count("delays bounded by T") == 1


def test_too_few_updates():
    # Corollary 2 at T = 4 needs 4 * 25 = 100 updates.
    short = theory.con.prescribe(C, K=50, M=1, T=4, form="paper").certificate
    failing = [h for h in short.hypotheses if not h.holds]
    assert [h.name for h in failing] == ["K >= K_min"]
    assert failing[0].numbers == {"K": 50.0, "K_min": 100.0}
    assert failing[0].slack == -1.0
    assert "2 times too small" in short.explain()
    assert "theorem alone, which demands no K" in short.explain()
    assert theory.con.prescribe(C, K=100, M=1, T=4, form="paper").certificate.holds


def test_explain_tells_what_matters():
    text = certificate().explain()
    for part in (
        "AsySG-con",
        "Theorem P",
        "K = 10000",
        "T = 4",
        "proven bounds",
        "(assumed)",
        "the measured 0.02 keeps the bound",
        "65.3 % of it",
        "robust bound",
        "obliviousness is an assumption",
    ):
        assert part in text
    assert "robust bound" not in certificate(form="robust").explain()
    assert "VIOLATES" in certificate(measured=1.0).explain()
    assert "does not decide" in certificate(measured_halfwidth=0.02).explain()
    assert "is at most" in certificate(measured=None).explain()
    assert "k <= K - T" in certificate(form="uniform", measured=None).explain()
    guess = theory.ProblemConstants(1.0, 1.0, 1.0, estimated=True)
    text = theory.certify(guess, algorithm="con", gamma=0.01, K=99, M=1, T=1).explain()
    assert "ESTIMATED" in text
    assert "estimates" in text.splitlines()[-1]
    # At gamma = 0.2, T = 4, M = 1: 0.2 + 1.61 * 0.64 > 1 and 0.2 + 0.64 <= 1.
    assert "no bound would remain" in certificate(gamma=0.5, form="plus").explain()
    assert "said by the runner" in certificate(note="said by the runner").explain()


CASES = {
    "con": {},
    "incon": {"algorithm": "incon", "form": "sharp", "gamma": 0.1, "measured_halfwidth": 1e-300},
    "failing": {"gamma": 3.0, "measured": math.inf},
    "plan": {"measured": None, "corollary": True, "form": "paper"},
    "short": {"corollary": True, "K": 3, "M": 7},
    "huge": {"gamma": 0.1 + 0.2, "K": 10**25, "T": 0},
    "schedule": {
        "gamma": np.geomspace(0.1, 0.001, 7),
        "K": 7,
        "form": "paper",
        "T": 2,
    },
    "evidence": {
        "evidence": [
            Hypothesis("no update is lost", False, -3.0, {"n_lost": 3.0}, "measured"),
            Hypothesis("the moon is full", True, None, {}, "assumed", "seen from the office"),
        ]
    },
}


@pytest.mark.parametrize("case", CASES)
def test_json_round_trip(case, tmp_path):
    cert = certificate(**CASES[case])
    path = tmp_path / "certificate.json"
    cert.to_json(path)

    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    json.loads(path.read_text(), parse_constant=refuse)
    back = Certificate.from_json(path)
    assert back == cert
    assert back.recheck() is back
    assert cert.recheck() is cert
    assert back.explain() == cert.explain()
    pack = [struct.pack("d", b) for b in cert.bounds.values()]
    assert pack == [struct.pack("d", b) for b in back.bounds.values()]
    assert (back.verdict, back.holds) == (cert.verdict, cert.holds)


def leaves(x, path=()):
    items = x.items() if isinstance(x, dict) else enumerate(x) if isinstance(x, list) else None
    if items is None:
        yield path, x
    else:
        for k, v in items:
            yield from leaves(v, (*path, k))


def noticed(d):
    try:
        Certificate.from_dict(d).recheck()
    except CertificateError:
        return True
    return False


@pytest.mark.parametrize("case", CASES)
def test_every_changed_number_is_noticed(case):
    original = certificate(**CASES[case]).to_dict()
    Certificate.from_dict(original).recheck()
    tried = 0
    for path, value in leaves(original):
        changed = copy.deepcopy(original)
        target = changed
        for k in path[:-1]:
            target = target[k]
        if isinstance(value, bool):
            new = not value
        elif value is None:
            new = 0.25
        elif isinstance(value, int) and path[-1] in ("K", "M", "T", "n"):
            new = value + 1
        elif isinstance(value, str):
            new = value + "!"
        else:
            new = value * 1.001 + (1e-6 if value == 0 else 0)
        target[path[-1]] = new
        assert noticed(changed), f"{path}: {value!r} -> {target[path[-1]]!r}"
        tried += 1
    assert tried > 20


def test_a_forger_who_recomputes_the_checksum_is_noticed():
    for case, (path, value) in {
        "con": (("bound",), 0.001),
        "plan": (("bounds", "robust"), 0.001),
        "incon": (("constants", "sigma"), 0.1),
        "failing": (("hypotheses", 0, "holds"), True),
        "short": (("hypotheses", 2, "holds"), True),
        "evidence": (("hypotheses", 4, "holds"), True),
    }.items():
        d = certificate(**CASES[case]).to_dict()
        target = d
        for k in path[:-1]:
            target = target[k]
        assert target[path[-1]] != value
        target[path[-1]] = value
        honest = Certificate.from_dict({k: v for k, v in d.items() if k != "sha256"})
        d = honest.to_dict()  # every consequence and the checksum made to agree
        assert noticed(d), case


def test_recheck_names_the_field():
    d = certificate().to_dict()
    d["bounds"]["plus"] *= 0.5
    with pytest.raises(CertificateError, match=r"^bounds\[plus\] must follow"):
        Certificate.from_dict(d).recheck()
    d = certificate().to_dict()
    d["bound"] *= 0.5
    with pytest.raises(CertificateError, match=r"^bound must follow"):
        Certificate.from_dict(d).recheck()
    d = certificate(gamma=3.0).to_dict()
    d["hypotheses"][0]["holds"] = True
    with pytest.raises(
        CertificateError, match=r"^hypotheses\[steplength condition\].holds must follow"
    ):
        Certificate.from_dict(d).recheck()
    d = certificate().to_dict()
    d["hypotheses"] = [h for h in d["hypotheses"] if h["name"] != "reads oblivious"]
    with pytest.raises(CertificateError, match=r"^hypotheses must follow"):
        Certificate.from_dict(d).recheck()
    d = certificate().to_dict()
    d["measured"] = 0.001
    with pytest.raises(CertificateError, match=r"^ratio must follow"):
        Certificate.from_dict(d).recheck()
    cert = dataclasses.replace(certificate(), bound=0.0)
    with pytest.raises(CertificateError, match=r"^bound must follow"):
        cert.recheck()


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d.pop("K"),
        lambda d: d.update(schema="other/1"),
        lambda d: d.update(K="many"),
        lambda d: d.update(K=2.5),
        lambda d: d.update(algorithm="sgd"),
        lambda d: d.update(gamma=None),
        lambda d: d.update(gamma=True),
        lambda d: d.update(bounds=None),
        lambda d: d.update(hypotheses=3),
        lambda d: d.update(hypotheses=[{}]),
        lambda d: d["hypotheses"][0].update(evidence="hearsay"),
        lambda d: d["hypotheses"][0].update(holds="yes"),
        lambda d: d["constants"].update(sigma=-1),
        lambda d: d["constants"].pop("L"),
    ],
)
def test_unreadable(damage):
    d = certificate().to_dict()
    damage(d)
    with pytest.raises(CertificateError):
        Certificate.from_dict(d)


def test_not_json(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("{nothing")
    with pytest.raises(CertificateError, match="must be JSON"):
        Certificate.from_json(path)
    path.write_text("[]")
    with pytest.raises(CertificateError, match="schema"):
        Certificate.from_json(path)


@pytest.mark.parametrize(
    "h",
    [
        Hypothesis("delays bounded by T", True, -2.0, {"largest_delay": 6, "T": 4}, "measured"),
        Hypothesis("delays bounded by T", True, 2.0, {"largest_delay": 6, "T": 4}, "measured"),
        Hypothesis("delays bounded by T", True, None, {"largest_delay": 6, "T": 4}, "measured"),
        Hypothesis("anything", True, -1.0),
        Hypothesis("anything", False, 1.0),
        Hypothesis("steplength condition", True, 1.0, {"lhs": 0.0}, "proven"),
    ],
)
def test_evidence_that_contradicts_itself(h):
    with pytest.raises(InvalidArgument, match="evidence"):
        certificate(evidence=[h])


def test_frozen():
    cert = certificate()
    for thing, name in (
        (cert, "bound"),
        (cert.hypotheses[0], "holds"),
        (cert.constants, "gap"),
        (theory.con.prescribe(C, K=9, M=1, T=0), "gamma"),
    ):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(thing, name, 1)


@pytest.mark.parametrize("name", ["samples unbiased", "coordinates uniform", "reads oblivious",
                                  "no update is lost", "delays bounded by T"])  # fmt: skip
def test_one_failed_hypothesis_is_enough(name):
    """Whichever it is, nothing follows, whatever was measured."""
    assert certificate(algorithm="incon").holds
    failed = Hypothesis(name, False, None, {}, "measured")
    cert = certificate(algorithm="incon", evidence=(failed,))
    assert not cert.holds
    assert cert.verdict == "no claim"
