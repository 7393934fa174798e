"""Which updates a private copy contained, decoded from what was read, against the windows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asysg import _draws, objectives
from asysg._core.openmp import openmp_version
from asysg._core.threads import Threads

pytestmark = pytest.mark.skipif(not openmp_version(), reason="this build has one thread")

#: Entries under one lock (merge.h), and the updates of a region: fewer than the entries of a
#: segment, so that a sum of some of them can be taken apart.
SEGMENT, REGION = 512, 120
N = SEGMENT + 300


def codes(n):
    """Every update adds 1 or 3 to every entry, by its draw: a random code; sums are exact."""
    return objectives.Quadratic(
        np.full(n, 2.0**-500), x_star=np.full(n, -(2.0**501)), sigma=np.sqrt(n), noise="rademacher"
    )


@given(
    p=st.integers(2, 4),
    sync_every=st.integers(1, 20),
    max_delay=st.sampled_from([-1, 0, 5, 40]),
    regions=st.integers(1, 3),
    seed=st.integers(0, 2**32),
)
def test_every_read_contains_what_its_window_says(p, sync_every, max_delay, regions, seed):
    """All before the window, all of its batch so far, of the others' in it whole batches.

    What is left of a read when the updates before `start` and the worker's own are taken away is
    a sum of others' updates in the window. There is at most one such sum, segment by segment.
    """
    key = _draws.key_from(seed)
    obj = codes(N)
    engine = Threads(
        obj._capsule,
        np.zeros(N),
        method="hogwild",
        M=1,
        p=p,
        key=key,
        max_delay=max_delay,
        recording="full+reads",
        sync_every=sync_every,
    )
    for region in range(regions):
        begin = region * REGION
        x = engine.x.copy()
        engine.advance(begin + REGION, np.array([-1.0]))
        check(obj, key, x, engine.log, engine.reads[:, 0], begin)
        if max_delay >= 0:
            assert engine.max_delay <= max_delay
    assert engine.clock == regions * REGION


def check(obj, key, x, log, reads, begin):
    samples = _draws.samples(key, log["draw"], 1, None)[:, 0]
    code = np.array([obj.gradient(np.zeros(N), int(s)) for s in samples])
    start = np.maximum(log["start"] - begin, 0)  # what came before the region is in x
    assert (log["start"] >= begin).all()
    for k, read in enumerate(reads):
        number = np.arange(len(log))
        own = (number < k) & (log["worker"] == log["worker"][k])
        sure = (number < start[k]) | own
        others = np.flatnonzero((number < k) & ~sure)
        left = read - x - code[sure].sum(axis=0)
        for part in (slice(0, SEGMENT), slice(SEGMENT, N)):
            if not len(others):
                np.testing.assert_array_equal(left[part], 0.0)
                continue
            seen, *_ = np.linalg.lstsq(code[others, part].T, left[part], rcond=None)
            seen = np.rint(seen)
            np.testing.assert_array_equal(code[others, part].T @ seen, left[part])
            assert set(seen) <= {0.0, 1.0}


def test_the_decoding_finds_what_a_window_leaves_out():
    """The check above, of a record whose windows are too short by the last update missed."""
    key, K = _draws.key_from(3), 30
    obj = codes(N)
    log = np.zeros(K, dtype=[("worker", int), ("start", int), ("draw", int)])
    log["draw"] = np.arange(K)
    log["worker"] = np.arange(K) % 2
    log["start"] = np.maximum(np.arange(K) - 3, 0)
    samples = _draws.samples(key, log["draw"], 1, None)[:, 0]
    code = np.array([obj.gradient(np.zeros(N), int(s)) for s in samples])
    # Of the updates in its window each read has its worker's own, and misses the other's.
    reads = np.array(
        [code[[j for j in range(k) if j < k - 3 or (j - k) % 2 == 0]].sum(axis=0) for k in range(K)]
    )
    check(obj, key, np.zeros(N), log, reads, 0)
    for shorter in (1, 3):
        late = log.copy()
        late["start"][20] += shorter
        with pytest.raises(AssertionError):
            check(obj, key, np.zeros(N), late, reads, 0)
