/* The clock: it numbers the updates and bounds, truly, how stale each read was.
 *
 * The protocol, for worker w and one update:
 *
 *     start = min(clock, every announced slot)      1  before reading x
 *     read x, sample, compute                          (private memory)
 *     slot[w] = clock                               2  announce: my ticket will be >= this
 *     k = clock++                                   3  the ticket: this is update k
 *     write x
 *     slot[w] = NONE                                4  my write is visible
 *
 * The ticket comes before the write. So whatever a read of update k can contain was written
 * under a ticket smaller than k: no read sees an update numbered after its own. What the read
 * can miss is bounded: take any update j < start. Its ticket was taken before the clock was
 * read in step 1 (j < clock), its announcement precedes its ticket, and its slot, scanned after
 * the clock, held no number <= j; hence the slot had been cleared, hence j's write was visible
 * before this read began. So the read contains all updates before `start`, the missed ones lie
 * in J(k) = {start, ..., k-1}, and the recorded delay k - start is never below the true one.
 *
 * Three orders carry the proof and are kept by the functions below: announce before ticket,
 * ticket before write, clock before slots. Each of the reversed orders has a schedule in which
 * a recorded window misses an update that the read missed.
 *
 * In replica mode (replica.pxd) a worker reads and writes a private copy of x, its replica, and a
 * turn of the protocol is a batch of updates instead of one:
 *
 *     compute the batch on the replica                 its window begins at `start`
 *     next = min(clock, every announced slot)       1  the start of the batch after this one
 *     slot[w] = clock                               2
 *     k = clock, clock += count                     3  the batch is updates k, ..., k + count - 1
 *     merge replica and shared x, each way             writes mine, reads the others'
 *     slot[w] = NONE                                4
 *     start = next == k ? k + count : next
 *
 * To the writes above correspond the merge's writes, to the read the merge's reads: 1 comes before
 * the read, 2 and 3 before the write, 4 after it. So by the proof above the replica, once merged,
 * contains every update of the others before `next`, none numbered after the batches that it is
 * read for, and all of its worker's own, which are numbered in order. Hence update k + b of the
 * next batch misses only some of {start, ..., k - 1}: the b updates of the same batch before it
 * are in the replica. If start = k that is nothing, and its delay is 0; otherwise k + b - start is
 * never below the true one. The last line: if next == k, then the replica contains every update
 * before k, and k, ..., k + count - 1 are its own.
 *
 * Numbers here count from 0; update k of the theory (k = 1, ..., K) is ticket k - 1.
 */
#ifndef ASYSG_CLOCK_H
#define ASYSG_CLOCK_H

#include "atomic.h"

#define ASYSG_NONE INT64_MAX
#define ASYSG_LATE (-1)

typedef struct asysg_clock {
    asysg_cell *now;  /* the next ticket */
    asysg_cell *slot; /* one a worker: a lower bound of its ticket in flight, or ASYSG_NONE */
    int64_t workers;
} asysg_clock;

/* Step 1. */
static inline int64_t asysg_clock_start(const asysg_clock *c)
{
    /* seq_cst, because it must come before the slots are scanned and must see a clock at least
     * as new as every ticket whose announcement the scan could miss. */
    int64_t start = __atomic_load_n(&c->now->value, __ATOMIC_SEQ_CST);
    asysg_stress();
    for (int64_t w = 0; w < c->workers; w++) {
        /* seq_cst, because announcements, tickets and scans need one common order; it acquires
         * too, so that a slot seen cleared means a write seen. */
        int64_t ticket = __atomic_load_n(&c->slot[w].value, __ATOMIC_SEQ_CST);
        if (ticket < start)
            start = ticket;
    }
    return start;
}

/* Step 2. */
static inline void asysg_clock_announce(const asysg_clock *c, int64_t w)
{
    /* seq_cst, because the clock read here must not be newer than the ticket taken next, and
     * the announcement must be visible before that ticket exists. */
    int64_t now = __atomic_load_n(&c->now->value, __ATOMIC_SEQ_CST);
    asysg_stress();
    __atomic_store_n(&c->slot[w].value, now, __ATOMIC_SEQ_CST);
}

/* Step 4. */
static inline void asysg_clock_done(const asysg_clock *c, int64_t w)
{
    /* release, because whoever sees the slot cleared must see this worker's write to x. */
    __atomic_store_n(&c->slot[w].value, ASYSG_NONE, __ATOMIC_RELEASE);
}

/* The delay of the last of `count` updates that would be numbered from k on, for a read that
 * contains every update before `start` and, of the later ones, the earlier ones of these. */
static inline int64_t asysg_clock_delay(int64_t k, int64_t start, int64_t count)
{
    return k == start ? 0 : k + count - 1 - start;
}

/* Steps 2 and 3, for `count` updates at once; returns the number of the first. `max_delay` < 0: no
 * bound. Otherwise the tickets are taken only while no delay exceeds it; a worker that comes too
 * late gets ASYSG_LATE, has announced nothing, and must read again. */
static inline int64_t asysg_clock_tickets(const asysg_clock *c, int64_t w, int64_t start,
                                          int64_t count, int64_t max_delay)
{
    asysg_clock_announce(c, w);
    asysg_stress();
    if (max_delay < 0)
        /* seq_cst, because it must follow the announcement and precede the write to x. */
        return __atomic_fetch_add(&c->now->value, count, __ATOMIC_SEQ_CST);
    int64_t k = __atomic_load_n(&c->now->value, __ATOMIC_SEQ_CST);
    asysg_stress();
    while (asysg_clock_delay(k, start, count) <= max_delay)
        /* seq_cst on success, as for the fetch_add; the bound is checked against the very value
         * that is exchanged, because a bound checked earlier could be passed by other tickets. */
        if (__atomic_compare_exchange_n(&c->now->value, &k, k + count, 0, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST))
            return k;
    asysg_clock_done(c, w);
    return ASYSG_LATE;
}

/* The same for one update. */
static inline int64_t asysg_clock_ticket(const asysg_clock *c, int64_t w, int64_t start,
                                         int64_t max_delay)
{
    return asysg_clock_tickets(c, w, start, 1, max_delay);
}

#endif
