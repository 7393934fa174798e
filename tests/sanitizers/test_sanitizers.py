"""ThreadSanitizer and stress as far as they fit into every run of the tests.

The rest (AddressSanitizer and UBSan over the tests, 10^9 updates under stress) takes too long for
that: ``python -m tests.sanitizers``.
"""

import os

import pytest

from asysg._core.openmp import openmp_version

from . import checks
from .builds import FAULTS, ROOT, RUNTIME, Missing, library

pytestmark = pytest.mark.skipif(not openmp_version(), reason="this build has one thread")

UPDATES = 3 * 10**6


@pytest.fixture
def compiler():
    """GCC with its sanitizers; where nobody promised them (CI does), their lack is said."""
    try:
        for name in RUNTIME["thread"]:
            library(name)
    except Missing as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))


def test_every_seeded_fault_has_its_place():
    """A control whose text is gone would change nothing, and only the long checks would tell."""
    for name, fault in FAULTS.items():
        text = (ROOT / "asysg" / "_core" / fault.file).read_text()
        assert text.count(fault.old) == 1, name


@pytest.mark.usefixtures("compiler")
def test_no_data_race_in_the_kernels(tmp_path):
    verdicts = list(checks.thread(tmp_path, short=True))
    assert len(verdicts) == 4
    assert all(verdict.holds for verdict in verdicts), "\n".join(map(str, verdicts))


def test_nothing_lost_and_no_bound_broken_under_stress(tmp_path):
    verdicts = list(checks.stress(tmp_path, updates=UPDATES, short=True))
    assert len(verdicts) == 7
    assert all(verdict.holds for verdict in verdicts), "\n".join(map(str, verdicts))
