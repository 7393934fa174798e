"""What each level of ``record=`` costs; nanoseconds per update are in `extra_info`."""

import pytest

from .measure import machine
from .recording import Case, cases


@pytest.mark.parametrize(("name", "method", "p"), list(cases()))
def test_recording(benchmark, name, method, p):
    """One round runs every level once."""
    case = Case(name, method, p)
    benchmark.group = f"recording, {name}"
    benchmark.pedantic(case.round, rounds=5, iterations=1)
    benchmark.extra_info.update(case.summary(), machine=machine())
    assert set(case.summary()["levels"]) == {"False", "sampled", "full"}
