"""Steplengths that adapt to the delay: to the last bit those of the theory, in every scheduler.

What each update should take comes from `theory.baselines.delay_adaptive_steps`, and the oracle runs
with that schedule. A kernel whose late gradients take steps 8 times too long does not agree.
"""

import itertools
import math
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from asysg import _draws, objectives, steplengths, theory
from asysg._core.ahead import Ahead, sparse
from asysg._core.callback import Callback
from asysg._core.openmp import openmp_version
from asysg._core.recursion import Recursion
from asysg._core.threads import Threads
from asysg._core.timed import Timed
from asysg._draws import key_from
from asysg.simulate import recursion, speeds

#: Steps from a delay of 3 on are shortened, for M = 1.
GAMMA, L = 0.07, 3.0

problems = st.fixed_dictionaries(
    {
        "family": st.sampled_from(["dense", "csr", "noisy"]),
        "seed": st.integers(0, 2**32),
        "n": st.integers(1, 6),
        "K": st.integers(1, 40),
        "M": st.integers(1, 3),
        "T": st.integers(0, 20),
        "cut": st.integers(0, 40),
        "whole": st.booleans(),
    }
)


class Problem:
    def __init__(self, family, seed, n, K, M, T, cut, whole):
        rng = np.random.default_rng(seed)
        if family == "noisy":
            H = rng.normal(size=(n, n))
            self.obj = objectives.Quadratic(H + H.T, sigma=0.3)
        else:
            A = rng.normal(size=(7, n))
            A = A if family == "dense" else csr_array(A * (A > 0))
            self.obj = objectives.SigmoidRegression(A, rng.uniform(size=7))
        self.x0, self.key = rng.normal(size=n), key_from(rng)
        self.n, self.K, self.M, self.T, self.whole = n, K, M, T, whole
        self.cut = min(cut, K)
        self.slope = steplengths.Steps(GAMMA, L=L).slope(M)
        self.table = rng.integers(0, T, size=(K, M), endpoint=True)

    def steps(self, table=None, *, longer=1):
        """What each update takes, of the largest of its delays; `longer` times where late."""
        table = self.table if table is None else table
        tau = np.minimum(table, np.arange(len(table))[:, np.newaxis]).max(axis=1)
        return theory.baselines.delay_adaptive_steps(
            GAMMA, theory.ProblemConstants(gap=1.0, sigma=1.0, L=L / longer), tau, M=self.M
        )

    def oracle(self, gamma, table=None, draws=None):
        draws = np.arange(self.K) if draws is None else draws
        table = self.table if table is None else table
        samples = _draws.samples(self.key, draws, self.M, self.obj.n_samples)
        if self.whole:
            *_, x = recursion.con(self.obj.minibatch, self.x0, gamma, table, samples)
        else:
            i = _draws.coordinates(self.key, draws, self.n)
            *_, x = recursion.incon(self.obj.partial, self.x0, gamma, table, samples, i)
        return x


def assert_sums(engine, steps):
    """To the rounding of one addition an update."""
    found = engine.sums
    assert found[0] == pytest.approx(math.fsum(steps), rel=1e-13)
    assert found[1] == pytest.approx(math.fsum(steps**2), rel=1e-13)


@given(problems)
def test_given_delays(drawn):
    p = Problem(**drawn)
    steps = p.steps()
    expected = p.oracle(steps)
    # Whole updates of a dense objective have no kernel without a history.
    kernels = [Recursion] if p.whole and not sparse(p.obj._capsule) else [Recursion, Ahead]
    for kernel in kernels:
        how = {"K": p.K} if kernel is Ahead else {}
        engine = kernel(
            p.obj._capsule, p.x0, whole=p.whole, M=p.M, T=p.T, key=p.key, slope=p.slope, **how
        )
        if kernel is Ahead:
            engine.file(p.table)
        for start, stop in ((0, p.cut), (p.cut, p.K)):
            more = () if kernel is Ahead else (p.table[start:stop],)
            engine.advance(stop, np.array([GAMMA]), *more)
        np.testing.assert_array_equal(engine.x, expected)
        assert_sums(engine, steps)


@given(problems, st.integers(1, 12), st.sampled_from([None, 2]))
def test_virtual_workers(drawn, workers, max_delay):
    p = Problem(**drawn)
    law = speeds.two_classes(9.0, 0.5, speeds.exponential())
    engine = Timed(
        p.obj._capsule, p.x0, whole=p.whole, M=p.M, p=workers, K=p.K, key=p.key,
        max_delay=-1 if max_delay is None else max_delay, factor=law.factor(workers),
        pauses=law.pauses(workers), full=True, slope=p.slope,
    )  # fmt: skip
    engine.advance(p.K, np.array([GAMMA]), *law.times((1, 2), 0, 60 * p.K + 60))
    assert engine.clock == p.K
    tau = np.arange(p.K) - engine.log["start"]
    table = np.repeat(tau[:, np.newaxis], p.M, axis=1)
    steps = p.steps(table)
    np.testing.assert_array_equal(engine.x, p.oracle(steps, table, engine.log["draw"]))
    assert_sums(engine, steps)


@given(problems)
def test_a_lone_thread(drawn):
    """Nothing is late, and nothing is shortened: neither by the plain loops nor by descent."""
    p = Problem(**drawn)
    none = np.zeros_like(p.table)
    steps = np.full(p.K, GAMMA)
    expected = p.oracle(steps, none)
    for method, recording in itertools.product(
        ["asysg-con", "hogwild"] if p.whole else ["asysg-incon"], ["sampled", "full", "full+reads"]
    ):
        engine = Threads(
            p.obj._capsule, p.x0, method=method, M=p.M, p=1, key=p.key, max_delay=-1,
            recording=recording, slope=p.slope,
        )  # fmt: skip
        for stop in (p.cut, p.K):
            engine.advance(stop, np.array([GAMMA]))
        np.testing.assert_array_equal(engine.x, expected)
        assert_sums(engine, steps)


def late_threads(method, K, n):
    """Run two threads whose gradients are computed at the same time: of two, one comes late."""
    both = threading.Barrier(2, timeout=60)

    def gradient(x, samples):
        both.wait()
        return x - samples.sum()

    kernel = Callback(n, 5, lambda x, samples: 0.0, gradient)
    engine = Threads(
        kernel.capsule, np.ones(n), method=method, M=1, p=2, key=(5, 7), max_delay=-1,
        recording="full+reads", slope=steplengths.Steps(GAMMA, L=LATE).slope(1),
    )  # fmt: skip
    engine.advance(K, np.array([GAMMA]))
    assert (engine.team, engine.clock, engine.trouble) == (2, K, None)
    return engine


#: So large that a delay of 1 shortens the step.
LATE = 10.0


if openmp_version():

    @pytest.mark.parametrize("method", ["asysg-con", "hogwild", "asysg-incon"])
    def test_threads_that_are_late(method):
        """Under every schedule half the gradients are, and the record says by how much."""
        K, n = 40, 3
        engine = late_threads(method, K, n)
        log, tau = engine.log, np.arange(K) - engine.log["start"]
        assert np.count_nonzero(tau) >= K // 2 - 1
        samples = _draws.samples((5, 7), log["draw"], 1, 5)[:, 0].astype(float)
        gradients = engine.reads[:, 0] - samples[:, np.newaxis]

        def agrees(longer):
            c = theory.ProblemConstants(gap=1.0, sigma=1.0, L=LATE / longer)
            steps = theory.baselines.delay_adaptive_steps(GAMMA, c, tau)
            if method == "asysg-incon":
                moved = -(steps * gradients[np.arange(K), log["coordinate"]])
                return bool((moved == log["increment"]).all())
            x = np.ones(n) - (steps[:, np.newaxis] * gradients).sum(axis=0)
            return np.allclose(x, engine.x, rtol=1e-12, atol=1e-12)

        assert agrees(1)
        assert not agrees(8)
        c = theory.ProblemConstants(gap=1.0, sigma=1.0, L=LATE)
        assert_sums(engine, theory.baselines.delay_adaptive_steps(GAMMA, c, tau))


@pytest.mark.parametrize("whole", [True, False])
def test_steps_8_times_too_long_are_found(whole):
    """Power: late gradients whose L is 8 times too small do not lead to the oracle's x."""
    p = Problem("noisy", seed=3, n=4, K=30, M=2, T=9, cut=0, whole=whole)
    steps, wrong = p.steps(), p.steps(longer=8)
    assert (steps < wrong).any()
    engine = Recursion(
        p.obj._capsule, p.x0, whole=whole, M=p.M, T=p.T, key=p.key, slope=p.slope / 8
    )
    engine.advance(p.K, np.array([GAMMA]), p.table)
    assert (engine.x != p.oracle(steps)).all()
    np.testing.assert_array_equal(engine.x, p.oracle(wrong))


@pytest.mark.parametrize("how", [{"recording": False}, {"sync_every": 4}])
def test_threads_need_the_delay_beforehand(how):
    obj = objectives.CosineQuadratic(3)
    arguments = {
        "method": "asysg-incon", "M": 1, "p": 1, "key": (1, 2), "max_delay": -1,
        "recording": "sampled", **how,
    }  # fmt: skip
    with pytest.raises(ValueError, match="slope"):
        Threads(obj._capsule, np.zeros(3), slope=1.0, **arguments)
