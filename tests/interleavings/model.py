"""The protocol of the real threads, one shared access a step.

``Protocol.worker(w)`` is worker w of ``asysg/_core/threads.pyx`` with ``asysg/_core/clock.h``
written out, as a generator: it yields each access to shared memory (a `Request`) and is sent
what the access returned. Whatever happens between two requests is private to the worker, so a
schedule is nothing but the order in which the workers' requests are served.

Values. Update number k writes, not a number computed from what it read, but a digit of its own:
draw d adds ``4**d`` to each entry it writes. The theorem asks of a read only *which* updates it
contains, and a value so built says it: digit d of ``x[i]`` counts how often draw d was added.

What must hold, of every update when it has its ticket k (`Protocol.check_update`):

* tickets are 0, 1, ..., in the order in which they are taken, and each draw gets one;
* no read contains an update numbered k or later;
* every update that the read missed lies in the recorded window {start, ..., k - 1};
* the window is no longer than max_delay, where one is enforced;
* AsySG-con: the read is exactly the iterate x_start;
* replica mode: the updates of a batch before an update are in its read;

and at the end (`Protocol.check_end`): all updates were done, x is its start plus every
increment once, the clock says K and no announcement is left.

Mutants are faults put in on purpose; `MUTANTS` lists them. A checker that finds nothing in the
protocol is worth something only if it finds each of those.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

LATE = -1
NONE = 1 << 30  # an empty slot: above every ticket

# Locations of shared memory; slot w is SLOT + w, the entries of x follow the slots.
CLOCK, DRAWS, SLOT = range(3)

KEEPS_LOCK = "late worker keeps the lock"


class Request(NamedTuple):
    """One access: what, where, with what, and whether it orders others (else relaxed)."""

    op: str  # load, store, add, cas, lock, unlock, yield, cut, log (no access, a remark)
    at: int = -1
    value: Any = 0
    expected: int = 0
    ordered: bool = True


Steps = Generator[Request, Any, Any]


@dataclass(frozen=True)
class Protocol:
    """What is run, and with which fault.

    Parameters
    ----------
    method : {"incon", "hogwild", "con", "replica"}
        incon reads every entry and writes one; hogwild reads and writes its draw's support,
        entry by entry; con reads and writes the whole vector, hand over hand; replica: batches
        on private copies. In both an entry of x stands for a segment with a lock of its own.
    workers, updates, coordinates : int
        p, K of all workers together (they draw them as they come), n.
    max_delay : int
        Enforced bound; -1 for none.
    retries : int
        A run in which one update is late more often is not followed further; -1 for no limit.
    allotment : int
        Draws that a worker takes at a time; in replica mode the batch.
    writes : tuple of tuple of int
        Entries that draw d writes are ``writes[d % len(writes)]``.
    mutant : str
        One of `MUTANTS`, or none.
    relaxed : tuple of str
        Accesses to the clock, the slots and the locks that lose their memory order: of
        "clock", "slots", "announce load", "announce", "ticket", "clear", "lock", "unlock".
    """

    method: str = "incon"
    workers: int = 2
    updates: int = 6
    coordinates: int = 2
    max_delay: int = -1
    retries: int = -1
    allotment: int = 1
    writes: tuple[tuple[int, ...], ...] = ((0,), (1,))
    mutant: str = ""
    relaxed: tuple[str, ...] = ()

    # The layout of shared memory.

    @property
    def initial(self) -> tuple[int, ...]:
        entries = self.coordinates * (2 if self.method in ("con", "replica") else 1)
        return (0, 0) + (NONE,) * self.workers + (0,) * entries

    @property
    def locks(self) -> tuple[int, ...]:
        """The locks of the segments."""
        return tuple(range(self.segment(0), len(self.initial)))

    def segment(self, i: int) -> int:
        """Return the lock of segment i."""
        return self.x(self.coordinates) + i

    def name(self, at: int) -> str:
        i = at - SLOT - self.workers
        if i >= self.coordinates:
            return f"lock[{i - self.coordinates}]"
        if i >= 0:
            return f"x[{i}]"
        return f"slot[{'ABCD'[at - SLOT]}]" if at >= SLOT else ("clock", "draws")[at]

    def x(self, i: int) -> int:
        return SLOT + self.workers + i

    def written_by(self, draw: int) -> tuple[int, ...]:
        if self.method == "con":
            return tuple(range(self.coordinates))
        return self.writes[draw % len(self.writes)]

    def read_by(self, draw: int) -> tuple[int, ...]:
        if self.method == "hogwild":
            return self.written_by(draw)
        return tuple(range(self.coordinates))

    def access(self, site: str, op: str, at: int, value: Any = 0, expected: int = 0) -> Request:
        return Request(op, at, value, expected, site not in self.relaxed)

    # The worker.

    def worker(self, w: int) -> Steps:
        if self.method == "replica":
            return self.replica(w)
        return self.con(w) if self.method == "con" else self.incon(w)

    def draw(self, left: tuple[int, ...]) -> Steps:
        """next_draw: the draws left of this allotment, or of a new one; none at the end."""
        if left:
            return left
        first = yield Request("add", DRAWS, self.allotment, ordered=False)
        return tuple(range(first, min(first + self.allotment, self.updates)))

    def incon(self, w: int) -> Steps:
        """AsySG-incon, and Hogwild, which differs in what an update reads and writes."""
        mutant = self.mutant
        left: tuple[int, ...] = ()
        while True:
            left = yield from self.draw(left)
            if not left:
                return
            draw, left = left[0], left[1:]
            retries = self.retries
            start = NONE
            while True:
                xhat: tuple[int, ...] = ()
                if mutant == "start read after x":
                    xhat = yield from self.read(draw)
                if mutant != "late worker keeps its start" or start == NONE:
                    start = yield from self.start()
                if mutant != "start read after x":
                    xhat = yield from self.read(draw)
                if mutant == "write before ticket":
                    yield from self.write(w, draw)
                k = yield from self.ticket(w, start)
                if k != LATE:
                    break
                yield Request("yield" if retries else "cut")
                retries = max(retries - 1, -1)
            yield Request("log", value=(draw, k, start, xhat))
            if mutant == "slot announced after the ticket":
                yield from self.announce(w, start)
            del start, xhat, k, retries
            if mutant == "slot cleared before the write":
                yield from self.done(w)
            if mutant != "write before ticket":
                yield from self.write(w, draw)
            if mutant != "slot cleared before the write":
                yield from self.done(w)
            del draw

    def start(self) -> Steps:
        """asysg_clock_start: the clock, then every slot."""
        start = NONE
        if self.mutant != "slots scanned before the clock":
            start = yield self.access("clock", "load", CLOCK)
        for v in range(self.workers):
            slot = yield self.access("slots", "load", SLOT + v)
            start = min(start, slot)
            del slot
        if self.mutant == "slots scanned before the clock":
            start = min(start, (yield self.access("clock", "load", CLOCK)))
        return start

    def read(self, draw: int) -> Steps:
        """Entry by entry, relaxed."""
        xhat: tuple[int, ...] = ()
        for i in self.read_by(draw):
            xhat += ((yield Request("load", self.x(i), ordered=False)),)
        return xhat

    def announce(self, w: int, start: int) -> Steps:
        """asysg_clock_announce: a lower bound of the ticket that comes next."""
        now = start
        if self.mutant != "start announced instead of the clock":
            now = yield self.access("announce load", "load", CLOCK)
        if self.mutant == "announcement one too high":
            now += 1
        yield self.access("announce", "store", SLOT + w, now)

    def ticket(self, w: int, start: int, count: int = 1) -> Steps:
        """asysg_clock_tickets: announce, then take the numbers, or come too late."""
        if self.mutant not in ("slot announced after the ticket", "no announcement"):
            yield from self.announce(w, start)
        if self.mutant == "ticket not atomic":
            k = yield self.access("ticket", "load", CLOCK)
            yield self.access("ticket", "store", CLOCK, k + 1)
            return k
        if self.max_delay < 0:
            return (yield self.access("ticket", "add", CLOCK, count))
        k = yield self.access("ticket", "load", CLOCK)
        while self.delay(k, start, count) <= self.max_delay:
            if self.mutant == "bound checked before the exchange":
                return (yield self.access("ticket", "add", CLOCK, count))
            seen = yield self.access("ticket", "cas", CLOCK, k + count, k)
            if seen == k:
                return k
            if self.mutant != "exchange retried with the old number":
                k = seen
            del seen
        if self.mutant != "late worker keeps its slot":
            yield from self.done(w)
        return LATE

    def delay(self, k: int, start: int, count: int) -> int:
        """asysg_clock_delay: of the last of `count` updates numbered from k on."""
        if self.mutant == "bound of the first of a batch":
            count = 1
        return 0 if k == start else k + count - 1 - start

    def write(self, w: int, draw: int) -> Steps:
        """asysg_add in every entry that is written."""
        for i in self.written_by(draw):
            if self.mutant == "add not atomic":
                old = yield Request("load", self.x(i), ordered=False)
                yield Request("store", self.x(i), old + 4**draw, ordered=False)
                del old
            else:
                yield Request("add", self.x(i), 4**draw, ordered=False)
            if self.mutant == "slot cleared after the first entry":
                yield from self.done(w)

    def done(self, w: int) -> Steps:
        """asysg_clock_done."""
        yield self.access("clear", "store", SLOT + w, NONE)

    def con(self, w: int) -> Steps:
        """server.pxd: AsySG-con; passes over x, hand over hand, take the server's place."""
        left = yield from self.draw(())
        if not left:
            return
        draw, left = left[0], left[1:]
        _, start, xhat = yield from self.serve(draw, 0, (), only_read=True)
        while True:
            k, start, xhat = yield from self.serve(draw, start, xhat)
            if k == LATE:
                del k
                continue
            del k
            left = yield from self.draw(left)
            if not left:
                return
            draw, left = left[0], left[1:]

    def serve(self, draw: int, start: int, xhat: tuple[int, ...], only_read: bool = False) -> Steps:
        """Write the update and take the next snapshot, an entry of x standing for a segment."""
        mutant, last = self.mutant, self.coordinates - 1
        yield self.access("lock", "lock", self.segment(0))
        k = yield Request("load", CLOCK, ordered=False)
        late = only_read or 0 <= self.max_delay < k - start
        if not late:
            yield Request("store", CLOCK, k + 1, ordered=False)
            yield Request("log", value=(draw, k, start, xhat))
        read: tuple[int, ...] = ()
        for i in range(self.coordinates):
            if i and mutant == "last lock given back before the next is taken":
                yield self.access("unlock", "unlock", self.segment(i - 1))
            if i:
                yield self.access("lock", "lock", self.segment(i))
            if i and mutant != "last lock given back before the next is taken":
                yield self.access("unlock", "unlock", self.segment(i - 1))
            if not late:
                old = yield Request("load", self.x(i), ordered=False)
                yield Request("store", self.x(i), old + 4**draw, ordered=False)
                del old
            if mutant != "snapshot after the lock":
                read += ((yield Request("load", self.x(i), ordered=False)),)
        if not (mutant == KEEPS_LOCK and late and not only_read):
            yield self.access("unlock", "unlock", self.segment(last))
        if mutant == "snapshot after the lock":
            read = yield from self.read(draw)
        return (LATE, k, read) if late else (k, k + 1, read)

    def replica(self, w: int) -> Steps:
        """replica.pxd: batches on a private copy of x, merged segment by segment."""
        mutant = self.mutant
        start = yield from self.start()
        base = yield from self.pull()
        while True:
            batch = yield from self.draw(())
            if not batch:
                return
            retries = self.retries
            while True:
                following = 0
                if mutant != "start read after the merge":
                    following = yield from self.start()
                if mutant == "merge before the tickets":
                    base = yield from self.merge(w, base, batch)
                k = yield from self.ticket(w, start, len(batch))
                if k != LATE:
                    break
                yield Request("yield" if retries else "cut")
                retries = max(retries - 1, -1)
                if mutant != "late worker keeps its copy":
                    start = yield from self.start()
                    base = yield from self.pull()
                else:
                    start = following
            for b, draw in enumerate(batch):
                xhat = tuple(
                    value + held for value, held in zip(base, self.value(batch[:b]), strict=True)
                )
                yield Request("log", value=(draw, k + b, k + b if start == k else start, xhat))
            del b, draw, xhat, retries
            if mutant == "slot cleared before the merge":
                yield from self.done(w)
            if mutant != "merge before the tickets":
                base = yield from self.merge(w, base, batch)
            if mutant != "slot cleared before the merge":
                yield from self.done(w)
            if mutant == "start read after the merge":
                following = yield from self.start()
            alone = following == k or mutant == "own batch taken for all there is"
            start = k + len(batch) if alone else following
            del batch, k, following, alone

    def pull(self) -> Steps:
        """Every segment as it is."""
        local: tuple[int, ...] = ()
        for i in range(self.coordinates):
            yield self.access("lock", "lock", self.segment(i))
            local += ((yield Request("load", self.x(i), ordered=False)),)
            yield self.access("unlock", "unlock", self.segment(i))
        return local

    def merge(self, w: int, base: tuple[int, ...], batch: tuple[int, ...]) -> Steps:
        """asysg_merge in every segment: mine into x, the others' into my copy."""
        mutant = self.mutant
        mine = self.value(batch)
        local = tuple(value + own for value, own in zip(base, mine, strict=True))
        for t in range(self.coordinates):
            i = (w * self.coordinates // self.workers + t) % self.coordinates
            if mutant != "merge without the lock":
                yield self.access("lock", "lock", self.segment(i))
            now = yield Request("load", self.x(i), ordered=False)
            now += mine[i]
            if mutant == "merge overwrites":
                now = local[i]
            yield Request("store", self.x(i), now, ordered=False)
            if mutant != "merge without the lock":
                yield self.access("unlock", "unlock", self.segment(i))
            if mutant == "slot cleared after the first segment":
                yield from self.done(w)
            if mutant != "merge brings nothing back":
                local = (*local[:i], now, *local[i + 1 :])
        return base if mutant == "base not updated" else local

    # What must hold.

    def missed(self, order: tuple[int, ...], draw: int, xhat: tuple[int, ...]) -> list[int]:
        """Tickets of the updates, of those numbered so far, that a read lacks in some entry."""
        read = dict(zip(self.read_by(draw), xhat, strict=True))
        return [
            j
            for j, other in enumerate(order)
            if any(i in read and not read[i] >> 2 * other & 3 for i in self.written_by(other))
        ]

    def check_update(
        self, order: tuple[int, ...], draw: int, k: int, start: int, xhat: tuple[int, ...]
    ) -> str | None:
        """Judge update k; `order` holds the draws with tickets 0, ..., k - 1."""
        if k != len(order):
            return f"ticket {k} taken, {len(order)} was next"
        if draw in order:
            return f"draw {draw} used twice"
        if not 0 <= start <= k:
            return f"update {k} has start {start}"
        if 0 <= self.max_delay < k - start:
            return f"update {k} has start {start}: delay {k - start} > {self.max_delay}"
        early = [d for d in range(self.updates) if d not in order]
        if any(value >> 2 * d & 3 for d in early for value in xhat):
            return f"update {k} saw an update numbered after its own"
        missed = self.missed(order, draw, xhat)
        if outside := [j for j in missed if j < start]:
            return f"update {k} missed update {outside[0]}, window [{start}, {k})"
        if self.method == "con" and xhat != self.value(order[:start]):
            return f"update {k} did not read iterate {start}"
        if any(value >> 2 * d & 3 > 1 for d in order for value in xhat):
            return f"update {k} read an update twice"
        return None

    def value(self, draws: tuple[int, ...]) -> tuple[int, ...]:
        """x with exactly these draws in it."""
        return tuple(
            sum(4**d for d in draws if i in self.written_by(d)) for i in range(self.coordinates)
        )

    def check_end(self, values: tuple[int, ...], order: tuple[int, ...]) -> str | None:
        """Judge shared memory after the last worker has left."""
        if sorted(order) != list(range(self.updates)):
            return f"{len(order)} updates done instead of {self.updates}"
        if values[CLOCK] != self.updates:
            return f"the clock ends at {values[CLOCK]}"
        if values[self.x(0) : self.x(self.coordinates)] != self.value(order):
            return "an update is lost: x is not its start plus every increment"
        if any(slot != NONE for slot in values[SLOT : self.x(0)]):
            return "an announcement is left"
        return None


# Every fault, and a small run that shows it.
MUTANTS = {
    protocol.mutant: protocol
    for protocol in (
        Protocol(mutant="slot announced after the ticket", updates=2),
        Protocol(mutant="write before ticket", updates=2),
        Protocol(mutant="slots scanned before the clock", updates=3),
        Protocol(mutant="add not atomic", updates=2, coordinates=1, writes=((0,),)),
        Protocol(mutant="bound checked before the exchange", updates=2, max_delay=0),
        Protocol(mutant="no announcement", updates=2),
        Protocol(mutant="announcement one too high", updates=2),
        Protocol(mutant="slot cleared before the write", updates=2),
        Protocol(mutant="start read after x", updates=2),
        Protocol(mutant="ticket not atomic", updates=2),
        Protocol(
            mutant="slot cleared after the first entry",
            method="hogwild",
            updates=2,
            writes=((0, 1),),
        ),
        Protocol(mutant="late worker keeps its start", updates=2, max_delay=0),
        Protocol(mutant="start announced instead of the clock", updates=3, max_delay=0),
        Protocol(mutant="exchange retried with the old number", updates=2, max_delay=1),
        Protocol(mutant="snapshot after the lock", method="con", updates=3),
        Protocol(mutant="last lock given back before the next is taken", method="con", updates=3),
        Protocol(mutant=KEEPS_LOCK, method="con", updates=2, max_delay=0),
        *(
            Protocol("replica", updates=4, allotment=2, writes=((0, 1),), mutant=mutant)
            for mutant in (
                "merge before the tickets",
                "slot cleared before the merge",
                "slot cleared after the first segment",
                "merge without the lock",
                "merge overwrites",
                "base not updated",
            )
        ),
        *(
            Protocol("replica", updates=3, writes=((0, 1),), mutant=mutant)
            for mutant in (
                "start read after the merge",
                "merge brings nothing back",
                "own batch taken for all there is",
            )
        ),
        *(
            Protocol(
                "replica", updates=4, allotment=2, max_delay=2, writes=((0, 1),), mutant=mutant
            )
            for mutant in ("bound of the first of a batch", "late worker keeps its copy")
        ),
    )
}


def frames(steps: Steps) -> Iterator[tuple[Any, ...]]:
    """Where a worker is and what it knows: position and variables of each open generator.

    Two workers that agree in this behave alike from here on, whatever brought them here,
    because the generators above yield once a line and keep everything in variables (what a
    ``for`` has left to do is told by its loop variable).
    """
    inner: Any = steps
    while inner is not None:
        frame = inner.gi_frame
        known = {name: v for name, v in frame.f_locals.items() if name != "self"}
        yield inner.gi_code.co_name, frame.f_lineno, tuple(sorted(known.items()))
        inner = inner.gi_yieldfrom
