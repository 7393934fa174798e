"""The steps of the proof: sound runs keep them, and a fault fails the step that it breaks.

Null of every row: the lemma is true of the runs. False alarm: ALPHA each. Power: at least 0.99
where a side is off by what `detects` names; the faults here are larger. Seeds are fixed.
"""

from dataclasses import replace

import numpy as np
import pytest

from asysg.objectives import Quadratic
from asysg.verify._lemma import LEMMAS, LIMITS, PROOFS, Proof, Stability, proof_rows, stability_row
from asysg.verify._settings import Settings
from tests.budget import alpha

#: At most 50 rows are made here.
SETTINGS = Settings(quick=True, n_threads=1, seed=0, factor=1.0, alpha=alpha("verify: lemmas", 50))


def rows(case, settings=SETTINGS):
    found = proof_rows(case, settings, np.random.SeedSequence(4), lambda: None)
    return {row.claim: row for row in found}


@pytest.mark.parametrize("number", range(len(PROOFS)))
def test_sound_runs_keep_every_lemma(number):
    found = rows(PROOFS[number])
    assert tuple(found) == PROOFS[number].lemmas(1)
    assert {row.verdict for row in found.values()} <= {"agrees", "within"}
    assert all(row.detects for row in found.values())


@pytest.mark.parametrize("method", ["asysg-con", "asysg-incon"])
def test_the_lemmas_are_tight_where_they_are_tested(method):
    found = rows(Proof(method))
    assert found["descent"].verdict == found["telescoped"].verdict == "agrees"
    assert 0.97 < found["staleness"].ratio < 1.02


def test_on_real_threads_the_reads_are_those_of_the_record():
    found = rows(Proof("asysg-incon", threads=True), replace(SETTINGS, n_threads=2))
    assert {row.verdict for row in found.values()} <= {"agrees", "within"}
    assert found["descent"].T_measured <= found["descent"].certificate.T == 8


class Later(Proof):
    """Reads one update older than claimed, and honest about it."""

    @property
    def late(self):
        return self.LATE + 1


@pytest.mark.parametrize("method", ["asysg-con", "asysg-incon"])
def test_older_reads_break_the_second_lemma_and_no_other(method):
    class Unnoticed(Later):
        def run(self, *args):
            result, f, white = super().run(*args)
            return replace(result, staleness=replace(result.staleness, max=self.LATE)), f, white

    found = rows(Unnoticed(method))
    assert found["staleness"].verdict == "violated"
    assert found["descent"].verdict == found["telescoped"].verdict == "agrees"


class Noisier(Proof):
    """Noise 30 % larger than claimed."""

    def run(self, claim, settings, stream):
        self.__dict__["objective"] = Quadratic(np.eye(8), sigma=1.3, noise="rademacher")
        return super().run(claim, settings, stream)


def test_more_noise_breaks_descent_and_staleness():
    found = rows(Noisier("asysg-con"))
    assert found["descent"].verdict == found["telescoped"].verdict == "disagrees"
    assert found["staleness"].verdict == "violated"


@pytest.mark.parametrize(("factor", "steps"), [(1.25, LEMMAS), (0.75, ("descent",))])
def test_another_steplength_breaks_descent(factor, steps):
    found = rows(Proof("asysg-con"), replace(SETTINGS, factor=factor))
    assert {found[name].verdict for name in steps} <= {"disagrees", "violated"}


def test_runs_that_explode_are_convicted():
    found = rows(Proof("asysg-incon"), replace(SETTINGS, factor=30.0))
    assert {row.ok for row in found.values()} == {False}


@pytest.mark.parametrize("case", LIMITS)
def test_the_limit_of_stability(case):
    assert stability_row(case, SETTINGS, lambda: None).verdict == "agrees"


@pytest.mark.parametrize("case", LIMITS)
@pytest.mark.parametrize("fault", ["late", "early", "longer", "shorter", "mean"])
def test_the_limit_of_stability_convicts(case, fault, monkeypatch):
    """Without any chance: delays off by one, steps off by 4 %, a mean in place of a sum."""
    from asysg.simulate import delays

    honest = delays.constant
    factor = {"longer": 1.04, "shorter": 0.96, "mean": 1 / case.M}.get(fault, 1.0)
    if fault in ("late", "early"):
        change = 1 if fault == "late" else -1
        monkeypatch.setattr(delays, "constant", lambda T: honest(T + change))
    row = stability_row(case, replace(SETTINGS, factor=factor), lambda: None)
    assert row.ok == (factor == 1.0 and fault == "mean")


def test_a_run_beyond_all_numbers_is_no_stable_one():
    assert not stability_row(Stability(8, 1), replace(SETTINGS, factor=1e3), lambda: None).ok
