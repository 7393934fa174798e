"""The command; see the package."""

import argparse
import json
import sys

from . import ctrl_c, fork, kill, ranks

KINDS = {
    "ctrl-c": (ctrl_c.trials, 200),
    "fork": (fork.trials, 100),
    "kill": (kill.trials, 200),
    "ranks": (ranks.trials, 200),
}

parser = argparse.ArgumentParser(prog="python -m tests.trials", description="See tests/trials.")
parser.add_argument("kind", choices=[*KINDS, "all"])
parser.add_argument("--trials", type=int, help="how many of each kind (200, 100, 200, 200)")
parser.add_argument("--seed", type=int, default=0, help="of the random moments")
parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
args = parser.parse_args()

report = {}
for kind in KINDS if args.kind == "all" else [args.kind]:
    trials, usual = KINDS[kind]
    report[kind] = trials(usual if args.trials is None else args.trials, args.seed)
if args.json:
    print(json.dumps(report))
else:
    for kind, found in report.items():
        print(f"{kind}: {found['successes']} of {found['trials']}")
        for name, value in found.items():
            if name not in ("trials", "successes"):
                print(f"  {name}: {value}")
sys.exit(any(found["failures"] for found in report.values()))
