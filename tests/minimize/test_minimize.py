"""What `asysg.minimize` promises of a run and its result."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest

import asysg
import asysg._minimize
from asysg import CertificateError, InvalidArgument, Result, objectives, simulate, theory
from asysg._core.openmp import openmp_version
from asysg._evidence import certify
from asysg._plan import State

THREADS = [1, 2, 3] if openmp_version() else [1]
METHODS = ["asysg-con", "asysg-incon"]


@pytest.fixture(scope="module")
def obj():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(40, 6)) / np.sqrt(6)
    return objectives.SigmoidRegression(A, (A[:, 0] > 0).astype(float))


X0 = np.zeros(6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("p", THREADS)
@pytest.mark.parametrize("K", [1, 2, 7, 1000, 4097])
def test_exactly_K_updates(obj, method, p, K):
    res = asysg.minimize(
        obj, X0, method=method, steplength=0.1, n_updates=K, n_threads=p, rng=0, record="full"
    )
    assert (res.nit, res.success, res.status) == (K, True, "completed")
    assert res.n_threads_used == p
    assert len(res.log) == K
    np.testing.assert_array_equal(np.sort(res.log["draw"]), np.arange(K))
    assert res.staleness.histogram.sum() == K
    assert res.staleness.max == (np.arange(K) - res.log["start"]).max()
    assert res.n_lost == 0
    assert res.n_gradients == K + res.n_recomputed
    assert res.fun == obj.value(res.x)


@pytest.mark.parametrize("method", [*METHODS, "sgd"])
def test_one_thread_repeats_to_the_bit(obj, method):
    runs = [
        asysg.minimize(
            obj,
            X0,
            method=method,
            steplength=0.2,
            n_updates=3000,
            n_threads=1,
            rng=5,
            batch_size=2,
            n_records=n_records,
            record=record,
        )
        for n_records, record in ((200, "sampled"), (3, "full"), (5000, False))
    ]
    other = simulate.minimize(
        obj, X0, method=method, steplength=0.2, n_updates=3000, rng=5, batch_size=2
    )
    for res in [*runs[1:], other]:
        np.testing.assert_array_equal(res.x, runs[0].x)
    different = asysg.minimize(
        obj, X0, method=method, steplength=0.2, n_updates=3000, n_threads=1, rng=6, batch_size=2
    )
    assert (different.x != runs[0].x).any()


def test_trace_is_an_unbiased_sample_of_the_iterates(obj):
    """With every iterate recorded the ergodic mean is exact; strata weigh by their length."""
    kwargs = {"method": "sgd", "steplength": 0.3, "n_updates": 500, "rng": 1}
    full = asysg.minimize(obj, X0, n_records=500, **kwargs)
    np.testing.assert_array_equal(full.trace.k, np.arange(1, 502))
    np.testing.assert_allclose(full.trace.weight, [1 / 500] * 500 + [0])
    expected = np.mean(full.trace.grad_norm_sq[:-1])
    assert full.trace.ergodic == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(
        full.trace.grad_norm_sq[0], np.sum(obj.gradient(X0) ** 2), rtol=1e-15
    )
    assert full.trace.f[-1] == full.fun

    part = asysg.minimize(obj, X0, n_records=7, **kwargs)
    chosen = part.trace.weight > 0
    strata = np.searchsorted(np.linspace(0, 500, 8).astype(int), part.trace.k[chosen] - 1, "right")
    np.testing.assert_array_equal(strata, np.arange(1, 8))
    edges = np.linspace(0, 500, 8).astype(int)
    np.testing.assert_allclose(part.trace.weight[chosen], np.diff(edges) / 500, rtol=1e-12)
    assert (part.trace.k[chosen] - 1 > edges[:-1]).any()
    assert (part.trace.k[chosen] < edges[1:]).any()
    same = np.isin(full.trace.k, part.trace.k)
    np.testing.assert_array_equal(full.trace.f[same], part.trace.f)


def test_steplengths(obj):
    run = {"method": "sgd", "n_updates": 50, "rng": 0}
    constant = asysg.minimize(obj, X0, steplength=0.25, **run)
    for same in (lambda k: 0.25, np.full(50, 0.25), np.float64(0.25)):
        np.testing.assert_array_equal(asysg.minimize(obj, X0, steplength=same, **run).x, constant.x)
    seen = []
    asysg.minimize(obj, X0, steplength=lambda k: seen.append(k) or 0.1, **run)
    assert sorted(set(seen)) == list(range(1, 51))
    schedule = asysg.steplengths.diminishing(0.25)
    falling = asysg.minimize(obj, X0, steplength=schedule, **run)
    assert falling.steplength is None
    assert falling.certificate.form == "paper"
    assert falling.certificate.bound == theory.con.bound(
        np.array([schedule(k) for k in range(1, 51)]),
        obj.constants(X0, T=0),
        K=50,
        M=1,
        T=0,
        form="paper",
    )
    incon = asysg.minimize(
        obj, X0, method="asysg-incon", n_threads=1, steplength=schedule, n_updates=50
    )
    assert not incon.certificate.holds
    assert "constant steplength" in incon.certificate.explain()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("p", THREADS)
def test_prescribed(obj, method, p):
    """The steplength is the theory's for the T of the pilot; the certificate's T is the run's."""
    side = theory.con if method == "asysg-con" else theory.incon
    K = 20_000
    res = asysg.minimize(obj, X0, method=method, n_updates=K, n_threads=p, max_delay=9, rng=0)
    c = obj.constants(X0, T=9)
    assert res.steplength == side.prescribe(c, K=K, M=1, T=9).gamma
    assert res.certificate.T == res.staleness.max <= 9
    best = asysg.minimize(
        obj, X0, method=method, steplength="optimal", n_updates=K, n_threads=p, max_delay=9, rng=0
    )
    assert best.steplength == side.gamma_opt(c, K=K, M=1, T=9)
    assert best.certificate.holds
    free = asysg.minimize(obj, X0, method=method, n_updates=K, n_threads=p, rng=0)
    notes = [h.note for h in free.certificate.hypotheses if h.name == "delays bounded by T"]
    assert re.search(r"prescribed for T = \d+$|^larger than T = \d+, for which", notes[0])
    p_object = side.prescribe(c, K=K, M=1, T=9)
    again = asysg.minimize(obj, X0, method=method, steplength=p_object, n_threads=p, rng=0)
    assert (again.steplength, again.nit) == (p_object.gamma, K)


def test_unrecorded_run_claims_no_delay(obj):
    if not openmp_version():
        pytest.skip("one thread has no delay to record")
    res = asysg.minimize(obj, X0, steplength=0.01, n_updates=1000, n_threads=2, record=False, rng=0)
    assert res.staleness.max is None
    assert not res.certificate.holds
    assert res.nit == 1000
    with pytest.raises(InvalidArgument, match="^quantile needs"):
        res.staleness.quantile(0.5)


def test_certificate_of_an_objective_without_constants():
    obj = objectives.Quadratic(np.diag([1.0, -1.0]), sigma=0.1)  # unbounded below
    res = asysg.minimize(obj, np.ones(2) * 1e-3, steplength=1e-3, n_updates=10, rng=0)
    assert res.success
    assert not res.certificate.holds
    assert res.certificate.verdict == "no claim"
    assert "lower_bound must" in res.certificate.explain()
    with pytest.raises(InvalidArgument, match="^lower_bound must"):
        asysg.minimize(obj, np.ones(2), n_updates=10)
    own = theory.ProblemConstants(1.0, 0.1, 1.0, n=2, estimated=True)
    res = asysg.minimize(obj, np.ones(2) * 1e-3, n_updates=10, constants=own, rng=0)
    assert res.certificate.constants == own
    assert "estimate" in res.certificate.explain()


@pytest.mark.parametrize("p", THREADS)
def test_divergence_is_reported(p):
    obj = objectives.Quadratic(np.eye(4), sigma=0.1)
    res = asysg.minimize(obj, np.ones(4), steplength=50.0, n_updates=10**6, n_threads=p, rng=0)
    assert (res.success, res.status) == (False, "diverged")
    assert np.isfinite(res.x).all()
    assert res.nit < 10**6
    # Other workers may have done a few more updates, or tried to.
    assert 0 < int(re.search(r"update k = (\d+)", res.message)[1]) <= res.nit
    assert "steplength 50" in res.message
    assert not res.certificate.holds


@pytest.mark.filterwarnings("default")
def test_fewer_threads_than_asked_for_are_not_silent(obj, monkeypatch):
    class Alone:
        """An engine to which the runtime gives one thread for two workers."""

        team = 1

        def __init__(self, engine):
            self.engine = engine

        def __getattr__(self, name):
            return getattr(self.engine, name)

    make = asysg._minimize.threads_engine
    monkeypatch.setattr(asysg._minimize, "threads_engine", lambda *args: Alone(make(*args)))
    monkeypatch.setattr(asysg._minimize, "threads", lambda *_: 2)
    with pytest.warns(RuntimeWarning, match="2 threads were asked for and .* gave 1"):
        res = asysg.minimize(obj, X0, steplength=0.1, n_updates=100, rng=0)
    assert res.n_threads_used == 1


def test_raise_if_failed(obj):
    bad = objectives.Quadratic(np.eye(4), sigma=0.1)
    res = asysg.minimize(bad, np.ones(4), steplength=50.0, n_updates=10**5, n_threads=1, rng=0)
    with pytest.raises(asysg.DivergenceError, match="Try a smaller steplength"):
        res.raise_if_failed()
    good = asysg.minimize(obj, X0, steplength=0.1, n_updates=10, rng=0)
    assert good.raise_if_failed() is good
    with pytest.raises(asysg.ObjectiveError, match="^why$"):
        replace(good, status="failed", message="why").raise_if_failed()


def test_callback_and_stop(obj):
    seen = []

    def look(intermediate):
        seen.append(intermediate)
        if intermediate.nit >= 300:
            raise StopIteration

    res = asysg.minimize(
        obj, X0, steplength=0.1, n_updates=1000, n_records=10, callback=look, rng=0
    )
    assert (res.status, res.success) == ("stopped", False)
    assert res.nit == seen[-1].nit >= 300
    np.testing.assert_array_equal(res.x, seen[-1].x)
    assert seen[-1].fun == res.fun
    assert not res.certificate.holds
    with pytest.raises(ZeroDivisionError):
        asysg.minimize(obj, X0, steplength=0.1, n_updates=10, callback=lambda _: 1 / 0)


@pytest.mark.parametrize("p", THREADS)
def test_interrupt_gives_a_partial_result(obj, p):
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        res = asysg.minimize(obj, X0, steplength=1e-4, n_updates=10**12, n_threads=p, rng=0)
    finally:
        timer.join()
    assert (res.status, res.success) == ("interrupted", False)
    assert 0 < res.nit < 10**12
    assert np.isfinite(res.x).all()
    assert res.staleness.histogram.sum() == res.nit


def test_checkpoint_resumes_to_the_same_bits(obj, tmp_path):
    path = tmp_path / "run.npz"
    run = {"method": "asysg-incon", "n_updates": 5000, "n_threads": 1, "n_records": 20, "rng": 3}
    whole = asysg.minimize(obj, X0, **run)

    def stop(intermediate):
        if intermediate.nit > 2000:
            raise KeyboardInterrupt

    part = asysg.minimize(obj, X0, checkpoint=path, checkpoint_every=0, callback=stop, **run)
    assert part.status == "interrupted"
    resumed = asysg.minimize(obj, X0, checkpoint=path, **{**run, "rng": None})
    assert resumed.success
    np.testing.assert_array_equal(resumed.x, whole.x)
    np.testing.assert_array_equal(resumed.trace.k, whole.trace.k)
    np.testing.assert_array_equal(resumed.trace.grad_norm_sq, whole.trace.grad_norm_sq)
    np.testing.assert_array_equal(resumed.staleness.histogram, whole.staleness.histogram)
    done = asysg.minimize(obj, X0, checkpoint=path, **run)
    np.testing.assert_array_equal(done.x, whole.x)
    for change in ({"n_updates": 6000}, {"batch_size": 2}, {"steplength": 0.123}, {"n_records": 9}):
        with pytest.raises(InvalidArgument, match="^(checkpoint|steplength) must"):
            asysg.minimize(obj, X0, checkpoint=path, **{**run, **change})
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(InvalidArgument, match="^checkpoint must be a file written by a run"):
        asysg.minimize(obj, X0, checkpoint=path, **run)


def test_json_round_trip(obj, tmp_path):
    res = asysg.minimize(obj, X0, steplength=0.1, n_updates=500, max_delay=5, rng=0)
    path = tmp_path / "result.json"
    res.to_json(path)
    json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(name))
    back = Result.from_json(path)
    assert back.to_dict() == res.to_dict()
    np.testing.assert_array_equal(back.x, res.x)
    assert back.certificate == res.certificate
    assert repr(back) == repr(res)
    virtual = simulate.minimize(obj, X0, steplength=0.1, n_updates=50, rng=0)
    virtual.to_json(path)
    assert np.isnan(Result.from_json(path).trace.time).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": None}, "got format None"),
        ({"x": None}, "got one with TypeError"),
        ({"key": 3}, "got one with TypeError"),
        ({"trace": []}, "got one with AttributeError"),
        ({"staleness": {}}, "got one with KeyError"),
        ({"fun": "low"}, "got one with ValueError"),
        ({"colour": "red"}, "got one with TypeError"),
    ],
)
def test_what_is_no_result_is_refused(obj, change, message):
    data = asysg.minimize(obj, X0, steplength=0.1, n_updates=50, rng=0).to_dict()
    with pytest.raises(InvalidArgument, match=f"^data must be a result written by .*{message}"):
        Result.from_dict({**data, **change})


def test_what_lacks_a_field_is_no_result(obj):
    data = asysg.minimize(obj, X0, steplength=0.1, n_updates=50, rng=0).to_dict()
    for name in ("x", "time", "key", "trace", "staleness", "certificate", "nit"):
        with pytest.raises(InvalidArgument, match=f"^data must be a result .*{name}"):
            Result.from_dict({field: value for field, value in data.items() if field != name})
    for other in ({}, [], None, "data"):
        with pytest.raises(InvalidArgument, match="^data must be a result written by to_json, got"):
            Result.from_dict(other)
    with pytest.raises(CertificateError):
        Result.from_dict({**data, "certificate": {}})


def test_plot(obj, tmp_path):
    for record in ("sampled", False):
        res = asysg.minimize(obj, X0, steplength=0.1, n_updates=500, record=record, rng=0)
        path = tmp_path / "result.png"
        res.plot().savefig(path)
        assert path.stat().st_size > 10_000


def test_quantiles_of_the_delay(obj):
    table = np.array([0] * 50 + [3] * 40 + [9] * 10)
    res = simulate.minimize(
        obj, X0, steplength=0.01, n_updates=100, delays=simulate.delays.given(table), rng=0
    )
    assert [res.staleness.quantile(q) for q in (0, 0.5, 0.9, 0.91, 1)] == [0, 0, 3, 9, 9]
    assert res.staleness.mean == pytest.approx((3 * 40 + 9 * 10) / 100)
    for q in (-0.1, 1.1, "x", None, float("nan")):
        with pytest.raises(InvalidArgument, match="^q must"):
            res.staleness.quantile(q)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_fork_after_a_parallel_run():
    """A child forked after a run starts its own threads instead of waiting for lost ones."""
    code = (
        "import os, sys, numpy as np, asysg\n"
        "obj = asysg.objectives.Quadratic(np.eye(3), sigma=0.1)\n"
        "def go(): return asysg.minimize(obj, np.ones(3), steplength=0.1, n_updates=5000)\n"
        "go()\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    os._exit(0 if go().success else 1)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], timeout=60, check=False)
    assert done.returncode == 0


def test_a_lost_update_is_held_against_the_certificate(obj):
    """Lossy writes of one thread lose nothing; had one been lost, nothing would follow."""
    res = asysg.minimize(
        obj, X0, method="asysg-incon", update="lossy", n_updates=2000, n_threads=1, rng=0
    )
    said = (res._plan, res.staleness, res.trace, res.status)
    kept, lost = (
        certify(*said, State(clock=2000, workers=1, overwrites=count)) for count in (0, 1)
    )
    assert (res.n_lost, res.certificate.holds, kept.holds, lost.holds) == (0, True, True, False)
