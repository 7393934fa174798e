"""A flight record runs again to the same x, and a changed record is found out."""

from dataclasses import replace

import numpy as np
import pytest

import asysg
from asysg import InvalidArgument, objectives, simulate
from asysg._core.openmp import openmp_version
from asysg.errors import ReplayError
from asysg.simulate._chain import Chain

THREADS = [1, 2, 3] if openmp_version() else [1]


@pytest.fixture(scope="module")
def obj():
    rng = np.random.default_rng(0)
    return objectives.SigmoidRegression.planted(40, 5, density=0.6, rng=rng)


def run(obj, method, p, record, **how):
    how = {"steplength": 0.3, "n_updates": 4000, "batch_size": 2, "max_delay": 9, **how}
    return asysg.minimize(
        obj, np.ones(5), method=method, n_threads=p, record=record, rng=p, n_records=50, **how
    )


WAYS = [
    ("asysg-con", "atomic"),
    ("asysg-incon", "atomic"),
    ("hogwild", "atomic"),
    ("asysg-incon", "replica"),
    ("hogwild", "replica"),
]


@pytest.mark.parametrize("p", THREADS)
@pytest.mark.parametrize("record", ["full", "full+reads"])
@pytest.mark.parametrize(("method", "update"), WAYS)
def test_replay(obj, method, update, record, p):
    res = run(obj, method, p, record, update=update)
    if method == "hogwild" and p > 1 and record == "full":
        with pytest.raises(InvalidArgument, match="^result must have recorded reads"):
            simulate.replay(res)
        return
    again = simulate.replay(res)
    assert again.exact == (p == 1 or (method != "hogwild" and update == "atomic"))
    assert again.n_lost == 0
    assert again.updates_by_worker.sum() == 4000
    np.testing.assert_allclose(again.x, res.x, rtol=0 if again.exact else 1e-9)
    ks, xs = zip(*again.iterates(every=1000), strict=True)
    assert ks == (1, 1001, 2001, 3001, 4001)
    np.testing.assert_array_equal(xs[0], np.ones(5))
    np.testing.assert_allclose(xs[-1], res.x, rtol=1e-9)
    exact = [np.sum(obj.gradient(x) ** 2) for k, x in again.iterates() if k <= 4000]
    assert again.ergodic() == pytest.approx(np.mean(exact), rel=1e-12)


def test_schedule_and_serial(obj):
    for method in ("sgd", "asysg-con", "asysg-incon"):
        res = run(
            obj, method, 1, "full", max_delay=None, steplength=asysg.steplengths.diminishing(0.5)
        )
        np.testing.assert_array_equal(simulate.replay(res).x, res.x)


FIELDS = ["worker", "start", "draw", "coordinate", "increment", "before", "replaced"]


@pytest.mark.parametrize("p", THREADS)
@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("update", ["atomic", "replica"])
def test_a_changed_record_is_found_out(obj, field, p, update):
    res = run(obj, "asysg-incon", p, "full+reads", update=update)
    for k in (0, 1234, 3999):
        log = res.log.copy()
        log[field][k] += 99
        with pytest.raises(ReplayError):
            simulate.replay(replace(res, log=log))


@pytest.mark.parametrize("p", THREADS)
@pytest.mark.parametrize("update", ["atomic", "replica"])
def test_other_changes_are_found_out(obj, p, update):
    res = run(obj, "asysg-incon", p, "full+reads", update=update)
    reads = res.reads.copy()
    k, m, j = np.argwhere(np.isfinite(reads))[5000]
    reads[k, m, j] += 1e-12
    for changed in (
        {"reads": reads},
        {"log": res.log[:-1]},
        {"log": res.log[np.r_[1, 0, 2 : len(res.log)]]},
        {"x": res.x + (1e-15 if p == 1 or update == "atomic" else 1e-9)},
    ):
        with pytest.raises(ReplayError):
            simulate.replay(replace(res, **changed))
    con = run(obj, "asysg-con", p, "full")
    log = con.log.copy()
    log["draw"][[7, 8]] = log["draw"][[8, 7]]
    with pytest.raises(ReplayError):
        simulate.replay(replace(con, log=log))


def test_what_cannot_be_replayed(obj, tmp_path):
    res = run(obj, "asysg-incon", 1, "sampled")
    with pytest.raises(InvalidArgument, match="^result must have a flight record"):
        simulate.replay(res)
    res.to_json(tmp_path / "r.json")
    with pytest.raises(InvalidArgument, match="^result must come from a run of this process"):
        simulate.replay(asysg.Result.from_json(tmp_path / "r.json"))


def chain(updates, start):
    names = ["coordinate", "increment", "before", "replaced"]
    rows = np.zeros(len(updates), dtype=[(name, float) for name in names])
    for row, (increment, before, replaced) in zip(rows, updates, strict=True):
        row["increment"], row["before"], row["replaced"] = increment, before, replaced
    return Chain(rows, np.arange(len(updates)), start, rows["before"] + rows["increment"])


def test_chain_by_hand():
    """Additions out of the order of their numbers; then a racing write that loses two updates."""
    found = chain([(4.0, 3.0, 3.0), (2.0, 1.0, 1.0), (1.0, 0.0, 0.0)], 0.0)
    np.testing.assert_array_equal(found.order, [2, 1, 0])
    np.testing.assert_array_equal(found.versions, [0, 1, 3, 7])
    assert found.n_lost == 0
    # Two workers read 0; one writes 1 and then 3, the other overwrites 3 with 10.
    found = chain([(1.0, 0.0, 0.0), (2.0, 1.0, 1.0), (10.0, 0.0, 3.0)], 0.0)
    np.testing.assert_array_equal(found.versions, [0, 1, 3, 10])
    assert found.n_lost == 2
    # A value that returns: 0, 1, 0, 1, 2.
    found = chain([(1.0, 0.0, 0.0), (-1.0, 1.0, 1.0), (1.0, 0.0, 0.0), (1.0, 1.0, 1.0)], 0.0)
    assert found.versions[-1] == 2.0
    with pytest.raises(ReplayError):
        chain([(1.0, 0.0, 0.0), (1.0, 5.0, 5.0)], 0.0)


@pytest.mark.parametrize("update", ["atomic", "replica"])
def test_a_value_read_too_late_is_found_out(update):
    """Gradients here are the noise whatever x is, so that the windows alone can tell."""
    f = objectives.Quadratic(1e-300 * np.eye(2), sigma=np.sqrt(2), noise="rademacher")
    res = asysg.minimize(
        f, np.zeros(2), method="asysg-incon", n_updates=50, n_threads=1, steplength=1.0,
        update=update, record="full+reads", rng=0,
    )  # fmt: skip
    assert simulate.replay(res).n_lost == 0
    i = res.log["coordinate"][20]
    reads = res.reads.copy()
    reads[21, 0, i] = reads[20, 0, i]  # without update 20
    with pytest.raises(ReplayError, match="recorded window"):
        simulate.replay(replace(res, reads=reads))
