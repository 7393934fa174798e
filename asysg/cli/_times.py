"""``asysg plan --eps --seconds``: how long each method takes to a target."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from ..errors import InvalidArgument
from ..theory import ProblemConstants, planner
from . import _text


def add(command: argparse.ArgumentParser) -> None:
    """Add the options."""
    target = command.add_argument_group("time to a target (adds predicted times of all methods)")
    target.add_argument(
        "--eps", type=float, metavar="E", help="target for the ergodic mean of ||grad f||^2"
    )
    target.add_argument(
        "--seconds", metavar="S,S,...", type=_numbers,
        help="seconds per gradient of each worker, separated by commas; inf for one that is dead",
    )  # fmt: skip


def _numbers(text: str) -> list[float]:
    return [float(word) for word in text.split(",")]


def times(c: ProblemConstants, args: argparse.Namespace) -> dict[str, Any] | None:
    """Return the predicted times, or None where nobody asked.

    Raises
    ------
    InvalidArgument
        If one of the two options is missing, or one cannot be.
    """
    if args.eps is None and args.seconds is None:
        return None
    for name in ("eps", "seconds"):
        if getattr(args, name) is None:
            raise InvalidArgument(f"{name} must be given for predicted times, got none.")
    how = {"eps": args.eps, "seconds": args.seconds, "server": args.server}
    return {
        **how,
        **{
            word: [
                asdict(planner.predict(method, c, **how, fastest=fastest))
                for method in planner.METHODS
            ]
            for word, fastest in (("all_workers", False), ("fastest_workers", True))
        },
        "orders": [
            asdict(order) for order in planner.orders(c, eps=args.eps, seconds=args.seconds)
        ],
    }


def show(found: dict[str, Any]) -> None:
    """Print them."""
    p = len(found["seconds"])
    print(f"\nTime to {found['eps']:g} at most, proven for workers of fixed speeds:\n")
    rows: list[tuple[str, ...]] = [
        ("", f"all {p}", "the best m", "m", "updates K", "steplength", "M", "T")
    ]
    for everyone, best in zip(found["all_workers"], found["fastest_workers"], strict=True):
        cells = [everyone["seconds"], best["seconds"], best["workers"], best["updates"]]
        cells += [best["gamma"], best["batch_size"], best["T"]]
        rows.append((everyone["method"], *map(_text.number, cells)))
    print(_text.table(rows))
    print("\nSeconds, with all workers and with the m fastest; the rest is for these m.\n")
    sources = {one["reference"] for one in found["fastest_workers"] + found["all_workers"]}
    print("\n".join(_text.wrap(f"  {source}") for source in sorted(sources)))
    print("\nPublished complexities, constants unknown: to compare with each other only.\n")
    print(
        _text.table(
            [
                (one["method"], _text.number(one["seconds"]), one["formula"])
                for one in found["orders"]
            ]
        )
    )
    print()
    print("\n".join(_text.wrap(f"  {one}") for one in {o["reference"]: 0 for o in found["orders"]}))
