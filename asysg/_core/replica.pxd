"""Replica mode: a worker updates a private copy of x and merges it now and then.

A turn is a batch of updates: computed on the replica, numbered together, merged into the shared
x one segment at a time under that segment's lock. ``clock.h`` says in which order, and why the
recorded delays are then true; ``merge.h`` what a merge does. Steps that all modes share are in
``worker.pxd``.
"""

from libc.math cimport NAN, isfinite
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy, memset

from .abi cimport ASYSG_OK, gradients
from .clock cimport (
    ASYSG_LATE,
    asysg_clock_delay,
    asysg_clock_done,
    asysg_clock_start,
    asysg_clock_tickets,
    asysg_finite,
    asysg_lock,
    asysg_merge,
    asysg_peek,
    asysg_pull,
    asysg_step_finite,
    asysg_take,
    asysg_unlock,
    asysg_yield,
)
from .rng cimport asysg_below, asysg_word
from .vector cimport asysg_step
from .worker cimport (
    DIVERGED,
    FAILED,
    HOGWILD,
    NO_CLOCK,
    READS,
    UPDATES,
    Entry,
    Method,
    Run,
    Worker,
    diverged,
    failed,
    index,
    sample,
    support,
    tally_piece,
    touch_ahead,
)

# What became of a batch.
cdef struct Batch:
    int64_t count   # updates in the replica
    int trouble     # 0, or FAILED or DIVERGED: what the update after them met


cdef inline bint next_batch(Run *r, Worker *me) noexcept nogil:
    """Take the draws of a batch: fewer towards the end, so that all workers end together."""
    cdef int64_t left, size
    if asysg_peek(r.stop):
        return False
    left = r.until - asysg_peek(r.draws)
    size = max(r.least, min(r.batch, left // r.clock.workers))
    me.draw = asysg_take(r.draws, size)
    me.last = min(me.draw + size, r.until)
    return me.draw < me.last


cdef inline void keep_read(
    const Run *r, Worker *me, uint64_t s, int64_t i, int64_t row
) noexcept nogil:
    """Keep what sample s looks at, as `read` does: nan elsewhere."""
    cdef const void *idx = NULL
    cdef int64_t t, j, count = support(r, me, s, i, &idx)
    cdef double *kept = me.reads + row * r.f.n
    if count < 0:
        memcpy(kept, me.xhat, r.f.n * sizeof(double))
        return
    for j in range(r.f.n):
        kept[j] = NAN
    for t in range(count):
        j = index(r, idx, t)
        kept[j] = me.xhat[j]


cdef inline int incon_update(Run *r, Worker *me, int64_t w, int64_t draw, int64_t t) noexcept nogil:
    """One update of AsySG-incon on the replica; returns 0 or the trouble that prevented it."""
    cdef int64_t m, i = <int64_t> asysg_below(asysg_word(r.key0, r.key1, draw, 0), r.f.n)
    cdef double increment, after, g = 0.0
    cdef uint64_t s
    for m in range(r.M):
        s = sample(r, draw, m)
        if r.recording == READS:
            keep_read(r, me, s, i, t * r.M + m)
        if r.f.partial(r.f.self, me.xhat, s, i, me.work, &g) != ASYSG_OK:
            return FAILED
    increment = -(r.gamma[0] * g)
    after = me.xhat[i] + increment
    if r.recording >= UPDATES:
        me.log[t] = Entry(w, 0, draw, i, increment, me.xhat[i], me.xhat[i])
    if not isfinite(after):
        return DIVERGED
    me.xhat[i] = after
    return 0


cdef inline int hogwild_update(
    Run *r, Worker *me, int64_t w, int64_t draw, int64_t t
) noexcept nogil:
    """One update of Hogwild on the replica, all of it or nothing."""
    cdef int64_t m, at, j, count
    cdef double step = r.gamma[0]
    cdef const void *idx = NULL
    cdef int trouble = 0
    if r.recording >= UPDATES:
        me.log[t] = Entry(w, 0, draw, -1, NAN, NAN, NAN)
    for m in range(r.M):
        me.samples[m] = sample(r, draw, m)
        if r.recording == READS:
            keep_read(r, me, me.samples[m], -1, t * r.M + m)
    if gradients(r.f, me.xhat, me.samples, r.M, me.work, me.g) != ASYSG_OK:
        trouble = FAILED
    else:
        for m in range(r.M):
            count = support(r, me, me.samples[m], -1, &idx)
            if count < 0:  # that is all of x
                if not asysg_step_finite(step, me.xhat, me.g, r.f.n):
                    trouble = DIVERGED
                break
            for at in range(count):
                j = index(r, idx, at)
                if not isfinite(me.xhat[j] + -(step * me.g[j])):
                    trouble = DIVERGED
    if trouble:
        memset(me.g, 0, r.f.n * sizeof(double))
        return trouble
    for m in range(r.M):
        count = support(r, me, me.samples[m], -1, &idx)
        if count < 0:
            asysg_step(step, me.xhat, me.g, r.f.n)
            memset(me.g, 0, r.f.n * sizeof(double))
            break
        for at in range(count):
            j = index(r, idx, at)
            if me.g[j] != 0.0:
                me.xhat[j] += -(step * me.g[j])
                me.g[j] = 0.0
    return 0


cdef inline Batch one_by_one(Run *r, int64_t w, Worker *me, Method method) noexcept nogil:
    """Do the updates of a batch, up to the first in trouble."""
    cdef Batch batch
    cdef int64_t t
    batch.count, batch.trouble = 0, 0
    for t in range(me.last - me.draw):
        if r.f.touch is not NULL:
            touch_ahead(r, me, me.draw + t)
        if method == HOGWILD:
            batch.trouble = hogwild_update(r, me, w, me.draw + t, t)
        else:
            batch.trouble = incon_update(r, me, w, me.draw + t, t)
        if batch.trouble:
            break
        batch.count += 1
    return batch


cdef inline Batch descend(Run *r, int64_t w, Worker *me) noexcept nogil:
    """The same for Hogwild with one sample, where the objective itself updates the replica.

    It does not say whether x is still finite. If not, the batch is done again one by one.
    """
    cdef Batch batch
    cdef int64_t t
    batch.count, batch.trouble = 0, 0
    for t in range(me.last - me.draw):
        if r.f.touch is not NULL:
            touch_ahead(r, me, me.draw + t)
        if r.f.descend(
            r.f.self, me.xhat, sample(r, me.draw + t, 0), r.gamma[0], me.work
        ) != ASYSG_OK:
            batch.trouble = FAILED
            break
        if r.recording >= UPDATES:
            me.log[t] = Entry(w, 0, me.draw + t, -1, NAN, NAN, NAN)
        batch.count += 1
    if asysg_finite(me.xhat, r.f.n):
        return batch
    memcpy(me.xhat, me.base, r.f.n * sizeof(double))
    me.touched = me.draw
    return one_by_one(r, w, me, HOGWILD)


cdef inline Batch compute(Run *r, int64_t w, Worker *me, Method method) noexcept nogil:
    me.touched = me.draw
    if method == HOGWILD and r.M == 1 and r.f.descend is not NULL and r.recording != READS:
        return descend(r, w, me)
    return one_by_one(r, w, me, method)


cdef inline void merge(Run *r, int64_t w, Worker *me, bint forget) noexcept nogil:
    """Merge the replica into the shared x, or `forget` it and take the shared x.

    Workers begin at different segments, so that they do not queue behind one another.
    """
    cdef int64_t t, i, at, size
    for t in range(r.segments):
        i = (w * r.segments // r.clock.workers + t) % r.segments
        at = i * r.segment
        size = min(r.segment, r.f.n - at)
        asysg_lock(&r.locks[i])
        if forget:
            asysg_pull(r.x + at, me.xhat + at, me.base + at, size)
        else:
            asysg_merge(r.x + at, me.xhat + at, me.base + at, size)
        asysg_unlock(&r.locks[i])


cdef inline int64_t refresh(Run *r, int64_t w, Worker *me) noexcept nogil:
    """Take the shared x as it is; return the start of the window."""
    cdef int64_t start = 0
    if r.recording:
        start = asysg_clock_start(&r.clock)
    merge(r, w, me, True)
    return start


cdef inline void keep(
    Run *r, Worker *me, int64_t k, int64_t start, int64_t count, int64_t numbered
) noexcept nogil:
    """Keep what is to be kept of updates k, ..., of which `count` were done."""
    cdef int64_t t
    cdef size_t row = r.M * r.f.n
    tally_piece(me, k - start, count)
    if r.recording >= UPDATES:
        for t in range(numbered):
            me.log[t].start = k + t - asysg_clock_delay(k, start, t + 1)
        memcpy(r.log + (k - r.base), me.log, numbered * sizeof(Entry))
    if r.recording == READS:
        memcpy(r.reads + (k - r.base) * row, me.reads, numbered * row * sizeof(double))


cdef inline void replica(Run *r, int64_t w, Worker *me, Method method) noexcept nogil:
    """AsySG-incon or Hogwild, on a private replica of x.

    An update that would leave the finite numbers gets its number and is not made, as in the other
    modes; those of the batch before it are merged.
    """
    cdef int64_t k, following = 0, numbered, start = refresh(r, w, me)
    cdef Batch batch
    while next_batch(r, me):
        while True:
            batch = compute(r, w, me, method)
            numbered = batch.count + (batch.trouble == DIVERGED)
            if not numbered:
                failed(r, me)
                return
            if not r.recording:
                k = me.draw
                break
            following = asysg_clock_start(&r.clock)
            k = asysg_clock_tickets(&r.clock, w, start, numbered, r.max_delay)
            if k != ASYSG_LATE:
                break
            me.recomputed += numbered
            asysg_yield()
            start = refresh(r, w, me)
        if batch.count:
            merge(r, w, me, False)
        me.updates += batch.count
        if r.recording:
            asysg_clock_done(&r.clock, w)
            keep(r, me, k, start, batch.count, numbered)
            start = k + numbered if following == k else following
        if batch.trouble == DIVERGED:
            diverged(r, me, k + batch.count)
        elif batch.trouble == FAILED:
            failed(r, me)
        if batch.trouble:
            return
