"""``asysg compare``: every method on the same problem."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InvalidArgument
from . import _out, _text

if TYPE_CHECKING:
    from ..simulate.comparisons import Row
    from ..simulate.speeds import Speeds

SPEEDS = ("deterministic", "exponential", "lognormal", "pareto", "two-classes")
USUAL = "lognormal"


def add(commands: Any) -> None:
    """Add the command to the parser."""
    command = commands.add_parser(
        "compare",
        help="every method on the same problem: updates, time, staleness, bound",
        description="Run every method on a planted sigmoid regression, with the same number of "
        "gradients, on a virtual clock or on real threads, and print updates and seconds to a "
        "loss they share, staleness, the measured ergodic gradient norm and its bound.",
    )
    command.add_argument("--workers", type=int, default=8, metavar="P", help="workers (default 8)")
    command.add_argument(
        "--threads", action="store_true", help="run real threads instead of virtual workers"
    )
    command.add_argument(
        "--speeds", choices=SPEEDS, default=USUAL,
        help=f"law of the virtual workers' times, of mean 1 (default {USUAL})",
    )  # fmt: skip
    command.add_argument(
        "--spread", type=float, metavar="X",
        help="of the lognormal law (default 0.5); the exponent of the Pareto law (3); how many "
        "times slower a quarter of the workers is (10)",
    )  # fmt: skip
    command.add_argument(
        "--updates", type=int, default=20_000, metavar="K",
        help="of asysg-con; the others compute as many gradients (default 20000)",
    )  # fmt: skip
    command.add_argument(
        "--batch-size", type=int, default=1, metavar="M", help="samples per update (default 1)"
    )
    command.add_argument(
        "--steplength", default="optimal", metavar="GAMMA",
        help="a number for all, or optimal or prescribed: what the theory gives each (default "
        "optimal)",
    )  # fmt: skip
    command.add_argument(
        "--max-delay", type=int, metavar="T",
        help="of the entry that discards late gradients (default P - 1)",
    )  # fmt: skip
    command.add_argument("--n", type=int, default=20, metavar="N", help="coordinates (default 20)")
    command.add_argument(
        "--samples", type=int, default=1000, metavar="N", help="samples of the data (default 1000)"
    )
    command.add_argument(
        "--replicates", type=int, default=3, metavar="R", help="runs of each (default 3)"
    )
    _text.add_seed(command)
    _text.add_json(command)
    _out.add(command)
    command.set_defaults(command=show)


def show(args: argparse.Namespace) -> int:
    """Run all methods and print the table."""
    from ..objectives import SigmoidRegression
    from ..simulate import comparisons

    if args.seed < 0:
        raise InvalidArgument(f"seed must be an integer >= 0, got {args.seed}.")
    if args.threads:
        usual = {"speeds": USUAL, "spread": None}
        _text.left_out(args, usual, "with --threads", "They are of virtual workers.")
    files = _out.files(args.out)
    obj = SigmoidRegression.planted(args.samples, args.n, rng=args.seed)
    found = None if args.threads else speeds(args)
    rows = comparisons.compare(
        obj, np.zeros(args.n), n_workers=args.workers, n_updates=args.updates,
        steplength=steplength(args.steplength), batch_size=args.batch_size,
        max_delay=args.max_delay, speeds=found, real=args.threads,
        n_replicates=args.replicates, progress=not args.json, rng=args.seed,
    )  # fmt: skip
    clock = "seconds" if args.threads else "virtual seconds"
    documents = [record(row) for row in rows]
    if args.json:
        workers = {"workers": args.workers, "speeds": str(found) if found else "real threads"}
        print(_text.to_json({**workers, "seed": args.seed, "rows": documents}))
    else:
        print(
            f"{args.workers} {'real threads' if args.threads else f'SIMULATED workers: {found}'}; "
            f"planted sigmoid regression, {args.samples} samples, n = {args.n}.\n"
            "Median over replicates of the updates and seconds until the loss they share; the "
            "ergodic\ngradient norm as measured, and its bound where a theorem covers the run.\n"
        )
        print(_text.table(table(rows, clock)))
        missing = [(row.name, row.says) for row in rows if row.bound is None]
        if missing:
            print()
            print(_text.pairs(missing))
    if files:
        _out.write(files, documents, comparisons.draw(rows, seconds=clock))
        if not args.json:
            print(f"\nWritten: {', '.join(map(str, files))}")
    return 0


def speeds(args: argparse.Namespace) -> Speeds:
    """Return the law that was asked for."""
    from ..simulate import speeds as laws

    x = args.spread
    if x is not None and args.speeds in ("deterministic", "exponential"):
        raise InvalidArgument(f"spread must be left out for {args.speeds} speeds, got {x}.")
    made: dict[str, Callable[[], Speeds]] = {
        "deterministic": laws.deterministic,
        "exponential": laws.exponential,
        "lognormal": lambda: laws.lognormal(0.5 if x is None else x),
        "pareto": lambda: laws.pareto(3.0 if x is None else x),
        "two-classes": lambda: laws.two_classes(10.0 if x is None else x),
    }
    return made[args.speeds]()


def steplength(text: str) -> float | str:
    """Read a number or a name."""
    try:
        return float(text)
    except ValueError:
        return text


def table(rows: list[Row], clock: str) -> list[tuple[str, ...]]:
    """Return the rows as text, and a head."""
    lines: list[tuple[str, ...]] = [
        ("method", "updates", clock, "loss", "norm", "bound", "delay", "max", "late")
    ]
    for row in rows:
        lines.append(
            (
                row.name,
                reached(row.updates, f"{row.updates:,.0f}"),
                reached(row.seconds, f"{row.seconds:.4g}"),
                f"{row.fun:.4g}",
                f"{row.ergodic:.4g}",
                "" if row.bound is None else f"{row.bound:.4g}",
                f"{row.delay_mean:.1f}",
                f"{row.delay_max:.0f}",
                f"{row.recomputed:.0f}",
            )
        )
    return lines


def reached(value: float, text: str) -> str:
    """Say where the loss was not reached."""
    return text if math.isfinite(value) else "never"


def record(row: Row) -> dict[str, Any]:
    """Return what a row says in JSON's types, and its curve."""
    document = asdict(row)
    trace = document.pop("trace")
    return {**document, **{name: trace[name].tolist() for name in ("k", "time", "f")}}
