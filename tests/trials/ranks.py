"""Ranks that are killed, stopped, interrupted, raise or exit, at random moments; then resumed.

Each trial starts a job on 2 to 5 ranks, lets something happen to one of them at a moment between
its start and its end, waits for the job to end, and starts it again from its checkpoint, with
another number of ranks. Moments before the run, while ranks still import, are among them; but a
rank (other than rank 0) is stopped only once the run is on, where ``patience`` holds, and exits
without an exception only once the ranks have met.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from asysg.figures._on_ranks import mpiexec

#: How a rank ends. The last three happen in the script, inside the objective or outside of it.
KINDS = ("kill", "stop", "interrupt", "raise", "exit", "vanish")
K = 600
#: Seconds of a gradient: runs last long enough for something to happen to them.
PACE = 0.002
#: Seconds a worker may be silent, and a job may take to end after what happened to it.
PATIENCE, LIMIT = 1.0, 2.0
#: Seconds after which a job hangs.
HANGS = 60.0
N = 10

PROGRAM = """
import json, os, sys, time
import asysg.mpi, numpy as np
from mpi4py import MPI
from asysg.mpi import _worker
from tests.trials.problems import sigmoid
case = json.loads(sys.argv[1])
rank = MPI.COMM_WORLD.rank
def say(**what): os.write(1, (json.dumps(what) + "\\n").encode())  # in one piece
say(rank=rank, pid=os.getpid())
me, first = rank == case["victim"], case["n_servers"]
compute, begun = _worker.Gradients.sum, time.monotonic()
def end():
    say(ended=time.monotonic())
    if case["kind"] == "raise": raise ValueError("boom")
    if case["kind"] == "exit": sys.exit(case["code"])
    os._exit(3)
class Slow(_worker.Gradients):
    def sum(self, *given):
        time.sleep(case["pace"])
        if me and case["kind"] in ("raise", "exit", "vanish") and case["inside"]:
            if time.monotonic() > begun + case["after"]: end()
        return compute(self, *given)
_worker.Gradients = Slow
def look(state):
    if state.nit == 0: say(begun=True)
    if me and case["kind"] in ("raise", "exit", "vanish") and case["inside"]:
        if time.monotonic() > begun + case["after"]: end()
if case["kind"] == "exit" and not case["inside"]:
    asysg.mpi.minimize(
        sigmoid(case["n"]), np.zeros(case["n"]), steplength=0.1, n_updates=20, n_records=1, rng=1)
if me and case["kind"] in ("raise", "exit", "vanish") and not case["inside"]:
    time.sleep(case["after"]); end()
result = asysg.mpi.minimize(
    sigmoid(case["n"]), np.zeros(case["n"]), method=case["method"], steplength=0.1, rng=7,
    n_updates=case["K"], n_records=case["K"], record="full", batch_size=4, callback=look,
    checkpoint=case["checkpoint"], checkpoint_every=case["every"], patience=case["patience"],
    n_servers=case["n_servers"], **case["more"])
if result is not None:
    say(returned=True)
    say(
        status=result.status, nit=result.nit,
        draws=bool((np.sort(result.log["draw"]) == np.arange(result.nit)).all()),
        replayed=asysg.simulate.replay(result).exact,
        kept=bool(result.staleness.max <= case["more"].get("max_delay", 10**9)),
        holds={h.name: h.holds for h in result.certificate.hypotheses}["delays bounded by T"],
        now=sum(result.cluster["updates"]))
"""

METHODS = (
    ("asysg-con", {}),
    ("asysg-con", {"max_delay": 2}),
    ("asysg-con", {"max_delay": 2, "late": "wait", "in_flight": 2}),
    ("sync", {}),
    ("downpour", {"n_fetch": 2, "n_push": 1}),
)


class Job:
    """The program on so many ranks."""

    def __init__(self, ranks: int, case: dict, folder: Path) -> None:
        self.out, self.err = folder / "out", folder / "err"
        words = [mpiexec(), "-n", str(ranks), sys.executable, "-c", PROGRAM, json.dumps(case)]
        with self.out.open("w") as out, self.err.open("w") as err:
            self.process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True,
                cwd=Path(__file__).parents[2], env={**os.environ, "OMP_NUM_THREADS": "1"},
            )  # fmt: skip

    def lines(self) -> list[dict]:
        """Return what was said, line by line."""
        whole = self.out.read_text().rpartition("\n")[0].splitlines()
        return [json.loads(line) for line in whole if line.startswith("{")]

    def last(self, key: str) -> dict | None:
        """Return the last line that says something of this."""
        return next((line for line in reversed(self.lines()) if key in line), None)

    def wait(self, seconds: float) -> int | None:
        """Return the exit code; None, and no process left, if it hangs."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            return None


def pid_of(job: Job, rank: int) -> int | None:
    """Wait until a rank has said who it is; None if the job ended before."""
    begin = time.monotonic()
    while job.process.poll() is None and time.monotonic() < begin + HANGS:
        for line in job.lines():
            if line.get("rank") == rank:
                return int(line["pid"])
        time.sleep(0.005)
    return None


def alive(pid: int) -> bool:
    """Tell whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def happens(job: Job, case: dict) -> float | None:
    """Let it happen; return when, None if the job was over before."""
    pid = pid_of(job, case["victim"])
    if case["kind"] in ("raise", "exit", "vanish"):
        begin = time.monotonic()
        while job.process.poll() is None and job.last("ended") is None:
            if time.monotonic() > begin + HANGS:
                return begin
            time.sleep(0.005)
        said = job.last("ended")
        return None if said is None else float(said["ended"])
    while case["kind"] == "stop" and job.process.poll() is None and job.last("begun") is None:
        time.sleep(0.005)
    time.sleep(case["after"])
    if pid is None or job.process.poll() is not None or job.last("status") is not None:
        return None
    try:
        if case["kind"] == "interrupt":
            job.process.send_signal(signal.SIGINT)
        else:
            os.kill(pid, signal.SIGKILL if case["kind"] == "kill" else signal.SIGSTOP)
    except ProcessLookupError:
        return None
    return time.monotonic()


def trial(case: dict, ranks: int, again: int, folder: Path) -> dict:
    """Do one; return what was wrong, how long the end took, and how far it had come."""
    job = Job(ranks, case, folder)
    found: dict = {"wrong": [], "seconds": None, "before": 0, "message": True}
    since = happens(job, case)
    code = job.wait(HANGS)
    if since is None:
        return {**found, "wrong": [] if code == 0 else [f"exit code {code} without a cause"]}
    found["seconds"] = time.monotonic() - since
    limit = LIMIT + (PATIENCE if case["kind"] == "stop" else 0.0)
    said = job.err.read_text()
    if code is None:
        found["wrong"].append(f"hung: {said[-500:]}")
    elif found["seconds"] > limit:
        found["wrong"].append(f"ended after {found['seconds']:.2f} s")
    done = job.last("status")
    if case["kind"] == "interrupt":
        if done is not None and done["status"] not in ("interrupted", "completed"):
            found["wrong"].append(f"status {done['status']}")
        # What comes after the call is the script's to lose.
        if job.last("returned") is None and job.last("begun") is not None:
            found["wrong"].append("no partial result")
        if done is None and code == 0:
            found["wrong"].append("exit code 0 without a result")
    elif code == 0:
        found["wrong"].append("exit code 0")
    time.sleep(0.2)  # a launcher kills and does not wait
    left = [line["pid"] for line in job.lines() if "pid" in line and alive(line["pid"])]
    if left:
        found["wrong"].append(f"processes left: {left}")
        for pid in left:
            os.kill(pid, signal.SIGKILL)
    stored = stored_clock(Path(case["checkpoint"]))
    found["before"] = stored
    # Again, with other ranks and nothing in the way.
    rest = Job(again, {**case, "kind": "nothing", "pace": 0.0, "n_servers": 1}, folder)
    code, done = rest.wait(HANGS), rest.last("status")
    if code != 0 or done is None:
        found["wrong"].append(f"resumed: exit code {code}: {rest.err.read_text()[-500:]}")
    else:
        good = {
            f"resumed: {done['status']}": done["status"] == "completed",
            f"resumed: nit {done['nit']}": done["nit"] == K,
            "resumed: draws": done["draws"],
            "resumed: replay": done["replayed"],
            "resumed: T": done["kept"] and done["holds"] in (True, None),
            f"resumed: {done['now']} updates after {stored}": done["now"] == K - stored
            or case["method"] == "sync",
        }
        found["wrong"] += [name for name, fine in good.items() if not fine]
    return found


def stored_clock(path: Path) -> int:
    """Return the updates in a checkpoint."""
    from asysg._checkpoint import Checkpoint

    stored = Checkpoint(path, 0).read()
    return 0 if stored is None else int(stored[1].clock)


def trials(n_trials: int, seed: int) -> dict:
    """Return how many ended as they should, and how long the ends took."""
    rng = np.random.default_rng(seed)
    failures, seconds, begun, over = [], [], 0, 0
    by_kind = dict.fromkeys(KINDS, 0)
    with tempfile.TemporaryDirectory() as name:
        counted, attempt = 0, 0
        while counted < n_trials:
            folder = Path(name, str(attempt))
            folder.mkdir()
            attempt += 1
            kind = KINDS[counted % len(KINDS)]
            method, more = METHODS[int(rng.integers(len(METHODS)))]
            n_servers = int(rng.integers(1, 3))
            ranks = int(rng.integers(n_servers + 1, 6))
            case = {
                "kind": kind, "method": method, "more": more, "n_servers": n_servers,
                "victim": int(rng.integers(kind == "stop", ranks)),
                "inside": bool(rng.random() < 0.7), "after": float(rng.uniform(0, 1.2)),
                "code": int(rng.integers(0, 2)), "K": K, "n": N, "pace": PACE,
                "checkpoint": str(folder / "state.npz"), "every": 0.0, "patience": PATIENCE,
            }  # fmt: skip
            if kind in ("raise", "exit", "vanish") and 0 < case["victim"] < n_servers:
                case["inside"] = False  # that one computes nothing
            found = trial(case, ranks, int(rng.integers(2, 5)), folder)
            if found["seconds"] is None and not found["wrong"]:
                over += 1  # it ended before: this one does not count
                continue
            what = {k: case[k] for k in ("kind", "method", "more", "n_servers", "victim", "inside")}
            failures += [f"trial {counted}, {what}, {ranks} ranks: {w}" for w in found["wrong"]]
            if found["seconds"] is not None:
                seconds.append(found["seconds"] - (PATIENCE if kind == "stop" else 0.0))
            begun += found["before"] > 0
            by_kind[kind] += 1
            counted += 1
            shutil.rmtree(folder)
    p50, p99 = np.quantile(seconds, (0.5, 0.99)).tolist() if seconds else (np.nan, np.nan)
    return {
        "trials": n_trials,
        "successes": n_trials - len({failure.split(",")[0] for failure in failures}),
        "failures": failures,
        "by kind": by_kind,
        "seconds to the end, p50": p50,
        "seconds to the end, p99": p99,
        "seconds to the end, longest": max(seconds, default=float("nan")),
        "with a checkpoint to go on from": begun,
        "over before it happened": over,
    }
