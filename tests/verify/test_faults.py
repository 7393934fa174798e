"""Seeded faults: a claim is made as before, the run is changed, and a row must convict.

Null of every test: the row's claim is true. False alarm: the row's share of the error budget,
ALPHA. Power: at least 0.99 where the fault is at least what `detects` names, by the exact moments;
seeds are fixed.
"""

from dataclasses import replace

import numpy as np
import pytest

from asysg import simulate
from asysg.objectives import Quadratic
from asysg.simulate import delays
from asysg.verify._exact import Given, Recorded, exact_row
from asysg.verify._settings import Settings
from asysg.verify._tight import TIGHT, Tight, tight_row
from tests.budget import alpha

#: As much as a row of the whole suite gets; at most 40 rows are tested here.
ALPHA = alpha("verify: rows", 60)
QUICK = Settings(quick=True, n_threads=1, seed=0, factor=1.0, alpha=ALPHA)
FULL = replace(QUICK, quick=False)


def nothing(*_):
    pass


def tight(case, settings=QUICK):
    return tight_row(case, settings, np.random.SeedSequence(1), nothing)


def exact(case, settings=QUICK):
    return exact_row(case, settings, np.random.SeedSequence(2), nothing)


class Faulty(Tight):
    """A tight run with a fault; the claim is that of the sound one."""

    scale, sigma, late = 1.0, 1.0, 0

    def run(self, stream, factor):
        # A gradient scaled by c with noise of the same size is that of a c times steeper bowl.
        obj = Quadratic.isotropic(self.n, self.scale * self.L, sigma=self.sigma * self.SIGMA)
        x0 = np.full(self.n, np.sqrt(2 * self.gap / self.L / self.n))
        result = simulate.minimize(
            obj,
            x0,
            method=self.method,
            steplength=factor * self.gamma,
            batch_size=self.M,
            n_updates=self.K,
            delays=delays.constant(self.T + self.late),
            n_records=80,
            constants=self.constants,
            rng=stream,
        )
        squares = result.trace.grad_norm_sq / self.scale**2
        return replace(result, trace=replace(result.trace, grad_norm_sq=squares))


def faulty(number, **fault):
    sound = TIGHT[number]
    made = type("Made", (Faulty,), fault)
    return made(sound.method, sound.T, sound.share, sound.n, sound.M, sound.horizon)


@pytest.mark.parametrize("number", [1, 3, 5, 7])
def test_a_sound_run_is_within(number):
    row = tight(faulty(number))
    assert row.verdict == "within"


@pytest.mark.parametrize("number", [2, 6])
def test_sigma_understated_by_half_is_convicted(number):
    """The mean is nearly 4 times the bound's noise part: ln e > 100."""
    row = tight(faulty(number, sigma=2.0))
    assert row.verdict == "violated"
    assert row.log_e > 100


@pytest.mark.parametrize("number", [1, 3])
def test_delays_beyond_the_claim_are_convicted_without_asking_the_clock(number):
    """T + 3 in place of T, and a clock that keeps to the claim."""

    def lying(case):
        case_run = case.run

        def run(stream, factor):
            result = case_run(stream, factor)
            return replace(result, staleness=replace(result.staleness, max=case.T))

        object.__setattr__(case, "run", run)
        return case

    assert tight(lying(faulty(number, late=3))).verdict == "violated"


def test_delays_beyond_the_claim_void_it_when_the_clock_tells():
    row = tight(faulty(1, late=2))
    assert row.verdict == "no claim"
    assert not row.ok


@pytest.mark.parametrize("number", [0, 2, 4, 6, 9, 11, 15])
def test_what_a_tight_row_says_it_detects_it_detects(number):
    """Steplength times the factor that `detects` names."""
    row = tight(TIGHT[number])
    assert row.verdict == "within"
    factor = float(row.detects.split()[0].removeprefix("γx"))
    assert factor <= 1.3
    assert tight(TIGHT[number], replace(QUICK, factor=factor)).verdict == "violated"


@pytest.mark.parametrize("number", [1, 7])
def test_a_steplength_ten_percent_too_large_is_convicted_by_the_full_suite(number):
    assert tight(TIGHT[number], replace(FULL, factor=1.1)).verdict == "violated"


GIVEN = [
    ("asysg-con", "late"),
    ("asysg-incon", "late"),
    ("asysg-incon", "subsets"),
    ("asysg-incon", "fresh"),
]


@pytest.mark.parametrize(("method", "reads"), GIVEN)
def test_sound_runs_agree_with_their_exact_moments(method, reads):
    row = exact(Given(method, reads))
    assert row.verdict == "agrees"
    assert row.ratio < 1


@pytest.mark.parametrize(
    ("method", "reads", "factor"),
    [("asysg-con", "late", 0.75), ("asysg-incon", "subsets", 1.25), ("asysg-incon", "fresh", 1.1)],
)
def test_a_steplength_too_small_or_too_large_disagrees(method, reads, factor):
    """`detects` names at most 21 % (7 % for "fresh"): the sign of the error does not matter."""
    assert exact(Given(method, reads), replace(QUICK, factor=factor)).verdict == "disagrees"


class Altered(Given):
    """Given delays, but the objective that runs is another one than the claim's."""

    def __init__(self, method, reads, problem):
        super().__init__(method, reads)
        self.problem = problem


@pytest.mark.parametrize(("method", "reads"), GIVEN[1:3])
def test_sigma_overstated_disagrees(method, reads):
    """Half the noise: a bound could never object."""
    H = Given.problem
    quiet = Quadratic(H._matrix, sigma=0.5, noise="rademacher")
    assert exact(Altered(method, reads, quiet)).verdict == "disagrees"


@pytest.mark.parametrize("scale", [0.8, 1.2])
def test_a_scaled_gradient_disagrees(scale):
    """What is run is scale times as steep and seen at its own gradient, the claim is not."""
    steep = Quadratic(scale * Given.problem._matrix, sigma=1.0, noise="rademacher")
    assert exact(Altered("asysg-con", "late", steep)).verdict == "disagrees"


def test_fresher_reads_than_given_disagree():
    """Reads that miss nothing, where the schedule says that they miss up to T = 3 updates."""

    class Fresh(Given):
        def run(self, stream, factor):
            kept, self.table = self.table, np.zeros_like(self.table)
            try:
                return super().run(stream, factor)
            finally:
                self.table = kept

    assert exact(Fresh("asysg-con", "late"), FULL).verdict == "disagrees"


def test_recorded_delays_give_the_moments_of_real_threads():
    row = exact(Recorded(2, 2000))
    assert row.verdict == "agrees"
    assert row.T_measured <= row.certificate.T == 4


def test_a_recorder_that_understates_delays_disagrees():
    """Every delay is 4 and the log says 0: simulated, so that the delays are what is meant."""

    class Lying(Recorded):
        def run(self, stream, factor):
            result = simulate.minimize(
                self.problem,
                self.x0,
                method=self.method,
                steplength=factor * self.gamma,
                batch_size=self.M,
                n_updates=self.K,
                delays=delays.constant(self.T),
                n_records=20,
                constants=self.constants,
                rng=stream,
            )
            log = np.zeros(self.K, dtype=[("start", np.int64)])
            log["start"] = np.arange(self.K)
            return replace(result, log=log)

    assert exact(Lying(2, 2000)).verdict == "disagrees"


def test_a_run_that_explodes_is_violated():
    row = exact(Given("asysg-incon", "fresh"), replace(QUICK, factor=8.0))
    assert row.verdict == "violated"
