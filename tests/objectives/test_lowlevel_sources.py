"""Where compiled functions come from: C, Cython, numba, SciPy, addresses; spellings; strangers."""

import ctypes
import importlib.util
import subprocess
import sys
import sysconfig
from pathlib import Path

import numba
import numpy as np
import pytest
from scipy import LowLevelCallable

import asysg
from asysg import InvalidArgument
from asysg.objectives import from_lowlevel, signature
from asysg.objectives._signature import complaint

DOUBLES = ctypes.POINTER(ctypes.c_double)
SOURCE = """
struct data { double scale; const double *centre; };
int gradient(const double *x, double *g, long n, long sample, void *user_data)
{
    const struct data *d = user_data;
    g[sample] += d->scale * (x[sample] - d->centre[sample]);
    return 1;
}
int value(const double *x, double *out, long n, long sample, void *user_data)
{
    const struct data *d = user_data;
    double r = x[sample] - d->centre[sample];
    *out = d->scale * r * r / 2;
    return 1;
}
"""


class Data(ctypes.Structure):
    _fields_ = (("scale", ctypes.c_double), ("centre", DOUBLES))


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("library")
    (folder / "own.c").write_text(SOURCE)
    compiler = (sysconfig.get_config_var("CC") or "cc").split()
    target = folder / "own.so"
    subprocess.run(
        [*compiler, "-O2", "-shared", "-fPIC", "own.c", "-o", str(target)], cwd=folder, check=True
    )
    return ctypes.CDLL(str(target))


CENTRE = np.array([1.0, 2.0, 4.0])


def holds(f):
    assert f.gradient(np.zeros(3)).tolist() == pytest.approx([-2 / 3, -4 / 3, -8 / 3])
    res = asysg.minimize(f, np.zeros(3), steplength=0.3, n_updates=3000, n_threads=2, rng=0)
    np.testing.assert_allclose(res.x, CENTRE, atol=1e-9)


def test_ctypes_with_a_structure_as_user_data(library):
    spelt = "int (const double *x, double *g, long n, long sample, void *user_data)"
    data = Data(2.0, CENTRE.ctypes.data_as(DOUBLES))
    options = {"n": 3, "n_samples": 3, "user_data": data}
    with pytest.raises(InvalidArgument, match="set its argtypes"):
        from_lowlevel(library.gradient, **options)
    f = from_lowlevel((library.gradient, spelt), value=(library.value, spelt), **options)
    del data, options  # kept alive by the objective
    holds(f)
    assert f.value(np.zeros(3)) == pytest.approx((1 + 4 + 16) / 3)


def test_ctypes_with_types_an_address_and_scipy(library):
    function = library.gradient
    kind = signature("ctypes")
    function.argtypes, function.restype = kind._argtypes_, kind._restype_
    data = Data(2.0, CENTRE.ctypes.data_as(DOUBLES))
    address = ctypes.cast(function, ctypes.c_void_p).value
    spelt = "int (double *, double *, int64_t, int64_t, void *)"
    pointer = ctypes.cast(ctypes.byref(data), ctypes.c_void_p)
    shape = {"n": 3, "n_samples": 3}
    for made in (
        from_lowlevel(function, user_data=data, **shape),
        from_lowlevel((address, spelt), user_data=ctypes.addressof(data), **shape),
        from_lowlevel(LowLevelCallable(function, pointer), **shape),
        from_lowlevel(function, user_data=pointer, **shape),
        from_lowlevel(function, user_data=ctypes.pointer(data), **shape),
    ):
        holds(made)


def test_numba_with_a_record_as_user_data():
    kind = np.dtype([("scale", np.float64), ("centre", np.float64, (3,))])
    record = np.array([(2.0, CENTRE)], dtype=kind)

    @numba.cfunc(signature("numba"))
    def gradient(x, g, count, sample, user_data):
        data = numba.carray(user_data, 1, dtype=kind)
        g[sample] += data[0].scale * (x[sample] - data[0].centre[sample])
        return 1

    for function in (gradient, LowLevelCallable(gradient.ctypes)):
        holds(from_lowlevel(function, n=3, n_samples=3, user_data=record))


CYTHON = """
from libc.stdint cimport int64_t
cimport numpy as cnp

cdef api int gradient(
    const double *x, double *g, long n, long sample, void *user_data
) noexcept nogil:
    cdef const double *centre = <const double *>user_data
    g[sample] += 2.0 * (x[sample] - centre[sample])
    return 1

cdef api int fixed(
    double *x, double *g, int64_t n, int64_t sample, void *user_data
) noexcept nogil:
    return gradient(x, g, n, sample, user_data)

cdef api int sized(
    double *x, double *g, Py_ssize_t n, Py_ssize_t sample, double *user_data
) noexcept nogil:
    return gradient(x, g, n, sample, user_data)

cdef api int longer(
    double *x, double *g, long long n, long long sample, void *user_data
) noexcept nogil:
    return gradient(x, g, n, sample, user_data)

cdef api int numpys(
    const cnp.float64_t *x, cnp.float64_t *g, cnp.npy_intp n, cnp.int64_t sample, void *user_data
) noexcept nogil:
    return gradient(x, g, n, sample, user_data)

cdef api int wrong(double *x, double *g, int n, long sample, void *user_data) noexcept nogil:
    return 1
"""
SETUP = """
import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
setup(
    name="own",
    ext_modules=cythonize(
        [Extension("own", ["own.pyx"], include_dirs=[numpy.get_include()])], language_level=3
    ),
)
"""


@pytest.fixture(scope="module")
def capsules(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cython")
    (folder / "own.pyx").write_text(CYTHON)
    (folder / "setup.py").write_text(SETUP)
    subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--inplace"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    path = next(Path(folder).glob("own.*.so"))
    spec = importlib.util.spec_from_file_location("own", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.__pyx_capi__, module


def test_every_spelling_of_cython(capsules):
    found, module = capsules
    for name in ("gradient", "fixed", "sized", "longer", "numpys"):
        holds(from_lowlevel(found[name], n=3, n_samples=3, user_data=CENTRE))
    scipys = LowLevelCallable.from_cython(module, "gradient")
    holds(from_lowlevel(scipys, n=3, n_samples=3, user_data=CENTRE))
    with pytest.raises(InvalidArgument, match="argument 3 must be long, not int"):
        from_lowlevel(found["wrong"], n=3, n_samples=3)


@pytest.mark.parametrize(
    "spelt",
    [
        "int (double *, double *, long, long, void *)",
        "int (double const *, double *, long, long, void *)",
        "int (const double*, double*, int64_t, npy_intp, void*)",
        "int32_t(double *x, double *restrict g, long long n, ssize_t sample, void *user_data)",
        "int (*)(double *, double *, longlong, ptrdiff_t, struct data *)",
        "signed int f(double x[], double g[], long int n, signed long sample, const void *data)",
        "int (__pyx_t_5numpy_float64_t const *, __pyx_t_5numpy_float64_t *, "
        "__pyx_t_5numpy_int64_t, npy_intp, void *)",
    ],
)
def test_spellings(spelt):
    assert complaint(spelt, "gradient") is None


@pytest.mark.parametrize(
    ("spelt", "why"),
    [
        ("void (double *, double *, long, long, void *)", "must return int, not void"),
        ("double (double *, double *, long, long, void *)", "must return int, not double"),
        ("int (double *, double *, long, long)", "5 arguments, not 4"),
        ("int (void)", "5 arguments, not 0"),
        ("int (double *, double const *, long, long, void *)", "argument 2 must be double *"),
        ("int (float *, double *, long, long, void *)", "argument 1 must be const double *"),
        ("int (double **, double *, long, long, void *)", "argument 1 must be const double *"),
        ("int (double *, double *, unsigned long, long, void *)", "argument 3 must be long"),
        ("int (double *, double *, long, int, void *)", "argument 4 must be long"),
        ("int (double *, double *, long, long, long)", "argument 5 must be void *"),
        ("nothing", "no signature"),
    ],
)
def test_other_signatures_are_refused(spelt, why):
    with pytest.raises(InvalidArgument, match="f must be a function 'int gradient") as caught:
        from_lowlevel((1, spelt), n=1, n_samples=1)
    assert why in str(caught.value)


def test_what_is_no_compiled_function_is_refused():
    for wrong in (3, None, "f", object(), (3, 4), (0, "int (void)"), (1,)):
        with pytest.raises(InvalidArgument, match="f must be a function"):
            from_lowlevel(wrong, n=1, n_samples=1)
    with pytest.raises(InvalidArgument, match="from_callable"):
        from_lowlevel(lambda x, j: x, n=1, n_samples=1)
    with pytest.raises(InvalidArgument, match=r"use numba\.cfunc"):
        from_lowlevel(numba.njit(lambda x: x), n=1, n_samples=1)
