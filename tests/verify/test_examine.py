"""Flight records examined: sound ones agree, and each seeded fault fails the test made for it.

Null of every test: the record is that of the algorithm. False alarm: ALPHA for all outcomes of one
examination. Power: at least 0.99 for errors of the size that `detects` names, by
`theory.testing.martingale_min_detectable`; the faults here are larger than that. Seeds are fixed.
"""

from dataclasses import replace

import numpy as np
import pytest

import asysg
from asysg import InvalidArgument, objectives, verify
from asysg._core.openmp import openmp_version
from asysg.theory import testing
from asysg.verify._record import Record
from asysg.verify._trace import delay_tests, draws, noise_tests
from tests.budget import alpha

ALPHA = alpha("verify: examine", 30)
THREADS = 2 if openmp_version() else 1
H = np.linspace(0.3, 1.0, 6)


def quadratic(noise="gaussian", scale=1.0, sigma=1.0, shift=0.0):
    return objectives.Quadratic(scale * H, np.full(6, shift), sigma=sigma, noise=noise)


def run(obj=None, method="asysg-con", K=4000, **options):
    obj = quadratic() if obj is None else obj
    settings = {"record": "full+reads", "n_threads": THREADS, "max_delay": 8, "rng": 5}
    settings |= {"steplength": 0.02 if method == "asysg-con" else 0.1, "batch_size": 2}
    return asysg.minimize(
        obj, np.full(obj.n, 2.0), method=method, n_updates=K, **settings | options
    )


@pytest.mark.parametrize("noise", ["gaussian", "rademacher", "coordinate", "jumps", "skewed"])
@pytest.mark.parametrize("method", ["asysg-con", "asysg-incon"])
def test_a_sound_run_of_every_law_agrees(noise, method):
    found = verify.examine(run(quadratic(noise), method), alpha=ALPHA)
    assert found.verdict == "agrees", found.table()
    names = {one.name for one in found.outcomes}
    assert {"record", "increments", "staleness", "constants", "bias", "variance"} <= names
    assert "could detect bias±" in found.table()
    assert found.p_value > found.alpha


@pytest.mark.parametrize("method", ["sgd", "asysg-con", "asysg-incon"])
def test_a_sound_run_of_a_finite_sum_agrees(method):
    obj = objectives.SigmoidRegression.planted(30, 5, rng=1)
    one = {"n_threads": 1, "max_delay": 0} if method == "sgd" else {}
    found = verify.examine(run(obj, method, steplength=0.5, **one), alpha=ALPHA)
    assert found.verdict == "agrees", found.table()
    assert ("sigma" in {test.name for test in found.outcomes}) == (method != "asysg-incon")


def test_without_reads_a_lock_free_run_still_has_a_clock_and_draws():
    found = verify.examine(run(method="asysg-incon", record="full"), alpha=ALPHA)
    assert found.ok
    names = {one.name for one in found.outcomes}
    assert {"record", "staleness", "coordinates", "samples", "same sample"} <= names
    assert ("bias" in names) == (THREADS == 1)


def failing(outcomes):
    return {one.name for one in outcomes if one.p_value <= ALPHA / len(outcomes)}


def altered(result, obj):
    """Return the record of a run, seen with the eyes of another objective."""
    record = Record(result)
    record.plan = replace(record.plan, objective=obj)
    record.at_iterates = np.array([obj.gradient(x) for x in record.x])
    record.gradients = record._gradients()
    return record


@pytest.mark.parametrize("method", ["asysg-con", "asysg-incon"])
@pytest.mark.parametrize(
    ("claimed", "named"),
    [
        ({"sigma": 0.5}, "variance"),
        ({"sigma": 1.3}, "variance"),
        ({"scale": 0.6}, "bias along the gradient"),
        ({"shift": 0.4}, "bias"),
    ],
)
def test_wrong_noise_is_named(method, claimed, named):
    result = run(method=method, n_threads=1, max_delay=0)
    record = altered(result, quadratic(**claimed))
    assert named in failing(noise_tests(record, record.noise()))
    sound = altered(result, quadratic())
    assert not failing(noise_tests(sound, sound.noise()))


def test_noise_used_again_is_named():
    """Each update adds half the noise of the one before."""
    record = Record(run(n_threads=1, max_delay=0))
    z = record.residuals()
    record.residuals = lambda: z + 0.5 * np.concatenate([z[:1], z[:-1]])
    assert "noise again" in failing(noise_tests(record, record.noise()))


def test_one_sample_for_the_whole_minibatch_is_named(monkeypatch):
    from asysg import _draws

    result, honest = run(n_threads=1, max_delay=0), _draws.samples
    assert not failing(draws(result))

    def same(*args):
        drawn = honest(*args)
        drawn[:] = drawn[:, :1]
        return drawn

    monkeypatch.setattr(_draws, "samples", same)
    assert {"same sample", "sample pairs"} <= failing(draws(result))


@pytest.mark.parametrize("method", ["asysg-con", "asysg-incon"])
def test_a_log_that_understates_delays_contradicts_itself(method):
    result = run(method=method, n_threads=1, max_delay=0)
    log = result.log.copy()
    log["start"][1::2] -= 1  # now the log says that every second read was one update old
    lying = replace(result, log=log, staleness=replace(result.staleness, max=1))
    found = verify.examine(lying, alpha=ALPHA)
    assert not found.ok
    assert found.worst.name == "record"


@pytest.mark.parametrize("method", ["asysg-con", "asysg-incon"])
@pytest.mark.parametrize("which", ["size", "sign"])
def test_delays_that_depend_on_the_noise_put_obliviousness_in_doubt(method, which):
    """Delays that are longer by one where the noise is large, or pulls along the gradient."""
    record = Record(run(method=method, n_threads=1, max_delay=0))
    z = record.residuals()
    along = np.sum(z * record.directions()[0], axis=1)
    measure = np.linalg.norm(z, axis=1) if which == "size" else along
    rng = np.random.default_rng(0)
    record.delay = rng.integers(0, 3, record.K) + (measure > np.median(measure))
    tests = delay_tests(record, record.noise())
    assert f"own delay, {which}" in failing(tests)
    record.delay = np.roll(record.delay, 1)
    assert f"the next delay, {which}" in failing(delay_tests(record, record.noise()))


def test_delays_of_their_own_do_not(monkeypatch):
    """Delays that wander, in a run whose gradients shrink: dependent in time, oblivious."""
    record = Record(run(n_threads=1, max_delay=0))
    steps = np.random.default_rng(1).choice([-1, 1], record.K)
    record.delay = np.abs(np.cumsum(steps))
    assert not failing(delay_tests(record, record.noise()))


def test_the_certificate_carries_the_p_value():
    record = run(n_threads=1, max_delay=0)
    found = verify.examine(record, alpha=ALPHA)
    assert found.certificate == record.certificate  # nothing to test: no delay varies
    doubtful = testing.Outcome("own delay, size", "independent", 9.0, 1e-12, ALPHA)
    doubted = replace(found, diagnostics=(doubtful,))
    known = next(h for h in record.certificate.hypotheses if h.name == "reads oblivious")
    tested = doubted.tested(known)
    assert (tested.holds, tested.evidence, tested.fault()) == (False, "measured", None)
    assert tested.numbers == {"p_value": 1e-12, "level": ALPHA}
    assert "in doubt" in tested.note
    assert not doubted.oblivious
    assert doubted.ok


@pytest.mark.parametrize(
    ("result", "options", "message"),
    [
        ({"record": "sampled"}, {}, "result must have a flight record"),
        ({"method": "hogwild", "steplength": 0.01}, {}, "result must be of 'sgd'"),
        ({}, {"alpha": 0.0}, "total must be"),
    ],
)
def test_refusals(result, options, message):
    with pytest.raises(InvalidArgument, match=message):
        verify.examine(run(K=50, **result), **options)
