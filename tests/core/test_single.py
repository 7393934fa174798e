"""AsySG-con in single precision equals its specification to the last bit."""

from functools import partial

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import sparse

from asysg import _draws, objectives
from asysg._core import evaluate
from asysg._core.openmp import openmp_version
from asysg._core.single import Single
from asysg.errors import InvalidArgument
from asysg.simulate import recursion

THREADS = range(1, 5) if openmp_version() else [1]


def dense(rng, n):
    return objectives.SigmoidRegression(rng.normal(size=(7, n)), rng.uniform(size=7))


def regularised(rng, n):
    return objectives.NonconvexLogistic(rng.normal(size=(7, n)), rng.choice([-1.0, 1.0], 7), 0.3)


def weighted(rng, n):
    """Samples of unequal weight, and a last coordinate that is not penalised."""
    weights, y = rng.uniform(0, 2, size=7), rng.choice([-1.0, 1.0], 7)
    return objectives.NonconvexLogistic(rng.normal(size=(7, n)), y, 0.3, weights=weights, free=1)


def noisy(rng, n):
    return objectives.Quadratic(rng.uniform(0.1, 0.5, size=n), rng.normal(size=n), sigma=0.3)


def network(rng, n):
    """Two hidden layers under the softmax loss."""
    return objectives.Network(rng.normal(size=(5, n)), rng.integers(0, 3, 5), (4, n), 3)


def squares(rng, n):
    """No hidden layer at all, under the squared loss, whose curvature is 1 + the inputs' square."""
    inputs = rng.normal(size=(5, n)) / (2 * np.sqrt(n))
    return objectives.Network(inputs, rng.normal(size=(5, 2)), ())


FAMILIES = {f.__name__: f for f in (dense, regularised, weighted, noisy, network, squares)}
problems = st.fixed_dictionaries(
    {
        "family": st.sampled_from(sorted(FAMILIES)),
        "seed": st.integers(0, 2**32),
        "n": st.integers(1, 40),
        "K": st.integers(1, 150),
        "M": st.integers(1, 4),
        "cut": st.integers(0, 150),
        "constant": st.booleans(),
    }
)


class Problem:
    def __init__(self, family, seed, n, K, M, cut, constant):
        rng = np.random.default_rng(seed)
        self.obj = FAMILIES[family](rng, n)
        assert self.obj._kernel.single()
        self.x0 = rng.normal(size=self.obj.n)
        self.key, self.K, self.M, self.cut = _draws.key_from(rng), K, M, min(cut, K)
        self.gamma = np.full(K, 0.07) if constant else rng.uniform(0, 0.1, size=K)

    def oracle(self, delays, draws=None):
        draws = np.arange(self.K) if draws is None else draws
        samples = _draws.samples(self.key, draws, self.M, self.obj.n_samples)
        table = np.repeat(np.broadcast_to(delays, self.K)[:, np.newaxis], self.M, axis=1)
        minibatch = partial(self.obj.minibatch, dtype="float32")
        return list(recursion.con(minibatch, self.x0, self.gamma, table, samples, dtype=np.float32))

    def engine(self, **how):
        how = {"p": 1, "M": self.M, "key": self.key, **how}
        return Single(self.obj._capsule, self.x0, **how)

    def blocks(self, engine):
        for start, stop in ((0, self.cut), (self.cut, self.K)):
            if stop > start:
                engine.advance(stop, self.gamma[start:stop])
                assert engine.trouble is None
                yield engine


@given(problems)
@example(
    {
        "family": "network", "seed": 1, "n": 3, "K": 9, "M": 300, "cut": 4, "constant": False,
    }  # more samples than go through the layers together
)  # fmt: skip
def test_serial(drawn):
    """By the lone worker's descent, where there is one, and by the server."""
    problem = Problem(**drawn)
    expected = problem.oracle(0)
    assert expected[-1].dtype == np.float32
    for recording in (False, "sampled", "full", "full+reads"):
        engine, reads = problem.engine(recording=recording), []
        for _ in problem.blocks(engine):
            np.testing.assert_array_equal(engine.x, expected[engine.clock - 1])
            reads.append(engine.reads)
        assert engine.clock == problem.K
        assert engine.x.dtype == np.float64
        if recording == "full+reads":
            x = [problem.x0.astype(np.float32), *expected[:-1]]
            for m in range(problem.M):
                np.testing.assert_array_equal(np.concatenate(reads)[:, m], x)


@given(problems, st.sampled_from(list(THREADS)), st.integers(1, 5), st.sampled_from([-1, 0, 2]))
def test_threads_are_the_recursion_with_the_recorded_delays(drawn, p, segment, max_delay):
    problem, logs = Problem(**drawn), []
    engine = problem.engine(p=p, segment=segment, max_delay=max_delay, recording="full")
    for _ in problem.blocks(engine):
        logs.append(engine.log)
    log = np.concatenate(logs)
    delay = np.arange(problem.K) - log["start"]
    assert max_delay < 0 or delay.max() <= max_delay
    np.testing.assert_array_equal(engine.x, problem.oracle(delay, log["draw"])[-1])


@pytest.mark.parametrize("p", THREADS)
@pytest.mark.parametrize("K", [1, 2, 7, 64, 1000])
def test_every_update_is_made_once(p, K):
    obj = noisy(np.random.default_rng(0), 5)
    obj._kernel.single()
    engine = Single(obj._capsule, np.zeros(5), M=2, p=p, key=(1, 2))
    engine.advance(K, np.array([1e-3]))
    assert engine.clock == K == sum(engine.updates_by_worker) == engine.histogram.sum()
    assert engine.trouble is None


def test_a_steplength_is_rounded_once():
    """x = 1 - float32(gamma), and not the rounded difference of doubles."""
    obj = objectives.Quadratic(np.ones(1))
    obj._kernel.single()
    for gamma in (0.1, 1 / 3, 1e-7, 0.9999999):
        engine = Single(obj._capsule, np.ones(1), M=1, p=1, key=(1, 2))
        engine.advance(1, np.array([gamma]))
        assert engine.x[0] == np.float32(1) - np.float32(gamma)


@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize("M", [1, 3, 200])
def test_gradients_are_those_of_double_precision_up_to_rounding(family, M):
    """Sums of M terms of about 1, of a few hundred operations each: 1e-4 M is far off."""
    rng = np.random.default_rng(3)
    obj = FAMILIES[family](rng, 30)
    x = rng.normal(size=obj.n).astype(np.float32).astype(np.float64)
    samples = _draws.samples((1, 2), 5, M, obj.n_samples)
    found = obj.minibatch(x, samples, dtype="float32")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, obj.minibatch(x, samples), atol=1e-5 * M, rtol=0)
    out = np.ones(obj.n, dtype=np.float32)
    assert obj.minibatch(x, samples, out, dtype="float32") is out
    np.testing.assert_allclose(out - 1, found, atol=1e-5 * M, rtol=0)


def test_tanh():
    """One unit whose output is a gradient: f = (v tanh(u a + b) + c)^2 / 2 at v = 0, c = 1."""
    t = np.concatenate([np.linspace(-12, 12, 4001), 10.0 ** np.arange(-30, 31, 0.37), [0.0, -0.0]])
    obj = objectives.Network(np.ones((1, 1)), np.zeros((1, 1)), (1,))
    t = t.astype(np.float32)
    found = np.array([obj.minibatch([u, 0, 0, 1], [0], dtype="float32")[2] for u in t])
    exact = np.tanh(t.astype(np.float64))
    assert (np.abs(found - exact) <= 3 * np.spacing(np.abs(exact).astype(np.float32))).all()
    np.testing.assert_array_equal(found[np.abs(t) > 10], np.sign(t[np.abs(t) > 10]))
    assert np.isnan(obj.minibatch([np.nan, 0, 0, 1], [0], dtype="float32")[2])


def test_the_copy_of_the_data_is_counted():
    rng = np.random.default_rng(0)
    obj = dense(rng, 10)
    before = obj.nbytes
    obj.minibatch(np.zeros(10), [0], dtype="float32")
    obj.minibatch(np.zeros(10), [0], dtype="float32")
    assert obj.nbytes == before + 4 * 7 * 10


def test_who_has_none_is_refused():
    rng = np.random.default_rng(0)
    A = sparse.random(9, 5, density=0.4, format="csr", rng=rng)
    for obj in (
        objectives.SigmoidRegression(A, rng.uniform(size=9)),
        objectives.Quadratic(np.eye(3) + 0.1),
        objectives.SineChain(4),
        dense(rng, 4).exact,
    ):
        assert not obj._kernel.single()
        with pytest.raises(InvalidArgument, match="^dtype must be 'float64' for this objective"):
            obj.minibatch(np.zeros(obj.n), [0], dtype="float32")
        with pytest.raises(ValueError, match="single precision"):
            Single(obj._capsule, np.zeros(obj.n), M=1, p=1, key=(1, 2))
    with pytest.raises(InvalidArgument, match="^dtype must be one of 'float64', 'float32', got"):
        dense(rng, 4).minibatch(np.zeros(4), [0], dtype="float16")
    obj = objectives.SineRegression([[1e39]], [0.0])
    with pytest.raises(OverflowError, match="finite in single precision"):
        obj._kernel.single()
    good = dense(rng, 4)
    good._kernel.single()
    with pytest.raises(InvalidArgument, match="^out must have shape"):
        evaluate.minibatch32(good._capsule, np.zeros(4), [0], np.zeros(3, dtype=np.float32))


@pytest.mark.parametrize("p", THREADS)
def test_infinities_are_noticed(p):
    obj = objectives.Quadratic(np.ones(40))
    obj._kernel.single()
    engine = Single(obj._capsule, np.ones(40), M=1, p=p, key=(1, 2))
    engine.advance(10**6, np.array([1e30]))
    assert engine.trouble[0] == "diverged"
    assert engine.clock <= 64 * p
