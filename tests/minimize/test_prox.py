"""`prox=` at the front doors: what it finds, what it refuses, what it says, and how it goes on."""

import re

import numpy as np
import pytest
from scipy import sparse

import asysg
from asysg import InvalidArgument, objectives, prox, simulate, verify
from asysg._core.openmp import openmp_version
from asysg.prox import Prox

P = 2 if openmp_version() else 1
METHODS = ["sgd", "asysg-con", "asysg-incon", "asyscd", "hogwild"]


@pytest.fixture(scope="module")
def dense():
    return objectives.SigmoidRegression.planted(40, 5, rng=0)


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(1)
    A = sparse.random(60, 30, density=0.1, format="csr", rng=rng)
    return objectives.SigmoidRegression(A, rng.uniform(size=60))


def run(obj, method="asysg-incon", **how):
    how = {"steplength": 0.2, "n_updates": 2000, "rng": 0, "n_records": 20, **how}
    how.setdefault("n_threads", 1 if method == "sgd" else P)
    return asysg.minimize(obj, np.full(obj.n, 0.5), method=method, **how)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("where", ["threads", "simulator"])
def test_the_known_solution_with_its_zeros(method, where):
    """f = sum of H_j (x_j - x*_j)^2 / 2 without noise: soft(H x*, l1)/(H + l2), in the box.

    The gradients at the solution beat or miss the weight l1 by 0.05 or more, and gamma = 1/2 with
    delays up to 3 contracts; 4000 updates of a coordinate leave nothing but rounding.
    """
    H = np.array([1.0, 0.5, 1.0, 0.25, 1.0, 0.5, 1.0, 1.0])
    x_star = np.array([1.0, 0.3, -0.25, 0.5, -2.0, -0.9, 0.0, 3.0])
    h = Prox(0.3, 0.1, -1.0, 1.5)
    slope = H * x_star
    solution = np.clip(np.sign(slope) * np.maximum(np.abs(slope) - h.l1, 0) / (H + h.l2), -1, 1.5)
    obj = objectives.Quadratic(H, x_star)
    how = {"steplength": 0.25, "n_updates": 4000 * 8, "prox": h, "rng": 0, "method": method}
    if where == "threads":
        p = 1 if method == "sgd" else P
        res = asysg.minimize(obj, np.zeros(8), n_threads=p, max_delay=3, **how)
    else:
        res = simulate.minimize(obj, np.zeros(8), n_workers=1 if method == "sgd" else 4, **how)
    np.testing.assert_array_equal(res.x == 0, solution == 0)
    np.testing.assert_allclose(res.x, solution, atol=1e-13)
    assert 0 < (solution == 0).sum() < 8
    assert -1.0 in res.x
    assert 1.5 in res.x
    assert res.trace.grad_norm_sq[-1] < 1e-24
    assert res.fun == pytest.approx(obj.value(res.x) + h.value(res.x), rel=1e-15)
    assert res.prox == "l1 = 0.3, l2 = 0.1, box [-1, 1.5]"


@pytest.mark.parametrize("method", METHODS[:-1])
def test_serial_threads_and_simulator_agree_to_the_bit(dense, method):
    h = Prox(0.01, 0.02, -0.5, 0.6)
    how = {"steplength": asysg.steplengths.diminishing(0.5), "prox": h}
    how["batch_size"] = 1 if method == "asyscd" else 2
    res = run(dense, method, n_threads=1, **how)
    again = simulate.minimize(
        dense, np.full(5, 0.5), method=method, n_updates=2000, rng=0, n_records=20, **how
    )
    np.testing.assert_array_equal(res.x, again.x)
    np.testing.assert_array_equal(res.trace.grad_norm_sq, again.trace.grad_norm_sq)


def test_the_serial_method_is_lazy_on_sparse_samples(rows):
    """Then it is serial Hogwild, and differs from the dense passes by rounding alone."""
    lazy, other = (run(rows, m, n_threads=1, prox=prox.l1(0.001)) for m in ("sgd", "hogwild"))
    np.testing.assert_array_equal(lazy.x, other.x)
    logged = run(rows, "sgd", prox=prox.l1(0.001), record="full")
    np.testing.assert_allclose(lazy.x, logged.x, rtol=1e-9, atol=1e-12)
    assert simulate.replay(logged).exact


@pytest.mark.parametrize("record", ["full", "full+reads"])
@pytest.mark.parametrize("p", sorted({1, P, 3 if P > 1 else 1}))
@pytest.mark.parametrize("method", METHODS[:-1])
@pytest.mark.parametrize("steplength", [0.3, asysg.steplengths.diminishing(0.5)])
def test_replay(dense, method, p, record, steplength):
    if method == "sgd":
        p = 1
    res = run(
        dense, method, n_threads=p, record=record, prox=Prox(0.01, 0.1, -0.4, 0.5),
        steplength=steplength, batch_size=1 if method == "asyscd" else 2,
    )  # fmt: skip
    again = simulate.replay(res)
    assert again.exact
    *_, (k, last) = again.iterates(every=500)
    assert k == 2001
    # Of several lock-free workers an iterate is the updates before it in the order of numbers.
    np.testing.assert_allclose(last, res.x, atol=0.1 if method in METHODS[2:] and p > 1 else 0.0)
    plan = res._plan
    norms = [np.sum(plan.gradient(x, k) ** 2) for k, x in again.iterates() if k <= 2000]
    assert again.ergodic() == pytest.approx(np.mean(norms), rel=1e-12)


def test_a_changed_record_is_found_out(dense):
    res = run(dense, record="full", prox=Prox(0.01, 0.1, -0.4, 0.5))
    assert simulate.replay(res).n_lost == 0
    res.log["increment"][1234] += 1e-3
    with pytest.raises(asysg.ReplayError):
        simulate.replay(res)


def test_timed_workers_replay(rows):
    for method in ("asysg-con", "asysg-incon", "hogwild"):
        res = simulate.minimize(
            rows, np.full(30, 0.5), method=method, n_workers=7, steplength=0.1, n_updates=800,
            record="full", prox=Prox(0.001, 0.0, 0.0, 1.0), rng=3,
        )  # fmt: skip
        assert simulate.replay(res).exact


def test_reads_of_subsets(dense):
    """Half of the recent updates seen, in the box whatever they are."""
    res = simulate.minimize(
        dense, np.full(5, 0.5), delays=simulate.delays.subsets(6, 0.5), steplength=3.0,
        n_updates=500, prox=prox.box(0.25, 1.0), rng=0,
    )  # fmt: skip
    assert res.success
    assert ((res.x >= 0.25) & (res.x <= 1.0)).all()


def test_the_trace_is_of_both(dense):
    h, seen = Prox(0.01, 0.1, -0.4, 0.5), []
    res = run(dense, prox=h, batch_size=3, callback=seen.append)
    t = 0.2 * 3
    for now, f, norm in zip(seen, res.trace.f, res.trace.grad_norm_sq, strict=True):
        x = now.x
        assert f == now.fun == dense.value(x) + h.value(x)
        mapping = (x - h.proximal(x - t * dense.gradient(x), t)) / t
        assert norm == now.grad_norm_sq == pytest.approx(np.sum(mapping**2), rel=1e-12)


def test_the_gradient_mapping_has_a_limit():
    """At small t it is the one of t = 0, in every case: inside, at 0, and at either side."""
    h = Prox(
        1.0, 0.5, np.array([-1, -1, -1, -1, 0, 0, -1, 0.0]), np.array([1, 1, 1, 1, 1, 1, 0, 0])
    )
    x = np.array([0.5, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0])
    g = np.array([2.0, 0.5, -3.0, 1.5, 3.0, -3.0, 3.0, -3.0])
    limit = h.gradient_mapping(x, g, 0.0)
    np.testing.assert_allclose(limit, [3.25, 0, -2, 0, 0, -2, 2, 0])
    np.testing.assert_allclose(h.gradient_mapping(x, g, 2.0**-30), limit, atol=1e-7)
    plain = Prox()
    np.testing.assert_allclose(plain.gradient_mapping(x, g, 0.5), g, rtol=1e-15)
    assert run(objectives.Quadratic([1.0]), steplength=0.0, prox=prox.l1(2.0)).trace.f[0] == 1.125


def test_the_certificate_says_which_theorem_is_missing(dense, tmp_path):
    for res in (
        run(dense, "asysg-con", prox=prox.l1(0.01), steplength=0.001),
        simulate.minimize(dense, np.zeros(5), n_updates=500, prox=prox.box(-1, 1), rng=0),
    ):
        certificate = res.certificate
        assert not certificate.holds
        assert certificate.verdict == "no claim"
        assert next(h.name for h in certificate.hypotheses if not h.holds) == "no proximal term"
        said = certificate.explain()
        assert "no theorem with explicit constants for asynchronous proximal updates" in said
        assert "would remain" not in said
        res.to_json(tmp_path / "r.json")
        assert verify.load(tmp_path / "r.json") == certificate
        assert asysg.Result.from_json(tmp_path / "r.json").prox == res.prox
    assert "would remain" in run(dense, steplength=0.001).certificate.explain()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("steplength", [0.2, "optimal"])
def test_resume(rows, method, steplength, tmp_path):
    h = Prox(0.001, 0.01, -0.3, 0.7)
    how = {"n_threads": 1, "prox": h, "steplength": steplength, "max_delay": 0}
    whole = run(rows, method, **how)
    path = tmp_path / "c"

    def stop(now):
        if now.nit > 700:
            raise StopIteration

    first = run(rows, method, **how, checkpoint=path, callback=stop)
    assert 700 < first.nit < 2000
    for other in (None, Prox(0.001, 0.01, -0.3, 0.8)):
        with pytest.raises(InvalidArgument, match="^checkpoint must come from the same run"):
            run(rows, method, **{**how, "prox": other}, checkpoint=path)
    last = run(rows, method, **how, checkpoint=path)
    np.testing.assert_array_equal(last.x, whole.x)
    np.testing.assert_array_equal(last.trace.f, whole.trace.f)


@pytest.mark.parametrize("how", [{"delays": simulate.delays.uniform(5)}, {"n_workers": 6}])
@pytest.mark.parametrize("method", ["asysg-con", "asysg-incon"])
@pytest.mark.parametrize("family", ["dense", "rows"])
def test_resume_in_the_simulator(method, how, family, tmp_path, request):
    obj = request.getfixturevalue(family)
    how = {
        "method": method, "steplength": asysg.steplengths.diminishing(0.3), "n_updates": 900,
        "prox": Prox(0.01, 0.0, -1.0, 1.0), "rng": 0, "n_records": 10, **how,
    }  # fmt: skip
    whole = simulate.minimize(obj, np.zeros(obj.n), **how)

    def stop(now):
        if now.nit > 300:
            raise StopIteration

    path = tmp_path / "c"
    simulate.minimize(obj, np.zeros(obj.n), **how, checkpoint=path, callback=stop)
    last = simulate.minimize(obj, np.zeros(obj.n), **how, checkpoint=path)
    np.testing.assert_array_equal(last.x, whole.x)


def test_refusals(dense, rows):
    h = prox.l1(0.1)
    schedule = asysg.steplengths.diminishing(0.1)
    for obj, how, message in (
        (dense, {"prox": 0.1}, "prox must be made by asysg.prox, got 'float'. For example"),
        (
            dense,
            {"prox": prox.box(0.6, 1)},
            "x0 must lie in the box of prox, got 0.5 in entry 0 (5 outside)",
        ),
        (
            dense,
            {"prox": prox.box(np.zeros(4))},
            "lower must be a number or an array of shape (5,)",
        ),
        (
            dense,
            {"prox": h, "update": "replica"},
            "update must be 'atomic' with prox, got 'replica'",
        ),
        (dense, {"prox": h, "update": "lossy"}, "update must be 'atomic' with prox, got 'lossy'"),
        (dense, {"prox": h, "sync_every": 4}, "update must be 'atomic' with prox, got 'replica'"),
        (rows, {"prox": h, "skip_ahead": True}, "skip_ahead must be None or False where there is"),
        (
            rows,
            {"prox": h, "method": "hogwild", "steplength": schedule},
            "steplength must be constant for method 'hogwild' with prox on sparse samples, got",
        ),
    ):
        with pytest.raises(InvalidArgument, match="^" + re.escape(message)):
            run(obj, **how)
    assert not run(rows, prox=h).skip_ahead
    assert run(dense, prox=h).update == "atomic"
    assert run(dense, "hogwild", prox=h, steplength=schedule).success
    with pytest.raises(InvalidArgument, match="^result must be of a run without prox for hogwild"):
        simulate.replay(run(rows, "hogwild", prox=h, record="full"))
    with pytest.raises(InvalidArgument, match="^result must be of a run without prox, got"):
        verify.examine(run(dense, "asysg-con", prox=h, record="full"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: prox.l1(-1), "l1 must be a finite number >= 0, got -1"),
        (lambda: prox.l2(np.nan), "l2 must be a finite number >= 0, got nan"),
        (lambda: prox.box(1, 0), "upper must be >= lower = 1.0, got 0.0"),
        (lambda: prox.box([0, 2, 0], 1), "upper must be >= lower = 2.0, got 1.0"),
        (lambda: prox.box([0, 0], [1, 1, 1]), "upper must have the shape of lower, (2,), got (3,)"),
        (lambda: prox.box(np.inf), "lower must be a number or an array of shape (n,), without"),
        (lambda: prox.box("a"), "lower must be a number or an array of shape (n,), without"),
        (lambda: prox.box(0, np.ones((2, 2))), "upper must be a number or an array"),
        (lambda: prox.elastic_net(1.0, 1.5), "ratio must lie in 0..1, got 1.5"),
    ],
)
def test_terms_that_cannot_be(make, message):
    with pytest.raises(InvalidArgument, match="^" + re.escape(message)):
        make()


def test_terms():
    bound = np.zeros(2)
    term = prox.box(bound, 1)
    bound[:] = 5
    np.testing.assert_array_equal(term.lower, 0.0)
    assert str(Prox()) == "nothing"
    assert str(term) == "box [one an entry, 1]"
    assert term.value([2.0, 0.5]) == np.inf
    assert Prox(1.0, 2.0).value([-1.0, 2.0]) == 8.0
    assert len({prox.l1(1).identity, prox.l2(1).identity, prox.box(0).identity, term.identity}) == 4
