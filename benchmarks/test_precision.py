"""What float32 gains, in small; nanoseconds per sample are in `extra_info`."""

import pytest

from .measure import cores, machine
from .precision import Case, cases

CASES = [(workload, p) for workload, p in cases() if p <= cores()]


@pytest.mark.parametrize(("workload", "p"), CASES, ids=lambda one: getattr(one, "name", str(one)))
def test_precision(benchmark, workload, p):
    """One round runs both precisions once."""
    case = Case(workload, p, quick=True)
    benchmark.group = f"precision, {workload.name}"
    benchmark.pedantic(case.round, rounds=3, iterations=1)
    benchmark.extra_info.update(case.summary(), machine=machine())
    assert case.summary()["gain"] > 0
