"""Schedules of steplengths: in every method and scheduler the same bits, or refused with a reason.

Serial runs of whole vectors are one and the same recursion, whoever runs them, and so are those of
coordinates. Theorem 1 covers the former's schedules; no theorem here covers the latter's.
"""

import numpy as np
import pytest

import asysg
from asysg import InvalidArgument, objectives, simulate

K = 200
OBJ = objectives.SigmoidRegression.planted(30, 5, rng=0)
ARRAY = np.random.default_rng(0).uniform(0.0, 0.05, size=K)
SCHEDULES = {
    "array": ARRAY,
    "function": lambda k: float(ARRAY[k - 1]),
}
ZERO = simulate.delays.constant(0)


def threads(method, **how):
    return lambda **a: asysg.minimize(OBJ, np.zeros(5), method=method, n_threads=1, **how, **a)


def virtual(method, **how):
    return lambda **a: simulate.minimize(OBJ, np.zeros(5), method=method, **how, **a)


WHOLE = {
    "threads: sgd": threads("sgd"),
    "threads: asysg-con": threads("asysg-con"),
    "threads: hogwild": threads("hogwild"),
    "threads: hogwild, logged": threads("hogwild", record="full"),
    "delays: sgd": virtual("sgd"),
    "delays: asysg-con": virtual("asysg-con", delays=ZERO),
    "workers: asysg-con": virtual("asysg-con", n_workers=1),
    "workers: hogwild": virtual("hogwild", n_workers=1),
}
COORDINATES = {
    "threads": threads("asysg-incon"),
    "threads, lossy": threads("asysg-incon", update="lossy"),
    "threads, no clock": threads("asysg-incon", record=False),
    "delays": virtual("asysg-incon", delays=ZERO),
    "workers": virtual("asysg-incon", n_workers=1),
}


@pytest.fixture(scope="module")
def expected():
    """Both recursions, written down."""
    from asysg import _draws
    from asysg.simulate import recursion

    key = _draws.key_from(3)
    table = np.zeros((K, 2), dtype=np.int64)
    samples = _draws.samples(key, np.arange(K), 2, OBJ.n_samples)
    i = _draws.coordinates(key, np.arange(K), 5)
    *_, whole = recursion.con(OBJ.minibatch, np.zeros(5), ARRAY, table, samples)
    *_, coordinates = recursion.incon(OBJ.partial, np.zeros(5), ARRAY, table, samples, i)
    return {"whole": whole, "coordinates": coordinates}


CASES = [*(("whole", name) for name in WHOLE), *(("coordinates", name) for name in COORDINATES)]


@pytest.mark.parametrize("schedule", sorted(SCHEDULES))
@pytest.mark.parametrize(("kind", "name"), CASES)
def test_the_same_bits_and_the_right_theorem(kind, name, schedule, expected):
    run = {"whole": WHOLE, "coordinates": COORDINATES}[kind][name]
    res = run(steplength=SCHEDULES[schedule], batch_size=2, n_updates=K, rng=3)
    np.testing.assert_array_equal(res.x, expected[kind])
    assert res.steplength is None
    failing = [h.name for h in res.certificate.hypotheses if not h.holds]
    if kind == "whole":
        assert res.certificate.form == "paper"
        assert failing == []
    else:
        assert "constant steplength" in failing


@pytest.mark.parametrize(
    ("run", "why"),
    [
        (threads("hogwild", update="replica"), "before its number k"),
        (threads("asysg-incon", sync_every=4), "before its number k"),
    ],
)
def test_refused_where_a_step_is_made_before_its_number(run, why):
    with pytest.raises(InvalidArgument, match=why):
        run(steplength=ARRAY, batch_size=2, n_updates=K, rng=3)
