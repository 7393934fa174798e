"""``python -m tests.faults``, from the repository's root: the kill table, or the false alarms."""

from __future__ import annotations

import argparse
from pathlib import Path

from . import alarms, page, table


def main() -> int:
    """Run one or the other, say what was found, and return 1 if anything is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="of every test that draws (20)")
    parser.add_argument("--only", nargs="*", default=[], help="faults whose names contain one")
    parser.add_argument("--every", action="store_true", help="ask every test about every fault")
    parser.add_argument("--json", type=Path, help="keep what is found here, and go on from there")
    parser.add_argument("--rst", type=Path, help="write the table as a page of the documentation")
    parser.add_argument("--false-alarms", type=int, metavar="N", help="instead: N seeds, no fault")
    given = parser.parse_args()
    if given.false_alarms:
        text, fine = alarms.summary(alarms.run(given.false_alarms, given.json))
    else:
        faults = table.chosen(given.only)
        outcomes = table.run(faults, given.seeds, given.json, every=given.every)
        text, fine = table.summary(faults, outcomes)
        if given.rst is not None:
            known = {} if given.json is None else alarms.read(given.json)
            given.rst.write_text(page.page(outcomes, list(known.values())))
    print(text)
    return 0 if fine else 1


if __name__ == "__main__":
    raise SystemExit(main())
