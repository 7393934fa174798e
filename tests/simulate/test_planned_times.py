"""The planner against the simulator: delays, times and gradient norms of workers of fixed speeds.

A simulated run of K updates takes K draws, and one that has begun is waited for; the planner asks
when a run that goes on has done K. So runs here are longer by the number of workers, and judged at
their first K updates.
"""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asysg import objectives, simulate
from asysg.simulate import recursion, speeds
from asysg.theory import ProblemConstants, baselines, moments, planner
from asysg.theory._crew import Crew

EVERY = 10**9  # cycles: the speeds are constant


def fixed(seconds, server=0.0):
    """Return workers of so many seconds an update."""
    return replace(speeds.deterministic(server=server), factor=lambda p: np.array(seconds))


def history(seconds, K, *, server=0.0, max_delay=None):
    """Return the first K updates of the simulator's clock: worker, start, time; shape (K,)."""
    p = len(seconds)
    clock = recursion.schedule(
        p,
        K + p,
        compute=np.broadcast_to(1.0, EVERY),
        other=np.broadcast_to(0.0, EVERY),
        server=np.broadcast_to(float(server), EVERY),
        factor=np.array(seconds, dtype=float),
        pauses=speeds.deterministic().pauses(p),
        max_delay=max_delay,
    )
    worker, start, _, time = zip(*itertools.islice(clock, K), strict=True)
    return np.array(worker), np.array(start), np.array(time)


crews = st.lists(
    st.one_of(st.integers(1, 12).map(float), st.integers(1, 40).map(lambda i: i / 10)),
    min_size=1,
    max_size=6,
)
servers = st.sampled_from([0.0, 0.1, 0.5, 1.0, 3.0])


@given(seconds=crews, server=servers, K=st.integers(1, 400))
def test_delays_and_times_keep_to_the_plan(seconds, server, K):
    _, start, time = history(seconds, K, server=server)
    assert (np.arange(K) - start).max() <= planner.largest_delay(seconds, server=server)
    planned = planner.time_of_updates(K, seconds, server=server)
    assert time[-1] <= planned * (1 + 1e-12)
    if server == 0:
        assert time[-1] == pytest.approx(planned, rel=1e-12)


@given(seconds=crews, server=servers, K=st.integers(1, 200), T=st.integers(0, 40))
def test_times_where_late_gradients_are_thrown_away(seconds, server, K, T):
    _, start, time = history(seconds, K, server=server, max_delay=T)
    assert (np.arange(K) - start).max() <= T
    planned = planner.time_of_updates(K, seconds, server=server, max_delay=T)
    assert time[-1] <= planned * (1 + 1e-12)


@pytest.mark.parametrize("seconds", [[1.0] * 6, [1.0, math.sqrt(2), math.pi], [1.0, 1.0, 7.5]])
def test_the_largest_delay_occurs(seconds):
    """Nearly: each other worker can be out of step by one."""
    _, start, _ = history(seconds, 3000)
    largest = (np.arange(3000) - start).max()
    T = planner.largest_delay(seconds)
    assert T - (len(seconds) - 1 if len(set(seconds)) > 1 else 0) <= largest <= T


def test_nothing_is_lost_to_a_threshold_that_the_fast_never_reach():
    seconds, K = [1.0, 1.0, 1.0, 100.0], 2000
    T = planner.largest_delay(seconds[:3]) + 1  # the slow one may deliver between
    _, _, time = history(seconds, K, max_delay=T)
    planned = planner.time_of_updates(K, seconds, max_delay=T)
    assert time[-1] == planned == math.ceil(K / 3)
    # At T = 0 nobody is sure; the planner allows for one update in any two of the fastest's turns.
    _, _, time = history([1.0, 1.5], K, max_delay=0)
    assert time[-1] <= planner.time_of_updates(K, [1.0, 1.5], max_delay=0) <= 2 * time[-1]


@given(seconds=crews, server=servers)
def test_every_iterate_is_read_once_by_who_wrote_the_update_before(seconds, server):
    """What `fresh_read_bound` supposes."""
    K, T = 200, planner.largest_delay(seconds, server=server)
    worker, start, _ = history(seconds, K + T, server=server)
    reader = {s: w for w, s in zip(worker, start, strict=True) if s > 0}
    assert len(reader) == np.count_nonzero(start)  # never twice
    assert all(reader[k + 1] == worker[k] for k in range(K - 1))


@pytest.mark.parametrize("server", [0.0, 0.125])
def test_a_threshold_picks_the_fastest(server):
    """The slow are always late, so what the fast alone are certain of is certain."""
    c = ProblemConstants(gap=1.0, sigma=1.0, L=4.0)
    seconds = [2.0, 1.0, 2.0, 40.0, 90.0]
    found = planner.predict("threshold", c, eps=0.2, seconds=seconds, server=server)
    three = planner.predict("asysg-con", c, eps=0.2, seconds=seconds[:3], server=server)
    assert (found.T, found.reference) == (three.T, planner.FRESH)
    assert found.workers == 5
    if server == 0:
        assert (found.updates, found.seconds) == (three.updates, three.seconds)
    M = found.batch_size
    own = [M * t for t in seconds]
    worker, start, time = history(own, found.updates, server=server, max_delay=found.T)
    assert set(worker) == {0, 1, 2}
    assert time[-1] <= found.seconds * (1 + 1e-12)
    read = start[start > 0]
    assert np.unique(read).size == read.size


@given(seconds=crews, server=st.sampled_from([0.0, 0.1, 1.0]), data=st.data())
def test_whom_a_threshold_shuts_out(seconds, server, data):
    crew = Crew.of(np.sort(seconds), 1, server)
    g = data.draw(st.integers(1, crew.busy.size))
    T, alone = crew.quickest(g)
    worker, start, time = history(sorted(seconds), 300, server=server, max_delay=T)
    if alone:
        assert worker.max() < crew.count[:g].sum()
        assert time[-1] <= crew.time_of_quickest(300, g) * (1 + 1e-12)
        read = start[start > 0]
        assert np.unique(read).size == read.size
    # Twice as slow as all of them together are fast is slow enough.
    if g < crew.busy.size and server == 0 and crew.busy[g] > 2 * T * crew.busy[g - 1] > 0:
        assert alone


@given(seconds=crews, server=servers)
def test_the_schedule_keeps_to_its_profile(seconds, server):
    _, start, _ = history(seconds, 300, server=server)
    found = baselines.delay_profile((np.arange(300) - start)[:, None])
    bound = Crew.of(np.sort(seconds), 1, server).profile()
    assert found.tau_max <= bound.tau_max
    assert found.tau_avg <= bound.tau_avg
    assert found.tau_C <= bound.tau_C
    assert found.C <= bound.C


@pytest.mark.parametrize("seconds", [[1.0] * 5, [1.0, 1.0, 1.0, 40.0]])
def test_profiles_are_nearly_reached(seconds):
    _, start, _ = history(seconds, 2000)
    found = baselines.delay_profile((np.arange(2000) - start)[:, None])
    bound = Crew.of(np.array(seconds), 1, 0.0).profile()
    assert found.tau_avg >= 0.98 * (len(seconds) - 1)
    assert found.C >= 0.9 * bound.C


@given(
    seconds=crews,
    server=servers,
    sigma=st.sampled_from([0.1, 0.3, 1.0]),
    share=st.floats(0.05, 0.5),
)
def test_steps_that_adapt_are_as_long_as_planned(seconds, server, sigma, share):
    """The theorem, at the steps that the simulator's delays give."""
    c = ProblemConstants(gap=1.0, sigma=sigma, L=1.0)
    eps = 2 * share
    found = planner.predict("delay-adaptive", c, eps=eps, seconds=seconds, server=server)
    K, M = found.updates, found.batch_size
    assert K < 10**5
    if found.reference == planner.ADAPTIVE:
        worker, start, _ = history([M * t for t in sorted(seconds)], K, server=server)
        delays, p = np.arange(K) - start, worker.max() + 1  # of those who deliver in time
        steps = baselines.delay_adaptive_steps(found.gamma, c, delays, M=M)
        value = baselines.delay_adaptive_bound(steps, c, gamma=found.gamma, P=int(p), M=M)
        assert value <= eps * (1 + 1e-12)


def test_steps_of_the_slow_are_what_the_plan_allows_for():
    c = ProblemConstants(gap=1.0, sigma=0.1, L=1.0)
    seconds = [1.0, 1.0, 1.0, 30.0]
    found = planner.predict("delay-adaptive", c, eps=0.02, seconds=seconds)
    assert found.reference == planner.ADAPTIVE
    _, start, _ = history(seconds, found.updates)
    steps = baselines.delay_adaptive_steps(found.gamma, c, np.arange(found.updates) - start)
    assert 0 < np.count_nonzero(steps < found.gamma * (1 - 1e-9)) < found.updates
    value = baselines.delay_adaptive_bound(steps, c, gamma=found.gamma, P=4)
    assert 0.9 * 0.02 <= value <= 0.02


def mean_norm(gamma, start, L, c, K):
    """Return E||grad f(x_k)||^2, k < K, on f = L||x||^2/2, exactly: steps may vary.

    x_{k+1} = x_k - gamma_k (M L x_{start_k} + noise): linear in x_1 and the noises.
    """
    gamma, M = gamma
    x = np.zeros((K, K + 1))
    x[0, 0] = math.sqrt(2 * c.gap / L)
    for k in range(K - 1):
        x[k + 1] = x[k] - gamma[k] * M * L * x[start[k]]
        x[k + 1, k + 1] -= gamma[k] * math.sqrt(M) * c.sigma
    return L * L * np.sum(x * x, axis=1)


CREWS = {
    "equal": [1.0] * 4,
    "mixed": [1.0, 1.5, 2.0, 4.0],
    "one slow": [1.0, 1.0, 1.0, 16.0],
    "alone": [0.25],
}


@pytest.mark.parametrize("seconds", CREWS.values(), ids=CREWS)
@pytest.mark.parametrize("fastest", [False, True])
@pytest.mark.parametrize("sigma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("method", planner.METHODS)
def test_the_target_is_reached_in_the_predicted_time(method, sigma, fastest, seconds):
    """Exact moments along the simulator's schedule: no chance in it.

    Power: what is measured is at least a sixth of what is promised, without noise (where the
    iterates go to 0 and the bound is that of the worst function) a thirtieth.
    """
    c = ProblemConstants(gap=1.0, sigma=sigma, L=4.0)
    eps = {0.0: 0.2, 0.5: 0.3, 2.0: 2.0}[sigma]
    found = planner.predict(method, c, eps=eps, seconds=seconds, fastest=fastest)
    K, M, p = found.updates, found.batch_size, found.workers
    assert 1 < K < 3000
    own = sorted(seconds)[:p]
    if method == "sync":
        # Every round is one update of M p samples, all read at x_k.
        start, steps, samples = np.arange(K), np.full(K, found.gamma), M * p
        assert found.seconds == pytest.approx(K * own[-1])
    else:
        limit = found.T if method == "threshold" else None
        _, start, time = history([M * t for t in own], K, max_delay=limit)
        assert time[-1] <= found.seconds * (1 + 1e-12)
        assert (np.arange(K) - start).max() <= found.T
        steps, samples = np.full(K, found.gamma), M
        if method == "delay-adaptive":
            steps = baselines.delay_adaptive_steps(found.gamma, c, np.arange(K) - start, M=M)
    norms = mean_norm((steps, samples), start, c.L, c, K)
    measured = float(np.sum(steps * norms) / steps.sum())
    assert measured <= eps * (1 + 1e-12)  # attained without noise or delays
    assert measured >= eps / (6 if sigma > 0 else 30)


def test_the_moments_of_this_file_are_the_theory_s():
    _, start, _ = history([1.0, 1.5, 4.0], 60)
    c = ProblemConstants(2.0, 0.7, 4.0)
    norms = mean_norm((np.full(60, 0.02), 3), start, 4.0, c, 60)
    delays = np.repeat((np.arange(60) - start)[:, None], 3, axis=1)
    exact = moments.isotropic(4.0, 1.0, sigma=0.7, gamma=0.02, delays=delays)
    np.testing.assert_allclose(norms, exact.A, rtol=1e-10)


@pytest.mark.parametrize("method", ["asysg-con", "schedule-aware", "threshold"])
@pytest.mark.parametrize("seconds", [[1.0] * 5, [1.0, 1.0, 2.5, 20.0]])
def test_the_simulator_itself_reaches_the_target(method, seconds):
    """A function that is not convex, without noise: the run is what it is."""
    p, x0 = len(seconds), np.linspace(1.0, 3.0, 7)
    obj = objectives.CosineQuadratic(7, curvature=0.5, height=1.0, frequency=2.0)
    c = ProblemConstants(gap=obj.value(x0), sigma=0.0, L=obj.L)
    found = planner.predict(method, c, eps=0.5, seconds=seconds)
    K = found.updates
    res = simulate.minimize(
        obj, x0, method="asysg-con", n_workers=p, speeds=fixed(seconds), steplength=found.gamma,
        n_updates=K + p, n_records=K + p, max_delay=found.T if method == "threshold" else None,
    )  # fmt: skip
    trace = res.trace
    np.testing.assert_array_equal(trace.k[:K], np.arange(1, K + 1))
    assert trace.time[K] <= found.seconds * (1 + 1e-12)
    # Of two turns of a worker a threshold may cost one; it need not.
    assert trace.time[K] >= found.seconds / (2 if method == "threshold" else 1.001)
    assert res.staleness.max <= found.T
    assert trace.grad_norm_sq[:K].mean() <= 0.5


def test_synchronous_rounds_of_the_simulator_reach_the_target():
    """A barrier is serial SGD with the samples of all workers."""
    x0 = np.linspace(1.0, 3.0, 7)
    obj = objectives.CosineQuadratic(7, curvature=0.5, height=1.0, frequency=2.0)
    c = ProblemConstants(gap=obj.value(x0), sigma=0.0, L=obj.L)
    found = planner.predict("sync", c, eps=0.5, seconds=[1.0, 1.0, 2.5])
    res = simulate.minimize(
        obj, x0, method="sgd", n_workers=1, speeds=fixed([2.5]), steplength=found.gamma,
        batch_size=3, n_updates=found.updates, n_records=found.updates,
    )  # fmt: skip
    assert res.time == found.seconds
    assert res.trace.ergodic <= 0.5
