"""``python -m tests.sanitizers thread|address|stress``, from the repository's root."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from . import checks


def main() -> int:
    """Run one kind of check, say what was seen, and return 1 if anything failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.sanitizers", description=checks.__doc__)
    parser.add_argument("kind", choices=("thread", "address", "stress"))
    parser.add_argument("--updates", type=float, default=1e7, help="of stress (default: 1e7)")
    given = parser.parse_args()
    begin, failed = time.perf_counter(), 0
    with tempfile.TemporaryDirectory(prefix="asysg-") as name:
        folder = Path(name)
        if given.kind == "stress":
            verdicts = checks.stress(folder, updates=int(given.updates))
        else:
            verdicts = {"thread": checks.thread, "address": checks.address}[given.kind](folder)
        for verdict in verdicts:
            print(f"[{time.perf_counter() - begin:.0f} s] {verdict}", flush=True)
            failed += not verdict.holds
    return int(failed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
