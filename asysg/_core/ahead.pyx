"""Given delays without a history: every read is made when x is the iterate it reads.

Update k reads iterate ``k - tau``, and tau is known beforehand. So update k is *filed* under the
iterate it will read; when x has become that iterate what update k needs of it is taken, and kept
until update k is applied. AsySG-incon keeps the partial derivative itself, one number a sample;
AsySG-con the entries of x that the sample looks at, from which its gradient is computed in the
order of the samples, as the specification does. Either way the bits are those of
``asysg.simulate.recursion``, at a cost an update that does not depend on the delays.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memset

from .abi cimport ASYSG_OBJECTIVE, ASYSG_OK, asysg_objective
from .adaptive cimport shortened
from .draws cimport coordinate, index, reach, sample
from .proximal cimport Proximal, asysg_prox, asysg_prox_once, asysg_prox_step
from .worker cimport asysg_bin

import numpy as np

# One read: sample m of the update in slot `slot` is node slot * M + m.
cdef struct Node:
    double partial  # incon: what it found
    int32_t next    # the next read of the same iterate, -1 after the last
    int32_t slot

NODE = np.dtype([("partial", np.float64), ("next", np.int32), ("slot", np.int32)])

# Updates filed at once beyond the largest delay, and doubles of reads kept for them.
cdef enum:
    BLOCK = 4096
    DOUBLES = 1 << 18


def sparse(capsule):
    """Whether the gradient of every sample looks at known entries of x only."""
    cdef asysg_objective *f = <asysg_objective *> PyCapsule_GetPointer(capsule, ASYSG_OBJECTIVE)
    cdef int64_t[::1] scratch = np.zeros(max(1, f.support_size), dtype=np.int64)
    return reach(f, &scratch[0]) >= 0


cdef class Ahead:
    """A run in which update k reads the iterate that its delay says.

    Parameters
    ----------
    capsule : PyCapsule
        The objective. Whoever owns it must outlive this object.
    x0 : ndarray of shape (n,), float64
        Copied.
    whole : bool
        True for AsySG-con, of an objective that is `sparse`; False for AsySG-incon.
    M, T, K : int
        Batch size (>= 1), the largest delay that will occur (>= 0) and the number of updates.
    key : tuple of two int
        Key of the counter-based draws; update k uses draw k.
    clock : int
        Updates already done; `restore` brings back what was pending then.
    slope : float
        Where it is above 0, no steplength exceeds 1/(slope delay).
    prox : Proximal, optional
        The proximal term, whose step ends every update; at the cost of n entries if `whole`.
    """

    cdef asysg_objective *f
    cdef uint64_t key0
    cdef uint64_t key1
    cdef bint whole
    cdef int64_t M
    cdef int64_t T
    cdef int64_t K
    cdef int64_t mask
    cdef int64_t width
    cdef readonly int64_t block
    cdef readonly int64_t clock
    cdef readonly int64_t filed
    cdef readonly int64_t max_delay
    cdef readonly int64_t sum_delay
    cdef double slope
    cdef double sum_step
    cdef double sum_square
    cdef list keep
    cdef readonly object x
    cdef readonly object trouble
    cdef readonly object histogram
    cdef double[::1] x_view
    cdef int64_t[::1] counts
    cdef double[::1] g
    cdef double[::1] work
    cdef double[::1] xhat
    cdef int64_t[::1] scratch
    # Slot k % ring: the update k, from when it is filed until it is done.
    cdef Node[::1] nodes
    cdef int32_t[::1] delay
    cdef int32_t[::1] first  # slot r % ring: the first read of iterate r
    cdef double[:, ::1] reads
    cdef const asysg_prox *prox

    def __init__(
        self, capsule, x0, *, whole, M, T, K, key, clock=0, slope=0.0, Proximal prox=None
    ):
        self.keep = [capsule, prox]
        self.prox = NULL if prox is None else &prox.law
        self.f = <asysg_objective *> PyCapsule_GetPointer(capsule, ASYSG_OBJECTIVE)
        cdef int64_t n = self.f.n, ring = 1
        if len(x0) != n:
            raise ValueError(f"x0 must have {n} entries, got {len(x0)}.")
        self.x = np.array(x0, dtype=np.float64)
        self.x_view = self.x
        self.key0, self.key1 = key
        self.whole, self.M, self.T, self.K = whole, M, T, K
        self.clock = self.filed = clock
        self.trouble = None
        self.work = np.zeros(max(1, self.f.work_size))
        self.scratch = np.zeros(max(1, self.f.support_size), dtype=np.int64)
        self.width = reach(self.f, &self.scratch[0]) if whole else 0
        if self.width < 0:
            raise ValueError("whole updates need an objective of known support.")
        self.block = min(BLOCK, max(16, DOUBLES // max(1, M * self.width)))
        while ring < T + self.block:
            ring *= 2
        if ring * M >= 2**31:
            raise OverflowError(f"T * M must be below 2**31, got T = {T} and M = {M}.")
        self.mask = ring - 1
        self.nodes = np.zeros(ring * M, dtype=NODE)
        self.delay = np.zeros(ring, dtype=np.int32)
        self.first = np.full(ring, -1, dtype=np.int32)
        if whole:
            self.g, self.xhat = np.zeros(n), np.zeros(n)
            self.reads = np.zeros((ring * M, max(1, self.width)))
        self.histogram = np.zeros(64, dtype=np.int64)
        self.counts = self.histogram
        self.max_delay = self.sum_delay = 0
        self.slope, self.sum_step, self.sum_square = slope, 0.0, 0.0

    def file(self, delays):
        """File the updates ``filed, filed + 1, ...`` under the iterates they read.

        Parameters
        ----------
        delays : ndarray of shape (count, M), int64
            Entry (k, m), in 0..T: sample m of that update reads the iterate so many updates
            back (cut at the first iterate). At most `block` rows beyond ``clock + T``, and none
            beyond K.
        """
        cdef const int64_t[:, ::1] tau = delays
        cdef int64_t count = tau.shape[0], j, k, m, r, node, largest
        if tau.shape[1] != self.M or self.filed + count > min(
            self.K, self.clock + self.mask + 1
        ):
            raise ValueError("delays must have one row an update and no more than there is room.")
        for j in range(count):
            for m in range(self.M):
                if not 0 <= tau[j, m] <= self.T:
                    raise ValueError(f"delays must lie in 0..{self.T}.")
        with nogil:
            for j in range(count):
                k = self.filed + j
                largest = 0
                for m in range(self.M):
                    r = min(k, tau[j, m])
                    largest = max(largest, r)
                    r = (k - r) & self.mask
                    node = (k & self.mask) * self.M + m
                    self.nodes[node].slot = <int32_t> (k & self.mask)
                    self.nodes[node].next = self.first[r]
                    self.first[r] = <int32_t> node
                # An update is as stale as the oldest read it is made of.
                self.delay[k & self.mask] = <int32_t> largest
            self.filed += count

    def advance(self, until, gamma):
        """Run updates ``clock, ..., until - 1``.

        Parameters
        ----------
        until : int
            All updates that read an iterate before it must be filed: those before
            ``min(K, until + T)``.
        gamma : ndarray of shape (1,) or (until - clock,), float64

        Ends early where the objective fails: see `trouble`.
        """
        cdef const double[::1] steps = gamma
        cdef int64_t base = self.clock, end = until, k, tau
        cdef int64_t stride = 0 if len(gamma) == 1 else 1
        cdef double step
        cdef bint ok = True
        if len(gamma) not in (1, max(0, end - base)):
            raise ValueError("gamma must have one entry, or one an update.")
        if self.filed < min(self.K, end + self.T):
            raise ValueError("updates must be filed before what they read is over.")
        with nogil:
            for k in range(base, end):
                tau = self.delay[k & self.mask]
                step = shortened(steps[(k - base) * stride], self.slope, tau)
                ok = self.read(k) and (
                    self.con(k, step) if self.whole else self.incon(k, step)
                )
                if not ok:
                    break
                self.counts[asysg_bin(tau)] += 1
                self.sum_delay += tau
                self.sum_step += step
                self.sum_square += step * step
                if tau > self.max_delay:
                    self.max_delay = tau
                self.clock = k + 1
        if not ok:
            self.trouble = "failed", 0, self.clock

    cdef inline bint read(self, int64_t r) noexcept nogil:
        """Take what is needed of iterate r, which x is now."""
        cdef int64_t slot = r & self.mask, node = self.first[slot], k, m, t, count
        cdef const void *idx = NULL
        cdef uint64_t s
        self.first[slot] = -1
        while node >= 0:
            k = r + ((self.nodes[node].slot - slot) & self.mask)
            m = node - self.nodes[node].slot * self.M
            s = sample(self.f, self.key0, self.key1, k, m)
            if self.whole:
                count = self.f.support(self.f.self, s, -1, &self.scratch[0], &idx)
                for t in range(count):
                    self.reads[node, t] = self.x_view[index(self.f, idx, t)]
            else:
                self.nodes[node].partial = 0.0
                if self.f.partial(
                    self.f.self,
                    &self.x_view[0],
                    s,
                    coordinate(self.f, self.key0, self.key1, k),
                    &self.work[0],
                    &self.nodes[node].partial,
                ) != ASYSG_OK:
                    return False
            node = self.nodes[node].next
        return True

    cdef inline bint incon(self, int64_t k, double step) noexcept nogil:
        cdef int64_t m, node = (k & self.mask) * self.M
        cdef double g = 0.0
        for m in range(self.M):
            g += self.nodes[node + m].partial
        self.x_view[coordinate(self.f, self.key0, self.key1, k)] += -(step * g)
        if self.prox is not NULL:
            m = coordinate(self.f, self.key0, self.key1, k)
            self.x_view[m] = asysg_prox_once(self.prox, m, self.M * step, self.x_view[m])
        return True

    cdef inline bint con(self, int64_t k, double step) noexcept nogil:
        cdef int64_t m, t, j, count, node = (k & self.mask) * self.M
        cdef const void *idx = NULL
        cdef uint64_t s
        for m in range(self.M):
            s = sample(self.f, self.key0, self.key1, k, m)
            count = self.f.support(self.f.self, s, -1, &self.scratch[0], &idx)
            for t in range(count):
                self.xhat[index(self.f, idx, t)] = self.reads[node + m, t]
            if self.f.gradient(
                self.f.self, &self.xhat[0], s, &self.work[0], &self.g[0]
            ) != ASYSG_OK:
                return False
        if self.prox is not NULL:
            asysg_prox_step(
                self.prox, step, self.M * step, &self.x_view[0], &self.g[0], 0, self.f.n
            )
            memset(&self.g[0], 0, self.f.n * sizeof(double))
            return True
        for m in range(self.M):
            s = sample(self.f, self.key0, self.key1, k, m)
            count = self.f.support(self.f.self, s, -1, &self.scratch[0], &idx)
            for t in range(count):
                j = index(self.f, idx, t)
                if self.g[j] != 0.0:  # an entry that samples share is written once
                    self.x_view[j] += -(step * self.g[j])
                    self.g[j] = 0.0
        return True

    @property
    def sums(self):
        """The sum of the steplengths and of their squares."""
        return self.sum_step, self.sum_square

    def pending(self):
        """Return what the next updates need besides x, as arrays to store."""
        return {
            "filed": np.array([self.filed]),
            "nodes": np.array(self.nodes),
            "delay": np.array(self.delay),
            "first": np.array(self.first),
            "reads": np.array(self.reads) if self.whole else np.zeros((0, 0)),
        }

    def restore(self, pending):
        """Go on from what `pending` returned at this `clock`.

        Raises ValueError if it belongs to another run.
        """
        mine = self.pending()
        for name, array in mine.items():
            if name not in pending or pending[name].shape != array.shape:
                raise ValueError("what was pending must have the shape it has in this run.")
        self.filed = pending["filed"][0]
        self.nodes = np.array(pending["nodes"], dtype=NODE)
        self.delay = np.array(pending["delay"], dtype=np.int32)
        self.first = np.array(pending["first"], dtype=np.int32)
        if self.whole:
            self.reads = np.array(pending["reads"], dtype=np.float64)
