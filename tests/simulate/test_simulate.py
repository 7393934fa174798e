"""Given delays through the front door, and the schedules themselves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import asysg
from asysg import InvalidArgument, _draws, objectives, simulate
from asysg.simulate import delays, recursion
from tests.budget import alpha, assert_proportion, assert_uniform


@given(
    st.sampled_from(["asysg-con", "asysg-incon"]),
    st.integers(0, 7),
    st.integers(1, 3),
    st.integers(1, 60),
    st.integers(0, 2**32),
)
def test_front_door_is_the_oracle(method, T, M, K, seed):
    """A given table through `simulate.minimize` equals the NumPy recursion to the last bit."""
    rng = np.random.default_rng(seed)
    obj = objectives.SigmoidRegression(rng.normal(size=(8, 4)), rng.uniform(size=8))
    x0, table = rng.normal(size=4), rng.integers(0, T + 1, size=(K, M))
    res = simulate.minimize(
        obj, x0, method=method, steplength=0.3, delays=delays.given(table), batch_size=M,
        n_updates=K, rng=seed,
    )  # fmt: skip
    key, k = res.key, np.arange(K)
    assert key == _draws.key_from(seed)
    gamma, samples = np.full(K, 0.3), _draws.samples(key, k, M, 8)
    if method == "asysg-con":
        *_, last = recursion.con(obj.minibatch, x0, gamma, table, samples)
    else:
        i = _draws.coordinates(key, k, 4)
        *_, last = recursion.incon(obj.partial, x0, gamma, table, samples, i)
    np.testing.assert_array_equal(res.x, last)
    tau = np.minimum(table.max(axis=1), k)
    assert res.staleness.max == tau.max()
    assert res.staleness.mean == pytest.approx(tau.mean())
    assert res.simulated
    again = simulate.minimize(
        obj, x0, method=method, steplength=0.3, delays=delays.given(table), batch_size=M,
        n_updates=K, rng=seed, n_records=3,
    )  # fmt: skip
    np.testing.assert_array_equal(again.x, res.x)


SCHEDULES = [
    delays.constant(4),
    delays.uniform(4),
    delays.subsets(4),
    delays.law([0.1, 0, 0, 0, 2]),
    delays.geometric(4, 2.0),
    delays.heavy_tail(4),
    delays.straggler(4, 7, 1),
]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.name)
def test_tables_do_not_depend_on_the_cut(schedule):
    key = (3, 5)
    whole, parts = schedule.table(key, 0, 50, 2), [(0, 1), (1, 33), (33, 50)]
    np.testing.assert_array_equal(
        whole, np.concatenate([schedule.table(key, a, b, 2) for a, b in parts])
    )
    assert whole.min() >= 0
    assert whole.max() <= schedule.T == 4
    if schedule.seen is not None:
        seen = schedule.seen(key, 0, 50, 2)
        assert seen.shape == (50, 2, 4)
        np.testing.assert_array_equal(
            seen, np.concatenate([schedule.seen(key, a, b, 2) for a, b in parts])
        )


def test_laws_of_the_schedules():
    """Null: uniform delays are uniform, subsets see each update with the given probability.

    Power: probabilities off by 1 % of themselves are found.
    """
    counts = np.bincount(delays.uniform(5).table((1, 2), 0, 300_000, 5).ravel())
    assert_uniform(counts, alpha=alpha("given delays", 5), detects=0.01)
    seen = delays.subsets(5, 0.3).seen((1, 2), 0, 300_000, 5)
    hits = int(seen.sum())
    assert_proportion(hits, seen.size, 0.3, alpha=alpha("given delays", 5), detects=0.003)


def test_laws_of_delays():
    """Null: delays have the probabilities asked for; chi-square, 3 tests.

    A probability off by 1 % of itself is found with power > 0.99 (noncentrality 1e6 * 1e-4 * p
    = 100 for the smallest, p = 1 at N = 3e6).
    """
    weights = {
        delays.law([3, 1, 0, 4]): [3, 1, 0, 4],
        delays.geometric(6, 3.0): 0.75 ** np.arange(7),
        delays.heavy_tail(6, 1.5): (1.0 + np.arange(7)) ** -1.5,
    }
    for schedule, weight in weights.items():
        p = np.array(weight) / np.sum(weight)
        counts = np.bincount(schedule.table((1, 2), 0, 1_000_000, 3).ravel(), minlength=len(p))
        assert not counts[p == 0].any()
        assert stats.chisquare(counts[p > 0], 3e6 * p[p > 0]).pvalue > alpha("given delays", 5)


def test_stragglers():
    found = delays.straggler(9, 4, 1).table((1, 2), 2, 12, 2)
    np.testing.assert_array_equal(found[:, 0], [1, 9, 1, 1, 1, 9, 1, 1, 1, 9])
    np.testing.assert_array_equal(found[:, 0], found[:, 1])


def test_delays_of_a_run():
    """A record gives its very delays, in their order; a histogram their law."""
    obj = objectives.CosineQuadratic(5, sigma=1.0)
    options = {"steplength": 0.01, "n_updates": 5000, "rng": 1}
    run = simulate.minimize(
        obj, np.ones(5), n_workers=9, speeds=simulate.speeds.exponential(), record="full", **options
    )  # fmt: skip
    again = simulate.minimize(obj, np.ones(5), delays=delays.from_trace(run), **options)
    np.testing.assert_array_equal(again.staleness.histogram, run.staleness.histogram)
    drawn = delays.from_trace(simulate.minimize(obj, np.ones(5), delays=again_law(run), **options))
    table = drawn.table((1, 2), 0, 200_000, 1)
    assert table.max() <= run.staleness.max
    assert table.mean() == pytest.approx(run.staleness.mean, rel=0.2)
    with pytest.raises(InvalidArgument, match="recorded delays"):
        delays.from_trace(asysg.minimize(obj, np.ones(5), record=False, n_threads=1, **options))


def again_law(run):
    tau = np.arange(run.nit) - run.log["start"]
    return delays.law(np.bincount(tau))


@pytest.mark.parametrize(
    "call",
    [
        lambda: delays.law([0.0, 0.0]),
        lambda: delays.law([0.5, -0.1]),
        lambda: delays.geometric(3, 0.0),
        lambda: delays.heavy_tail(3, -1.0),
        lambda: delays.straggler(3, 0),
        lambda: delays.straggler(3, 5, 4),
    ],
)
def test_delays_that_cannot_be(call):
    with pytest.raises(InvalidArgument):
        call()


def test_sgd_is_the_undelayed_method():
    obj = objectives.CosineQuadratic(5, sigma=1.0)
    runs = [
        simulate.minimize(obj, np.ones(5), method=m, steplength=0.05, n_updates=500, rng=1)
        for m in ("sgd", "asysg-con")
    ]
    np.testing.assert_array_equal(runs[0].x, runs[1].x)
    assert runs[0].staleness.max == 0


def test_theorem_u_speaks_of_the_iterates_that_were_read():
    """Under a constant delay T the last T iterates are read by nobody."""
    f, K, T = objectives.Quadratic(np.diag([1.0, 0.5]), sigma=0.1), 40, 6
    res = simulate.minimize(
        f, np.ones(2), method="asysg-con", delays=delays.constant(T), steplength=0.05,
        n_updates=K, n_records=K, form="uniform", rng=0,
    )  # fmt: skip
    squares = res.trace.grad_norm_sq[res.trace.k <= K - T]
    assert len(squares) == K - T
    assert res.certificate.measured == pytest.approx(squares.sum() / K, rel=1e-12)
