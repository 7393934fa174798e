"""The recursions of both algorithms with given delays, compiled.

The twin of ``asysg.simulate.recursion`` (the specification in NumPy), equal to it to the last
bit: same operations, same order. With every delay 0 it is serial stochastic gradient.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcpy, memset

from .abi cimport ASYSG_OBJECTIVE, ASYSG_OK, asysg_objective, gradients
from .adaptive cimport shortened
from .draws cimport coordinate, sample
from .proximal cimport Proximal, asysg_prox, asysg_prox_once, asysg_prox_step
from .worker cimport asysg_bin

import numpy as np


cdef class Recursion:
    """A run in which update k reads what the given delays say.

    Parameters
    ----------
    capsule : PyCapsule
        The objective. Whoever owns it must outlive this object.
    x0 : ndarray of shape (n,), float64
        Copied.
    whole : bool
        True for AsySG-con, False for AsySG-incon.
    M, T : int
        Batch size (>= 1) and the largest delay that will occur (>= 0).
    key : tuple of two int
        Key of the counter-based draws; update k uses draw k.
    clock : int
        Updates already done; `restore` brings back the history of then.
    slope : float
        Where it is above 0, no steplength exceeds 1/(slope delay).
    prox : Proximal, optional
        The proximal term, whose step ends every update.
    """

    cdef asysg_objective *f
    cdef uint64_t key0
    cdef uint64_t key1
    cdef bint whole
    cdef int64_t M
    cdef int64_t T
    cdef readonly int64_t clock
    cdef readonly int64_t max_delay
    cdef readonly int64_t sum_delay
    cdef double slope
    cdef double sum_step
    cdef double sum_square
    cdef list keep
    cdef readonly object x
    cdef readonly object trouble
    cdef readonly object histogram
    cdef int64_t[::1] counts
    cdef double[::1] x_view
    cdef double[::1] g
    cdef double[::1] work
    cdef uint64_t[::1] samples
    # con: the last T + 1 iterates, iterate k in row k % (T + 1).
    cdef double[:, ::1] iterates
    # incon: the iterate k - T, and the updates since, update j in slot j % T.
    cdef double[::1] oldest
    cdef int64_t[::1] coordinates
    cdef double[::1] increments
    cdef double[::1] saved
    cdef const asysg_prox *prox
    cdef double[::1] steps  # incon, with a proximal term: t of update j in slot j % T

    def __init__(
        self, capsule, x0, *, whole, M, T, key, clock=0, slope=0.0, Proximal prox=None
    ):
        self.keep = [capsule, prox]
        self.f = <asysg_objective *> PyCapsule_GetPointer(capsule, ASYSG_OBJECTIVE)
        n = self.f.n
        if len(x0) != n:
            raise ValueError(f"x0 must have {n} entries, got {len(x0)}.")
        self.x = np.array(x0, dtype=np.float64)
        self.x_view = self.x
        self.key0, self.key1 = key
        self.whole, self.M, self.T = whole, M, T
        self.clock = clock
        self.trouble = None
        self.g = np.zeros(n)
        self.work = np.zeros(max(1, self.f.work_size))
        self.samples = np.zeros(M, dtype=np.uint64)
        self.histogram = np.zeros(64, dtype=np.int64)
        self.counts = self.histogram
        self.max_delay = self.sum_delay = 0
        self.slope, self.sum_step, self.sum_square = slope, 0.0, 0.0
        if whole:
            self.iterates = np.zeros((T + 1, n))
        else:
            self.oldest = self.x.copy()
            self.coordinates = np.zeros(max(1, T), dtype=np.int64)
            self.increments = np.zeros(max(1, T))
            self.saved = np.zeros(max(1, T))
        self.prox = NULL if prox is None else &prox.law
        self.steps = np.zeros(max(1, T) if prox is not None else 0)

    def advance(self, until, gamma, delays, seen=None, draws=None):
        """Run updates ``clock, ..., until - 1``.

        Parameters
        ----------
        until : int
        gamma : ndarray of shape (1,) or (until - clock,), float64
        delays : ndarray of shape (until - clock, M), int64
            Entry (k, m), in 0..T: sample m of that update reads the iterate so many updates
            back (cut at the first iterate).
        seen : ndarray of shape (until - clock, M, T), uint8, optional
            AsySG-incon only: entry (k, m, t) says whether the read contains update k - 1 - t,
            for any subset of the updates within the delay; older ones are always contained.
        draws : ndarray of shape (until - clock,), int64, optional
            The draw of each update, where it is not draw k.

        Ends early where the objective fails: see `trouble`.
        """
        cdef const double[::1] steps = gamma
        cdef const int64_t[:, ::1] tau = delays
        cdef const uint8_t[:, :, ::1] mask = None
        cdef const uint8_t *row = NULL
        cdef const int64_t[::1] drawn = None
        cdef int64_t base = self.clock, end = until, count = max(0, until - self.clock), k, m
        cdef int64_t stride = 0 if len(gamma) == 1 else 1
        cdef int64_t draw, late
        cdef double step
        cdef bint ok = True
        if len(gamma) not in (1, count) or tau.shape[0] != count or tau.shape[1] != self.M:
            raise ValueError("gamma and delays must have one entry an update.")
        for k in range(count):
            for m in range(self.M):
                if not 0 <= tau[k, m] <= self.T:
                    raise ValueError(f"delays must lie in 0..{self.T}.")
        if draws is not None:
            if draws.shape != (count,):
                raise ValueError("draws must have one entry an update.")
            drawn = draws
        if seen is not None:
            if self.whole or seen.shape != (count, self.M, self.T):
                raise ValueError("seen must have shape (updates, M, T) and needs AsySG-incon.")
            mask = seen
        with nogil:
            for k in range(base, end):
                draw = k if drawn is None else drawn[k - base]
                # An update is as stale as the oldest read it is made of.
                late = 0
                for m in range(self.M):
                    late = max(late, min(k, tau[k - base, m]))
                step = shortened(steps[(k - base) * stride], self.slope, late)
                if self.whole:
                    ok = self.con(k, draw, step, tau[k - base])
                else:
                    if mask is not None and self.T > 0:
                        row = &mask[k - base, 0, 0]
                    ok = self.incon(k, draw, step, tau[k - base], row)
                if not ok:
                    break
                self.counts[asysg_bin(late)] += 1
                self.sum_delay += late
                self.sum_step += step
                self.sum_square += step * step
                if late > self.max_delay:
                    self.max_delay = late
                self.clock = k + 1
        if not ok:
            self.trouble = "failed", 0, self.clock

    cdef bint con(
        self, int64_t k, int64_t draw, double step, const int64_t[::1] tau
    ) noexcept nogil:
        cdef int64_t n = self.f.n, m = 0, last, read, j, ring = self.T + 1
        memcpy(&self.iterates[k % ring, 0], &self.x_view[0], n * sizeof(double))
        memset(&self.g[0], 0, n * sizeof(double))
        for j in range(self.M):
            self.samples[j] = sample(self.f, self.key0, self.key1, draw, j)
        while m < self.M:
            # Those together that read the same iterate and stand beside one another.
            read, last = k - min(k, tau[m]), m + 1
            while last < self.M and k - min(k, tau[last]) == read:
                last += 1
            if gradients(
                self.f,
                &self.iterates[read % ring, 0],
                &self.samples[m],
                last - m,
                &self.work[0],
                &self.g[0],
            ) != ASYSG_OK:
                return False
            m = last
        if self.prox is not NULL:
            asysg_prox_step(self.prox, step, self.M * step, &self.x_view[0], &self.g[0], 0, n)
            return True
        for j in range(n):
            self.x_view[j] += -(step * self.g[j])
        return True

    cdef inline double added(self, int64_t i, double value, int64_t slot) noexcept nogil:
        """Entry i after the update in this slot, which is of that entry."""
        value += self.increments[slot]
        if self.prox is not NULL:
            value = asysg_prox_once(self.prox, i, self.steps[slot], value)
        return value

    cdef bint incon(
        self, int64_t k, int64_t draw, double step, const int64_t[::1] tau, const uint8_t *seen
    ) noexcept nogil:
        cdef int64_t i = coordinate(self.f, self.key0, self.key1, draw)
        cdef int64_t m, age, j, c, window = min(k, self.T)
        cdef double g = 0.0, increment
        cdef bint ok
        for m in range(self.M):
            # The read is iterate k - window plus the updates since that it contains, added in
            # their order. They are added to `oldest` in place and taken back afterwards.
            for age in range(window - 1, -1, -1):
                j = (k - 1 - age) % self.T
                c = self.coordinates[j]
                self.saved[age] = self.oldest[c]
                if age >= tau[m] or (seen is not NULL and seen[m * self.T + age]):
                    self.oldest[c] = self.added(c, self.oldest[c], j)
            ok = self.f.partial(
                self.f.self,
                &self.oldest[0],
                sample(self.f, self.key0, self.key1, draw, m),
                i,
                &self.work[0],
                &g,
            ) == ASYSG_OK
            for age in range(window):
                self.oldest[self.coordinates[(k - 1 - age) % self.T]] = self.saved[age]
            if not ok:
                return False
        increment = -(step * g)
        j = k % self.T if self.T > 0 else 0
        if 0 < self.T <= k:
            c = self.coordinates[j]
            self.oldest[c] = self.added(c, self.oldest[c], j)
        self.coordinates[j] = i
        self.increments[j] = increment
        if self.prox is not NULL:
            self.steps[j] = self.M * step
        self.x_view[i] = self.added(i, self.x_view[i], j)
        if self.T == 0:
            self.oldest[i] = self.x_view[i]
        return True

    @property
    def sums(self):
        """The sum of the steplengths and of their squares."""
        return self.sum_step, self.sum_square

    def pending(self):
        """Return the history that the next updates need besides x, as arrays to store."""
        if self.whole:
            return {"iterates": np.array(self.iterates)}
        return {
            "oldest": np.array(self.oldest),
            "coordinates": np.array(self.coordinates),
            "increments": np.array(self.increments),
            **({} if self.prox is NULL else {"steps": np.array(self.steps)}),
        }

    def restore(self, pending):
        """Go on from what `pending` returned at this `clock`.

        Raises ValueError if it belongs to another run.
        """
        for name, array in self.pending().items():
            if name not in pending or pending[name].shape != array.shape:
                raise ValueError("what was pending must have the shape it has in this run.")
        if self.whole:
            self.iterates = np.array(pending["iterates"], dtype=np.float64)
        else:
            self.oldest = np.array(pending["oldest"], dtype=np.float64)
            self.coordinates = np.array(pending["coordinates"], dtype=np.int64)
            self.increments = np.array(pending["increments"], dtype=np.float64)
            if self.prox is not NULL:
                self.steps = np.array(pending["steps"], dtype=np.float64)
