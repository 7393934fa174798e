"""The virtual clock equals the specification: the order of events, and every bit of x."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from asysg import _draws, objectives
from asysg._core.proximal import Proximal
from asysg._core.timed import PAUSE, Timed
from asysg.prox import Prox
from asysg.simulate import recursion, speeds


def problem(rng, family, n):
    if family == "sparse":
        A = sparse.random(9, n, density=0.4, format="csr", rng=rng)
        return objectives.SigmoidRegression(A, rng.uniform(size=9))
    if family == "regularised":
        return objectives.NonconvexLogistic(rng.normal(size=(7, n)), np.ones(7), 0.3)
    H = rng.normal(size=(n, n))
    return objectives.Quadratic(H + H.T, sigma=0.3)


SPEEDS = {
    "ties": speeds.deterministic(),
    "server": speeds.deterministic(1.0, read=0.25, send=0.5, server=0.5),
    "lognormal": speeds.lognormal(0.7),
    "queue": speeds.exponential(1.0, server=speeds.Law.exponential(0.3)),
    "classes": speeds.two_classes(3.0, 0.5, speeds.pareto(1.2)),
    "pause": speeds.straggler(1.5, 6.0, workers=2),
    "pauses": speeds.straggler(0.0, 2.0, period=2.25, base=speeds.exponential(0.7)),
}


@given(
    st.sampled_from(["sparse", "regularised", "noisy"]),
    st.sampled_from(sorted(SPEEDS)),
    st.booleans(),
    st.integers(1, 12),
    st.integers(1, 40),
    st.integers(1, 3),
    st.sampled_from([None, 0, 2, 30]),
    st.sampled_from([None, Prox(0.2, 0.1, -0.5, 0.7)]),
    st.integers(0, 2**32),
    st.data(),
)
def test_the_specification(family, law, whole, p, K, M, max_delay, prox, seed, data):
    rng, n = np.random.default_rng(seed), 4
    obj, x0, key = problem(rng, family, n), rng.normal(size=n), _draws.key_from(rng)
    gamma = rng.uniform(0, 0.1, size=K)
    term, proximal = None, None
    if prox is not None:
        x0, proximal = np.clip(x0, prox.lower, prox.upper), prox.proximal
        term = Proximal(prox.l1, prox.l2, *prox.bounds(n))
    law = SPEEDS[law]
    most = 60 * K + p + 60  # cycles, with those that come too late
    compute, other, server = law.times((3, 4), 0, most)
    expected = list(
        recursion.schedule(
            p, K, compute=compute, other=other, server=server, factor=law.factor(p),
            pauses=law.pauses(p), max_delay=max_delay,
        )
    )  # fmt: skip
    assert len(expected) == K

    def make(x, clock):
        return Timed(
            obj._capsule, x, whole=whole, M=M, p=p, K=K, key=key,
            max_delay=-1 if max_delay is None else max_delay, factor=law.factor(p),
            pauses=law.pauses(p), full=True, clock=clock, prox=term,
        )  # fmt: skip

    engine, logs, times, delays = make(x0, 0), [], [], []
    while engine.clock < K:
        start = engine.clock
        stop = data.draw(st.integers(start + 1, K))
        more = data.draw(st.integers(1, 9))
        here = slice(engine.cycles, engine.cycles + more)
        engine.advance(stop, gamma[start:], compute[here], other[here], server[here])
        logs.append(engine.log)
        times.append(engine.now)
        assert engine.now == (expected[engine.clock - 1][3] if engine.clock else 0.0)
        if data.draw(st.booleans()):
            delays.append((engine.histogram, engine.sum_delay, engine.recomputed))
            pending, engine = engine.pending(), make(engine.x, engine.clock)
            engine.restore(pending)
    log = np.concatenate(logs)
    np.testing.assert_array_equal(log["worker"], [w for w, *_ in expected])
    np.testing.assert_array_equal(log["start"], [start for _, start, *_ in expected])
    np.testing.assert_array_equal(log["draw"], [draw for *_, draw, _ in expected])
    assert sorted(log["draw"]) == list(range(K))
    np.testing.assert_array_equal(engine.updates_by_worker, np.bincount(log["worker"], minlength=p))

    tau = np.arange(K) - log["start"]
    assert max_delay is None or tau.max() <= max_delay
    samples = _draws.samples(key, log["draw"], M, obj.n_samples)
    table = np.repeat(tau[:, np.newaxis], M, axis=1)
    if whole:
        *_, last = recursion.con(obj.minibatch, x0, gamma, table, samples, proximal)
    else:
        i = _draws.coordinates(key, log["draw"], n)
        *_, last = recursion.incon(obj.partial, x0, gamma, table, samples, i, prox=proximal)
    np.testing.assert_array_equal(engine.x, last)
    counted = engine.histogram + sum(h for h, *_ in delays)
    np.testing.assert_array_equal(counted, np.bincount(np.frexp(tau)[1], minlength=64))
    assert engine.sum_delay + sum(s for _, s, _ in delays) == tau.sum()


def times(law):
    return dict(zip(("compute", "other", "server"), law.times((1, 2), 0, 60), strict=True))


def test_equal_workers_take_turns():
    """All delays are p - 1 once everybody has begun, and update k is done at 1 + (k // p)."""
    p, K = 5, 40
    obj = objectives.CosineQuadratic(3, sigma=0.0)
    law = speeds.deterministic()
    engine = Timed(
        obj._capsule, np.zeros(3), whole=True, M=1, p=p, K=K, key=(1, 2), max_delay=-1,
        factor=law.factor(p), pauses=law.pauses(p), full=True,
    )  # fmt: skip
    engine.advance(K, np.zeros(1), *law.times((1, 2), 0, 2 * K))
    k = np.arange(K)
    np.testing.assert_array_equal(engine.log["worker"], k % p)
    np.testing.assert_array_equal(engine.log["start"], np.maximum(0, k - p + 1))
    assert engine.now == K / p


def test_a_saturated_server_sets_the_pace():
    """Ten workers of one second each, served for half a second: two updates a second."""
    law = speeds.deterministic(1.0, server=0.5)
    done = [
        t
        for *_, t in recursion.schedule(
            10, 30, **times(law),
            factor=law.factor(10), pauses=law.pauses(10),
        )
    ]  # fmt: skip
    np.testing.assert_allclose(np.diff(done), 0.5, rtol=1e-12)


def test_a_paused_worker_sends_what_it_read_before():
    """Worker 0 stands still from 1.5 to 6: its update of second 2 arrives at 6.5."""
    law = speeds.straggler(1.5, 6.0)
    found = list(
        recursion.schedule(
            2, 20, **times(law),
            factor=law.factor(2), pauses=law.pauses(2),
        )
    )  # fmt: skip
    first, second = [(start, t) for w, start, _, t in found if w == 0][:2]
    assert first == (0, 1.0)
    assert second == (1, 6.5)


def test_refusals():
    obj = objectives.CosineQuadratic(3, sigma=0.0)
    options = {"whole": True, "M": 1, "p": 2, "K": 5, "key": (1, 2), "max_delay": -1}
    pauses = np.array([(np.inf,) * 3] * 2, dtype=PAUSE)
    with pytest.raises(ValueError, match="one a worker"):
        Timed(obj._capsule, np.zeros(3), factor=np.ones(3), pauses=pauses, **options)
    engine = Timed(obj._capsule, np.zeros(3), factor=np.ones(2), pauses=pauses, **options)
    with pytest.raises(ValueError, match="three times"):
        engine.advance(5, np.zeros(1), np.ones(9), np.ones(9), np.ones(8))
    with pytest.raises(ValueError, match="gamma"):
        engine.advance(5, np.zeros(2), np.ones(9), np.ones(9), np.ones(9))
    with pytest.raises(ValueError, match="shape"):
        engine.restore({})
