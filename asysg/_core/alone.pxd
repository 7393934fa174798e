"""A lone worker that updates whole supports: nobody else looks at x, so it works in place."""

from libc.math cimport isfinite
from libc.stdint cimport int64_t, uint64_t

from .abi cimport ASYSG_OK
from .clock cimport asysg_poke
from .vector cimport real_t
from .worker cimport (
    CHECK_EVERY,
    Run,
    Worker,
    diverged,
    failed,
    index,
    next_draw,
    sample,
    steplength,
    support,
    tally,
)


cdef inline void alone(Run *r, Worker *me, real_t *x) noexcept nogil:
    """Hogwild or the serial method, one sample an update, by the objective's own descent.

    x is private memory here, as the objective expects. Tickets come in the order of the draws, and
    every delay is 0.
    """
    cdef int64_t j, t, count
    cdef uint64_t s
    cdef int code
    cdef double step, sum_step, sum_square
    cdef const void *idx = NULL
    while next_draw(r, me):
        s = sample(r, me.draw, 0)
        sum_step, sum_square = me.sum_step, me.sum_square
        step = steplength(r, me, me.draw, 0)
        if real_t is float:
            code = r.f.descend32(r.f.self, x, s, <float> step, <float *> me.work)
        else:
            code = r.f.descend(r.f.self, x, s, step, me.work)
        if code != ASYSG_OK:
            me.sum_step, me.sum_square = sum_step, sum_square  # no such step was made
            failed(r, me)
            return
        asysg_poke(r.clock.now, me.draw + 1)
        me.updates += 1
        if r.recording:
            tally(me, 0)
        # Now and then, because a look at every entry written costs as much as writing them; what
        # is not finite spreads to all samples that share a coordinate.
        if me.updates % CHECK_EVERY == 0:
            count = support(r, me, s, -1, &idx)
            for t in range(r.f.n if count < 0 else count):
                j = t if count < 0 else index(r, idx, t)
                if not isfinite(x[j]):
                    diverged(r, me, me.draw)
                    return
