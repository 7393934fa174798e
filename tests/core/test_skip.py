"""Skip-ahead does what its hits say, whatever the regions, the workers and the layout of the data.

That the hits have the right law is shown in tests/statistical/test_skip_law.py.
"""

import ctypes

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import sparse

import asysg
from asysg import objectives
from asysg._core.openmp import openmp_version
from asysg._core.skip import Skip, columns, structure
from asysg._core.threads import Threads
from asysg.errors import InvalidArgument

KEY = (2**64 - 5, 77)
WORKERS = 3 if openmp_version() else 1


def data(rng, N, n, density):
    """Normal entries, at least one."""
    there = rng.uniform(size=(N, n)) < density
    there[0, n // 2] = True
    return sparse.csr_array(np.where(there, rng.normal(size=(N, n)), 0.0))


def law_of(obj, M, turn=1):
    pattern = structure(obj._capsule)
    index = columns(obj._capsule, pattern[1]) if M > 1 else ()
    law = Skip(M, *pattern, *index)
    law.turn = turn
    return law


def engine(obj, x0, M, p=1, recording="sampled", max_delay=-1, turn=1, **options):
    return Threads(
        obj._capsule, x0, method="asysg-incon", M=M, p=p, key=KEY, max_delay=max_delay,
        recording=recording, skip=law_of(obj, M, turn), **options,
    )  # fmt: skip


problems = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**32),
        "N": st.integers(2, 12),
        "n": st.integers(1, 12),
        "density": st.sampled_from([0.05, 0.3, 1.0]),
        "M": st.sampled_from([1, 2, 5]),
        "K": st.integers(1, 600),
        "wide": st.booleans(),
        "packed": st.booleans(),
        "p": st.integers(1, WORKERS),
        "recording": st.sampled_from([False, "sampled"]),
        "constant": st.booleans(),
    }
)


class Problem:
    def __init__(self, seed, N, n, density, M, K, wide, packed, p, recording, constant):
        rng = np.random.default_rng(seed)
        A = data(rng, N, n, density)
        kind = np.int64 if wide else np.int32
        A.indices, A.indptr = A.indices.astype(kind), A.indptr.astype(kind)
        self.A = A
        self.obj = objectives.SigmoidRegression(A, rng.uniform(size=N), packed=packed)
        self.x0 = rng.normal(size=n)
        self.M, self.K, self.p, self.recording = M, K, p, recording
        self.gamma = np.full(K, 0.3) if constant else rng.uniform(0, 0.5, size=K)
        self.steps = self.gamma[:1] if constant else self.gamma
        self.cuts = sorted(rng.integers(0, K + 1, size=3).tolist())

    def oracle(self):
        """Apply the hits one by one."""
        x, clock = self.x0.copy(), []
        for draw, place, rows in law_of(self.obj, self.M).hits(KEY, self.K):
            i = place if self.M > 1 else self.A.indices[self.A.indptr[rows[0]] + place]
            assert all(i in self.obj.support(j) for j in rows)
            g = 0.0
            for j in rows:
                g += self.obj.partial(x, j, int(i))
            x[i] += -(self.gamma[draw] * g)
            clock.append(draw)
        assert clock == sorted(set(clock))
        return x


@given(problems)
def test_one_worker_does_the_hits_in_their_order_to_the_bit(drawn):
    p = Problem(**{**drawn, "p": 1})
    run = engine(p.obj, p.x0, p.M, recording=p.recording)
    begin = 0
    for stop in (*p.cuts, p.K):
        steps = p.steps if len(p.steps) == 1 and p.K > 1 else p.gamma[begin:stop]
        run.advance(stop, steps)
        assert run.clock == stop
        begin = stop
    np.testing.assert_array_equal(run.x, p.oracle())
    assert run.updates_by_worker == [p.K]
    assert run.histogram.sum() == (p.K if p.recording else 0)
    assert run.max_delay == run.sum_delay == 0
    # Another engine goes on from any clock.
    cut = p.cuts[1]
    first = engine(p.obj, p.x0, p.M, recording=p.recording)
    first.advance(cut, p.gamma[: max(cut, 1)])
    rest = engine(p.obj, first.x, p.M, recording=p.recording, clock=cut)
    rest.advance(p.K, p.gamma[cut:] if cut < p.K else p.gamma[:1])
    np.testing.assert_array_equal(rest.x, run.x)


@given(problems, st.sampled_from([-1, 0, 3, 1000]), st.sampled_from([1, 3, 16]))
def test_several_workers_do_the_same_hits_and_count_every_update(drawn, max_delay, turn):
    """At a steplength so small that x hardly moves, the sum of all updates is that of one."""
    p = Problem(**{**drawn, "p": WORKERS, "constant": True})
    recording = p.recording if max_delay < 0 else "sampled"
    many = engine(p.obj, p.x0, p.M, p.p, recording, max_delay, turn)
    one = engine(p.obj, p.x0, p.M)
    gamma = np.array([1e-7])
    for stop in (*p.cuts, p.K):
        many.advance(stop, gamma)
        assert many.clock == stop
    one.advance(p.K, gamma)
    assert sum(many.updates_by_worker) == p.K
    assert many.histogram.sum() == (p.K if recording else 0)
    moved, expected = many.x - p.x0, one.x - p.x0
    np.testing.assert_allclose(moved, expected, rtol=0, atol=1e-13 + 1e-4 * abs(expected).max())
    if max_delay >= 0:
        assert many.max_delay <= max_delay
    assert many.max_delay < p.K


@given(problems, st.sampled_from([1, 3, 16]), st.sampled_from([-1, 10**6]))
def test_the_hits_of_a_turn_read_those_before_them(drawn, turn, max_delay):
    """One block of draws is one worker's, so its reads must miss nothing, whatever the turns."""
    p = Problem(**{**drawn, "p": WORKERS, "recording": "sampled"})
    run = engine(p.obj, p.x0, p.M, p.p, "sampled", max_delay, turn)
    assume(p.K <= law_of(p.obj, p.M).block)
    run.advance(p.K, p.steps)
    np.testing.assert_array_equal(run.x, p.oracle())
    assert run.max_delay == 0


def test_a_full_column_and_rows_without_entries():
    A = sparse.csr_array(np.array([[1.0, 0, 0, 2], [0, 0, 0, 3], [0, 0, 0, 4]]))
    for M in (1, 3, 50):
        obj = objectives.SigmoidRegression(A, np.array([0.0, 1.0, 0.5]))
        law = law_of(obj, M)
        hits = law.hits(KEY, 2000)
        assert len(hits) > 100
        for _, place, rows in hits:
            if M > 1 and place == 3:
                assert len(rows) == M  # every sample hits
        run = engine(obj, np.zeros(4), M)
        run.advance(2000, np.array([0.1]))
        assert run.x[1] == run.x[2] == 0 != run.x[3]


def test_dense_rows_as_csr_hit_always():
    obj = objectives.SigmoidRegression(sparse.csr_array(np.ones((3, 2))), np.zeros(3))
    for M in (1, 4):
        law = law_of(obj, M)
        assert law.share == 1.0
        assert [draw for draw, *_ in law.hits(KEY, 500)] == list(range(500))


def test_the_index_is_counted():
    obj = objectives.SigmoidRegression.planted(50, 30, density=0.1, rng=0)
    (start, counts), nnz = structure(obj._capsule), 150
    column, rows = columns(obj._capsule, counts)
    assert start.tolist() == list(range(0, 151, 3))
    dense = obj._rows.toarray() != 0
    assert counts.tolist() == dense.sum(axis=0).tolist()
    for i in range(30):
        assert rows[column[i] : column[i + 1]].tolist() == np.flatnonzero(dense[:, i]).tolist()
    one, many = law_of(obj, 1), law_of(obj, 4)
    assert one.nbytes <= 8 * 51 + 4 * 102
    assert 4 * nnz + 8 * 31 * 2 <= many.nbytes <= 4 * nnz + 8 * 31 * 5 + 4 * 62


# --- the front door -------------------------------------------------------------------------------


def sparse_problem():
    return objectives.SigmoidRegression.planted(60, 40, density=0.05, rng=0)


def test_skips_where_it_pays():
    obj, x0 = sparse_problem(), np.zeros(40)
    run = {"steplength": 0.1, "n_threads": 1, "rng": 3}

    def skipped(f=obj, start=x0, **options):
        return asysg.minimize(f, start, **{**run, "n_updates": 500, **options}).skip_ahead

    assert skipped()
    assert skipped(record=False)
    assert skipped(batch_size=3)
    assert not skipped(skip_ahead=False)
    assert not skipped(record="full")
    assert not skipped(method="hogwild")
    assert not skipped(n_updates=59)  # fewer updates than samples
    assert skipped(n_updates=59, skip_ahead=True)
    assert not skipped(batch_size=100)  # nearly every update hits
    assert skipped(batch_size=100, skip_ahead=True)
    assert not skipped(objectives.CosineQuadratic(5), np.ones(5))


def test_turns_are_as_long_as_the_delay_allows(monkeypatch):
    """About 2 p turns fit in every bound of the delay."""
    obj, x0, found = sparse_problem(), np.zeros(40), []

    class Seen(Threads):
        def __init__(self, *args, skip, **options):
            found.append(skip)
            super().__init__(*args, skip=skip, **options)

    def turn(**options):
        asysg.minimize(obj, x0, skip_ahead=True, rng=3, **{"n_threads": 1, **options})
        return found[-1].turn

    monkeypatch.setattr("asysg._minimize.Threads", Seen)
    run = {"steplength": 0.1, "n_updates": 500}
    assert turn(**run) == 8
    share = found[-1].share  # 0.05
    assert turn(**run, max_delay=0) == 1
    assert turn(**run, max_delay=199) == round(200 * share / 2) == 5
    assert turn(**run, max_delay=199, n_threads=WORKERS) == round(200 * share / (2 * WORKERS))
    assert turn(**run, max_delay=10**6) == 8
    assert turn(steplength="prescribed", n_updates=40_000) == round(200 * share / 2)
    assert turn(steplength="prescribed", n_updates=40_000, max_delay=99) == round(100 * share / 2)
    c = obj.constants(x0, T=119)
    for_T = asysg.theory.incon.prescribe(c, K=40_000, M=1, T=119, form="plus")
    assert turn(steplength=for_T) == round(120 * share / 2)


def test_refused_where_it_cannot_be():
    obj, x0 = sparse_problem(), np.zeros(40)
    regularised = objectives.NonconvexLogistic.planted(60, 40, density=0.05, rng=0)
    for f, start, options, why in (
        (obj, x0, {"method": "hogwild"}, "not of one coordinate"),
        (obj, x0, {"record": "full"}, "logs every update"),
        (obj, x0, {"record": "full+reads"}, "logs every update"),
        (regularised, x0, {}, "a regulariser acts on every coordinate"),
        (objectives.CosineQuadratic(5), np.ones(5), {}, "a stream"),
        (objectives.SigmoidRegression(np.eye(3), np.zeros(3)), np.zeros(3), {}, "are dense"),
        (
            objectives.SigmoidRegression(sparse.csr_array((3, 3)), np.zeros(3)), np.zeros(3), {},
            "zero everywhere",
        ),
    ):  # fmt: skip
        with pytest.raises(InvalidArgument, match=f"skip_ahead must be None or False.*{why}"):
            asysg.minimize(
                f, start, steplength=0.1, n_updates=100, n_threads=1, skip_ahead=True, **options
            )
    with pytest.raises(InvalidArgument, match="skip_ahead must be one of"):
        asysg.minimize(obj, x0, steplength=0.1, n_updates=100, skip_ahead=1)


@pytest.mark.parametrize("M", [1, 3])
def test_the_certificate_is_that_of_the_plain_loop(M):
    """Same prescription, K, T and bound; what is measured differs by chance alone."""
    obj, x0 = sparse_problem(), np.zeros(40)
    skipped, plain = (
        asysg.minimize(
            obj, x0, n_updates=20_000, batch_size=M, n_threads=1, rng=1, skip_ahead=choice
        )
        for choice in (True, False)
    )
    assert (skipped.skip_ahead, plain.skip_ahead) == (True, False)
    assert skipped.steplength == plain.steplength
    assert skipped.nit == plain.nit == skipped.certificate.K
    assert skipped.certificate.bound == plain.certificate.bound
    assert skipped.certificate.T == plain.certificate.T == 0
    assert skipped.certificate.holds
    np.testing.assert_array_equal(skipped.staleness.histogram, plain.staleness.histogram)
    assert skipped.n_gradients == plain.n_gradients


def test_a_checkpoint_goes_on_to_the_same_bits(tmp_path):
    obj, x0 = sparse_problem(), np.zeros(40)
    run = {"steplength": lambda k: 0.5 / k**0.5, "n_updates": 30_000, "n_threads": 1, "rng": 4}
    whole = asysg.minimize(obj, x0, **run)
    stop = {"at": 0}

    def pause(intermediate):
        stop["at"] = intermediate.nit
        if intermediate.nit > 12_345:
            raise StopIteration

    path = tmp_path / "run"
    part = asysg.minimize(obj, x0, callback=pause, checkpoint=path, **run)
    assert part.status == "stopped"
    assert 12_345 < part.nit < 30_000
    rest = asysg.minimize(obj, x0, checkpoint=path, **run)
    assert whole.skip_ahead
    assert rest.nit == 30_000
    np.testing.assert_array_equal(rest.x, whole.x)
    with pytest.raises(InvalidArgument, match="skip_ahead is True where this run's is False"):
        asysg.minimize(obj, x0, checkpoint=path, skip_ahead=False, **run)


@pytest.mark.parametrize("n_threads", [1, WORKERS])
@pytest.mark.parametrize("record", [False, "sampled"])
def test_divergence_is_noticed(n_threads, record):
    A = sparse.csr_array(np.diag([1e60, 1.0, 1.0, 1.0, 1.0]))
    obj = objectives.SineRegression(A, np.ones(5))
    res = asysg.minimize(
        obj, np.full(5, 0.1), steplength=1e300, n_updates=5000, n_threads=n_threads,
        record=record, rng=0, skip_ahead=True,
    )  # fmt: skip
    assert res.status == "diverged"
    assert np.isfinite(res.x).all()


@pytest.mark.parametrize("p", [1, WORKERS])
def test_a_delay_is_prescribed_for_and_enforced(p):
    obj = sparse_problem()
    res = asysg.minimize(obj, np.zeros(40), n_updates=20_000, n_threads=p, max_delay=50, rng=0)
    assert res.skip_ahead
    assert res.certificate.holds
    assert res.staleness.max <= 50


def test_an_index_that_comes_twice_is_not_skipped_over():
    """Whoever compiles an objective may hand out such a support; its law would be another."""
    SUPPORT = ctypes.CFUNCTYPE(
        ctypes.c_int64, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_int64,
        ctypes.POINTER(ctypes.c_int64), ctypes.POINTER(ctypes.c_void_p),
    )  # fmt: skip

    class Struct(ctypes.Structure):
        _fields_ = (
            ("self", ctypes.c_void_p),
            *(
                (name, ctypes.c_int64)
                for name in ["n", "N", "work_size", "support_size", "index_size"]
            ),
            *((name, ctypes.c_void_p) for name in ["value", "gradient", "partial"]),
            ("support", SUPPORT),
            *((name, ctypes.c_void_p) for name in ["value_", "gradient_", "descend", "touch"]),
            ("minibatch", ctypes.c_void_p),
            ("batch_size", ctypes.c_int64),
            *((name, ctypes.c_void_p) for name in ["full_partial", "full_support"]),
        )

    @SUPPORT
    def twice(self, sample, i, scratch, idx):
        scratch[0] = scratch[1] = 1
        idx[0] = ctypes.cast(scratch, ctypes.c_void_p)
        return 2

    struct = Struct(None, 3, 2, 0, 2, 8, None, None, None, twice, None, None, None, None)
    new = ctypes.pythonapi.PyCapsule_New
    new.restype = ctypes.py_object
    new.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
    name = b"asysg.objective.v4"
    assert "twice" in structure(new(ctypes.addressof(struct), name, None))
