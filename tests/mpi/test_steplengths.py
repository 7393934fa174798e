"""Steplengths on ranks: schedules, and those that adapt to the delay."""

import math

import numpy as np
import pytest

import asysg
from asysg import objectives, theory

K = 60
COMMON = {"batch_size": 2, "n_updates": K, "rng": 3}
ONE = {"objective": "sigmoid", "n": 5, **COMMON}
SCHEDULE = np.random.default_rng(0).uniform(0.0, 0.05, size=K)
ADAPTIVE = {"gamma": 0.02, "L": 1.0}


def serial(steplength):
    rng = np.random.default_rng(0)
    A = rng.normal(size=(20, 5)) / np.sqrt(5)
    obj = objectives.SigmoidRegression(A, (A[:, 0] > 0).astype(float))
    return asysg.minimize(obj, np.zeros(5), method="sgd", steplength=steplength, **COMMON)


def vector(found):
    return np.array([float.fromhex(v) for v in found["x"]])


def test_on_one_rank_they_are_the_serial_method_s(said):
    methods = ["asysg-con", "sync", "delayed", "downpour"]
    runs = [{**ONE, "method": method, "steplength": SCHEDULE.tolist()} for method in methods]
    *scheduled, adaptive = said(1, "several", runs=[*runs, {**ONE, "steplength": ADAPTIVE}])
    for found in scheduled:
        np.testing.assert_array_equal(vector(found), serial(SCHEDULE).x)
        assert (found["form"], found["holds"]) == ("paper", True)
    np.testing.assert_array_equal(vector(adaptive), serial(0.02).x)
    assert adaptive["gamma"]["P"] == 1
    assert adaptive["gamma"]["total"] == pytest.approx(0.02 * K, rel=1e-12)


def test_refused_where_the_delay_or_the_number_is_not_known_beforehand(said):
    fixed = [
        {**ONE, "method": method, "steplength": ADAPTIVE}
        for method in ("sync", "delayed", "downpour")
    ]
    local = {**ONE, "method": "downpour", "n_fetch": 4, "n_push": 2}
    *found, last = said(1, "refused", calls=[*fixed, {**local, "steplength": SCHEDULE.tolist()}])
    for one in found:
        assert "steplength must not adapt to the delay for method" in one["said"]
    assert "before their updates have numbers" in last["said"]


@pytest.mark.parametrize(("ranks", "in_flight"), [(2, 3), (4, 1)])
def test_the_server_shortens_what_comes_late(said, ranks, in_flight):
    """Replayed with the steps of the recorded delays, to the bit; their sums are the record's."""
    (found,) = said(
        ranks, "several",
        runs=[
            {
                **ONE, "method": "asysg-con", "record": "full", "steplength": "delay-adaptive",
                "in_flight": in_flight, "n_records": 20,
            }
        ],
    )  # fmt: skip
    assert found["replayed"] is True
    used = found["gamma"]
    assert used["P"] == (ranks - 1) * in_flight
    c = theory.ProblemConstants(gap=1.0, sigma=1.0, L=used["L"])
    steps = theory.baselines.delay_adaptive_steps(used["gamma"], c, found["delays"], M=2)
    assert used["total"] == pytest.approx(math.fsum(steps), rel=1e-13)
    assert used["total_square"] == pytest.approx(math.fsum(steps**2), rel=1e-13)
    assert "Theorem A" in found["explained"]
    assert found["holds"]
