"""Synchronous, delayed and Downpour SGD through the front door of the threads."""

import numpy as np
import pytest

import asysg
from asysg import InvalidArgument, objectives, simulate, theory
from asysg._core.openmp import openmp_version

THREADS = [1, 2, 3] if openmp_version() else [1]
WAYS = {
    "sync": {"method": "sync", "batch_size": 5},
    "delayed": {"method": "delayed", "delay": 4},
    "delayed by default": {"method": "delayed"},
    "downpour": {"method": "downpour", "batch_size": 4, "n_push": 2, "n_fetch": 6},
    "downpour, bounded": {"method": "downpour", "n_fetch": 4, "max_delay": 5},
    "downpour, a step a push": {"method": "downpour", "n_fetch": 3},
    "downpour that always fetches": {"method": "downpour"},
}
SAME_BITS = ("sync", "delayed")


@pytest.fixture(scope="module")
def obj():
    return objectives.SigmoidRegression.planted(40, 5, density=0.6, rng=0)


def run(obj, p, **how):
    how = {"steplength": 0.2, "n_updates": 3000, "record": "full", "n_records": 20, **how}
    return asysg.minimize(obj, np.ones(5), n_threads=p, rng=3, **how)


@pytest.mark.parametrize("p", THREADS)
@pytest.mark.parametrize("way", WAYS)
def test_replay(obj, way, p):
    res = run(obj, p, **WAYS[way])
    assert res.success
    assert res.n_threads_used == p
    again = simulate.replay(res)
    assert again.exact
    np.testing.assert_array_equal(again.x, res.x)
    assert again.updates_by_worker.sum() == 3000
    assert res.max_delay is None or res.staleness.max <= res.max_delay
    assert res.n_gradients == (3000 + res.n_recomputed) * res.batch_size


@pytest.mark.parametrize("p", THREADS)
def test_the_same_bits(obj, p):
    """ "sync" for the same number of threads, "delayed" for any."""
    first, second = (run(obj, p, record=r, **WAYS["sync"]) for r in ("full", False))
    np.testing.assert_array_equal(first.x, second.x)
    alone, here = (run(obj, q, **WAYS["delayed"]) for q in (1, p))
    np.testing.assert_array_equal(alone.x, here.x)
    delays = np.minimum(np.arange(3000), 4)
    assert here.staleness.max == 4
    assert here.staleness.mean == delays.mean()
    # The same as with given delays.
    given = simulate.minimize(
        obj, np.ones(5), method="delayed", delay=4, steplength=0.2, n_updates=3000, rng=3
    )
    np.testing.assert_array_equal(given.x, here.x)


def test_one_worker_is_the_serial_run(obj):
    serial = run(obj, 1, method="sgd", batch_size=5).x
    np.testing.assert_array_equal(run(obj, 1, method="sync", batch_size=5).x, serial)
    np.testing.assert_array_equal(run(obj, 1, method="delayed", batch_size=5).x, serial)
    np.testing.assert_array_equal(run(obj, 1, method="downpour", batch_size=5).x, serial)


@pytest.mark.parametrize("way", WAYS)
def test_a_resumed_run_has_the_bits_of_one_never_stopped(obj, way, tmp_path):
    for p in (1, THREADS[-1]):
        if p > 1 and WAYS[way]["method"] not in SAME_BITS:
            continue
        whole, nit = run(obj, p, **WAYS[way]), []

        def stop(intermediate, nit=nit):
            nit.append(intermediate.nit)
            if len(nit) == 7:
                raise StopIteration

        path = {"checkpoint": tmp_path / f"run{p}", "checkpoint_every": 0}
        part = run(obj, p, callback=stop, **path, **WAYS[way])
        assert (part.status, part.nit) == ("stopped", nit[-1])
        assert 0 < part.nit < 3000
        rest = run(obj, p, **path, **WAYS[way])
        np.testing.assert_array_equal(rest.x, whole.x)
        np.testing.assert_array_equal(rest.trace.f, whole.trace.f)
        np.testing.assert_array_equal(rest.staleness.histogram, whole.staleness.histogram)
        assert rest.log.tobytes() == whole.log.tobytes()
        assert rest.certificate == whole.certificate


@pytest.mark.parametrize("way", WAYS)
def test_going_on_with_other_threads(obj, way, tmp_path):
    """Also with the delay of the threads it began with; the record replays."""
    path, seen = {"checkpoint": tmp_path / "run", "checkpoint_every": 0}, []
    for p in (2, 1, 3) if len(THREADS) > 1 else (1, 1, 1):

        def stop(intermediate):
            seen.append(intermediate.nit)
            if len(seen) % 5 == 0:
                raise StopIteration

        res = run(obj, p, callback=stop, **path, **WAYS[way])
        assert res.status == "stopped"
    res = run(obj, 1, **path, **WAYS[way])
    assert res.success
    assert simulate.replay(res).exact
    if way == "delayed by default" and len(THREADS) > 1:
        assert res.staleness.max == 1


def test_another_runs_checkpoint_is_refused(obj, tmp_path):
    path = {"checkpoint": tmp_path / "run"}
    run(obj, 1, **path, **WAYS["delayed"])
    with pytest.raises(InvalidArgument, match="^checkpoint must come from the same run.*delay"):
        run(obj, 1, **path, method="delayed", delay=3)
    path = {"checkpoint": tmp_path / "other"}
    run(obj, 1, **path, **WAYS["downpour"])
    with pytest.raises(InvalidArgument, match="^checkpoint must come from the same run.*n_fetch"):
        run(obj, 1, **path, **{**WAYS["downpour"], "n_fetch": 4})


def test_schedules(obj):
    gamma = asysg.steplengths.diminishing(0.5)
    for way in ("sync", "delayed", "downpour that always fetches"):
        res = run(obj, THREADS[-1], **{**WAYS[way], "steplength": gamma})
        assert res.certificate.form == "paper"
        np.testing.assert_array_equal(simulate.replay(res).x, res.x)


def by_name(res):
    return {h.name: h for h in res.certificate.hypotheses}


@pytest.mark.parametrize("p", THREADS)
def test_certificates(obj, p):
    quiet = {"record": "sampled", "steplength": "prescribed"}
    res = run(obj, p, **quiet, **WAYS["sync"], form="uniform")
    assert (res.certificate.T, res.certificate.holds) == (0, True)
    assert by_name(res)["every delay equals T"].holds
    assert by_name(res)["reads oblivious"].evidence == "by construction"
    for form in ("constant_delay", "uniform"):
        res = run(obj, p, **quiet, **WAYS["delayed"], form=form)
        assert (res.certificate.T, res.certificate.holds) == (4, True)
        assert by_name(res)["every delay equals T"].evidence == "measured"
        assert by_name(res)["reads oblivious"].evidence == "by construction"
    res = run(obj, p, **quiet, **WAYS["downpour, bounded"])
    assert res.certificate.holds
    assert res.certificate.T <= 5
    assert by_name(res)["reads oblivious"].evidence == ("by construction" if p == 1 else "assumed")
    res = run(obj, p, **quiet, **WAYS["downpour"])
    assert not res.certificate.holds
    assert "2 local steps of a push read one another" in res.certificate.explain()


def test_prescriptions(obj):
    c = obj.constants(np.ones(5), T=4)
    plan = theory.con.prescribe(c, K=3000, M=2, T=4)
    for way in ("delayed", "downpour, a step a push"):
        res = run(obj, THREADS[-1], **{**WAYS[way], "steplength": plan, "n_updates": None})
        assert (res.steplength, res.nit, res.batch_size) == (plan.gamma, 3000, 2)
    named = run(obj, 1, **{**WAYS["downpour, a step a push"], "steplength": "prescribed"})
    assert "T = 2" in by_name(named)["delays bounded by T"].note


def test_a_run_that_diverges_says_so():
    wild = objectives.Quadratic(np.eye(5), sigma=0.0)
    for p in THREADS:
        for way in WAYS.values():
            res = run(wild, p, **{**way, "steplength": 1e100, "n_updates": 10**6})
            assert (res.status, res.success) == ("diverged", False)
            assert np.isfinite(res.x).all()
            assert res.nit < 1000


REFUSED = [
    ({"method": "sync", "max_delay": 3}, "max_delay must be left out for method 'sync'"),
    ({"method": "delayed", "max_delay": 3}, "max_delay must be left out for method 'delayed'"),
    ({"method": "sync", "delay": 3}, "delay must be left out for method 'sync'"),
    ({"method": "asysg-con", "delay": 0}, "delay must be left out for method 'asysg-con'"),
    ({"method": "delayed", "delay": -1}, "delay must be an integer >= 0"),
    ({"method": "delayed", "delay": 1.5}, "delay must be an integer >= 0"),
    ({"method": "delayed", "delay": 10**15}, "delay must be so short that"),
    ({"method": "delayed", "n_fetch": 2}, "n_fetch and n_push must be 1 for method 'delayed'"),
    ({"n_push": 2, "n_fetch": 2}, "n_fetch and n_push must be 1 for method 'asysg-incon'"),
    ({"method": "downpour", "n_push": 0}, "n_push must be an integer >= 1"),
    ({"method": "downpour", "n_fetch": 2.0}, "n_fetch must be an integer >= 1"),
    ({"method": "downpour", "n_push": 2, "n_fetch": 3}, "n_fetch must be a multiple of n_push, 2"),
    (
        {"method": "downpour", "n_push": 2, "n_fetch": 2, "batch_size": 3},
        "batch_size must be a multiple of n_push, 2",
    ),
    (
        {"method": "downpour", "n_fetch": 2, "steplength": lambda k: 0.1},
        "steplength must be constant for method 'downpour'",
    ),
    ({"method": "sync", "update": "replica"}, "update must be 'atomic' for method 'sync'"),
    ({"method": "downpour", "sync_every": 3}, "update must be 'atomic' for method 'downpour'"),
    ({"method": "sync", "record": "full+reads"}, "record must not be 'full[+]reads'"),
    ({"method": "downpour", "max_delay": 3, "record": False}, "record must be"),
    ({"method": "sync", "skip_ahead": True}, "skip_ahead must be None or False"),
]


@pytest.mark.parametrize(("arguments", "match"), REFUSED)
def test_refusals(obj, arguments, match):
    with pytest.raises(InvalidArgument, match=f"(?s)^{match}.*, got .*$"):
        run(obj, 1, **arguments)


def test_what_cannot_be_examined(obj):
    assert asysg.verify.examine(run(obj, THREADS[-1], **WAYS["delayed"])).ok
    for way in ("sync", "downpour"):
        with pytest.raises(InvalidArgument, match="^result must be of"):
            asysg.verify.examine(run(obj, 1, **WAYS[way]))


def test_progress_and_callbacks(obj, capsys):
    seen = []
    res = run(
        obj, THREADS[-1], **WAYS["sync"], progress=True, callback=lambda now: seen.append(now.nit)
    )
    assert seen[0] == 0
    assert seen[-1] == 3000 == res.nit
    assert "update" in capsys.readouterr().err
