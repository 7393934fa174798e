"""Compiled objectives of a user: numba, Cython, C by ctypes, addresses; and what is refused."""

import ctypes
import importlib.util
import pickle
import subprocess
import sys
import sysconfig
from pathlib import Path

import numba
import numpy as np
import pytest
import scipy.sparse
from scipy import LowLevelCallable

import asysg
from asysg import InvalidArgument, ObjectiveError, objectives, simulate
from asysg.objectives import SigmoidRegression, from_lowlevel, signature
from asysg.objectives._signature import complaint
from asysg.simulate import delays

DOUBLES = ctypes.POINTER(ctypes.c_double)
N, n = 60, 12
RNG = np.random.default_rng(5)
A = scipy.sparse.random_array((N, n), density=0.3, rng=RNG, format="csr")
A.data = RNG.standard_normal(A.nnz)
DENSE = A.toarray()
y = (RNG.random(N) < 0.5).astype(float)
X = RNG.standard_normal(n)
values, columns, start = A.data, A.indices, A.indptr


@numba.cfunc(signature("numba", row=True))
def row_gradient(x, g, count, sample, row):
    z = 0.0
    for t in range(count):
        z += row[t] * x[t]
    s = 1 / (1 + np.exp(-z))
    for t in range(count):
        g[t] += 2 * (s - row[count]) * s * (1 - s) * row[t]
    return 1


@numba.cfunc(signature("numba", "value", row=True))
def row_value(x, out, count, sample, row):
    z = 0.0
    for t in range(count):
        z += row[t] * x[t]
    out[0] = (1 / (1 + np.exp(-z)) - row[count]) ** 2
    return 1


@numba.cfunc(signature("numba", "partial", row=True))
def row_partial(x, out, count, sample, i, row):
    z = 0.0
    for t in range(count):
        z += row[t] * x[t]
    s = 1 / (1 + np.exp(-z))
    out[0] = 2 * (s - row[count]) * s * (1 - s) * row[i]
    return 1


@numba.cfunc(signature("numba"))
def looked_up(x, g, count, sample, user_data):
    z = 0.0
    for e in range(start[sample], start[sample + 1]):
        z += values[e] * x[columns[e]]
    s = 1 / (1 + np.exp(-z))
    for e in range(start[sample], start[sample + 1]):
        g[columns[e]] += 2 * (s - y[sample]) * s * (1 - s) * values[e]
    return 1


def made(kind, **options):
    if kind == "support":
        return from_lowlevel(looked_up, n=n, n_samples=N, support=A, **options)
    data = DENSE if kind == "dense" else A
    return from_lowlevel(row_gradient, A=data, y=y, value=row_value, **options)


KINDS = ("dense", "sparse", "support")


@pytest.mark.parametrize("checked", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_equal_to_the_built_in_one(kind, checked):
    ours = SigmoidRegression(DENSE if kind == "dense" else A, y)
    for theirs in (made(kind, checked=checked), made(kind)):
        if kind != "support":
            assert theirs.value(X) == pytest.approx(ours.value(X), rel=1e-13)
            assert theirs.value(X, 7) == pytest.approx(ours.value(X, 7), rel=1e-13)
        for sample in (None, 0, N - 1):
            np.testing.assert_allclose(
                theirs.gradient(X, sample), ours.gradient(X, sample), rtol=1e-12, atol=1e-15
            )
            for i in range(n):
                expected = ours.partial(X, sample, i)
                assert theirs.partial(X, sample, i) == pytest.approx(expected, rel=1e-12, abs=1e-15)
        for sample in range(N):
            for i in range(-1, n):
                expected = ours.support(sample, i)
                found = theirs.support(sample, i)
                assert (found is None) == (expected is None)
                if found is not None:
                    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_a_partial_of_ones_own_is_used(kind):
    ours = SigmoidRegression(DENSE if kind == "dense" else A, y)
    theirs = made(kind, partial=row_partial)
    for i in range(n):
        expected = ours.partial(X, 3, i)
        assert theirs.partial(X, 3, i) == pytest.approx(expected, rel=1e-12, abs=1e-15)


METHODS = ("sgd", "asysg-con", "asysg-incon", "hogwild", "asyscd", "sync", "delayed", "downpour")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_method_takes_it_and_ends_where_the_built_in_one_does(kind, method):
    ours = SigmoidRegression(DENSE if kind == "dense" else A, y)
    run = {"method": method, "steplength": 0.2, "n_updates": 400, "rng": 3}
    for M in (1, 3)[: 1 if method == "asyscd" else 2]:
        mine = asysg.minimize(ours, X, n_threads=1, batch_size=M, **run)
        res = asysg.minimize(made(kind), X, n_threads=1, batch_size=M, **run)
        np.testing.assert_allclose(res.x, mine.x, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(res.trace.grad_norm_sq, mine.trace.grad_norm_sq, rtol=1e-7)
    if method != "sgd":
        two = asysg.minimize(made(kind), X, n_threads=2, **run)
        assert (two.success, two.nit, two.n_threads_used) == (True, 400, 2)


@pytest.mark.parametrize("update", ["atomic", "replica", "lossy"])
def test_ways_to_write(update):
    run = {"method": "hogwild", "update": update, "steplength": 0.2, "n_updates": 5000, "rng": 0}
    res = asysg.minimize(made("sparse"), X, n_threads=2, **run)
    assert res.success
    assert res.fun < SigmoidRegression(A, y).value(X)


def test_virtual_workers_and_a_replay():
    run = {"method": "asysg-con", "delays": delays.uniform(4), "steplength": 0.1, "n_updates": 300}
    mine = simulate.minimize(SigmoidRegression(A, y), X, rng=1, **run)
    res = simulate.minimize(made("sparse"), X, rng=1, **run)
    np.testing.assert_allclose(res.x, mine.x, rtol=1e-9)
    recorded = asysg.minimize(
        made("sparse"), X, steplength=0.1, n_updates=200, n_threads=1, record="full", rng=0
    )
    assert simulate.replay(recorded).exact


def test_without_a_value_the_trace_has_norms_alone():
    f = made("support")
    with pytest.raises(InvalidArgument, match="value must be given"):
        f.value(X)
    res = asysg.minimize(f, X, steplength=0.1, n_updates=500, n_threads=1, rng=0)
    assert np.isnan(res.fun)
    assert np.isnan(res.trace.f).all()
    assert np.isfinite(res.trace.grad_norm_sq).all()
    assert res.success


# Where functions come from.

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


def test_data_that_do_not_fit_are_refused():
    def refused(match, **given):
        with pytest.raises(InvalidArgument, match=match):
            from_lowlevel(row_gradient, **given)

    refused("n must be an integer", n_samples=3)
    refused("n_samples must be an integer", n=3, n_samples=0)
    refused("n must be that of A", A=A, n=n + 1)
    refused("y must have shape", A=A, y=y[1:])
    refused("y must be left out", n=n, n_samples=N, y=y)
    refused("support must be left out", A=A, support=A)
    refused("user_data must be left out", A=A, user_data=y)
    refused("user_data must be a contiguous array", n=n, n_samples=N, user_data=[1.0])
    refused("support must be CSR of shape", n=n, n_samples=N, support=A.tocsc())
    refused("support must be CSR of shape", n=n, n_samples=N + 1, support=A)
    refused("support must be a sparse matrix", n=n, n_samples=N, support=DENSE)
    refused("support must have 60 rows", n=n, n_samples=N, support=(start[:-1], columns))
    refused("support must have rows of incr", n=n, n_samples=N, support=(start, columns[::-1]))
    refused("support must have vectors", n=n, n_samples=N, support=(start, values))
    refused("constants must be", A=A, constants=3)
    refused("checked must be", A=A, checked=1)


def test_it_cannot_be_pickled_and_says_so():
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(made("sparse"))


# Failures.


@numba.cfunc(signature("numba"))
def raises(x, g, count, sample, user_data):
    if sample == 3 and x[0] != 0.0:
        raise ZeroDivisionError("three")
    g[sample] += 1.0 + x[sample]
    return 1


@numba.cfunc(signature("numba"))
def steep(x, g, count, sample, user_data):
    if x[0] < -50.0:
        return 7
    g[0] += 1.0
    return 1


@pytest.fixture
def unraisable(monkeypatch):
    """What numba writes of an exception, which nobody could catch."""
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", lambda one: seen.append(one.exc_value))
    return seen


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("method", ["asysg-incon", "asysg-con", "hogwild", "sync"])
def test_a_numba_function_that_raises_ends_the_run_with_the_sample_named(method, p, unraisable):
    f = from_lowlevel(raises, n=5, n_samples=5)
    run = {"method": method, "steplength": 0.1, "n_threads": p, "n_records": 1, "rng": 0}
    res = asysg.minimize(f, np.zeros(5), n_updates=100_000, **run)
    assert res.status == "failed"
    assert "gradient returned another value than 1" in res.message
    assert "at sample 3." in res.message
    assert np.isfinite(res.x).all()
    assert res.nit < 100_000
    assert res.staleness.histogram.sum() == res.nit
    with pytest.raises(ObjectiveError, match="at sample 3"):
        res.raise_if_failed()
    with pytest.raises(ObjectiveError, match="at sample 3"):
        f.gradient(np.ones(5))
    with pytest.raises(ObjectiveError, match="at sample 3"):
        asysg.minimize(f, np.ones(5), n_updates=10, **run)
    assert {str(one) for one in unraisable} == {"three"}


def test_a_failure_where_f_is_recorded_keeps_what_was_done():
    f = from_lowlevel(steep, n=1, n_samples=1)
    run = {"steplength": 1.0, "n_updates": 100, "n_threads": 1, "method": "hogwild"}
    seen = []
    res = asysg.minimize(f, [0.0], n_records=100, callback=seen.append, rng=0, **run)
    assert (res.status, res.nit) == ("failed", 51)
    assert "was to be evaluated after k = 51" in res.message
    assert res.x == [-51.0]
    assert len(seen) == 51
    assert not res.success


def fault(what):
    @numba.cfunc(signature("numba"))
    def gradient(x, g, count, sample, user_data):
        g[sample] += 1.0
        if sample == 2:
            if what == 0:
                g[sample] = np.nan
            elif what == 1:
                g[0] += 1.0
            elif what == 2:
                x[sample] = 5.0
            elif what == 3:
                g[sample] += x[0]
        return 1

    return gradient


FAULTS = (
    (0, "without storing a finite number, or read x outside of its support"),
    (1, "outside of its support"),
    (2, "wrote into x"),
    (3, "read x outside of its support"),
)


@pytest.mark.parametrize(("what", "why"), FAULTS)
def test_checked_calls_find_faults(what, why):
    support = scipy.sparse.eye_array(4, format="csr")
    options = {"n": 4, "n_samples": 4, "checked": True}
    f = from_lowlevel(fault(what), support=support, **options)
    assert f.gradient(np.zeros(4), 1).tolist() == [0, 1, 0, 0]
    with pytest.raises(ObjectiveError, match=f"{why} at sample 2"):
        f.gradient(np.zeros(4), 2)
    sound = from_lowlevel(fault(4), support=support, **options)
    assert sound.gradient(np.zeros(4)).tolist() == [0.25] * 4
    res = asysg.minimize(
        sound, np.zeros(4), steplength=0.1, n_updates=50, n_threads=1, method="hogwild", rng=0
    )
    assert res.success


def test_checked_values_and_partials_must_be_stored():
    @numba.cfunc(signature("numba"))
    def nothing(x, out, count, sample, user_data):
        return 1

    @numba.cfunc(signature("numba", "partial"))
    def nothing_either(x, out, count, sample, i, user_data):
        return 1

    f = from_lowlevel(
        fault(4), n=4, n_samples=4, value=nothing, partial=nothing_either, checked=True
    )
    with pytest.raises(ObjectiveError, match="value returned 1 without storing"):
        f.value(np.zeros(4), 1)
    with pytest.raises(ObjectiveError, match="partial returned 1 without storing"):
        f.partial(np.zeros(4), 1, 0)


def test_a_checked_run_that_diverges_has_not_failed():
    @numba.cfunc(signature("numba"))
    def explosive(x, g, count, sample, user_data):
        g[0] -= x[0] * 1e200
        return 1

    f = from_lowlevel(explosive, n=1, n_samples=1, checked=True)
    res = asysg.minimize(f, [1.0], steplength=1.0, n_updates=9, n_threads=1, method="hogwild")
    assert res.status in ("diverged", "failed")
    assert np.isfinite(res.x).all()


def test_given_constants_are_used_and_certificates_carry_their_mark(tmp_path):
    estimated = objectives.check(made("sparse"), X).constants
    f = made("sparse", constants=estimated)
    assert f.constants(X) == estimated
    assert (f.L, f.sigma) == (estimated.L, estimated.sigma)
    with pytest.raises(InvalidArgument, match=r"objectives\.check"):
        asysg.minimize(made("sparse"), X, n_updates=10)
    res = asysg.minimize(f, X, n_updates=20_000, n_threads=2, max_delay=8, rng=0)
    assert "ESTIMATED" in res.certificate.explain()
    res.to_json(tmp_path / "run.json")
    again = asysg.verify.load(tmp_path / "run.json")
    assert again.constants.estimated
    descent = asysg.minimize(f, X, method="asyscd", n_updates=500, n_threads=1, rng=0)
    assert descent.certificate.constants.sigma == 0
    assert descent.certificate.constants.estimated
