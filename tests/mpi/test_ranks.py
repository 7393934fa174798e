"""What holds for every method on any number of ranks, whatever the order of arrival."""

import numpy as np
import pytest

import asysg
from asysg import _draws, objectives
from asysg._core.openmp import openmp_version
from asysg.simulate import delays

K = 60
COMMON = {"n": 5, "n_updates": K, "record": "full", "rng": 3, "n_records": 20}
INTEGERS = {**COMMON, "objective": "integers", "steplength": 1.0, "batch_size": 4}
SIGMOID = {**COMMON, "objective": "sigmoid", "steplength": 0.25, "batch_size": 4}
METHODS = [
    {"method": "asysg-con"},
    {"method": "asysg-con", "in_flight": 2, "transport": "messages"},
    {"method": "asysg-con", "max_delay": 1},
    {"method": "asysg-con", "max_delay": 1, "late": "wait"},
    {"method": "asysg-con", "max_delay": 0, "late": "wait", "in_flight": 2},
    {"method": "sync"},
    {"method": "delayed"},
    {"method": "delayed", "delay": 0},
    {"method": "downpour"},
    {"method": "downpour", "n_fetch": 3},
    {"method": "downpour", "n_fetch": 4, "n_push": 2, "max_delay": 2},
    {"method": "downpour", "n_fetch": 6, "n_push": 2, "max_delay": 3, "late": "wait"},
]


def vector(found):
    return np.array([float.fromhex(v) for v in found["x"]])


def test_threads_have_the_bits_of_ranks(said):
    """Two workers on ranks and two threads: the same parts in the same order, the same reads."""
    rng = np.random.default_rng(0)
    A = rng.normal(size=(20, 5)) / np.sqrt(5)
    obj = objectives.SigmoidRegression(A, (A[:, 0] > 0).astype(float))
    common = {"steplength": 0.25, "batch_size": 5, "n_updates": K, "rng": 3}
    ways = [{"method": "sync"}, {"method": "delayed"}, {"method": "delayed", "delay": 0}]
    found = said(3, "several", runs=[{**SIGMOID, **common, **way} for way in ways])
    for way, result in zip(ways, found, strict=True):
        real = asysg.simulate.minimize(obj, np.zeros(5), n_workers=2, **common, **way)
        np.testing.assert_array_equal(vector(result), real.x)
        if openmp_version():
            real = asysg.minimize(obj, np.zeros(5), n_threads=2, **common, **way)
            np.testing.assert_array_equal(vector(result), real.x)
    local = {"method": "downpour", "n_fetch": 4, "n_push": 2, "batch_size": 4}
    [alone] = said(1, "several", runs=[{**SIGMOID, **common, **local}])
    real = asysg.minimize(obj, np.zeros(5), n_threads=1, **{**common, **local})
    np.testing.assert_array_equal(vector(alone), real.x)


@pytest.mark.parametrize(
    ("ranks", "n_servers"), [(1, 1), (2, 1), (3, 1), (5, 1), (9, 1), (3, 2), (5, 2), (9, 4)]
)
def test_every_update_once_and_replayed_bit_for_bit(said, ranks, n_servers):
    """Integer updates: x is the start plus every draw once, whoever computed it and when.

    Real ones: the record leads to the same last bit, and its delays keep what was asked for. With
    several servers that is what consistent reads are: every snapshot is one and the same iterate
    in all its slices.
    """
    serial = asysg.minimize(
        objectives.Quadratic(1e-300 * np.eye(5), sigma=np.sqrt(5), noise="rademacher"),
        np.zeros(5), method="sgd", steplength=1.0, batch_size=4, n_updates=K, rng=3,
    )  # fmt: skip
    assert np.abs(serial.x).max() > 10
    found = said(
        ranks, "several",
        runs=[
            {**base, **method, "n_servers": n_servers}
            for method in METHODS for base in (INTEGERS, SIGMOID)
        ],
    )  # fmt: skip
    assert len(found) == 2 * len(METHODS)
    workers = max(1, ranks - n_servers)
    for number, result in enumerate(found):
        method = METHODS[number // 2]
        assert (result["status"], result["nit"]) == ("completed", K), method
        assert result["draws"] == list(range(K)), method
        assert result["replayed"] is True, method
        assert result["counted"] == K
        assert max(result["delays"]) == result["T"]
        assert min(result["delays"]) >= 0
        assert result["workers"] == workers
        cluster = result["cluster"]
        assert len(cluster["updates"]) == len(cluster["computing_seconds"]) == workers
        assert cluster["servers"] == n_servers
        if number % 2 == 0:
            np.testing.assert_array_equal(vector(result), serial.x, err_msg=str(method))
        if "max_delay" in method:
            assert result["T"] <= method["max_delay"], method
        if method.get("late") == "wait" or method["method"] in ("sync", "delayed"):
            assert result["recomputed"] == 0
        if method["method"] == "sync":
            assert result["T"] == 0
            assert cluster["updates"] == [K] * min(workers, 4) + [0] * max(0, workers - 4)
        else:
            assert result["by_worker"] == np.trim_zeros(cluster["updates"], "b")
        if method["method"] == "delayed":
            tau = method.get("delay", workers - 1)
            assert result["delays"] == [min(k, tau) for k in range(K)]
        if ranks == 1 and method["method"] == "asysg-con":
            assert (
                result["T"] == min(method.get("in_flight", 1), method.get("max_delay", 9) + 1) - 1
            )


def test_what_is_deterministic_equals_the_simulator_bit_for_bit(said):
    """Fixed delays on ranks are the recursion with these delays."""
    rng = np.random.default_rng(0)
    A = rng.normal(size=(20, 5)) / np.sqrt(5)
    obj = objectives.SigmoidRegression(A, (A[:, 0] > 0).astype(float))
    common = {"steplength": 0.25, "batch_size": 4, "n_updates": K, "rng": 3}
    cases = {
        2: [({"method": "asysg-con"}, 0), ({"method": "delayed", "in_flight": 3}, 2)],
        4: [
            ({"method": "delayed", "transport": "messages"}, 2),
            ({"method": "delayed", "transport": "shared"}, 2),
            ({"method": "delayed", "n_servers": 2, "in_flight": 2}, 3),
            ({"method": "asysg-con", "n_servers": 3}, 0),
        ],
    }
    for ranks, runs in cases.items():
        found = said(ranks, "several", runs=[{**SIGMOID, **arguments} for arguments, _ in runs])
        for result, (arguments, tau) in zip(found, runs, strict=True):
            expected = asysg.simulate.minimize(
                obj, np.zeros(5), method="asysg-con", delays=delays.constant(tau), **common
            )
            np.testing.assert_array_equal(vector(result), expected.x)
            assert result["T"] == tau
            if "transport" in arguments:
                assert result["cluster"]["transports"] == [arguments["transport"]] * 3


@pytest.mark.parametrize("method", ["asysg-con", "sync"])
def test_every_server_does_every_update_on_its_slice_alone(said, method):
    found = said(5, "sizes", **SIGMOID, method=method, n_servers=3)
    applied = {line["rank"]: line["applied"] for line in found}
    assert applied == {0: [1] * K, 1: [2] * K, 2: [2] * K, 3: [], 4: []}


def test_late_gradients_are_computed_again(said):
    """Three snapshots of the start are out: with T = 0 two of them come too late for sure."""
    [found] = said(4, "several", runs=[{**SIGMOID, "max_delay": 0}])
    assert found["T"] == 0
    assert found["recomputed"] >= 2


def test_certificates_say_which_theorem_is_missing(said):
    small = {**SIGMOID, "steplength": 1e-3}
    fixed, wild, pushed = said(
        3, "several",
        runs=[
            {**small, "method": "delayed", "form": "constant_delay"},
            {**small, "method": "asysg-con", "max_delay": 1, "form": "constant_delay"},
            {**small, "method": "downpour", "n_fetch": 2, "n_push": 2, "max_delay": 4},
        ],
    )  # fmt: skip
    assert fixed["holds"]
    assert "every delay equals T" in wild["explained"]
    assert wild["holds"] == (wild["T"] == 0)
    assert "no theorem here covers that" in pushed["explained"]
    assert not pushed["holds"]


def test_prescribed_steplengths(said):
    runs = [
        {**SIGMOID, "steplength": "prescribed", "method": method, **more}
        for method, more in (
            ("asysg-con", {}), ("asysg-con", {"max_delay": 2}), ("sync", {}), ("delayed", {}),
        )
    ]  # fmt: skip
    measured, enforced, sync, fixed = said(3, "several", runs=runs)
    assert measured["status"] == "completed"
    for found, T in ((enforced, 2), (sync, 0), (fixed, 1)):
        assert f"the steplength was prescribed for T = {T}" in found["explained"]
        assert found["T"] <= T


def test_vectors_that_travel_in_single_precision(said):
    """One worker: reads and gradients are rounded, x is not, and nothing is certified."""
    rng = np.random.default_rng(0)
    A = rng.normal(size=(20, 5)) / np.sqrt(5)
    obj = objectives.SigmoidRegression(A, (A[:, 0] > 0).astype(float))
    rounded = {**SIGMOID, "record": "sampled", "wire": "float32", "steplength": 1e-3}
    one, alone = said(2, "several", runs=[rounded, {**rounded, "method": "sync"}])
    [sliced] = said(3, "several", runs=[{**rounded, "n_servers": 2}])
    x, key = np.zeros(5), _draws.key_from(3)
    for samples in _draws.samples(key, np.arange(K), 4, 20):
        read = x.astype(np.float32).astype(np.float64)
        x = x - 1e-3 * obj.minibatch(read, samples).astype(np.float32).astype(np.float64)
    for found in (one, alone, sliced):
        np.testing.assert_array_equal(vector(found), x)
        assert not found["holds"]
        assert "no read is an iterate" in found["explained"]
        assert found["cluster"]["transports"] == ["messages"]
    [serial] = said(1, "several", runs=[rounded])  # nothing travels
    assert serial["holds"]
