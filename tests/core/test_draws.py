"""The counter-based draws: one definition, twice written; uniform; independent of the blocks."""

import numpy as np

from asysg import _draws
from tests.budget import alpha, assert_uniform


def word_by_hand(key, draw, slot):
    """The hash once more, in Python's unbounded integers."""

    def mix(z):
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        return z ^ (z >> 31)

    z = mix((key[0] + (draw + 1) * 0x9E3779B97F4A7C15) % 2**64)
    return mix(((z ^ key[1]) + (slot + 1) * 0xD1342543DE82EF95) % 2**64)


def test_words_and_bounds():
    key = (2**64 - 3, 12345)
    draws, slots = [0, 1, 10**12, 2**62], [0, 1, 7, 2**62]
    for d in draws:
        for s in slots:
            word = word_by_hand(key, d, s)
            assert int(_draws.words(key, d, s)) == word
            for bound in (1, 2, 3, 10**6 + 3, 2**33 + 1, 2**63):
                assert int(_draws.below(np.uint64(word), bound)) == word * bound >> 64


def test_uniform_and_independent():
    """Null: coordinates and samples of consecutive draws are uniform and independent.

    Statistic: chi-square over 7 coordinates x 11 x 11 samples and over lag-1 pairs. Power: cell
    probabilities off by 2 % are found.
    """
    N, key = 2_000_000, (11, 29)
    i = _draws.coordinates(key, np.arange(N), 7)
    s = _draws.samples(key, np.arange(N), 2, 11).astype(np.int64)
    joint = np.bincount(i * 121 + s[:, 0] * 11 + s[:, 1], minlength=7 * 121)
    lagged = np.bincount(i[:-1] * 7 + i[1:], minlength=49)
    for counts in (joint, lagged):
        assert_uniform(counts, alpha=alpha("draws", 2), detects=0.02)


def test_key_from_follows_spec_7():
    assert _draws.key_from(3) == _draws.key_from(3) != _draws.key_from(4)
    generator = np.random.default_rng(0)
    assert _draws.key_from(generator) != _draws.key_from(generator)
    assert _draws.key_from(None) != _draws.key_from(None)
    assert _draws.key_from(np.random.SeedSequence(5)) == _draws.key_from(5)
