"""The capsule: it outlives its objective, refuses strangers, and reports failures."""

import ctypes
import gc
import pickle

import numpy as np
import pytest

from asysg import objectives as ob
from asysg._core import evaluate
from asysg._core.kernel import Kernel
from asysg.errors import InvalidArgument, ObjectiveError

NAME = b"asysg.objective.v4"
DOUBLES = ctypes.POINTER(ctypes.c_double)
POINT = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, DOUBLES, ctypes.c_uint64, DOUBLES, DOUBLES)
PARTIAL = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, DOUBLES, ctypes.c_uint64, ctypes.c_int64, DOUBLES, DOUBLES
)


class Struct(ctypes.Structure):
    """abi.h once more: a change of layout that forgets to change the name breaks this test."""

    _fields_ = (
        ("self", ctypes.c_void_p),
        ("n", ctypes.c_int64),
        ("n_samples", ctypes.c_int64),
        ("work_size", ctypes.c_int64),
        ("support_size", ctypes.c_int64),
        ("index_size", ctypes.c_int64),
        ("value", POINT),
        ("gradient", POINT),
        ("partial", PARTIAL),
        ("support", ctypes.c_void_p),
        ("full_value", ctypes.c_void_p),
        ("full_gradient", ctypes.c_void_p),
        ("descend", ctypes.c_void_p),
        ("touch", ctypes.c_void_p),
        ("minibatch", ctypes.c_void_p),
        ("batch_size", ctypes.c_int64),
        ("full_partial", ctypes.c_void_p),
        ("full_support", ctypes.c_void_p),
        ("minibatch32", ctypes.c_void_p),
        ("descend32", ctypes.c_void_p),
    )


def foreign(code=1, name=NAME):
    """f(x) = mean over j = 0..3 of j x_0, by someone else; returns `code` at sample 2."""

    def answer(sample):
        return code if sample == 2 else 1

    @POINT
    def value(self, x, sample, work, out):
        out[0] = sample * x[0]
        return answer(sample)

    @POINT
    def gradient(self, x, sample, work, g):
        g[0] += sample
        return answer(sample)

    @PARTIAL
    def partial(self, x, sample, i, work, out):
        out[0] += sample
        return answer(sample)

    struct = Struct(None, 1, 4, 0, 0, 8, value, gradient, partial, *[None] * 5)
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = (
        ctypes.py_object,
        (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p),
    )
    return new(ctypes.addressof(struct), name, None), (struct, name)


def test_full_calls_fall_back_on_the_mean_over_samples():
    capsule, _keep = foreign()
    assert evaluate.shape(capsule) == (1, 4)
    assert evaluate.value(capsule, [2.0]) == 3.0
    assert evaluate.value(capsule, [2.0], 3) == 6.0
    assert evaluate.gradient(capsule, [2.0]).tolist() == [1.5]
    assert evaluate.gradient(capsule, [2.0], out=np.array([8.0])).tolist() == [9.5]
    assert evaluate.partial(capsule, [2.0], None, 0) == 1.5
    assert evaluate.support(capsule, 1) is None


@pytest.mark.parametrize("code", [0, -1, 2])
@pytest.mark.parametrize("sample", [None, 2])
def test_failures_are_raised(code, sample):
    capsule, _keep = foreign(code)
    for call in (
        lambda: evaluate.value(capsule, [1.0], sample),
        lambda: evaluate.gradient(capsule, [1.0], sample),
        lambda: evaluate.partial(capsule, [1.0], sample, 0),
    ):
        with pytest.raises(ObjectiveError, match="must return 1 for success, got"):
            call()
    assert evaluate.value(capsule, [1.0], 1) == 1.0


def test_strangers_are_refused():
    other, _keep = foreign(name=b"asysg.objective.v3")
    for stranger in (None, 3, other, ob.SineChain(3)):
        with pytest.raises(InvalidArgument, match="capsule must be a PyCapsule named"):
            evaluate.value(stranger, [1.0])
    with pytest.raises(TypeError, match="only a base"):
        _ = Kernel().capsule


def test_a_capsule_outlives_its_objective(built_case):
    f = built_case.case.build()
    x = built_case.points[1]
    expected = f.gradient(x, built_case.samples[1])
    capsule = f._capsule
    del f
    gc.collect()
    # Fill what may have been freed.
    _litter = [np.full(100 + k, np.nan) for k in range(300)]
    np.testing.assert_array_equal(evaluate.gradient(capsule, x, built_case.samples[1]), expected)
    del capsule
    gc.collect()


def test_objectives_pickle(built_case):
    f, x = built_case.f, built_case.points[1]
    twin = pickle.loads(pickle.dumps(f))
    sample = built_case.samples[1]
    np.testing.assert_array_equal(twin.gradient(x, sample), f.gradient(x, sample))
    assert (twin.n, twin.n_samples, twin.L, twin.sigma) == (f.n, f.n_samples, f.L, f.sigma)
    assert repr(twin) == repr(f)
