"""Every workload as pytest-benchmark sees it: ``pytest benchmarks --benchmark-only``.

The final f, what a thing took and the machine are in `extra_info`; no time is asserted. The sizes
are the small ones unless ``ASYSG_BENCHMARK_SIZE=full``. Peers, limits and the near and far of
threads are in the report, ``python -m benchmarks.report``, which is to be believed about speed.
"""

import math
import os

import pytest

from .measure import Contestant, cores, machine, place, size
from .probes import prober
from .workloads import WORKLOADS, ours

QUICK = os.environ.get("ASYSG_BENCHMARK_SIZE", "quick") != "full"
SECONDS = 0.005 if QUICK else 0.2
CASES = [
    pytest.param(workload, one, id=f"{workload.name}-{one.name}-{p}".replace(" ", "_"))
    for workload in WORKLOADS
    if workload.kind != "target"
    for p in (1, 2)[: cores()]
    for one in ours(workload, p, QUICK)
    if isinstance(one, Contestant)
]


@pytest.mark.parametrize(("workload", "contestant"), CASES)
def test_workload(benchmark, workload, contestant):
    """One round does as many things as take about `SECONDS`."""
    count = size(contestant, SECONDS)
    probe = prober() if contestant.threads > 1 else None
    probes, readings = [probe()] if probe else [], []

    def turn():
        readings.append(contestant.run(count))

    benchmark.group = workload.name
    benchmark.pedantic(turn, rounds=3, iterations=1)
    probes += [probe()] if probe else []
    last = readings[-1]
    benchmark.extra_info.update(
        machine=machine(),
        quick=QUICK,
        unit=workload.unit,
        count=last.count,
        ns=[1e9 * one.seconds / one.count for one in readings],
        answer=last.answer,
        place=place(probes),
        probes=probes,
    )
    assert last.count > 0
    assert math.isfinite(last.answer)
