/* Every access to memory that two workers share, and the ordering of each with its reason.
 *
 * Nothing else in the package touches shared memory: a plain read or write of it would be a
 * data race, which C leaves undefined.
 *
 * relaxed   x itself. The theorem allows any mixture of old and new entries in a read, so x
 *           needs atomicity (no torn double, no lost add) and no order. What order the
 *           recorded delays need is made by the clock (clock.h).
 * acquire / release   the lock: what the last owner wrote is visible to the next.
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

/* relaxed, because a read may mix any versions of the entries; it only must not be torn. */
static inline double asysg_load(const double *p)
{
    double value;
    __atomic_load(p, &value, __ATOMIC_RELAXED);
    return value;
}

/* *p += increment, no update lost. relaxed, because a reader learns from the clock, not from
 * the value it sees, which updates it may have missed. */
static inline void asysg_add(double *p, double increment)
{
    uint64_t *bits = (uint64_t *)p;
    uint64_t old = __atomic_load_n(bits, __ATOMIC_RELAXED), next;
    double value;
    do {
        memcpy(&value, &old, sizeof value);
        value += increment;
        memcpy(&next, &value, sizeof next);
    } while (!__atomic_compare_exchange_n(bits, &old, next, 1, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
}

static inline void asysg_yield(void)
{
    sched_yield();
}

/* A spinlock that gives the core away when the owner does not run (more workers than cores). */
static inline void asysg_lock(asysg_cell *lock)
{
    int spins = 0;
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

#endif
