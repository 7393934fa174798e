"""Faults in what runs: simulator, threads, objectives, results, replay.

A fault in one of two places that must agree (simulator and threads, kernel and oracle) shows as
soon as they are compared. So those that change the law of a run are also made everywhere at once,
where only a measurement can see them.
"""

from __future__ import annotations

from .patch import Fault, fault

RECURSION = "asysg/_core/recursion.pyx"
THREADS = "asysg/_core/threads.pyx"
WORKER = "asysg/_core/worker.pxd"
STREAM = "asysg/_core/stream.pyx"
DRAWS = "asysg/_draws.py"
AHEAD = "asysg/_core/ahead.pyx"
TIMED = "asysg/_core/timed.pyx"
ONE_DRAW = "asysg/_core/draws.pxd"
SERVER = "asysg/_core/server.pxd"
REPLICA = "asysg/_core/replica.pxd"
SKIP = "asysg/_core/skip.pyx"
ALONE = "asysg/_core/alone.pxd"
LINEAR = "asysg/_core/linear.pyx"
GIVEN = "asysg/simulate/_given.py"
REPLAY = "asysg/simulate/_replay.py"
RUN = "asysg/_run.py"


# Where an update is added to x, and what number its draw has there.
SIMULATOR_ADDS = (
    (RECURSION, "self.x_view[j] += «-(step * self.g[j])»", "draw"),
    (RECURSION, "increment = «-(step * g)»", "draw"),
    (AHEAD, "self.x_view[j] += «-(step * self.g[j])»", "k"),
    (AHEAD, "self.key1, k)] += «-(step * g)»", "k"),
    (TIMED, "increment, old = «-(step * me.partial)»,", "me.draw"),
    (TIMED, "self.x_view[t] += «-(step * self.values[w, t])»", "me.draw"),
    (TIMED, "idx, t)] += «-(step * self.values[w, at])»", "me.draw"),
)
THREADS_ADD = (
    (SERVER, "asysg_step(«step», x + first", "me.draw"),
    (SERVER, "asysg_step32(<float> «step», x + first", "me.draw"),
    (THREADS, "increment = «-(steplength(r, me, k, k - start) * g)»", "me.draw"),
    (THREADS, "write(r, me, j, «-(step * me.g[j])», &replaced)", "me.draw"),
    (SKIP, "increment = «-(steplength(r, me, at, 0) * done[t].g)»", "hits[t].draw"),
    (ALONE, "step = «steplength(r, me, me.draw, 0)»\n", "me.draw"),
    (REPLICA, "increment = «-(r.gamma[0] * g)»", "draw"),
    (REPLICA, "me.xhat[j] += «-(step * me.g[j])»", "draw"),
    (REPLICA, "draw + t, 0), «r.gamma[0]», me.work", "(me.draw + t)"),
)


def added(places: tuple[tuple[str, str, str], ...], new: str, M: str) -> list[tuple[str, ...]]:
    """Return the edits that make of every increment what `new` says."""
    return [
        (file, old, new.replace("{draw}", draw).replace("{M}", M)) for file, old, draw in places
    ]


def simulator(name: str, new: str) -> Fault:
    """Change what the simulator adds."""
    return fault(f"simulator: {name}", *added(SIMULATOR_ADDS, new, "self.M"))


def everywhere(name: str, new: str) -> Fault:
    """Change what simulator and threads add."""
    return fault(
        f"everywhere: {name}",
        *added(SIMULATOR_ADDS, new, "self.M"),
        *added(THREADS_ADD, new, "r.M"),
    )


STEPS = (
    simulator("steplength x 3", "3 * {old}"),
    everywhere("steplength x 3", "3 * {old}"),
    simulator("steplength / M", "{old} / {M}"),
    everywhere("steplength / M", "{old} / {M}"),
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
    simulator("5 % of the updates lost", "{old} * (1 - asysg_fault_coin({draw}, 20))"),
    everywhere("5 % of the updates lost", "{old} * (1 - asysg_fault_coin({draw}, 20))"),
    everywhere("20 % of the updates lost", "{old} * (1 - asysg_fault_coin({draw}, 5))"),
    everywhere("5 % of the updates made twice", "{old} * (1 + asysg_fault_coin({draw}, 20))"),
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
        (*THREADS_ADD[2][:2], "{old} * (1 + asysg_fault_coin(me.draw, 20))"),
    ),
)

# A read, in the run without a history and in the run with one; the delay is counted beside it.
READS = "            self.kernel.advance(until, gamma, table, seen)\n"
LATER = """\
self.kernel.advance(until, gamma, {table}, seen if seen is None else np.ascontiguousarray(
    np.pad(seen, ((0, 0), (0, 0), (0, {largest} - self.schedule.T)))))
"""
FILED = (AHEAD, "r = «(k - r)» & self.mask")


def staler(name: str, later: str, largest: str) -> Fault:
    """Let the simulator read older iterates than the schedule says, and than it counts.

    `later` makes the delay of {delay}, `largest` is the largest of those.
    """
    there = largest.replace("self.", "")
    return fault(
        f"simulator: {name}",
        (GIVEN, "T=«schedule.T»,", there, "class GivenAhead("),
        (GIVEN, "stop + «self.schedule.T»)", largest),
        (*FILED, f"(k - min(k, {later.format(delay='tau[j, m]')}))"),
        (GIVEN, "T=«schedule.T»,", there, "class GivenHistory("),
        (GIVEN, READS, LATER.format(table=later.format(delay="table"), largest=largest)),
        (GIVEN, "here + 1], «table»)", later.format(delay="table")),
    )


STALENESS = (
    staler("staleness 4T", "4 * {delay}", "4 * self.schedule.T"),
    staler("staleness T+1", "({delay} + 1)", "(self.schedule.T + 1)"),
    fault(
        "simulator: every read fresh",
        (*FILED, "k"),
        (GIVEN, READS, "self.kernel.advance(until, gamma, 0 * table, None)\n"),
        (GIVEN, "here + 1], «table»)", "0 * table"),
    ),
    fault(
        "simulator: stale counted fresh",
        (AHEAD, "largest = «max(largest, r)»", "0"),
        (RECURSION, "late = «max(late, min(k, tau[k - base, m]))»", "0"),
    ),
    fault(
        "simulator: delay of a batch counted by its freshest read",
        (AHEAD, "largest = «max(largest, r)»", "(r if m == 0 else min(largest, r))"),
        (
            RECURSION,
            "late = «max(late, min(k, tau[k - base, m]))»",
            "min(k, tau[k - base, m]) if m == 0 else min(late, min(k, tau[k - base, m]))",
        ),
    ),
    fault(
        "simulator: torn read",
        (
            RECURSION,
            "«&self.iterates[read % ring, 0]»",
            "asysg_fault_torn({old}, &self.iterates[k % ring, 0], n)",
        ),
        (
            AHEAD,
            "self.xhat[index(self.f, idx, t)] = «self.reads[node + m, t]»",
            "self.x_view[index(self.f, idx, t)] if 2 * index(self.f, idx, t) >= self.f.n "
            "else {old}",
        ),
    ),
    fault(
        "simulator: read sets ignored",
        (RECURSION, "seen is not NULL and «seen[m * self.T + age]»", "0"),
    ),
    fault(
        "simulator: shared entry of a batch written twice",
        (AHEAD, "                    self.g[j] = 0.0\n", "pass"),
    ),
    fault(
        "simulator: delay in time counted by half",
        (TIMED, "tau = «k - self.worker[w].start»", "(k - self.worker[w].start) // 2"),
    ),
    fault(
        "simulator: bound in time off by one",
        (TIMED, "tau > «self.limit»:", "self.limit + 1"),
    ),
    fault(
        "simulator: events out of order",
        (TIMED, "if not «before(&self.heap[down], &event)»:", "before(&event, &self.heap[down])"),
    ),
    fault(
        "simulator: server never busy",
        (TIMED, "self.free = «max(top.time, self.free)» + serving[c]", "top.time"),
    ),
    fault(
        "simulator: pauses not looked at",
        (TIMED, "if «self.pauses[w].stop == INFINITY»:", "True"),
    ),
)

# The draws, in kernels and NumPy alike.
SAMPLES = (
    (ONE_DRAW, "asysg_word(key0, key1, draw, «1 + m»)", "1"),
    (WORKER, "asysg_word(r.key0, r.key1, draw, «1 + m»)", "1"),
    (DRAWS, "[..., np.newaxis], «1 + np.arange(M)»", "np.ones(M, dtype=int)"),
    (SKIP, "asysg_word(key0, key1, hit.draw, «1 + m»)", "1"),
)
SAMPLE_DRAWS = (
    (ONE_DRAW, "asysg_word(key0, key1, «draw», 1 + m)", "draw - draw % 2"),
    (WORKER, "asysg_word(r.key0, r.key1, «draw», 1 + m)", "draw - draw % 2"),
    (
        DRAWS,
        "words(key, «np.asarray(draws)[..., np.newaxis]», 1 + np.arange(M))",
        "np.asarray(draws)[..., np.newaxis] // 2 * 2",
    ),
)
# One uniform coordinate: where it is drawn, and by what names.
COORDINATES = tuple(
    ((file, f"«asysg_below(asysg_word({key}, {draw}, 0), {n})»"), key, draw, n)
    for file, key, draw, n in (
        (ONE_DRAW, "key0, key1", "draw", "f.n"),
        (THREADS, "r.key0, r.key1", "me.draw", "r.f.n"),
        (REPLICA, "r.key0, r.key1", "draw", "r.f.n"),
    )
)
IN_NUMPY = (DRAWS, "return «below(words(key, draws, 0), n)».astype(np.int64)")


def coordinates(name: str, new: str, in_numpy: str) -> Fault:
    """Change the law of the coordinate; `new` knows {key}, {draw}, {n} and {old}."""
    there = [
        (*place, new.format(key=key, draw=draw, n=n, old="{old}"))
        for place, key, draw, n in COORDINATES
    ]
    return fault(f"everywhere: {name}", *there, (*IN_NUMPY, in_numpy))


LAWS = (
    fault("simulator: one sample for the whole batch", SAMPLES[0]),
    fault("everywhere: one sample for the whole batch", *SAMPLES),
    fault("threads: noise used twice", SAMPLE_DRAWS[1]),
    fault("everywhere: noise used twice", *SAMPLE_DRAWS),
    coordinates(
        "first coordinate 10 % too often",
        "(0 if asysg_fault_skew(asysg_word({key}, {draw}, 0), {n}) else {old})",
        "np.where((n > 1) & ((words(key, draws, 0) & np.uint64(0xFFFF)) "
        "% np.uint64(max(1, 10 * (n - 1))) == 0), 0, {old})",
    ),
    coordinates(
        "last coordinate never",
        "asysg_below(asysg_word({key}, {draw}, 0), {n} - ({n} > 1))",
        "below(words(key, draws, 0), n - (n > 1))",
    ),
    fault(
        "simulator: gradient of the next coordinate",
        (RECURSION, "draw, m),\n                «i»,\n", "(i + 1) % self.f.n"),
        (
            AHEAD,
            "                    «coordinate(self.f, self.key0, self.key1, k)»,\n",
            "({old} + 1) % self.f.n",
        ),
        (TIMED, "&self.x_view[0], s, «j», &self.work[0], &found", "(j + 1) % self.f.n"),
    ),
    fault(
        "threads: gradient of the next coordinate",
        (THREADS, "r.f.partial(r.f.self, me.xhat, s, «i»,", "(i + 1) % r.f.n"),
        (REPLICA, "r.f.partial(r.f.self, me.xhat, s, «i»,", "(i + 1) % r.f.n"),
        (SKIP, "me.xhat, s, «done[count].i», me.work", "(done[count].i + 1) % r.f.n"),
    ),
    fault("skip-ahead: gaps 10 % too short", (SKIP, "walk.hits))) * «law.per_log»", "0.9 * {old}")),
    fault(
        "skip-ahead: gaps one too short",
        (SKIP, "walk.draw + «<int64_t>gap»", "max(<int64_t>0, <int64_t>gap - 1)"),
    ),
    fault(
        "skip-ahead: gap begun anew at every hit",
        (SKIP, "        walk.hits += 1\n", "pass"),
    ),
    fault(
        "skip-ahead: always the first entry of a row",
        (SKIP, "hit.i = «number - law.table.upto[rows[0]]»", "0"),
    ),
    fault(
        "skip-ahead: rows of a column by its first half",
        (SKIP, "hit.draw, 1 + m), «size»)", "(size + 1) // 2"),
    ),
    fault(
        "skip-ahead: at most one sample of a batch hits",
        (SKIP, "        m += 1 + <int64_t>u\n", "break"),
    ),
    fault(
        "skip-ahead: hits of a turn do not read one another",
        (SKIP, "me.xhat[done[d].i] += «-(r.gamma[0] * done[d].g)»", "0.0"),
    ),
    fault(
        "skip-ahead: null updates not held to the bound",
        (SKIP, "start, count, «r.max_delay»)", "-1", "cdef void do_nulls("),
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
        "objective: descent of a sparse row 5 % too far",
        (LINEAR, "row_descend(r, «step», c, x)", "1.05 * {old}"),
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

CHOSEN = "edges[:-1] + (unit * widths).astype(np.int64)"
RESULTS = (
    fault(
        "result: iterate recorded one late",
        (RUN, "while «engine.clock < stop»:", "engine.clock < min(stop + 1, plan.K)"),
        (
            RUN,
            "until = engine.clock, «min(stop, engine.clock + pace.block)»",
            "min(stop + 1, plan.K, engine.clock + pace.block)",
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

FAULTS = (*STEPS, *UPDATES, *STALENESS, *LAWS, *OBJECTIVES, *RESULTS)
