"""``asysg run FILE --method sync, delayed or downpour``: what these methods are told besides."""

from __future__ import annotations

import argparse
from typing import Any

from .._served import ORDERED, delay_or, pushes_and_fetches

NUMBERS = (
    ("n-push", 1, "N", "downpour: steps of a worker that make an update (default 1)"),
    ("n-fetch", 1, "N", "downpour: steps between two reads of a worker (default 1)"),
    (
        "delay", None, "T",
        "delayed: of every update (default: one less than the workers, with --mpi than the "
        "gradients under way)",
    ),
)  # fmt: skip


def add(group: Any) -> None:
    """Add the arguments to their group."""
    for name, default, metavar, said in NUMBERS:
        group.add_argument(f"--{name}", type=int, default=default, metavar=metavar, help=said)


def check(args: argparse.Namespace) -> None:
    """Refuse what the method cannot have."""
    pushes_and_fetches(args.method, args.n_push, args.n_fetch)
    delay_or(None, args.method, args.delay)


def options(args: argparse.Namespace) -> dict[str, Any]:
    """Return what the front doors are given."""
    return {"n_push": args.n_push, "n_fetch": args.n_fetch, "delay": args.delay}


def by_construction(args: argparse.Namespace, under_way: int) -> tuple[int, int | None, str] | None:
    """Return T, the delay to enforce and a sentence for methods whose delays are known."""
    if args.method not in ORDERED:
        return None
    T = under_way - 1 if args.delay is None else args.delay
    T = 0 if args.method == "sync" else T
    # What is asked for in vain is refused by the front door.
    asked = args.max_delay if isinstance(args.max_delay, int) else None
    return T, asked, f"T = {T} by construction"
