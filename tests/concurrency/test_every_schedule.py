"""What holds under every schedule of real threads, however the machine interleaves them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asysg import _draws, objectives
from asysg._core.openmp import openmp_version
from asysg._core.threads import SEGMENT, Threads
from asysg.simulate import recursion

pytestmark = pytest.mark.skipif(not openmp_version(), reason="this build has one thread")

runs = st.fixed_dictionaries(
    {
        "p": st.integers(1, 5),
        "M": st.integers(1, 2),
        "blocks": st.lists(st.integers(0, 3000), min_size=1, max_size=3),
        "max_delay": st.sampled_from([-1, 0, 1, 7]),
        "seed": st.integers(0, 2**32),
    }
)

# (method, sync_every): 0 for writes to the shared x, else replica mode.
methods = st.one_of(
    st.tuples(st.sampled_from(["asysg-con", "asysg-incon", "hogwild"]), st.just(0)),
    st.tuples(st.sampled_from(["asysg-incon", "hogwild"]), st.integers(1, 300)),
)


def advance(
    obj,
    x0,
    *,
    method,
    p,
    M,
    blocks,
    max_delay,
    seed,
    gamma=1.0,
    recording="full",
    sync_every=0,
    segment=SEGMENT,
    lossy=False,
):
    """Run the blocks; return the engine, the joined log and the key."""
    key = _draws.key_from(seed)
    engine = Threads(
        obj._capsule,
        x0,
        method=method,
        M=M,
        p=p,
        key=key,
        max_delay=max_delay,
        recording=recording,
        lossy=lossy,
        segment=segment,
        sync_every=sync_every,
    )
    logs = []
    for block in blocks:
        if block:
            engine.advance(engine.clock + block, np.array([gamma]))
            if recording == "full":
                logs.append(engine.log)
    return engine, (np.concatenate(logs) if logs else None), key


def integers(n):
    """f ~ 0 with noise +-1 in every entry: increments are integers, their sums exact.

    (A curvature of 1e-300 is rounded away beside a noise of 1.)
    """
    return objectives.Quadratic(1e-300 * np.eye(n), sigma=np.sqrt(n), noise="rademacher")


def check_clock(log, blocks, max_delay):
    """Tickets are the rows of the log; each draw was used once; windows lie before tickets."""
    K = sum(blocks)
    assert len(log) == K
    np.testing.assert_array_equal(np.sort(log["draw"]), np.arange(K))
    delay = np.arange(K) - log["start"]
    assert (delay >= 0).all()
    assert (log["start"] >= 0).all()
    if max_delay >= 0:
        assert (delay <= max_delay).all()


@given(runs, methods)
def test_conservation_and_clock(drawn, method):
    """x is the start plus every update once, to the last unit, in every block and schedule."""
    n, K = 3, sum(drawn["blocks"])
    obj = integers(n)
    method, sync_every = method
    engine, log, key = advance(obj, np.zeros(n), method=method, sync_every=sync_every, **drawn)
    assert engine.clock == K == sum(engine.updates_by_worker)
    expected = np.zeros(n)
    samples = _draws.samples(key, np.arange(K), drawn["M"], None)
    for k in range(K):
        g = sum(obj.gradient(np.zeros(n), int(s)) for s in samples[k])
        if method == "asysg-incon":
            g = np.where(np.arange(n) == _draws.coordinates(key, k, n), g, 0)
        expected -= np.rint(g)
    np.testing.assert_array_equal(engine.x, expected)
    if K:
        check_clock(log, drawn["blocks"], drawn["max_delay"])
        delay = np.arange(K) - log["start"]
        assert engine.max_delay == delay.max()
        assert engine.sum_delay == delay.sum()
        np.testing.assert_array_equal(
            engine.histogram, np.bincount(np.frexp(delay)[1], minlength=64)
        )


@given(runs, methods)
def test_unrecorded_run_loses_nothing(drawn, method):
    obj = integers(2)
    method, sync_every = method
    drawn = {**drawn, "max_delay": -1, "method": method, "sync_every": sync_every}
    engine, _, _ = advance(obj, np.zeros(2), recording=False, **drawn)
    full, _, _ = advance(obj, np.zeros(2), recording="full", **drawn)
    np.testing.assert_array_equal(engine.x, full.x)
    assert engine.clock == full.clock


@given(runs, st.integers(1, 5), st.integers(1, 6))
def test_con_is_the_recursion_with_the_recorded_delays(drawn, n, segment):
    """AsySG-con on threads, replayed by the oracle from its log, gives the same bits.

    So every snapshot was exactly an iterate, the one the log says, although passes over x follow
    one another segment by segment.
    """
    rng = np.random.default_rng(drawn["seed"])
    H = rng.normal(size=(n, n))
    obj = objectives.Quadratic(H @ H.T / n, sigma=0.5)
    x0 = rng.normal(size=n)
    drawn = {**drawn, "blocks": [block // 4 for block in drawn["blocks"]]}
    engine, log, key = advance(obj, x0, method="asysg-con", gamma=0.01, segment=segment, **drawn)
    if log is None:
        return
    K = len(log)
    delay = np.repeat((np.arange(K) - log["start"])[:, None], drawn["M"], axis=1)
    samples = _draws.samples(key, log["draw"], drawn["M"], None)
    *_, last = recursion.con(obj.minibatch, x0, np.full(K, 0.01), delay, samples)
    np.testing.assert_array_equal(engine.x, last)


@given(runs)
def test_incon_reads_lie_in_the_recorded_window(drawn):
    """Every value read is one that the recorded window allows.

    f = ||x||^2 / 2 and gamma = -2^-8 without noise: increment k is exactly 2^-8 of the value read.
    x grows with every update, so the values of a coordinate, in their order, tell which updates
    each of them contains: all before `start`, and none from k on.
    """
    n = 4
    obj = objectives.Quadratic(np.eye(n), sigma=0.0)
    drawn = {**drawn, "M": 1, "blocks": [block // 4 for block in drawn["blocks"]]}
    x0 = np.arange(1.0, n + 1)
    _, log, _ = advance(obj, x0, method="asysg-incon", gamma=-(2.0**-8), **drawn)
    if log is None:
        return
    for i in range(n):
        numbers = np.flatnonzero(log["coordinate"] == i)
        rows = log[numbers]
        order = np.argsort(rows["before"])
        versions = np.append(x0[i], (rows["before"] + rows["increment"])[order])
        # Which update made version v, and the first and last numbers on either side of it.
        made = numbers[order]
        largest = np.maximum.accumulate(np.append(-1, made))
        missing = np.minimum.accumulate(np.append(made, len(log))[::-1])[::-1]
        assert (np.diff(versions) > 0).all()
        read = rows["increment"] * 2.0**8
        v = np.searchsorted(versions, read)
        assert (v < len(versions)).all()
        np.testing.assert_array_equal(versions[v], read)
        assert (missing[v] >= rows["start"]).all()
        assert (largest[v] < numbers).all()


@pytest.mark.parametrize("method", ["asysg-con", "asysg-incon", "hogwild"])
def test_no_delay_at_all(method):
    """max_delay = 0 with four workers: they take turns, however the machine runs them."""
    obj = objectives.Quadratic(np.eye(100), sigma=1.0)
    engine, log, _ = advance(
        obj, np.ones(100), method=method, p=4, M=4, blocks=[4000], max_delay=0, seed=1, gamma=1e-3
    )
    assert engine.max_delay == 0
    np.testing.assert_array_equal(log["start"], np.arange(4000))


@pytest.mark.parametrize("method", ["asysg-incon", "hogwild"])
@pytest.mark.parametrize("p", [1, 2, 4])
def test_lossy_writes_are_counted(method, p):
    """One coordinate for all: where nothing was overwritten, all that was added is there."""
    obj = integers(1)
    engine, log, key = advance(
        obj, np.zeros(1), method=method, p=p, M=1, blocks=[20_000], max_delay=-1, seed=p, lossy=True
    )
    made = -sum(
        obj.gradient([0.0], int(s))[0] for (s,) in _draws.samples(key, log["draw"], 1, None)
    )
    if p == 1:
        assert engine.overwrites == 0
    if method == "asysg-incon":
        assert engine.overwrites == np.count_nonzero(log["before"] != log["replaced"])
    if engine.overwrites == 0:
        assert engine.x[0] == made
