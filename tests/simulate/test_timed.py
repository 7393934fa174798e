"""Timed workers through the front door; resuming and memory of every simulated run."""

import tracemalloc

import numpy as np
import pytest
from scipy import sparse, stats

import asysg
from asysg import InvalidArgument, objectives, simulate
from asysg.simulate import delays, speeds
from tests.budget import alpha

METHODS = ["asysg-incon", "asysg-con", "hogwild"]
ALPHA = alpha("timed workers", 6)


def problem(rng=0, n=6):
    A = sparse.random(40, n, density=0.4, format="csr", rng=rng)
    return objectives.SigmoidRegression(A, np.arange(40) % 2.0)


def timed(obj=None, K=2000, **options):
    obj = problem() if obj is None else obj
    kwargs = {"n_workers": 7, "steplength": 0.1, "n_updates": K, "rng": 3, "n_records": 9}
    return simulate.minimize(obj, np.ones(obj.n), **{**kwargs, **options})


@pytest.mark.parametrize("method", METHODS)
def test_a_record_replays_to_the_bit(method):
    law = speeds.two_classes(5.0, base=speeds.lognormal(0.8, server=0.01))
    res = timed(method=method, speeds=law, batch_size=2, record="full")
    again = simulate.replay(res)
    assert again.exact
    assert again.updates_by_worker.sum() == res.nit == 2000
    # Two of seven are five times slower.
    assert again.updates_by_worker[5:].max() * 3 < again.updates_by_worker[:5].min()


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_the_same_bits(method):
    runs = [timed(method=method, speeds=speeds.pareto(1.3), n_records=r) for r in (1, 9)]
    np.testing.assert_array_equal(runs[0].x, runs[1].x)
    assert runs[0].time == runs[1].time
    other = timed(method=method, speeds=speeds.pareto(1.3), rng=4)
    assert not np.array_equal(runs[0].x, other.x)
    assert other.time != runs[0].time


def test_one_worker_is_the_serial_run():
    """Of real threads too: the same draws, the same bits."""
    for method in ("asysg-incon", "asysg-con"):
        virtual = timed(method=method, n_workers=1, speeds=speeds.exponential(0.5))
        real = asysg.minimize(
            problem(), np.ones(6), method=method, steplength=0.1, n_updates=2000, n_threads=1, rng=3
        )
        np.testing.assert_array_equal(virtual.x, real.x)
        assert virtual.staleness.max == 0


def test_virtual_hogwild_is_the_consistent_method():
    a, b = (timed(method=m, speeds=speeds.lognormal()) for m in ("hogwild", "asysg-con"))
    np.testing.assert_array_equal(a.x, b.x)


def test_what_is_measured():
    res = timed(K=7000, speeds=speeds.deterministic(2.0))
    assert res.simulated
    assert "7 timed workers" in res.scheduler
    assert res.staleness.max == 6
    assert res.time == res.trace.time[-1] == 2000.0
    np.testing.assert_array_equal(res.trace.time, 2.0 * np.ceil((res.trace.k - 1) / 7))
    by_name = {h.name: h for h in res.certificate.hypotheses}
    assert by_name["reads oblivious"].holds
    assert by_name["reads oblivious"].evidence == "by construction"
    assert asysg.Result.from_dict(res.to_dict()).scheduler == res.scheduler
    assert "7 timed workers" in repr(res)


def test_an_enforced_bound_is_kept_and_what_it_costs_is_counted():
    law = speeds.exponential()
    free, bound = (timed(n_workers=20, speeds=law, max_delay=T) for T in (None, 5))
    assert free.staleness.max > 5 >= bound.staleness.max
    assert bound.n_recomputed > 0 == free.n_recomputed
    assert bound.time > free.time
    assert timed(n_workers=20, speeds=law, max_delay=0).staleness.max == 0


def test_a_prescription_knows_the_delays_beforehand():
    obj = objectives.CosineQuadratic(5, sigma=0.1)
    law = speeds.lognormal(1.0)
    res = timed(obj, K=20_000, speeds=law, steplength="prescribed")
    assert f"T = {res.staleness.max}," in " ".join(h.note + "," for h in res.certificate.hypotheses)


def scenarios():
    x = {"n_workers": None}
    return {
        "timed incon": {"speeds": speeds.lognormal(), "max_delay": 9},
        "timed con": {"method": "asysg-con", "speeds": speeds.straggler(3, 40, period=60)},
        "timed dense": {
            "method": "asysg-con",
            "obj": objectives.CosineQuadratic(4, sigma=0.2),
            "speeds": speeds.pareto(),
        },
        "timed full": {"record": "full", "speeds": speeds.exponential()},
        "ahead incon": {**x, "delays": delays.geometric(40, 7.0), "batch_size": 3},
        "ahead con": {**x, "method": "asysg-con", "delays": delays.uniform(30)},
        "history con": {
            **x,
            "method": "asysg-con",
            "obj": objectives.CosineQuadratic(4, sigma=0.2),
            "delays": delays.uniform(30),
        },
        "history incon": {**x, "delays": delays.subsets(9)},
    }


@pytest.mark.parametrize("name", sorted(scenarios()))
def test_a_resumed_run_has_the_bits_of_one_never_stopped(name, tmp_path):
    options = scenarios()[name]
    whole = timed(**options)
    nit = []

    def stop(intermediate):
        nit.append(intermediate.nit)
        if len(nit) == 4:
            raise StopIteration

    path = {"checkpoint": tmp_path / "run", "checkpoint_every": 0}
    part = timed(callback=stop, **path, **options)
    assert part.status == "stopped"
    assert 0 < part.nit < whole.nit
    rest = timed(**path, **options)
    for field in ("x", "time", "nit", "n_recomputed", "n_gradients", "certificate"):
        if field != "time" or whole.scheduler.startswith("7 timed"):
            np.testing.assert_array_equal(getattr(rest, field), getattr(whole, field))
    for field in ("k", "f", "grad_norm_sq", "weight", "time"):
        np.testing.assert_array_equal(getattr(rest.trace, field), getattr(whole.trace, field))
    np.testing.assert_array_equal(rest.staleness.histogram, whole.staleness.histogram)
    if whole.log is not None:
        assert rest.log.tobytes() == whole.log.tobytes()
        assert simulate.replay(rest).exact


def test_a_checkpoint_of_other_workers_is_refused(tmp_path):
    path = {"checkpoint": tmp_path / "run"}
    timed(**path)
    timed(**path)  # it is complete, and stays so
    for other in ({"n_workers": 8}, {"speeds": speeds.exponential()}, {"max_delay": 3}):
        with pytest.raises(InvalidArgument, match="checkpoint must come from the same run"):
            timed(**path, **other)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"n_workers": 0}, "n_workers must be an integer >= 1"),
        ({"n_workers": 2, "method": "sgd"}, "n_workers must be 1"),
        ({"delays": delays.constant(1)}, "delays must be left out with n_workers"),
        ({"speeds": 1.0}, "speeds must be made by"),
        ({"max_delay": -1}, "max_delay must be an integer"),
        ({"record": "full+reads"}, "record must be one of"),
        ({"n_workers": None, "record": "full"}, "record must be 'sampled'"),
        ({"n_workers": None, "speeds": speeds.exponential()}, "speeds must be left out"),
        ({"n_workers": None, "max_delay": 3}, "max_delay must be left out"),
        ({"n_workers": None, "method": "hogwild"}, "method must be one of"),
        ({"n_workers": 10**15}, "n_workers must be at most"),
        ({"checkpoint_every": -1.0}, "checkpoint_every must be"),
        ({"checkpoint_every": "x"}, "checkpoint_every must be"),
    ],
)
def test_refusals(options, match):
    with pytest.raises(InvalidArgument, match=match):
        timed(**options)


def peak(**options):
    """Return the most memory that a run has, in bytes; the first call pays for the imports."""
    timed(K=10, **options)
    tracemalloc.start()
    try:
        timed(K=3000, **options)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_of_workers():
    """100,000 workers of asysg-incon take O(n + p), of a sparse con O(n + p M s) numbers."""
    small = peak(n_workers=1000)
    large = peak(n_workers=100_000)
    assert large - small < 200 * 99_000
    con = peak(n_workers=100_000, method="asysg-con")
    assert con - small < (200 + 8 * 6) * 99_000


def test_memory_of_delays():
    """T = 100,000 takes O(n + T), not T vectors."""
    options = {"obj": problem(n=500), "n_workers": None}
    small = peak(delays=delays.constant(1000), **options)
    large = peak(delays=delays.constant(100_000), **options)
    # Slots come in powers of two; the table of delays that is filed at once is T rows.
    assert large - small < 100 * 2**17


def test_a_hundred_thousand_workers():
    res = timed(K=300_000, n_workers=100_000, speeds=speeds.exponential(), steplength=1e-6)
    assert res.success
    assert res.staleness.mean > 50_000


def test_laws_of_the_times():
    """Null: the times have the stated law and mean.

    Kolmogorov and Smirnov's test for each of three laws; N = 200,000 finds a distribution
    function off by 1.5 % anywhere with power > 0.99 (the threshold is 3.3 / sqrt(N) = 0.7 %).
    """
    key, N = (5, 6), 200_000
    for law, cdf in (
        (speeds.exponential(2.0), stats.expon(scale=2.0)),
        (speeds.lognormal(0.7, 3.0), stats.lognorm(0.7, scale=3.0 * np.exp(-0.245))),
        (speeds.pareto(2.5, 3.0), stats.pareto(2.5, scale=3.0 * 1.5 / 2.5)),
    ):
        times = law.times(key, 0, N)[0]
        assert stats.kstest(times, cdf.cdf).pvalue > ALPHA
        parts = [law.times(key, a, b)[0] for a, b in ((0, 1), (1, 777), (777, N))]
        np.testing.assert_array_equal(times, np.concatenate(parts))


def test_phases_are_independent():
    """Null: no correlation between phases; 3 tests, power > 0.99 for one of 0.03."""
    same = speeds.Law.exponential(1.0)
    law = speeds.exponential(1.0, read=same, server=same)
    compute, read, server = law.times((5, 6), 0, 100_000)
    for a, b in ((compute, read), (compute, server), (read, server)):
        assert stats.pearsonr(a, b).pvalue > ALPHA


@pytest.mark.parametrize(
    "call",
    [
        lambda: speeds.deterministic(0.0),
        lambda: speeds.exponential(-1.0),
        lambda: speeds.lognormal(-0.1),
        lambda: speeds.pareto(1.0),
        lambda: speeds.two_classes(0.0),
        lambda: speeds.two_classes(2.0, 1.5),
        lambda: speeds.straggler(2.0, 2.0),
        lambda: speeds.straggler(2.0, 4.0, period=2.0),
        lambda: speeds.straggler(2.0, 4.0, period="x"),
        lambda: speeds.straggler(2.0, 4.0, period=float("nan")),
        lambda: speeds.straggler(2.0, 4.0, base=3),
        lambda: speeds.two_classes(base=3),
        lambda: speeds.deterministic(1.0, server=-0.5),
    ],
)
def test_speeds_that_cannot_be(call):
    with pytest.raises(InvalidArgument):
        call()


def test_a_law_of_ones_own_must_give_times():
    bad = speeds.Law("bad", lambda key, start, stop: np.full(stop - start, -1.0))
    with pytest.raises(InvalidArgument, match="read must give one finite time"):
        timed(speeds=speeds.deterministic(1.0, read=bad))
