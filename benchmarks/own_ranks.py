"""AsySG-con on MPI ranks by this package: ``mpiexec -n P python -m benchmarks.own_ranks N K 0``.

Rank 0 prints the seconds of the run, as its result says, and the value it came to.
"""

from __future__ import annotations

import sys

import asysg

from .workloads import STEP, constants, data


def main(n: int, rounds: int, quick: bool) -> None:
    """Run on every rank."""
    given = data("con", n, quick)
    result = asysg.mpi.minimize(
        given.objective,
        given.x0,
        method="asysg-con",
        steplength=STEP["con"],
        n_updates=rounds,
        n_records=1,
        constants=constants(given.objective.n),
        rng=0,
    )
    if result is not None:
        if not result.success:
            raise RuntimeError(f"the run must go well, got\n{result}")
        print(result.time, result.fun)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), bool(int(sys.argv[3])))
