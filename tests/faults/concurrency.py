"""Faults in what workers share: atomic adds, locks, clock, server, replicas.

What they do depends on the schedule, so the tests are asked about them many times.
"""

from __future__ import annotations

from .patch import fault

ATOMIC = "asysg/_core/atomic.h"
CLOCK = "asysg/_core/clock.h"
MERGE = "asysg/_core/merge.h"
REPLICA = "asysg/_core/replica.pxd"
SERVER = "asysg/_core/server.pxd"
THREADS = "asysg/_core/threads.pyx"
WORKER = "asysg/_core/worker.pxd"
THREADS_INCON = "cdef void incon("

TICKET = "            k = ticket(r, w, me, start)\n"
WRITE = "        before = write(r, me, i, increment, &replaced)\n"
FAULTS = (
    fault(
        "threads: plain write in place of the atomic add",
        (
            ATOMIC,
            "!__atomic_compare_exchange_n(bits, &old, next, 1, __ATOMIC_RELAXED,\n"
            "                                          __ATOMIC_RELAXED)",
            "(__atomic_store_n(bits, next, __ATOMIC_RELAXED), 0)",
        ),
    ),
    fault(
        "threads: lock that lets everyone in",
        (ATOMIC, "if («!__atomic_exchange_n(&lock->value, 1, __ATOMIC_ACQUIRE)»)", "1"),
    ),
    fault(
        "server: snapshot taken behind the locks",
        (
            SERVER,
            "            memcpy(xhat + first, x + first, count * sizeof(real_t))\n",
            "pass",
        ),
        (
            SERVER,
            "    asysg_unlock(&r.locks[r.segments - 1])\n",
            "{old}\nfor s in range(r.f.n):\n    xhat[s] = x[s]\n    asysg_stress()\n",
        ),
    ),
    fault(
        "server: a pass may overtake another",
        (
            SERVER,
            "            asysg_lock(&r.locks[s])\n            asysg_unlock(&r.locks[s - 1])\n",
            "asysg_unlock(&r.locks[s - 1])\nasysg_stress()\nasysg_lock(&r.locks[s])\n",
        ),
    ),
    fault(
        "server: snapshot without its own update",
        (
            SERVER,
            "            memcpy(xhat + first, x + first, count * sizeof(real_t))\n",
            "{old}\nif not late:\n"
            "    if real_t is double:\n"
            "        asysg_step(-step, xhat + first, sent + first, count)\n",
        ),
    ),
    fault(
        "threads: update written before its ticket",
        (
            THREADS,
            TICKET,
            "if r.max_delay < 0 and r.stride == 0 and isfinite(-(r.gamma[0] * g)):\n"
            "    increment = -(r.gamma[0] * g)\n"
            "    before = write(r, me, i, increment, &replaced)\n"
            "    asysg_stress()\n"
            "{old}\n",
            THREADS_INCON,
        ),
        (
            THREADS,
            WRITE,
            "if r.max_delay >= 0 or r.stride:\n    before = write(r, me, i, increment, &replaced)",
        ),
    ),
    fault(
        "threads: slot cleared before the write",
        (THREADS, WRITE, "asysg_clock_done(&r.clock, w)\nasysg_stress()\n{old}\n"),
    ),
    fault(
        "clock: announced after the ticket",
        (
            CLOCK,
            "    asysg_clock_announce(c, w);\n",
            "if (max_delay < 0) {\n"
            "    int64_t mine = __atomic_fetch_add(&c->now->value, count, __ATOMIC_SEQ_CST);\n"
            "    asysg_stress();\n"
            "    asysg_clock_announce(c, w);\n"
            "    return mine;\n"
            "}\n"
            "asysg_clock_announce(c, w);\n",
            "asysg_clock_tickets(const",
        ),
    ),
    fault("clock: slots not looked at", (CLOCK, "w < «c->workers»; w++", "0")),
    fault(
        "clock: window one update too small",
        (CLOCK, "    return start;\n", "return start < c->now->value ? start + 1 : start;\n"),
    ),
    fault(
        "clock: enforced bound off by one",
        (CLOCK, "while («asysg_clock_delay(k, start, count)» <= max_delay)", "{old} - 1"),
    ),
    fault(
        "clock: enforced bound checked too early",
        (
            CLOCK,
            "«    asysg_stress();\n»    while (asysg_clock_delay",
            "asysg_stress();\n"
            "if (asysg_clock_delay(k, start, count) <= max_delay)\n"
            "    return __atomic_fetch_add(&c->now->value, count, __ATOMIC_SEQ_CST);\n",
        ),
    ),
    fault(
        "threads: late gradient of AsySG-con not recomputed",
        (
            SERVER,
            "    late = only_read or (r.max_delay >= 0 and k - start > r.max_delay)\n",
            "late = only_read\n"
            "if r.max_delay >= 0 and k - start > r.max_delay and not late:\n"
            "    me.recomputed += 1\n"
            "    start = k\n",
        ),
        (
            SERVER,
            "tally(me, «k - start»)",
            "k - start if r.max_delay < 0 else min(k - start, r.max_delay)",
        ),
    ),
    fault(
        "threads: late gradient of AsySG-incon not recomputed",
        (
            THREADS,
            TICKET,
            "k = ticket(r, w, me, start)\n"
            "while k == ASYSG_LATE:\n"
            "    start = asysg_clock_start(&r.clock)\n"
            "    k = ticket(r, w, me, start)\n",
            THREADS_INCON,
        ),
    ),
    fault(
        "threads: max_delay ignored",
        (
            "asysg/_minimize.py",
            '"max_delay": «-1 if plan.max_delay is None else plan.max_delay»,',
            "-1",
        ),
    ),
    fault(
        "threads: delays counted by half", (WORKER, "tally(me, «k - start»)", "(k - start) // 2")
    ),
    fault(
        "threads: recorded start one too late",
        (WORKER, "Entry(w, «start», me.draw, i,", "start + (start < k)"),
    ),
    fault(
        "threads: overwritten updates not counted",
        (WORKER, "        me.overwrites += replaced[0] != before\n", "pass"),
    ),
    fault(
        "replica: merge overwrites what others wrote",
        (MERGE, "s = «s == base[i]» ? replica[i]", "1"),
    ),
    fault(
        "replica: what was merged is merged again",
        (MERGE, "        shared[i] = replica[i] = base[i] = s;\n", "shared[i] = replica[i] = s;\n"),
    ),
    fault(
        "replica: others' updates not taken over",
        (
            MERGE,
            "        shared[i] = replica[i] = base[i] = s;\n",
            "shared[i] = s;\nbase[i] = replica[i];\n",
        ),
    ),
    fault(
        "replica: slot cleared before the merge",
        (
            REPLICA,
            "        if batch.count:\n            merge(r, w, me, False)\n",
            "asysg_clock_done(&r.clock, w)\nasysg_yield()\n{old}\n",
        ),
    ),
    fault(
        "replica: window begins after the merge",
        (
            REPLICA,
            "numbered if following == k else «following»\n",
            "asysg_clock_start(&r.clock)",
        ),
    ),
    fault(
        "replica: every batch numbered as the first to follow its read",
        (REPLICA, "start = k + numbered if «following == k» else following", "True"),
    ),
    fault(
        "replica: late batch merged after all",
        (REPLICA, "    start = «refresh(r, w, me)»\n", "asysg_clock_start(&r.clock)"),
    ),
    fault(
        "replica: delays of a batch counted by its first update",
        (REPLICA, "asysg_clock_delay(k, start, «t + 1»)", "1"),
        (REPLICA, "tally_piece(me, k - start, «count»)", "1"),
    ),
    fault(
        "replica: infinities not looked for",
        (REPLICA, "if «asysg_finite(me.xhat, r.f.n)»:", "True"),
    ),
)
