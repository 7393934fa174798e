"""The tightness table: no theorem is beaten, the page shows what the command computes."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from asysg import InvalidArgument, verify
from asysg.theory import moments
from asysg.verify import _tightness

PAGE = Path(__file__).parents[2] / "docs" / "figures" / "tightness.csv"


@pytest.fixture(scope="module")
def page():
    """The table of the docs by algorithm, form and T."""
    names = ("noise", "gap", "noise_step", "gap_step", "simulated", "halfwidth")
    with open(PAGE, newline="", encoding="utf-8") as file:
        found = [
            verify.Tightness(
                row["algorithm"], row["form"], int(row["T"]), *(float(row[n]) for n in names)
            )
            for row in csv.DictReader(file)
        ]
    head, *lines = _tightness.table(found)
    assert head == [name for name, _ in _tightness.COLUMNS]
    return {tuple(line[:3]): line for line in lines}


def test_the_page_has_every_theorem(page):
    assert len(page) == 2 * 6 * len(_tightness.DELAYS)


@pytest.mark.parametrize("form", ["paper", "plus", "uniform", "sharp"])
@pytest.mark.parametrize("T", [0, 1, 3])
def test_the_page_shows_what_is_computed(page, form, T):
    for one in verify.tightness(forms=[form], T=[T]):
        line = _tightness.table([one])[1]
        shown = page[one.algorithm, form, str(T)]
        assert float(shown[3]) == pytest.approx(one.noise, abs=2e-4)
        assert float(shown[5]) == pytest.approx(one.gap, abs=2e-4)
        assert shown[:3] == line[:3]


def test_no_theorem_is_beaten_and_the_tight_ones_are_tight(page):
    for (_, form, T), line in page.items():
        noise, gap = float(line[3]), float(line[5])
        assert max(noise, gap) <= 1.0
        if form == "uniform" or (T in ("0", "1") and form not in ("paper", "sharp")):
            assert max(noise, gap) >= 0.99
    # What simulated runs showed when the page was made, four standard errors apart at the most.
    for line in page.values():
        mean, half = (float(part) for part in line[-1].split("±"))
        assert abs(mean - float(line[3])) < 2 * half + 0.02


@pytest.mark.parametrize(("algorithm", "n", "M", "T"), [("con", 1, 2, 3), ("incon", 3, 2, 2)])
def test_limits_are_the_limits_of_the_moments(algorithm, n, M, T):
    late, g = np.full((6000, M), T), 0.08
    found = moments.limits(1.3, gamma=g, M=M, T=T, n=n, algorithm=algorithm)
    args = {"gamma": g, "delays": late, "n": n, "algorithm": algorithm}
    noisy = moments.isotropic(1.3, 0.0, sigma=0.7, **args)
    quiet = moments.isotropic(1.3, 2.0, sigma=0.0, **args)
    assert noisy.A[-1] == pytest.approx(found.noise * 0.49, rel=1e-9)
    assert quiet.A.sum() == pytest.approx(found.start * 4.0, rel=1e-9)


def test_limits_by_hand():
    # T = 0: a^2/(1 - (1 - a)^2) = a/(2 - a) per M^2 ... and sum a^-1 (2 - a)^-1.
    found = moments.limits(2.0, gamma=0.1, M=3, T=0)
    assert found.noise == pytest.approx(4 * 0.01 * 3 / (1 - 0.4**2), rel=1e-14)
    assert found.start == pytest.approx(4 / (1 - 0.4**2), rel=1e-14)
    T1 = moments.limits(1.0, gamma=0.5, M=1, T=1)
    assert T1.noise == pytest.approx(0.25 * moments.stationary_variance(0.5, 1), rel=1e-12)
    with pytest.raises(InvalidArgument, match="gamma must be below the limit of stability"):
        moments.limits(1.0, gamma=1.01, M=1, T=1)


def test_simulation_confirms():
    (one, _) = verify.tightness(forms=["uniform"], T=[2], replicates=6, seed=1)
    assert math.isfinite(one.halfwidth)
    assert abs(one.simulated - one.noise) < 4 * one.halfwidth
    assert "±" in _tightness.text([one])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"forms": ["loose"]}, "form must be"),
        ({"T": [-1]}, "T must be"),
        ({"replicates": -1}, "replicates must be"),
        ({"replicates": 1}, "replicates must be 0 or at least 2, got 1"),
        ({"seed": -1}, "seed must be"),
    ],
)
def test_refusals(options, message):
    with pytest.raises(InvalidArgument, match=message):
        verify.tightness(**options)
