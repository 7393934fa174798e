"""Faults in what runs: simulator, threads, clock, objectives, results, replay.

A fault in one of two places that must agree (simulator and threads, kernel and oracle) shows as
soon as they are compared. So those that change the law of a run are also made everywhere at once,
where only a measurement can see them.
"""

from __future__ import annotations

from .patch import Edit, Fault

RECURSION = "asysg/_core/recursion.pyx"
THREADS = "asysg/_core/threads.pyx"
WORKER = "asysg/_core/worker.pxd"
CLOCK = "asysg/_core/clock.h"
ATOMIC = "asysg/_core/atomic.h"
STREAM = "asysg/_core/stream.pyx"
DRAWS = "asysg/_draws.py"
SIMULATE = "asysg/simulate/__init__.py"
REPLAY = "asysg/simulate/_replay.py"
RUN = "asysg/_run.py"
THREADS_INCON = "cdef void incon("


def fault(name: str, *edits: tuple[str, ...]) -> Fault:
    """Make a fault of edits given as tuples."""
    return Fault(name, tuple(Edit(*edit) for edit in edits))


# What the simulator adds to x, AsySG-con and AsySG-incon, and what the threads add.
SIMULATOR_ADDS = (
    (RECURSION, "self.x_view[j] += «-(step * self.g[j])»"),
    (RECURSION, "increment = «-(step * g)»"),
)
THREADS_ADD = (
    (THREADS, "r.x[j] += «-(step * me.g[j])»"),
    (THREADS, "increment = «-(steplength(r, k) * g)»"),
    (THREADS, "write(r, me, j, «-(step * me.g[j])», &replaced)"),
)


def simulator(name: str, new: str) -> Fault:
    """Change what the simulator adds; `draw` is the number of the update."""
    return fault(f"simulator: {name}", *((*place, new) for place in SIMULATOR_ADDS))


def everywhere(name: str, new: str) -> Fault:
    """Change what simulator and threads add."""
    there = new.replace("self.M", "r.M").replace("draw", "me.draw")
    return fault(
        f"everywhere: {name}",
        *((*place, new) for place in SIMULATOR_ADDS),
        *((*place, there) for place in THREADS_ADD),
    )


STEPS = (
    simulator("steplength x 3", "3 * {old}"),
    everywhere("steplength x 3", "3 * {old}"),
    simulator("steplength / M", "{old} / self.M"),
    everywhere("steplength / M", "{old} / self.M"),
    fault(
        "everywhere: schedule one update ahead",
        (
            "asysg/steplengths.py",
            "«self.schedule(k)» for k in range(",
            "self.schedule(k + 1)",
        ),
    ),
)

UPDATES = (
    simulator("5 % of the updates lost", "{old} * (1 - asysg_fault_coin(draw, 20))"),
    everywhere("5 % of the updates lost", "{old} * (1 - asysg_fault_coin(draw, 20))"),
    everywhere("20 % of the updates lost", "{old} * (1 - asysg_fault_coin(draw, 5))"),
    everywhere("5 % of the updates made twice", "{old} * (1 + asysg_fault_coin(draw, 20))"),
    fault(
        "threads: 5 % of the lock-free updates lost",
        (
            WORKER,
            "asysg_add(&r.x[j], «increment»)",
            "increment * (1 - asysg_fault_coin(me.draw, 20))",
        ),
    ),
    fault(
        "threads: 5 % of Hogwild's updates made twice",
        (*THREADS_ADD[2], "{old} * (1 + asysg_fault_coin(me.draw, 20))"),
    ),
)

READ = "        self.kernel.advance(until, gamma, table, seen)\n"
LATER = """\
self.kernel.advance(until, gamma, {table}, seen if seen is None else np.ascontiguousarray(
    np.pad(seen, ((0, 0), (0, 0), (0, {largest} - self.schedule.T)))))
"""


def staler(name: str, table: str, largest: str) -> Fault:
    """Let the simulator read older iterates than the schedule says."""
    return fault(
        name,
        (SIMULATE, "T=«schedule.T»,", largest.replace("self.", "")),
        (SIMULATE, READ, LATER.format(table=table, largest=largest)),
    )


STALENESS = (
    staler("simulator: staleness 4T", "4 * table", "4 * self.schedule.T"),
    staler("simulator: staleness T+1", "table + 1", "(self.schedule.T + 1)"),
    fault(
        "simulator: every read fresh",
        (SIMULATE, READ, "self.kernel.advance(until, gamma, 0 * table, None)\n"),
    ),
    fault(
        "simulator: stale counted fresh",
        (SIMULATE, "np.minimum(«table[:done].max(axis=1)»,", "0 * {old}"),
    ),
    fault(
        "simulator: delay of a batch counted by its freshest read",
        (SIMULATE, "np.minimum(«table[:done].max(axis=1)»,", "table[:done].min(axis=1)"),
    ),
    fault(
        "simulator: torn read",
        (
            RECURSION,
            "«&self.iterates[(k - min(k, tau[m])) % ring, 0]»",
            "asysg_fault_torn({old}, &self.iterates[k % ring, 0], n)",
        ),
    ),
    fault(
        "simulator: read sets ignored",
        (RECURSION, "seen is not NULL and «seen[m * self.T + age]»", "0"),
    ),
)

# The draws, in kernels and NumPy alike.
SAMPLES = (
    (RECURSION, "asysg_word(key0, key1, draw, «1 + m»)", "1"),
    (WORKER, "asysg_word(r.key0, r.key1, draw, «1 + m»)", "1"),
    (DRAWS, "[..., np.newaxis], «1 + np.arange(M)»", "np.ones(M, dtype=int)"),
)
SAMPLE_DRAWS = (
    (RECURSION, "asysg_word(key0, key1, «draw», 1 + m)", "draw - draw % 2"),
    (WORKER, "asysg_word(r.key0, r.key1, «draw», 1 + m)", "draw - draw % 2"),
    (
        DRAWS,
        "words(key, «np.asarray(draws)[..., np.newaxis]», 1 + np.arange(M))",
        "np.asarray(draws)[..., np.newaxis] // 2 * 2",
    ),
)
ON_SIMULATOR = (
    RECURSION,
    "«asysg_below(asysg_word(self.key0, self.key1, draw, 0), self.f.n)»",
)
ON_THREADS = (THREADS, "«asysg_below(asysg_word(r.key0, r.key1, me.draw, 0), r.f.n)»")
IN_NUMPY = (DRAWS, "return «below(words(key, draws, 0), n)».astype(np.int64)")
SKEWED = "(0 if asysg_fault_skew(asysg_word({key}, {draw}, 0), {n}) else {{old}})"
WITHOUT_LAST = "asysg_below(asysg_word({key}, {draw}, 0), {n} - ({n} > 1))"
SIMULATOR_NAMES = {"key": "self.key0, self.key1", "draw": "draw", "n": "self.f.n"}
THREADS_NAMES = {"key": "r.key0, r.key1", "draw": "me.draw", "n": "r.f.n"}

LAWS = (
    fault("simulator: one sample for the whole batch", SAMPLES[0]),
    fault("everywhere: one sample for the whole batch", *SAMPLES),
    fault("threads: noise used twice", SAMPLE_DRAWS[1]),
    fault("everywhere: noise used twice", *SAMPLE_DRAWS),
    fault(
        "everywhere: first coordinate 10 % too often",
        (*ON_SIMULATOR, SKEWED.format(**SIMULATOR_NAMES)),
        (*ON_THREADS, SKEWED.format(**THREADS_NAMES)),
        (
            *IN_NUMPY,
            "np.where((n > 1) & ((words(key, draws, 0) & np.uint64(0xFFFF)) "
            "% np.uint64(max(1, 10 * (n - 1))) == 0), 0, {old})",
        ),
    ),
    fault(
        "everywhere: last coordinate never",
        (*ON_SIMULATOR, WITHOUT_LAST.format(**SIMULATOR_NAMES)),
        (*ON_THREADS, WITHOUT_LAST.format(**THREADS_NAMES)),
        (*IN_NUMPY, "below(words(key, draws, 0), n - (n > 1))"),
    ),
    fault(
        "simulator: gradient of the next coordinate",
        (RECURSION, "draw, m),\n                «i»,\n", "(i + 1) % self.f.n"),
    ),
    fault(
        "threads: gradient of the next coordinate",
        (THREADS, "r.f.partial(r.f.self, me.xhat, s, «i»,", "(i + 1) % r.f.n"),
    ),
)

NOISE = (STREAM, "    noise_add(&s.noise, sample, g)\n")
ENTRY = (STREAM, "out[0] += «s.entry(s.family, x, i, work)» + noise_entry")
OBJECTIVES = (
    fault(
        "objective: stochastic gradient scaled by 1.05",
        (
            STREAM,
            "    s.gradient(s.family, x, work, g)\n",
            "asysg_fault_affine(g, s.noise.n, 1 / 1.05, 0.0)\n"
            "{old}\n"
            "asysg_fault_affine(g, s.noise.n, 1.05, 0.0)\n",
            "cdef int gradient(",
        ),
        (*ENTRY, "1.05 * {old}"),
    ),
    fault(
        "objective: stochastic gradient off by 5 % of sigma",
        (*NOISE, "{old}\nasysg_fault_affine(g, s.noise.n, 1.0, 0.05 * s.noise.scale)\n"),
        (*ENTRY, "{old} + 0.05 * s.noise.scale"),
    ),
    fault(
        "objective: noise twice what sigma says",
        (STREAM, "else «sigma / sqrt(<double>n)»", "2 * {old}"),
    ),
    fault(
        "objective: Gaussian noise 5 % too large",
        ("asysg/_core/noise.pxd", "sqrt(«-2.0» * log(", "-2.0 * 1.05 * 1.05"),
    ),
    fault(
        "objective: slope of a loss 5 % too steep",
        ("asysg/_core/losses.pxd", "return «2.0» * ((q if z >= 0", "2.1"),
    ),
    fault(
        "objective: sigma understated 2 x",
        ("asysg/objectives/_linear.py", "sqrt(«float(squares.mean())»)", "{old} / 4"),
    ),
    fault(
        "objective: L of a quadratic understated 2 x",
        ("asysg/objectives/quadratic.py", "return «float(np.abs(self._flat).max())»", "{old} / 2"),
    ),
    fault(
        "objective: L of a regression understated 2 x",
        (
            "asysg/objectives/_linear.py",
            "max(«self._weight * self._norm**2 + 2 * self._reg»,",
            "({old}) / 2",
        ),
    ),
    fault(
        "objective: gap understated 2 x",
        ("asysg/objectives/_base.py", "max(0.0, «value - self.lower_bound»)", "({old}) / 2"),
    ),
)

TICKET = "            k = ticket(r, w, me, start)\n"
WRITE = "        before = write(r, me, i, increment, &replaced)\n"
CONCURRENCY = (
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
        "threads: torn read of AsySG-con",
        (
            THREADS,
            "«        memcpy(me.xhat, r.x, size)\n        asysg_unlock(r.lock)\n»        if late:",
            "asysg_unlock(r.lock)\n"
            "for j in range(r.f.n):\n"
            "    me.xhat[j] = r.x[j]\n"
            "    asysg_stress()\n",
        ),
    ),
    fault(
        "threads: update written before its ticket",
        (
            THREADS,
            TICKET,
            "if r.max_delay < 0:\n"
            "    increment = -(steplength(r, r.base) * g)\n"
            "    before = write(r, me, i, increment, &replaced)\n"
            "    asysg_stress()\n"
            "{old}\n",
            THREADS_INCON,
        ),
        (
            THREADS,
            WRITE,
            "if r.max_delay >= 0:\n    before = write(r, me, i, increment, &replaced)",
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
            "    int64_t mine = __atomic_fetch_add(&c->now->value, 1, __ATOMIC_SEQ_CST);\n"
            "    asysg_stress();\n"
            "    asysg_clock_announce(c, w);\n"
            "    return mine;\n"
            "}\n"
            "asysg_clock_announce(c, w);\n",
            "asysg_clock_ticket(const",
        ),
    ),
    fault("clock: slots not looked at", (CLOCK, "w < «c->workers»; w++", "0")),
    fault(
        "clock: window one update too small",
        (CLOCK, "    return start;\n", "return start < c->now->value ? start + 1 : start;\n"),
    ),
    fault(
        "clock: enforced bound off by one",
        (CLOCK, "while («k - start <= max_delay»)", "k - start <= max_delay + 1"),
    ),
    fault(
        "clock: enforced bound checked too early",
        (
            CLOCK,
            "«    asysg_stress();\n»    while (k - start",
            "asysg_stress();\n"
            "if (k - start <= max_delay)\n"
            "    return __atomic_fetch_add(&c->now->value, 1, __ATOMIC_SEQ_CST);\n",
        ),
    ),
    fault(
        "threads: late gradient of AsySG-con not recomputed",
        (
            THREADS,
            "        late = r.max_delay >= 0 and k - start > r.max_delay\n",
            "if r.max_delay >= 0 and k - start > r.max_delay:\n"
            "    me.recomputed += 1\n"
            "    start = k\n"
            "late = False\n",
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
            "max_delay=«-1 if plan.max_delay is None else plan.max_delay»,",
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
)

CHOSEN = "edges[:-1] + (unit * widths).astype(np.int64)"
RESULTS = (
    fault(
        "result: iterate recorded one late",
        (RUN, "while «engine.clock < stop»:", "engine.clock < min(stop + 1, plan.K)"),
        (
            RUN,
            "until = engine.clock, «min(stop, engine.clock + block)»",
            "min(stop + 1, plan.K, engine.clock + block)",
        ),
    ),
    fault(
        "result: ergodic weights by distance",
        (
            RUN,
            f"{CHOSEN}, «widths / K»",
            f"np.diff(np.append(0, np.append(({CHOSEN})[1:], K))) / K",
        ),
    ),
    fault(
        "result: recorded iterates always the first of their stratum",
        (RUN, "edges[:-1] + «(unit * widths)».astype", "(0 * widths)"),
    ),
    fault(
        "result: divergence measured by what came before",
        ("asysg/result.py", 'return «float("inf")»', "trace.ergodic"),
    ),
    fault(
        "result: iterates never read counted for Theorem U",
        ("asysg/result.py", "read = trace.k <= «K - T»", "K"),
    ),
    fault(
        "certificate: T half of what was measured",
        (
            "asysg/_evidence.py",
            "T, nit = «staleness.max», state.clock",
            "(None if staleness.max is None else staleness.max // 2)",
        ),
    ),
    fault(
        "certificate: lost updates not held against it",
        ("asysg/_evidence.py", "«state.overwrites == 0»,\n", "True"),
    ),
    fault(
        "certificate: a failed hypothesis ignored",
        (
            "theory/_certificate.py",
            "return «all(h.holds for h in self.hypotheses)»",
            'all(h.holds for h in self.hypotheses if h.name != "reads oblivious")',
        ),
    ),
    fault(
        "replay: compares nothing",
        (REPLAY, "bad = «np.flatnonzero(x != expected)»", "np.flatnonzero(x != x)"),
    ),
    fault(
        "replay: requires nothing",
        (REPLAY, "bad = «np.flatnonzero(~np.atleast_1d(good))»", "np.empty(0, dtype=int)"),
    ),
    fault(
        "replay: windows not looked at",
        (REPLAY, "if «bad.size»:\n                raise", "False", "allowed |="),
    ),
    fault(
        "moments: noise 10 % too small",
        ("theory/_window.py", "H @ second @ H + «self.M * self.Q»", "0.9 * {old}"),
    ),
    fault(
        "moments: isotropic noise 10 % too small",
        ("theory/moments.py", '«number("sigma", sigma)», number("gamma", gamma)', "0.95 * {old}"),
    ),
    fault(
        "testing: equality seen from one side only",
        ("theory/testing.py", "stats.t.sf(«abs(t)», x.size - 1)", "t"),
    ),
    fault(
        "testing: divergence counts as nothing",
        ("theory/testing.py", "ratio = np.full(x.size, «cap»)", "0.0"),
    ),
)

FAULTS = (*STEPS, *UPDATES, *STALENESS, *LAWS, *OBJECTIVES, *CONCURRENCY, *RESULTS)
