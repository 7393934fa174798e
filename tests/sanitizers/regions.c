/* Parallel regions as ThreadSanitizer must see them.
 *
 * It knows pthreads, but libgomp keeps its threads in a pool and wakes them by futex, which it
 * does not see: without help every region would look unordered with what comes before and after
 * it. This library, preloaded after ThreadSanitizer's, stands before two functions of libgomp and
 * tells what the OpenMP specification promises, and nothing more:
 *
 * - what the caller did before a region happens before each worker's part, and that before what
 *   the caller does next. Two tokens: with one for both, a worker that starts late would be
 *   ordered after one that ended early, and their race would go unseen;
 * - what happens before a barrier happens before what comes after it. (gcc makes one at the
 *   start of a region, between copies of first- and lastprivate variables.) Two tokens again, used
 *   in turn: no worker can be two barriers ahead of another.
 */
#define _GNU_SOURCE
#include <dlfcn.h>

void __tsan_acquire(void *);
void __tsan_release(void *);

typedef void parallel_t(void (*)(void *), void *, unsigned, unsigned);
typedef void barrier_t(void);

struct region {
    void (*body)(void *);
    void *data;
    char entry, exit, barrier[2];
};

static __thread struct region *here;
static __thread int turn;

static void worker(void *argument)
{
    struct region *r = argument, *outer = here;
    int outer_turn = turn;
    here = r;
    turn = 0;
    __tsan_acquire(&r->entry);
    r->body(r->data);
    __tsan_release(&r->exit);
    here = outer;
    turn = outer_turn;
}

void GOMP_parallel(void (*body)(void *), void *data, unsigned threads, unsigned flags)
{
    parallel_t *next = (parallel_t *)dlsym(RTLD_NEXT, "GOMP_parallel");
    struct region r = {.body = body, .data = data};
    __tsan_release(&r.entry);
    next(worker, &r, threads, flags);
    __tsan_acquire(&r.exit);
}

void GOMP_barrier(void)
{
    barrier_t *next = (barrier_t *)dlsym(RTLD_NEXT, "GOMP_barrier");
    char *token = here ? &here->barrier[turn++ & 1] : 0;
    if (token)
        __tsan_release(token);
    next();
    if (token)
        __tsan_acquire(token);
}
