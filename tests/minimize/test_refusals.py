"""Every bad argument is refused with one typed sentence, before anything runs."""

import numpy as np
import pytest

import asysg
from asysg import InvalidArgument, objectives, simulate, theory


@pytest.fixture(scope="module")
def obj():
    return objectives.Quadratic(np.eye(3), sigma=0.1)


X0 = np.ones(3)
GOOD = {"steplength": 0.1, "n_updates": 10}
BAD_BOTH = [
    ("method", "momentum"),
    ("method", None),
    ("n_updates", 0),
    ("n_updates", None),
    ("n_updates", 2.5),
    ("n_updates", True),
    ("batch_size", 0),
    ("batch_size", "many"),
    ("steplength", -0.1),
    ("steplength", float("nan")),
    ("steplength", float("inf")),
    ("steplength", "best"),
    ("steplength", None),
    ("steplength", True),
    ("steplength", lambda k: -1.0),
    ("steplength", np.full(9, 0.1)),
    ("steplength", np.full(11, 0.1)),
    ("steplength", np.r_[np.full(9, 0.1), -0.1]),
    ("steplength", np.r_[np.full(9, 0.1), np.nan]),
    ("steplength", np.full(10, "0.1")),
    ("steplength", np.ones((2, 5))),
    ("n_records", 0),
    ("rng", -1),
    ("rng", "seed"),
    ("form", "quoted"),
    ("constants", 3.0),
    ("callback", 3.0),
]
BAD_THREADS = [
    ("n_threads", 0),
    ("n_threads", -1),
    ("n_threads", 2.0),
    ("n_threads", 10**9),
    ("max_delay", -1),
    ("max_delay", 1.5),
    ("update", "plain"),
    ("sync_every", 0),
    ("sync_every", 2.0),
    ("sync_every", True),
    ("sync_every", 2**20 + 1),
    ("record", True),
    ("record", "everything"),
    ("checkpoint", "/no/such/folder/file"),
    ("checkpoint_every", -1.0),
    ("checkpoint_every", float("nan")),
    ("checkpoint_every", "x"),
]


@pytest.mark.parametrize(("name", "value"), BAD_BOTH + BAD_THREADS)
def test_minimize(obj, name, value):
    with pytest.raises(InvalidArgument, match=rf"(?s)^{name} .*, got .*\.$"):
        asysg.minimize(obj, X0, **{**GOOD, name: value})


@pytest.mark.parametrize(("name", "value"), [*BAD_BOTH, ("delays", 3), ("delays", "constant")])
def test_simulate(obj, name, value):
    with pytest.raises(InvalidArgument, match=rf"(?s)^{name} .*, got .*\.$"):
        simulate.minimize(obj, X0, **{**GOOD, name: value})


@pytest.mark.parametrize(
    "x0", [np.ones(2), np.ones((3, 1)), [1, np.nan, 0], [np.inf, 0, 0], "x", None, ["a", 1, 2]]
)
@pytest.mark.parametrize("minimize", [asysg.minimize, simulate.minimize])
def test_start(obj, minimize, x0):
    with pytest.raises(InvalidArgument, match="^x0 must"):
        minimize(obj, x0, **GOOD)


@pytest.mark.parametrize("minimize", [asysg.minimize, simulate.minimize])
def test_objective(minimize):
    with pytest.raises(InvalidArgument, match="^obj must be an Objective, got function"):
        minimize(lambda x: x, X0, **GOOD)


def test_combinations(obj):
    c = obj.constants(X0, T=2)
    p = theory.incon.prescribe(c, K=10, M=2, T=2)
    with pytest.raises(InvalidArgument, match=r"^steplength must be prescribed by theory\.con"):
        asysg.minimize(obj, X0, method="asysg-con", steplength=p)
    with pytest.raises(InvalidArgument, match="^batch_size must be that of the prescription, 2"):
        asysg.minimize(obj, X0, steplength=p, batch_size=3)
    with pytest.raises(InvalidArgument, match="^n_updates must be that of the prescription, 10"):
        simulate.minimize(obj, X0, steplength=p, n_updates=11)
    with pytest.raises(InvalidArgument, match="^n_threads must be 1 for method 'sgd'"):
        asysg.minimize(obj, X0, method="sgd", n_threads=2, **GOOD)
    with pytest.raises(InvalidArgument, match="^record must"):
        asysg.minimize(obj, X0, record=False, max_delay=3, **GOOD)
    with pytest.raises(InvalidArgument, match="^record must"):
        asysg.minimize(obj, X0, record=False, steplength="prescribed", n_updates=10, n_threads=2)
    with pytest.raises(InvalidArgument, match="^update must be 'atomic' for method"):
        asysg.minimize(obj, X0, method="asysg-con", update="lossy", **GOOD)
    with pytest.raises(InvalidArgument, match="^update must be 'atomic' for method"):
        asysg.minimize(obj, X0, method="sgd", update="replica", **GOOD)
    with pytest.raises(InvalidArgument, match="^update must be 'atomic' for method"):
        asysg.minimize(obj, X0, method="asysg-con", sync_every=4, **GOOD)
    for update in ("atomic", "lossy"):
        with pytest.raises(InvalidArgument, match="^sync_every must be left out with update="):
            asysg.minimize(obj, X0, update=update, sync_every=4, **GOOD)
    with pytest.raises(InvalidArgument, match="^update must be 'atomic' with a schedule"):
        asysg.minimize(obj, X0, update="replica", steplength=np.full(10, 0.1), n_updates=10)
    with pytest.raises(InvalidArgument, match=r"^record must not be 'full"):
        asysg.minimize(obj, X0, record="full+reads", checkpoint="run.npz", **GOOD)
    with pytest.raises(InvalidArgument, match="^delays must be left out for method 'sgd'"):
        simulate.minimize(obj, X0, method="sgd", delays=simulate.delays.uniform(2), **GOOD)
    with pytest.raises(InvalidArgument, match="^delays must be consistent"):
        simulate.minimize(obj, X0, method="asysg-con", delays=simulate.delays.subsets(2), **GOOD)


@pytest.mark.parametrize(
    "make",
    [
        lambda: simulate.delays.constant(-1),
        lambda: simulate.delays.uniform(1.5),
        lambda: simulate.delays.subsets(3, 1.5),
        lambda: simulate.delays.given([]),
        lambda: simulate.delays.given([0.5]),
        lambda: simulate.delays.given([[[1]]]),
        lambda: simulate.delays.given([-1, 2]),
        lambda: asysg.steplengths.diminishing(0.0),
        lambda: asysg.steplengths.diminishing(0.1, 2.0),
        lambda: asysg.steplengths.diminishing("x"),
        lambda: asysg.steplengths.diminishing(0.1, None),
    ],
)
def test_helpers(make):
    with pytest.raises(InvalidArgument, match=r" must .*, got .*\.$"):
        make()


def test_a_table_of_delays_that_does_not_fit(obj):
    for table in ([1, 2], np.zeros((10, 3), dtype=int)):
        with pytest.raises(InvalidArgument, match="^delays must have a row an update, 10,"):
            simulate.minimize(obj, X0, delays=simulate.delays.given(table), batch_size=2, **GOOD)


def test_a_recorded_run_is_too_short_for_a_longer_one(obj):
    res = simulate.minimize(obj, X0, n_workers=2, record="full", **GOOD)
    again = simulate.delays.from_trace(res)
    assert simulate.minimize(obj, X0, delays=again, **GOOD).nit == 10
    with pytest.raises(InvalidArgument, match="^delays must have a row an update, 11,"):
        simulate.minimize(obj, X0, delays=again, steplength=0.1, n_updates=11)


def counted():
    """Return an objective without constants, and what counts its gradients."""
    calls = []

    def gradient(x, sample):
        calls.append(sample)
        return x

    return objectives.from_callable(gradient, n=3, n_samples=4), calls


@pytest.mark.parametrize(
    "how",
    [
        {"steplength": "prescribed"},  # the pilot of two threads would be in vain
        {"steplength": np.r_[np.full(9, 0.1), -0.1]},
        {"steplength": np.full(9, 0.1)},
    ],
)
def test_nothing_is_computed_before_it_is_refused(how):
    f, calls = counted()
    with pytest.raises(InvalidArgument):
        asysg.minimize(f, X0, method="asysg-con", n_threads=2, **{**GOOD, **how})
    assert calls == []


@pytest.mark.parametrize("name", ["run", "run.tmp"])
def test_a_checkpoint_must_be_a_file(obj, tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(InvalidArgument, match=r"^checkpoint must be a file that can be written"):
        asysg.minimize(obj, X0, checkpoint=tmp_path / "run", **GOOD)


def test_a_checkpoint_that_fails_costs_no_result(obj, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.warns(asysg.AsysgWarning, match="could not be written: .*No space left"):
        res = asysg.minimize(obj, X0, checkpoint=tmp_path / "run", **GOOD)
    assert (res.status, res.nit) == ("completed", 10)
    assert not (tmp_path / "run").exists()
