"""``asysg info``: what this installation is."""

from __future__ import annotations

import argparse
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from . import _text

# Specification dates, as compilers define them, and the versions people know.
OPENMP = {
    0: "none",
    201107: "3.1",
    201307: "4.0",
    201511: "4.5",
    201811: "5.0",
    202011: "5.1",
    202111: "5.2",
    202411: "6.0",
}
OPTIONAL = ("mpi4py", "torch", "scikit-learn", "pandas")


def add(commands: Any) -> None:
    """Add the command to the parser."""
    command = commands.add_parser(
        "info",
        help="versions, OpenMP, cores, what the build is",
        description="Print versions, OpenMP, cores, and what the build is.",
    )
    _text.add_json(command)
    command.set_defaults(command=show)


def facts() -> dict[str, Any]:
    """Return what there is to know, by name."""
    import joblib

    from .._core.build import compiler
    from .._core.openmp import openmp_version, thread_limit

    date, limit = openmp_version(), thread_limit()
    return {
        "asysg": version("asysg"),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "numpy": version("numpy"),
        "scipy": version("scipy"),
        "compiler": compiler(),
        "openmp": OPENMP.get(date, "unknown"),
        "openmp_date": date,
        # The runtime's own limit is the largest int unless OMP_THREAD_LIMIT is set.
        "thread_limit": limit if limit < 2**31 - 1 else None,
        "cores_usable": int(joblib.cpu_count()),
        "cores_present": os.cpu_count(),
        "platform": platform.platform(),
        "optional": {name: _installed(name) for name in OPTIONAL},
    }


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def show(args: argparse.Namespace) -> int:
    """Print the facts."""
    known = facts()
    if args.json:
        print(_text.to_json(known))
        return 0
    parallel = known["openmp_date"] > 0
    limit = known["thread_limit"]
    rows = [
        ("asysg", known["asysg"]),
        ("Python", known["python"]),
        ("NumPy", known["numpy"]),
        ("SciPy", known["scipy"]),
        ("compiler", known["compiler"]),
        (
            "OpenMP",
            f"{known['openmp']} (specification of {known['openmp_date']})"
            if parallel
            else "none: this build runs one thread only; build again with ASYSG_OPENMP=require",
        ),
        ("threads", "no limit set" if limit is None else f"at most {limit}"),
        ("cores", f"{known['cores_usable']} usable of {known['cores_present']} present"),
        ("platform", known["platform"]),
        *((name, found or "not installed (optional)") for name, found in known["optional"].items()),
    ]
    print(_text.pairs(rows))
    return 0
