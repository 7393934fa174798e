"""`asysg.diagnose`: what can be computed is exact, what is measured has its shape, and every reason
quotes a number of the object.
"""

import json
import math
import re

import numpy as np
import pytest
import scipy.sparse

import asysg
from asysg import InvalidArgument, objectives, theory
from asysg._conflicts import conflict
from asysg._core.openmp import openmp_version
from asysg._trials import Trial
from asysg.diagnosis import METHODS, Prediction, advised, busy, counts, duration, predicted
from asysg.simulate.calibration import Calibration
from tests.budget import alpha, assert_mean

KEY = (1, 2)
THREADS = 2 if openmp_version() else 1


def sparse(rows):
    A = np.zeros((len(rows), 6))
    for j, row in enumerate(rows):
        A[j, row] = 1.0 + np.arange(len(row))
    return objectives.SigmoidRegression(scipy.sparse.csr_array(A), np.arange(len(rows)) % 2.0)


ROWS = [[0, 1], [1, 2, 3], [4], [0, 5]]


def by_hand(rows, n, method):
    """Count all pairs of updates, each one sample and, for asysg-incon, one coordinate."""
    writes, touched = [], []
    for row in rows:
        for i in range(n) if method == "asysg-incon" else [None]:
            if method == "asysg-incon":
                writes.append({i} & set(row))
                touched.append(set(row) if i in row else set())
            else:
                writes.append(set(row))
                touched.append(set(range(n)) if method == "asysg-con" else set(row))
    return np.mean([[bool(w & t) for t in touched] for w in writes])


@pytest.mark.parametrize("method", METHODS)
def test_conflicts_of_few_samples_are_exact(method):
    found = conflict(sparse(ROWS), method, 1, KEY)
    assert found.exact
    assert found.halfwidth == 0
    assert found.rate == pytest.approx(by_hand(ROWS, 6, method), abs=1e-15)
    if method == "hogwild":
        assert found.reads == found.writes == 2
        assert found.rate == 8 / 16
    if method == "asysg-incon":
        assert found.writes == pytest.approx(8 / 24)
        assert found.reads == pytest.approx((4 + 9 + 1 + 4) / 24)


@pytest.mark.parametrize("method", METHODS)
def test_dense_samples_always_meet(method):
    found = conflict(objectives.SigmoidRegression.planted(2000, 5, rng=0), method, 3, KEY)
    assert (found.rate, found.halfwidth, found.exact) == (1, 0, True)
    assert found.writes == (1 if method == "asysg-incon" else 5)


def test_updates_of_separate_coordinates_meet_where_they_are_the_same():
    found = conflict(objectives.CosineQuadratic(20), "asysg-incon", 1, KEY)
    assert not found.exact
    assert 0 < found.rate - found.halfwidth < 1 / 20 < found.rate + found.halfwidth


@pytest.mark.parametrize("method", ["hogwild", "asysg-incon"])
def test_conflicts_of_many_samples_are_unbiased(method):
    """Null: the estimate from draws has the exact rate as its mean. Student's t over 60 keys.

    Detects an error of a tenth of the rate with the power of `tests.budget`.
    """
    rows = [ROWS[j % 4] for j in range(1000)]  # the same law of supports, too many to enumerate
    exact = by_hand(ROWS, 6, method)
    obj = sparse(rows)
    found = [conflict(obj, method, 1, (key, 7)) for key in range(60)]
    assert not any(one.exact for one in found)
    assert_mean([one.rate for one in found], exact, alpha=alpha("conflicts", 2), detects=exact / 10)


def test_a_rate_of_one_that_was_not_proven_keeps_a_margin():
    """The rule of three: 256 independent pairs that all meet leave rates down to 1 - 3/256."""
    A = scipy.sparse.csr_array(np.eye(6)[np.zeros(600, int)])
    found = conflict(objectives.SigmoidRegression(A, np.zeros(600)), "hogwild", 1, KEY)
    assert (found.rate, found.exact) == (1, False)
    assert found.halfwidth == pytest.approx(3 / 256)


def test_predictions_are_the_queueing_of_the_lock():
    """One worker holds the lock for a quarter of its cycle: four at most are of use."""
    cost = Calibration("asysg-con", 1, "threads", compute=3e-6, read=0.5e-6, update=0.5e-6,
                       message=0.0)  # fmt: skip
    found = predicted(cost, [1, 2, 16])
    assert found[0] == Prediction("asysg-con", 1, 1.0, 0)
    assert 1.8 < found[1].speedup <= 2
    assert found[2].speedup == pytest.approx(4, rel=0.02)
    assert found == predicted(cost, [1, 2, 16])
    free = predicted(Calibration("hogwild", 1, "threads", 1e-6, 0.0, 0.0, 0.0), [1, 8])
    assert free[1].speedup == pytest.approx(8, rel=0.02)


def trial(method, p, rate, bound=None):
    return Trial(method, p, "atomic", 1000, rate, T=9, T_99=3, delay_mean=1.0, n_updates=100,
                 T_max=5, bound=bound)  # fmt: skip


def test_the_smallest_bound_is_advised_if_it_is_worth_it():
    serial = trial("sgd", 1, 1e6, 1.0)
    con, incon = trial("asysg-con", 2, 1.9e6, 0.8), trial("asysg-incon", 2, 9e6, 0.7)
    assert advised([serial, con, incon]) is incon
    assert advised([serial, con, trial("asysg-incon", 2, 9e6, 2.0)]) is con
    assert advised([serial, trial("asysg-con", 2, 1.9e6, 0.95)]) is serial
    assert advised([serial, trial("asysg-con", 1, 9e6, 0.1)]) is serial  # one thread is serial
    assert advised([serial]) is serial


@pytest.mark.parametrize("bound", [None, 0.0, math.inf])
def test_without_bounds_the_rates_of_equal_updates_decide(bound):
    serial = trial("sgd", 1, 1e6, bound)
    hogwild = trial("hogwild", 2, 1.5e6, bound)
    assert advised([serial, hogwild, trial("asysg-incon", 2, 9e6, bound)]) is hogwild
    assert advised([serial, trial("hogwild", 2, 1.05e6, bound)]) is serial


def test_a_busy_machine_is_told_of():
    assert busy(0.0) == ()
    (said,) = busy(1000.0)
    assert "load 1e+03" in said
    assert [duration(s) for s in (2.5, 2.5e-3, 2.5e-6, 2.5e-9, 0.0)] == [
        "2.5 s", "2.5 ms", "2.5 µs", "2.5 ns", "0 ns",
    ]  # fmt: skip


def test_threads_that_are_tried():
    assert [counts(p) for p in (1, 2, 3, 8, 12)] == [
        [1], [1, 2], [1, 2, 3], [1, 2, 4, 8], [1, 2, 4, 8, 12],
    ]  # fmt: skip


@pytest.fixture(scope="module")
def found():
    obj = objectives.SigmoidRegression.planted(500, 5, rng=0)
    return asysg.diagnose(obj, n_updates=50_000, n_threads=THREADS, seconds=0.02)


def test_a_diagnosis_has_all_it_promises(found):
    assert found.constants == objectives.SigmoidRegression.planted(500, 5, rng=0).constants(
        np.zeros(5), T=0
    )
    serial, *others = found.trials
    assert (serial.method, serial.n_threads, serial.n_updates) == ("sgd", 1, 50_000)
    assert found.seconds == pytest.approx(50_000 / serial.updates_per_second)
    assert [(one.method, one.n_threads) for one in others] == [
        (method, p) for method in METHODS for p in counts(THREADS)
    ]
    for one in found.trials:
        assert one.updates_per_second > 0
        assert one.measured_over > 0
        assert 0 <= one.T_99 <= one.T
        assert one.n_threads > 1 or one.T == 0
        assert one.n_updates == max(1, round(one.updates_per_second * found.seconds))
        side = theory.incon if one.method == "asysg-incon" else theory.con
        c = objectives.SigmoidRegression.planted(500, 5, rng=0).constants(np.zeros(5), T=one.T_99)
        gamma = side.gamma_opt(c, K=one.n_updates, M=1, T=one.T_99)
        assert one.bound == side.bound(gamma, c, K=one.n_updates, M=1, T=one.T_99)
        assert one.T_max == side.T_max(c, K=one.n_updates, M=1, form="plus")
    assert [one.method for one in found.costs] == list(METHODS)
    assert all(one.compute > 0 for one in found.costs)
    assert [one.rate for one in found.conflicts] == [1, 1, 1]
    workers = {1, 2, 4, 8, 16, 32, 64}
    assert {(one.method, one.n_workers) for one in found.predictions} == {
        (method, p) for method in METHODS for p in workers
    }
    best = advised(found.trials)
    assert (found.method, found.n_threads) == (best.method, best.n_threads)
    assert found.asynchronous == (found.n_threads > 1)
    assert found.max_delay == (best.T_99 if found.asynchronous else None)


def test_every_number_of_a_reason_stands_in_the_diagnosis(found):
    shown = {f"{value:.4g}" for one in found.trials for value in (one.bound, one.T, one.T_99)}
    assert found.reasons
    for reason in found.reasons:
        for bound in re.findall(r"bound ([\d.e-]+\d)", reason):
            assert bound in shown
    text = found.explain()
    assert text.startswith(("Use method", "Don't go asynchronous here"))
    assert "SIMULATED" in text
    for reason in found.reasons:
        assert f"- {reason}" in text
    if THREADS > 1:
        for method in METHODS:
            assert sum(reason.startswith(method) for reason in found.reasons) == 2


def test_a_diagnosis_is_json(found):
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert data["format"] == "asysg.diagnosis.v1"
    assert data["trials"][0]["method"] == "sgd"
    assert data["constants"]["L"] == found.constants.L
    assert data["reasons"] == list(found.reasons)


def test_one_thread_has_nothing_to_gain():
    obj = objectives.CosineQuadratic(20, sigma=1.0)
    found = asysg.diagnose(obj, np.ones(20), n_threads=1, seconds=0.01)
    assert (found.method, found.n_threads, found.max_delay) == ("sgd", 1, None)
    assert "There is one thread to use" in found.explain()


def test_without_constants_the_reason_says_so():
    A, y = np.random.default_rng(0).standard_normal((50, 4)), np.ones(50)
    obj = objectives.PhaseRetrieval(A, y)
    found = asysg.diagnose(obj, np.ones(4), n_threads=THREADS, seconds=0.01)
    assert found.constants is None
    assert {(one.bound, one.T_max) for one in found.trials} == {(None, None)}
    (why,) = (reason for reason in found.reasons if reason.startswith("No bound is known"))
    assert "must be proven" in why
    own = theory.ProblemConstants(gap=1.0, sigma=1.0, L=1.0, n=4, estimated=True)
    told = asysg.diagnose(obj, np.ones(4), n_threads=1, seconds=0.01, constants=own)
    assert told.constants is own
    assert told.trials[0].bound > 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"obj": 3}, "obj must be an Objective, got int"),
        ({"x0": np.ones(3)}, "x0 must be a vector of shape"),
        ({"batch_size": 0}, "batch_size must be an integer >= 1"),
        ({"n_updates": 0}, "n_updates must be an integer >= 1"),
        ({"n_threads": 0}, "n_threads must be an integer >= 1"),
        ({"constants": 1}, "constants must be a ProblemConstants"),
        ({"seconds": 0}, "seconds must be a finite number > 0"),
        ({"seed": -1}, "seed must be an integer >= 0"),
    ],
)
def test_refusals(change, says):
    arguments = {"obj": objectives.CosineQuadratic(4), **change}
    with pytest.raises(InvalidArgument, match=f"^{says}"):
        asysg.diagnose(arguments.pop("obj"), **arguments)
