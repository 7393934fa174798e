"""Processes that wait to be told how much to do, and do it together.

They are spawned once, long before anything is timed: forking a process that has threads is no
way to start one. A process that dies or hangs is an error of the parent, soon.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from typing import Any

#: Seconds a process may take to start and to build what it needs, and to finish one turn.
START, TURN = 120.0, 300.0


def _serve(pipe: Any, barrier: Any, worker: int, setup: Callable[..., Any], given: Any) -> None:
    try:
        work = setup(worker, *given)
        pipe.send(("ready", 0.0))
        for count in iter(pipe.recv, None):
            barrier.wait(TURN)
            begin = time.perf_counter()
            work(count)
            pipe.send(("done", time.perf_counter() - begin))
    except Exception:
        pipe.send(("failed", traceback.format_exc()))


class Team:
    """p processes with a worker each.

    Parameters
    ----------
    context : multiprocessing context
        Its `Process`, `Pipe` and `Barrier` are used; must spawn.
    p : int
    setup : callable
        ``setup(worker, *given)``, in the process, returns ``work(count)``. Importable.
    given : tuple
        What it gets; shared memory in it is shared.
    """

    def __init__(self, context: Any, p: int, setup: Callable[..., Any], given: tuple[Any, ...]):
        self.p, self._barrier = p, context.Barrier(p)
        self._pipes, self._processes = [], []
        for worker in range(p):
            mine, theirs = context.Pipe()
            process = context.Process(
                target=_serve, args=(theirs, self._barrier, worker, setup, given), daemon=True
            )
            process.start()
            theirs.close()
            self._pipes.append(mine)
            self._processes.append(process)
        self._gather("ready", START)

    def run(self, count: int) -> float:
        """Let every process do its share of so many things; return the slowest's seconds."""
        for worker, pipe in enumerate(self._pipes):
            pipe.send(count * (worker + 1) // self.p - count * worker // self.p)
        return max(self._gather("done", TURN))

    def _gather(self, word: str, patience: float) -> list[float]:
        said = []
        for worker, pipe in enumerate(self._pipes):
            try:
                got, value = pipe.recv() if pipe.poll(patience) else ("silent", f"{patience} s")
            except EOFError:
                self._processes[worker].join(5)
                got, value = "died", f"exit code {self._processes[worker].exitcode}"
            if got != word:
                self.close()
                raise RuntimeError(
                    f"process {worker} of {self.p} must be {word}, got {got}: {value}"
                )
            said.append(value)
        return said

    def close(self) -> None:
        """End the processes."""
        for pipe, process in zip(self._pipes, self._processes, strict=True):
            if process.is_alive():
                try:
                    pipe.send(None)
                except (BrokenPipeError, OSError):
                    process.terminate()
                process.join(5)
                if process.is_alive():
                    process.kill()
                    process.join(5)
            pipe.close()
