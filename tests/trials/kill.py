"""SIGKILL at random moments, again and again, until a run completes from its checkpoint."""

import itertools
import os
import pickle
import signal
import tempfile
import time
import traceback
from pathlib import Path

import numpy as np

import asysg
from asysg._checkpoint import Checkpoint
from asysg._core.threads import LOG

from .problems import METHODS, SMALL, replayable, sigmoid

K = 20_000
#: So many recorded iterates, and as many checkpoints: much of the time goes into writing them.
N_RECORDS = 60
#: A run is killed up to so many times before it may end.
MOST_KILLS = 3


def job(case: dict, checkpoint: Path | None) -> dict:
    """Run or go on; return what is to be compared."""
    result = asysg.minimize(
        sigmoid(SMALL),
        np.zeros(SMALL),
        steplength=0.1,
        n_updates=K,
        n_records=N_RECORDS,
        checkpoint=checkpoint,
        checkpoint_every=0,
        **case,
    )
    return {
        "x": result.x,
        "k": result.trace.k,
        "f": result.trace.f,
        "grad_norm_sq": result.trace.grad_norm_sq,
        "weight": result.trace.weight,
        "histogram": result.staleness.histogram,
        "mean delay": result.staleness.mean,
        "largest delay": result.staleness.max,
        "time": result.time,
        "wrong": wrong(result, case),
    }


def wrong(result: asysg.Result, case: dict) -> list[str]:
    """Say what is not as it should be in a completed result."""
    hypotheses = {h.name: h.holds for h in result.certificate.hypotheses}
    found = {
        f"status {result.status}": result.success,
        f"nit {result.nit}": result.nit == K,
        "threads": result.n_threads_used == case["n_threads"],
        "histogram": int(result.staleness.histogram.sum()) == K,
        "the certificate's T": result.certificate.T == result.staleness.max,
        "hypotheses": hypotheses["all updates done"] and hypotheses["delays bounded by T"],
        "times": bool((np.diff(result.trace.time) >= 0).all())
        and result.time >= result.trace.time[-1],
        "fun": result.fun == result.trace.f[-1],
    }
    if result.log is not None:
        draws = np.sort(result.log["draw"])
        found["draws"] = np.array_equal(draws, np.arange(K))
        if replayable(case["method"], case["n_threads"], case["record"]):
            try:
                asysg.simulate.replay(result)
            except ValueError as error:
                found[f"replay: {error}"] = False
    return [name for name, good in found.items() if not good]


def start(case: dict, checkpoint: Path | None, out: Path) -> int:
    """Do the job in a forked child that leaves its answer in `out`; return its process id."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            out.write_bytes(pickle.dumps(job(case, checkpoint)))
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return pid


def ended(pid: int, out: Path) -> dict:
    """Wait for the child and return its answer."""
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code:
        return {"wrong": [f"exit code {code}"]}
    return pickle.loads(out.read_bytes())


def inspect(path: Path, case: dict, before: int) -> tuple[int, list[str]]:
    """Return the clock of what a killed run has left, and what is wrong with it."""
    stored = Checkpoint(path, 0).read()  # raises if it cannot be read
    if stored is None:
        return 0, ["checkpoint vanished"] if before else []
    clock = stored[1].clock
    found = {
        f"clock {clock} after {before}": before <= clock <= K,
        "histogram": int(stored[1].histogram.sum()) == clock,
        "x not finite": bool(np.isfinite(stored[2]).all()),
    }
    if case["record"] == "full":
        size = Checkpoint(path, 0).log_path.stat().st_size
        found["log shorter than the clock"] = size >= clock * LOG.itemsize
    return clock, [name for name, good in found.items() if not good]


def cycle(case: dict, whole: dict, folder: Path, rng: np.random.Generator) -> dict:
    """Kill a run a few times, then let it end; return what was wrong and what was met."""
    path, out = folder / "run", folder / "answer"
    found = {"kills": 0, "amid": 0, "wrong": [], "begun": 0}
    clock = 0
    for _ in range(rng.integers(1, MOST_KILLS + 1)):
        pid = start(case, path, out)
        time.sleep(rng.uniform(0, whole["seconds"]))
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        if not os.WIFSIGNALED(status):
            break  # it ended before
        found["kills"] += 1
        found["amid"] += any(folder.glob("*.tmp"))
        clock, bad = inspect(path, case, clock)
        found["begun"] += clock > 0
        found["wrong"] += bad
    answer = ended(start(case, path, out), out)
    found["wrong"] += answer["wrong"]
    if case["n_threads"] == 1 and not answer["wrong"]:
        for name in ("x", "k", "f", "grad_norm_sq", "weight", "histogram", "mean delay"):
            if not np.array_equal(answer[name], whole[name]):
                found["wrong"].append(f"{name} differs from the uninterrupted run's")
    expected = {"run", "answer"} | ({"run.log"} if case["record"] == "full" else set())
    left = {file.name for file in folder.iterdir()} - expected
    if left:
        found["wrong"].append(f"left over: {sorted(left)}")
    return found


def trials(n_trials: int, seed: int) -> dict:
    """Return how many cycles ended as they should; a cycle without a kill does not count."""
    rng = np.random.default_rng(seed)
    cases = [
        {"method": method, "n_threads": p, "record": record, "rng": 7}
        for record, p, method in itertools.product(("sampled", "full"), (1, 2), METHODS)
    ]
    failures, kills, amid, begun, counted = [], 0, 0, 0, 0
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        wholes = []
        for number, case in enumerate(cases):
            folder = root / f"whole{number}"
            folder.mkdir()
            begin = time.monotonic()
            whole = ended(start(case, folder / "run", folder / "answer"), folder / "answer")
            wholes.append({**whole, "seconds": time.monotonic() - begin})
            failures += [f"uninterrupted, {case}: {wrong}" for wrong in whole["wrong"]]
        attempt = 0
        while counted < n_trials:
            number = counted % len(cases)
            folder = root / str(attempt)
            folder.mkdir()
            attempt += 1
            found = cycle(cases[number], wholes[number], folder, rng)
            failures += [f"cycle {counted}, {cases[number]}: {wrong}" for wrong in found["wrong"]]
            counted += found["kills"] > 0
            kills, amid = kills + found["kills"], amid + found["amid"]
            begun += found["begun"]
    return {
        "trials": n_trials,
        "successes": n_trials - len({failure.split(",")[0] for failure in failures}),
        "failures": failures,
        "kills": kills,
        "kills with a checkpoint to go on from": begun,
        "kills amid writing a file": amid,
    }
