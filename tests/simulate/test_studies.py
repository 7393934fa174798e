"""Speedups, phase diagrams, forecasts and calibration: definitions by hand, shapes, refusals."""

import json

import numpy as np
import pytest
from scipy import stats

import asysg
from asysg import InvalidArgument, objectives, simulate
from asysg._core import costs
from asysg.result import Trace
from asysg.simulate import calibration, comparisons, phases, speeds, speedups


def trace(k, seconds, f):
    k, seconds, f = np.array(k), np.array(seconds, dtype=float), np.array(f, dtype=float)
    return Trace(k, seconds, f, f, np.ones(len(k)))


def test_the_authors_definition_by_hand():
    """Losses 8 4 2 1 and 8 2 1 1: the median is 2; it is reached after 20 and 12 updates."""
    one = trace([1, 11, 21, 31], [0, 10, 20, 30], [8, 4, 2, 1])
    two = trace([1, 13, 21, 31], [0, 6, 10, 15], [8, 2, 1, 1])
    first, second = speedups.curves_to_rows({2: two, 1: one})
    assert first == speedups.Row(1, 2.0, 20.0, 20.0, 1.0, 1.0)
    assert second.updates == 12.0
    assert second.iteration_speedup == pytest.approx(2 * 20 / 12)
    assert second.time_speedup == pytest.approx(20 / 6)


def test_the_target_is_met_between_two_records():
    one = trace([1, 11], [0, 10], [4.0, 0.0])
    two = trace([1, 11], [0, 5], [3.0, 1.0])
    rows = speedups.curves_to_rows({1: one, 2: two})  # the median of 0 1 3 4 is 2
    assert [row.updates for row in rows] == [5.0, 5.0]
    assert [row.seconds for row in rows] == [5.0, 2.5]


def test_curves_that_never_arrive_are_not_left_out():
    one = trace([1, 11, 21, 31], [0, 10, 20, 30], [9.0, 5.0, 2.0, 1.0])
    lost = trace([1, 31], [0, 30], [9.0, np.inf])  # the median is 7
    rows = speedups.curves_to_rows({1: one, 2: lost})
    assert rows[0].updates == 5.0
    assert np.isnan(rows[1].iteration_speedup)
    assert np.isnan(rows[1].time_speedup)
    with pytest.raises(InvalidArgument, match="1 worker"):
        speedups.curves_to_rows({2: one})


def test_intervals_by_hand():
    i = speedups.Interval.around([1.0, 2.0, 3.0, float("nan")])
    half = stats.t.ppf(0.975, 2) / np.sqrt(3)
    assert (i.mean, i.reached, i.of) == (2.0, 3, 4)
    assert (i.low, i.high) == pytest.approx((2 - half, 2 + half))
    assert np.isnan(speedups.Interval.around([1.0]).low)


def test_speedup_of_the_clock_alone():
    """While delays do not matter, p equal workers are p times as fast."""
    obj = objectives.CosineQuadratic(n=30, sigma=0.05)
    options = {"speeds": speeds.deterministic(2.0), "steplength": 0.02, "n_updates": 6000, "rng": 1}
    found = speedups.study(obj, np.ones(30), workers=[2, 8], n_replicates=3, **options)
    assert found.workers == (1, 2, 8)
    assert len(found.records) == 9
    json.dumps(found.records, allow_nan=False)
    for p in found.workers:
        assert found.interval(p).mean == pytest.approx(p, rel=0.15)
        assert found.interval(p, "time_speedup").mean == pytest.approx(p, rel=0.15)
    again = speedups.study(obj, np.ones(30), workers=[2, 8], n_replicates=3, **options)
    assert again == found


def test_a_server_that_is_busy_ends_the_speedup_in_time_alone():
    obj = objectives.CosineQuadratic(n=30, sigma=0.05)
    found = speedups.study(
        obj, np.ones(30), workers=[16], speeds=lambda p: speeds.deterministic(1.0, server=0.25),
        steplength=2e-4, n_updates=6000, n_replicates=2, rng=1, method="asysg-con",
    )  # fmt: skip
    assert found.interval(16).mean > 12
    assert found.interval(16, "time_speedup").mean < 5.5


def test_forecasts():
    found = simulate.forecast(4, 10**9, speeds.deterministic(2.0))
    assert found.simulated == 10**6
    assert found.seconds == pytest.approx(2.0 * 10**9 / 4)
    assert found.staleness.max == 3
    bound = simulate.forecast(50, 1000, speeds.exponential(), max_delay=9)
    assert bound.staleness.max <= 9
    assert bound.n_recomputed > 0
    with pytest.raises(InvalidArgument, match="speeds must be made by"):
        simulate.forecast(4, 10, 1.0)
    with pytest.raises(InvalidArgument, match="must take some time"):
        simulate.forecast(4, 10, speeds.Speeds(*[speeds.Law.constant(0.0)] * 4))


def test_phase_diagram():
    obj = objectives.CosineQuadratic(n=20, sigma=3.0)
    points = phases.diagram(
        obj, np.ones(20), delays_up_to=[0, 2, 300], updates=[300, 3000], n_replicates=3, rng=1
    )
    at = {(point["T"], point["K"]): point for point in points}
    assert len(at) == 6
    json.dumps(points)
    c = obj.constants(np.ones(20), T=2)
    assert at[2, 3000]["K_min"] == asysg.theory.con.K_min(c, M=1, T=2, form="paper")
    # An update is worth what it was; and nothing, far beyond the limit.
    assert at[0, 3000]["efficiency"] == pytest.approx(1, abs=0.2)
    assert at[300, 300]["efficiency"] < 0.3
    assert not at[300, 300]["guaranteed"]
    assert len(phases.draw(points).axes) == 4
    res = phases.measure(obj, np.ones(20), T=2, K=300, form="robust", n_records=10, rng=1)
    assert res.certificate.form == "robust"
    with pytest.raises(InvalidArgument, match="points must not be empty"):
        phases.draw([])
    with pytest.raises(InvalidArgument, match="obj must have noise"):
        phases.diagram(objectives.CosineQuadratic(n=2), np.ones(2), delays_up_to=[1], updates=[9])


@pytest.mark.parametrize("rng", [-1, "seed", 1.5])
def test_a_study_needs_a_seed(rng):
    obj = objectives.CosineQuadratic(n=2, sigma=1.0)
    how = {"steplength": 0.1, "n_updates": 9, "rng": rng}
    with pytest.raises(InvalidArgument, match="rng must be None, an integer"):
        speedups.study(obj, np.ones(2), workers=[2], speeds=speeds.deterministic(), **how)
    with pytest.raises(InvalidArgument, match="rng must be None, an integer"):
        phases.diagram(obj, np.ones(2), delays_up_to=[1], updates=[9], rng=rng)
    with pytest.raises(InvalidArgument, match="rng must be None, an integer"):
        comparisons.compare(obj, np.ones(2), n_workers=2, **how)


@pytest.mark.parametrize("other", [None, 3, "fast", lambda p: speeds.pareto() if p == 1 else 3.0])
def test_a_study_needs_speeds(other):
    obj = objectives.CosineQuadratic(n=2, sigma=1.0)
    with pytest.raises(InvalidArgument, match="speeds must be made by asysg.simulate.speeds, got"):
        speedups.study(obj, np.ones(2), workers=[2], speeds=other, steplength=0.1, n_updates=9)


def test_calibration_needs_an_objective():
    with pytest.raises(InvalidArgument, match="obj must be an Objective, got int"):
        calibration.calibrate(3, np.ones(2))


@pytest.mark.parametrize("method", ["asysg-con", "asysg-incon", "hogwild"])
def test_calibration(method):
    obj = objectives.CosineQuadratic(n=2000, sigma=0.1)
    found = calibration.calibrate(
        obj, np.ones(2000), method=method, transport="messages", seconds=0.05
    )
    assert found.compute > 0
    assert found.message > 0
    assert (found.read > 0) == (found.update > 0) == (method == "asysg-con")
    for spread in (0.0, 0.3):
        compute, other, server = found.speeds(spread).times((1, 2), 0, 50_000)
        assert compute.mean() == pytest.approx(found.compute, rel=0.02)
        assert other.mean() == pytest.approx(2 * found.message)
        assert server.mean() == pytest.approx(found.read + found.update)


def test_what_is_timed_is_what_a_server_does():
    x, out = np.arange(4.0), np.zeros(4)
    costs.copy(x, out, 2)
    np.testing.assert_array_equal(out, x)
    costs.add(0.5, np.ones(4), x, 3)
    np.testing.assert_array_equal(x, out - 1.5)
    for call in (lambda: costs.copy(x, np.zeros(3), 1), lambda: costs.add(1.0, np.ones(3), x, 1)):
        with pytest.raises(ValueError, match="4 entries"):
            call()
