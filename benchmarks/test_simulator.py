"""Events a second of the simulator; millions of them are in `extra_info`."""

import pytest

from .recording import machine
from .simulator import CASES, ROWS, rate


@pytest.mark.parametrize("where", sorted(ROWS))
@pytest.mark.parametrize("case", sorted(CASES))
def test_simulator(benchmark, where, case):
    benchmark.group = f"simulator, {where}"
    rates = []
    benchmark.pedantic(
        lambda: rates.append(rate(ROWS[where], case, 500_000)), rounds=5, iterations=1
    )
    benchmark.extra_info.update(millions_a_second=rates, machine=machine())
    assert min(rates) > 0
