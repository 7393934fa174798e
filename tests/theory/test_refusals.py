"""Every bad argument is refused with a typed error that names it."""

import math
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from asysg import theory
from asysg.theory import InvalidArgument, ProblemConstants, con, incon

C = ProblemConstants(gap=1.0, sigma=1.0, L=1.0)
NOT_FLOATS = [True, np.True_, math.nan, math.inf, -math.inf, -1.0, None, "1", 1j, [1.0], 10**400]
NOT_WHOLE = [True, 1.0, 1.5, -1, None, "1", math.nan, 10**400]


@pytest.mark.parametrize("bad", NOT_FLOATS)
@pytest.mark.parametrize("name", ["gap", "sigma", "L", "L_max", "L_T"])
def test_constants(name, bad):
    if bad is None and name in ("L_max", "L_T"):
        return  # the default
    with pytest.raises(InvalidArgument, match=rf"^{name} must .*, got "):
        ProblemConstants(**({"gap": 1.0, "sigma": 1.0, "L": 1.0} | {name: bad}))


@pytest.mark.parametrize("bad", [*NOT_WHOLE, 0])
def test_dimension(bad):
    with pytest.raises(InvalidArgument, match=r"^n must be"):
        ProblemConstants(1.0, 1.0, 1.0, n=bad)


def test_order_and_kind():
    with pytest.raises(InvalidArgument, match=r"^L must be"):
        ProblemConstants(1.0, 1.0, 0.0)
    for name in ("L_max", "L_T"):
        with pytest.raises(InvalidArgument, match=rf"^{name} must be at most L"):
            ProblemConstants(1.0, 1.0, 1.0, **{name: 1.0001})
        ProblemConstants(1.0, 1.0, 1.0, **{name: 1.0 + 1e-12})  # rounding
    with pytest.raises(InvalidArgument, match=r"^estimated"):
        ProblemConstants(1.0, 1.0, 1.0, estimated=1)
    with pytest.raises(InvalidArgument, match=r"^d must hold"):
        ProblemConstants.from_dict({"gap": 1.0, "sigma": 1.0})
    with pytest.raises(InvalidArgument, match=r"^d must hold"):
        ProblemConstants.from_dict({"gap": 1.0, "sigma": 1.0, "L": 1.0, "m": 2})


def test_constants_become_plain_numbers():
    c = ProblemConstants(np.float32(0.5), 1, np.int64(2), n=np.int32(3))
    kinds = [type(v) for v in c.to_dict().values()]
    assert kinds == [float, float, float, int, float, float, bool]
    assert ProblemConstants.from_dict(c.to_dict()) == c
    assert (c.L_max, c.L_T) == (2.0, 2.0)


CALLS = {
    "gamma_max": ("M", "T", "form"),
    "gamma_prescribed": ("K", "M", "T", "form"),
    "gamma_opt": ("K", "M", "T", "form"),
    "K_min": ("M", "T", "form"),
    "T_max": ("K", "M", "form"),
    "workers_max": ("K", "M", "form"),
    "rate": ("K", "M", "form"),
    "rate_proven": ("K", "M", "T"),
    "prescribe": ("K", "M", "T", "form"),
}
GOOD = {"K": 10, "M": 1, "T": 1, "form": "plus"}
BAD = {
    "K": [*NOT_WHOLE, 0],
    "M": [*NOT_WHOLE, 0],
    "T": NOT_WHOLE,
    "form": ["Plus", None, 1, b"plus"],
}


@pytest.mark.parametrize("mod", [con, incon])
@pytest.mark.parametrize("function", CALLS)
def test_functions(mod, function):
    call = getattr(mod, function)
    good = {k: GOOD[k] for k in CALLS[function]}
    call(C, **good)
    for name in good:
        for bad in BAD[name]:
            with pytest.raises(InvalidArgument, match=rf"^{name} must .*, got "):
                call(C, **(good | {name: bad}))
    with pytest.raises(InvalidArgument, match=r"^c must be a ProblemConstants"):
        call({"gap": 1.0}, **good)
    with pytest.raises(TypeError):
        call(C, *good.values())  # keywords only


@pytest.mark.parametrize("mod", [con, incon])
def test_steplengths(mod):
    for bad in NOT_FLOATS:
        if bad == [1.0] and mod is con:
            continue
        with pytest.raises(InvalidArgument, match=r"^gamma must .*, got "):
            mod.admissible(bad, C, M=1, T=1)
        with pytest.raises(InvalidArgument, match=r"^gamma must .*, got "):
            mod.bound(bad, C, K=1, M=1, T=1)


@pytest.mark.parametrize(
    "bad", [[], [[1.0]], [math.nan], [-1.0], [math.inf], ["a"], [None], [[1.0], 2.0], [True]]
)
def test_schedules(bad):
    for call in (
        lambda: con.admissible(bad, C, M=1, T=1, form="paper"),
        lambda: con.bound(bad, C, K=1, M=1, T=1, form="paper"),
        lambda: theory.certify(C, algorithm="con", gamma=bad, K=1, M=1, T=1, form="paper"),
    ):
        with pytest.raises(InvalidArgument, match=r"^gamma must"):
            call()


def test_schedules_where_no_theorem_is():
    with pytest.raises(InvalidArgument, match="Theorem 1"):
        con.bound([0.1], C, K=1, M=1, T=1, form="plus")
    with pytest.raises(InvalidArgument, match="Theorem 1"):
        incon.bound([0.1], C, K=1, M=1, T=1, form="paper")
    with pytest.raises(InvalidArgument, match="must have 3 entries"):
        con.bound([0.1, 0.1], C, K=3, M=1, T=1, form="paper")


@pytest.mark.parametrize("bad", [math.nan, -1.0, True, "1"])
def test_measurements(bad):
    args = {"algorithm": "con", "gamma": 0.1, "K": 1, "M": 1, "T": 1}
    for name in ("measured", "measured_halfwidth"):
        with pytest.raises(InvalidArgument, match=rf"^{name} must be a number"):
            theory.certify(C, **args, **{name: bad})
    with pytest.raises(InvalidArgument, match=r"^algorithm must be one of"):
        theory.certify(C, **(args | {"algorithm": "sgd"}))


def test_errors_survive_pickling():
    e = pickle.loads(pickle.dumps(InvalidArgument.of("M", "must be", 0, "Do so.")))
    assert (type(e), str(e)) == (InvalidArgument, "M must be, got 0. Do so.")
    long = InvalidArgument.of("gamma", "must be short", list(range(1000)))
    assert len(str(long)) < 120


def test_one_copy_of_the_classes():
    # From the repository root `import theory` finds the same package under another name; it has
    # to give the same classes.
    root = Path(__file__).resolve().parents[2]
    if not (root / "theory" / "__init__.py").exists():
        pytest.skip("the tests run away from the sources")
    script = (
        "import theory, theory.con, asysg.theory, sys\n"
        "from theory._constants import ProblemConstants as P\n"
        "assert theory is asysg.theory and P is asysg.theory.ProblemConstants\n"
        "assert theory.con is asysg.theory.con and sys.modules['theory.con'] is theory.con\n"
    )
    outside = Path(theory.__file__).parents[1].parent  # where asysg was found
    env = dict(os.environ, PYTHONPATH=os.pathsep.join([str(root), *sys.path, str(outside)]))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
