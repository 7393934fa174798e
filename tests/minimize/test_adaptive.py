"""Delay-adaptive steplengths at the front doors: chosen, refused, summed, certified, resumed."""

import dataclasses
import json
import math
from itertools import pairwise

import numpy as np
import pytest

import asysg
from asysg import InvalidArgument, objectives, simulate, steplengths, theory
from asysg._adaptive import weights
from asysg._checkpoint import Checkpoint
from asysg._core.openmp import openmp_version
from asysg._plan import State
from asysg._run import strata
from asysg.errors import CertificateError

OBJ = objectives.CosineQuadratic(6, sigma=0.5)
X0 = np.ones(6)
L = OBJ.constants(X0, T=0).L
SLOW = simulate.speeds.two_classes(40.0, 0.25)
THREADS = 3 if openmp_version() else 1


def simulated(**how):
    arguments = {
        "method": "asysg-con", "steplength": "delay-adaptive", "n_updates": 400, "n_workers": 8,
        "speeds": SLOW, "rng": 0,
    }  # fmt: skip
    return simulate.minimize(OBJ, X0, **(arguments | how))


def steps_of(result):
    """What the record says each update took."""
    tau = np.arange(result.nit) - result.log["start"]
    c = theory.ProblemConstants(gap=1.0, sigma=1.0, L=result.certificate.gamma.L)
    return theory.baselines.delay_adaptive_steps(
        result.certificate.gamma.gamma, c, tau, M=result.batch_size
    )


def norms_of(result):
    """Squared gradient norms at every iterate, from a replay."""
    found = [np.sum(OBJ.gradient(x) ** 2) for _, x in simulate.replay(result).iterates()]
    return np.array(found[: result.nit])


def failing(certificate):
    return [h.name for h in certificate.hypotheses if not h.holds]


def test_by_name_it_is_the_rate_s():
    c = OBJ.constants(X0, T=0)
    res = simulated(batch_size=2)
    used = res.certificate.gamma
    assert used.gamma == theory.baselines.delay_adaptive_gamma(c, K=400, P=8, M=2)
    assert (used.L, used.P, res.certificate.form) == (c.L, 8, theory.ADAPTIVE)
    assert res.certificate.bound <= theory.baselines.delay_adaptive_rate(c, K=400, P=8, M=2)
    assert res.certificate.verdict == "within"
    assert res.steplength == used.gamma
    assert "delay-adaptive, at most" in repr(res)
    assert "Theorem A" in res.certificate.explain()


@pytest.mark.parametrize("M", [1, 3])
def test_sums_are_those_of_the_record(M):
    res = simulated(record="full", batch_size=M, steplength=steplengths.delay_adaptive(0.02, L))
    steps = steps_of(res)
    assert (steps < 0.02).any()
    assert res.certificate.gamma.total == pytest.approx(math.fsum(steps), rel=1e-13)
    assert res.certificate.gamma.total_square == pytest.approx(math.fsum(steps**2), rel=1e-13)
    assert simulate.replay(res).exact
    c = OBJ.constants(X0, T=0)
    assert res.certificate.bound == pytest.approx(
        theory.baselines.delay_adaptive_bound(steps, c, gamma=0.02, P=8, M=M), rel=1e-12
    )


@pytest.mark.parametrize("method", ["asysg-con", "hogwild", "asysg-incon"])
def test_threads_replay_with_the_steps_of_their_delays(method):
    res = asysg.minimize(
        OBJ, X0, method=method, steplength=steplengths.delay_adaptive(0.02, L), n_updates=3000,
        n_threads=THREADS, record="full+reads", rng=1,
    )  # fmt: skip
    steps = steps_of(res)
    found = simulate.replay(res)
    assert found.exact or method == "hogwild"
    assert res.certificate.gamma.total == pytest.approx(math.fsum(steps), rel=1e-12)
    assert res.certificate.gamma.total_square == pytest.approx(math.fsum(steps**2), rel=1e-12)
    assert res.trace.weight.sum() == pytest.approx(1.0, rel=1e-9)
    assert res.update == "atomic"


def test_every_iterate_recorded_is_the_mean_that_the_theorem_bounds():
    res = simulated(record="full", n_records=400)
    steps, norms = steps_of(res), norms_of(res)
    expected = math.fsum(steps * norms) / math.fsum(steps)
    assert res.certificate.measured == pytest.approx(expected, rel=1e-9)
    assert abs(expected / norms.mean() - 1) > 1e-3  # it is not the plain mean


def test_strata_weigh_what_their_steps_sum_to():
    res = simulated(record="full", n_records=7)
    steps, edges = steps_of(res), strata(400, 7)
    k = res.trace.k - 1
    for first, last in pairwise(edges):
        inside = (k >= first) & (k < last)
        share = math.fsum(steps[first:last]) / math.fsum(steps)
        assert res.trace.weight[inside].sum() == pytest.approx(share, rel=1e-9)
    # Given the run, its mean over the places of the recorded iterates is known: sum_s G_s times
    # the mean norm of the stratum. It is near the theorem's.
    norms = norms_of(res)
    mean = sum(math.fsum(steps[a:b]) * norms[a:b].mean() for a, b in pairwise(edges))
    assert mean == pytest.approx(math.fsum(steps * norms), rel=0.02)


def test_an_interrupted_run_weighs_what_it_did():
    def stop(found):
        if found.nit > 200:
            raise StopIteration

    res = simulated(callback=stop, n_records=10)
    assert res.status == "stopped"
    # The last stratum was left in its midst.
    assert res.trace.weight.sum() == pytest.approx(1.0, rel=1e-12)
    assert res.trace.weight[-1] < res.trace.weight[-2]
    assert res.certificate.gamma.total <= res.nit * res.steplength * (1 + 1e-12)
    assert failing(res.certificate) == ["all updates done"]


def test_without_a_step_the_weights_are_those_of_the_strata():
    rows = np.array([[0.0, 0, 0, 0, 0.25]])
    assert weights(rows, strata(4, 4), State())[0] == 0.25


def test_a_very_slow_worker_costs_no_claim():
    """The largest delay is not in the bound; the constant steplength's theorem fails for it."""
    slow = simulate.speeds.two_classes(3000.0, 1 / 4)
    adaptive = simulated(n_workers=4, speeds=slow, n_updates=10_000)
    assert adaptive.staleness.max >= 8000
    assert adaptive.certificate.verdict == "within"
    gamma = adaptive.certificate.gamma.gamma
    constant = simulated(n_workers=4, speeds=slow, n_updates=10_000, steplength=gamma)
    assert failing(constant.certificate) == ["steplength condition"]
    assert constant.certificate.bound == math.inf
    assert "delays bounded by T" not in {h.name for h in adaptive.certificate.hypotheses}


@pytest.mark.parametrize(
    ("delays", "P"),
    [
        (simulate.delays.constant(0), 1),
        (simulate.delays.constant(5), 6),
        (simulate.delays.given([0, 1, 2, 0, 4, 1]), 4),
    ],
)
def test_given_delays_count_what_is_under_way(delays, P):
    """Delays 0, 1, 2, 0, 4, 1 of updates 0..5: update 1 is missed by updates 2 and 4, ..."""
    K = 6
    res = simulated(n_workers=None, speeds=None, delays=delays, n_updates=K)
    tau = np.minimum(delays.table((1, 2), 0, K, 1)[:, 0], np.arange(K))
    missed = max(sum(k - tau[k] <= j < k for k in range(K)) for j in range(K))
    assert res.certificate.gamma.P == P == 1 + missed
    assert res.certificate.holds


def test_long_schedules_are_counted_in_blocks(monkeypatch):
    from asysg.simulate import _flights

    found = []
    for block in (7, 1 << 16):
        monkeypatch.setattr(_flights, "BLOCK", block)
        how = {"n_workers": None, "speeds": None, "n_updates": 300}
        res = simulated(delays=simulate.delays.uniform(T=20), **how)
        found.append(res.certificate.gamma)
    assert found[0] == found[1]
    assert found[0].P > 5


def test_samples_that_read_differently_are_not_covered():
    how = {"n_workers": None, "speeds": None, "batch_size": 2}
    res = simulated(delays=simulate.delays.uniform(T=9), **how)
    assert failing(res.certificate) == ["one read per update"]
    assert simulated(delays=simulate.delays.constant(9), **how).certificate.holds


@pytest.mark.parametrize(
    ("method", "n_threads", "missing"),
    [
        ("asysg-con", THREADS, []),
        ("sgd", 1, []),
        ("hogwild", 1, []),
        ("asysg-incon", 1, ["steplength condition"]),
        *([("hogwild", 2, ["steplength condition", "gradients under way"]),
           ("asysg-incon", 2, ["steplength condition", "gradients under way"])]
          if openmp_version() else []),
    ],
)  # fmt: skip
def test_no_bound_is_borrowed(method, n_threads, missing):
    steps = steplengths.delay_adaptive(0.02, L)
    res = asysg.minimize(
        OBJ, X0, method=method, steplength=steps, n_updates=2000, n_threads=n_threads, rng=0
    )
    assert failing(res.certificate) == missing
    assert math.isinf(res.certificate.bound) == bool(missing)
    assert list(res.certificate.bounds) == [theory.ADAPTIVE]
    assert theory.Certificate.from_dict(res.certificate.to_dict()).recheck() == res.certificate


def test_the_adversary_s_reads_are_not_oblivious():
    res = simulated(
        n_workers=None, speeds=None, delays=simulate.adversary.watching(OBJ, T=4), n_updates=100
    )
    assert failing(res.certificate) == ["reads oblivious"]


def test_an_l_too_small_is_found():
    res = simulated(steplength=steplengths.delay_adaptive(0.005, L / 2))
    assert failing(res.certificate) == ["late steplengths short enough"]
    assert res.certificate.bound == math.inf


@pytest.mark.parametrize(
    "arguments",
    [
        {"method": "hogwild", "steplength": "delay-adaptive"},
        {"method": "asysg-incon", "steplength": "delay-adaptive"},
        {"method": "asysg-con", "steplength": "delay-adaptive", "record": False},
        {"method": "sgd", "steplength": "delay-adaptive", "record": False},
        {"method": "hogwild", "update": "replica"},
        {"method": "asysg-incon", "sync_every": 3},
        {"method": "asysg-incon", "record": False},
        {"method": "asysg-incon", "skip_ahead": True},
    ],
)
def test_refused(arguments):
    name = next(n for n in ("skip_ahead", "record", "update", "sync_every", "steplength")
                if n in arguments)  # fmt: skip
    name = {"sync_every": "update"}.get(name, name)
    arguments = {"steplength": steplengths.delay_adaptive(0.02, L), **arguments}
    with pytest.raises(InvalidArgument, match=f"^{name} must "):
        asysg.minimize(OBJ, X0, n_updates=10, **arguments)


def test_sparse_updates_are_not_passed_over():
    obj = objectives.SigmoidRegression(np.eye(50), np.zeros(50))
    res = asysg.minimize(
        obj, np.zeros(50), steplength=steplengths.delay_adaptive(0.02, 1.0), n_updates=500,
        n_threads=1, rng=0,
    )  # fmt: skip
    assert not res.skip_ahead


@pytest.mark.parametrize(("gamma", "L"), [(0, 1), (1, 0), (-1, 1), (math.inf, 1), (1, math.nan)])
def test_refused_numbers(gamma, L):
    with pytest.raises(InvalidArgument, match=r"^(gamma|L) must be a finite number > 0"):
        steplengths.delay_adaptive(gamma, L)


GEOMETRIC = {"n_workers": None, "speeds": None, "delays": simulate.delays.geometric(60, mean=5.0)}


@pytest.mark.parametrize("how", [{}, GEOMETRIC])
def test_a_resumed_run_has_the_sums_of_one_never_stopped(how, tmp_path, monkeypatch):
    class Killed(BaseException):
        pass

    whole = simulated(n_records=20, **how)
    written = []
    write = Checkpoint.write

    def dying(self, *arguments, **more):
        write(self, *arguments, **more)
        written.append(1)
        if len(written) == 9:
            raise Killed

    monkeypatch.setattr(Checkpoint, "write", dying)
    file = {"checkpoint": tmp_path / "run", "checkpoint_every": 0.0, "n_records": 20, **how}
    with pytest.raises(Killed):
        simulated(**file)
    monkeypatch.setattr(Checkpoint, "write", write)
    again = simulated(**file)
    np.testing.assert_array_equal(again.x, whole.x)
    np.testing.assert_allclose(again.trace.weight, whole.trace.weight, rtol=1e-12)
    assert again.certificate.gamma.total == pytest.approx(whole.certificate.gamma.total, rel=1e-13)
    assert again.certificate.gamma.gamma == whole.certificate.gamma.gamma
    with pytest.raises(InvalidArgument, match="steplength"):
        simulated(**{**file, "steplength": steplengths.delay_adaptive(0.01, 2 * L)})


def test_read_back_and_tampered_with(tmp_path):
    res = simulated()
    path = tmp_path / "result.json"
    res.to_json(path)
    assert asysg.verify.load(path) == res.certificate
    data = json.loads(path.read_text())
    data["trace"]["weight"][3] *= 2
    path.write_text(json.dumps(data))
    with pytest.raises(CertificateError, match="measured"):
        asysg.verify.load(path)


def test_replay_finds_other_steps():
    """Power: a record of steps 8 times too long for what was late is convicted."""
    res = simulated(record="full")
    plan = dataclasses.replace(
        res._plan, steps=dataclasses.replace(res._plan.steps, L=res._plan.steps.L / 8)
    )
    with pytest.raises(asysg.ReplayError):
        simulate.replay(dataclasses.replace(res, _plan=plan))
