"""``asysg phase``: where linear speedup ends."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from ..errors import InvalidArgument
from . import _out, _text

DELAYS = (0, 1, 3, 7, 15, 31, 63)
UPDATES = (300, 1000, 3000, 10_000, 30_000, 100_000)


def add(commands: Any) -> None:
    """Add the command to the parser."""
    command = commands.add_parser(
        "phase",
        help="phase diagram of linear speedup over delays and updates",
        description="Run the steplength of the corollary over a grid of delays T and updates K, "
        "on a simulated noisy cosine quadratic, and print iteration speedup per worker and "
        "measured / bound, with the staleness limit of the theory.",
    )
    command.add_argument(
        "--method", choices=("asysg-con", "asysg-incon"), default="asysg-con",
        help="method (default asysg-con)",
    )  # fmt: skip
    command.add_argument(
        "--delays", type=_integers, default=DELAYS, metavar="T,T,...",
        help="bounds on the delays, workers - 1 (default 0,1,3,...,63)",
    )  # fmt: skip
    command.add_argument(
        "--updates", type=_integers, default=UPDATES, metavar="K,K,...",
        help="updates of each run (default 300,1000,...,100000)",
    )  # fmt: skip
    command.add_argument("--n", type=int, default=50, metavar="N", help="coordinates (default 50)")
    command.add_argument(
        "--sigma", type=float, default=3.0, metavar="S", help="of the noise (default 3)"
    )
    command.add_argument(
        "--replicates", type=int, default=5, metavar="R", help="runs of each point (default 5)"
    )
    _text.add_seed(command)
    _out.add(command)
    _text.add_json(command)
    command.set_defaults(command=show)


def _integers(text: str) -> tuple[int, ...]:
    return tuple(int(word) for word in text.split(","))


def show(args: argparse.Namespace) -> int:
    """Run the grid and print it."""
    from ..objectives import CosineQuadratic
    from ..simulate import phases

    if args.seed < 0:
        raise InvalidArgument(f"seed must be an integer >= 0, got {args.seed}.")
    files = _out.files(args.out)
    obj = CosineQuadratic(n=args.n, sigma=args.sigma)
    points = phases.diagram(
        obj, np.ones(args.n), delays_up_to=args.delays, updates=args.updates, method=args.method,
        n_replicates=args.replicates, progress=True, rng=args.seed,
    )  # fmt: skip
    if files:
        _out.write(files, points, phases.draw(points))
    if args.json:
        about = {"method": args.method, "n": args.n, "sigma": args.sigma, "seed": args.seed}
        print(_text.to_json({**about, "points": points, "files": list(map(str, files))}))
        return 0
    at = {(point["T"], point["K"]): point for point in points}
    for what, title in (
        ("efficiency", "Iteration speedup / workers"),
        ("ratio", "Measured / bound"),
    ):
        print(f"\n{title}; * where K >= K_min(T):\n")
        rows = [("workers", *(f"K = {K}" for K in args.updates))]
        for T in args.delays:
            cells = (
                f"{at[T, K][what]:.3f}{'*' if at[T, K]['guaranteed'] else ' '}"
                for K in args.updates
            )
            rows.append((str(T + 1), *cells))
        print(_text.table(rows))
    limits = [("updates", *(str(K) for K in args.updates))]
    T_max = {point["K"]: point["T_max"] for point in points}
    limits.append(
        ("workers with linear speedup, proven", *(str(T_max[K] + 1) for K in args.updates))
    )
    print()
    print(_text.table(limits))
    if files:
        print(f"\nWritten: {', '.join(map(str, files))}")
    return 0
