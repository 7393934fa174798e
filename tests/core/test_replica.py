"""Replica mode asks an objective for `descend` and `touch` rightly, and stops where it fails."""

import ctypes
import platform
import re
from pathlib import Path

import numpy as np
import pytest

from asysg import _draws
from asysg._core import linear
from asysg._core.openmp import openmp_version
from asysg._core.threads import Threads, segment_for

DOUBLES = ctypes.POINTER(ctypes.c_double)
GRADIENT = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, DOUBLES, ctypes.c_uint64, DOUBLES, DOUBLES
)
DESCEND = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, DOUBLES, ctypes.c_uint64, ctypes.c_double, DOUBLES
)
TOUCH = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint64)
THREADS = [1, 3] if openmp_version() else [1]
KEY = (5, 8)
N_SAMPLES = 10**6


class Struct(ctypes.Structure):
    """abi.h (tests/objectives/test_capsule.py checks that it is)."""

    _fields_ = (
        ("self", ctypes.c_void_p),
        *((name, ctypes.c_int64) for name in ("n", "n_samples", "work", "support", "index")),
        ("value", ctypes.c_void_p),
        ("gradient", GRADIENT),
        *((name, ctypes.c_void_p) for name in ("partial", "sup", "full_value", "full_gradient")),
        ("descend", DESCEND),
        ("touch", TOUCH),
        ("minibatch", ctypes.c_void_p),
        ("batch_size", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in ("full_partial", "full_support")),
        *((name, ctypes.c_void_p) for name in ("minibatch32", "descend32")),
    )


class Counting:
    """F(x; s) = (3 + s) x_0 + 0.1 x_1^2 / 2: which samples are in x_0 shows, x_1 rounds.

    Fails at the samples of `bad`; at those of `wild` the gradient is not finite.
    """

    def __init__(self, *, fast, bad=(), wild=()):
        self.calls, self.touched = [], []
        self.bad, self.wild = set(map(int, bad)), set(map(int, wild))

        def slope(x, s):
            return (np.inf if s in self.wild else 3.0 + s, 0.1 * x[1])

        @GRADIENT
        def gradient(_, x, s, work, g):
            if s in self.bad:
                return 0
            for j, entry in enumerate(slope(x, s)):
                g[j] += entry
            return 1

        @DESCEND
        def descend(_, x, s, step, work):
            self.calls.append(s)
            if s in self.bad:
                return 0
            for j, entry in enumerate(slope(x, s)):
                x[j] += -(step * entry)
            return 1

        @TOUCH
        def touch(_, s):
            self.touched.append(s)

        none = (DESCEND(0), TOUCH(0))
        self.struct = Struct(
            None, 2, N_SAMPLES, 0, 0, 8, None, gradient, None, None, None, None,
            *((descend, touch) if fast else none),
        )  # fmt: skip
        new = ctypes.pythonapi.PyCapsule_New
        new.restype = ctypes.py_object
        new.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
        self.keep = gradient, descend, touch
        self.capsule = new(ctypes.addressof(self.struct), b"asysg.objective.v4", None)


def run(objective, p=1, *, K=100, sync_every=7, gamma=-0.125, recording="full"):
    engine = Threads(
        objective.capsule,
        np.array([0.0, 1.0]),
        method="hogwild",
        M=1,
        p=p,
        key=KEY,
        max_delay=-1,
        recording=recording,
        sync_every=sync_every,
    )
    engine.advance(K, np.array([gamma]))
    return engine


def samples(K):
    return _draws.samples(KEY, np.arange(K), 1, N_SAMPLES)[:, 0].astype(np.int64)


@pytest.mark.parametrize("sync_every", [1, 7, 64, 1000])
def test_descend_gives_the_same_bits(sync_every):
    fast, slow = Counting(fast=True), Counting(fast=False)
    one, other = (run(f, sync_every=sync_every) for f in (fast, slow))
    np.testing.assert_array_equal(one.x, other.x)
    assert one.log.tobytes() == other.log.tobytes()
    assert fast.calls == samples(100).tolist()


@pytest.mark.parametrize("recording", [False, "sampled", "full"])
@pytest.mark.parametrize("p", THREADS)
def test_every_sample_is_touched_once_and_descended_once(p, recording):
    fast = Counting(fast=True)
    engine = run(fast, p, recording=recording)
    assert sorted(fast.touched) == sorted(fast.calls) == sorted(samples(100).tolist())
    assert engine.x[0] == 0.125 * (3.0 + samples(100)).sum()
    assert engine.clock == 100


def test_segments_are_whole_lines_and_neither_small_nor_large():
    for n in (1, 512, 20_000, 46_380, 100_000, 10**7):
        size = segment_for(n)
        assert size % 16 == 0
        assert 512 <= size <= 2048
    assert segment_for(1000) == 512
    assert segment_for(10**6) == 2048


def test_touched_ahead():
    """The data of 16 samples is on its way before the first of them is used; then one by one."""
    fast = Counting(fast=True)
    order = []
    fast.touched, fast.calls = Tagged(order, "touch"), Tagged(order, "call")
    run(fast, sync_every=1000)
    expected = samples(100).tolist()
    for what in ("touch", "call"):
        assert [s for name, s in order if name == what] == expected
    kinds = "".join(name[0] for name, _ in order)
    assert kinds == "t" * 16 + "ct" * 84 + "c" * 16


@pytest.mark.skipif(platform.machine() != "x86_64", reason="looks for an instruction of x86-64")
def test_what_touches_is_in_the_compiled_code():
    """To gcc a function that only prefetches does nothing, and may be left out."""
    code = Path(linear.__file__).read_bytes()
    # prefetcht0 by an address in a register, with or without an offset; one loop was not left out.
    assert len(re.findall(rb"\x0f\x18[\x08-\x0f\x48-\x4f]", code)) > 10


class Tagged(list):
    def __init__(self, order, what):
        self.order, self.what = order, what

    def append(self, item):
        self.order.append((self.what, item))


@pytest.mark.parametrize("at", [0, 1, 16, 20, 99])
@pytest.mark.parametrize("fast", [True, False])
def test_a_failure_ends_the_batch_before_it(fast, at):
    drawn = samples(100)
    engine = run(Counting(fast=fast, bad=[drawn[at]]))
    assert engine.trouble == ("failed", 0, at)
    assert engine.clock == len(engine.log[: engine.clock]) == at
    assert engine.x[0] == 0.125 * (3.0 + drawn[:at]).sum()
    np.testing.assert_array_equal(engine.log["draw"][:at], np.arange(at))


@pytest.mark.parametrize("at", [0, 1, 16, 20, 99])
@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("recording", [False, "full"])
def test_an_update_that_is_not_finite_is_not_made(fast, at, recording):
    """With `descend`, which does not say so, the batch is done again to find it."""
    drawn = samples(100)
    engine = run(Counting(fast=fast, wild=[drawn[at]]), recording=recording)
    assert engine.trouble == ("diverged", 0, at)
    assert engine.clock == at + (recording == "full")
    assert engine.x[0] == 0.125 * (3.0 + drawn[:at]).sum()


@pytest.mark.parametrize("fast", [True, False])
def test_trouble_on_several_threads(fast):
    """Every other worker merges the batch it is at; what is in x has a number and is finite."""
    drawn = samples(100)
    for kind, fault in (("failed", "bad"), ("diverged", "wild")):
        engine = run(Counting(fast=fast, **{fault: [drawn[40]]}), THREADS[-1])
        assert engine.trouble[0] == kind
        done = engine.log[: engine.clock]
        made = done["draw"][done["draw"] != 40]
        assert len(made) == sum(engine.updates_by_worker) == engine.histogram.sum()
        assert engine.x[0] == 0.125 * (3.0 + drawn[made]).sum()
        assert (40 in done["draw"]) == (kind == "diverged")


@pytest.mark.parametrize("at", [0, 1, 99])
@pytest.mark.parametrize("fast", [True, False])
def test_the_step_of_a_failure_is_not_counted(fast, at):
    """Of a lone worker whose steplengths adapt: they are summed, and every step was made."""
    objective = Counting(fast=fast, bad=[samples(100)[at]])
    engine = Threads(
        objective.capsule, np.array([0.0, 1.0]), method="sgd", M=1, p=1, key=KEY, max_delay=-1,
        recording="sampled", slope=2.0,
    )  # fmt: skip
    engine.advance(100, np.array([0.125]))
    assert engine.trouble == ("failed", 0, at)
    assert sum(engine.updates_by_worker) == engine.clock == at
    assert engine.sums == (0.125 * at, 0.125**2 * at)


def test_one_steplength():
    engine = Threads(
        Counting(fast=True).capsule, np.zeros(2), method="hogwild", M=1, p=1, key=KEY,
        max_delay=-1, recording=False, sync_every=4,
    )  # fmt: skip
    with pytest.raises(ValueError, match="gamma must have one entry"):
        engine.advance(3, np.full(3, 0.1))
