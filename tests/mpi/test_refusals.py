"""What `asysg.mpi.minimize` refuses, and what it says."""

import subprocess
import sys

import pytest

BASE = {"objective": "sigmoid", "n": 5, "steplength": 0.1, "n_updates": 10}

CASES = [
    ({"method": "asysg-incon"}, "method must be one of 'asysg-con', 'sync', 'delayed', 'downpour'"),
    ({"late": "skip"}, "late must be one of"),
    ({"late": "wait"}, "late must be 'recompute' without max_delay"),
    ({"max_delay": -1}, "max_delay must be an integer >= 0"),
    ({"method": "sync", "max_delay": 3}, "max_delay must be left out for method 'sync'"),
    ({"method": "sync", "in_flight": 2}, "in_flight must be 1 for method 'sync'"),
    ({"delay": 1}, "delay must be left out for method 'asysg-con'"),
    ({"method": "delayed", "delay": 2}, "delay must be at most 1"),
    ({"n_push": 2, "n_fetch": 2}, "n_fetch and n_push must be 1"),
    ({"method": "downpour", "n_push": 2, "n_fetch": 3}, "n_fetch must be a multiple of n_push, 2"),
    ({"method": "downpour", "n_push": 2, "n_fetch": 2}, "batch_size must be a multiple of n_push"),
    ({"transport": "pigeon"}, "transport must be one of"),
    ({"wire": "float16"}, "wire must be one of"),
    ({"wire": "float32", "transport": "shared"}, "wire must be 'float64' for transport"),
    ({"n_servers": 0}, "n_servers must be an integer >= 1"),
    ({"n_servers": 3}, "n_servers must leave ranks to work"),
    ({"patience": 0}, "patience must be a finite number > 0"),
    ({"record": "full+reads"}, "record must be one of 'sampled', 'full'"),
    ({"checkpoint": "/nowhere/at/all"}, "checkpoint must lie in an existing folder"),
    ({"checkpoint": "here", "checkpoint_every": -1}, "checkpoint_every must be"),
    ({"comm": 3}, "comm must be an intracommunicator"),
    ({"n_updates": None}, "n_updates must be an integer"),
]


def test_slices_that_cannot_be(said):
    """These need more ranks than the other cases are tried with."""
    calls = [{**BASE, "n_servers": 2, "transport": "shared"}, {**BASE, "n": 1, "n_servers": 2}]
    shared, small = said(3, "refused", calls=calls)
    assert "n_servers must be 1 for transport 'shared', got 2" in shared["said"]
    assert "n_servers must be at most n, 1, got 2" in small["said"]


@pytest.mark.parametrize("ranks", [1, 3])
def test_refusals(said, ranks):
    calls = [{**BASE, **arguments} for arguments, _ in CASES]
    found = [line["said"] for line in said(ranks, "refused", calls=calls)]
    assert len(found) == len(CASES)
    for (arguments, text), line in zip(CASES, found, strict=True):
        expected = text.replace("most 1", "most 0") if ranks == 1 else text
        assert line.startswith("InvalidArgument: "), (arguments, line)
        assert expected in line, arguments
        assert "got" in line, arguments


def test_a_schedule_is_refused_for_local_steps(said, tmp_path):
    program = (
        "import numpy as np, asysg\n"
        "obj = asysg.objectives.CosineQuadratic(n=3, sigma=0.1)\n"
        "asysg.mpi.minimize(obj, np.ones(3), method='downpour', n_fetch=2, n_updates=9,\n"
        "                   steplength=asysg.steplengths.diminishing(0.1))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "steplength must be constant for method 'downpour'" in done.stderr


def test_without_mpi4py_the_error_says_what_to_install():
    program = (
        "import sys; sys.modules['mpi4py'] = None\n"
        "import numpy as np, asysg.mpi\n"
        "obj = asysg.objectives.CosineQuadratic(n=3, sigma=0.1)\n"
        "asysg.mpi.minimize(obj, np.ones(3), steplength=0.1, n_updates=9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "MissingPackage: mpi4py must be installed" in done.stderr
    assert "Install asysg[mpi]." in done.stderr
