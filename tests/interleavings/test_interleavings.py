"""The clock protocol under every schedule of small runs, and the checker under every fault.

``HYPOTHESIS_PROFILE=long`` adds the searches that take minutes.
"""

import itertools
import os

import pytest

from .explore import Exploration, System, explore, explore_progress
from .memory import ReleaseAcquire, Sequential
from .model import MUTANTS, Protocol
from .report import (
    LONG,
    ORDERS,
    SHORT,
    Search,
    catch,
    describe,
    schedule,
    searches,
    table,
    turns_in_short,
    without_order,
)

FAR = os.environ.get("HYPOTHESIS_PROFILE") == "long"
UPDATES = 4 if FAR else 3


# The protocol.


@pytest.mark.parametrize("search", SHORT + LONG if FAR else SHORT, ids=str)
def test_protocol(search):
    """Tickets, windows, sums, the enforced bound, and, where all schedules are seen, progress."""
    found = search.run()
    assert found.fault is None, schedule(found)
    if search.protocol.max_delay < 0:
        # No schedule is endless: a worker ends its update in a bounded number of own steps.
        assert found.schedules() > 0


@pytest.mark.parametrize("max_delay", [-1, 1])
def test_whatever_entries_are_written(max_delay):
    """Every assignment of the updates to two entries, up to exchanging the entries."""
    for rest in itertools.product(((0,), (1,)), repeat=UPDATES - 1):
        found = explore(Protocol(updates=UPDATES, writes=((0,), *rest), max_delay=max_delay))
        assert found.fault is None, schedule(found)


def test_reads_are_inconsistent_and_windows_are_not_too_long():
    """The model has the reads that the theory allows, and the recorded window is the least.

    A read that holds a later update and misses an earlier one is no iterate. And for every
    recorded (k, start) some schedule misses all of {start, ..., k - 1}.
    """
    windows = explore(Protocol(updates=4)).windows()
    assert any(
        k - 1 not in missed and set(missed) & set(range(k - 1)) for k, start, missed in windows
    )
    recorded = {(k, start) for k, start, _ in windows}
    assert recorded == {(k, start) for k in range(4) for start in range(k + 1)}
    for k, start in recorded:
        assert (k, start, tuple(range(start, k))) in windows


def test_consistent_reads_miss_their_whole_window():
    windows = explore(Protocol(updates=4, method="con")).windows()
    assert max(k - start for k, start, _ in windows) == 3
    assert all(missed == tuple(range(start, k)) for k, start, missed in windows)


def test_replicas_miss_what_others_have_not_merged():
    """Windows of replica mode are reached, and a lone worker's are empty.

    Update k of a batch from k - b on that begins at `start` misses at most {start, ..., k - b - 1}.
    """
    windows = explore(Protocol("replica", updates=6, allotment=2, writes=((0, 1),))).windows()
    missed = {(k, start): set() for k, start, _ in windows}
    for k, start, those in windows:
        missed[k, start] |= set(those)
    assert missed[2, 0] == missed[3, 0] == {0, 1}
    assert missed[4, 0] == missed[5, 0] == {0, 1, 2, 3}
    # Batches are merged in another order than they are numbered: 2 and 3 read, 0 and 1 missed.
    assert (4, 0, (0, 1)) in windows
    alone = explore(Protocol("replica", workers=1, updates=5, allotment=2)).windows()
    assert alone == {(k, k, ()) for k in range(5)}


@pytest.mark.parametrize("max_delay", [0, 1, 2])
def test_an_enforced_bound_makes_workers_wait(max_delay):
    """The bound is reached, never passed; and it is not lock-free, which the documentation says.

    Where one worker stops between announcement and clearing, the others may retry for ever.
    Without a bound there is no such loop.
    """
    found = explore_progress(Protocol(updates=max_delay + 2, max_delay=max_delay))
    assert found.fault is None
    assert max(k - start for k, start, _ in found.windows()) == max_delay
    loops = list(found.loops())
    assert loops
    assert all(len(moving) == 1 for _, moving in loops)
    assert found.schedules() is None
    assert not list(explore(Protocol(updates=max_delay + 2)).loops())


# The checker: it finds every fault.


@pytest.mark.parametrize("mutant", MUTANTS)
def test_fault_is_caught(mutant):
    protocol = MUTANTS[mutant]
    found = catch(protocol)
    assert found.fault is not None
    assert found.trace
    blameless = Protocol(**{**vars(protocol), "mutant": ""})
    assert catch(blameless).fault is None


@pytest.mark.parametrize(
    ("mutant", "protocol"),
    [
        ("slot announced after the ticket", Protocol(workers=3, updates=3)),
        ("slots scanned before the clock", Protocol(updates=4)),
        ("no announcement", Protocol(method="hogwild", updates=3, writes=((0, 1),))),
        ("slot cleared before the write", Protocol(updates=3, max_delay=2)),
        ("bound checked before the exchange", Protocol(updates=4, max_delay=2)),
    ],
)
def test_fault_is_caught_in_other_runs(mutant, protocol):
    assert explore(Protocol(**{**vars(protocol), "mutant": mutant}), preemptions=2).fault


def test_what_does_no_harm():
    """A late worker that leaves its announcement standing only makes others wait."""
    for max_delay in (0, 1):
        found = explore_progress(
            Protocol(mutant="late worker keeps its slot", updates=3, max_delay=max_delay)
        )
        assert found.fault is None


@pytest.mark.parametrize(("site", "harm"), ORDERS.items())
def test_memory_orders(site, harm):
    """Each order of clock.h is needed, but for that of the load in an announcement."""
    found = catch(without_order(site), ReleaseAcquire)
    assert (found.fault is not None) == harm
    # What goes wrong goes wrong because memory is weak.
    assert explore(without_order(site)).fault is None


# The searcher: counted by hand, and against a search that remembers nothing.


def enumerate_schedules(system, state, last, left, seen):
    """Walk every schedule by itself; collect its updates, return how many there are."""
    total, stuck = 0, True
    for w in range(system.protocol.workers):
        for step in system.steps(state, w):
            stuck = False
            cost = int(last not in (-1, w))
            if cost > left:
                continue
            assert step.fault is None
            seen.update(step.updates)
            now = -1 if system.free(step.state, w) else w
            total += enumerate_schedules(system, step.state, now, left - cost, seen)
    if stuck:
        assert system.fault_at_end(state) is None
    return total + stuck


@pytest.mark.parametrize("memory", [Sequential, ReleaseAcquire])
@pytest.mark.parametrize(
    ("protocol", "preemptions"),
    [
        (Protocol(updates=2), 2),
        (Protocol(updates=3), 1),
        (Protocol(updates=2, method="con"), 3),
        (Protocol(workers=3, updates=2), 1),
    ],
    ids=str,
)
def test_equal_to_a_search_without_memory(protocol, preemptions, memory):
    system, seen = System(protocol, memory, merge=False), set()
    count = enumerate_schedules(system, system.first(), -1, preemptions, seen)
    found = explore(protocol, memory=memory, preemptions=preemptions)
    assert found.schedules() == count
    assert set(found.system.judged) == seen


@pytest.mark.parametrize("protocol", [Protocol(updates=2), Protocol(updates=2, method="con")])
@pytest.mark.parametrize("memory", [Sequential, ReleaseAcquire])
def test_merging_workers_loses_nothing(protocol, memory):
    def seen(found: Exploration) -> set:
        return {(found.system.values(state), state.order) for state in found.states}

    merged, apart = (explore(protocol, memory=memory, merge=merge) for merge in (True, False))
    assert len(merged.states) < len(apart.states)
    assert seen(merged) == seen(apart)
    assert set(merged.system.judged) == set(apart.system.judged)
    assert merged.schedules() == apart.schedules()


def test_schedules_counted_by_hand():
    """One worker: eleven steps, one schedule.

    Two workers and one update: whoever draws first has eleven steps more (its scan is longer
    by a slot), and the other's only step, a draw too many, has twelve places among them.
    """
    found = explore(Protocol(workers=1, updates=1))
    assert found.schedules() == 1
    assert len(found.states) == 1 + 11
    assert explore(Protocol(updates=1)).schedules() == 2 * 12


def test_bounds_are_nested():
    """More preemptions show more; without preemptions workers go one after another."""
    seen = []
    for preemptions in (0, 1, 2, None):
        found = explore(Protocol(updates=3), preemptions=preemptions)
        seen.append({(found.system.values(state), state.order) for state in found.states})
    assert all(few < more for few, more in itertools.pairwise(seen))
    found = explore(Protocol(updates=3), preemptions=0)
    assert all(k == start for k, start, _ in found.windows())


# The report.


def test_a_lone_worker_in_words():
    """One update of the model, access by access: this is clock.h and the worker's loop."""
    found = explore(Protocol(workers=1, updates=1))
    found.trace, found.fault = found.trace_to(len(found.states) - 1), "end"
    assert " ".join(schedule(found).split()) == (
        "A: draw 0, clock→0, slot[A]→none, x[0]→{}, x[1]→{}, clock→0, slot[A]:=0, ticket 0, "
        "x[0]+={0}, slot[A]:=none, draw 1 => end"
    )


def test_schedule_in_words():
    found = catch(MUTANTS["slot announced after the ticket"])
    assert turns_in_short(found.trace) == "A7 B7"
    assert schedule(found).splitlines()[-1] == "=> update 1 missed update 0, window [1, 1)"
    assert schedule(found).splitlines()[0].startswith("A: draw 0, clock→0, slot[A]→none")
    assert describe(found.system.protocol) == "incon, 2 workers, 2 updates, n = 2"


def test_tables():
    row = next(searches([Search(Protocol(updates=4, method="con"), ReleaseAcquire)]))
    assert row[0] == "con, 2 workers, 4 updates, n = 2; release/acquire; all"
    assert row[4] == "0"
    assert table(["a", "b"], [["1", "2"]], rst=False) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
    assert table(["a"], [["1"]], rst=True).splitlines()[-1] == '   "1"'
