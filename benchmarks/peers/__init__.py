"""What a user would pick instead, on the same data in the same rounds.

Each module here holds one peer: ``contestants(workload, p, quick)`` yields what it can do of a
workload. All of them compute the loss of this package's objective with its labels in float64
unless `Contestant.computes` says otherwise.
"""

from __future__ import annotations

import importlib

from ..measure import Absent
from ..workloads import Contestants, Workload

#: Module here, the distribution a peer comes with, and the kinds of workloads it does.
PEERS = {
    "compiled": ("numba", ("W1", "W1c", "W2")),
    "linear": ("scikit-learn", ("W1", "W2", "W3")),
    "processes": ("numpy", ("W1", "W2")),
    "hogwild": ("torch", ("W3",)),
    "ranks": ("mpi4py", ("con",)),
}


def peers(workload: Workload, p: int, quick: bool) -> Contestants:
    """Yield all peers of a workload with p threads or processes."""
    for module, (distribution, kinds) in PEERS.items():
        if workload.kind not in kinds:
            continue
        try:
            peer = importlib.import_module(f"{__name__}.{module}")
        except ImportError as reason:
            yield Absent(distribution, f"not installed ({reason})")
            continue
        yield from peer.contestants(workload, p, quick)
