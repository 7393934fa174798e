"""`dtype="float32"` at the front doors: what it finds, refuses and says, and how it goes on."""

import numpy as np
import pytest
from scipy import sparse

import asysg
from asysg import InvalidArgument, objectives, prox, simulate, steplengths, verify
from asysg._core.openmp import openmp_version

P = 2 if openmp_version() else 1


@pytest.fixture(scope="module")
def dense():
    return objectives.SigmoidRegression.planted(40, 5, rng=0)


@pytest.fixture(scope="module")
def network():
    return objectives.Network.planted(50, (6, 5, 3), rng=0)


def run(obj, method="asysg-con", **how):
    how = {"steplength": 0.2, "n_updates": 2000, "rng": 0, "n_records": 20, **how}
    how.setdefault("n_threads", 1 if method == "sgd" else P)
    x0 = how.pop("x0", np.full(obj.n, 0.1))
    return asysg.minimize(obj, x0, method=method, **{"dtype": "float32", **how})


@pytest.mark.parametrize("method", ["sgd", "asysg-con"])
@pytest.mark.parametrize("p", sorted({1, P}))
def test_it_finds_what_double_precision_finds(dense, network, method, p):
    """Up to a thousandth, where rounding is 1e-7 a step and the fall of f a tenth and more."""
    if method == "sgd":
        p = 1
    for obj in (dense, network):
        res, double = (
            run(obj, method, batch_size=3, n_threads=p, steplength=0.05, dtype=dtype)
            for dtype in ("float32", np.float64)
        )
        assert res.success
        assert (res.dtype, double.dtype) == ("float32", "float64")
        assert res.fun < 0.9 * res.trace.f[0]
        if p == 1:
            assert res.fun == pytest.approx(double.fun, rel=1e-3)
            assert (res.x != double.x).any()
        # The last iterate itself, looked at in double precision.
        assert res.x.dtype == np.float64
        np.testing.assert_array_equal(res.x.astype(np.float32), res.x)
        assert res.fun == obj.value(res.x)
        norm = np.sum(obj.gradient(res.x) ** 2)
        assert res.trace.grad_norm_sq[-1] == pytest.approx(norm, rel=1e-12)
        assert "float32" in repr(res)
        assert "float32" not in repr(double)


def test_x0_is_rounded(dense):
    res = run(dense, x0=np.full(5, 0.1), steplength=0.0)
    np.testing.assert_array_equal(res.x, np.full(5, np.float32(0.1)))
    assert res.trace.f[0] == res.fun == dense.value(res.x)


@pytest.mark.parametrize("M", [1, 3])
@pytest.mark.parametrize(
    "steplength", [0.2, steplengths.diminishing(0.5), steplengths.delay_adaptive(0.2, 1.0)]
)
def test_serial_threads_and_simulator_agree_to_the_bit(dense, network, M, steplength):
    for obj in (dense, network):
        how = {"steplength": steplength, "batch_size": M, "n_updates": 300}
        res = run(obj, n_threads=1, **how)
        again = simulate.minimize(
            obj, np.full(obj.n, 0.1), method="asysg-con", dtype=np.dtype("float32"), rng=0,
            n_records=20, **how,
        )  # fmt: skip
        np.testing.assert_array_equal(res.x, again.x)
        np.testing.assert_array_equal(res.trace.grad_norm_sq, again.trace.grad_norm_sq)
        assert again.dtype == "float32"
        assert res.certificate.gamma == again.certificate.gamma


def test_given_delays(dense, tmp_path):
    """Delays of their own for every sample, the oracle's bits, and on from a checkpoint."""
    how = {"method": "asysg-con", "delays": simulate.delays.uniform(6), "batch_size": 2}
    how |= {"steplength": 0.1, "n_updates": 200, "dtype": "float32", "rng": 3, "n_records": 9}
    whole = simulate.minimize(dense, np.zeros(5), **how)
    assert whole.staleness.max == 6
    double = simulate.minimize(dense, np.zeros(5), **{**how, "dtype": "float64"})
    np.testing.assert_allclose(whole.x, double.x, rtol=1e-3)
    assert (whole.x != double.x).any()

    def stop(now):
        if now.nit > 70:
            raise StopIteration

    path = tmp_path / "c"
    first = simulate.minimize(dense, np.zeros(5), **how, checkpoint=path, callback=stop)
    assert 70 < first.nit < 200
    last = simulate.minimize(dense, np.zeros(5), **how, checkpoint=path)
    np.testing.assert_array_equal(last.x, whole.x)
    watched = simulate.minimize(
        dense, np.zeros(5), **{**how, "delays": simulate.delays.constant(2)}
    )
    assert watched.staleness.max == 2


@pytest.mark.parametrize("record", ["full", "full+reads"])
@pytest.mark.parametrize("p", sorted({1, P, 3 if P > 1 else 1}))
@pytest.mark.parametrize(
    "steplength", [0.2, steplengths.diminishing(0.5), steplengths.delay_adaptive(0.2, 1.0)]
)
def test_replay(dense, network, p, record, steplength):
    for obj in (dense, network):
        res = run(
            obj, n_threads=p, record=record, steplength=steplength, batch_size=2, n_updates=400
        )
        again = simulate.replay(res)
        assert again.exact
        np.testing.assert_array_equal(again.x, res.x)
        *_, (k, last) = again.iterates(every=100)
        assert k == 401
        np.testing.assert_array_equal(last, res.x)
        if record == "full+reads":
            iterates = np.array([x for _, x in again.iterates()])
            np.testing.assert_array_equal(res.reads[:, 1], iterates[res.log["start"]])
    res.log["start"][-1] = res.log["start"][-1] - 1 if res.log["start"][-1] else 1
    with pytest.raises(asysg.ReplayError):
        simulate.replay(res)


def test_what_is_recorded_in_single_precision_is_not_examined(dense):
    with pytest.raises(InvalidArgument, match="^result must be of a run in float64, got 'float32'"):
        verify.examine(run(dense, record="full"))


@pytest.mark.parametrize("steplength", [0.2, "prescribed", "optimal", "delay-adaptive"])
def test_resume(dense, steplength, tmp_path):
    how = {"n_threads": 1, "steplength": steplength, "record": "sampled"}
    whole, path = run(dense, **how), tmp_path / "c"
    first_x0 = np.full(5, np.float64(np.float32(0.1)))  # the very start of the stored run

    def stop(now):
        if now.nit > 700:
            raise StopIteration

    first = run(dense, **how, checkpoint=path, callback=stop)
    assert 700 < first.nit < 2000
    with pytest.raises(InvalidArgument, match="one whose dtype is 'float32'"):
        run(dense, **how, dtype="float64", checkpoint=path, x0=first_x0)
    last = run(dense, **how, checkpoint=path)
    np.testing.assert_array_equal(last.x, whole.x)
    np.testing.assert_array_equal(last.trace.f, whole.trace.f)


def test_the_certificate_says_that_no_theorem_covers_rounding(dense, tmp_path):
    res = run(dense, steplength=0.001)
    certificate = res.certificate
    failed = [h for h in certificate.hypotheses if not h.holds]
    assert [h.name for h in failed] == ["x in double precision"]
    assert failed[0].numbers == {"rounding": 2.0**-24, "stagnant": 0.0}
    assert certificate.verdict == "no claim"
    assert "no theorem here covers that" in certificate.explain()
    assert "stagnate" not in certificate.explain()
    res.to_json(tmp_path / "r.json")
    assert verify.load(tmp_path / "r.json") == certificate
    assert asysg.Result.from_json(tmp_path / "r.json").dtype == "float32"
    double = run(dense, steplength=0.001, dtype="float64").certificate
    assert "x in double precision" not in [h.name for h in double.hypotheses]


def test_stagnation_is_told():
    """Half the entries: the distance from 1024 to the next number is 2**-14 below, 2**-13 above.

    The steps are 2**-16 there, less than half of both, and 2**-16 at 1, more than a unit.
    """
    x0 = np.array([1024.0, 1.0])
    obj = objectives.Quadratic(np.ones(2), x0 - 1.0)
    res = run(obj, "sgd", x0=x0, steplength=2.0**-16, n_updates=100)
    assert res.x[0] == 1024.0
    assert res.x[1] < 1.0
    (failed,) = (h for h in res.certificate.hypotheses if h.name == "x in double precision")
    assert failed.numbers["stagnant"] == 0.5
    assert "lost to rounding in 50.0% of the entries" in res.certificate.explain()
    assert run(obj, "sgd", x0=x0, steplength=2.0**-16, dtype="float64").x[0] < 1024.0


def test_refusals(dense):
    rng = np.random.default_rng(0)
    rows = objectives.SigmoidRegression(
        sparse.random(9, 5, density=0.4, format="csr", rng=rng), rng.uniform(size=9)
    )
    says = "^dtype must be 'float64' {}, got 'float32'. Methods 'asysg-con' and 'sgd' have float32"
    for method in ("asysg-incon", "hogwild", "asyscd", "sync", "delayed", "downpour"):
        with pytest.raises(InvalidArgument, match=says.format(f"for method '{method}'")):
            run(dense, method)
    for obj in (rows, objectives.Quadratic(np.eye(2) + 0.1), objectives.SineChain(3), dense.exact):
        with pytest.raises(InvalidArgument, match=says.format(f"for this {type(obj).__name__}")):
            run(obj)
    with pytest.raises(InvalidArgument, match=says.format("with prox")):
        run(dense, prox=prox.l1(0.1))
    with pytest.raises(InvalidArgument, match=says.format("for data beyond its range")):
        run(objectives.Quadratic([1e39]))
    with pytest.raises(InvalidArgument, match="^x0 must be finite in float32, got 1e\\+39"):
        run(dense, x0=np.array([0, 1e39, 0, 0, 0]))
    for gamma, what in ((1e-50, "0"), (1e39, "inf")):
        with pytest.raises(InvalidArgument, match=f"^steplength must not be {what} in float32"):
            run(dense, steplength=gamma)
    for dtype in ("float16", np.float16, None, 4, "single"):
        with pytest.raises(InvalidArgument, match="^dtype must be one of 'float64', 'float32'"):
            run(dense, dtype=dtype)
    how = {"method": "asysg-con", "dtype": "float32", "steplength": 0.1, "n_updates": 9}
    with pytest.raises(InvalidArgument, match=says.format("with n_workers")):
        simulate.minimize(dense, np.zeros(5), n_workers=2, **how)
    with pytest.raises(InvalidArgument, match=says.format("for method 'delayed'")):
        simulate.minimize(dense, np.zeros(5), **{**how, "method": "delayed"}, delay=1)


@pytest.mark.parametrize("p", sorted({1, P}))
def test_a_run_that_diverges_says_so(dense, p):
    obj = objectives.Quadratic(np.ones(5))
    res = run(obj, n_threads=p, steplength=50.0)
    assert res.status == "diverged"
    assert np.isfinite(res.x).all()
    assert res.certificate.verdict == "no claim"
