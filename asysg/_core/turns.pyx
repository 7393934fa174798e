"""Virtual workers that take turns: "sync" and "delayed" on a virtual clock.

The order of the updates is known beforehand, so no heap is needed. Update k is made by group
k % groups of the workers, each of whom sends a part: one group of all workers is the synchronous
method, groups of one worker are Agarwal and Duchi's. A group begins when its last update and
update k - 1 - delay are done; when all its messages are there and the update before is done, the
server takes the time that each message takes.

Its times are those of ``asysg.simulate.recursion.rounds`` and ``turns``, its updates those of
``recursion.sync`` and ``con``, to the last bit.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.math cimport NAN, INFINITY
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy, memset

from .abi cimport ASYSG_OBJECTIVE, ASYSG_OK, asysg_objective, gradients
from .draws cimport sample
from .pauses cimport Pause, busy_until
from .vector cimport asysg_axpy, asysg_step
from .worker cimport Entry, asysg_bin

import numpy as np

from .threads import LOG
from .timed import PAUSE


cdef class Turns:
    """A run of virtual workers that take turns.

    Parameters
    ----------
    capsule : PyCapsule
        The objective. Whoever owns it must outlive this object.
    x0 : ndarray of shape (n,), float64
        Copied.
    groups, parts : int
        Groups of workers and workers in each, >= 1; ``parts <= M``.
    delay : int
        Update k reads iterate k - delay (the first, iterate 0), >= 0.
    M : int
        Batch size, >= 1.
    key : tuple of two int
        Key of the counter-based draws; update k uses draw k.
    factor, pauses : ndarray of shape (at least groups * parts,)
        As for `Timed`.
    full : bool
        Keep a record of every update in `log`.
    clock : int
        Updates already done; `restore` brings back the rest.
    """

    cdef asysg_objective *f
    cdef uint64_t key0
    cdef uint64_t key1
    cdef int64_t M
    cdef int64_t groups
    cdef int64_t delay
    cdef bint full
    cdef readonly int64_t parts      # cycles of an update
    cdef readonly int64_t clock
    cdef readonly int64_t max_delay
    cdef readonly int64_t sum_delay
    cdef readonly int64_t recomputed
    cdef list keep
    cdef readonly object x
    cdef readonly object trouble
    cdef readonly object histogram
    cdef readonly object log
    cdef readonly object log_dtype
    cdef double[::1] x_view
    cdef int64_t[::1] counts
    cdef double[::1] g
    cdef double[::1] part
    cdef double[::1] work
    cdef uint64_t[::1] samples
    cdef double[::1] factor
    cdef Pause[::1] pauses
    cdef double[::1] done            # when update j was, in slot j % len(done)
    cdef double[:, ::1] iterates     # iterate j in row j % (delay + 1)

    def __init__(
        self, capsule, x0, *, groups, parts, delay, M, key, factor, pauses, full=False, clock=0
    ):
        self.keep = [capsule]
        self.f = <asysg_objective *> PyCapsule_GetPointer(capsule, ASYSG_OBJECTIVE)
        n = self.f.n
        if len(x0) != n or min(len(factor), len(pauses)) < groups * parts or parts > M:
            raise ValueError("x0 must have n entries, factor and pauses one a worker.")
        self.x = np.array(x0, dtype=np.float64)
        self.x_view = self.x
        self.key0, self.key1 = key
        self.M, self.groups, self.parts, self.delay = M, groups, parts, delay
        self.full, self.clock = full, clock
        self.trouble = self.log = None
        self.log_dtype = LOG
        self.g, self.part = np.zeros(n), np.zeros(n)
        self.work = np.zeros(max(1, self.f.work_size))
        self.samples = np.zeros(M, dtype=np.uint64)
        self.factor = np.array(factor, dtype=np.float64)
        self.pauses = np.array(pauses, dtype=PAUSE)
        self.done = np.zeros(max(groups, delay + 1))
        iterates = np.zeros((delay + 1, n))
        iterates[clock % (delay + 1)] = x0
        self.iterates = iterates
        self.histogram = np.zeros(64, dtype=np.int64)
        self.counts = self.histogram
        self.max_delay = self.sum_delay = self.recomputed = 0

    @property
    def cycles(self):
        """Cycles begun so far."""
        return self.clock * self.parts

    @property
    def now(self):
        """When the last update was done."""
        return self.done[(self.clock - 1) % len(self.done)] if self.clock else 0.0

    def advance(self, until, gamma, compute, other, server):
        """Run updates ``clock, ..., until - 1``, or as many as the times given suffice for.

        Parameters
        ----------
        until : int
        gamma : ndarray of shape (1,) or (at least until - clock,), float64
        compute, other, server : ndarray of shape (count,), float64
            Times of the cycles ``cycles, ..., cycles + count - 1``: of computing; of reading and
            sending; and of the server. Cycle c is part ``c % parts`` of update ``c // parts``.

        Ends early where the objective fails: see `trouble`.
        """
        cdef const double[::1] steps = gamma
        cdef const double[::1] computing = compute
        cdef const double[::1] others = other
        cdef const double[::1] serving = server
        cdef int64_t base = self.clock, k, start, at
        cdef int64_t end = min(until, base + len(compute) // self.parts)
        cdef int64_t stride = 0 if len(gamma) == 1 else 1, last
        cdef bint ok = True
        cdef Entry[::1] entries
        cdef Entry *entry = NULL
        if not len(compute) == len(other) == len(server):
            raise ValueError("every cycle must have three times.")
        if stride and len(gamma) < until - base:
            raise ValueError("gamma must have one entry, or one an update.")
        if self.full:
            self.log = np.zeros(max(0, end - base), dtype=LOG)
            if end > base:
                entries = self.log
                entry = &entries[0]
        with nogil:
            for k in range(base, end):
                start, at = max(0, k - self.delay), (k - base) * self.parts
                if not self.update(k, start, steps[(k - base) * stride]):
                    ok = False
                    break
                self.pass_time(k, &computing[at], &others[at], &serving[at])
                self.counts[asysg_bin(k - start)] += 1
                self.sum_delay += k - start
                self.max_delay = max(self.max_delay, k - start)
                last = (k % self.groups) * self.parts + self.parts - 1
                if self.full:
                    entry[k - base] = Entry(last, start, k, -1, NAN, NAN, NAN)
                self.clock = k + 1
        if not ok:
            self.trouble = "failed", (self.clock % self.groups) * self.parts, self.clock
        if self.full:
            self.log = self.log[: self.clock - base]

    cdef inline bint update(self, int64_t k, int64_t start, double step) noexcept nogil:
        """Do update k: the parts one after the other, added in the order of the workers."""
        cdef int64_t n = self.f.n, ring = self.delay + 1, part, m, first, last
        cdef double *g
        for part in range(self.parts):
            first, last = self.M * part // self.parts, self.M * (part + 1) // self.parts
            for m in range(first, last):
                self.samples[m] = sample(self.f, self.key0, self.key1, k, m)
            g = &self.part[0] if part else &self.g[0]
            memset(g, 0, n * sizeof(double))
            if gradients(
                self.f, &self.iterates[start % ring, 0], &self.samples[first], last - first,
                &self.work[0], g,
            ) != ASYSG_OK:
                return False
            if part:
                asysg_axpy(1.0, g, &self.g[0], n)
        asysg_step(step, &self.x_view[0], &self.g[0], n)
        memcpy(&self.iterates[(k + 1) % ring, 0], &self.x_view[0], n * sizeof(double))
        return True

    cdef inline void pass_time(
        self, int64_t k, const double *computing, const double *others, const double *serving
    ) noexcept nogil:
        """Find out when update k is done."""
        cdef int64_t size = self.done.shape[0], first = (k % self.groups) * self.parts, part, w
        cdef double t = 0.0, begin = 0.0, work
        if k:
            t = self.done[(k - 1) % size]
        if k >= self.groups:
            begin = self.done[(k - self.groups) % size]
        if k > self.delay:
            begin = max(begin, self.done[(k - 1 - self.delay) % size])
        for part in range(self.parts):
            w = first + part
            work = self.factor[w] * computing[part] + others[part]
            if self.pauses[w].stop == INFINITY:
                t = max(t, begin + work)
            else:
                t = max(t, busy_until(&self.pauses[w], begin, work))
        for part in range(self.parts):
            t += serving[part]
        self.done[k % size] = t

    @property
    def sums(self):
        """Sums of steplengths that adapt to delays, of which there are none here."""
        return 0.0, 0.0

    def pending(self):
        """Return what the next updates need besides x, as arrays to store."""
        return {"done": np.array(self.done), "iterates": np.array(self.iterates)}

    def restore(self, pending):
        """Go on from what `pending` returned at this `clock`.

        Raises ValueError if it belongs to another run.
        """
        for name, array in self.pending().items():
            if name not in pending or pending[name].shape != array.shape:
                raise ValueError("what was pending must have the shape it has in this run.")
        self.done = np.array(pending["done"], dtype=np.float64)
        self.iterates = np.array(pending["iterates"], dtype=np.float64)
