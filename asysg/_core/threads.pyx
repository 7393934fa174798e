"""The methods on real threads.

``Threads.advance`` sends p workers into one parallel region; each repeats four steps,
*read, sample, compute, update*, until the agreed number of updates is done, and the region
ends with x exactly at that iterate. Between regions Python records, listens and stores.

Where the shared state may be touched, and in which order, is said in ``clock.h`` and
``atomic.h``; all else here is private to a worker. AsySG-con's server, replica mode, skip-ahead
and the lone worker have files of their own: ``server.pxd``, ``replica.pxd``, ``skip.pyx`` and
``alone.pxd``; so have the methods of other systems, ``served.pyx``, and x in single precision,
``single.pyx``.
"""

from cython cimport view
from cython.parallel cimport prange
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.math cimport NAN, isfinite
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset
from posix.stdlib cimport posix_memalign

from .abi cimport ASYSG_OBJECTIVE, ASYSG_OK, asysg_objective, gradients
from .alone cimport alone
from .clock cimport (
    ASYSG_LATE,
    ASYSG_NONE,
    asysg_cell,
    asysg_clock_done,
    asysg_clock_start,
    asysg_finite,
    asysg_peek,
    asysg_poke,
)
from .proximal cimport Lazy, Proximal, asysg_prox_step
from .replica cimport replica
from .rng cimport asysg_below, asysg_word
from .server cimport con
from .skip cimport Skip, skip_ahead
from .vector cimport asysg_step
from .worker cimport (
    CON,
    DELAYS,
    FAILED,
    HOGWILD,
    INCON,
    NO_CLOCK,
    READS,
    ROWS,
    UPDATES,
    Entry,
    Method,
    Run,
    Worker,
    asysg_team,
    clear,
    diverged,
    done,
    draw_samples,
    failed,
    index,
    next_draw,
    read,
    sample,
    steplength,
    support,
    ticket,
    wait,
    write,
)

import numpy as np

# An update's record, `Entry` again for NumPy.
LOG = np.dtype(
    [
        ("worker", np.int64),
        ("start", np.int64),
        ("draw", np.int64),
        ("coordinate", np.int64),
        ("increment", np.float64),
        ("before", np.float64),
        ("replaced", np.float64),
    ]
)
METHODS = {"asysg-incon": INCON, "asysg-con": CON, "sgd": CON, "hogwild": HOGWILD}
# Entries of x under one lock, at least and at most. 4 KiB: even a short x is no single queue.
# 16 KiB: a pass leaves what it has read and written in the nearest cache, and a lock that comes
# from another core costs little beside it.
SEGMENT, LARGEST_SEGMENT = 512, 2048
RECORDING = {False: NO_CLOCK, "sampled": DELAYS, "full": UPDATES, "full+reads": READS}


def segment_for(n):
    """Return how many entries of x to put under one lock: whole cache lines of 128 bytes."""
    return max(SEGMENT, min(LARGEST_SEGMENT, n // 32)) // 16 * 16


cdef void incon(Run *r, int64_t w, Worker *me) noexcept nogil:
    """AsySG-incon (Algorithm 2): one uniform coordinate, read and written without locks."""
    cdef int64_t i, m, k, start = 0
    cdef double g, increment, before, replaced = 0.0
    cdef uint64_t s
    cdef bint have_all
    while next_draw(r, me):
        i = <int64_t> asysg_below(asysg_word(r.key0, r.key1, me.draw, 0), r.f.n)
        while True:
            if r.recording:
                start = asysg_clock_start(&r.clock)
            g = 0.0
            have_all = False
            for m in range(r.M):
                s = sample(r, me.draw, m)
                have_all = read(r, me, s, i, m, have_all)
                if r.f.partial(r.f.self, me.xhat, s, i, me.work, &g) != ASYSG_OK:
                    failed(r, me)
                    return
            k = ticket(r, w, me, start)
            if k != ASYSG_LATE:
                break
        increment = -(steplength(r, me, k, k - start) * g)
        if not isfinite(increment):
            # Not written: x stays at the last finite iterate. The number k stays without update.
            diverged(r, me, k)
            if r.recording >= UPDATES:
                r.log[k - r.base] = Entry(w, start, me.draw, i, increment, NAN, NAN)
            asysg_clock_done(&r.clock, w)
            return
        before = write(r, me, i, increment, &replaced)
        done(r, w, me, k, start, i, increment, before, replaced)


cdef void hogwild(Run *r, int64_t w, Worker *me) noexcept nogil:
    """Hogwild (Niu et al. 2011): the samples' whole support, read and written without locks.

    One ticket an update, taken before its first write; the update is in x once its last entry
    is. `g` is zero between updates, so that an entry shared by samples is written once.
    """
    cdef int64_t j, t, m, k, count, start = 0
    cdef double step, replaced = 0.0
    cdef const void *idx = NULL
    cdef bint have_all, had_all
    while next_draw(r, me):
        while True:
            if r.recording:
                start = asysg_clock_start(&r.clock)
            me.seen = start if r.recording else me.draw
            have_all = False
            draw_samples(r, me)
            for m in range(r.M):
                had_all, have_all = have_all, read(r, me, me.samples[m], -1, m, have_all)
                if had_all:
                    continue  # it went with the first that read all of x
                if gradients(
                    r.f, me.xhat, me.samples + m, r.M - m if have_all else 1, me.work, me.g
                ) != ASYSG_OK:
                    failed(r, me)
                    return
            k = ticket(r, w, me, start)
            if k != ASYSG_LATE:
                break
            for m in range(r.M):
                clear(r, me, me.samples[m])
        step = steplength(r, me, k, k - start)
        for m in range(r.M):
            count = -1 if r.every else support(r, me, me.samples[m], -1, &idx)
            if count < 0 and r.alone:  # nobody else is there: several entries at a time
                if not asysg_finite(me.g, r.f.n):
                    diverged(r, me, k)
                if r.prox is NULL:
                    asysg_step(step, r.x, me.g, r.f.n)
                else:
                    asysg_prox_step(r.prox, step, r.M * step, r.x, me.g, 0, r.f.n)
                memset(me.g, 0, r.f.n * sizeof(double))
                break
            for t in range(r.f.n if count < 0 else count):
                j = t if count < 0 else index(r, idx, t)
                if me.g[j] != 0.0 or r.every:
                    if not isfinite(me.g[j]):
                        diverged(r, me, k)
                    write(r, me, j, -(step * me.g[j]), &replaced)
                    me.g[j] = 0.0
            if count < 0:
                break  # that was all of x
        done(r, w, me, k, start, -1, NAN, NAN, NAN)


cdef inline void work(Run *r, int64_t w, Worker *me, Method method) noexcept nogil:
    if r.kernel != NULL:
        r.kernel(r, w, me)
    elif r.batch:
        replica(r, w, me, method)
    elif r.skip != NULL:
        skip_ahead(r, w, me)
    elif (
        method != INCON and r.alone and r.M == 1 and r.f.descend != NULL and r.prox is NULL
        and r.recording < UPDATES
    ):
        alone(r, me, r.x)
    elif method == CON:
        con(r, w, me, r.x)
    elif method == INCON:
        incon(r, w, me)
    else:
        hogwild(r, w, me)


cdef class Threads:
    """A run on real threads: the shared x, the clock, and each worker's private memory.

    Parameters
    ----------
    capsule : PyCapsule
        The objective. Whoever owns it must outlive this object.
    x0 : ndarray of shape (n,), float64
        Copied.
    method : str
        A key of `METHODS`.
    M, p : int
        Batch size and number of workers, both >= 1.
    key : tuple of two int
        Key of the counter-based draws.
    max_delay : int
        Enforced bound of the delay; -1 for none.
    recording : bool or str
        A key of `RECORDING`: no clock, delays counted, every update logged, or its reads too.
    lossy : bool
        Write by load and store instead of an atomic add.
    sync_every : int
        Replica mode: each worker merges its private copy of x so many updates apart. 0: workers
        write to the shared x. Not for "asysg-con" and "sgd".
    clock : int
        Updates already done, where a run continues.
    segment : int, optional
        Entries of x under one lock, of AsySG-con's server or of replica mode, >= 1; by default
        what `segment_for` says.
    skip : Skip, optional
        Pass over the updates of "asysg-incon" that are zero by structure; not where every update
        is logged.
    slope : float
        Where it is above 0, no steplength exceeds 1/(slope delay), and their sums are kept. Needs
        the clock; not in replica mode, nor with `skip`.
    prox : Proximal, optional
        The proximal term. Not with `lossy`, `sync_every` or `skip`.
    lazy : bool
        "hogwild" with one `gamma`: make the proximal steps of an entry when it is next looked at.
    """

    def __cinit__(self, capsule, x0, *, p, **_):
        self.workers = <Worker *> calloc(p, sizeof(Worker))
        if self.workers is NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.workers)

    def __init__(
        self, capsule, x0, *, method, M, p, key, max_delay, recording, lossy=False,
        sync_every=0, clock=0, segment=None, Skip skip=None, slope=0.0, Proximal prox=None,
        lazy=False,
    ):
        cdef int64_t w, n, wide
        if slope and (sync_every or skip is not None or not recording):
            raise ValueError("slope needs a clock that every update looks at.")
        if prox is not None and (lossy or sync_every or skip is not None or (lazy and slope)):
            raise ValueError("prox needs atomic updates, and lazy steps a constant steplength.")
        self.keep = [capsule]
        self.method = METHODS[method]
        self.p = p
        self.first = clock
        self.team = 0
        self.r.f = <asysg_objective *> PyCapsule_GetPointer(capsule, ASYSG_OBJECTIVE)
        self.r.M = M
        self.r.key0, self.r.key1 = key
        self.r.max_delay = max_delay
        self.r.recording = RECORDING[recording]
        self.r.lossy = lossy
        self.r.slope = slope
        self.r.batch = sync_every
        self.r.alone = p == 1 and not sync_every and not lazy
        self.share, self.block = 1.0, 1
        if skip is not None:
            self.keep.append(skip)
            self.r.skip = &skip.law
            self.share, self.block = skip.share, skip.block
        n = self.r.f.n
        if len(x0) != n:
            raise ValueError(f"x0 must have {n} entries, got {len(x0)}.")
        self.x = self.x_view = self.shared(x0)
        self.r.x = &self.x_view[0]
        if prox is not None:
            self.keep.append(prox)
            self.r.prox = &prox.law
            self.r.every = not lazy
        if lazy:
            self.lazy = Lazy(prox, self.x, clock)
            self.r.counted = &self.lazy.counted[0]
            self.x = self.x.copy()  # up to date
        self.histograms = np.zeros((p, 128), dtype=np.int64)
        self.log = self.reads = None
        self.log_dtype = LOG

        # Cells, the slots, the locks of the segments.
        self.r.segment = min(segment or segment_for(n), n)
        self.r.segments = 0
        if self.method == CON or sync_every:
            self.r.segments = 1 + (n - 1) // self.r.segment
        cdef int64_t[:, ::1] cells = self.cells((4 + p + int(self.r.segments), 16), np.int64)
        self.r.clock.now = <asysg_cell *> &cells[0, 0]
        self.r.draws = <asysg_cell *> &cells[1, 0]
        self.r.stop = <asysg_cell *> &cells[2, 0]
        self.r.finished = <asysg_cell *> &cells[3, 0]
        self.r.clock.slot = <asysg_cell *> &cells[4, 0]
        if self.r.segments:
            self.r.locks = <asysg_cell *> &cells[4 + self.p, 0]
        self.r.clock.workers = p
        cells[0, 0] = cells[1, 0] = clock
        for w in range(p):
            cells[4 + w, 0] = ASYSG_NONE

        # Private memory, each part rounded up and padded by 128 bytes.
        cdef int64_t[:, ::1] histogram = self.histograms
        kept = M * n if self.r.recording == READS and not sync_every else 0
        base, rows = (n if sync_every else 0), (max(ROWS, M) if skip is not None else 0)
        sizes = (n, n, base, self.r.f.work_size, self.r.f.support_size, M, kept, rows)
        (
            _, g_at, base_at, work_at, scratch_at, samples_at, reads_at, rows_at, wide,
        ) = np.cumsum(
            [0] + [16 * (size // 16 + 2) for size in sizes]
        )
        cdef double[:, ::1] memory = self.cells((p, wide), np.float64)
        cdef Worker *worker
        for w in range(p):
            worker = &self.workers[w]
            worker.xhat = &memory[w, 0]
            worker.g = worker.xhat + <int64_t> g_at
            worker.base = worker.xhat + <int64_t> base_at
            worker.work = worker.xhat + <int64_t> work_at
            worker.scratch = worker.xhat + <int64_t> scratch_at
            worker.samples = <uint64_t *> (worker.xhat + <int64_t> samples_at)
            worker.reads = worker.xhat + <int64_t> reads_at
            worker.rows = <int64_t *> worker.xhat + <int64_t> rows_at
            worker.histogram = &histogram[w, 0]
        if self.r.alone and self.method != CON and self.r.recording != READS:
            self.workers[0].xhat = self.r.x

    def shared(self, x0, dtype=np.float64):
        """Return a copy of x0 on a 128-byte boundary.

        Nothing lies behind its last entry, so a sanitizer sees the first access past it.
        """
        cdef void *start = NULL
        size = len(x0) * np.dtype(dtype).itemsize
        if posix_memalign(&start, 128, size):
            raise MemoryError(f"x of {len(x0)} entries")
        cdef view.array raw = <char[:size]> <char *> start
        raw.callback_free_data = free
        x = np.asarray(raw).view(dtype)
        x[:] = x0
        return x

    def cells(self, shape, dtype):
        """Return a zeroed array that starts on a 128-byte boundary."""
        size = int(np.prod(shape))
        raw = np.zeros(size + 16, dtype=dtype)
        skip = -raw.ctypes.data % 128 // 8
        self.keep.append(raw)
        return raw[skip:skip + size].reshape(shape)

    def advance(self, until, gamma):
        """Run updates ``clock, ..., until - 1`` and return when all are in x.

        Parameters
        ----------
        until : int
        gamma : ndarray of shape (1,) or (until - clock,), float64
            The steplength of each of these updates.

        Ends early where the objective fails or an update is not finite: see `trouble`.

        In replica mode an update is made before its number is known, so that `gamma` must have
        one entry; so it must, and always the same, where proximal steps are lazy.
        """
        cdef const double[::1] steps = gamma
        cdef Run *r = &self.r
        cdef int64_t w, p = self.p
        cdef Method method = self.method
        cdef int team = 0
        cdef int64_t[:, ::1] entries
        cdef double[:, :, ::1] reads
        cdef Worker *workers = self.workers
        r.base = asysg_peek(r.clock.now)
        if until <= r.base:
            return
        r.until = until
        r.gamma = &steps[0]
        r.stride = 0 if len(gamma) == 1 else 1
        if len(gamma) != 1 and (r.batch or self.lazy is not None or len(gamma) != until - r.base):
            raise ValueError("gamma must have one entry, or one an update.")
        # Large enough to keep workers from each other's counter, small enough that all end
        # together. A lone worker takes the draws in their order.
        r.allotment = max(1, min(256, (until - r.base) // (16 * p)))
        r.least = max(1, min(r.batch, (until - r.base) // p) // 8)
        asysg_poke(r.draws, r.base // self.block)
        asysg_poke(r.finished, 0)
        if r.recording >= UPDATES:
            self.log = np.empty(until - r.base, dtype=LOG)
            entries = self.log.view(np.int64).reshape(until - r.base, -1)
            r.log = <Entry *> &entries[0, 0]
        if r.recording == READS:
            self.reads = np.empty((until - r.base, r.M, r.f.n))
            reads = self.reads
            r.reads = &reads[0, 0, 0]
        if r.batch:
            self.room()
        for w in range(p):
            workers[w].draw = workers[w].last = 0
        if p == 1:
            team = 1
            with nogil:
                work(r, 0, workers, method)
        else:
            for w in prange(p, nogil=True, num_threads=p, schedule="static", chunksize=1):
                team = asysg_team()  # lastprivate: the value of the last worker remains
                work(r, w, &workers[w], method)
                if team == p:
                    wait(r, p)
        self.team = team
        if r.recording == NO_CLOCK and method != CON:
            asysg_poke(r.clock.now, self.first + sum(self.updates_by_worker))
        if self.lazy is not None:
            self.lazy.t = r.M * r.gamma[0]
            self.lazy.settle(self.x, asysg_peek(r.clock.now))

    def pending(self):
        """Return what the next updates need besides x, as arrays to store."""
        return {} if self.lazy is None else self.lazy.pending()

    def restore(self, pending):
        """Go on from what `pending` returned at this `clock`."""
        if self.lazy is not None:
            self.lazy.restore(pending)

    cdef void room(self):
        """Make room for what the workers keep of a batch of this region until it has numbers."""
        cdef Run *r = &self.r
        cdef int64_t w, size = min(r.batch, r.until - r.base)
        cdef int64_t[:, :, ::1] entries
        cdef double[:, ::1] reads
        if r.recording >= UPDATES:
            pending = np.empty((self.p, size), dtype=LOG)
            self.unnumbered = [pending]
            entries = pending.view(np.int64).reshape(self.p, size, -1)
            for w in range(self.p):
                self.workers[w].log = <Entry *> &entries[w, 0, 0]
        if r.recording == READS:
            reads = np.empty((self.p, size * r.M * r.f.n))
            self.unnumbered.append(reads)
            for w in range(self.p):
                self.workers[w].reads = &reads[w, 0]

    @property
    def clock(self):
        """Updates done so far."""
        return asysg_peek(self.r.clock.now)

    @property
    def trouble(self):
        """None, or what ended the run early: ("failed" or "diverged", worker, update).

        The earliest update, where several workers were in trouble.
        """
        if not asysg_peek(self.r.stop):
            return None
        troubled = [w for w in range(self.p) if self.workers[w].trouble]
        k, w = min((self.workers[w].trouble_at, w) for w in troubled)
        return "failed" if self.workers[w].trouble == FAILED else "diverged", w, k

    @property
    def histogram(self):
        """Updates by delay, in log2 bins, shape (64,)."""
        return self.histograms[:, :64].sum(axis=0)

    @property
    def max_delay(self):
        """The largest recorded delay."""
        return max(self.workers[w].max_delay for w in range(self.p))

    @property
    def sum_delay(self):
        """The sum of all recorded delays."""
        return sum(self.workers[w].sum_delay for w in range(self.p))

    @property
    def recomputed(self):
        """How many gradients came too late for ``max_delay`` and were computed again."""
        return sum(self.workers[w].recomputed for w in range(self.p))

    @property
    def overwrites(self):
        """How many lossy writes overwrote another worker's update: each lost one or more."""
        return sum(self.workers[w].overwrites for w in range(self.p))

    @property
    def sums(self):
        """The sum of the steplengths and of their squares, where they adapt to delays."""
        return (
            sum(self.workers[w].sum_step for w in range(self.p)),
            sum(self.workers[w].sum_square for w in range(self.p)),
        )

    @property
    def updates_by_worker(self):
        """How many updates each worker did."""
        return [self.workers[w].updates for w in range(self.p)]
