"""Which samples and which coordinate a draw means: ``_core/rng.h`` again, in NumPy.

The kernels draw for themselves; this is for whoever needs the same draws outside them (the
oracle, replay, tests).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InvalidArgument

RNG: TypeAlias = int | np.random.Generator | np.random.BitGenerator | np.random.SeedSequence | None
Key: TypeAlias = tuple[int, int]
Words: TypeAlias = NDArray[np.uint64]


def generator_from(rng: RNG) -> np.random.Generator:
    """Return the Generator that `rng` is or seeds."""
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError):
        raise InvalidArgument.of(
            "rng", "must be None, an integer >= 0, a Generator or a SeedSequence", rng
        ) from None


def key_from(rng: RNG) -> Key:
    """Return a 128-bit key drawn from `rng` (SPEC 7: a Generator advances, a seed repeats)."""
    first, second = generator_from(rng).integers(0, 2**64, size=2, dtype=np.uint64)
    return int(first), int(second)


def _u64(value: int) -> np.uint64:
    return np.uint64(value % 2**64)


def _mix(z: Words) -> Words:
    z = (z ^ (z >> _u64(30))) * _u64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> _u64(27))) * _u64(0x94D049BB133111EB)
    return z ^ (z >> _u64(31))


def words(key: Key, draws: ArrayLike, slots: ArrayLike) -> Words:
    """Return the words of `draws` in `slots`, broadcast against each other."""
    draw = np.asarray(draws, dtype=np.int64).astype(np.uint64)
    slot = np.asarray(slots, dtype=np.int64).astype(np.uint64)
    with np.errstate(over="ignore"):  # arithmetic modulo 2^64 is meant
        z = _mix(_u64(key[0]) + (draw + _u64(1)) * _u64(0x9E3779B97F4A7C15))
        return _mix((z ^ _u64(key[1])) + (slot + _u64(1)) * _u64(0xD1342543DE82EF95))


def below(word: Words, bound: int) -> Words:
    """Return the high 64 bits of ``word * bound``: uniform on {0, ..., bound - 1}."""
    half = _u64(32)
    low = _u64(0xFFFFFFFF)
    b_high, b_low = _u64(bound >> 32), _u64(bound & 0xFFFFFFFF)
    w_high, w_low = word >> half, word & low
    with np.errstate(over="ignore"):
        middle = w_high * b_low + ((w_low * b_low) >> half)
        other = w_low * b_high + (middle & low)
        high: Words = w_high * b_high + (middle >> half) + (other >> half)
    return high


def coordinates(key: Key, draws: ArrayLike, n: int) -> NDArray[np.int64]:
    """Return the coordinate i of each draw, uniform on 0..n-1, shape of `draws`."""
    return below(words(key, draws, 0), n).astype(np.int64)


def samples(key: Key, draws: ArrayLike, M: int, n_samples: int | None) -> Words:
    """Return the M samples of each draw, shape ``(*draws.shape, M)``.

    Indices below `n_samples`, or 64-bit words for a stream (``n_samples=None``).
    """
    drawn = words(key, np.asarray(draws)[..., np.newaxis], 1 + np.arange(M))
    return drawn if n_samples is None else below(drawn, n_samples)
