"""SIGINT at a random moment of a run; how long until `minimize` returns, and with what."""

import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import asysg

from .problems import LARGE, METHODS, SMALL, replayable, sigmoid

ROOT = Path(__file__).parents[2]
#: One record in `EVERY` trials is a full one, replayed; one in `EVERY` goes with a checkpoint.
EVERY = 4


def trials(n_trials: int, seed: int) -> dict:
    """Return latencies in milliseconds, and what was wrong."""
    rng = np.random.default_rng(seed)
    kinds = itertools.cycle(itertools.product(METHODS, (1, 2), (SMALL, LARGE)))
    latencies, failures = [], []
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            [sys.executable, "-m", "tests.trials.ctrl_c"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as child,
    ):
        for trial in range(n_trials):
            method, p, n = next(kinds)
            turn = (trial // 12 + trial) % EVERY
            # Hogwild on two threads is replayed from its reads, which are for small n.
            reads = not replayable(method, p, "full")
            full = turn == 1 and not (reads and n == LARGE)
            record = ("full+reads" if reads else "full") if full else "sampled"
            case = {
                "method": method,
                "n_threads": p,
                "n": n,
                "record": record
                if turn == 1 and not (record != "full" and n == LARGE)
                else "sampled",
                "checkpoint": f"{folder}/{trial}" if turn == 2 else None,
                "rng": int(rng.integers(2**32)),
            }
            print(json.dumps(case), file=child.stdin, flush=True)
            child.stdout.readline()  # it runs
            # Records are replayed in Python, hence short.
            time.sleep(rng.uniform(0, 0.02 if full else 0.2))
            sent = time.clock_gettime(time.CLOCK_MONOTONIC)
            child.send_signal(signal.SIGINT)
            answer = json.loads(child.stdout.readline())
            latencies.append(1e3 * (answer["returned"] - sent))
            failures += [f"trial {trial}, {case}: {wrong}" for wrong in answer["wrong"]]
        child.stdin.close()
    p50, p99, most = np.quantile(latencies, (0.5, 0.99, 1))
    return {
        "trials": n_trials,
        "successes": n_trials - len({failure.split(",")[0] for failure in failures}),
        "failures": failures,
        "p50 (ms)": round(p50, 2),
        "p99 (ms)": round(p99, 2),
        "max (ms)": round(most, 2),
    }


def serve() -> None:
    """In the child: one run per line of stdin, until stdin ends."""
    out = os.fdopen(1, "w", buffering=1, closefd=False)
    problems = {n: sigmoid(n) for n in (SMALL, LARGE)}
    for line in sys.stdin:
        case = json.loads(line)
        obj = problems[case.pop("n")]
        result = asysg.minimize(
            obj,
            np.zeros(obj.n),
            steplength=1e-5,
            n_updates=10**12,
            n_records=1,
            checkpoint_every=0,
            callback=lambda _: print("running", file=out),
            **case,
        )
        returned = time.clock_gettime(time.CLOCK_MONOTONIC)
        print(json.dumps({"returned": returned, "wrong": wrong(result, case)}), file=out)


def wrong(result: asysg.Result, case: dict) -> list[str]:
    """Say what is not as it should be in a partial result."""
    found = {
        f"status {result.status}": result.status == "interrupted",
        "success": not result.success,
        f"nit {result.nit}": 0 <= result.nit < 10**12,
        "x not finite": bool(np.isfinite(result.x).all()),
        "x is not the start after updates": bool(result.nit == 0 or result.x.any()),
        "histogram": int(result.staleness.histogram.sum()) == result.nit,
        "fun": result.fun == result._plan.objective.value(result.x),
        "certificate holds": not result.certificate.holds,
    }
    if result.log is not None:
        found["length of the log"] = len(result.log) == result.nit
        try:
            asysg.simulate.replay(result)
        except ValueError as error:
            found[f"replay: {error}"] = False
    if case["checkpoint"] is not None:
        meta, _, x = asysg._checkpoint.Checkpoint(case["checkpoint"], 0).read()
        found["checkpoint"] = meta["clock"] == result.nit and bool((x == result.x).all())
    return [name for name, good in found.items() if not good]


if __name__ == "__main__":
    serve()
