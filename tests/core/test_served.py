"""The methods of other systems equal their specification to the last bit: threads and virtual."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from asysg import _draws, objectives
from asysg._core.callback import Callback
from asysg._core.openmp import openmp_version
from asysg._core.served import Served
from asysg._core.timed import PAUSE, Timed
from asysg._core.turns import Turns
from asysg.simulate import recursion, speeds

MOST = 4 if openmp_version() else 1


def dense(rng, n):
    return objectives.SigmoidRegression(rng.normal(size=(7, n)), rng.uniform(size=7))


def csr(rng, n):
    A = sparse.random(9, n, density=0.4, format="csr", rng=rng)
    return objectives.SigmoidRegression(A, rng.uniform(size=9))


def noisy(rng, n):
    H = rng.normal(size=(n, n))
    return objectives.Quadratic(H + H.T, sigma=0.3)


def network(rng, n):
    """Whose minibatches are not summed gradient by gradient."""
    return objectives.Network(rng.normal(size=(5, 2)), rng.integers(0, 3, 5), (n,), 3)


FAMILIES = {"dense": dense, "csr": csr, "noisy": noisy, "network": network}
problems = st.fixed_dictionaries(
    {
        "family": st.sampled_from(sorted(FAMILIES)),
        "seed": st.integers(0, 2**32),
        "n": st.integers(1, 40),
        "K": st.integers(1, 60),
        "M": st.integers(1, 6),
        "cuts": st.lists(st.integers(0, 60), max_size=3),
        "constant": st.booleans(),
    }
)


class Problem:
    def __init__(self, family, seed, n, K, M, cuts, constant):
        rng = np.random.default_rng(seed)
        self.obj = FAMILIES[family](rng, n)
        self.x0 = rng.normal(size=self.obj.n)
        self.key, self.K, self.M = _draws.key_from(rng), K, M
        self.stops = sorted({*(min(cut, K) for cut in cuts), K})
        self.gamma = np.full(K, 0.07) if constant else rng.uniform(0, 0.1, size=K)
        self.given = {"M": M, "key": self.key}

    def samples(self, draws=None):
        draws = np.arange(self.K) if draws is None else draws
        return _draws.samples(self.key, draws, self.M, self.obj.n_samples)

    def sync(self, parts):
        return recursion.sync(self.obj.minibatch, self.x0, self.gamma, self.samples(), parts)

    def delayed(self, delay):
        table = np.full((self.K, self.M), delay)
        return recursion.con(self.obj.minibatch, self.x0, self.gamma, table, self.samples())

    def downpour(self, log, n_push):
        return recursion.downpour(
            self.obj.minibatch, self.x0, self.gamma[0], log["worker"], log["start"],
            self.samples(log["draw"]), n_push,
        )  # fmt: skip

    def threads(self, p, **how):
        """Run region by region, each on an engine of its own, and yield x and the log so far."""
        engine, logs = Served(self.obj._capsule, self.x0, p=p, **self.given, **how), []
        for stop in self.stops:
            start = engine.clock
            engine.advance(stop, self.gamma if len(self.gamma) == 1 else self.gamma[start:stop])
            if stop > start and how.get("recording") == "full":
                logs.append(engine.log)
            assert engine.clock == stop
            assert engine.trouble is None
            yield engine.x, np.concatenate(logs) if logs else None
            pending, x = engine.pending(), engine.x
            engine = Served(self.obj._capsule, x, p=p, clock=stop, **self.given, **how)
            engine.restore(pending)


@given(problems, st.integers(1, MOST), st.sampled_from([False, "sampled", "full"]))
def test_sync(drawn, p, recording):
    problem = Problem(**drawn)
    parts = min(p, problem.M)
    expected = [problem.x0, *problem.sync(parts)]
    for stop, (x, log) in zip(
        problem.stops, problem.threads(p, method="sync", recording=recording), strict=True
    ):
        np.testing.assert_array_equal(x, expected[stop])
        if log is not None:
            np.testing.assert_array_equal(log["worker"], parts - 1)
            np.testing.assert_array_equal(log["start"], np.arange(stop))


@given(problems, st.integers(1, MOST), st.integers(0, 9), st.sampled_from([False, "full"]))
def test_delayed(drawn, p, delay, recording):
    """The same bits for every number of threads."""
    problem = Problem(**drawn)
    expected = [problem.x0, *problem.delayed(delay)]
    how = {"method": "delayed", "delay": delay, "recording": recording}
    for stop, (x, log) in zip(problem.stops, problem.threads(p, **how), strict=True):
        np.testing.assert_array_equal(x, expected[stop])
        if log is not None:
            np.testing.assert_array_equal(log["draw"], np.arange(stop))
            np.testing.assert_array_equal(log["worker"], np.arange(stop) % p)
            np.testing.assert_array_equal(log["start"], np.maximum(0, np.arange(stop) - delay))


@given(problems, st.integers(1, 4), st.integers(1, 4), st.sampled_from([-1, 0, 2]))
def test_downpour_alone(drawn, n_push, pushes, max_delay):
    """One thread fetches after `pushes` updates, or when `max_delay` asks for it."""
    problem = Problem(**{**drawn, "constant": True, "M": n_push * (1 + drawn["M"] % 2)})
    problem.gamma = problem.gamma[:1]
    between = pushes if max_delay < 0 else min(pushes, max_delay + 1)
    how = {"method": "downpour", "n_push": n_push, "n_fetch": n_push * pushes}
    (*_, (x, log)) = problem.threads(1, max_delay=max_delay, recording="full", **how)
    k = np.arange(problem.K)
    if (n_push, pushes) != (1, 1):
        np.testing.assert_array_equal(log["start"], k - k % between)
    np.testing.assert_array_equal(log["draw"], k)
    *_, last = problem.downpour(log, n_push)
    np.testing.assert_array_equal(x, last)


@given(problems, st.integers(2, max(2, MOST)), st.integers(1, 3), st.integers(1, 4))
def test_downpour_from_its_log(drawn, p, n_push, pushes):
    """With several threads the log says who stepped from where, and nothing else is needed."""
    problem = Problem(**{**drawn, "constant": True, "M": n_push * (1 + drawn["M"] % 2)})
    problem.gamma = problem.gamma[:1]
    how = {"method": "downpour", "n_push": n_push, "n_fetch": n_push * pushes}
    for max_delay in (-1, 0, 3):
        (*_, (x, log)) = problem.threads(
            min(p, MOST), max_delay=max_delay, recording="full", segment=5, **how
        )
        *_, last = problem.downpour(log, n_push)
        np.testing.assert_array_equal(x, last)
        delay = np.arange(problem.K) - log["start"]
        assert delay.min() >= 0
        assert max_delay < 0 or delay.max() <= max_delay
        np.testing.assert_array_equal(np.sort(log["draw"]), np.arange(problem.K))


TEAM = """
import numpy as np
from asysg import _draws, objectives
from asysg._core.served import Served
obj = objectives.Quadratic(np.eye(50) + 0.1, sigma=0.5)
for method, more in (("sync", {}), ("delayed", {"delay": 5}), ("downpour", {"n_fetch": 3})):
    engine = Served(
        obj._capsule, np.ones(50), method=method, M=5, p=4, key=_draws.key_from(1), **more
    )
    for until in (13, 60):
        engine.advance(until, np.array([0.01]))
    x = [] if method == "downpour" else [float(v).hex() for v in engine.x]
    print(engine.clock, engine.team, *x)
"""


@pytest.mark.skipif(not openmp_version(), reason="this build has one thread")
def test_fewer_threads_than_were_asked_for():
    """Workers that run one after the other must not wait for one another."""

    def said(limit):
        environment = os.environ | {"OMP_THREAD_LIMIT": limit, "OMP_DYNAMIC": "false"}
        done = subprocess.run(
            [sys.executable, "-c", TEAM], env=environment, capture_output=True, text=True,
            check=True, timeout=600,
        )  # fmt: skip
        return [line.split() for line in done.stdout.splitlines()]

    whole = said("4")
    for limit in ("1", "2", "3"):
        found = said(limit)
        assert [clock for clock, *_ in found] == ["60"] * 3
        assert {team for _, team, *_ in found} == {limit}
        assert [x for _, _, *x in found] == [x for _, _, *x in whole]


def falling(M):
    """Return a kernel whose gradient is 1 / M until x has come down to -10, where it fails."""

    def gradient(x, samples):
        if x[0] <= -10.0:
            raise ValueError("too deep")
        return np.full(1, len(samples) / M)

    return Callback(1, 8, lambda x, samples: 0.0, gradient)


@pytest.mark.parametrize("p", range(1, MOST + 1))
@pytest.mark.parametrize("delay", [0, 1, 4])
def test_a_failure_of_delayed_is_said_in_its_turn(p, delay):
    """Every update before it is made and none after it, on every schedule."""
    kernel = falling(2)
    engine = Served(
        kernel.capsule, np.zeros(1), method="delayed", delay=delay, M=2, p=p, key=(1, 2)
    )
    engine.advance(100, np.array([0.5]))
    # Iterate 20 is at -10; update 20 + delay reads it.
    assert engine.trouble == ("failed", (20 + delay) % p, 20 + delay)
    assert engine.clock == 20 + delay
    assert engine.x[0] == -0.5 * (20 + delay)


@pytest.mark.parametrize("p", range(1, MOST + 1))
def test_a_failure_of_sync_leaves_no_update_half_made(p):
    kernel = falling(4)
    engine = Served(kernel.capsule, np.zeros(1), method="sync", M=4, p=p, key=(1, 2))
    engine.advance(100, np.array([0.5]))
    status, _, k = engine.trouble
    assert (status, k, engine.clock, engine.x[0]) == ("failed", 20, 20, -10.0)


@pytest.mark.parametrize("p", range(1, MOST + 1))
@pytest.mark.parametrize("method", ["sync", "delayed", "downpour"])
def test_infinities_are_noticed(p, method):
    """Looked for at every 64th update."""
    obj = objectives.Quadratic(np.eye(40), sigma=0.0)
    engine = Served(
        obj._capsule, np.ones(40), method=method, M=4, p=p, key=(1, 2), delay=2, n_fetch=2
    )
    engine.advance(10**6, np.array([1e100]))
    assert engine.trouble[0] == "diverged"
    assert engine.clock <= 64 * p
    assert engine.trouble[2] <= engine.clock


def test_what_does_not_fit_is_refused():
    obj = noisy(np.random.default_rng(0), 3)
    given = {"M": 2, "p": 2 if MOST > 1 else 1, "key": (1, 2)}
    engine = Served(obj._capsule, np.ones(3), method="delayed", delay=2, **given)
    for pending in ({}, {"iterates": np.zeros((3, 2))}):
        with pytest.raises(ValueError, match="shape"):
            engine.restore(pending)
    engine = Served(obj._capsule, np.ones(3), method="downpour", n_fetch=2, **given)
    with pytest.raises(ValueError, match="one entry"):
        engine.advance(2, np.zeros(2))


def test_downpour_goes_on_with_other_workers():
    """Replicas of workers that are no more are left, new workers begin with a fetch."""
    if MOST == 1:
        return
    obj = noisy(np.random.default_rng(0), 5)
    given = {"M": 2, "key": (1, 2), "method": "downpour", "n_fetch": 4, "recording": "full"}
    x, clock, logs, pending = np.ones(5), 0, [], {}
    for p in (2, 4, 1, 3):
        engine = Served(obj._capsule, x, p=p, clock=clock, **given)
        if pending:
            engine.restore(pending)
        engine.advance(clock + 37, np.array([0.01]))
        logs.append(engine.log)
        pending, x, clock = engine.pending(), engine.x, engine.clock
    log = np.concatenate(logs)
    samples = _draws.samples((1, 2), log["draw"], 2, None)
    *_, last = recursion.downpour(
        obj.minibatch, np.ones(5), 0.01, log["worker"], log["start"], samples, 1
    )
    np.testing.assert_array_equal(x, last)


SPEEDS = {
    "ties": speeds.deterministic(),
    "server": speeds.deterministic(1.0, read=0.25, send=0.5, server=0.5),
    "queue": speeds.exponential(1.0, server=speeds.Law.exponential(0.3)),
    "classes": speeds.two_classes(3.0, 0.5, speeds.pareto(1.2)),
    "pauses": speeds.straggler(0.0, 2.0, period=2.25, base=speeds.exponential(0.7)),
}


class Virtual:
    """Virtual workers of a problem, run in blocks and resumed between them."""

    def __init__(self, problem, law, p, data):
        self.problem, self.law, self.p, self.data = problem, law, p, data
        self.workers = {"factor": law.factor(p), "pauses": law.pauses(p)}
        most = 60 * problem.K * p + p + 60  # cycles, with those that come too late
        self.times = dict(
            zip(("compute", "other", "server"), law.times((3, 4), 0, most), strict=True)
        )

    def run(self, make, expected):
        """Hold an engine against the events it should have; return the final x and the log."""
        problem, logs = self.problem, []
        engine = make(problem.x0, 0)
        while engine.clock < problem.K:
            start = engine.clock
            stop = self.data.draw(st.integers(start + 1, problem.K))
            more = self.data.draw(st.integers(1, 9)) * getattr(engine, "parts", 1)
            here = slice(engine.cycles, engine.cycles + more)
            gamma = problem.gamma if len(problem.gamma) == 1 else problem.gamma[start:]
            engine.advance(stop, gamma, *(times[here] for times in self.times.values()))
            logs.append(engine.log)
            assert engine.now == (expected[engine.clock - 1][3] if engine.clock else 0.0)
            if self.data.draw(st.booleans()):
                pending, engine = engine.pending(), make(engine.x, engine.clock)
                engine.restore(pending)
        log = np.concatenate(logs)
        assert [tuple(row)[:3] for row in log] == [event[:3] for event in expected]
        return engine.x, log


laws = st.sampled_from(sorted(SPEEDS))


@given(problems, laws, st.integers(1, 9), st.data())
def test_virtual_sync(drawn, law, p, data):
    problem = Problem(**drawn)
    parts = min(p, problem.M)
    virtual = Virtual(problem, SPEEDS[law], p, data)
    expected = list(recursion.rounds(parts, problem.K, **virtual.times, **virtual.workers))

    def make(x, clock):
        return Turns(
            problem.obj._capsule, x, groups=1, parts=parts, delay=0, full=True, clock=clock,
            **problem.given, **virtual.workers,
        )  # fmt: skip

    x, _ = virtual.run(make, expected)
    *_, last = problem.sync(parts)
    np.testing.assert_array_equal(x, last)


@given(problems, laws, st.integers(1, 9), st.integers(0, 12), st.data())
def test_virtual_delayed(drawn, law, p, delay, data):
    problem = Problem(**drawn)
    virtual = Virtual(problem, SPEEDS[law], p, data)
    expected = list(recursion.turns(p, problem.K, delay, **virtual.times, **virtual.workers))

    def make(x, clock):
        return Turns(
            problem.obj._capsule, x, groups=p, parts=1, delay=delay, full=True, clock=clock,
            **problem.given, **virtual.workers,
        )  # fmt: skip

    x, _ = virtual.run(make, expected)
    *_, last = problem.delayed(delay)
    np.testing.assert_array_equal(x, last)


@given(
    problems, laws, st.integers(1, 9), st.integers(1, 3), st.integers(1, 4),
    st.sampled_from([None, 0, 2, 30]), st.data(),
)  # fmt: skip
def test_virtual_downpour(drawn, law, p, n_push, pushes, max_delay, data):
    problem = Problem(**{**drawn, "constant": True, "M": n_push * (1 + drawn["M"] % 2)})
    problem.gamma = problem.gamma[:1]
    virtual = Virtual(problem, SPEEDS[law], p, data)
    expected = list(
        recursion.schedule(
            p, problem.K, **virtual.times, **virtual.workers, max_delay=max_delay, pushes=pushes
        )
    )

    def make(x, clock):
        return Timed(
            problem.obj._capsule, x, whole=True, p=p, K=problem.K, full=True, clock=clock,
            max_delay=-1 if max_delay is None else max_delay, n_push=n_push,
            n_fetch=n_push * pushes, **problem.given, **virtual.workers,
        )  # fmt: skip

    x, log = virtual.run(make, expected)
    delay = np.arange(problem.K) - log["start"]
    assert max_delay is None or delay.max() <= max_delay
    *_, last = problem.downpour(log, n_push)
    np.testing.assert_array_equal(x, last)


def test_virtual_workers_by_hand():
    """Two workers, one second a gradient, half a second a message."""
    law = speeds.deterministic(1.0, server=0.5)
    given = {
        **dict(zip(("compute", "other", "server"), law.times((1, 2), 0, 20), strict=True)),
        "factor": law.factor(2),
        "pauses": law.pauses(2),
    }
    # A round: a second of computing, twice half a second of the server.
    assert [t for *_, t in recursion.rounds(2, 3, **given)] == [2.0, 4.0, 6.0]
    # Delay 1: both compute at once, and are served one after the other.
    assert [t for *_, t in recursion.turns(2, 4, 1, **given)] == [1.5, 2.0, 3.0, 3.5]
    # Delay 0: one after the other.
    assert [t for *_, t in recursion.turns(2, 3, 0, **given)] == [1.5, 3.0, 4.5]
    # One of two pushes from a replica: 0 reads 0, goes on from it, and fetches after its second.
    found = [(w, s) for w, s, *_ in recursion.schedule(2, 6, **given, pushes=2)]
    assert found == [(0, 0), (1, 0), (0, 0), (1, 0), (0, 3), (1, 4)]


def test_turns_refuse_what_does_not_fit():
    obj = noisy(np.random.default_rng(0), 3)
    pauses = np.array([(np.inf,) * 3] * 2, dtype=PAUSE)
    given = {"M": 2, "key": (1, 2), "factor": np.ones(2), "pauses": pauses}
    with pytest.raises(ValueError, match="one a worker"):
        Turns(obj._capsule, np.ones(3), groups=3, parts=1, delay=0, **given)
    engine = Turns(obj._capsule, np.ones(3), groups=2, parts=1, delay=1, **given)
    with pytest.raises(ValueError, match="three times"):
        engine.advance(1, np.zeros(1), np.ones(1), np.ones(1), np.ones(2))
    with pytest.raises(ValueError, match="one an update"):
        engine.advance(3, np.zeros(2), np.ones(3), np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match="shape"):
        engine.restore({})
