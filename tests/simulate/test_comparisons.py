"""Every method on the same problem: the same budget, the same clock, its own certificate."""

import numpy as np
import pytest

from asysg import InvalidArgument, objectives
from asysg._minimize import METHODS
from asysg.simulate import comparisons, speeds

OBJ = objectives.SigmoidRegression.planted(60, 5, rng=0)
RUN = {"n_workers": 4, "n_updates": 800, "n_replicates": 2, "rng": 1}


def by_name(rows):
    return {row.name: row for row in rows}


def test_every_method_takes_part_with_the_same_budget():
    entries = comparisons.entries(OBJ, n_workers=4, n_updates=800, batch_size=3)
    assert {entry.method for entry in entries} | {"hogwild"} == set(METHODS)
    for entry in entries:
        whole = entry.method not in ("asysg-incon", "asyscd")
        # A partial derivative of a sample counts 1/n; an exact one is N of them.
        each = 1 if whole else 1 / 5
        each *= 60 if entry.method == "asyscd" else 1
        assert entry.n_updates * entry.batch_size * each == pytest.approx(800 * 3, rel=0.01)


def test_the_same_seed_gives_the_same_rows():
    one, two = (comparisons.compare(OBJ, np.zeros(5), **RUN) for _ in range(2))
    assert [(row.seconds, row.fun, row.ergodic) for row in one] == [
        (row.seconds, row.fun, row.ergodic) for row in two
    ]


def test_bounds_are_kept_and_missing_theorems_named():
    rows = comparisons.compare(OBJ, np.zeros(5), speeds=speeds.exponential(), **RUN)
    for row in rows:
        if row.method == "downpour":
            assert row.bound is None
            assert "reads made of earlier updates" in row.says
        else:
            assert row.ergodic <= row.bound
    assert by_name(rows)["asysg-con, max_delay=3"].delay_max <= 3


def test_who_waits_for_the_slow_ones():
    """The barrier and the fixed order take as long as the slowest worker; the others do not."""
    slow = speeds.two_classes(20.0)
    found = by_name(comparisons.compare(OBJ, np.zeros(5), steplength=0.3, speeds=slow, **RUN))
    for waits in ("sync", "delayed"):
        for others in ("asysg-con", "asysg-con, delay-adaptive", "asysg-con, max_delay=3"):
            assert found[others].trace.time[-1] < 0.5 * found[waits].trace.time[-1]
    assert found["sgd"].delay_max == found["sync"].delay_max == 0
    assert found["delayed"].delay_max == 3
    assert found["asysg-con, max_delay=3"].recomputed > 0


def test_a_run_that_diverges_never_reaches_the_target():
    obj = objectives.Quadratic(np.ones(5), sigma=0.1)
    found = by_name(comparisons.compare(obj, np.ones(5), steplength=0.7, **RUN))
    assert found["delayed"].seconds == np.inf
    assert found["delayed"].fun > found["sgd"].fun
    assert np.isfinite(found["sgd"].seconds)


def test_real_threads_and_refusals():
    rows = comparisons.compare(OBJ, np.zeros(5), real=True, **{**RUN, "n_workers": 1})
    assert {row.method for row in rows} == set(METHODS)
    with pytest.raises(InvalidArgument, match="^speeds must be left out"):
        comparisons.compare(OBJ, np.zeros(5), real=True, speeds=speeds.exponential(), **RUN)
    for name, value in (("n_workers", 0), ("partial", 0.0), ("n_replicates", 0), ("speeds", 3)):
        with pytest.raises(InvalidArgument, match=f"^{name} must"):
            comparisons.compare(OBJ, np.zeros(5), **{**RUN, name: value})
