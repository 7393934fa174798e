""" "sync", "delayed" and "downpour" with virtual workers, through the front door."""

import numpy as np
import pytest

import asysg
from asysg import InvalidArgument, objectives, simulate
from asysg._core.openmp import openmp_version
from asysg.simulate import delays, speeds

WAYS = {
    "sync": {"method": "sync", "batch_size": 5},
    "sync of few samples": {"method": "sync", "batch_size": 2},
    "delayed": {"method": "delayed", "delay": 9},
    "delayed by default": {"method": "delayed"},
    "downpour": {"method": "downpour", "batch_size": 4, "n_push": 2, "n_fetch": 6},
    "downpour, bounded": {"method": "downpour", "n_fetch": 4, "max_delay": 8},
}


@pytest.fixture(scope="module")
def obj():
    return objectives.SigmoidRegression.planted(40, 5, density=0.6, rng=0)


def timed(obj, **options):
    given = {"n_workers": 7, "steplength": 0.1, "n_updates": 2000, "rng": 3, "n_records": 9}
    return simulate.minimize(obj, np.ones(5), **{**given, **options})


@pytest.mark.parametrize("way", WAYS)
def test_a_record_replays_to_the_bit(obj, way):
    law = speeds.two_classes(5.0, base=speeds.lognormal(0.8, server=0.01))
    res = timed(obj, speeds=law, record="full", **WAYS[way])
    again = simulate.replay(res)
    assert again.exact
    np.testing.assert_array_equal(again.x, res.x)
    assert res.max_delay is None or res.staleness.max <= res.max_delay


@pytest.mark.parametrize("way", WAYS)
def test_a_resumed_run_has_the_bits_of_one_never_stopped(obj, way, tmp_path):
    options = {"speeds": speeds.straggler(3, 40, period=60), "record": "full", **WAYS[way]}
    whole, nit = timed(obj, **options), []

    def stop(intermediate):
        nit.append(intermediate.nit)
        if len(nit) == 4:
            raise StopIteration

    path = {"checkpoint": tmp_path / "run", "checkpoint_every": 0}
    assert 0 < timed(obj, callback=stop, **path, **options).nit < whole.nit
    rest = timed(obj, **path, **options)
    for field in ("x", "time", "nit", "n_recomputed", "n_gradients", "certificate"):
        np.testing.assert_array_equal(getattr(rest, field), getattr(whole, field))
    np.testing.assert_array_equal(rest.trace.time, whole.trace.time)
    assert rest.log.tobytes() == whole.log.tobytes()


@pytest.mark.parametrize("p", [1, 3] if openmp_version() else [1])
def test_the_bits_of_real_threads(obj, p):
    run = {"steplength": 0.1, "n_updates": 2000, "rng": 3}
    for way in ("sync", "sync of few samples", "delayed", "delayed by default"):
        real = asysg.minimize(obj, np.ones(5), n_threads=p, **run, **WAYS[way])
        virtual = timed(obj, n_workers=p, speeds=speeds.lognormal(), **WAYS[way])
        np.testing.assert_array_equal(real.x, virtual.x)
        np.testing.assert_array_equal(real.staleness.histogram, virtual.staleness.histogram)
    real = asysg.minimize(obj, np.ones(5), n_threads=1, **run, **WAYS["downpour"])
    np.testing.assert_array_equal(timed(obj, n_workers=1, **WAYS["downpour"]).x, real.x)


def test_without_workers(obj):
    """ "sync" is "sgd", "delayed" has the constant delay that is given."""
    free = {"n_workers": None}
    serial = timed(obj, **free, method="sgd", batch_size=5)
    np.testing.assert_array_equal(timed(obj, **free, **WAYS["sync"]).x, serial.x)
    con = timed(obj, **free, method="asysg-con", delays=delays.constant(9))
    res = timed(obj, **free, **WAYS["delayed"], form="uniform")
    np.testing.assert_array_equal(res.x, con.x)
    assert (res.staleness.max, res.certificate.holds) == (9, True)


def test_what_the_clock_says(obj):
    """Seven workers of one second, each message a tenth of a second of the server."""
    law = speeds.deterministic(1.0, server=0.1)
    found = timed(obj, speeds=law, n_updates=10, **{**WAYS["sync"], "batch_size": 7})
    assert found.time == pytest.approx(10 * (1.0 + 7 * 0.1))
    # Fewer samples than workers: five take part.
    assert timed(obj, speeds=law, n_updates=10, **WAYS["sync"]).time == pytest.approx(15.0)
    # Without a delay one works at a time; seven keep one another from waiting at delay 6.
    slow, fast = (timed(obj, speeds=law, method="delayed", delay=d).time for d in (0, 6))
    assert slow == pytest.approx(2000 * 1.1)
    assert fast == pytest.approx(2000 / 7 * 1.1, rel=0.01)
    # Who reads after every third push is three times as stale.
    often, seldom = (timed(obj, method="downpour", n_fetch=n).staleness for n in (1, 3))
    assert (often.max, seldom.max) == (6, 20)


def test_certificates(obj):
    for form in ("constant_delay", "uniform"):
        res = timed(obj, steplength="prescribed", form=form, **WAYS["delayed by default"])
        assert (res.certificate.T, res.certificate.holds) == (6, True)
        res = timed(obj, steplength="prescribed", form=form, **WAYS["sync"])
        assert (res.certificate.T, res.certificate.holds) == (0, True)
    res = timed(obj, steplength="prescribed", **WAYS["downpour, bounded"])
    assert res.certificate.holds
    res = timed(obj, steplength="prescribed", **WAYS["downpour"])
    assert not res.certificate.holds
    assert "2 local steps of a push read one another" in res.certificate.explain()
    assert f"T = {res.staleness.max}" in res.certificate.explain()


FREE = {"n_workers": None}
REFUSED = [
    ({"method": "sync", "max_delay": 3}, "max_delay must be left out for method 'sync'"),
    ({"method": "downpour", "delay": 3}, "delay must be left out for method 'downpour'"),
    ({"method": "delayed", "delay": -1}, "delay must be an integer >= 0"),
    ({"method": "delayed", "delay": 10**15}, "delay must be so short that"),
    ({"method": "sync", "n_fetch": 2}, "n_fetch and n_push must be 1"),
    ({"method": "downpour", "n_push": 2, "n_fetch": 2}, "batch_size must be a multiple of n_push"),
    (
        {"method": "downpour", "n_fetch": 2, "steplength": lambda k: 0.1},
        "steplength must be constant for method 'downpour'",
    ),
    ({"method": "downpour", "n_workers": 10**15, "n_fetch": 2}, "n_workers must be at most"),
    ({**FREE, "method": "downpour"}, "method must be one of"),
    ({**FREE, "method": "delayed"}, "delay must be an integer >= 0 for method 'delayed' without"),
    ({**FREE, "method": "delayed", "delay": 10**15}, "delays must be so short"),
    (
        {**FREE, "method": "delayed", "delay": 2, "delays": delays.constant(2)},
        "delays must be left out for method 'delayed'",
    ),
    (
        {**FREE, "method": "sync", "delays": delays.constant(2)},
        "delays must be left out for method 'sync'",
    ),
]


@pytest.mark.parametrize(("options", "match"), REFUSED)
def test_refusals(obj, options, match):
    with pytest.raises(InvalidArgument, match=f"^{match}"):
        timed(obj, **options)
