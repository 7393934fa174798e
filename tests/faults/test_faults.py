"""The catalogue fits the sources, and a few faults of every kind are convicted in every run.

The whole table takes hours: ``python -m tests.faults``.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from asysg._core.openmp import openmp_version

from . import alarms, columns, page, patch, table
from .patch import ROOT, CatalogueError, Edit, Fault
from .table import AT_ONCE, FAULTS, NONE

#: A fault of each kind, and tests that run in seconds and must convict it.
SHORT = {
    "simulator: steplength x 3": "tests/core/test_equal_to_oracle.py",
    "everywhere: 5 % of the updates lost": "tests/core/test_equal_to_oracle.py",
    "simulator: one sample for the whole batch": "tests/core/test_equal_to_oracle.py",
    "threads: gradient of the next coordinate": "tests/core/test_equal_to_oracle.py",
    "everywhere: last coordinate never": "tests/core/test_draws.py",
    "simulator: staleness T+1": "tests/simulate/test_simulate.py",
    "replay: compares nothing": "tests/simulate/test_replay.py",
    "threads: max_delay ignored": "tests/simulate/test_replay.py",
    "objective: stochastic gradient scaled by 1.05": "tests/objectives/test_noise.py",
    "con: 2 p gap of R0": "tests/theory/test_hand_values.py",
    "incon, plus: T (p + T - 1) of the condition": "tests/theory/test_hand_values.py",
    "incon: 16 of K_min of form paper": "tests/theory/test_hand_values.py",
    "moments: noise 10 % too small": "tests/theory/test_moments.py",
}
#: Seen by a measurement alone.
MEASURED = "objective: noise twice what sigma says"


def test_every_anchor_is_found_once():
    changed = patch.patched(FAULTS)
    assert len(changed) > 20


def test_the_catalogue_is_long_and_its_names_are_different():
    names = [fault.name for fault in FAULTS]
    assert len(names) == len(set(names)) >= 100
    assert set(SHORT) | {MEASURED} <= set(names)
    assert all(fault.edits for fault in FAULTS)


def test_the_page_is_that_of_its_record_and_every_fault_is_convicted():
    record = ROOT / "docs" / "explanation" / "kill-table.jsonl"
    outcomes = table.read(record)
    made = page.page(outcomes, list(alarms.read(record).values()))
    assert record.with_suffix(".rst").read_text() == made
    said, fine = table.summary(FAULTS, outcomes)
    assert fine, said


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


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The build that holds all faults, asleep."""
    if not openmp_version():
        pytest.skip("this build has one thread")
    folder = tmp_path_factory.mktemp("faults")
    return columns.Build(patch.build(folder, FAULTS), folder / "work")


def test_a_fault_of_each_kind_is_convicted_and_the_sound_build_is_not(made):
    number = patch.numbers(FAULTS)
    faults = {fault.name: fault for fault in FAULTS}
    asked = [(0, tuple(dict.fromkeys(SHORT.values())), False)]
    asked += [
        (number[name], (tests,), columns.threaded(faults[name])) for name, tests in SHORT.items()
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(lambda task: made.pytest(task[0], *task[1], yields=task[2]), asked))
    assert not found[0], "the sound build is convicted"
    survivors = [name for name, convicted in zip(SHORT, found[1:], strict=True) if not convicted]
    assert not survivors


def test_a_measurement_convicts_too(made):
    """Null of the second: the sound build. False alarm 1e-6; power: ln e > 100."""
    faults = {fault.name: fault for fault in FAULTS}
    number = patch.numbers(FAULTS)[MEASURED]
    (wrong,) = made.rows(faults[MEASURED], number, 1, kinds=("tight",))
    (sound,) = made.rows(NONE, 0, 1, kinds=("tight",))
    assert (wrong.convicted, wrong.asked) == (1, 1)
    assert (sound.convicted, sound.asked) == (0, 1)
