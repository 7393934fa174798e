/* Atomic accesses to memory that two workers share, and the ordering of each with its reason.
 *
 * Where no lock and no wait orders two accesses they are made here (the clock's in clock.h, those of
 * lazy proximal steps in prox.h): plain ones would be a data race, which C leaves undefined.
 *
 * relaxed   x itself. The theorem allows any mixture of old and new entries in a read, so x
 *           needs atomicity (no torn double, no lost add) and no order. What order the
 *           recorded delays need is made by the clock (clock.h).
 * acquire / release   the lock: what the last owner wrote is visible to the next. And counters that
 *           workers wait for: what was written before they moved is visible to who waited.
 */
#ifndef ASYSG_ATOMIC_H
#define ASYSG_ATOMIC_H

#include <sched.h>
#include <stdint.h>
#include <string.h>

/* Cells written by different workers lie 128 bytes apart: neighbouring cache lines are
 * fetched in pairs. */
typedef struct asysg_cell {
    int64_t value;
    char padding[120];
} asysg_cell;

/* A build with -DASYSG_STRESS gives the core away at random wherever the protocol could be
 * interleaved, so that rare schedules become common. Nothing otherwise. */
#ifdef ASYSG_STRESS
#include <time.h>
static inline void asysg_stress(void)
{
    static __thread uint64_t state;
    if (!state)
        state = (uint64_t)(uintptr_t)&state ^ (uint64_t)clock();
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    if (state % 4 == 0)
        sched_yield();
}
#else
static inline void asysg_stress(void) {}
#endif

/* relaxed, because a read may mix any versions of the entries; it only must not be torn. */
static inline double asysg_load(const double *p)
{
    double value;
    __atomic_load(p, &value, __ATOMIC_RELAXED);
    return value;
}

/* *p += increment, no update lost; returns the value it was added to. relaxed, because a reader
 * learns from the clock, not from the value it sees, which updates it may have missed. */
static inline double asysg_add(double *p, double increment)
{
    uint64_t *bits = (uint64_t *)p;
    uint64_t old = __atomic_load_n(bits, __ATOMIC_RELAXED), next;
    double before, after;
    do {
        memcpy(&before, &old, sizeof before);
        after = before + increment;
        memcpy(&next, &after, sizeof next);
        asysg_stress();
    } while (!__atomic_compare_exchange_n(bits, &old, next, 1, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    return before;
}

/* The same with the folklore's load and store: an update that arrives between the two is lost.
 * Returns the value the increment was added to, and in *replaced the value that was overwritten;
 * where they differ, updates were lost. relaxed, as for the add. */
static inline double asysg_add_lossy(double *p, double increment, double *replaced)
{
    double before = asysg_load(p), after = before + increment;
    asysg_stress();
    __atomic_exchange(p, &after, replaced, __ATOMIC_RELAXED);
    return before;
}

static inline void asysg_yield(void)
{
    sched_yield();
}

/* A spinlock that gives the core away when the owner does not run (more workers than cores). */
static inline void asysg_lock(asysg_cell *lock)
{
    int spins = 0;
    asysg_stress();
    for (;;) {
        /* acquire, because the new owner must see all that the last one wrote to x. */
        if (!__atomic_exchange_n(&lock->value, 1, __ATOMIC_ACQUIRE))
            return;
        /* relaxed, because this loop only waits; the exchange above decides. */
        while (__atomic_load_n(&lock->value, __ATOMIC_RELAXED))
            if (++spins % 128 == 0)
                asysg_yield();
    }
}

static inline void asysg_unlock(asysg_cell *lock)
{
    asysg_stress();
    /* release, because it publishes this owner's writes to the next. */
    __atomic_store_n(&lock->value, 0, __ATOMIC_RELEASE);
}

/* relaxed, because a flag that is seen one update later does no harm; the end of the parallel
 * region orders everything else. */
static inline int64_t asysg_peek(const asysg_cell *cell)
{
    return __atomic_load_n(&cell->value, __ATOMIC_RELAXED);
}

static inline void asysg_poke(asysg_cell *cell, int64_t value)
{
    __atomic_store_n(&cell->value, value, __ATOMIC_RELAXED);
}

/* relaxed, because only the uniqueness of the numbers handed out matters. */
static inline int64_t asysg_take(asysg_cell *cell, int64_t count)
{
    return __atomic_fetch_add(&cell->value, count, __ATOMIC_RELAXED);
}

/* Move a counter that one worker writes, for others to wait for. */
static inline void asysg_publish(asysg_cell *cell, int64_t value)
{
    asysg_stress();
    /* release, because it publishes what this worker wrote before. */
    __atomic_store_n(&cell->value, value, __ATOMIC_RELEASE);
}

/* Move a counter by one, each worker of a round once. */
static inline void asysg_arrive(asysg_cell *cell)
{
    asysg_stress();
    /* release, because it publishes what this worker wrote before. Adds that follow carry it on:
     * who sees the counter after them has synchronised with every one of them. */
    __atomic_fetch_add(&cell->value, 1, __ATOMIC_RELEASE);
}

/* Wait until a counter has come so far. Returns 0 if `stop` is raised before. Gives the core away
 * where the wait is long: whoever is waited for may need it. */
static inline int asysg_await(const asysg_cell *cell, int64_t least, const asysg_cell *stop)
{
    int spins = 0;
    asysg_stress();
    /* acquire, because what others wrote before they moved the counter is read next, and what they
     * read before is overwritten. */
    while (__atomic_load_n(&cell->value, __ATOMIC_ACQUIRE) < least) {
        if (asysg_peek(stop))
            return 0;
        if (++spins % 128 == 0)
            asysg_yield();
    }
    return 1;
}

#endif
