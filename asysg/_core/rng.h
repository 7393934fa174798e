/* Counter-based random numbers: a draw is a function of (key, counter), nothing is stored.
 *
 * So the *set* of samples of a run does not depend on the number of threads, a record needs
 * to keep only the counter of an update, and simulator and threads draw the same samples.
 * The hash is two rounds of a 64-bit finaliser (full avalanche each round) over a 128-bit key.
 */
#ifndef ASYSG_RNG_H
#define ASYSG_RNG_H

#include <stdint.h>

static inline uint64_t asysg_mix(uint64_t z)
{
    z ^= z >> 30;
    z *= 0xBF58476D1CE4E5B9ULL;
    z ^= z >> 27;
    z *= 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
}

/* The word in `slot` of draw number `draw`. In a run, slot 0 chooses the coordinate and slots
 * 1..M choose the samples of the minibatch. Beyond every minibatch lie the slots of skip.pyx, and
 * those that choose the recorded iterates (RECORD_SLOT in _run.py, 2^62). */
#define ASYSG_STEPS (UINT64_C(1) << 60)
#define ASYSG_GAPS (UINT64_C(1) << 61)

static inline uint64_t asysg_word(uint64_t key0, uint64_t key1, uint64_t draw, uint64_t slot)
{
    uint64_t z = asysg_mix(key0 + (draw + 1) * 0x9E3779B97F4A7C15ULL);
    return asysg_mix((z ^ key1) + (slot + 1) * 0xD1342543DE82EF95ULL);
}

/* Uniform on {0, ..., bound-1} by the high half of a product; each value's probability is off
 * by less than 2^-64, which no run can notice. */
static inline uint64_t asysg_below(uint64_t word, uint64_t bound)
{
    return (uint64_t)(((unsigned __int128)word * bound) >> 64);
}

/* Uniform on [0, 1), 53 bits. */
static inline double asysg_unit(uint64_t word)
{
    return (double)(word >> 11) * 0x1.0p-53;
}

#endif
