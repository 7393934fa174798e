"""``asysg verify``: certify this installation on the built-in objectives."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .._check import folder
from . import _text

#: Replicates of every entry of the tightness table.
CONFIRMATIONS = 20
#: What the tightness table has no use for, as it is where nobody gives it.
NOT_OF_TIGHTNESS = {
    "quick": False, "all": False, "threads": None, "objective": None, "steplength_factor": 1.0,
}  # fmt: skip


def add(commands: Any) -> None:
    """Add the command to the parser."""
    command = commands.add_parser(
        "verify",
        help="certify this installation on the built-in objectives",
        description="Run both algorithms on the built-in objectives at the prescribed steplength "
        "and hold what is measured against the theorems. Exit code 1 on a violation.",
    )
    command.add_argument("--quick", action="store_true", help="fewer and shorter runs")
    command.add_argument(
        "--all", action="store_true", help="also every other method, each against its own theorem"
    )
    command.add_argument(
        "--threads", type=int, metavar="P", help="threads (default: the usable cores)"
    )
    command.add_argument(
        "--objective", action="append", metavar="NAME",
        help="only this objective (may be repeated; default: all)",
    )  # fmt: skip
    _text.add_seed(command)
    command.add_argument(
        "--out", type=Path, default=Path("asysg-verify"), metavar="FOLDER",
        help="where JSON and PNG go (default asysg-verify)",
    )  # fmt: skip
    command.add_argument(
        "--steplength-factor", type=float, default=1.0, metavar="X",
        help="multiply the prescribed steplength (default 1); to see that a wrong one is noticed",
    )  # fmt: skip
    command.add_argument(
        "--tightness", action="store_true",
        help="in place of all that, print how near every theorem comes to what really happens, "
        "and save it as CSV (about half a minute)",
    )  # fmt: skip
    _text.add_json(command)
    command.set_defaults(command=check)


def check(args: argparse.Namespace) -> int:
    """Run the suite, print its table, save it."""
    from .. import verify

    if args.tightness:
        from ..verify import _tightness

        _text.left_out(args, NOT_OF_TIGHTNESS, "with --tightness")
        folder("out", args.out, _tightness.FILE)
        found = verify.tightness(replicates=CONFIRMATIONS, seed=args.seed, progress=True)
        saved = _tightness.save(found, args.out)
        if args.json:
            rows = [asdict(one) for one in found]
            print(_text.to_json({"tightness": rows, "files": [str(saved)]}))
        else:
            print(_tightness.text(found))
            print(f"saved as {saved}")
        return 0
    more: dict[str, Any] = {}
    if args.all:
        from ..verify._suite import KINDS

        more["kinds"] = KINDS
    report = verify.suite(
        quick=args.quick,
        n_threads=args.threads,
        objectives=args.objective,
        seed=args.seed,
        out=args.out,
        steplength_factor=args.steplength_factor,
        progress=True,
        **more,
    )
    if args.json:
        print(_text.to_json({**report.to_dict(), "saved_in": str(args.out)}))
    else:
        print(report.table())
        print(f"saved in {args.out}")
    return 0 if report.ok else 1
