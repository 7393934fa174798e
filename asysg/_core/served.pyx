"""Synchronous, delayed and Downpour stochastic gradient on real threads.

"sync" and "delayed" race for nothing: who writes what, and what is read, follows from the number
of the update, so that the bits are the same on every machine. Workers wait for counters
(``atomic.h``), and read and write x as plain memory in between. Both count on the threads that the
runtime really gives, the `team`, which may be fewer than were asked for: the worker that a thread
runs first does the part of all that it would run, because these could not wait for one another.

"downpour" is AsySG-con whose workers step on their snapshots: its server is that of
``server.pxd``.
"""

from libc.math cimport NAN, isfinite
from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

from .abi cimport ASYSG_OK, gradients
from .clock cimport (
    ASYSG_LATE,
    asysg_arrive,
    asysg_await,
    asysg_cell,
    asysg_finite,
    asysg_poke,
    asysg_publish,
)
from .server cimport serve
from .threads cimport Threads
from .vector cimport asysg_axpy, asysg_step
from .worker cimport (
    CHECK_EVERY,
    UPDATES,
    Entry,
    Run,
    Worker,
    asysg_team,
    diverged,
    draw_samples,
    failed,
    next_draw,
    sample,
    steplength,
    tally,
)

import numpy as np

METHODS = ("sync", "delayed", "downpour")

# Entries of x that several passes follow on: 16 KiB stay in the nearest cache.
cdef enum:
    PIECE = 2048


cdef inline int64_t team_of(const Run *r) noexcept nogil:
    """How many workers run at the same time; the others are run after them."""
    return 1 if r.clock.workers == 1 else asysg_team()


cdef inline int64_t edge(int64_t n, int64_t part, int64_t parts) noexcept nogil:
    """Where a slice of x begins: with cache lines of its own."""
    return n if part == parts else n * part // parts // 16 * 16


cdef inline bint met(Run *r, int64_t times) noexcept nogil:
    """Come to a meeting and wait for the others; False if one is in trouble instead."""
    asysg_arrive(r.met)
    return asysg_await(r.met, times, r.stop)


cdef inline bint compute_part(
    Run *r, int64_t k, int64_t part, int64_t parts, Worker *me, double *g
) noexcept nogil:
    """Set g to the gradient of one part of minibatch k at x."""
    cdef int64_t m, first = r.M * part // parts, last = r.M * (part + 1) // parts
    for m in range(first, last):
        me.samples[m] = sample(r, k, m)
    memset(g, 0, r.f.n * sizeof(double))
    return gradients(r.f, r.x, me.samples + first, last - first, me.work, g) == ASYSG_OK


cdef inline void step_slice(
    Run *r, double step, Worker *workers, int64_t parts, int64_t first, int64_t last
) noexcept nogil:
    """Subtract from a slice of x the sum of all parts, added in the order of the workers."""
    cdef int64_t part, count
    while first < last:
        count = min(PIECE, last - first)
        for part in range(1, parts):
            asysg_axpy(1.0, workers[part].g + first, workers[0].g + first, count)
        asysg_step(step, r.x + first, workers[0].g + first, count)
        first += count


cdef void sync(Run *r, int64_t w, Worker *me) noexcept nogil:
    """Synchronous minibatch SGD: all compute a part at x, meet, write a slice of x, meet again.

    Between the second meeting and the next first one x is only read, and each gradient written by
    its worker; between a first and a second one the gradients are read, and each slice of x
    written by its worker. A worker may raise `stop` before a first meeting, never between the
    two, so no update is half made.
    """
    cdef int64_t parts = min(r.clock.workers, r.M), team = min(team_of(r), parts)
    cdef int64_t k, part, last = parts - 1, done = 0
    cdef int64_t begin = edge(r.f.n, w, team), end = edge(r.f.n, w + 1, team)
    cdef Worker *workers = me - w
    if w >= team:  # there is no part for it, or it is done by the worker before it on its thread
        return
    for k in range(r.base, r.until):
        part = w
        while part < parts:
            if not compute_part(r, k, part, parts, me, workers[part].g):
                failed(r, me)
                return
            part += team
        done += team
        if not met(r, done):
            return
        step_slice(r, steplength(r, me, k, 0), workers, parts, begin, end)
        if w == last % team:  # the record names the last worker, and all took part
            workers[last].updates += 1
            tally(me, 0)
            if r.recording >= UPDATES:
                r.log[k - r.base] = Entry(last, k, k, -1, NAN, NAN, NAN)
            asysg_poke(r.clock.now, k + 1)
        done += team
        if not met(r, done):
            return
        if (k + 1) % CHECK_EVERY == 0 and not asysg_finite(r.x + begin, end - begin):
            diverged(r, me, k)
            return


cdef inline double *iterate(const Run *r, int64_t j) noexcept nogil:
    return r.iterates + (j % (r.delay + 1)) * r.row


cdef void delayed(Run *r, int64_t w, Worker *me) noexcept nogil:
    """Agarwal & Duchi's cyclic method: update k reads iterate k - delay, always.

    Worker w makes the updates k with k % team == w. It waits until its read is there, computes,
    waits until all updates before its own are made, and writes iterate k + 1 into the row of
    iterate k - delay: nobody else reads that any more, since update k is the last that does. (For
    k < delay, reads are of iterate 0, in row 0, which is written by update `delay`.)
    """
    cdef int64_t team = team_of(r), n = r.f.n, k, start, first, count
    cdef double step
    cdef double *old
    cdef double *new
    cdef bint good
    if w >= team:
        return
    k = r.base - r.base % team + w
    if k < r.base:
        k += team
    while k < r.until:
        start = max(0, k - r.delay)
        if not asysg_await(r.clock.now, start, r.stop):
            return
        me.draw = k
        draw_samples(r, me)
        memset(me.g, 0, n * sizeof(double))
        good = gradients(r.f, iterate(r, start), me.samples, r.M, me.work, me.g) == ASYSG_OK
        if not asysg_await(r.clock.now, k, r.stop):
            return
        if not good:  # said in its turn, so that all updates before it are made
            failed(r, me)
            return
        old, new = iterate(r, k), iterate(r, k + 1)
        step = steplength(r, me, k, k - start)
        first = 0
        while first < n:
            count = min(PIECE, n - first)
            if new != old:
                memcpy(new + first, old + first, count * sizeof(double))
            asysg_step(step, new + first, me.g + first, count)
            first += count
        if (k + 1) % CHECK_EVERY == 0 and not asysg_finite(new, n):
            diverged(r, me, k)
            return
        me.updates += 1
        tally(me, k - start)
        if r.recording >= UPDATES:
            r.log[k - r.base] = Entry(w, start, k, -1, NAN, NAN, NAN)
        asysg_publish(r.clock.now, k + 1)
        k += team


cdef inline bint local_steps(Run *r, Worker *me) noexcept nogil:
    """Step on the replica, once for each part of the minibatch; add the gradients up in `total`."""
    cdef int64_t first = 0, n = r.f.n, size = r.M // r.n_push
    draw_samples(r, me)
    while first < r.M:
        memset(me.g, 0, n * sizeof(double))
        if gradients(r.f, me.xhat, me.samples + first, size, me.work, me.g) != ASYSG_OK:
            return False
        asysg_axpy(1.0, me.g, me.total, n)
        asysg_step(r.gamma[0], me.xhat, me.g, n)
        first += size
    return True


cdef void downpour(Run *r, int64_t w, Worker *me) noexcept nogil:
    """Downpour SGD: push the sum of `n_push` local steps, fetch x after `pushes` pushes.

    A replica outlives the region, so that a run does not depend on where its regions end; one that
    no push was made from yet is fetched anew.
    """
    cdef int64_t j, k, now = 0
    if not next_draw(r, me):
        return
    if me.pushed == 0:
        serve(r, w, me, r.x, me.total, 0, True, False, &me.start)
    while True:
        if not local_steps(r, me):
            failed(r, me)
            return
        k = serve(r, w, me, r.x, me.total, me.start, False, me.pushed + 1 < r.pushes, &now)
        if k == ASYSG_LATE:
            me.recomputed += 1
            me.start, me.pushed = now, 0
            continue
        me.updates += 1
        tally(me, k - me.start)
        me.pushed = me.pushed + 1 if now == me.start else 0
        me.start = now
        if me.updates % CHECK_EVERY == 0:
            for j in range(r.f.n):
                if not isfinite(me.xhat[j]):
                    diverged(r, me, k)
                    return
        if not next_draw(r, me):
            return


cdef class Served(Threads):
    """A run of "sync", "delayed" or "downpour" on real threads.

    Parameters
    ----------
    capsule, x0, M, p, key, clock, segment
        As for `Threads`.
    method : str
        One of `METHODS`.
    max_delay : int
        "downpour": enforced bound of the delay; -1 for none.
    recording : bool or str
        As for `Threads`, without "full+reads": what is read follows from the log.
    delay : int
        "delayed": update k reads iterate k - delay, >= 0.
    n_push, n_fetch : int
        "downpour": local steps of an update, of which M is a multiple, and between two fetches, a
        multiple of `n_push`.
    """

    cdef int64_t n
    cdef object rows      # delayed: the last iterates
    cdef object replicas  # downpour: a row a worker

    def __init__(
        self, capsule, x0, *, method, M, p, key, max_delay=-1, recording="sampled", clock=0,
        segment=None, delay=0, n_push=1, n_fetch=1,
    ):
        cdef int64_t[:, ::1] cell
        cdef double[:, ::1] memory
        cdef int64_t w
        Threads.__init__(
            self, capsule, x0, method="asysg-con", M=M, p=p, key=key, max_delay=max_delay,
            recording=recording, clock=clock, segment=segment,
        )
        self.n = n = len(x0)
        wide = 16 * (n // 16 + 2)
        if method == "sync":
            self.r.kernel = sync
            cell = self.cells((1, 16), np.int64)
            self.r.met = <asysg_cell *> &cell[0, 0]
        elif method == "delayed":
            self.r.kernel = delayed
            memory = self.rows = self.cells((delay + 1, wide), np.float64)
            self.rows[clock % (delay + 1), :n] = x0
            self.r.iterates, self.r.row, self.r.delay = &memory[0, 0], wide, delay
        elif (n_push, n_fetch) != (1, 1):  # else every step begins at x: AsySG-con
            self.r.kernel = downpour
            self.r.n_push, self.r.pushes = n_push, n_fetch // n_push
            memory = self.cells((p, wide), np.float64)
            for w in range(p):
                self.workers[w].total = &memory[w, 0]
            self.replicas = [<double[:n]> self.workers[w].xhat for w in range(p)]

    def advance(self, until, gamma):
        """Run updates ``clock, ..., until - 1``; see `Threads.advance`.

        Local steps are made before their update has a number, so that `gamma` must then have one
        entry.
        """
        if self.replicas is not None and len(gamma) != 1:
            raise ValueError("gamma must have one entry.")
        if self.r.met != NULL:
            asysg_poke(self.r.met, 0)
        Threads.advance(self, until, gamma)
        if self.rows is not None:
            self.x[:] = self.rows[self.clock % len(self.rows), :self.n]

    def pending(self):
        """Return what the next updates need besides x, as arrays to store."""
        if self.rows is not None:
            return {"iterates": self.rows[:, :self.n].copy()}
        if self.replicas is not None:
            counts = [(self.workers[w].start, self.workers[w].pushed) for w in range(self.p)]
            return {"replicas": np.array(self.replicas), "counts": np.array(counts)}
        return {}

    def restore(self, pending):
        """Go on from what `pending` returned at this `clock`, perhaps with other workers.

        Workers that are no more take their replicas along; new ones begin with a fetch.

        Raises ValueError if it belongs to another run.
        """
        cdef int64_t w
        expected = self.pending()
        for name, array in expected.items():
            if name not in pending or pending[name].shape[1:] != array.shape[1:]:
                raise ValueError("what was pending must have the shape it has in this run.")
        if self.rows is not None:
            self.rows[:, :self.n] = pending["iterates"]
        elif self.replicas is not None:
            for w in range(min(self.p, len(pending["counts"]))):
                self.replicas[w][:] = pending["replicas"][w]
                self.workers[w].start, self.workers[w].pushed = pending["counts"][w].tolist()
