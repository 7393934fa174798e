"""AsySG-incon without the updates that are zero by structure.

Where the samples' gradients are sparse, most updates of one uniform coordinate are zero whatever x
is: none of the M sampled rows contains the coordinate. Such an update is *null*. The updates that
are not, the *hits*, are drawn directly, and the clock advances over the null ones at once. The
process is the same in law:

* Draws are independent, and each is a hit with the same probability q. So the null draws before
  the next hit are geometric: P(G = g) = q (1 - q)^g.
* Given a hit and M = 1, coordinate and sample are uniform among the stored entries: all pairs
  (i, j) are equally likely, and the hits are the pairs where row j contains i.
* Given a hit and M > 1, coordinate i has probability proportional to w_i = 1 - (1 - c_i/N)^M, c_i
  its number of rows. Which of the M samples hit is then a sequence of M independent trials of
  probability c_i/N, given that one succeeds: their number is a truncated binomial, the first is
  a truncated geometric, each further one a geometric step on. The rows hit are uniform among
  those of the column, and the samples that do not hit add zero.
* Gaps start afresh every `block` draws. A geometric gap that is cut at a fixed draw says that the
  draws up to there are null; the draws behind are independent of that, so the next gap, drawn
  anew from there, has the same law (the geometric law has no memory).

Every random word is keyed by a draw number: the gaps of a block by its first draw, a hit by its
own. So the hits are a function of the key alone: they do not depend on the number of workers or on
where a run was cut into regions.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.math cimport floor, isfinite, log, log1p
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport free, malloc

from .abi cimport ASYSG_OBJECTIVE, ASYSG_OK, asysg_objective
from .clock cimport (
    ASYSG_LATE,
    asysg_clock_done,
    asysg_clock_start,
    asysg_clock_tickets,
    asysg_peek,
    asysg_poke,
    asysg_stress,
    asysg_take,
    asysg_yield,
)
from .rng cimport ASYSG_GAPS, ASYSG_STEPS, asysg_below, asysg_word
from .vector cimport asysg_touch_line
from .worker cimport (
    AHEAD,
    ROWS,
    Run,
    Worker,
    diverged,
    failed,
    index,
    read,
    steplength,
    support,
    tally_piece,
    write,
)

import numpy as np

# Hits that a block has on average, at least; twice as many at most.
BLOCK_HITS = 64


cdef struct Hit:
    int64_t draw
    int64_t i      # M = 1: the place of the entry in its row; M > 1: the coordinate
    int64_t first  # its rows are the Worker's rows[first:first + count]
    int64_t count


# A hit that is computed and not yet written.
cdef struct Done:
    int64_t i
    double g


# A way through the draws of one block.
cdef struct Walk:
    int64_t block  # its first draw
    int64_t draw   # the next draw
    int64_t hits   # passed so far


cdef inline double unit(uint64_t word) noexcept nogil:
    """Uniform on (0, 1]: the logarithm is finite."""
    return <double>((word >> 11) + 1) * (1.0 / 9007199254740992.0)


cdef inline int64_t pick(const table_t *t, int64_t number) noexcept nogil:
    """The item that owns a number below `total`.

    Always the same number of steps and no branch on what was loaded, so that the searches of
    many hits overlap on their way from memory.
    """
    cdef int64_t low = t.guide[number >> t.shift], half = t.window
    while half > 0:
        low += half * (t.upto[min(low + half, t.items)] <= number)
        half >>= 1
    return low


cdef inline int64_t draw_rows(
    const skip_t *law, uint64_t key0, uint64_t key1, Hit *hit, int64_t *rows
) noexcept nogil:
    """Turn a hit's number, `i`, into its coordinate and rows; return how many rows."""
    cdef int64_t m, size, count = 0, number = hit.i
    cdef double u, by
    hit.i = pick(&law.table, number)
    if law.M == 1:
        rows[0] = hit.i
        hit.i = number - law.table.upto[rows[0]]
        return 1
    size = law.column[hit.i + 1] - law.column[hit.i]
    by = law.chances[hit.i].per_log
    # The first success of M trials, given that there is one.
    u = unit(asysg_word(key0, key1, hit.draw, ASYSG_STEPS))
    m = min(<int64_t>floor(log1p((u - 1.0) * law.chances[hit.i].hit) * by), law.M - 1)
    while m < law.M:
        rows[count] = law.rows[
            law.column[hit.i] + asysg_below(asysg_word(key0, key1, hit.draw, 1 + m), size)
        ]
        count += 1
        u = floor(log(unit(asysg_word(key0, key1, hit.draw, ASYSG_STEPS + count))) * by)
        if u >= law.M:
            break
        m += 1 + <int64_t>u
    return count


cdef inline int64_t draw_hits(
    const skip_t *law, uint64_t key0, uint64_t key1, Walk *walk, int64_t until, Hit *hits,
    int64_t *rows,
) noexcept nogil:
    """Draw the next hits before `until`, at most a batch; return how many.

    The walk is at `until` once there are no more. Each loop asks memory for one thing of every
    hit, in few instructions, so that all of them are on their way at once.
    """
    cdef const table_t *table = &law.table
    cdef int64_t t, count = 0, used = 0
    cdef double gap
    while walk.draw < until and count < law.batch:
        gap = floor(
            log(unit(asysg_word(key0, key1, walk.block, ASYSG_GAPS + walk.hits))) * law.per_log
        )
        walk.hits += 1
        if gap >= until - walk.draw:
            walk.draw = until
            break
        hits[count].draw = walk.draw + <int64_t>gap
        hits[count].i = asysg_below(asysg_word(key0, key1, hits[count].draw, 0), table.total)
        walk.draw = hits[count].draw + 1
        count += 1
    for t in range(count):
        asysg_touch_line(&table.guide[hits[t].i >> table.shift])
    for t in range(count):
        asysg_touch_line(&table.upto[table.guide[hits[t].i >> table.shift]])
    for t in range(count):
        hits[t].first = used
        hits[t].count = draw_rows(law, key0, key1, &hits[t], rows + used)
        used += hits[t].count
    return count


cdef inline bint hit_gradient(
    Run *r, const skip_t *law, Worker *me, const Hit *hit, Done *done, int64_t count
) noexcept nogil:
    """Find coordinate and gradient of hit number `count` of a turn, into done[count].

    The read lacks the hits before it, which are not written yet; they are added to it here.
    """
    cdef int64_t t, d
    cdef uint64_t s
    cdef const void *idx = NULL
    done[count].i, done[count].g = hit.i, 0.0
    for t in range(hit.count):
        s = me.rows[hit.first + t]
        read(r, me, s, -1, t, False)
        for d in range(count):  # entries that were not read are not looked at either
            me.xhat[done[d].i] += -(r.gamma[0] * done[d].g)
        if law.M == 1:
            support(r, me, s, -1, &idx)
            done[count].i = index(r, idx, hit.i)
        if r.f.partial(
            r.f.self, me.xhat, s, done[count].i, me.work, &done[count].g
        ) != ASYSG_OK:
            return False
    return True


cdef bint do_hits(
    Run *r, const skip_t *law, int64_t w, Worker *me, const Hit *hits, int64_t count,
    int64_t here, int64_t end,
) noexcept nogil:
    """Do the updates of draws here .. end - 1, with these hits; return whether all went well.

    The hits of a turn are computed, then numbered together, then written, as a batch of replica
    mode is, and their delays are recorded as there: a turn at the clock moves it from one core to
    another, which takes half as long as a hit.
    """
    cdef Done done[AHEAD]
    cdef int64_t t, k, at, made, numbered, before, start = 0
    cdef double increment, replaced = 0.0
    cdef bint counting = r.recording and not r.alone, ok = True
    while True:
        if counting:
            start = asysg_clock_start(&r.clock)
        made = 0
        while made < count:
            me.draw = hits[made].draw
            ok = hit_gradient(r, law, me, &hits[made], done, made)
            if not ok:
                break
            made += 1
            if not isfinite(r.gamma[0] * done[made - 1].g):
                break
        if not made:
            failed(r, me)
            return False
        numbered = (end if made == count else hits[made - 1].draw + 1) - here
        if not counting:  # a lone worker takes the draws in their order, and so the tickets
            k = here
            break
        asysg_stress()
        k = asysg_clock_tickets(&r.clock, w, start, numbered, r.max_delay)
        if k != ASYSG_LATE:
            break
        me.recomputed += made
        asysg_yield()
    if r.alone:
        asysg_poke(r.clock.now, k + numbered)
    before = me.updates
    me.updates += numbered
    for t in range(made):
        at = k + hits[t].draw - here
        increment = -(steplength(r, me, at, 0) * done[t].g)
        if isfinite(increment):
            write(r, me, done[t].i, increment, &replaced)
        else:
            me.updates = before + at - k
            # Not written: x stays at the last finite iterate. The number stays without update.
            diverged(r, me, at)
            break
    asysg_stress()
    if counting:
        asysg_clock_done(&r.clock, w)
    if r.recording:
        tally_piece(me, k - start if counting else 0, numbered)
    if not ok:
        failed(r, me)
    return not me.trouble


cdef void do_nulls(Run *r, int64_t w, Worker *me, int64_t count) noexcept nogil:
    """Do null updates alone; they look at the clock as their read, had there been a hit, would."""
    cdef int64_t start, k = ASYSG_LATE
    me.updates += count
    if r.alone:
        asysg_poke(r.clock.now, asysg_peek(r.clock.now) + count)
        if r.recording:
            tally_piece(me, 0, count)
    elif r.recording:
        while True:
            start = asysg_clock_start(&r.clock)
            k = asysg_clock_tickets(&r.clock, w, start, count, r.max_delay)
            if k != ASYSG_LATE:
                break
            asysg_yield()
        asysg_clock_done(&r.clock, w)
        tally_piece(me, k - start, count)


cdef void skip_ahead(Run *r, int64_t w, Worker *me) noexcept nogil:
    """The draws of this region, a block at a time: its hits, and how many nulls before each."""
    cdef const skip_t *law = <const skip_t *> r.skip
    cdef Hit hits[AHEAD]
    cdef Walk walk
    cdef int64_t block, here, until, count, size, end, t, m, turn = law.turn
    # One where nobody else is at the clock, and where steplengths depend on their numbers.
    if r.alone or not r.recording or r.stride:
        turn = 1
    while not asysg_peek(r.stop):
        block = asysg_take(r.draws, 1) * law.block
        if block >= r.until:
            return
        # A block that a region begins or ends in is drawn from its start; only the draws of this
        # region are done.
        here, until = max(block, r.base), min(block + law.block, r.until)
        walk = Walk(block, block, 0)
        while walk.draw < until:
            count = draw_hits(law, r.key0, r.key1, &walk, until, hits, me.rows)
            if r.f.touch != NULL:
                for t in range(count):
                    for m in range(hits[t].count):
                        r.f.touch(r.f.self, me.rows[hits[t].first + m])
            t = 0
            while t < count:
                if hits[t].draw < here:
                    t += 1
                    continue
                if asysg_peek(r.stop):
                    return
                size = min(turn, count - t)
                end = hits[t + size - 1].draw + 1
                if size < turn and walk.draw >= until:
                    end = until  # no hit follows
                if not do_hits(r, law, w, me, &hits[t], size, here, end):
                    return
                t += size
                here = end
        if here < until:
            do_nulls(r, w, me, until - here)


def structure(capsule):
    """Return what of an objective is zero by structure, or the reason why nothing is known to be.

    Parameters
    ----------
    capsule : PyCapsule
        The objective.

    Returns
    -------
    tuple of ndarray, or str
        `start`, shape (n_samples + 1,), int64: row j has start[j + 1] - start[j] entries.
        `counts`, shape (n,), int64: the rows of each coordinate.
    """
    cdef asysg_objective *f = <asysg_objective *> PyCapsule_GetPointer(capsule, ASYSG_OBJECTIVE)
    cdef const void *idx = NULL
    cdef int64_t j, t, i, count = 0
    cdef void *scratch
    if f.n_samples == 0:
        return "its samples are a stream"
    if f.support == NULL:
        return "its gradients are dense"
    if f.n_samples >= 2**31 or f.n >= 2**31:
        return "it has 2**31 samples or coordinates, or more"
    starts, per_column = np.zeros(f.n_samples + 1, dtype=np.int64), np.zeros(f.n, dtype=np.int64)
    last = np.full(f.n, -1, dtype=np.int64)
    cdef int64_t[::1] start = starts, counts = per_column, seen = last
    scratch = malloc(8 * (f.support_size + 1))
    if scratch == NULL:
        raise MemoryError
    with nogil:
        for j in range(f.n_samples):
            count = f.support(f.self, j, -1, scratch, &idx)
            if count < 0:
                break
            start[j + 1] = start[j] + count
            for t in range(count):
                i = (<const int32_t *>idx)[t] if f.index_size == 4 else (<const int64_t *>idx)[t]
                if seen[i] == j:  # an entry drawn twice would count twice
                    count = -2
                    break
                seen[i] = j
                counts[i] += 1
            if count < 0:
                break
        free(scratch)
    if count == -2:
        return "a sample's support names a coordinate twice"
    if count < 0:
        return "its gradients are dense (a regulariser acts on every coordinate)"
    if start[f.n_samples] == 0:
        return "its gradients are zero everywhere"
    return starts, per_column


def columns(capsule, const int64_t[::1] counts):
    """Return (column, rows): the rows of coordinate i are rows[column[i]:column[i + 1]].

    The arguments are those and what `structure` makes of them.
    """
    cdef asysg_objective *f = <asysg_objective *> PyCapsule_GetPointer(capsule, ASYSG_OBJECTIVE)
    cdef const void *idx = NULL
    cdef int64_t j, t, i, count
    cdef void *scratch
    column = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    rows, cursor = np.empty(column[f.n], dtype=np.int32), column.copy()
    cdef int64_t[::1] at = cursor
    cdef int32_t[::1] out = rows
    scratch = malloc(8 * (f.support_size + 1))
    if scratch == NULL:
        raise MemoryError
    with nogil:
        for j in range(f.n_samples):
            count = f.support(f.self, j, -1, scratch, &idx)
            for t in range(count):
                i = (<const int32_t *>idx)[t] if f.index_size == 4 else (<const int64_t *>idx)[t]
                out[at[i]] = <int32_t>j
                at[i] += 1
        free(scratch)
    return column, rows


cdef class Skip:
    """The law of the hits of M samples and one uniform coordinate.

    Parameters
    ----------
    M : int
        Batch size.
    start, counts : ndarray
        What `structure` returns.
    column, rows : ndarray, optional
        What `columns` returns; needed for M > 1.

    Attributes
    ----------
    turn : int
        Hits of one turn at the clock, 1 to 16, where several workers count delays; 1 at first.
    share : float
        The probability q that an update is a hit.
    nbytes : int
        Bytes of the tables and of the index of columns.
    """

    def __init__(self, int64_t M, start, counts, column=None, rows=None):
        N, n = len(start) - 1, len(counts)
        self.law.M = M
        self.law.batch = max(1, min(AHEAD, ROWS // M))
        self.law.turn = 1
        if M == 1:
            upto = np.ascontiguousarray(start, dtype=np.int64)
            self.share = int(upto[N]) / (float(N) * n)
        else:
            with np.errstate(divide="ignore"):  # a full column: -inf and then -0.0 are meant
                logs = np.log1p(-counts / N)
                chances = np.stack([-np.expm1(M * logs), 1 / logs], axis=1)
            chance, self.chances = chances[:, 0], chances
            self.law.chances = <const chance_t *>&self.chances[0, 0]
            self.share = min(1.0, float(chance.sum()) / n)
            # As whole numbers: each probability is off by less than 2^-53 of itself or 2^-62.
            whole = np.rint(chance * (2.0**62 / chance.sum())).astype(np.int64)
            upto = np.concatenate([[0], np.cumsum(whole)])
            self.column, self.rows = column, rows
            self.law.column, self.law.rows = &self.column[0], &self.rows[0]
        self.law.per_log = 1.0 / log1p(-self.share)
        # A power of two, so that the last bit of q cannot move it; gaps below 2^52 are exact.
        self.law.block = 1 << min(52, int(BLOCK_HITS / self.share).bit_length())
        items = len(upto) - 1
        total = int(upto[items])
        shift = max(0, total.bit_length() - items.bit_length())
        buckets = ((total - 1) >> shift) + 2
        owners = np.searchsorted(upto, np.arange(buckets) << shift, side="right") - 1
        guide = np.minimum(owners, items - 1).astype(np.int32)
        self.upto, self.guide = upto, guide
        indices = () if M == 1 else (chances, column, rows)
        self.nbytes = sum(array.nbytes for array in (upto, guide, *indices))
        # Steps w, w/2, ..., 1 reach as far as the widest bucket.
        widest = int(np.diff(guide).max(initial=0))
        window = (1 << widest.bit_length()) >> 1
        self.law.table = table_t(
            &self.upto[0], &self.guide[0], total, items, window, shift
        )

    @property
    def turn(self):
        """Hits of one turn at the clock."""
        return self.law.turn

    @turn.setter
    def turn(self, int64_t turn):
        if not 1 <= turn <= AHEAD:
            raise ValueError(f"turn must be between 1 and {AHEAD}, got {turn}.")
        self.law.turn = turn

    @property
    def block(self):
        """Draws between two fresh starts of the gaps."""
        return self.law.block

    def hits(self, key, int64_t until):
        """Return the hits among the draws 0, ..., until - 1, for whoever checks the kernel.

        Parameters
        ----------
        key : tuple of two int
        until : int

        Returns
        -------
        list of (draw, place, rows)
            `place` is the coordinate for M > 1, and the place of its entry in the row for M = 1.
        """
        cdef uint64_t key0 = key[0], key1 = key[1]
        cdef Hit hits[AHEAD]
        cdef Walk walk
        cdef int64_t t, m, block, count, end
        room = np.empty(max(ROWS, self.law.M), dtype=np.int64)
        cdef int64_t[::1] rows = room
        found = []
        block = 0
        while block < until:
            walk, end = Walk(block, block, 0), min(until, block + self.law.block)
            while walk.draw < end:
                count = draw_hits(&self.law, key0, key1, &walk, end, hits, &rows[0])
                for t in range(count):
                    m = hits[t].first
                    found.append(
                        (hits[t].draw, hits[t].i, room[m:m + hits[t].count].tolist())
                    )
            block += self.law.block
        return found
