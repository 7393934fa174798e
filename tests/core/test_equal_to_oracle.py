"""Serial kernels and compiled recursions equal the NumPy oracle to the last bit."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse as scipy_sparse

from asysg import _draws, objectives
from asysg._core.ahead import Ahead, sparse
from asysg._core.proximal import Proximal
from asysg._core.recursion import Recursion
from asysg._core.threads import Threads
from asysg.prox import Prox
from asysg.simulate import delays, recursion


def dense(rng, n):
    return objectives.SigmoidRegression(rng.normal(size=(7, n)), rng.uniform(size=7))


def csr(rng, n):
    A = scipy_sparse.random(9, n, density=0.4, format="csr", rng=rng)
    A.indices, A.indptr = A.indices.astype(np.int64), A.indptr.astype(np.int64)
    return objectives.SigmoidRegression(A, rng.uniform(size=9))


def regularised(rng, n):
    return objectives.NonconvexLogistic(rng.normal(size=(7, n)), rng.choice([-1.0, 1.0], 7), 0.3)


def noisy(rng, n):
    H = rng.normal(size=(n, n))
    return objectives.Quadratic(H + H.T, sigma=0.3)


def network(rng, n):
    """Whose minibatches are not summed gradient by gradient."""
    return objectives.Network(rng.normal(size=(5, 2)), rng.integers(0, 3, 5), (n,), 3)


FAMILIES = {"dense": dense, "csr": csr, "noisy quadratic": noisy, "network": network}
# Two additions to one partial derivative, of the sample and of the regulariser.
ALL = {**FAMILIES, "regularised": regularised}

problems = st.fixed_dictionaries(
    {
        "family": st.sampled_from(sorted(FAMILIES)),
        "seed": st.integers(0, 2**32),
        "n": st.integers(1, 6),
        "K": st.integers(1, 40),
        "M": st.integers(1, 3),
        "T": st.integers(0, 6),
        "cut": st.integers(0, 40),
        "whole": st.booleans(),
        "constant": st.booleans(),
        "sync_every": st.integers(1, 50),
        "prox": st.sampled_from([None, "elastic", "box"]),
    }
)


class Problem:
    def __init__(self, family, seed, n, K, M, T, cut, whole, constant, sync_every, prox):
        rng = np.random.default_rng(seed)
        self.obj = ALL[family](rng, n)
        n = self.obj.n
        self.x0 = rng.normal(size=n)
        self.key = _draws.key_from(rng)
        self.n, self.K, self.M, self.T, self.whole = n, K, M, T, whole
        self.sync_every = sync_every
        self.cut = min(cut, K)
        self.gamma = np.full(K, 0.07) if constant else rng.uniform(0, 0.1, size=K)
        self.steps = self.gamma[:1] if constant else self.gamma
        self.prox = self.term = None
        if prox is not None:
            lower, upper = np.sort(rng.normal(size=(2, n)), axis=0)
            self.prox = Prox(0.3, 0.2) if prox == "elastic" else Prox(0.1, 0.0, lower, upper)
            self.term = Proximal(self.prox.l1, self.prox.l2, *self.prox.bounds(n))
            self.x0 = self.prox.proximal(self.x0, 0.0)

    def block(self, start, stop):
        return self.steps if len(self.steps) == 1 and self.K > 1 else self.gamma[start:stop]

    def oracle(self, table, seen=None):
        samples = _draws.samples(self.key, np.arange(self.K), self.M, self.obj.n_samples)
        prox = self.prox and self.prox.proximal
        common = self.x0, self.gamma, table, samples
        if self.whole:
            return list(recursion.con(self.obj.minibatch, *common, prox=prox))
        i = _draws.coordinates(self.key, np.arange(self.K), self.n)
        return list(recursion.incon(self.obj.partial, *common, i, seen, prox=prox))


@given(problems)
def test_serial_threads(drawn):
    p = Problem(**drawn)
    expected = p.oracle(np.zeros((p.K, p.M), dtype=np.int64))
    methods = ["asysg-con", "hogwild"] if p.whole else ["asysg-incon"]
    levels = [False, "sampled", "full", "full+reads"]
    for method, recording in itertools.product(methods, levels):
        engine = Threads(
            p.obj._capsule,
            p.x0,
            method=method,
            M=p.M,
            p=1,
            key=p.key,
            max_delay=-1,
            recording=recording,
            prox=p.term,
        )
        for start, stop in ((0, p.cut), (p.cut, p.K)):
            engine.advance(stop, p.block(start, stop))
            if stop:
                np.testing.assert_array_equal(engine.x, expected[stop - 1])
        assert engine.clock == p.K


@given(problems)
def test_serial_replica(drawn):
    """A lone worker's replica is the iterate, however often it is merged, and is never stale."""
    p = Problem(**{**drawn, "constant": True, "prox": None})
    expected = p.oracle(np.zeros((p.K, p.M), dtype=np.int64))
    for recording in (False, "sampled", "full", "full+reads"):
        engine = Threads(
            p.obj._capsule,
            p.x0,
            method="hogwild" if p.whole else "asysg-incon",
            M=p.M,
            p=1,
            key=p.key,
            max_delay=0 if recording else -1,
            recording=recording,
            sync_every=p.sync_every,
        )
        for _, stop in ((0, p.cut), (p.cut, p.K)):
            engine.advance(stop, p.gamma[:1])
            if stop:
                np.testing.assert_array_equal(engine.x, expected[stop - 1])
        assert engine.clock == p.K
        assert engine.max_delay == engine.recomputed == 0


@given(problems)
def test_given_delays(drawn):
    p = Problem(**drawn)
    schedule = delays.uniform(p.T)
    table = schedule.table((1, 2), 0, p.K, p.M)
    expected = p.oracle(table)
    common = {"whole": p.whole, "M": p.M, "T": p.T, "key": p.key, "prox": p.term}
    engine = Recursion(p.obj._capsule, p.x0, **common)
    for start, stop in ((0, p.cut), (p.cut, p.K)):
        engine.advance(stop, p.block(start, stop), table[start:stop])
        pending = engine.pending()
        engine = Recursion(p.obj._capsule, engine.x, **common, clock=stop)
        engine.restore(pending)
        if stop:
            np.testing.assert_array_equal(engine.x, expected[stop - 1])


@given(problems, st.sampled_from(sorted(ALL)), st.sampled_from([0.0, 1.0, 2.5]), st.data())
def test_given_delays_without_a_history(drawn, family, exponent, data):
    """Evaluated at the iterate that is read, filed in blocks of any size, resumed anywhere."""
    p = Problem(**{**drawn, "family": family})
    if p.whole and not sparse(p.obj._capsule):
        p.whole = False
    schedule = delays.heavy_tail(p.T, exponent)
    table = schedule.table((1, 2), 0, p.K, p.M)
    expected = p.oracle(table)

    def make(x, clock):
        return Ahead(
            p.obj._capsule, x, whole=p.whole, M=p.M, T=p.T, K=p.K, key=p.key, clock=clock,
            prox=p.term,
        )  # fmt: skip

    engine = make(p.x0, 0)
    while engine.clock < p.K:
        start = engine.clock
        stop = data.draw(st.integers(start + 1, p.K))
        needed = min(p.K, stop + p.T)
        if engine.filed < needed:
            last = data.draw(st.integers(needed, min(p.K, needed + 2)))
            engine.file(table[engine.filed : last])
        engine.advance(stop, p.block(start, stop))
        np.testing.assert_array_equal(engine.x, expected[stop - 1])
        if data.draw(st.booleans()):
            pending, engine = engine.pending(), make(engine.x, engine.clock)
            engine.restore(pending)
    assert engine.trouble is None


@pytest.mark.parametrize("whole", [False, True])
def test_engines_refuse_what_does_not_fit(whole):
    obj = csr(np.random.default_rng(0), 4)
    engine = Ahead(obj._capsule, np.zeros(4), whole=whole, M=2, T=3, K=9, key=(1, 2))
    with pytest.raises(ValueError, match="filed before"):
        engine.advance(1, np.array([0.1]))
    with pytest.raises(ValueError, match="lie in 0..3"):
        engine.file(np.full((2, 2), 4))
    with pytest.raises(ValueError, match="one row an update"):
        engine.file(np.zeros((10, 2), dtype=np.int64))
    with pytest.raises(ValueError, match="shape"):
        engine.restore({})
    other = Recursion(obj._capsule, np.zeros(4), whole=whole, M=2, T=3, key=(1, 2))
    with pytest.raises(ValueError, match="shape"):
        other.restore(engine.pending())


@given(problems, st.floats(0, 1))
def test_given_read_sets(drawn, probability):
    p = Problem(**{**drawn, "whole": False})
    schedule = delays.subsets(p.T, probability)
    table, seen = (f((1, 2), 0, p.K, p.M) for f in (schedule.table, schedule.seen))
    expected = p.oracle(table, seen)
    engine = Recursion(p.obj._capsule, p.x0, whole=False, M=p.M, T=p.T, key=p.key, prox=p.term)
    for start, stop in ((0, p.cut), (p.cut, p.K)):
        engine.advance(stop, p.block(start, stop), table[start:stop], seen[start:stop])
        if stop:
            np.testing.assert_array_equal(engine.x, expected[stop - 1])


@pytest.mark.parametrize("whole", [True, False])
def test_oracle_by_hand(whole):
    """f = x^2 / 2 in one variable, no noise, delay 1, gamma 1/2: x = 4, 2, 0, -1, -1."""
    obj = objectives.Quadratic(np.eye(1), sigma=0.0)
    table, samples = np.ones((4, 1), dtype=np.int64), np.zeros((4, 1), dtype=np.uint64)
    gamma, x0 = np.full(4, 0.5), np.array([4.0])
    if whole:
        found = recursion.con(obj.minibatch, x0, gamma, table, samples)
    else:
        found = recursion.incon(obj.partial, x0, gamma, table, samples, np.zeros(4, dtype=np.int64))
    assert [float(x[0]) for x in found] == [2.0, 0.0, -1.0, -1.0]
