"""User data: every form gives the same function, sound data are not copied, others refused."""

import re

import numpy as np
import pytest
import scipy.sparse as sp

from asysg import objectives as ob
from asysg.errors import InvalidArgument

ROWS, N = 30, 12


def csr(index=np.int32):
    A = ob.synthetic.design(ROWS, N, density=0.4, rng=3)
    out = sp.csr_array(A.shape)
    out.data = A.data
    out.indices = A.indices.astype(index)
    out.indptr = A.indptr.astype(index)
    return out


def labels():
    return np.random.default_rng(4).uniform(0, 1, ROWS)


def arguments(f):
    """The arrays that the kernel points into: data, start, indices."""
    _, _, data, _, start, indices, *_ = f._kernel.__reduce__()[1]
    return data, start, indices


def evaluations(f):
    x = np.random.default_rng(5).standard_normal(f.n)
    out = [f.value(x), *f.gradient(x)]
    for j in range(f.n_samples):
        out += [f.value(x, j), *f.gradient(x, j), f.partial(x, j, j % f.n)]
    return np.array(out)


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize(
    "form", ["csr_array", "csr_matrix", "csc", "coo", "read-only", "memmap", "shuffled", "split"]
)
def test_sparse_forms_agree_to_the_last_bit(form, index, tmp_path):
    reference = evaluations(ob.SigmoidRegression(csr(), labels()))
    A = csr(index)
    if form == "csr_matrix":
        A = sp.csr_matrix(A)
    elif form == "csc":
        A = sp.csc_array(A)
    elif form == "coo":
        A = sp.coo_array(A)
    elif form == "read-only":
        for part in (A.data, A.indices, A.indptr):
            part.flags.writeable = False
    elif form == "memmap":
        for part in ("data", "indices", "indptr"):
            np.save(tmp_path / f"{part}.npy", getattr(A, part))
            setattr(A, part, np.load(tmp_path / f"{part}.npy", mmap_mode="r"))
    elif form == "shuffled":  # rows back to front
        for j in range(ROWS):
            row = slice(A.indptr[j], A.indptr[j + 1])
            A.indices[row] = A.indices[row][::-1].copy()
            A.data[row] = A.data[row][::-1].copy()
    elif form == "split":  # every entry stored as two halves
        start, width = A.indptr * 2, A.indptr[-1]
        halves = sp.csr_array(A.shape)
        halves.data, halves.indices = np.repeat(A.data / 2, 2), np.repeat(A.indices, 2)
        halves.indptr = start
        assert start[-1] == 2 * width
        A = halves
    before = (A.data.copy(), A.indices.copy()) if hasattr(A, "indices") else None
    f = ob.SigmoidRegression(A, labels())
    np.testing.assert_array_equal(evaluations(f), reference)
    exact = ob.SigmoidRegression(csr(), labels())
    for name in ("L", "L_max", "sigma"):
        assert getattr(f, name) == pytest.approx(getattr(exact, name), rel=1e-12)
    assert f.L_T(2) == pytest.approx(exact.L_T(2), rel=1e-12)
    if before is not None:  # converted, never changed
        np.testing.assert_array_equal(A.data, before[0])
        np.testing.assert_array_equal(A.indices, before[1])


def test_dense_and_sparse_agree_to_rounding():
    """Not to the last bit: a dense row adds up its zeros too, in another order."""
    sparse = evaluations(ob.SigmoidRegression(csr(), labels()))
    dense = evaluations(ob.SigmoidRegression(csr().toarray(), labels()))
    np.testing.assert_allclose(dense, sparse, rtol=1e-13, atol=1e-16)


@pytest.mark.parametrize("form", ["fortran", "float32", "list", "strided", "read-only", "memmap"])
def test_dense_forms_agree(form, tmp_path):
    A = np.random.default_rng(6).standard_normal((ROWS, N)).astype(np.float32).astype(np.float64)
    reference = evaluations(ob.SigmoidRegression(A, labels()))
    if form == "fortran":
        A = np.asfortranarray(A)
    elif form == "float32":
        A = A.astype(np.float32)
    elif form == "list":
        A = A.tolist()
    elif form == "strided":
        A = np.repeat(A, 2, axis=1)[:, ::2]
    elif form == "read-only":
        A.flags.writeable = False
    elif form == "memmap":
        np.save(tmp_path / "A.npy", A)
        A = np.load(tmp_path / "A.npy", mmap_mode="r")
    np.testing.assert_array_equal(evaluations(ob.SigmoidRegression(A, labels())), reference)


@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_sound_data_are_not_copied(index):
    A, y = csr(index), labels()
    f = ob.SigmoidRegression(A, y)
    data, _, indices = arguments(f)
    assert np.shares_memory(data, A.data)
    assert np.shares_memory(indices, A.indices)
    assert indices.dtype == index
    dense = A.toarray()
    assert np.shares_memory(arguments(ob.SigmoidRegression(dense, y))[0], dense)


def broken(**parts):
    A = csr()
    for name, value in parts.items():
        setattr(A, name, np.asarray(value, dtype=np.int32))
    return A


GOOD, Y = np.eye(2), np.array([0.0, 1.0])
WRONG_INDEX = csr().indices.copy()
WRONG_INDEX[3] = N
NEGATIVE_INDEX = csr().indices.copy()
NEGATIVE_INDEX[3] = -1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ob.SigmoidRegression([1.0, 2.0], Y), "A must be a non-empty matrix"),
        (lambda: ob.SigmoidRegression(np.zeros((0, 3)), []), "y must be a non-empty vector"),
        (lambda: ob.SineRegression(np.zeros((3, 0)), [0.0] * 3), "A must be a non-empty matrix"),
        (lambda: ob.SigmoidRegression(sp.csr_array((2, 0)), Y), "A must be a non-empty matrix"),
        (lambda: ob.SigmoidRegression("data", Y), "A must be a"),
        (lambda: ob.SigmoidRegression(GOOD * 1j, Y), "A must be real"),
        (lambda: ob.SigmoidRegression(sp.csr_array(GOOD * 1j), Y), "A must be real"),
        (lambda: ob.SigmoidRegression(GOOD * np.nan, Y), "A must be finite"),
        (lambda: ob.SigmoidRegression(sp.csr_array([[np.inf, 0], [0, 1]]), Y), "A must be finite"),
        (lambda: ob.SigmoidRegression(GOOD, [0.0]), "y must have shape"),
        (lambda: ob.SigmoidRegression(GOOD, [[0.0], [1.0]]), "y must be a non-empty vector"),
        (lambda: ob.SigmoidRegression(GOOD, [0.0, np.nan]), "y must be finite"),
        (lambda: ob.SigmoidRegression(GOOD, [1j, 0]), "y must be real"),
        (lambda: ob.SigmoidRegression(GOOD, ["a", "b"]), "y must be an array of numbers"),
        (lambda: ob.SigmoidRegression(GOOD, [-1.0, 1.0]), r"y must lie in \[0, 1\].*\(y \+ 1\)"),
        (lambda: ob.SigmoidRegression(GOOD, [0.0, 1.5]), r"y must lie in \[0, 1\], got 1.5"),
        (lambda: ob.NonconvexLogistic(GOOD, Y), r"y must be -1 or 1, got 0.0.*2 \* y - 1"),
        (lambda: ob.NonconvexLogistic(GOOD, [1, -1], reg=-1), "reg must be a finite number >= 0"),
        (lambda: ob.PhaseRetrieval(GOOD, [1.0, -1.0]), "y must be at least 0"),
        (lambda: ob.RobustRegression(GOOD, Y, loss="l2"), "loss must be one of 'welsch'"),
        (lambda: ob.RobustRegression(GOOD, Y, scale=0), "scale must be a finite number > 0"),
        (lambda: ob.SineRegression(broken(indices=WRONG_INDEX), labels()), "A must be a sound CSR"),
        (lambda: ob.SineRegression(broken(indices=NEGATIVE_INDEX), labels()), "A must be a sound"),
        (lambda: ob.SineRegression(broken(indptr=csr().indptr[::-1]), labels()), "A must be a sou"),
        (lambda: ob.SineRegression(broken(indptr=csr().indptr * 2), labels()), "A must be a sound"),
        (lambda: ob.SineRegression(broken(indptr=csr().indptr[:-1]), labels()), "A must be a sou"),
        (lambda: ob.SineRegression(broken(indices=csr().indices[:-1]), labels()), "A must be a so"),
        (lambda: ob.synthetic.design(0, 3), "n_samples must be an integer >= 1"),
        (lambda: ob.synthetic.design(3, 2.5), "n must be an integer >= 1"),
        (lambda: ob.synthetic.design(3, 3, density=0.0), "density must be a finite number > 0"),
        (lambda: ob.synthetic.design(3, 3, density=1.5), "density must be at most 1"),
        (lambda: ob.Quadratic([[1.0, 2.0], [0.0, 1.0]]), "H must be symmetric"),
        (lambda: ob.Quadratic([[1.0, 2.0]]), "H must be a non-empty vector"),
        (lambda: ob.Quadratic([[np.nan, 0], [0, 1.0]]), "H must be"),
        (lambda: ob.Quadratic([0.0, 0.0]), "H must not be zero"),
        (lambda: ob.Quadratic([1.0, 1.0], [0.0]), "x_star must be a vector of shape"),
        (lambda: ob.Quadratic.isotropic(0), "n must be an integer >= 1"),
        (lambda: ob.Quadratic.isotropic(2, L=0), "H must not be zero"),
        (lambda: ob.CosineQuadratic(True), "n must be an integer >= 1"),
        (lambda: ob.CosineQuadratic(2, curvature=0), "curvature must be a finite number > 0"),
        (lambda: ob.CosineQuadratic(2, height=-1), "height must be a finite number >= 0"),
        (lambda: ob.CosineQuadratic(2, frequency=0), "frequency must be a finite number > 0"),
        (lambda: ob.HuberCosine(2, slope=np.inf), "slope must be a finite number > 0"),
        (lambda: ob.RotatedCosineQuadratic(0), "n must be an integer >= 1"),
        (lambda: ob.SineChain(2, 0, 0, 0), "coupling must be > 0"),
        (lambda: ob.SineChain(2, -1), "pinning must be a finite number >= 0"),
        (lambda: ob.Synchronization(3, [(0, 3)], [0.0]), "edges must name nodes"),
        (lambda: ob.Synchronization(3, [(1, 1)], [0.0]), "edges must be distinct pairs"),
        (lambda: ob.Synchronization(3, [(0, 1), (1, 0)], [0, 0]), "edges must be distinct pairs"),
        (lambda: ob.Synchronization(3, [0, 1], [0.0]), "edges must be integers of shape"),
        (lambda: ob.Synchronization(3, [(0, 1)], [0.0, 1.0]), "phases must be a vector of sh"),
        (lambda: ob.Synchronization(3, [(0, 1)], [0.0], [0.0]), "weights must be positive"),
        (lambda: ob.Synchronization.planted(2), "n must be an integer >= 3"),
        (lambda: ob.Synchronization.planted(4, 4), "degree must be at most n - 1 = 3, got 4"),
        (lambda: ob.Network(np.ones(3), [0]), "X must be a non-empty matrix"),
        (lambda: ob.Network(GOOD, [0, -1]), "y must hold integers from 0"),
        (lambda: ob.Network(GOOD, [0.5, 1.0]), "y must hold integers from 0"),
        (lambda: ob.Network(GOOD, [0, 1, 1]), "y must have 2 rows"),
        (lambda: ob.Network(GOOD, [0, 5], n_outputs=3), "n_outputs must exceed the label"),
        (lambda: ob.Network(GOOD, GOOD, n_outputs=3), "n_outputs must be y.shape"),
        (lambda: ob.Network(GOOD * np.nan, [0, 1]), "X must be finite"),
        (lambda: ob.Network(GOOD, [0, 1], hidden=(0,)), "hidden must be an integer >= 1"),
        (lambda: ob.Network(GOOD, [0, 1], hidden=(2,) * 40), "hidden must name at most"),
        (lambda: ob.Network.planted(layers=(3,)), "layers must name inputs and outputs"),
        (lambda: ob.Network.planted(loss="hinge"), "loss must be one of"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(InvalidArgument, match=message) as caught:
        make()
    assert re.search(r", got .*\.$", str(caught.value), re.DOTALL)


def test_rows_without_entries_are_zero():
    A = sp.csr_array((3, 4))
    f = ob.SigmoidRegression(A, [0.0, 0.5, 1.0])
    assert f.value(np.ones(4)) == pytest.approx((0.25 + 0 + 0.25) / 3)
    assert not f.gradient(np.ones(4)).any()
    assert f.support(1).size == 0


@pytest.mark.parametrize("density", [None, 0.1, 0.9])
def test_planted_problems_are_reproducible_and_solved_by_the_hidden_point(density):
    for family in (ob.SigmoidRegression, ob.SineRegression, ob.RobustRegression):
        one, two = (family.planted(20, 15, density, rng=8) for _ in range(2))
        x = np.ones(15)
        assert one.value(x) == two.value(x)
        assert one.value(x) != family.planted(20, 15, density, rng=9).value(x)
    assert ob.NonconvexLogistic.planted(20, 15, density, rng=1, reg=0.5).reg == 0.5


def test_synthetic_rows_have_distinct_sorted_columns():
    for density in (0.02, 0.3, 1.0):
        A = ob.synthetic.design(200, 50, density=density, rng=0)
        assert A.has_canonical_format
        assert (np.diff(A.indptr) == round(50 * density)).all()


def test_the_default_network_has_the_papers_size():
    f = ob.Network.planted(5, rng=0)
    assert f.n == 46_380
    assert f.layers == (400, 100, 50, 20, 10)
    squared = ob.Network.planted(5, (6, 4, 3), loss="squared", rng=0)
    assert squared.value(squared.initial_point(rng=1)) > 0
    assert ob.Network([[1.0], [2.0]], [0, 1], n_outputs=4).layers[-1] == 4
