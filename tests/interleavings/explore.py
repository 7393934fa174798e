"""Search through the schedules of a `Protocol`.

A state is what shared memory holds, where each worker is and what it knows, and the order in
which tickets were taken. `explore` visits every state that some schedule reaches, once: what a
run does from a state on, and what the checks will say of it, depends on the state alone, so a
second arrival has nothing new to show. The number of schedules so covered is counted afterwards
on the graph of states.

With a bound on preemptions (switches away from a worker that could have gone on; switches at
its end, at a closed lock and at a yield are free) the state includes who ran last, and states
are visited in the order of the least number of preemptions that reaches them: whatever a later
arrival could do within the bound, the first can do.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from .memory import Sequential
from .model import CLOCK, NONE, SLOT, Protocol, Request, frames

DONE = -1


class Automaton:
    """The workers' code as a graph: node -> request, (node, answer) -> node.

    Built while it is walked. A generator cannot be copied, so a new node is found by running
    a fresh generator through the answers that lead there.
    """

    def __init__(self, start: Callable[[int], Any], merge: bool = True) -> None:
        self.start = start
        self.merge = merge
        self.requests: list[Request] = []
        self.answers: list[tuple[int, tuple[Any, ...]]] = []
        self.nodes: dict[Any, int] = {}
        self.arcs: dict[tuple[int, Any], int] = {}

    def first(self, w: int) -> int:
        return self.node(w, ())

    def step(self, node: int, answer: Any) -> int:
        arc = (node, answer)
        if arc not in self.arcs:
            w, before = self.answers[node]
            self.arcs[arc] = self.node(w, (*before, answer))
        return self.arcs[arc]

    def node(self, w: int, answers: tuple[Any, ...]) -> int:
        steps = self.start(w)
        try:
            request = next(steps)
            for answer in answers:
                request = steps.send(answer)
        except StopIteration:
            return DONE
        key = (w, *frames(steps)) if self.merge else (w, answers)
        if key not in self.nodes:
            self.nodes[key] = len(self.requests)
            self.requests.append(request)
            self.answers.append((w, answers))
        node = self.nodes[key]
        assert self.requests[node] == request, "equal workers ask for different things"
        return node


class State(NamedTuple):
    at: tuple[int, ...]  # node of each worker
    memory: int  # number of the memory
    order: tuple[int, ...]  # draw of ticket 0, 1, ...


class Step(NamedTuple):
    worker: int
    request: Request
    answer: Any
    state: State
    fault: str | None
    updates: Any  # (order before, (draw, k, start, xhat)) of each ticket taken with this step


class System:
    """A protocol in a memory: the first state, and what may follow a state.

    Memories are numbered as they occur, and what a memory answers to a node is kept.
    """

    def __init__(self, protocol: Protocol, memory: Any = Sequential, merge: bool = True) -> None:
        self.protocol = protocol
        self.memory = memory(protocol)
        self.code = Automaton(protocol.worker, merge)
        self.numbers: dict[Any, int] = {}
        self.memories: list[Any] = []
        self.served: dict[tuple[int, int], list[tuple[Any, int, int]]] = {}
        self.judged: dict[Any, str | None] = {}

    def number(self, memory: Any) -> int:
        if memory not in self.numbers:
            self.numbers[memory] = len(self.memories)
            self.memories.append(memory)
        return self.numbers[memory]

    def values(self, state: State) -> tuple[int, ...]:
        """Return the newest value of each location."""
        values: tuple[int, ...] = self.memory.values(self.memories[state.memory])
        return values

    def first(self) -> State:
        at = tuple(map(self.code.first, range(self.protocol.workers)))
        return State(at, self.number(self.memory.initial), ())

    def serve(self, memory: int, node: int) -> list[tuple[Any, int, int]]:
        """Return each (answer, node after it, memory after it)."""
        if (memory, node) not in self.served:
            w, request = self.code.answers[node][0], self.code.requests[node]
            self.served[memory, node] = [
                (answer, self.code.step(node, answer), self.number(after))
                for answer, after in self.memory.serve(self.memories[memory], w, request)
            ]
        return self.served[memory, node]

    def steps(self, state: State, w: int) -> list[Step]:
        """Return every step that worker w can make: more than one if a load has a choice."""
        node = state.at[w]
        if node == DONE:
            return []
        requests, steps = self.code.requests, []
        for answer, to, memory in self.serve(state.memory, node):
            order, fault, updates = state.order, None, []
            while to != DONE and requests[to].op == "log":
                updates.append((order, requests[to].value))
                fault = fault or self.judge(*updates[-1])
                order += (requests[to].value[0],)
                to = self.code.step(to, None)
            at = (*state.at[:w], to, *state.at[w + 1 :])
            steps.append(Step(w, requests[node], answer, State(at, memory, order), fault, updates))
        return steps

    def judge(self, order: tuple[int, ...], update: Any) -> str | None:
        if (order, update) not in self.judged:
            self.judged[order, update] = self.protocol.check_update(order, *update)
        return self.judged[order, update]

    def fault_at_end(self, state: State) -> str | None:
        """Judge a state without steps."""
        waiting = [self.code.requests[node].op for node in state.at if node != DONE]
        if "cut" in waiting:
            return None
        if waiting:
            return "deadlock: every worker waits"
        return self.protocol.check_end(self.values(state), state.order)

    def free(self, state: State, w: int) -> bool:
        """Whether leaving worker w here is no preemption."""
        node = state.at[w]
        if node == DONE or self.code.requests[node].op == "yield":
            return True
        return not self.serve(state.memory, node)


@dataclass
class Exploration:
    """What a search found.

    ``states`` in the order of their first visit; arc t leads from ``tail[t]`` to ``head[t]`` by
    a step of ``worker[t]`` and costs ``cost[t]`` preemptions.
    """

    system: System
    preemptions: int | None
    states: list[State] = field(default_factory=list)
    fault: str | None = None
    trace: list[Step] = field(default_factory=list)
    tail: list[int] = field(default_factory=list)
    head: list[int] = field(default_factory=list)
    worker: list[int] = field(default_factory=list)
    cost: list[int] = field(default_factory=list)
    # How each state was first reached: from which state, by which worker, by which of its steps.
    came: list[tuple[int, int, int]] = field(default_factory=lambda: [(-1, -1, -1)])

    def windows(self) -> set[tuple[int, int, tuple[int, ...]]]:
        """Return (k, start, tickets that the read missed) of every update seen."""
        missed = self.system.protocol.missed
        return {
            (k, start, tuple(missed(order, draw, xhat)))
            for order, (draw, k, start, xhat) in self.system.judged
        }

    def schedules(self) -> int | None:
        """Count the complete schedules within the bound; None if a loop makes them infinite."""
        after: list[list[tuple[int, int]]] = [[] for _ in self.states]
        waiting = [0] * len(self.states)
        for tail, head, cost in zip(self.tail, self.head, self.cost, strict=True):
            after[tail].append((head, cost))
            waiting[head] += 1
        width = 1 if self.preemptions is None else self.preemptions + 1
        count = [[0] * width for _ in self.states]  # by preemptions made
        count[0][0] = 1
        ready, total, seen = [0], 0, 0
        while ready:
            u = ready.pop()
            seen += 1
            if not after[u]:
                total += sum(count[u])
            for v, cost in after[u]:
                for c in range(width - cost):
                    count[v][c + cost] += count[u][c]
                waiting[v] -= 1
                if not waiting[v]:
                    ready.append(v)
        return total if seen == len(self.states) else None

    def stuck(self) -> list[State]:
        """States from which no run comes to its end (search without a bound on preemptions)."""
        before: list[list[int]] = [[] for _ in self.states]
        leads = np.zeros(len(self.states), dtype=bool)
        leads[self.tail] = True
        for tail, head in zip(self.tail, self.head, strict=True):
            before[head].append(tail)
        good = ~leads
        queue: list[int] = np.flatnonzero(good).tolist()
        while queue:
            for u in before[queue.pop()]:
                if not good[u]:
                    good[u] = True
                    queue.append(u)
        return [self.states[u] for u in np.flatnonzero(~good)]

    def loops(self) -> Iterator[tuple[list[State], set[int]]]:
        """Yield each set of states a run can stay in for ever, and who moves within it."""
        size = len(self.states)
        arcs = coo_array((np.ones(len(self.tail)), (self.tail, self.head)), shape=(size, size))
        _, part = connected_components(arcs, connection="strong")
        tail, head = part[self.tail], part[self.head]
        movers: dict[int, set[int]] = {}
        for t in np.flatnonzero(tail == head):
            movers.setdefault(int(tail[t]), set()).add(self.worker[t])
        for label, moving in movers.items():
            yield [self.states[u] for u in np.flatnonzero(part == label)], moving

    def livelock(self) -> tuple[str, State] | None:
        """Judge the loops: return what is wrong with one and a state of it, or None.

        A loop is excused if some worker that never moves in it holds an announcement from
        more than max_delay tickets ago: the bound itself then forbids the others to go on, and
        the loop ends as soon as that worker moves. Any other loop is a livelock.
        """
        protocol = self.system.protocol
        batch = protocol.allotment if protocol.method == "replica" else 1
        for states, moving in self.loops():
            for state in states:
                values = self.system.values(state)
                if not any(
                    protocol.delay(values[CLOCK], values[SLOT + w], batch) > protocol.max_delay
                    for w in range(protocol.workers)
                    if w not in moving and state.at[w] != DONE and values[SLOT + w] != NONE
                ):
                    who = " and ".join("ABCD"[w] for w in sorted(moving))
                    return f"livelock of {who}", state
        return None

    def trace_to(self, u: int) -> list[Step]:
        """Return the steps that lead from the first state to state u."""
        steps = []
        while u:
            u, w, i = self.came[u]
            steps.append(self.system.steps(self.states[u], w)[i])
        return steps[::-1]


def explore(
    protocol: Protocol,
    *,
    memory: Any = Sequential,
    preemptions: int | None = None,
    merge: bool = True,
) -> Exploration:
    """Visit every state within the bound, or stop at the first fault.

    ``merge=False`` tells workers apart by all they have ever read (a check of the merging).
    """
    system = System(protocol, memory, merge)
    found = Exploration(system, preemptions)
    bounded = preemptions is not None
    first = system.first()
    index: dict[Any, int] = {(first, -1) if bounded else first: 0}
    found.states.append(first)
    lasts = [-1]  # who ran last and could go on
    done = bytearray(1)
    layers: list[deque[int]] = [deque([0])] + [deque() for _ in range(preemptions or 0)]
    for c, layer in enumerate(layers):
        while layer:
            u = layer.popleft()
            if done[u]:
                continue
            done[u] = 1
            state, last = found.states[u], lasts[u]
            stuck = True
            only_last = c == preemptions and last != -1
            for w in (last,) if only_last else range(protocol.workers):
                cost = int(last not in (-1, w))
                for i, step in enumerate(system.steps(state, w)):
                    stuck = False
                    now = w if bounded and not system.free(step.state, w) else -1
                    key = (step.state, now) if bounded else step.state
                    v = index.setdefault(key, len(found.states))
                    if v == len(found.states):
                        found.states.append(step.state)
                        found.came.append((u, w, i))
                        lasts.append(now)
                        done.append(0)
                        layers[c + cost].append(v)
                    elif bounded and cost == 0 and not done[v]:
                        # Perhaps found before by one preemption more: its turn is now.
                        found.came[v] = (u, w, i)
                        layer.append(v)
                    found.tail.append(u)
                    found.head.append(v)
                    found.worker.append(w)
                    found.cost.append(cost)
                    if step.fault:
                        found.fault, found.trace = step.fault, [*found.trace_to(u), step]
                        return found
            if stuck and (fault := system.fault_at_end(state)):
                found.fault, found.trace = fault, found.trace_to(u)
                return found
    return found


def explore_progress(protocol: Protocol) -> Exploration:
    """Visit every state; if none is at fault, see whether every run can and will end."""
    found = explore(protocol)
    fault = None
    if not found.fault:
        if stuck := found.stuck():
            fault = "a worker can never finish", stuck[0]
        else:
            fault = found.livelock()
    if fault:
        found.fault = fault[0]
        found.trace = found.trace_to(found.states.index(fault[1]))
    return found
