"""Downpour on real threads: nothing lost, nothing twice, windows true, under every schedule."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asysg import _draws, objectives
from asysg._core.openmp import openmp_version
from asysg._core.served import Served

pytestmark = pytest.mark.skipif(not openmp_version(), reason="this build has one thread")


@given(
    p=st.integers(1, 5),
    n_push=st.integers(1, 3),
    pushes=st.integers(1, 5),
    blocks=st.lists(st.integers(0, 2000), min_size=1, max_size=3),
    max_delay=st.sampled_from([-1, 0, 1, 7]),
    segment=st.integers(1, 3),
    seed=st.integers(0, 2**32),
)
def test_conservation_and_clock(p, n_push, pushes, blocks, max_delay, segment, seed):
    """Gradients are +-1 in every entry and do not depend on x, so that sums of them are exact."""
    n, K, M = 3, sum(blocks), 2 * n_push
    obj = objectives.Quadratic(1e-300 * np.eye(n), sigma=np.sqrt(n), noise="rademacher")
    key = _draws.key_from(seed)
    engine = Served(
        obj._capsule, np.zeros(n), method="downpour", M=M, p=p, key=key, max_delay=max_delay,
        recording="full", segment=segment, n_push=n_push, n_fetch=n_push * pushes,
    )  # fmt: skip
    logs = []
    for block in blocks:
        if block:
            engine.advance(engine.clock + block, np.ones(1))
            logs.append(engine.log)
    assert engine.clock == K == sum(engine.updates_by_worker)
    samples = _draws.samples(key, np.arange(K), M, None)
    noise = {int(s): np.rint(obj.gradient(np.zeros(n), int(s))) for s in samples.ravel()}
    np.testing.assert_array_equal(engine.x, -sum(noise.values(), np.zeros(n)))
    if not K:
        return
    log = np.concatenate(logs)
    np.testing.assert_array_equal(np.sort(log["draw"]), np.arange(K))
    delay = np.arange(K) - log["start"]
    assert (delay >= 0).all()
    assert (log["start"] >= 0).all()
    assert max_delay < 0 or delay.max() <= max_delay
    assert (engine.max_delay, engine.sum_delay) == (delay.max(), delay.sum())
    np.testing.assert_array_equal(engine.histogram, np.bincount(np.frexp(delay)[1], minlength=64))
    for w in range(p):
        starts = log["start"][log["worker"] == w]
        # A replica is good for so many updates at most, and the next one was fetched later.
        assert (np.diff(starts) >= 0).all()
        assert not starts.size or np.unique(starts, return_counts=True)[1].max() <= pushes
