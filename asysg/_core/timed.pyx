"""Virtual workers on a virtual clock: the staleness comes out of their speeds.

Every worker repeats a cycle. At its begin it reads x and computes, which takes its time; then its
message waits at the server until those before it are done, is served, and becomes update number
k; the next cycle begins at that moment. A heap holds the times at which messages arrive. What a
worker will send is a function of what it has read, so it is computed when it is read, and no
worker needs a copy of x: AsySG-incon keeps one number a worker, a sparse gradient the entries of
its samples, a dense one n numbers. "downpour" keeps 2 n, since a replica goes on.

The order of events is ``asysg.simulate.recursion.schedule``, given the same times; the updates are
those of ``recursion.con``, ``incon`` and ``downpour`` with the delays that come out, to the last
bit.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.math cimport INFINITY, NAN
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy, memset

from .abi cimport ASYSG_OBJECTIVE, ASYSG_OK, asysg_objective, gradients
from .adaptive cimport shortened
from .draws cimport coordinate, index, reach, sample
from .pauses cimport Pause, busy_until
from .proximal cimport Proximal, asysg_prox, asysg_prox_once
from .vector cimport asysg_axpy, asysg_step
from .worker cimport Entry, asysg_bin

import numpy as np

from .threads import LOG

# A message on its way: when it arrives, and whose it is.
cdef struct Event:
    double time
    int64_t worker

# What a worker is busy with.
cdef struct Cycle:
    int64_t start    # the iterate it read
    int64_t pushed   # the updates it made of that
    int64_t draw
    int64_t updates  # that it has done
    double partial   # incon: what it will send

EVENT = np.dtype([("time", np.float64), ("worker", np.int64)])
CYCLE = np.dtype(
    [
        ("start", np.int64),
        ("pushed", np.int64),
        ("draw", np.int64),
        ("updates", np.int64),
        ("partial", np.float64),
    ]
)
PAUSE = np.dtype([("stop", np.float64), ("resume", np.float64), ("period", np.float64)])


cdef inline bint before(const Event *a, const Event *b) noexcept nogil:
    """Ties go to the worker of the smaller number."""
    return a.time < b.time or (a.time == b.time and a.worker < b.worker)


def bytes_per_worker(capsule, *, whole, M, local=False):
    """Return the memory that one virtual worker takes; `local`: with a replica of x."""
    cdef asysg_objective *f = <asysg_objective *> PyCapsule_GetPointer(capsule, ASYSG_OBJECTIVE)
    cdef int64_t[::1] scratch = np.zeros(max(1, f.support_size), dtype=np.int64)
    cdef int64_t width = 0
    if whole and not local:
        width = reach(f, &scratch[0])
    kept = 2 * f.n if local else f.n if width < 0 else M * width
    return EVENT.itemsize + CYCLE.itemsize + PAUSE.itemsize + 8 + 8 * kept


cdef class Timed:
    """A run of virtual workers.

    Parameters
    ----------
    capsule : PyCapsule
        The objective. Whoever owns it must outlive this object.
    x0 : ndarray of shape (n,), float64
        Copied.
    whole : bool
        True for AsySG-con and Hogwild, False for AsySG-incon.
    M, p, K : int
        Batch size, workers and updates, all >= 1.
    key : tuple of two int
        Key of the counter-based draws. Cycles take the draws 0..K-1 in the order in which they
        begin; who finds none left stops.
    max_delay : int
        Enforced bound of the delay; -1 for none.
    factor : ndarray of shape (p,), float64
        Times of computing are multiplied by it.
    pauses : ndarray of shape (p,), `PAUSE`
    full : bool
        Keep a record of every update in `log`.
    dry : bool
        Let time pass and compute nothing: only the delays come out.
    clock : int
        Updates already done; `restore` brings back the rest.
    slope : float
        Where it is above 0, no steplength exceeds 1/(slope delay).
    n_push, n_fetch : int
        "downpour": local steps of an update, of which M is a multiple, and between two reads of x,
        a multiple of `n_push`. Beyond 1 they need `whole` and a constant steplength.
    prox : Proximal, optional
        The proximal term, whose step ends every update; at the cost of n entries if `whole`.
    """

    cdef asysg_objective *f
    cdef uint64_t key0
    cdef uint64_t key1
    cdef bint whole
    cdef bint full
    cdef bint dry
    cdef bint local                # workers step on replicas
    cdef int64_t n_push
    cdef int64_t pushes
    cdef double step               # of the local steps
    cdef int64_t M
    cdef int64_t p
    cdef int64_t K
    cdef int64_t limit
    cdef int64_t width
    cdef readonly int64_t clock
    cdef readonly int64_t cycles   # begun so far; one also begins where no draw is left
    cdef readonly double now       # when the last update was done
    cdef readonly int64_t max_delay
    cdef readonly int64_t sum_delay
    cdef double slope
    cdef double sum_step
    cdef double sum_square
    cdef readonly int64_t recomputed
    cdef int64_t draws
    cdef int64_t started
    cdef int64_t waiting           # messages in the heap
    cdef double free               # when the server is
    cdef list keep
    cdef readonly object x
    cdef readonly object trouble
    cdef readonly object histogram
    cdef readonly object log
    cdef readonly object log_dtype
    cdef double[::1] x_view
    cdef int64_t[::1] counts
    cdef double[::1] g
    cdef double[::1] work
    cdef uint64_t[::1] samples
    cdef int64_t[::1] scratch
    cdef double[::1] factor
    cdef Pause[::1] pauses
    cdef Event[::1] heap
    cdef Cycle[::1] worker
    cdef double[:, ::1] values     # whole: what each worker will send
    cdef double[:, ::1] replicas   # local
    cdef const asysg_prox *prox

    def __init__(
        self, capsule, x0, *, whole, M, p, K, key, max_delay, factor, pauses, full=False,
        dry=False, clock=0, slope=0.0, n_push=1, n_fetch=1, Proximal prox=None
    ):
        self.keep = [capsule, prox]
        self.prox = NULL if prox is None else &prox.law
        self.f = <asysg_objective *> PyCapsule_GetPointer(capsule, ASYSG_OBJECTIVE)
        n = self.f.n
        if len(x0) != n or len(factor) != p or len(pauses) != p:
            raise ValueError("x0 must have n entries, factor and pauses one a worker.")
        self.x = np.array(x0, dtype=np.float64)
        self.x_view = self.x
        self.key0, self.key1 = key
        self.whole, self.full, self.dry = whole, full, dry
        self.M, self.p, self.K, self.limit = M, p, K, max_delay
        self.n_push, self.pushes, self.local = n_push, n_fetch // n_push, n_fetch > 1
        self.clock = clock
        self.cycles = self.draws = self.started = self.waiting = 0
        self.now = self.free = 0.0
        self.trouble = self.log = None
        self.log_dtype = LOG
        self.work = np.zeros(max(1, self.f.work_size))
        self.samples = np.zeros(M, dtype=np.uint64)
        self.scratch = np.zeros(max(1, self.f.support_size), dtype=np.int64)
        self.width = -1 if self.local else reach(self.f, &self.scratch[0]) if whole else 0
        kept = n if self.width < 0 else M * self.width
        self.g = np.zeros(n if self.width > 0 or self.local else 1)
        self.replicas = np.zeros((p, n) if self.local and not dry else (1, 1))
        self.values = np.zeros((p if whole and not dry else 1, max(1, kept)))
        self.factor = np.array(factor, dtype=np.float64)
        self.pauses = np.array(pauses, dtype=PAUSE)
        self.heap = np.zeros(p, dtype=EVENT)
        self.worker = np.zeros(p, dtype=CYCLE)
        self.histogram = np.zeros(64, dtype=np.int64)
        self.counts = self.histogram
        self.max_delay = self.sum_delay = self.recomputed = 0
        self.slope, self.sum_step, self.sum_square = slope, 0.0, 0.0

    def advance(self, until, gamma, compute, other, server):
        """Run updates ``clock, ..., until - 1``, or as many as the times given suffice for.

        Parameters
        ----------
        until : int
        gamma : ndarray of shape (1,) or (at least until - clock,), float64
        compute, other, server : ndarray of shape (count,), float64
            Times of the cycles ``cycles, ..., cycles + count - 1``: of computing; of reading
            and sending; and of the server, for the message that ends the cycle before.

        Ends early where the objective fails: see `trouble`.
        """
        cdef const double[::1] steps = gamma
        cdef const double[::1] computing = compute
        cdef const double[::1] others = other
        cdef const double[::1] serving = server
        cdef int64_t base = self.clock, first = self.cycles, end = until, c, w, k, tau
        cdef int64_t last = self.cycles + len(compute)
        cdef int64_t stride = 0 if len(gamma) == 1 else 1
        cdef double step
        cdef bint ok = True
        cdef Entry[::1] entries
        cdef Entry *entry = NULL
        cdef Event top
        if not len(compute) == len(other) == len(server):
            raise ValueError("every cycle must have three times.")
        if stride and len(gamma) < end - base:
            raise ValueError("gamma must have one entry, or one an update.")
        if self.local:
            self.step = steps[0]
        if self.full:
            self.log = np.zeros(max(0, end - base), dtype=LOG)
            if end > base:
                entries = self.log
                entry = &entries[0]
        with nogil:
            while self.cycles < last and self.clock < end:
                c = self.cycles - first
                if self.started < self.p and self.draws < self.K:
                    w = self.started
                    self.started += 1
                    ok = self.begin(w, self.next_draw(), False)
                    self.push(w, self.arrival(w, 0.0, computing[c], others[c]))
                    self.cycles += 1
                    if not ok:
                        break
                    continue
                top = self.heap[0]
                w = top.worker
                self.free = max(top.time, self.free) + serving[c]
                k = self.clock
                tau = k - self.worker[w].start
                if self.limit >= 0 and tau > self.limit:
                    self.recomputed += 1
                    self.worker[w].pushed = 0
                    ok = self.begin(w, self.worker[w].draw, False)
                    self.sift(self.arrival(w, self.free, computing[c], others[c]), w)
                else:
                    step = shortened(steps[(k - base) * stride], self.slope, tau)
                    self.sum_step += step
                    self.sum_square += step * step
                    self.apply(w, k, step, &entry[k - base])
                    self.tally(tau)
                    self.worker[w].updates += 1
                    self.now = self.free
                    self.clock = k + 1
                    if self.draws < self.K:
                        ok = self.begin(w, self.next_draw(), self.goes_on(w))
                        self.sift(self.arrival(w, self.free, computing[c], others[c]), w)
                    else:
                        self.waiting -= 1
                        top = self.heap[self.waiting]
                        self.sift(top.time, top.worker)
                self.cycles += 1
                if not ok:
                    break
        if not ok:
            self.trouble = "failed", w, self.clock
        if self.full:
            self.log = self.log[: self.clock - base]

    cdef inline int64_t next_draw(self) noexcept nogil:
        self.draws += 1
        return self.draws - 1

    cdef inline bint goes_on(self, int64_t w) noexcept nogil:
        """Whether worker w, which has just pushed, makes another push from its replica."""
        cdef Cycle *me = &self.worker[w]
        me.pushed += 1
        if me.pushed < self.pushes and (self.limit < 0 or self.clock - me.start <= self.limit):
            return True
        me.pushed = 0
        return False

    cdef inline void tally(self, int64_t tau) noexcept nogil:
        self.counts[asysg_bin(tau)] += 1
        self.sum_delay += tau
        if tau > self.max_delay:
            self.max_delay = tau

    cdef inline double arrival(
        self, int64_t w, double t, double computing, double other
    ) noexcept nogil:
        cdef double work = self.factor[w] * computing + other
        if self.pauses[w].stop == INFINITY:
            return t + work
        return busy_until(&self.pauses[w], t, work)

    cdef inline void push(self, int64_t w, double time) noexcept nogil:
        cdef int64_t at = self.waiting, up
        cdef Event event = Event(time, w)
        self.waiting += 1
        while at > 0:
            up = (at - 1) >> 1
            if not before(&event, &self.heap[up]):
                break
            self.heap[at] = self.heap[up]
            at = up
        self.heap[at] = event

    cdef inline void sift(self, double time, int64_t w) noexcept nogil:
        """Put this event in the place of the first."""
        cdef int64_t at = 0, down
        cdef Event event = Event(time, w)
        while True:
            down = 2 * at + 1
            if down >= self.waiting:
                break
            down += down + 1 < self.waiting and before(&self.heap[down + 1], &self.heap[down])
            if not before(&self.heap[down], &event):
                break
            self.heap[at] = self.heap[down]
            at = down
        if self.waiting > 0:
            self.heap[at] = event

    cdef inline bint begin(self, int64_t w, int64_t draw, bint goes_on) noexcept nogil:
        """Read x, unless the replica goes on, and compute what worker w will send."""
        cdef Cycle *me = &self.worker[w]
        cdef const void *idx = NULL
        cdef double *g
        cdef double found
        cdef int64_t m, t, j, count, at = 0
        cdef uint64_t s
        me.draw = draw
        if not goes_on:
            me.start = self.clock
        if self.dry:
            return True
        if self.local:
            return self.local_steps(w, draw, goes_on)
        if not self.whole:
            j = coordinate(self.f, self.key0, self.key1, draw)
            me.partial = 0.0
            for m in range(self.M):
                s = sample(self.f, self.key0, self.key1, draw, m)
                found = 0.0
                if self.f.partial(
                    self.f.self, &self.x_view[0], s, j, &self.work[0], &found
                ) != ASYSG_OK:
                    return False
                me.partial += found
            return True
        g = &self.g[0]
        if self.width < 0:
            g = &self.values[w, 0]
            memset(g, 0, self.f.n * sizeof(double))
        for m in range(self.M):
            self.samples[m] = sample(self.f, self.key0, self.key1, draw, m)
        if gradients(
            self.f, &self.x_view[0], &self.samples[0], self.M, &self.work[0], g
        ) != ASYSG_OK:
            return False
        if self.width < 0:
            return True
        for m in range(self.M):
            s = sample(self.f, self.key0, self.key1, draw, m)
            count = self.f.support(self.f.self, s, -1, &self.scratch[0], &idx)
            for t in range(count):
                j = index(self.f, idx, t)
                # An entry that samples share is kept once.
                self.values[w, at] = g[j]
                g[j] = 0.0
                at += 1
        return True

    cdef inline bint local_steps(self, int64_t w, int64_t draw, bint goes_on) noexcept nogil:
        """Step on the replica of worker w, once for each part of the minibatch."""
        cdef int64_t n = self.f.n, size = self.M // self.n_push, first = 0, m
        cdef double *replica = &self.replicas[w, 0]
        if not goes_on:
            memcpy(replica, &self.x_view[0], n * sizeof(double))
        memset(&self.values[w, 0], 0, n * sizeof(double))
        for m in range(self.M):
            self.samples[m] = sample(self.f, self.key0, self.key1, draw, m)
        while first < self.M:
            memset(&self.g[0], 0, n * sizeof(double))
            if gradients(
                self.f, replica, &self.samples[first], size, &self.work[0], &self.g[0]
            ) != ASYSG_OK:
                return False
            asysg_axpy(1.0, &self.g[0], &self.values[w, 0], n)
            asysg_step(self.step, replica, &self.g[0], n)
            first += size
        return True

    cdef inline void apply(self, int64_t w, int64_t k, double step, Entry *entry) noexcept nogil:
        """Make what worker w sends update k."""
        cdef Cycle *me = &self.worker[w]
        cdef const void *idx = NULL
        cdef int64_t m, t, j = -1, count, at = 0
        cdef double increment = NAN, old = NAN
        cdef uint64_t s
        if self.dry:
            return
        if not self.whole:
            j = coordinate(self.f, self.key0, self.key1, me.draw)
            increment, old = -(step * me.partial), self.x_view[j]
            self.x_view[j] += increment
        elif self.width < 0:
            for t in range(self.f.n):
                self.x_view[t] += -(step * self.values[w, t])
        else:
            for m in range(self.M):
                s = sample(self.f, self.key0, self.key1, me.draw, m)
                count = self.f.support(self.f.self, s, -1, &self.scratch[0], &idx)
                for t in range(count):
                    if self.values[w, at] != 0.0:
                        self.x_view[index(self.f, idx, t)] += -(step * self.values[w, at])
                    at += 1
        if self.prox is not NULL:
            # The step of entry j for AsySG-incon, else of all entries.
            for t in range(max(j, 0), j + 1 if j >= 0 else self.f.n):
                self.x_view[t] = asysg_prox_once(self.prox, t, self.M * step, self.x_view[t])
        if self.full:
            entry[0] = Entry(w, me.start, me.draw, j if not self.whole else -1, increment, old, old)

    @property
    def sums(self):
        """The sum of the steplengths and of their squares."""
        return self.sum_step, self.sum_square

    @property
    def updates_by_worker(self):
        """Updates done by each worker since the run began, shape (p,)."""
        return np.asarray(self.worker)["updates"]

    def pending(self):
        """Return what the next updates need besides x, as arrays to store."""
        return {
            "counters": np.array([self.cycles, self.draws, self.started, self.waiting]),
            "times": np.array([self.now, self.free]),
            "heap": np.array(self.heap),
            "worker": np.array(self.worker),
            "values": np.array(self.values),
            "replicas": np.array(self.replicas),
        }

    def restore(self, pending):
        """Go on from what `pending` returned at this `clock`.

        Raises ValueError if it belongs to another run.
        """
        for name, array in self.pending().items():
            if name not in pending or pending[name].shape != array.shape:
                raise ValueError("what was pending must have the shape it has in this run.")
        self.cycles, self.draws, self.started, self.waiting = pending["counters"].tolist()
        self.now, self.free = pending["times"].tolist()
        self.heap = np.array(pending["heap"], dtype=EVENT)
        self.worker = np.array(pending["worker"], dtype=CYCLE)
        self.values = np.array(pending["values"], dtype=np.float64)
        self.replicas = np.array(pending["replicas"], dtype=np.float64)
