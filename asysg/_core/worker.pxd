"""A worker and its four steps: read, sample, compute, update.

What the kernels of ``threads.pyx`` and ``replica.pxd`` are made of. Where the shared state may be
touched, and in which order, is said in ``clock.h`` and ``atomic.h``; all else here is private to a
worker.
"""

from libc.math cimport NAN
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memcpy, memset

from .abi cimport asysg_objective
from .adaptive cimport shortened
from .clock cimport (
    ASYSG_LATE,
    asysg_add,
    asysg_add_lossy,
    asysg_cell,
    asysg_clock,
    asysg_clock_done,
    asysg_clock_ticket,
    asysg_load,
    asysg_peek,
    asysg_poke,
    asysg_stress,
    asysg_take,
    asysg_yield,
)
from .proximal cimport asysg_prox, asysg_prox_add, asysg_prox_read, asysg_prox_write
from .rng cimport asysg_below, asysg_word


cdef extern from *:
    """
    static inline int asysg_bin(int64_t delay) {
        return delay == 0 ? 0 : 64 - __builtin_clzll((unsigned long long)delay);
    }
    #ifdef _OPENMP
    #include <omp.h>
    static inline int asysg_team(void) { return omp_get_num_threads(); }
    #else
    static inline int asysg_team(void) { return 1; }
    #endif
    """
    int asysg_bin(int64_t delay) noexcept nogil
    int asysg_team() noexcept nogil


# One update as the flight recorder keeps it; LOG below is the same for NumPy.
cdef struct Entry:
    int64_t worker
    int64_t start       # every update before it was in the read
    int64_t draw        # the counter that regenerates samples and coordinate
    int64_t coordinate  # -1: the whole vector, or the samples' support
    double increment    # what was added to that coordinate (before its proximal step, if there is
    #                     one); nan for more than one
    double before       # the value it was added to
    double replaced     # the value that was overwritten; `before` unless updates were lost


cdef enum Recording:
    NO_CLOCK
    DELAYS
    UPDATES
    READS

# Updates of one worker between two looks for infinities in the whole vector.
cdef enum:
    CHECK_EVERY = 64

# So many samples ahead of the one that it computes, a worker asks for data.
cdef enum:
    AHEAD = 16

# Samples of the hits that are drawn ahead (skip.pyx), or one minibatch if that is larger.
cdef enum:
    ROWS = 1024

cdef enum Trouble:
    FAILED = 1
    DIVERGED

cdef enum Method:
    INCON
    CON
    HOGWILD


# What a worker brings: private memory and private counts, apart by 128 bytes or more.
cdef struct Worker:
    double *xhat         # what was read; in replica mode the replica of x
    double *base         # in replica mode: the replica when it last equalled the shared x
    double *g
    double *work
    void *scratch
    uint64_t *samples    # of the update being computed, M of them
    double *reads        # what each sample of the update (of each update of the batch, in replica
    #                      mode) read: M rows of n, nan where unread
    Entry *log           # in replica mode: of each update of the batch
    int64_t *histogram   # of delays, in log2 bins
    int64_t max_delay
    int64_t sum_delay
    int64_t updates
    int64_t recomputed
    int64_t overwrites   # lossy writes that overwrote another worker's update
    double sum_step      # of the steplengths, where they adapt to delays, and of their squares
    double sum_square
    int64_t trouble      # 0, or FAILED or DIVERGED
    int64_t trouble_at   # the update it happened at
    int64_t draw         # the draws [draw, last) of this worker's allotment are left
    int64_t last
    int64_t *rows        # samples of the hits drawn ahead (skip.pyx)
    int64_t touched      # the data of the draws before this one have been asked for
    double *total        # downpour: what the local steps of an update add up to
    int64_t start        # and the updates that the replica contained when it was fetched
    int64_t pushed       # and the updates made from it since
    int64_t k            # the number of its last ticket
    double step          # and the steplength of that update
    int64_t seen         # updates whose proximal steps its read contains, where they are lazy
    char padding[128]


# What a method does that is not in threads.pyx.
cdef struct Run
ctypedef void (*kernel_t)(Run *, int64_t, Worker *) noexcept nogil


# What the workers share.
cdef struct Run:
    asysg_objective *f
    double *x
    asysg_clock clock
    asysg_cell *draws       # the next draw that nobody has been allotted
    asysg_cell *stop        # not 0 once a worker is in trouble
    asysg_cell *finished    # workers that are done with this region
    asysg_cell *locks       # one a segment of x (AsySG-con and replica mode)
    int64_t segments
    int64_t segment         # entries of x in each but the last
    int64_t batch           # updates between two merges; 0 where there is no replica mode
    int64_t least           # but near the end of a region fewer, down to these
    int64_t until           # draws and updates of this region end here
    int64_t allotment
    const double *gamma     # steplength of update k: gamma[(k - base) * stride]
    int64_t base
    int64_t stride
    double slope            # no steplength exceeds 1/(slope delay); 0: they do not adapt
    int64_t M
    int64_t max_delay
    uint64_t key0
    uint64_t key1
    const asysg_prox *prox  # the proximal term; NULL: none
    int64_t *counted        # where its steps are lazy: how many are in each entry (prox.h)
    bint every              # an update of all of x writes every entry, for its proximal step
    bint lossy
    bint alone              # one worker, which may read and write x as its own
    int recording
    const void *skip        # the law of skip.pyx; NULL: every update is drawn
    Entry *log              # of update k: log[k - base]
    double *reads           # of update k: M rows of n from reads[(k - base) * M * n]
    kernel_t kernel         # of the methods of served.pyx and single.pyx; NULL for the others
    float *x32              # single.pyx: x, which then is only what Python looks at
    asysg_cell *met         # sync: how often a worker of this region has come to a meeting
    double *iterates        # delayed: iterate j in row j % (delay + 1), rows `row` apart
    int64_t row
    int64_t delay
    int64_t n_push          # downpour: local steps of an update
    int64_t pushes          # and updates of a replica between two fetches


cdef inline double steplength(
    const Run *r, Worker *me, int64_t k, int64_t delay
) noexcept nogil:
    """gamma_k, of the worker's update k; to be asked for once where it adapts to the delay."""
    cdef double step = r.gamma[(k - r.base) * r.stride]
    if r.slope > 0.0:
        step = shortened(step, r.slope, delay)
        me.sum_step += step
        me.sum_square += step * step
    me.step = step
    return step


cdef inline uint64_t sample(const Run *r, int64_t draw, int64_t m) noexcept nogil:
    """Sample m of the minibatch of this draw: slot 1 + m of the draw's words."""
    cdef uint64_t word = asysg_word(r.key0, r.key1, draw, 1 + m)
    return asysg_below(word, r.f.n_samples) if r.f.n_samples else word


cdef inline void touch_ahead(const Run *r, Worker *me, int64_t draw) noexcept nogil:
    """Ask for the data of the samples up to `AHEAD` after this draw.

    A sample at a time, so that the memory works while the worker computes; many at once would
    have to wait for one another.
    """
    cdef int64_t m, upto = min(draw + max(1, AHEAD // r.M), me.last)
    while me.touched < upto:
        for m in range(r.M):
            r.f.touch(r.f.self, sample(r, me.touched, m))
        me.touched += 1


cdef inline bint next_draw(Run *r, Worker *me) noexcept nogil:
    """Take the next draw of this worker's allotment, or a new allotment."""
    if asysg_peek(r.stop):
        return False
    me.draw += 1
    if me.draw >= me.last:
        me.draw = asysg_take(r.draws, r.allotment)
        me.last = min(me.draw + r.allotment, r.until)
        me.touched = me.draw
    if r.f.touch != NULL:
        touch_ahead(r, me, me.draw)
    return me.draw < r.until


cdef inline void draw_samples(const Run *r, Worker *me) noexcept nogil:
    cdef int64_t m
    for m in range(r.M):
        me.samples[m] = sample(r, me.draw, m)


cdef inline void diverged(Run *r, Worker *me, int64_t k) noexcept nogil:
    if not me.trouble:
        me.trouble, me.trouble_at = DIVERGED, k
    asysg_poke(r.stop, 1)


cdef inline void failed(Run *r, Worker *me) noexcept nogil:
    me.trouble, me.trouble_at = FAILED, asysg_peek(r.clock.now)
    asysg_poke(r.stop, 1)


cdef inline void tally(Worker *me, int64_t delay) noexcept nogil:
    me.histogram[asysg_bin(delay)] += 1
    me.sum_delay += delay
    if delay > me.max_delay:
        me.max_delay = delay


cdef inline void tally_piece(Worker *me, int64_t delay, int64_t count) noexcept nogil:
    """Count updates of one read with delays from `delay` on; all 0 if it missed nothing."""
    cdef int64_t last = delay + count - 1, upto
    if delay == 0:
        me.histogram[0] += count
        return
    me.sum_delay += count * delay + count * (count - 1) // 2
    me.max_delay = max(me.max_delay, last)
    while delay <= last:
        upto = min(last, ((<int64_t>1) << asysg_bin(delay)) - 1)
        me.histogram[asysg_bin(delay)] += upto - delay + 1
        delay = upto + 1


cdef inline int64_t support(
    const Run *r, Worker *me, uint64_t s, int64_t i, const void **idx
) noexcept nogil:
    """Return how many entries of x the call looks at, -1 for all; set their indices."""
    if r.f.support is NULL:
        return -1
    return r.f.support(r.f.self, s, i, me.scratch, idx)


cdef inline int64_t index(const Run *r, const void *idx, int64_t t) noexcept nogil:
    return (<const int32_t *> idx)[t] if r.f.index_size == 4 else (<const int64_t *> idx)[t]


cdef inline void read_lazily(
    const Run *r, Worker *me, const void *idx, int64_t count, double *kept
) noexcept nogil:
    """Read these entries, or all if count < 0, with the proximal steps that they have missed."""
    cdef int64_t t, j
    for t in range(r.f.n if count < 0 else count):
        j = t if count < 0 else index(r, idx, t)
        me.xhat[j] = asysg_prox_read(r.prox, r.x, r.counted, j, r.M * r.gamma[0], me.seen)
        asysg_stress()
        if kept is not NULL:
            kept[j] = me.xhat[j]


cdef inline bint read(
    const Run *r, Worker *me, uint64_t s, int64_t i, int64_t m, bint have_all
) noexcept nogil:
    """Read, entry by entry, what sample s looks at; return whether that was all of x."""
    cdef const void *idx = NULL
    cdef int64_t t, j, count = -1
    cdef double *kept = NULL
    if r.recording == READS:
        kept = me.reads + m * r.f.n
        for j in range(r.f.n):
            kept[j] = me.xhat[j] if have_all else NAN
    if have_all or (r.alone and kept is NULL):  # alone, xhat is x
        return True
    count = support(r, me, s, i, &idx)
    if r.counted is not NULL:
        read_lazily(r, me, idx, count, kept)
        return count < 0
    if count < 0:
        for j in range(r.f.n):
            me.xhat[j] = asysg_load(&r.x[j])
            asysg_stress()
        if kept is not NULL:
            memcpy(kept, me.xhat, r.f.n * sizeof(double))
        return True
    for t in range(count):
        j = index(r, idx, t)
        me.xhat[j] = asysg_load(&r.x[j])
        asysg_stress()
        if kept is not NULL:
            kept[j] = me.xhat[j]
    return False


cdef inline double write(
    const Run *r, Worker *me, int64_t j, double increment, double *replaced
) noexcept nogil:
    """Add to entry j of the shared x; return the value it was added to.

    Where there is a proximal term, its step follows.
    """
    cdef double before, t
    if r.prox is not NULL:
        t = r.M * me.step
        if r.counted is NULL:
            before = replaced[0] = asysg_prox_add(r.prox, r.x, j, t, increment)
        else:
            before = replaced[0] = NAN
            asysg_prox_write(r.prox, r.x, r.counted, j, t, me.k, increment)
    elif r.alone:
        before = replaced[0] = r.x[j]
        r.x[j] = before + increment
    elif r.lossy:
        before = asysg_add_lossy(&r.x[j], increment, replaced)
        me.overwrites += replaced[0] != before
    else:
        before = replaced[0] = asysg_add(&r.x[j], increment)
    return before


cdef inline int64_t ticket(Run *r, int64_t w, Worker *me, int64_t start) noexcept nogil:
    """Return the number of this worker's update, or ASYSG_LATE."""
    cdef int64_t k = me.draw
    if r.recording != NO_CLOCK:
        asysg_stress()
        k = asysg_clock_ticket(&r.clock, w, start, r.max_delay)
        if k == ASYSG_LATE:
            me.recomputed += 1
            asysg_yield()
    me.k = k
    return k


cdef inline void done(
    Run *r, int64_t w, Worker *me, int64_t k, int64_t start, int64_t i,
    double increment, double before, double replaced,
) noexcept nogil:
    """Announce the end of update k's write, and keep what is to be kept of it."""
    me.updates += 1
    if r.recording == NO_CLOCK:
        return
    asysg_stress()
    asysg_clock_done(&r.clock, w)
    tally(me, k - start)
    if r.recording >= UPDATES:
        r.log[k - r.base] = Entry(w, start, me.draw, i, increment, before, replaced)
    if r.recording == READS:
        memcpy(
            r.reads + (k - r.base) * r.M * r.f.n, me.reads, r.M * r.f.n * sizeof(double)
        )


cdef inline void clear(const Run *r, Worker *me, uint64_t s) noexcept nogil:
    """Forget the gradient of a sample."""
    cdef const void *idx = NULL
    cdef int64_t t, count = support(r, me, s, -1, &idx)
    if count < 0:
        memset(me.g, 0, r.f.n * sizeof(double))
    else:
        for t in range(count):
            me.g[index(r, idx, t)] = 0.0


cdef inline void wait(Run *r, int64_t p) noexcept nogil:
    """Wait for the other workers, giving the core away.

    The barrier at the end of the region would wait too, but by spinning: where the cores are
    shared with other processes, against the very worker that is waited for.
    """
    asysg_take(r.finished, 1)
    while asysg_peek(r.finished) < p:
        asysg_yield()
