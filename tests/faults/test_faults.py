"""The mechanism of the catalogue; the table itself takes hours: ``python -m tests.faults``."""

import pytest

from . import patch
from .patch import CatalogueError, Edit, Fault
from .table import FAULTS


def test_the_catalogue_is_long_and_its_names_are_different():
    names = [fault.name for fault in FAULTS]
    assert len(names) == len(set(names)) >= 100
    assert all(fault.edits for fault in FAULTS)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (Edit("a.py", "x", "y"), "once 'x', got 2"),
        (Edit("a.py", "z", "y"), "once 'z', got 0"),
        (Edit("a.py", "x", "y", "="), "once '=', got 2"),
        (Edit("a.py", "x = «1\nx»", "y"), "overlap at"),
    ],
)
def test_an_anchor_that_does_not_fit_is_an_error(edit, message):
    faults = [Fault("sound", (Edit("a.py", "x = 1", "x = 2"),)), Fault("wrong", (edit,))]
    with pytest.raises(CatalogueError, match=message):
        patch.patched(faults, {"a.py": "import os\nx = 1\nx = 3\n"})


def test_expressions_and_lines_become_choices(monkeypatch):
    text = "import os\ndef f(a):\n    b = a + 1\n    return b\n"
    faults = [
        Fault("one", (Edit("a.py", "b = «a + 1»", "2 * ({old})"),)),
        Fault("two", (Edit("a.py", "    return b\n", "b = 7\n{old}"),)),
        Fault("three", (Edit("a.py", "b = «a + 1»", "0"),)),
    ]
    found = []
    for number in range(4):
        monkeypatch.setenv(patch.VARIABLE, str(number))
        names = {}
        exec(patch.patched(faults, {"a.py": text})["a.py"], names)
        found.append(names["f"](1))
    assert found == [2, 4, 7, 0]
