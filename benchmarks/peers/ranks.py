"""mpi4py: a parameter server that answers Send and Recv, the portable AsySG-con.

Run by `mpiexec` as a program of its own: rank 0 keeps x, the others ask for it, compute and send
their update. Prints the seconds between two barriers.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import mpi4py
import numpy as np

from asysg import InvalidArgument
from asysg.figures._on_ranks import mpiexec

from ..measure import Absent, Contestant, Reading
from ..workloads import STEP, Contestants, Workload, data

#: Seconds one start of all ranks with its rounds may take.
PATIENCE = 300.0


def contestants(workload: Workload, p: int, quick: bool) -> Contestants:
    computes = f"the same, {p} ranks and a server"
    yield started("mpi4py Send/Recv", "peer", __name__, computes, workload, p, quick)


def started(
    name: str, role: str, module: str, computes: str, workload: Workload, p: int, quick: bool
) -> Contestant | Absent:
    """Return a contestant that is a module under mpiexec; it prints seconds and answer."""
    try:
        starter = mpiexec()
    except InvalidArgument as reason:
        return Absent(name, str(reason))
    given = data("con", workload.size, quick)
    command = [starter, "-n", str(p + 1), sys.executable, "-m", module]

    def run(count: int) -> Reading:
        done = subprocess.run(
            [*command, str(given.x0.size), str(count), str(int(quick))],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            cwd=Path(__file__).parents[2],
        )
        if done.returncode:
            raise RuntimeError(f"the ranks must end well, got {done.stderr[-2000:]}")
        seconds, answer = map(float, done.stdout.split())
        return Reading(seconds, count, answer)

    return Contestant(name, role, p, run, computes, start=max(10, 10**6 // given.x0.size))


def main(n: int, rounds: int, quick: bool) -> None:
    """Serve on rank 0, work on the others."""
    mpi4py.rc.threads = False
    from mpi4py import MPI

    world = MPI.COMM_WORLD
    rank, workers = world.Get_rank(), world.Get_size() - 1
    given = data("con", n, quick)
    x, gamma, centre = given.x0.copy(), STEP["con"], given.arrays["centre"]
    g, asked, status = np.empty(n), np.empty(0), MPI.Status()
    world.Barrier()
    begin = time.perf_counter()
    if rank == 0:
        # A worker's update asks for its next x; its first message is empty.
        to_hear = rounds + workers
        to_tell = rounds
        while to_hear:
            world.Probe(status=status)
            source = status.Get_source()
            if status.Get_count(MPI.DOUBLE):
                world.Recv(g, source)
                x -= gamma * g
            else:
                world.Recv(asked, source)
            to_hear -= 1
            world.Send(x if to_tell else asked, source)
            to_tell = max(0, to_tell - 1)
    else:
        world.Send(asked, 0)
        while True:
            world.Recv(x, 0, status=status)
            if not status.Get_count(MPI.DOUBLE):
                break
            np.subtract(x, centre, out=g)
            world.Send(g, 0)
    world.Barrier()
    took = time.perf_counter() - begin
    if rank == 0:
        print(took, given.objective.value(x))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), bool(int(sys.argv[3])))
