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

/* Steps 2 and 3, for `count` updates in one piece of which only the last writes: the others are
 * zero whatever they read. Returns the number of the first, k. `max_delay` < 0: no bound.
 *
 * What the piece's one read can miss of the updates before it lies in {start, ..., k-1}, and what it
 * misses of the piece itself is zero. So nothing is missed where k = start, and otherwise the
 * delay of the last update, k + count - 1 - start, is the largest. The tickets are taken only
 * while that is <= max_delay; a worker that comes too late gets ASYSG_LATE, has announced
 * nothing, and must read again. */
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
    while (k == start || k + count - 1 - start <= max_delay)
        /* seq_cst on success, as for the fetch_add; the bound is checked against the very value
         * that is exchanged, because a bound checked earlier could be passed by other tickets. */
        if (__atomic_compare_exchange_n(&c->now->value, &k, k + count, 0, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST))
            return k;
    asysg_clock_done(c, w);
    return ASYSG_LATE;
}

/* Steps 2 and 3 for one update. */
static inline int64_t asysg_clock_ticket(const asysg_clock *c, int64_t w, int64_t start,
                                         int64_t max_delay)
{
    return asysg_clock_tickets(c, w, start, 1, max_delay);
}

#endif
