"""AsySG-con (Algorithm 1): the parameter server is whoever passes over x.

x is double or float (``single.pyx``); what a worker reads and computes is then too, in the same
private memory. All else that a worker does is in ``worker.pxd``.
"""

from libc.math cimport NAN, isfinite
from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

from .abi cimport ASYSG_OK, gradients, gradients32
from .clock cimport (
    ASYSG_LATE,
    asysg_lock,
    asysg_peek,
    asysg_poke,
    asysg_stress,
    asysg_unlock,
)
from .proximal cimport asysg_prox_step
from .vector cimport asysg_step, asysg_step32, real_t
from .worker cimport (
    CHECK_EVERY,
    READS,
    UPDATES,
    Entry,
    Run,
    Worker,
    diverged,
    draw_samples,
    failed,
    next_draw,
    steplength,
    tally,
)


cdef inline int64_t serve(
    Run *r, int64_t w, Worker *me, real_t *x, real_t *sent, int64_t start, bint only_read,
    bint keep, int64_t *now
) noexcept nogil:
    """Write my update and take my next snapshot, in one pass over x; return the update's number.

    The parameter server of AsySG-con. Passes go through the segments of x hand over hand: the
    lock of the next segment is taken before that of the last one is given back, so no pass
    overtakes another and all meet in the same order in every segment. Hence a snapshot is exactly
    the iterate of its place in that order, although several passes are on their way at once; the
    lock of segment 0 makes the order, and guards the clock. What was sent is zero afterwards.
    A read only, and ASYSG_LATE, where the update would come too late. With `keep` no snapshot is
    taken if another update that is made from the last one may still be in time. `now` is the
    number of updates that the snapshot contains, the last or the new one.
    """
    cdef int64_t s, m, j, k, first, count
    cdef bint late, fetch
    cdef double step = 0.0
    cdef real_t *xhat = <real_t *> me.xhat
    cdef double *kept
    asysg_lock(&r.locks[0])
    k = asysg_peek(r.clock.now)
    late = only_read or (r.max_delay >= 0 and k - start > r.max_delay)
    if not late:
        step = steplength(r, me, k, k - start)
        asysg_poke(r.clock.now, k + 1)
    fetch = late or not keep or (r.max_delay >= 0 and k + 1 - start > r.max_delay)
    now[0] = start if not fetch else k if late else k + 1
    if r.recording >= UPDATES and not late:
        r.log[k - r.base] = Entry(w, start, me.draw, -1, NAN, NAN, NAN)
    if r.recording == READS and not late:
        for m in range(r.M):
            kept = r.reads + ((k - r.base) * r.M + m) * r.f.n
            for j in range(r.f.n):
                kept[j] = xhat[j]
    for s in range(r.segments):
        if s:
            asysg_lock(&r.locks[s])
            asysg_unlock(&r.locks[s - 1])
        first = s * r.segment
        count = min(r.segment, r.f.n - first)
        if not late:
            if real_t is float:
                asysg_step32(<float> step, x + first, sent + first, count)
            elif r.prox is NULL:
                asysg_step(step, x + first, sent + first, count)
            else:
                asysg_prox_step(r.prox, step, r.M * step, x + first, sent + first, first, count)
        asysg_stress()
        if fetch:
            memcpy(xhat + first, x + first, count * sizeof(real_t))
        memset(sent + first, 0, count * sizeof(real_t))
    asysg_unlock(&r.locks[r.segments - 1])
    return ASYSG_LATE if late else k


cdef inline void con(Run *r, int64_t w, Worker *me, real_t *x) noexcept nogil:
    """AsySG-con (Algorithm 1): whole-vector updates, every read exactly some iterate."""
    cdef int64_t j, k, start = 0, now = 0
    cdef int code
    cdef real_t *xhat = <real_t *> me.xhat
    cdef real_t *g = <real_t *> me.g
    if not next_draw(r, me):
        return
    serve(r, w, me, x, g, 0, True, False, &start)
    while True:
        draw_samples(r, me)
        if real_t is float:
            code = gradients32(r.f, xhat, me.samples, r.M, <float *> me.work, g)
        else:
            code = gradients(r.f, xhat, me.samples, r.M, me.work, g)
        if code != ASYSG_OK:
            failed(r, me)
            return
        k = serve(r, w, me, x, g, start, False, False, &now)
        if k == ASYSG_LATE:
            me.recomputed += 1
            start = now
            continue
        me.updates += 1
        tally(me, k - start)
        # A look at every entry now and then, because one at every update would cost as much as
        # the update.
        if me.updates % CHECK_EVERY == 0:
            for j in range(r.f.n):
                if not isfinite(xhat[j]):
                    diverged(r, me, k)
                    return
        start = now
        if not next_draw(r, me):
            return
