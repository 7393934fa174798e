"""The server: rank 0's part, an engine as the loop around every scheduler sees it.

``advance`` serves until the clock has reached what the loop asked for. Between two such blocks
nothing is applied: x is exactly an iterate, workers finish the gradient they are at, and their
messages wait. The clock stands still meanwhile, so that the delays stay true.

The server alone writes x, one update after the other, and what it hands out is a copy of x between
two of them: reads are consistent, and no update is lost, by construction. An update made from a
snapshot of ``start`` updates that becomes number k (from 0) misses exactly the updates start ..
k - 1: its delay is k - start.

How a delay of at most T is kept:

``late="recompute"``
    A gradient that would be later is thrown away, and its draw sent out again with a fresh
    snapshot.
``late="wait"``
    Nothing is thrown away. At most T + 1 snapshots are out at once, and a gradient is applied,
    in the order of arrival, only if afterwards all others that are out could still be in time:
    with their starts in order, s_0 <= s_1 <= ..., and c the clock then, c + i <= s_i + T for every
    i. The rule is kept by every step (a new snapshot is the last in this order, and i <= T), the
    oldest gradient may always be applied when it arrives (the others move up by one while the
    clock does), so nothing waits for ever, and for i = 0 it says that no update is later than T.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.rank import FAILED, NOT_FINITE
from .._core.threads import LOG
from .._plan import Plan
from ..errors import ObjectiveError
from ._iterate import Iterate
from ._wire import GO_ON, RAISED, WORK, SilentRank, Slot, Wire

#: Without a gradient for so long, the server looks whether it has been told to stop.
LOOK_UP = 0.05
TROUBLE = {FAILED: "failed", NOT_FINITE: "diverged"}


@dataclass(frozen=True)
class Rule:
    """Who is served when.

    Attributes
    ----------
    max_delay : int or None
        The T that is kept; None if delays are only measured.
    late : {"recompute", "wait"}
        How it is kept.
    by_number : bool
        Apply the gradients in the order of their draws, whatever the order of their arrival.
    most : int
        Gradients under way at once.
    pushes : int
        Gradients that one snapshot is good for.
    patience : float or None
        Seconds a worker may take for a gradient.
    """

    most: int
    max_delay: int | None = None
    late: str = "recompute"
    by_number: bool = False
    pushes: int = 1
    patience: float | None = None


@dataclass
class InHand:
    """What is known of a slot that was given work."""

    start: int
    draw: int
    since: float
    pushed: int = 0


class Server:
    """Serve gradients that arrive, one update each.

    Parameters
    ----------
    plan : Plan
    wire : Wire
    rule : Rule
    iterate : Iterate
        x, where it is kept.
    clock : int
        Updates it contains.
    pending : sequence of int
        Draws below ``clock + len(pending)`` that no update was made of yet.
    text_of : callable
        ``text_of(rank)`` receives the traceback of a worker that raised.
    """

    log_dtype = LOG
    overwrites = 0

    def __init__(
        self,
        plan: Plan,
        wire: Wire,
        rule: Rule,
        iterate: Iterate,
        clock: int = 0,
        pending: Collection[int] = (),
        text_of: Callable[[int], str] = str,
    ) -> None:
        self.plan, self.rule = plan, rule
        self.clock, self._iterate = clock, iterate
        self.histogram = np.zeros(64, dtype=np.int64)
        self.max_delay = self.sum_delay = self.recomputed = 0
        self.sums = (0.0, 0.0)  # of the steplengths and of their squares, where they adapt
        self.trouble: tuple[str, int, int] | None = None
        self.log: NDArray[Any] | None = None
        self.reads: NDArray[np.float64] | None = None
        workers = max(slot.worker for slot in wire.slots) + 1
        self.updates = np.zeros(workers, dtype=np.int64)
        self.seconds = np.zeros(workers)  # of computing
        self._wire, self._text_of = wire, text_of
        # Every worker is served once before the first is served twice.
        each = len(wire.slots) // workers
        self._free: deque[Slot] = deque(sorted(wire.slots, key=lambda slot: slot.number % each))
        self._out: dict[int, InHand] = {}
        self._arrived: list[Slot] = []
        self._again = deque(sorted(pending))
        self._next = clock + len(pending)
        self._told: dict[int, tuple[int, str]] = {}
        self._gamma = 0.0

    @property
    def x(self) -> NDArray[np.float64]:
        """The iterate."""
        return self._iterate.x

    def pending(self) -> dict[str, NDArray[Any]]:
        """Return the draws that were handed out and of which no update was made yet."""
        draws = sorted([*self._again, *(out.draw for out in self._out.values())])
        return {"draws": np.array(draws, dtype=np.int64)}

    def advance(self, until: int, gamma: NDArray[np.float64]) -> None:
        """Serve until the clock is `until`, a worker is in trouble, or nothing comes for a while.

        Raises
        ------
        ObjectiveError
            If a worker raised, with its traceback.
        SilentRank
            If a worker was silent for longer than the rule's patience.
        """
        base, stride = self.clock, int(len(gamma) > 1)
        self.log = np.zeros(until - base, dtype=LOG) if self.plan.record == "full" else None
        end, self._gamma = time.perf_counter() + LOOK_UP, float(gamma[0])
        self._look_around()
        while self.clock < until and self.trouble is None:
            while self._may_give():
                self._give(self._free.popleft(), self._draw())
            slot = self._choose()
            if slot is not None:
                self._serve(slot, float(gamma[(self.clock - base) * stride]), base)
            elif not self._hear(end):
                return

    def drain(self) -> None:
        """Wait for every gradient that is under way, and forget it."""
        idle = self._wire.idle()
        while len(self._arrived) < len(self._out):
            if not self._poll():
                self._lose_patience()
                idle()
        self._iterate.forget()
        self._out.clear()

    def _may_give(self) -> bool:
        return len(self._out) < self.rule.most and bool(self._free) and self._left()

    def _left(self) -> bool:
        return bool(self._again) or self._next < self.plan.K

    def _draw(self) -> int:
        if self._again:
            return self._again.popleft()
        self._next += 1
        return self._next - 1

    def _give(
        self, slot: Slot, draw: int, *, copied: bool = False, part: int = 0, parts: int = 1
    ) -> None:
        """Hand out a snapshot of x as it is now."""
        self._out[slot.number] = InHand(self.clock, draw, time.perf_counter())
        if not copied:
            self._iterate.give(slot)
        head = slot.out.header
        head["kind"], head["draw"], head["start"] = WORK, draw, self.clock
        head["part"], head["parts"], head["gamma"] = part, parts, self._gamma
        slot.post()

    def _go_on(self, slot: Slot, out: InHand) -> None:
        """Let the worker go on from its own replica."""
        out.draw, out.since, out.pushed = self._draw(), time.perf_counter(), out.pushed + 1
        head = slot.out.header
        head["kind"], head["draw"], head["gamma"] = GO_ON, out.draw, self._gamma
        self._iterate.go_on(slot)
        slot.post(vector=False)

    def _choose(self) -> Slot | None:
        """Take the next gradient to be served from those that have arrived."""
        for place, slot in enumerate(self._arrived):
            if self.rule.by_number:
                served = self._out[slot.number].draw == self.clock
            else:
                served = self.rule.late != "wait" or self._in_time(self.clock + 1, without=slot)
            if served:
                return self._arrived.pop(place)
        return None

    def _in_time(self, clock: int, without: Slot | None = None) -> bool:
        """Tell whether all that is out could still be in time, were it served from `clock` on."""
        T = self.rule.max_delay
        if T is None:
            return True
        skip = None if without is None else without.number
        starts = sorted(out.start for number, out in self._out.items() if number != skip)
        return all(k <= start + T for k, start in enumerate(starts, clock))

    def _still_good(self, out: InHand) -> bool:
        """Tell whether another gradient may be made from a snapshot, after the one at hand."""
        T = self.rule.max_delay
        if self.rule.late == "wait":
            return self._in_time(self.clock + 1)
        return T is None or self.clock + 1 - out.start <= T

    def _serve(self, slot: Slot, gamma: float, base: int) -> None:
        """Make the update, or refuse the gradient, and hand out the next snapshot."""
        out, head = self._out[slot.number], slot.back.header
        delay, T = self.clock - out.start, self.rule.max_delay
        self.seconds[slot.worker] += head["seconds"]
        if head["kind"] in TROUBLE:
            self.trouble = TROUBLE[int(head["kind"])], slot.worker, self.clock
            self._arrived.append(slot)  # its draw is still to be done
            return
        if T is not None and delay > T:
            self.recomputed += 1
            self._give(slot, out.draw)
            return
        self._tally(slot.worker, out.start, out.draw, base)
        gamma = self._step(gamma, delay)
        if out.pushed + 1 < self.rule.pushes and self._left() and self._still_good(out):
            self._iterate.apply(slot, gamma)
            self.clock += 1
            self._go_on(slot, out)
            return
        del self._out[slot.number]
        self._free.append(slot)
        if self._may_give():  # the new x is copied in the same pass that makes it
            following = self._free.popleft()
            self._iterate.apply(slot, gamma, following)
            self.clock += 1
            self._give(following, self._draw(), copied=True)
        else:
            self._iterate.apply(slot, gamma)
            self.clock += 1

    def _step(self, gamma: float, delay: int) -> float:
        """Return the steplength of an update of this delay."""
        slope = self.plan.steps.slope(self.plan.M)
        if slope > 0 and delay > 0:
            gamma = min(gamma, 1.0 / (slope * delay))
        self.sums = self.sums[0] + gamma, self.sums[1] + gamma * gamma
        return gamma

    def _tally(self, worker: int, start: int, draw: int, base: int) -> None:
        delay = self.clock - start
        self.histogram[delay.bit_length()] += 1
        self.max_delay = max(self.max_delay, delay)
        self.sum_delay += delay
        self.updates[worker] += 1
        if self.log is not None:
            self.log[self.clock - base] = (worker, start, draw, -1, np.nan, np.nan, np.nan)

    def _poll(self) -> bool:
        """Take in what has arrived; tell whether anything has."""
        arrived = self._wire.poll()
        for number in arrived:
            slot = self._wire.slots[number]
            self._arrived.append(slot)
            if slot.back.header["kind"] == RAISED and slot.rank not in self._told:
                self._told[slot.rank] = slot.worker, self._text_of(slot.rank)
        return bool(arrived)

    def _hear(self, end: float) -> bool:
        """Wait until something arrives, but not beyond `end`."""
        idle = self._wire.idle()
        while not self._poll():
            if time.perf_counter() > end:
                return False
            idle()
        self.complain()
        return True

    def _look_around(self) -> None:
        """Take in what has arrived between two blocks; raise if a worker is silent or raised."""
        self._poll()
        self.complain()
        self._lose_patience()

    def complain(self) -> None:
        """Raise if a worker has said that it has raised."""
        if self._told:
            rank, (worker, text) = next(iter(self._told.items()))
            raise ObjectiveError(
                f"worker {worker} (rank {rank}) raised while it computed a gradient.\n{text}"
            )

    def _lose_patience(self) -> None:
        """Raise if a worker has been silent for too long."""
        patience = self.rule.patience
        if patience is None:
            return
        answered = {slot.number for slot in self._arrived}
        for number, out in self._out.items():
            waited = time.perf_counter() - out.since
            if number not in answered and waited > patience:
                slot = self._wire.slots[number]
                raise SilentRank(
                    f"worker {slot.worker} (rank {slot.rank}) must answer within patience = "
                    f"{patience:g} s, got nothing for {waited:.3g} s. Is its process stopped?"
                )


class Barrier(Server):
    """Serve gradients that are computed together: each update is a sum over all workers.

    The minibatch is split into as many parts as there are slots, and the parts are added in their
    order.
    """

    def pending(self) -> dict[str, NDArray[Any]]:
        """Return nothing: no draw is handed out before the last one was used."""
        return {}

    def advance(self, until: int, gamma: NDArray[np.float64]) -> None:
        """Do updates ``clock .. until - 1``; see `Server.advance`."""
        base, stride = self.clock, int(len(gamma) > 1)
        self.log = np.zeros(until - base, dtype=LOG) if self.plan.record == "full" else None
        end = time.perf_counter() + LOOK_UP
        slots = self._wire.slots[: self.plan.M]
        self._look_around()
        while self.clock < until:
            if not self._out:
                for part, slot in enumerate(slots):
                    self._give(slot, self.clock, part=part, parts=len(slots))
            while len(self._arrived) < len(slots):
                if not self._hear(end):
                    return
            for slot in slots:
                head = slot.back.header
                self.seconds[slot.worker] += head["seconds"]
                if head["kind"] in TROUBLE:
                    self.trouble = TROUBLE[int(head["kind"])], slot.worker, self.clock
                    return
            # The log names the last of the workers, all of which took part.
            self._tally(slots[-1].worker, self.clock, self.clock, base)
            self.updates[: len(slots) - 1] += 1
            self._iterate.add(slots, float(gamma[(self.clock - base) * stride]))
            self.clock += 1
            self._arrived.clear()
            self._out.clear()
