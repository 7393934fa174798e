"""Children forked after and between parallel runs: do they finish a parallel run of their own?"""

import multiprocessing
import os
import threading
import time
import traceback
import warnings

import numpy as np

import asysg

from .problems import METHODS, SMALL, sigmoid

#: A child that has not finished after so many seconds hangs.
PATIENCE = 60.0


def parallel(method: str, p: int = 2, K: int = 20_000) -> asysg.Result:
    """Do the run of parent and child."""
    return asysg.minimize(
        sigmoid(SMALL), np.zeros(SMALL), method=method, steplength=0.1, n_updates=K, n_threads=p,
        n_records=2, rng=0,
    )  # fmt: skip


def right(method: str, serial: np.ndarray) -> bool:
    """Run in the child: all updates on two threads, and on one the bits of the parent."""
    result = parallel(method)
    return (
        result.success
        and result.n_threads_used == 2
        and int(result.staleness.histogram.sum()) == result.nit == result.n_updates
        and result.fun < 0.25  # that of the start
        and bool((parallel(method, 1).x == serial).all())
    )


def by_fork(work) -> int:
    """Return the exit code of a forked child; -9 if it hung."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if work() else 2
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(pid, 9)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def exit_unless(work) -> None:
    """Exit as a process of multiprocessing should."""
    raise SystemExit(0 if work() else 2)


def by_multiprocessing(work) -> int:
    """As `by_fork`, through multiprocessing's context "fork"."""
    process = multiprocessing.get_context("fork").Process(target=exit_unless, args=(work,))
    process.start()
    process.join(PATIENCE)
    if process.exitcode is None:
        process.kill()
        process.join()
    return process.exitcode


def twice(work) -> int:
    """Fork a child that runs, and then forks one that runs."""
    return by_fork(lambda: work() and by_fork(work) == 0)


def amid(work) -> int:
    """Fork while another thread of Python is in a parallel run."""
    running = threading.Event()
    stop = threading.Event()

    def look(_):
        running.set()
        if stop.is_set():
            raise StopIteration

    other = threading.Thread(
        target=asysg.minimize,
        args=(sigmoid(SMALL), np.zeros(SMALL)),
        kwargs={
            "steplength": 1e-5,
            "n_updates": 10**9,
            "n_records": 10**5,
            "n_threads": 2,
            "callback": look,
        },
    )
    other.start()
    running.wait()
    try:
        return by_fork(work)
    finally:
        stop.set()
        other.join()


WAYS = {
    "os.fork": by_fork,
    "multiprocessing": by_multiprocessing,
    "a child's child": twice,
    "during a run in another thread": amid,
}


def trials(n_trials: int, seed: int) -> dict:
    """Return how many children finished, by way of forking; `seed` orders the parent's runs."""
    # Newer Pythons warn of forking with threads about, which is what is tried.
    warnings.filterwarnings("ignore", message=".*fork.*", category=DeprecationWarning)
    rng = np.random.default_rng(seed)
    serial = {method: parallel(method, 1).x for method in METHODS}
    failures, seconds = [], []
    tried, finished = dict.fromkeys(WAYS, 0), dict.fromkeys(WAYS, 0)
    for trial in range(n_trials):
        method, way = METHODS[trial % 3], [*WAYS][trial % 4]
        for _ in range(rng.integers(3) if trial else 1):
            parallel(METHODS[rng.integers(3)])
        begin = time.monotonic()
        code = WAYS[way](lambda method=method: right(method, serial[method]))
        seconds.append(time.monotonic() - begin)
        tried[way] += 1
        finished[way] += code == 0
        if code:
            failures.append(f"trial {trial}, {method} by {way}: exit code {code}")
    return {
        "trials": n_trials,
        "successes": n_trials - len(failures),
        "failures": failures,
        **{way: f"{finished[way]} of {tried[way]}" for way in WAYS},
        "median seconds of a child": round(float(np.median(seconds)), 3),
        "most seconds of a child": round(max(seconds), 3),
    }
