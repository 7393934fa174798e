"""``mpiexec -n P asysg run FILE --mpi``: what changes where ranks take the place of threads."""

from __future__ import annotations

import argparse
import traceback
from collections.abc import Callable
from typing import Any, TypeVar

from ..errors import InvalidArgument

T = TypeVar("T")

METHODS = ("asysg-con", "sync", "delayed", "downpour")
#: What is passed on as it is: argument, default, metavar, help.
NUMBERS = (
    ("servers", 1, "S", "ranks that hold a slice of x each (default 1)"),
    ("in-flight", 1, "N", "gradients of one worker under way at once (default 1)"),
)


class Elsewhere(Exception):
    """The run has failed, and rank 0 says why."""


def add(group: Any) -> None:
    """Add the arguments to their group."""
    group.add_argument(
        "--mpi", action="store_true",
        help="work on the ranks of mpiexec -n P asysg run ... --mpi: rank 0 serves, the others "
        "work",
    )  # fmt: skip
    group.add_argument(
        "--late", choices=("recompute", "wait"), default="recompute",
        help="with --mpi: how --max-delay is kept (default recompute)",
    )  # fmt: skip
    for name, default, metavar, said in NUMBERS:
        group.add_argument(
            f"--{name}", type=int, default=default, metavar=metavar, help=f"with --mpi: {said}"
        )


def options(args: argparse.Namespace) -> dict[str, Any]:
    """Return what `asysg.mpi.minimize` is given besides."""
    return {
        "late": args.late,
        "n_servers": args.servers,
        "in_flight": args.in_flight,
    }


def workers(args: argparse.Namespace) -> int:
    """Return how many ranks work."""
    size: int = world().size
    return max(1, size - int(args.servers))


def check(args: argparse.Namespace) -> None:
    """Refuse what does not go together."""
    if args.mpi and args.threads is not None:
        raise InvalidArgument(f"threads must be left out with --mpi, got {args.threads}.")
    if args.mpi and args.record == "off":
        raise InvalidArgument("record must be sampled or full with --mpi, got off.")
    if args.late == "wait" and not args.mpi:
        raise InvalidArgument("late must be recompute without --mpi, got wait.")
    for name, default, *_ in NUMBERS:
        value = getattr(args, name.replace("-", "_"))
        if value != default and not args.mpi:
            raise InvalidArgument(f"{name} must be {default} without --mpi, got {value}.")
    for name, *_ in NUMBERS:
        if (value := getattr(args, name.replace("-", "_"))) < 1:
            raise InvalidArgument(f"{name} must be an integer >= 1, got {value}.")
    if args.mpi and not 1 <= args.servers <= max(1, world().size - 1):
        raise InvalidArgument(
            f"servers must leave ranks to work, of {world().size}, got {args.servers}."
        )
    needs_T = args.steplength in ("prescribed", "optimal")
    if args.mpi and args.max_delay == "none" and needs_T:
        raise InvalidArgument(
            "max_delay must be a number or auto with --mpi and a steplength by name, got none."
        )


def world() -> Any:
    """Return the communicator of all ranks."""
    from ..mpi import _minimize

    return _minimize.mpi().COMM_WORLD


def together(prepare: Callable[[], T]) -> T:
    """Do the same on every rank; if it fails on one, raise on all.

    Raises
    ------
    Exception
        On rank 0: its own, or one that names the rank.
    Elsewhere
        On the others.
    """
    from ..mpi import _presence

    comm = world()
    error: Exception | None = None
    try:
        done = prepare()
    except Exception as raised:
        error = raised
    failed = [r for r in enumerate(comm.allgather(None if error is None else str(error))) if r[1]]
    if not failed and error is None:
        return done
    if comm.rank:
        raise Elsewhere
    rank, text = failed[0]
    raise _presence.everywhere(error or InvalidArgument(f"rank {rank} could not start. {text}"))


def end_if_alone(error: BaseException) -> None:
    """End the job if this rank alone has raised, since the others wait for it."""
    from ..mpi import _presence

    if world().size > 1 and not _presence.is_everywhere(error):
        traceback.print_exception(error)
        _presence.abort(f"rank {world().rank} has ended by {type(error).__name__}", 1)
