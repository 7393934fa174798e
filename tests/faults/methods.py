"""Faults in the methods beside the paper's two, in proximal and adaptive steps, and in ranks."""

from __future__ import annotations

from .patch import fault

ADAPTIVE = "asysg/_core/adaptive.pxd"
EXACT = "asysg/_core/exact.pyx"
FULL = "asysg/_core/full.pxd"
PROX = "asysg/_core/prox.h"
PROXIMAL = "asysg/_core/proximal.pyx"
RANK = "asysg/_core/rank.pyx"
SERVED = "asysg/_core/served.pyx"
SERVER = "asysg/_core/server.pxd"
TURNS = "asysg/_core/turns.pyx"
WORKER = "asysg/_core/worker.pxd"

MEETING = "        if not met(r, done):\n            return\n"
#: Come to it, and do not wait: those who do count on it.
PASS_BY = "asysg_arrive(r.met)\nasysg_stress()\n"

SYSTEMS = (
    fault(
        "served: sync adds up all parts but the last",
        (SERVED, "for part in range(1, «parts»):", "max(1, parts - 1)"),
    ),
    fault(
        "served: sync writes x before all gradients are there",
        (SERVED, MEETING, PASS_BY, "            part += team\n"),
    ),
    fault(
        "served: sync reads x before all of it is written",
        (SERVED, MEETING, PASS_BY, "asysg_poke(r.clock.now, k + 1)\n"),
    ),
    fault(
        "served: slices of x overlap by a cache line",
        (SERVED, "edge(r.f.n, w + 1, team)", "min(r.f.n, {old} + 16)"),
    ),
    fault(
        "served: delayed keeps one iterate too few",
        (SERVED, "(j % «(r.delay + 1)»)", "max(1, r.delay)"),
    ),
    fault(
        "served: delayed reads one iterate too late",
        (SERVED, "iterate(r, «start»), me.samples", "min(start + 1, k)"),
    ),
    fault(
        "served: delayed does not wait for its read",
        (SERVED, "asysg_await(r.clock.now, «start», r.stop)", "0"),
    ),
    fault(
        "served: downpour takes no local steps",
        (SERVED, "        asysg_step(r.gamma[0], me.xhat, me.g, n)\n", "pass"),
    ),
    fault(
        "served: downpour fetches one push too late",
        (SERVED, "«me.pushed + 1» < r.pushes", "me.pushed"),
    ),
    fault(
        "served: downpour fetches at every push once it has fetched",
        (SERVED, "me.pushed + 1 if «now == me.start» else 0", "True"),
    ),
    fault(
        "served: a late push of downpour counts from the old fetch",
        (SERVED, "me.start, me.pushed = «now», 0", "me.start"),
    ),
    fault(
        "turns: ring one iterate too small", (TURNS, "ring = «self.delay + 1»", "max(1, {old} - 1)")
    ),
    fault(
        "turns: last part left out of the sum",
        (TURNS, "if «part»:\n                asysg_axpy", "part * (part < self.parts - 1)"),
    ),
    fault(
        "turns: a group begins before its last update is done",
        (TURNS, "if k >= «self.groups»:", "self.groups + 1"),
    ),
    fault(
        "turns: an update does not wait for its read",
        (TURNS, "if k > «self.delay»:", "self.delay + 1"),
    ),
    fault(
        "turns: the server's time counted once an update",
        (TURNS, "t += «serving[part]»", "(serving[part] if part == 0 else 0.0)"),
    ),
)

DESCENT = (
    fault(
        "asyscd: derivative of f is the sum, not the mean",
        (FULL, "out[0] += «total / <double> f.n_samples»", "total"),
    ),
    fault(
        "asyscd: gradient added to that of the call before",
        (FULL, "    memset(total, 0, f.n * sizeof(double))\n", "pass"),
    ),
    fault(
        "asyscd: derivative taken from a scratch that was not cleared",
        (FULL, "        memset(g, 0, f.n * sizeof(double))\n", "pass"),
    ),
    fault(
        "asyscd: f is said to read the entries of one derivative",
        (EXACT, "-1 if «i < 0» else own_support", "False"),
    ),
)

STEPS = (
    fault(
        "adaptive: steps shortened by the delay before",
        (ADAPTIVE, "1.0 / (slope * «delay»)", "(delay - 1)"),
    ),
    fault("adaptive: as long as the delay allows", (ADAPTIVE, "min(«step»,", "1e300")),
    fault(
        "adaptive: the server takes every gradient for fresh",
        (SERVER, "step = steplength(r, me, k, «k - start»)", "0"),
    ),
    fault(
        "adaptive: sums of the steps before they are shortened",
        (WORKER, "me.sum_step += «step»", "r.gamma[(k - r.base) * r.stride]"),
    ),
)

PROXIMAL_STEPS = (
    fault("prox: an update's lazy step made twice", (PROX, "had = «k + 1»;", "k")),
    fault(
        "prox: missing steps not made before a write",
        (PROX, "asysg_prox_times(h, j, t, «k - had», v) + increment", "0"),
    ),
    fault(
        "prox: a read makes one step too few",
        (PROX, "return asysg_prox_times(h, j, t, «start - had», v);", "start - had - 1"),
    ),
    fault(
        "prox: an overtaken update leaves the box",
        (PROX, "v = «asysg_prox_clip(h, j, v + increment)»;", "v + increment"),
    ),
    fault(
        "prox: count and value of an entry not read together",
        (PROX, "if («had == still» && had", "1"),
    ),
    fault(
        "prox: two write an entry at a time",
        (
            PROX,
            "__atomic_exchange_n(&counted[j], ASYSG_BUSY, __ATOMIC_ACQUIRE)",
            "__atomic_load_n(&counted[j], __ATOMIC_ACQUIRE)",
        ),
    ),
    fault(
        "prox: with a ridge the threshold grows like the number of steps",
        (PROX, "a > 0.0 ? «a * (grown / (b - 1.0))» : 0.0", "a * (double)m"),
    ),
    fault(
        "prox: box before shrink",
        (
            PROX,
            "asysg_prox_clip(h, j, asysg_shrink(v, t * h->l1, 1.0 + t * h->l2))",
            "asysg_shrink(asysg_prox_clip(h, j, v), t * h->l1, 1.0 + t * h->l2)",
        ),
    ),
    fault(
        "prox: ridge of a minibatch counted once",
        (PROX, "const double a = t * h->l1, b = 1.0 + «t» * h->l2;", "step"),
    ),
    fault(
        "prox: several steps leave the box",
        (PROX, "return «asysg_prox_clip(h, j, asysg_shrink(v, a, b))»;", "asysg_shrink(v, a, b)"),
    ),
    fault(
        "prox: last step of an entry not made at the end",
        (PROXIMAL, "self.t, «clock - self.counted[j]»", "{old} - 1"),
    ),
    fault(
        "prox: a resumed run makes steps twice",
        (PROXIMAL, "array[:] = «pending[name]»", "(array if name == 'counted' else pending[name])"),
    ),
)

RANKS = (
    fault(
        "rank: every part draws the samples of the first",
        (RANK, "self.key0, self.key1, d, «m»)", "m - begin"),
    ),
    fault(
        "rank: gradient added to the last one",
        (RANK, "            memset(&out[0], 0, n * sizeof(double))\n", "pass"),
    ),
    fault(
        "rank: nan passes as finite",
        (RANK, "bad |= «not fabs(out[j]) <= DBL_MAX»", "fabs(out[j]) > DBL_MAX"),
    ),
    fault(
        "rank: snapshot without its last segment",
        (RANK, "if «out is not NULL»:", "out is not NULL and first + count < n"),
    ),
    fault(
        "rank: snapshot of the first segment everywhere",
        (RANK, "memcpy(out + first, «&at[first]», count", "&at[0]"),
    ),
)

FAULTS = (*SYSTEMS, *DESCENT, *STEPS, *PROXIMAL_STEPS, *RANKS)
