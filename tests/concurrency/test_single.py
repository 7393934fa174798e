"""float32 on real threads: nothing lost, nothing twice, windows true, under every schedule."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asysg import _draws, objectives
from asysg._core.openmp import openmp_version
from asysg._core.single import Single

pytestmark = pytest.mark.skipif(not openmp_version(), reason="this build has one thread")


@given(
    p=st.integers(1, 5),
    M=st.integers(1, 2),
    blocks=st.lists(st.integers(0, 3000), min_size=1, max_size=3),
    max_delay=st.sampled_from([-1, 0, 1, 7]),
    recording=st.sampled_from([False, "sampled", "full"]),
    segment=st.integers(1, 3),
    seed=st.integers(0, 2**32),
)
def test_conservation_and_clock(p, M, blocks, max_delay, recording, segment, seed):
    """Gradients are +-1 in every entry and do not depend on x, so that sums of them are exact.

    (They stay below 2**24; the curvature is 0 in single precision.)
    """
    n, K = 3, sum(blocks)
    obj = objectives.Quadratic(np.full(n, 1e-300), sigma=np.sqrt(n), noise="rademacher")
    assert obj._kernel.single()
    key = _draws.key_from(seed)
    engine = Single(
        obj._capsule, np.zeros(n), M=M, p=p, key=key, max_delay=max_delay if recording else -1,
        recording=recording, segment=segment,
    )  # fmt: skip
    logs = []
    for block in blocks:
        if block:
            engine.advance(engine.clock + block, np.ones(1))
            logs.append(engine.log)
    assert engine.clock == K == sum(engine.updates_by_worker)
    expected = np.zeros(n)
    for sample in _draws.samples(key, np.arange(K), M, None).ravel():
        expected -= np.rint(obj.gradient(np.zeros(n), int(sample)))
    np.testing.assert_array_equal(engine.x, expected)
    if recording != "full" or not K:
        return
    log = np.concatenate(logs)
    np.testing.assert_array_equal(np.sort(log["draw"]), np.arange(K))
    delay = np.arange(K) - log["start"]
    assert (delay >= 0).all()
    assert (log["start"] >= 0).all()
    assert max_delay < 0 or delay.max() <= max_delay
    assert (engine.max_delay, engine.sum_delay) == (delay.max(), delay.sum())
    np.testing.assert_array_equal(engine.histogram, np.bincount(np.frexp(delay)[1], minlength=64))
