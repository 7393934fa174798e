"""Two shared memories: sequentially consistent, and release/acquire with stale reads.

Both serve a `Request` of a worker and return every outcome that the memory allows, as pairs
(what the access returned, the memory after it); no outcome at all means that the worker waits.

What neither does: let a load take effect after a later write of its own worker (load
buffering). C forbids it here by other means: a read of x happens before the ticket that
follows it, the ticket before every later ticket (it releases, they acquire), and those before
their writes, which such a read therefore cannot return.
"""

from typing import Any

from .model import DRAWS, Protocol, Request

Outcomes = list[tuple[Any, Any]]
View = tuple[int, ...]


def put(values: tuple[Any, ...], at: int, value: Any) -> tuple[Any, ...]:
    return (*values[:at], value, *values[at + 1 :])


def join(one: View, other: View) -> View:
    return tuple(map(max, one, other))


def oldest(views: tuple[View, ...]) -> View:
    return tuple(map(min, zip(*views, strict=True)))


class Sequential:
    """One value a location; an access takes effect at once, for all. A memory is a tuple."""

    def __init__(self, protocol: Protocol) -> None:
        self.initial = protocol.initial

    def serve(self, memory: Any, w: int, request: Request) -> Outcomes:
        op, at, value, expected, _ = request
        if op == "load":
            return [(memory[at], memory)]
        if op == "store":
            return [(None, put(memory, at, value))]
        if op == "add":
            return [(memory[at], put(memory, at, memory[at] + value))]
        if op == "cas":
            seen = memory[at]
            return [(seen, put(memory, at, value) if seen == expected else memory)]
        if op == "lock":
            return [] if memory[at] else [(None, put(memory, at, 1))]
        if op == "unlock":
            return [(None, put(memory, at, 0))]
        return [(None, memory)] if op == "yield" else []  # cut: not followed further

    def values(self, memory: tuple[int, ...]) -> tuple[int, ...]:
        return memory


class ReleaseAcquire:
    """Each location keeps all that was written to it; a load may return what is not the newest.

    The memory is (histories, views). A history is the sequence of messages (value, view) of
    one location, a view the index, for each location, of the oldest message that may still be
    read: each worker has one, and an ordered write stores its writer's in the message. An
    ordered read that returns the message takes its view over; a relaxed one does not. A
    read-modify-write reads the newest message (all writes to the clock and to x are such or
    made under the lock, and a slot has one writer, so that writes come in one order). A
    seq_cst access is taken for no more than release and acquire, so that stale values are
    read here that C rules out. A store buffer is covered: while a store is still in it, the
    others read an older message.

    Some locations are never loaded, only exchanged: of draws and locks the newest message is all.
    """

    def __init__(self, protocol: Protocol) -> None:
        self.exchanged = (DRAWS, *protocol.locks)
        self.zero = (0,) * len(protocol.initial)
        history = tuple(((value, self.zero),) for value in protocol.initial)
        self.initial = (history, (self.zero,) * protocol.workers)

    def serve(self, memory: Any, w: int, request: Request) -> Outcomes:
        op, at, value, expected, ordered = request
        histories, views = memory
        view = views[w]
        if op in ("yield", "cut"):
            return [(None, memory)] if op == "yield" else []
        history = histories[at]
        last, carried = history[-1]
        if op == "load":
            return self.loads(memory, w, request, range(view[at], len(history)))
        if op == "cas" and last != expected:
            return self.loads(memory, w, request, range(view[at] + 1, len(history)))
        if op == "lock" and last:
            return []
        if op in ("store", "unlock"):
            result, new, carried = None, value, self.zero
        elif op == "add":
            result, new = last, last + value
        else:
            result, new = last, value if op == "cas" else 1
        only = at in self.exchanged
        index = 0 if only else len(history)
        # A relaxed exchange hands on what the message it replaces carried (release sequence).
        mine = put(view, at, index)
        if ordered:
            mine = carried = join(mine, carried)
        else:
            carried = put(join(carried, oldest(views)), at, index)
        message = (new, carried)
        histories = put(histories, at, (message,) if only else (*history, message))
        return [(result, self.look(histories, views, w, mine))]

    def loads(self, memory: Any, w: int, request: Request, indices: range) -> Outcomes:
        histories, views = memory
        outcomes = []
        for index in indices:
            value, carried = histories[request.at][index]
            view = put(views[w], request.at, index)
            if request.ordered:
                view = join(view, carried)
            outcomes.append((value, self.look(histories, views, w, view)))
        return outcomes

    def look(self, histories: Any, views: Any, w: int, view: View) -> Any:
        """Give worker w this view, and forget what nobody can read or learn any more.

        Then memories are equal if they will behave alike: messages older than every view are
        dropped, and a message's view tells at least what all know.
        """
        before, views = oldest(views), put(views, w, view)
        known = oldest(views)
        if known != before:
            histories = tuple(
                (None,) * first + tuple((v, join(carried, known)) for v, carried in history[first:])
                for first, history in zip(known, histories, strict=True)
            )
        return histories, views

    def values(self, memory: Any) -> tuple[int, ...]:
        return tuple(history[-1][0] for history in memory[0])
