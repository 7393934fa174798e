"""Proximal steps under every schedule: each is made once, and no iterate leaves the box."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

import asysg
from asysg import _draws, objectives
from asysg._core.openmp import openmp_version
from asysg._core.proximal import Proximal
from asysg._core.threads import Threads
from asysg.prox import Prox

pytestmark = pytest.mark.skipif(not openmp_version(), reason="this build has one thread")

N, ROWS, START, GAMMA, L1 = 6, 9, 2.0**20, 0.25, 0.5

runs = st.fixed_dictionaries(
    {
        "method": st.sampled_from(["asysg-con", "asysg-incon", "hogwild", "lazy"]),
        "p": st.integers(1, 5),
        "M": st.integers(1, 2),
        "blocks": st.lists(st.integers(1, 2000), min_size=1, max_size=3),
        "max_delay": st.sampled_from([-1, 0, 7]),
        "recording": st.sampled_from([False, "sampled", "full", "full+reads"]),
        "seed": st.integers(0, 2**32),
    }
)


def slopes(seed):
    """Return whole numbers A >= 0 and an f whose gradients are its rows, wherever x is large.

    Every sample is so badly misclassified that the slope of its loss is 1 to the last bit.
    """
    rng = np.random.default_rng(seed)
    A = rng.integers(1, 5, size=(ROWS, N)) * (rng.random((ROWS, N)) < 0.4) * 1.0
    A[:, 0] = 1.0  # no row is empty
    return A, objectives.NonconvexLogistic(sparse.csr_matrix(A), np.full(ROWS, -1.0), 0.0)


def advance(obj, *, method, p, M, blocks, max_delay, recording, seed):
    lazy = method == "lazy"
    engine = Threads(
        obj._capsule, np.full(N, START), method="hogwild" if lazy else method, M=M, p=p,
        key=_draws.key_from(seed), max_delay=max_delay if recording else -1, recording=recording,
        prox=Proximal(L1, 0.0, np.full(1, -np.inf), np.full(1, np.inf)), lazy=lazy,
    )  # fmt: skip
    for block in blocks:
        engine.advance(engine.clock + block, np.array([GAMMA]))
    return engine


@given(runs)
def test_every_step_is_made_once(drawn):
    """x is far above 0, so every step takes gamma M l1 from an entry: x tells how many there were.

    All numbers are multiples of 1/8 below 2^53, so that sums are exact in every order.
    """
    A, obj = slopes(drawn["seed"])
    engine = advance(obj, **drawn)
    K, M, key = sum(drawn["blocks"]), drawn["M"], _draws.key_from(drawn["seed"])
    assert engine.clock == K
    added = A[_draws.samples(key, np.arange(K), M, ROWS)].sum(axis=1)
    steps = np.ones((K, N))
    if drawn["method"] == "asysg-incon":
        i = _draws.coordinates(key, np.arange(K), N)
        steps = (i[:, np.newaxis] == np.arange(N)).astype(float)
    expected = START - GAMMA * ((added + M * L1) * steps).sum(axis=0)
    assert expected.min() > 100.0
    np.testing.assert_array_equal(engine.x, expected)


@given(runs)
def test_lazy_reads_lie_in_the_recorded_window(drawn):
    """A value read contains all gradients and steps before `start`, and none from k on.

    Entries only ever go down, and the sums of what is before `start` and before k bound them.
    """
    drawn = {**drawn, "method": "lazy", "M": 1, "recording": "full+reads"}
    drawn["blocks"] = [sum(drawn["blocks"]) // 4 + 1]
    A, obj = slopes(drawn["seed"])
    engine = advance(obj, **drawn)
    (K,), log = drawn["blocks"], engine.log
    samples = _draws.samples(_draws.key_from(drawn["seed"]), log["draw"], 1, ROWS)[:, 0]
    down = np.vstack([np.zeros(N), np.cumsum(GAMMA * (A[samples] + L1), axis=0)])
    read = engine.reads[:, 0, :]
    seen = ~np.isnan(read)
    np.testing.assert_array_equal(seen, A[samples] != 0)
    assert (read <= START - down[log["start"]])[seen].all()
    assert (read >= START - down[np.arange(K)])[seen].all()


@pytest.mark.parametrize("p", [1, 2, 4])
@pytest.mark.parametrize("method", ["asysg-con", "asysg-incon", "hogwild"])
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_every_iterate_is_in_the_box(method, kind, p):
    """Steps so long that they would leave it, from inconsistent reads of p threads."""
    rng = np.random.default_rng(5)
    A = sparse.random(30, 20, density=0.2, format="csr", rng=rng)
    obj = objectives.SigmoidRegression(
        A if kind == "sparse" else A.toarray(), rng.integers(0, 2, size=30)
    )
    lower, upper = np.sort(rng.normal(size=(2, 20)), axis=0)
    seen = []
    res = asysg.minimize(
        obj, lower, method=method, steplength=5.0, n_updates=5000, n_threads=p, n_records=100,
        prox=Prox(0.001, 0.01, lower, upper), callback=lambda now: seen.append(now.x), rng=p,
    )  # fmt: skip
    seen = np.array([*seen, res.x])
    assert ((lower <= seen) & (seen <= upper)).all()
    assert ((seen == lower) | (seen == upper)).any(axis=0).sum() > 5
    assert np.isfinite([res.fun, *res.trace.f]).all()
