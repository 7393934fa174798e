"""Asynchronous coordinate descent: exact derivatives on every scheduler, against the oracle."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import asysg
from asysg import InvalidArgument, _draws, objectives, simulate, theory
from asysg._core.openmp import openmp_version
from asysg.errors import ReplayError
from asysg.simulate import recursion

THREADS = [1, 2, 3] if openmp_version() else [1]
LABELS = np.random.default_rng(5).choice([-1.0, 1.0], 9)

FAMILIES = {
    "dense": lambda rng, n: objectives.SigmoidRegression.planted(9, n, rng=rng),
    "sparse": lambda rng, n: objectives.SineRegression.planted(9, n, density=0.3, rng=rng),
    "packed": lambda rng, n: objectives.RobustRegression.planted(
        9, n, density=0.3, rng=rng, packed=True
    ),
    "regularised": lambda rng, n: objectives.NonconvexLogistic(
        rng.normal(size=(9, n)) * (rng.random((9, n)) < 0.4), LABELS, 0.3
    ),
    "phase": lambda rng, n: objectives.PhaseRetrieval.planted(9, n, rng=rng),
    "quadratic": lambda rng, n: objectives.Quadratic(np.eye(n) + 0.1, sigma=1.0),
    "cosine": lambda rng, n: objectives.CosineQuadratic(n, sigma=1.0, noise="jumps"),
    "rotated": lambda rng, n: objectives.RotatedCosineQuadratic(n, sigma=1.0, rng=rng),
    "chain": lambda rng, n: objectives.SineChain(n, sigma=1.0, noise="skewed"),
    "graph": lambda rng, n: objectives.Synchronization.planted(max(n, 3), 2, sigma=1.0, rng=rng),
    "network": lambda rng, n: objectives.Network(
        rng.normal(size=(5, 2)), rng.integers(0, 3, 5), (n,), 3
    ),
}

problems = st.fixed_dictionaries(
    {
        "family": st.sampled_from(sorted(FAMILIES)),
        "seed": st.integers(0, 2**32),
        "n": st.integers(1, 6),
        "K": st.integers(1, 40),
        "T": st.integers(0, 6),
        "constant": st.booleans(),
    }
)


class Problem:
    def __init__(self, family, seed, n, K, T, constant):
        self.obj = FAMILIES[family](np.random.default_rng(seed), n)
        # The oracle's own objective: nothing of it was indexed for coordinate descent.
        self.other = FAMILIES[family](np.random.default_rng(seed), n)
        rng = np.random.default_rng([seed, 1])
        self.n, self.K, self.T, self.seed = self.obj.n, K, T, seed
        self.x0 = rng.normal(size=self.n)
        self.gamma = np.full(K, 0.07) if constant else rng.uniform(0, 0.1, size=K)
        self.run = {
            "method": "asyscd",
            "steplength": 0.07 if constant else self.gamma,
            "n_updates": K,
            "n_records": K,
            "rng": seed,
        }
        self.key = _draws.key_from(seed)

    def oracle(self, delays, seen=None, draws=None):
        """The specification with the exact derivative in the place of a sample's."""

        def partial(x, sample, i):
            return self.other.partial(x, None, i)

        draws = np.arange(self.K) if draws is None else draws
        coordinates = _draws.coordinates(self.key, draws, self.n)
        samples = np.zeros((self.K, 1), dtype=np.uint64)
        *_, last = recursion.incon(partial, self.x0, self.gamma, delays, samples, coordinates, seen)
        return last


@given(problems, st.sampled_from([False, "sampled", "full", "full+reads"]), st.data())
def test_one_thread_is_the_oracle(drawn, record, data):
    p = Problem(**drawn)
    ways = ["atomic", "lossy", "replica"] if drawn["constant"] else ["atomic", "lossy"]
    res = asysg.minimize(
        p.obj, p.x0, n_threads=1, record=record, update=data.draw(st.sampled_from(ways)), **p.run
    )
    np.testing.assert_array_equal(res.x, p.oracle(np.zeros((p.K, 1), dtype=np.int64)))
    assert res.n_gradients == p.K * (p.obj.n_samples or 1)


@given(problems, st.booleans())
def test_given_delays_are_the_oracle(drawn, subsets):
    """Reads of iterates, and of any subset of the updates within the delay."""
    p = Problem(**drawn)
    schedule = (simulate.delays.subsets if subsets else simulate.delays.uniform)(p.T)
    res = simulate.minimize(p.obj, p.x0, delays=schedule, **p.run)
    key = simulate._compiled.schedule_key(res._plan)
    table = schedule.table(key, 0, p.K, 1)
    seen = schedule.seen and schedule.seen(key, 0, p.K, 1)
    np.testing.assert_array_equal(res.x, p.oracle(table, seen))


@given(problems, st.integers(1, 9), st.sampled_from([None, 0, 2]))
def test_timed_workers_are_the_oracle(drawn, workers, max_delay):
    p = Problem(**drawn)
    speeds = simulate.speeds.lognormal(0.7)
    how = {"n_workers": workers, "speeds": speeds, "max_delay": max_delay, "record": "full"}
    res = simulate.minimize(p.obj, p.x0, **how, **p.run)
    delays = (np.arange(p.K) - res.log["start"])[:, np.newaxis]
    np.testing.assert_array_equal(res.x, p.oracle(delays, draws=res.log["draw"]))
    np.testing.assert_array_equal(simulate.replay(res).x, res.x)
    assert max_delay is None or delays.max() <= max_delay


@pytest.mark.parametrize("update", ["atomic", "replica"])
@pytest.mark.parametrize("p", THREADS)
@given(seed=st.integers(0, 2**32), max_delay=st.sampled_from([None, 0, 1, 40]))
def test_nothing_is_lost(p, update, seed, max_delay):
    """Partial derivative i is -(i + 1) wherever x is: x counts the updates of each coordinate.

    2^-1000 (x_i - 2^1000) is -1 to the last bit for every x_i that occurs.
    """
    n, K = 3, 2000
    slopes = np.arange(1.0, n + 1)
    obj = objectives.Quadratic(2.0**-1000 * slopes, x_star=np.full(n, 2.0**1000), sigma=5.0)
    res = asysg.minimize(
        obj, np.zeros(n), method="asyscd", steplength=1.0, n_updates=K, n_threads=p,
        update=update, max_delay=max_delay, record="full", n_records=1, rng=seed,
        constants=theory.ProblemConstants(gap=1.0, sigma=1.0, L=1.0, n=n),
    )  # fmt: skip
    drawn = _draws.coordinates(_draws.key_from(seed), np.arange(K), n)
    np.testing.assert_array_equal(res.x, np.bincount(drawn, minlength=n) * slopes)
    assert res.nit == K
    assert max_delay is None or res.staleness.max <= max_delay
    np.testing.assert_array_equal(np.sort(res.log["draw"]), np.arange(K))
    np.testing.assert_array_equal(res.log["increment"], slopes[res.log["coordinate"]])


@pytest.mark.parametrize("update", ["atomic", "lossy", "replica"])
@pytest.mark.parametrize("record", ["full", "full+reads"])
@pytest.mark.parametrize("p", THREADS)
@pytest.mark.parametrize("family", ["sparse", "dense", "chain", "graph", "network"])
def test_records_run_again_and_agree(family, p, record, update):
    """With reads: every increment computed again from them, every read in its window."""
    obj = FAMILIES[family](np.random.default_rng(1), 6)
    res = asysg.minimize(
        obj, np.ones(obj.n), method="asyscd", steplength=0.1, n_updates=1500, n_threads=p,
        record=record, update=update, max_delay=11, n_records=20, rng=p,
    )  # fmt: skip
    again = simulate.replay(res)
    np.testing.assert_allclose(again.x, res.x, rtol=0, atol=0 if again.exact else 1e-12)
    assert again.exact == (p == 1 or update != "replica")
    examined = asysg.verify.examine(res)
    assert examined.ok, examined.table()
    assert res.staleness.max <= 11
    log = res.log.copy()
    log["increment"][777] += 1e-3
    with pytest.raises(ReplayError):
        simulate.replay(dataclasses.replace(res, log=log))


@pytest.mark.parametrize("minimize", [asysg.minimize, simulate.minimize])
def test_the_certificate_is_that_of_asyscd(minimize):
    """Theorem P of AsySG-incon without noise, whatever the noise of the samples is."""
    obj, x0, K = FAMILIES["sparse"](np.random.default_rng(3), 6), np.ones(6), 500
    how = {"method": "asyscd", "n_updates": K, "n_records": K, "rng": 0}
    assert obj.sigma > 0
    for wanted in ("prescribed", "optimal"):
        res = minimize(obj, x0, steplength=wanted, **how)
        T = res.staleness.max
        c = dataclasses.replace(obj.constants(x0, T=T), sigma=0.0)
        assert res.certificate.constants == c
        assert res.certificate.holds
        assert res.certificate.bound == theory.baselines.asyscd_bound(
            res.steplength, obj.constants(x0, T=T), K=K, T=T
        )
        assert res.steplength > 0
        assert "AsySCD is AsySG-incon on f itself" in res.certificate.explain()
        (unbiased,) = (h for h in res.certificate.hypotheses if h.name == "samples unbiased")
        assert (unbiased.evidence, unbiased.note) == (
            "by construction",
            "no samples: derivatives are exact",
        )
    given = minimize(obj, x0, steplength=0.1, constants=obj.constants(x0), **how)
    assert given.certificate.constants.sigma == 0.0


def test_without_noise_the_largest_steplength_is_prescribed():
    obj, x0 = objectives.CosineQuadratic(8, sigma=3.0), np.ones(8)
    delays = simulate.delays.constant(4)
    res = simulate.minimize(obj, x0, method="asyscd", delays=delays, n_updates=100, rng=0)
    assert res.steplength == theory.baselines.asyscd_gamma_max(obj.constants(x0, T=4), T=4)


@pytest.mark.parametrize("method", ["asyscd", "asysg-incon"])
def test_a_lucky_run_is_not_a_violation(method):
    """Four coordinates and f down to 0: single runs lie on both sides of the bound."""
    obj = objectives.SigmoidRegression.planted(50, 4, rng=0)
    obj = obj if method == "asyscd" else obj.exact
    seen = []
    for seed in range(40):
        found = asysg.minimize(
            obj, np.zeros(4), method=method, n_updates=500, n_threads=1, rng=seed
        ).certificate
        assert found.holds
        if found.measured <= found.bound:
            assert (found.verdict, found.measured_halfwidth) == ("within", None)
        else:
            assert found.verdict == "undecided"
            assert "three standard deviations" in found.explain()
        seen.append(found.measured / found.bound)
    assert min(seen) < np.mean(seen) < 1 < max(seen)


def test_a_false_constant_is_found_out():
    """A gap a thousand times too small, and gradients that stay as they are: that is no luck."""
    obj, n = objectives.CosineQuadratic(50), 50
    c = obj.constants(np.ones(n))
    found = asysg.minimize(
        obj, np.ones(n), method="asyscd", steplength=1e-4, n_updates=5000, n_threads=1, rng=0,
        constants=dataclasses.replace(c, gap=c.gap / 1000),
    ).certificate  # fmt: skip
    assert (found.holds, found.verdict) == (True, "violated")
    assert 0 < found.measured_halfwidth < found.measured - found.bound


def test_phase_retrieval_has_a_certificate():
    """No sigma is proven for its samples; none is needed."""
    obj = FAMILIES["phase"](np.random.default_rng(0), 4)
    with pytest.raises(InvalidArgument, match="^sigma must be proven"):
        obj.constants(np.ones(4))
    res = asysg.minimize(
        obj, np.ones(4), method="asyscd", n_updates=500, max_delay=6, n_records=500, rng=0
    )
    assert res.certificate.holds
    assert res.certificate.verdict == "within"


@pytest.mark.parametrize("how", ["threads", "delays", "workers"])
def test_a_resumed_run_has_the_same_bits(tmp_path, how):
    obj, x0 = FAMILIES["sparse"](np.random.default_rng(3), 6), np.ones(6)
    more = {
        "threads": {"n_threads": 1, "record": "full"},
        "delays": {"delays": simulate.delays.subsets(5)},
        "workers": {"n_workers": 4, "speeds": simulate.speeds.lognormal(0.5), "record": "full"},
    }[how]
    minimize = asysg.minimize if how == "threads" else simulate.minimize
    run = {"method": "asyscd", "steplength": 0.2, "n_updates": 900, "rng": 3, **more}

    def stop(now):
        if now.nit > 300:
            raise StopIteration

    path = tmp_path / "run"
    stopped = minimize(obj, x0, checkpoint=path, callback=stop, **run)
    assert 300 < stopped.nit < 900
    with pytest.raises(InvalidArgument, match="^checkpoint must come from the same run"):
        minimize(obj, x0, checkpoint=path, **{**run, "method": "asysg-incon"})
    resumed, whole = minimize(obj, x0, checkpoint=path, **run), minimize(obj, x0, **run)
    np.testing.assert_array_equal(resumed.x, whole.x)
    assert resumed.certificate == whole.certificate
    if whole.log is not None:
        assert resumed.log.tobytes() == whole.log.tobytes()


def test_what_is_refused():
    obj, x0 = objectives.Quadratic(np.eye(3), sigma=0.1), np.ones(3)
    run = {"method": "asyscd", "steplength": 0.1, "n_updates": 10}
    for minimize in (asysg.minimize, simulate.minimize):
        with pytest.raises(InvalidArgument, match="^batch_size must be 1 for method 'asyscd'"):
            minimize(obj, x0, batch_size=2, **run)
        c = obj.constants(x0, T=2)
        con = theory.con.prescribe(c, K=10, M=1, T=2)
        with pytest.raises(InvalidArgument, match=r"^steplength must be prescribed by theory\.inc"):
            minimize(obj, x0, method="asyscd", steplength=con)
        two = theory.incon.prescribe(c, K=10, M=2, T=2)
        with pytest.raises(InvalidArgument, match="^batch_size must be 1 for method 'asyscd'"):
            minimize(obj, x0, method="asyscd", steplength=two)
    with pytest.raises(InvalidArgument, match="^skip_ahead must be None or False where no update"):
        asysg.minimize(obj, x0, skip_ahead=True, **run)
    with pytest.raises(InvalidArgument, match="^update must be 'atomic' with a schedule"):
        asysg.minimize(obj, x0, update="replica", **{**run, "steplength": np.full(10, 0.1)})


@pytest.mark.parametrize("p", THREADS)
def test_private_copies_are_asked_for(p):
    obj, x0 = objectives.CosineQuadratic(4), np.ones(4)
    run = {"method": "asyscd", "steplength": 0.1, "n_updates": 100, "n_threads": p}
    assert asysg.minimize(obj, x0, **run).update == "atomic"
    assert asysg.minimize(obj, x0, sync_every=2, **run).update == "replica"
