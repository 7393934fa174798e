"""A run that leaves the finite numbers says where, and never goes on."""

import math
import re

import numpy as np
import pytest

import asysg
from asysg import objectives
from asysg._core.openmp import openmp_version

THREADS = [1, 2] if openmp_version() else [1]
# One coordinate, one term, no noise: x_k is known. f(x) = L x^2 / 2, x -> (1 - gamma L) x.
GAMMA = 2.0**40


def exact():
    """Return the updates that can be made: the next increment is beyond the largest float."""
    x, k = 1.0, 1
    while math.isfinite(-(GAMMA * x)):
        x, k = x + -(GAMMA * x), k + 1
    return k


def quadratic(n=1):
    return objectives.Quadratic(np.eye(n), sigma=0.0)


def run(method, p, **kwargs):
    kwargs = {"steplength": GAMMA, "n_updates": 10**6, "n_records": 1, "rng": 0, **kwargs}
    obj = kwargs.pop("obj", quadratic())
    return asysg.minimize(obj, np.ones(obj.n), method=method, n_threads=p, **kwargs)


def read(message):
    """Return (worker, k) of the message."""
    found = re.search(r"Worker (\d+) noticed it at update k = (\d+), at steplength", message)
    return int(found[1]), int(found[2])


@pytest.mark.parametrize("record", ["sampled", "full", False])
def test_incon_names_the_very_update(record):
    res = run("asysg-incon", 1, record=record)
    assert (res.status, res.success) == ("diverged", False)
    assert read(res.message) == (0, exact())
    assert f"steplength {GAMMA:.6g}" in res.message
    # The bad increment is not written, so x is the iterate it was computed from.
    assert np.isfinite(res.x).all()
    assert abs(res.x[0]) > np.finfo(float).max / GAMMA
    # Without the clock an update that is not written has no number.
    since = f"x is from after k = {exact() - 1}" if record is False else "x is without that update"
    assert since in res.message
    assert not res.certificate.holds
    if record == "full":
        assert len(res.log) == res.nit == exact()
        assert not np.isfinite(res.log["increment"][-1])
        assert np.isfinite(res.log["increment"][:-1]).all()


@pytest.mark.parametrize("p", THREADS)
@pytest.mark.parametrize("update", ["atomic", "replica"])
def test_incon_on_threads_is_confirmed_by_the_record(p, update):
    """The update of the message is the first whose recorded increment is not finite."""
    rng = np.random.default_rng(0)
    for seed in range(10):
        start = rng.normal(size=50)
        res = asysg.minimize(
            objectives.Quadratic(np.eye(50), sigma=0.1),
            start,
            method="asysg-incon",
            steplength=1e30,
            n_updates=10**5,
            n_threads=p,
            record="full",
            update=update,
            rng=seed,
        )
        assert res.status == "diverged"
        worker, k = read(res.message)
        bad = np.flatnonzero(~np.isfinite(res.log["increment"]))
        assert bad[0] == k - 1
        assert res.log["worker"][k - 1] == worker
        # Every worker ends at its first bad update.
        assert len(bad) == len(set(res.log["worker"][bad])) <= p
        assert np.isfinite(res.x).all()


@pytest.mark.parametrize("method", ["asysg-incon", "hogwild"])
@pytest.mark.parametrize("record", ["sampled", "full", False])
@pytest.mark.parametrize("sync_every", [1, 7, 4096])
def test_replicas_name_the_very_update(method, record, sync_every):
    """The updates of its batch before it are made, it is not."""
    res = run(method, 1, record=record, sync_every=sync_every)
    assert (res.status, res.update) == ("diverged", "replica")
    assert read(res.message) == (0, exact())
    direct = run(method, 1, record=record, update="atomic")
    assert np.isfinite(res.x).all()
    if method == "asysg-incon":
        np.testing.assert_array_equal(res.x, direct.x)
    assert res.nit == exact() - (record is False)
    assert res.staleness.histogram.sum() == (0 if record is False else exact() - 1)


@pytest.mark.parametrize("method", ["asysg-incon", "hogwild"])
@pytest.mark.parametrize("p", THREADS)
@pytest.mark.parametrize("sync_every", [1, 7])
def test_replicas_stay_finite(method, p, sync_every):
    """Increments that are finite and would add up to infinity are not made either."""
    obj = objectives.Quadratic(-np.eye(2), sigma=0.0)
    res = asysg.minimize(
        obj, np.full(2, 1.7e308), method=method, steplength=0.5, n_updates=10_000,
        n_threads=p, n_records=1, rng=0, sync_every=sync_every,
    )  # fmt: skip
    assert res.status == "diverged"
    np.testing.assert_array_equal(res.x, np.full(2, 1.7e308))
    worker, k = read(res.message)
    assert (0 <= worker < p, 1 <= k <= p) == (True, True)
    assert "x is without that update" in res.message


@pytest.mark.parametrize("method", ["asysg-con", "hogwild"])
@pytest.mark.parametrize("p", THREADS)
def test_whole_vectors_are_noticed_within_one_check(method, p):
    """Within 64 updates of each worker after the first bad one, or by the end of its block."""
    res = run(method, p, record="full", obj=quadratic(4), update="atomic")
    assert res.status == "diverged"
    assert np.isfinite(res.x).all()
    assert "x is from after k = " in res.message
    at = int(re.search(r"x is from after k = (\d+)", res.message)[1])
    # The first block has 256 updates, and x overflows in it: 26 updates and the stale ones.
    assert at <= res.nit <= 256
    said = re.search(r"update k = (\d+)", res.message)
    assert at < int(said[1]) <= res.nit


@pytest.mark.parametrize("method", ["asysg-incon", "asysg-con", "hogwild"])
@pytest.mark.parametrize("p", THREADS)
def test_x_overflows_by_finite_increments(method, p):
    """Increments that are finite add up to infinity: seen when a block ends."""
    # f(x) = -x^2 / 2 + ..., unbounded below: x -> (1 + gamma) x, both terms below the largest.
    obj = objectives.Quadratic(-np.eye(2), sigma=0.0)
    res = asysg.minimize(
        obj, np.full(2, 1.7e308), method=method, steplength=0.5, n_updates=10_000,
        n_threads=p, n_records=1, rng=0, update="atomic",
    )  # fmt: skip
    assert res.status == "diverged"
    np.testing.assert_array_equal(res.x, np.full(2, 1.7e308))
    assert "x is from after k = 0" in res.message
    assert res.nit <= 256


@pytest.mark.parametrize(
    ("method", "update"),
    [*((method, "atomic") for method in ("asysg-incon", "asysg-con", "hogwild")),
     ("asysg-incon", "replica"), ("hogwild", "replica")],
)  # fmt: skip
@pytest.mark.parametrize("p", THREADS)
def test_not_a_number(method, update, p):
    """Both products overflow, and their difference is nan, at the first update."""
    a = 1e150
    obj = objectives.Quadratic(np.array([[a, -a], [-a, a]]), sigma=0.0)
    start = np.full(2, 1e160)
    assert np.isnan(obj.gradient(start)).all()
    res = asysg.minimize(
        obj, start, method=method, steplength=1.0, n_updates=1000, n_threads=p, update=update, rng=0
    )
    assert res.status == "diverged"
    np.testing.assert_array_equal(res.x, start)
    assert res.nit <= 256
    if method != "asysg-con":  # which looks at x now and then; the others at every increment
        assert read(res.message)[1] == 1


def test_diverged_run_keeps_its_last_good_checkpoint(tmp_path):
    """It goes on from there, and diverges again at the same update."""
    kwargs = {"checkpoint": tmp_path / "run", "checkpoint_every": 0, "record": "full"}
    kwargs |= {"n_records": 10**4, "n_updates": 10**4}
    first = run("asysg-incon", 1, **kwargs)
    log = np.array(first.log)
    again = run("asysg-incon", 1, **kwargs)
    assert again.message == first.message
    np.testing.assert_array_equal(again.x, first.x)
    np.testing.assert_array_equal(again.trace.k, first.trace.k)
    # The record that the first result maps is not cut under it.
    assert first.log.tobytes() == log.tobytes() == again.log.tobytes()
