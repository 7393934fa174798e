"""``asysg diagnose``: whether asynchrony pays for an objective on this machine, and why."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from .. import objectives
from .._check import integer
from . import _problem, _text

#: The problems without a file.
SAMPLES, N = 20_000, 100


def _cosine(seed: int) -> tuple[objectives.Objective, Any]:
    return objectives.CosineQuadratic(N, sigma=1.0), np.ones(N)


def _sigmoid(seed: int) -> tuple[objectives.Objective, Any]:
    return objectives.SigmoidRegression.planted(SAMPLES, N, rng=seed), np.zeros(N)


def _sparse(seed: int) -> tuple[objectives.Objective, Any]:
    n = 100 * N
    return objectives.SigmoidRegression.planted(SAMPLES, n, density=10 / n, rng=seed), np.zeros(n)


def _network(seed: int) -> tuple[objectives.Objective, Any]:
    obj = objectives.Network.planted(layers=(N, 50, 10), rng=seed)
    return obj, obj.initial_point(rng=seed)


PROBLEMS = {"cosine": _cosine, "sigmoid": _sigmoid, "sparse": _sparse, "network": _network}


def add(commands: Any) -> None:
    """Add the command to the parser."""
    command = commands.add_parser(
        "diagnose",
        help="whether to go asynchronous with a problem on this machine, and why",
        description="Run pilots of every method and number of threads at steplength 0, measure "
        "costs, count conflicts, simulate more workers, ask the theory, and say which method and "
        "how many threads to use, or not to go asynchronous. Takes some seconds.",
    )
    command.add_argument(
        "file", metavar="FILE", nargs="?",
        help="data, as of `asysg run`; one of --problem is made without",
    )  # fmt: skip
    command.add_argument(
        "--problem", choices=tuple(PROBLEMS),
        help=f"a built-in one: cosine (n = {N}), dense sigmoid regression (n = {N}), a sparse one "
        f"(n = {100 * N}), a small network (default sigmoid)",
    )  # fmt: skip
    _problem.add_data(command)
    how = command.add_argument_group("what to diagnose")
    _problem.add_objective(how, None)
    how.add_argument(
        "--threads", type=int, metavar="P", help="the most to try (default: the usable cores)"
    )
    how.add_argument(
        "--batch-size", type=int, default=1, metavar="M", help="samples per update (default 1)"
    )
    how.add_argument(
        "--updates", type=int, metavar="K",
        help="of the serial run that is compared with (default: 20 epochs, at least 100,000)",
    )  # fmt: skip
    how.add_argument(
        "--seconds", type=float, default=0.3, metavar="S", help="of each measurement (default 0.3)"
    )
    _text.add_seed(how)
    _text.add_json(how)
    command.set_defaults(command=show)


def show(args: argparse.Namespace) -> int:
    """Diagnose, and print what was found."""
    from ..diagnosis import diagnose

    integer("seed", args.seed, least=0)
    constants = None
    if args.file is None:
        _text.left_out(args, {"objective": None, **_problem.UNASKED}, "without FILE")
        name = args.problem or "sigmoid"
        obj, x0 = PROBLEMS[name](args.seed)
        about = [("problem", f"{name}: {obj!r}")]
    else:
        _text.left_out(args, {"problem": None}, "with a file")
        args.objective = args.objective or _problem.USUAL
        read = _problem.read(args)
        obj, x0, about = read.objective, read.start.x, read.about
        about.append(("objective", f"{obj!r}, {read.start.note}"))
        constants = read.start.constants(obj, 0) if read.start.estimated else None
    found = diagnose(
        obj, x0, batch_size=args.batch_size, n_updates=args.updates, n_threads=args.threads,
        constants=constants, seconds=args.seconds, seed=args.seed,
    )  # fmt: skip
    if args.json:
        print(_text.to_json({"about": dict(about), **found.to_dict()}))
    else:
        print(_text.pairs(about) + "\n")
        print(_text.wrap(found.explain()))
    return 0
