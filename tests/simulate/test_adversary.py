"""Adversaries: worse than chance, within the theorems that cover them, kept apart."""

import numpy as np
import pytest

from asysg import InvalidArgument, objectives, simulate, theory
from asysg.simulate import adversary, delays

T, K, GAMMA = 6, 400, 0.05


def problem():
    return objectives.Quadratic(np.diag([0.2, 1.0, 4.0]), sigma=0.5)


def run(schedule, seed, **options):
    kwargs = {"method": "asysg-con", "steplength": GAMMA, "n_updates": K, "n_records": K}
    return simulate.minimize(
        problem(), np.ones(3), delays=schedule, rng=seed, **{**kwargs, **options}
    )


def ergodic(schedule, runs=20):
    return np.mean([run(schedule, 1000 + seed).trace.ergodic for seed in range(runs)])


@pytest.mark.parametrize("search", ["greedy", "random"])
def test_what_the_search_finds_is_worse_than_chance(search):
    """Fresh seeds, which the search has not seen. By 5 % at least: seeds are fixed."""
    worst = adversary.oblivious(
        problem(), np.ones(3), T=T, n_updates=K, steplength=GAMMA, search=search, rng=7
    )
    assert worst.T <= T
    assert worst.watch is None
    assert ergodic(worst) > 1.05 * ergodic(delays.uniform(T))
    res = run(worst, 5)
    oblivious = {h.name: h.holds for h in res.certificate.hypotheses}["reads oblivious"]
    assert oblivious


def test_the_search_repeats():
    options = {"T": 3, "n_updates": 50, "steplength": 0.1, "n_trials": 2}
    one, two, other = (
        adversary.oblivious(problem(), np.ones(3), search="random", rng=seed, **options)
        for seed in (1, 1, 2)
    )
    assert one.name == two.name != other.name


def test_the_watcher_is_worse_than_chance_and_only_the_robust_form_covers_it():
    watcher = adversary.watching(problem(), T)
    assert ergodic(watcher, 10) > 1.05 * ergodic(delays.uniform(T), 10)
    plus, robust = (run(watcher, 1, form=form).certificate for form in ("plus", "robust"))
    assert not plus.holds
    assert {h.name: h.holds for h in plus.hypotheses}["reads oblivious"] is False
    assert "reads oblivious" not in {h.name for h in robust.hypotheses}
    small = theory.con.gamma_max(problem().constants(np.ones(3), T=T), M=1, T=T, form="robust")
    assert run(watcher, 1, form="robust", steplength=small).certificate.holds
    schedule = run(watcher, 1, form="robust", steplength=lambda k: small)
    assert not schedule.certificate.holds  # what holds for schedules is Theorem 1


def test_the_watcher_reads_the_least_aligned_iterate():
    """Every choice is the specification's argmin, at the iterates of the run itself."""
    obj, seen = problem(), []
    watcher = adversary.watching(obj, T)
    choose = watcher.watch()
    res = run(watcher, 3, n_updates=60, callback=lambda r: seen.append(r.x), n_records=60)
    slopes = [obj.gradient(x) for x in seen]
    tau = []
    for k in range(60):
        dots = [slopes[k - age] @ slopes[k] for age in range(min(k, T) + 1)]
        tau.append(int(np.argmin(dots)))
        assert choose(k, seen[k]) == tau[k]
    np.testing.assert_array_equal(
        res.staleness.histogram, np.bincount(np.frexp(tau)[1], minlength=64)
    )


def test_nothing_proven_is_violated():
    """Theorem R bounds the watcher, Theorem P the table; means over 40 runs are far within."""
    c = problem().constants(np.ones(3), T=T)
    gamma = theory.con.gamma_max(c, M=1, T=T, form="robust") / 2
    watched = np.mean(
        [
            run(adversary.watching(problem(), T), s, steplength=gamma).trace.ergodic
            for s in range(20)
        ]
    )
    assert watched <= theory.con.bound(gamma, c, K=K, M=1, T=T, form="robust")
    table = adversary.oblivious(problem(), np.ones(3), T=T, n_updates=K, steplength=gamma, rng=7)
    searched = np.mean([run(table, s, steplength=gamma).trace.ergodic for s in range(20)])
    assert searched <= theory.con.bound(gamma, c, K=K, M=1, T=T, form="plus")


def test_incon_and_minibatches():
    worst = adversary.oblivious(
        problem(), np.ones(3), T=2, n_updates=40, steplength=0.1, method="asysg-incon",
        batch_size=3, n_trials=1, rng=1,
    )  # fmt: skip
    res = run(worst, 2, method="asysg-incon", n_updates=40, batch_size=3, steplength=0.1)
    assert res.staleness.max <= 2
    assert run(adversary.watching(problem(), 2), 2, method="asysg-incon").staleness.max == 2


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: adversary.watching(None, 2), "obj must be"),
        (lambda: adversary.watching(problem(), -1), "T must be"),
        (
            lambda: adversary.oblivious(
                problem(), np.ones(3), T=2, n_updates=9, steplength=0.1, search="all"
            ),
            "search must be",
        ),
        (
            lambda: adversary.oblivious(problem(), np.ones(3), T=2, n_updates=9, steplength=0.0),
            "steplength must be",
        ),
        (lambda: adversary.watching(problem(), 2).table((1, 2), 0, 1, 1), "must be oblivious"),
    ],
)
def test_refusals(call, match):
    with pytest.raises(InvalidArgument, match=match):
        call()


def test_a_watched_run_has_no_checkpoint(tmp_path):
    with pytest.raises(InvalidArgument, match="checkpoint must be left out"):
        run(adversary.watching(problem(), T), 1, checkpoint=tmp_path / "run")


def test_histories_that_do_not_fit_are_refused():
    with pytest.raises(InvalidArgument, match="fit the memory"):
        run(delays.constant(10**13), 1)
