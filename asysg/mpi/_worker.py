"""A worker: what it computes for a snapshot, and its loop."""

from __future__ import annotations

import time
import traceback
from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from .._core.rank import OK, Gradients, descend
from .._plan import Plan
from ._wire import GO_ON, RAISED, STOP, TEXT, RankWire, Side

if TYPE_CHECKING:
    from mpi4py import MPI


class Work:
    """What a worker does with what it is sent.

    Parameters
    ----------
    plan : Plan
        Objective, batch size, key, and local steps of which an answer is made, each on an equal
        part of the minibatch.
    local : bool
        Go on from a replica of x, which takes every step at once that is sent.
    """

    def __init__(self, plan: Plan, *, local: bool) -> None:
        self._gradients = Gradients(plan.objective._capsule, M=plan.M, key=plan.key)
        self._M, self._n_push, self._local = plan.M, plan.n_push, local
        self._replica = np.zeros(plan.objective.n)
        self._step = np.zeros(plan.objective.n)

    def __call__(self, asked: Side, answer: Side) -> None:
        """Answer a snapshot by a gradient."""
        begin = time.perf_counter()
        head, reply = asked.header, answer.header
        draw, part, parts = int(head["draw"]), int(head["part"]), int(head["parts"])
        first, last = self._M * part // parts, self._M * (part + 1) // parts
        if self._local:
            if head["kind"] != GO_ON:
                np.copyto(self._replica, asked.vector)
            code = self._steps(draw, float(head["gamma"]), answer)
        else:
            code = self._gradients.sum(asked.vector, draw, first, last, answer.vector)
        reply["kind"] = code
        reply["seconds"] = time.perf_counter() - begin

    def _steps(self, draw: int, gamma: float, answer: Side) -> int:
        size = self._M // self._n_push
        answer.vector[:] = 0.0
        for first in range(0, self._M, size):
            code = self._gradients.sum(self._replica, draw, first, first + size, self._step)
            if code != OK:
                return code
            np.add(answer.vector, self._step, out=answer.vector)
            descend(self._replica, self._step, gamma)
        return OK


def serve(comm: MPI.Intracomm, wire: RankWire, plan: Plan, work: Work) -> BaseException | None:
    """Compute what the server asks for until it has said on every slot that this is all.

    Returns
    -------
    Exception or None
        What the objective raised here; the server was told.
    """
    failure: BaseException | None = None
    waiting: deque[int] = deque()
    for slot in wire.slots:
        slot.listen()
    left = len(wire.slots)
    with plan.objective._one_thread():
        while left:
            # Later messages are looked for before each gradient, so that they are on their way.
            waiting.extend(wire.poll() if waiting else wire.wait())
            slot = wire.slots[waiting.popleft()]
            if slot.back.header["kind"] == STOP:
                left -= 1
                continue
            if failure is None:
                try:
                    work(slot.back, slot.out)
                except BaseException as error:  # also SystemExit: no rank leaves the others alone
                    failure = error
                    slot.out.header["kind"] = RAISED
                    slot.post()
                    comm.send(traceback.format_exc(), 0, TEXT)  # the server waits for it
                    continue
            slot.post()
    return failure
