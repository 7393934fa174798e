"""The command line ``asysg``: one module a command, or two.

Exit codes: 0 done, 1 the run failed or a bound was violated, 2 bad input (one line on stderr
says what and where), 130 interrupted. With ``--json`` one document is on stdout and nothing else;
progress and complaints are on stderr always. Each module here has ``add(commands)`` and for each
command the function that runs it, which returns the exit code.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from ..errors import (
    CertificateError,
    DivergenceError,
    InvalidArgument,
    MissingPackage,
    ObjectiveError,
)
from . import cifar, compare, diagnose, info, phase, plan, reproduce, run, speedup, verify

__all__ = ["main"]

DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


def parser() -> argparse.ArgumentParser:
    """Build the parser of all commands."""
    top = argparse.ArgumentParser(
        prog="asysg",
        description="Asynchronous parallel stochastic gradient: fast, measured and certified.",
        epilog="exit codes: 0 done, 1 failed run or violated bound, 2 bad input, 130 interrupted",
    )
    top.add_argument("--version", action="version", version=f"asysg {version('asysg')}")
    commands = top.add_subparsers(
        metavar="COMMAND",
        required=True,
        title="commands",
        description="`asysg COMMAND --help` says more. Work: run, diagnose, plan. Study: compare, "
        "speedup, calibrate, cifar, phase, reproduce. Check: verify, info.",
    )
    studies = (compare, speedup, cifar, phase, reproduce)
    for command in (run, diagnose, plan, *studies, verify, info):
        command.add(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        The words after ``asysg``; those of the process by default.

    Returns
    -------
    int
        0, 1, 2 or 130 as above. Nothing is raised for bad input.

    Examples
    --------
    >>> from asysg.cli import main
    >>> main(["plan", "--gap", "-1", "--L", "4", "--sigma", "1.5"])  # and one line on stderr
    2
    """
    try:
        args = parser().parse_args(argv)
    except SystemExit as stop:  # argparse has printed the help or the error
        return stop.code if isinstance(stop.code, int) else BAD_INPUT
    try:
        code: int = args.command(args)
        sys.stdout.flush()
        return code
    except (InvalidArgument, CertificateError, MissingPackage) as error:
        return complain(error, BAD_INPUT)
    except (DivergenceError, ObjectiveError) as error:
        return complain(error, FAILED)
    except MemoryError:
        return complain("not enough memory for this problem.", FAILED)
    except KeyboardInterrupt:
        return complain("interrupted before there was anything to save.", INTERRUPTED)
    except BrokenPipeError:
        # The reader (head, less) has left: what is still in the buffer must not raise at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:  # a full disk, a file that went away
        return complain(error, FAILED)


def complain(reason: object, code: int) -> int:
    """Print one line on stderr and return the exit code."""
    print("asysg: " + " ".join(str(reason).split()), file=sys.stderr)
    return code
