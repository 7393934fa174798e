"""What ``asysg run`` leaves behind: its files, and the document it prints."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._check import to_be_written

if TYPE_CHECKING:
    from ..result import Result
    from .run import Setup


def stem(file: str) -> str:
    """Return the name of a data file without its folder and suffixes."""
    name = Path(file).name
    for suffix in (".gz", ".bz2", ".xz", ".npz", ".csv", ".tsv", ".svm", ".svmlight", ".libsvm"):
        name = name.removesuffix(suffix)
    return name or "data"


def reserve(folder: Path, name: str) -> dict[str, Path]:
    """Make the folder and find names in it that are free: no earlier result is overwritten."""
    with to_be_written("out", "folder", folder):
        folder.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            base = name if number == 1 else f"{name}-{number}"
            path = folder / f"{base}.json"
            try:
                path.touch(exist_ok=False)
            except FileExistsError:
                number += 1
                continue
            path.unlink()
            break
    return {"json": path, "png": folder / f"{base}.png", "log": folder / f"{base}-log.npy"}


def save(result: Result, files: dict[str, Path]) -> None:
    """Write the result (JSON), its picture (PNG) and, if there is one, the log of updates."""
    result.to_json(files["json"])
    result.plot().savefig(files["png"], dpi=120)
    if result.log is not None:
        np.save(files["log"], result.log, allow_pickle=False)


def document(
    args: argparse.Namespace,
    about: list[tuple[str, str]],
    setup: Setup,
    result: Result,
    files: dict[str, Path],
) -> dict[str, Any]:
    """Return what was said, for programs; x is in the saved file alone."""
    short = {name: value for name, value in result.to_dict().items() if name != "x"}
    return {
        "file": str(args.file),
        "objective": args.objective,
        "notes": dict([*about, *setup.said]),
        "constants": setup.constants.to_dict(),
        "prescription": setup.prescription,
        "result": short,
        "files": {name: str(path) for name, path in files.items() if path.exists()},
    }
