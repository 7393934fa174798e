// Physical limits of this machine, and the workloads' loops as one would write them by hand.
//
// Compiled by native.py at run time, for the machine it runs on (-march=native), and never shipped.
// Everything that is timed here returns the seconds of its slowest thread.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <numeric>
#include <thread>
#include <vector>

namespace {

#ifdef __AVX512F__
constexpr int WIDTH = 8, CHAINS = 16;
#else
constexpr int WIDTH = 4, CHAINS = 12;
#endif
typedef double vector __attribute__((vector_size(WIDTH * 8)));
typedef double loose __attribute__((vector_size(WIDTH * 8), aligned(8)));

double now()
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

// Keeps a result from being computed away.
template <class T> void keep(T const &value) { asm volatile("" : : "m"(value) : "memory"); }

double threads(int p, const std::function<void(int)> &body)
{
    if (p == 1) {
        double begin = now();
        body(0);
        return now() - begin;
    }
    std::atomic<int> ready{0};
    std::vector<double> took(p);
    std::vector<std::thread> team;
    for (int w = 0; w < p; w++)
        team.emplace_back([&, w] {
            ready.fetch_add(1);
            while (ready.load() < p) std::this_thread::yield();
            double begin = now();
            body(w);
            took[w] = now() - begin;
        });
    for (auto &one : team) one.join();
    return *std::max_element(took.begin(), took.end());
}

uint64_t word(uint64_t seed, uint64_t draw)
{
    uint64_t z = seed + (draw + 1) * 0x9E3779B97F4A7C15ULL;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
}

uint64_t below(uint64_t drawn, uint64_t bound)
{
    return (uint64_t)(((unsigned __int128)drawn * bound) >> 64);
}

struct alignas(64) Lock {
    std::atomic<int> held{0};
    void lock()
    {
        while (held.exchange(1, std::memory_order_acquire))
            while (held.load(std::memory_order_relaxed)) __builtin_ia32_pause();
    }
    void unlock() { held.store(0, std::memory_order_release); }
};

// A relaxed load: what is read is somebody's value, never half of one.
double cell(const double *x) { return *(const volatile double *)x; }

void cas_add(double *x, double step)
{
    uint64_t *at = (uint64_t *)x;
    uint64_t old = __atomic_load_n(at, __ATOMIC_RELAXED), fresh;
    double value;
    do {
        std::memcpy(&value, &old, 8);
        value += step;
        std::memcpy(&fresh, &value, 8);
    } while (!__atomic_compare_exchange_n(at, &old, fresh, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

// d/dz (s(z) - y)^2, the loss of SigmoidRegression.
double slope(double z, double y)
{
    double s = 1 / (1 + std::exp(-z));
    return 2 * (s - y) * s * (1 - s);
}

double dot(const double *a, const double *x, int64_t n)
{
    vector sum[4] = {};
    int64_t i = 0;
    for (; i + 4 * WIDTH <= n; i += 4 * WIDTH)
        for (int c = 0; c < 4; c++)
            sum[c] += *(const loose *)(a + i + c * WIDTH) * *(const loose *)(x + i + c * WIDTH);
    vector all = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    double total = 0;
    for (int c = 0; c < WIDTH; c++) total += all[c];
    for (; i < n; i++) total += a[i] * x[i];
    return total;
}

void axpy(double *x, double step, const double *a, int64_t n)
{
    for (int64_t i = 0; i < n; i++) x[i] += step * a[i];
}

// Private copies of x, merged segment by segment: no update is lost.
struct Replica {
    static constexpr int64_t SEGMENT = 512;
    std::vector<double> local, base;
    double *shared;
    Lock *locks;
    int64_t n;
    Replica(double *x, Lock *l, int64_t size) : local(x, x + size), base(local), shared(x), locks(l), n(size) {}
    void merge()
    {
        for (int64_t begin = 0, s = 0; begin < n; begin += SEGMENT, s++) {
            int64_t end = std::min(n, begin + SEGMENT);
            locks[s].lock();
            for (int64_t i = begin; i < end; i++) {
                double merged = shared[i] + (local[i] - base[i]);
                shared[i] = local[i] = base[i] = merged;
            }
            locks[s].unlock();
        }
    }
};

enum Mode { PLAIN = 0, ATOMIC = 1, REPLICA = 2 };

// Every thread its share of the updates; `one(x, draw)` does one.
template <class One>
double workers(double *x, int64_t n, int64_t updates, int p, int mode, int64_t every, One one)
{
    std::unique_ptr<Lock[]> locks(new Lock[n / Replica::SEGMENT + 1]);
    return threads(p, [&](int w) {
        int64_t begin = updates * w / p, end = updates * (w + 1) / p;
        if (mode != REPLICA) {
            for (int64_t k = begin; k < end; k++) one(x, k, end);
            return;
        }
        Replica mine(x, locks.get(), n);
        for (int64_t k = begin; k < end; k++) {
            one(mine.local.data(), k, end);
            if ((k + 1 - begin) % every == 0) mine.merge();
        }
        mine.merge();
    });
}

}  // namespace

extern "C" {

// ---- limits -------------------------------------------------------------------------------

// Seconds one cache line takes from one thread to another, one way, in the fastest half of
// `batches`: a thread that loses its core spoils only a batch.
double ping_pong(int64_t batches, int64_t trips)
{
    struct alignas(128) { std::atomic<int64_t> turn{0}; } line;
    std::vector<double> took(batches);
    std::thread other([&] {
        for (int64_t k = 0; k < batches * trips; k++) {
            for (int spins = 0; line.turn.load(std::memory_order_acquire) != 2 * k + 1; spins++)
                if (spins > 100000) std::this_thread::yield();
            line.turn.store(2 * k + 2, std::memory_order_release);
        }
    });
    for (int64_t b = 0, k = 0; b < batches; b++) {
        double begin = now();
        for (int64_t t = 0; t < trips; t++, k++) {
            line.turn.store(2 * k + 1, std::memory_order_release);
            for (int spins = 0; line.turn.load(std::memory_order_acquire) != 2 * k + 2; spins++)
                if (spins > 100000) std::this_thread::yield();
        }
        took[b] = (now() - begin) / (2 * trips);
    }
    other.join();
    std::sort(took.begin(), took.end());
    return took[batches / 4];
}

// Every thread reads `n` doubles of its own, `passes` times.
double read_pass(int64_t n, int64_t passes, int p)
{
    std::vector<std::vector<double>> data(p, std::vector<double>(n, 1.0));
    return threads(p, [&](int w) {
        const double *a = data[w].data();
        for (int64_t t = 0; t < passes; t++) {
            vector sum[8] = {};
            for (int64_t i = 0; i + 8 * WIDTH <= n; i += 8 * WIDTH)
                for (int c = 0; c < 8; c++) sum[c] += *(const loose *)(a + i + c * WIDTH);
            for (auto &one : sum) keep(one);
        }
    });
}

// Every read waits for the one before it: one random cycle through all lines.
double chase(int64_t bytes, int64_t steps)
{
    struct alignas(64) Line { int64_t next; };
    int64_t lines = bytes / 64;
    std::vector<Line> cycle(lines);
    std::vector<int64_t> order(lines);
    std::iota(order.begin(), order.end(), 0);
    for (int64_t i = lines - 1; i > 0; i--) std::swap(order[i], order[below(word(1, i), i + 1)]);
    for (int64_t i = 0; i < lines; i++) cycle[order[i]].next = order[(i + 1) % lines];
    int64_t at = 0;
    for (int64_t s = 0; s < std::min(lines, steps); s++) at = cycle[at].next;
    double begin = now();
    for (int64_t s = 0; s < steps; s++) at = cycle[at].next;
    double took = now() - begin;
    keep(at);
    return took;
}

// Records of so many lines at random, the next ones asked for in advance.
double records(int64_t count, int64_t lines, int64_t steps, int p)
{
    constexpr int64_t AHEAD = 8, FIRST = 8;
    std::vector<int64_t> data(8 * lines * count, 1);
    return threads(p, [&](int w) {
        int64_t sum = 0;
        for (int64_t s = 0; s < steps; s++) {
            const int64_t *soon = &data[8 * lines * below(word(w, s + AHEAD), count)];
            for (int64_t i = 0; i < std::min(lines, FIRST); i++) __builtin_prefetch(soon + 8 * i);
            const int64_t *one = &data[8 * lines * below(word(w, s), count)];
            for (int64_t i = 0; i < lines; i++) sum += one[8 * i];
        }
        keep(sum);
    });
}

// 2 * CHAINS * WIDTH operations a step; returns operations per step through `flops`.
double fma_steps(int64_t steps, int p, double *flops)
{
    *flops = 2.0 * CHAINS * WIDTH;
    return threads(p, [&](int) {
        vector sum[CHAINS] = {}, a = sum[0] + 0.999, b = sum[0] + 1e-3;
        for (int64_t s = 0; s < steps; s++)
            for (int c = 0; c < CHAINS; c++) sum[c] = sum[c] * a + b;
        for (auto &one : sum) keep(one);
    });
}

double fetch_adds(int64_t steps, int p)
{
    struct alignas(128) { std::atomic<int64_t> count{0}; } line;
    return threads(p, [&](int) { for (int64_t s = 0; s < steps; s++) line.count.fetch_add(1); });
}

double cas_adds(int64_t steps, int p)
{
    struct alignas(128) { double value = 0; } line;
    return threads(p, [&](int) { for (int64_t s = 0; s < steps; s++) cas_add(&line.value, 1.0); });
}

// ---- the same loops by hand ---------------------------------------------------------------

// W1: a sample's support per update, random rows, the next rows' lines asked for in advance.
double w1(const double *data, const int32_t *indices, const int64_t *start, const double *y, int64_t N,
          double *x, int64_t n, double gamma, int64_t updates, int p, int mode, int64_t every, uint64_t seed)
{
    constexpr int64_t AHEAD = 16;
    return workers(x, n, updates, p, mode, every, [=](double *v, int64_t k, int64_t end) {
        if (k + AHEAD < end) {
            int64_t row = below(word(seed, k + AHEAD), N), begin = start[row], stop = start[row + 1];
            for (int64_t e = begin; e < stop; e += 8) __builtin_prefetch(data + e);
            for (int64_t e = begin; e < stop; e += 16) __builtin_prefetch(indices + e);
        }
        int64_t row = below(word(seed, k), N), begin = start[row], stop = start[row + 1];
        double z0 = 0, z1 = 0;
        int64_t e = begin;
        for (; e + 1 < stop; e += 2) {
            z0 += data[e] * cell(v + indices[e]);
            z1 += data[e + 1] * cell(v + indices[e + 1]);
        }
        for (; e < stop; e++) z0 += data[e] * cell(v + indices[e]);
        double step = -gamma * slope(z0 + z1, y[row]);
        if (mode == ATOMIC)
            for (e = begin; e < stop; e++) cas_add(v + indices[e], step * data[e]);
        else
            for (e = begin; e < stop; e++) v[indices[e]] += step * data[e];
    });
}

// W1c: the gap to the next update that changes anything is geometric, its entry uniform.
double w1c(const double *data, const int32_t *indices, const int64_t *start, const int32_t *row_of,
           const double *y, int64_t N, double *x, int64_t n, double gamma, int64_t updates, uint64_t seed)
{
    constexpr uint64_t AHEAD = 16;
    int64_t nnz = start[N];
    double scale = 1 / std::log1p(-(double)nnz / ((double)N * n));
    return threads(1, [&](int) {
        uint64_t draw = 0;
        for (int64_t k = 0; k < updates; k++) {
            double u = ((word(seed, draw) >> 11) + 0.5) * 0x1.0p-53;
            k += (int64_t)(std::log(u) * scale);
            if (k >= updates) break;
            uint64_t next = below(word(~seed, draw + AHEAD), nnz);
            __builtin_prefetch(row_of + next);
            int64_t soon = row_of[below(word(~seed, draw + AHEAD / 2), nnz)];
            for (int64_t e = start[soon]; e < start[soon + 1]; e += 8) {
                __builtin_prefetch(data + e);
                __builtin_prefetch(indices + e);
            }
            int64_t entry = below(word(~seed, draw++), nnz), row = row_of[entry];
            double z = 0;
            for (int64_t e = start[row]; e < start[row + 1]; e++) z += data[e] * x[indices[e]];
            x[indices[entry]] -= gamma * slope(z, y[row]) * data[entry];
        }
    });
}

// W2: the whole vector per update; random rows, or one after the other.
double w2(const double *A, const double *y, int64_t N, double *x, int64_t n, double gamma, int64_t updates,
          int p, int mode, int64_t every, int sequential, uint64_t seed)
{
    return workers(x, n, updates, p, mode, every, [=](double *v, int64_t k, int64_t) {
        int64_t row = sequential ? k % N : (int64_t)below(word(seed, k), N);
        const double *a = A + row * n;
        double step = -gamma * slope(dot(a, v, n), y[row]);
        if (mode == ATOMIC)
            for (int64_t i = 0; i < n; i++) cas_add(v + i, step * a[i]);
        else
            axpy(v, step, a, n);
    });
}

// con-n: workers go through the segments hand over hand; one pass applies my update and reads my
// next snapshot, in the same order in every segment, so that every snapshot is an iterate.
double con(double *x, const double *centre, int64_t n, double gamma, int64_t rounds, int p)
{
    constexpr int64_t SEGMENT = 2048;
    int64_t count = (n + SEGMENT - 1) / SEGMENT;
    std::unique_ptr<Lock[]> locks(new Lock[count]);
    return threads(p, [&](int w) {
        std::vector<double> read(x, x + n), g(n);
        for (int64_t k = rounds * w / p; k < rounds * (w + 1) / p; k++) {
            for (int64_t i = 0; i < n; i++) g[i] = read[i] - centre[i];
            if (p > 1) locks[0].lock();
            for (int64_t s = 0; s < count; s++) {
                int64_t end = std::min(n, (s + 1) * SEGMENT);
                for (int64_t i = s * SEGMENT; i < end; i++) read[i] = x[i] -= gamma * g[i];
                if (p > 1 && s + 1 < count) locks[s + 1].lock();
                if (p > 1) locks[s].unlock();
            }
        }
        keep(read[0]);
    });
}

// sim: what is read is rebuilt from the present by taking back the updates it missed, one by one.
// Begins as if T updates that changed nothing had been: its cost is that of a long run at once.
double history_scan(const double *data, const int32_t *indices, const int64_t *start, const double *y,
                    int64_t N, double *x, int64_t n, double gamma, int64_t T, int64_t events, uint64_t seed)
{
    std::vector<int64_t> where(T + 1);
    std::vector<double> step(T + 1), back(n);
    for (int64_t j = 0; j <= T; j++) where[j] = below(word(~seed, j), n);
    return threads(1, [&](int) {
        for (int64_t k = T; k < T + events; k++) {
            int64_t i = below(word(seed, 3 * k), n), row = below(word(seed, 3 * k + 1), N);
            int64_t tau = below(word(seed, 3 * k + 2), T + 1);
            int64_t begin = start[row], end = start[row + 1];
            const int32_t *at = std::lower_bound(indices + begin, indices + end, (int32_t)i);
            for (int64_t j = k - tau; j < k; j++) back[where[j % (T + 1)]] += step[j % (T + 1)];
            double g = 0;
            if (at != indices + end && *at == i) {
                double z = 0;
                for (int64_t e = begin; e < end; e++) z += data[e] * (x[indices[e]] - back[indices[e]]);
                g = slope(z, y[row]) * data[at - indices];
            }
            for (int64_t j = k - tau; j < k; j++) back[where[j % (T + 1)]] = 0;
            where[k % (T + 1)] = i;
            step[k % (T + 1)] = -gamma * g;
            x[i] -= gamma * g;
        }
    });
}
}
