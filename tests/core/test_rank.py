"""What the ranks of a cluster compute, without MPI: gradients of draws, and the pass over x."""

import numpy as np
import pytest

from asysg import _draws, objectives
from asysg._core.rank import FAILED, NOT_FINITE, OK, Gradients, descend

KEY, M, N_SAMPLES, N = (3, 4), 8, 50, 6


@pytest.mark.parametrize(("draw", "first", "last"), [(0, 0, M), (5, 2, 7), (2**40, 7, 8)])
def test_a_part_of_a_draw_is_the_minibatch_of_its_samples(draw, first, last):
    obj = objectives.SigmoidRegression.planted(N_SAMPLES, N, rng=0)
    work, x, g = Gradients(obj._capsule, M=M, key=KEY), np.linspace(-1, 1, N), np.full(N, np.nan)
    drawn = _draws.samples(KEY, [draw], M, N_SAMPLES)[0]
    for _ in range(2):  # what g held does not matter
        assert work.sum(x, draw, first, last, g) == OK
        np.testing.assert_array_equal(g, obj.minibatch(x, drawn[first:last]))


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, N - 1])
def test_one_entry_that_is_not_finite_is_noticed(wrong, place):
    obj = objectives.Quadratic(np.ones(N))
    x, g = np.ones(N), np.empty(N)
    x[place] = wrong
    assert Gradients(obj._capsule, M=1, key=KEY).sum(x, 0, 0, 1, g) == NOT_FINITE


def test_the_largest_number_is_finite():
    obj = objectives.Quadratic(np.ones(N))
    largest = np.finfo(np.float64).max
    assert (
        Gradients(obj._capsule, M=1, key=KEY).sum(np.full(N, largest), 0, 0, 1, np.empty(N)) == OK
    )


def test_a_gradient_that_fails_is_noticed():
    def gradient(x, sample):
        raise RuntimeError("no")

    obj = objectives.from_callable(gradient, n=N, n_samples=N_SAMPLES)
    work = Gradients(obj._capsule, M=1, key=KEY)
    assert work.sum(np.ones(N), 0, 0, 1, np.empty(N)) == FAILED


# Two segments of 4096 entries and a part of one.
@pytest.mark.parametrize("n", [1, 4096, 4097, 10_000])
def test_the_pass_over_x_and_its_snapshot(n):
    rng = np.random.default_rng(n)
    x, g, snapshot = rng.standard_normal(n), rng.standard_normal(n), np.full(n, np.nan)
    wanted = x - 0.25 * g  # a power of two: the product is exact
    descend(x, g, 0.25, snapshot)
    np.testing.assert_array_equal(x, wanted)
    np.testing.assert_array_equal(snapshot, wanted)
    descend(x, g, 0.25)
    np.testing.assert_array_equal(x, wanted - 0.25 * g)
    np.testing.assert_array_equal(snapshot, wanted)


def test_lengths_that_differ_are_refused():
    with pytest.raises(ValueError, match="same length"):
        descend(np.ones(3), np.ones(2), 0.5)
    with pytest.raises(ValueError, match="same length"):
        descend(np.ones(3), np.ones(3), 0.5, np.ones(4))
    work = Gradients(objectives.Quadratic(np.ones(N))._capsule, M=2, key=KEY)
    for first, last in ((0, 0), (-1, 1), (0, 3)):
        with pytest.raises(ValueError, match="samples lie in"):
            work.sum(np.ones(N), 0, first, last, np.ones(N))
