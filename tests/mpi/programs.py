"""What the tests run under mpiexec: ``programs.py NAME JSON``; rank 0 prints a line of JSON."""

import json
import os
import sys
import time

import numpy as np
from mpi4py import MPI

import asysg
from asysg import objectives
from asysg.mpi import _iterate, _presence, _worker

RANK, SIZE = MPI.COMM_WORLD.rank, MPI.COMM_WORLD.size


def say(**what):
    """Print from one rank, in one piece."""
    os.write(1, (json.dumps(what) + "\n").encode())


def integers(n):
    """f ~ 0 with noise +-1 in every entry: increments are integers, their sums exact."""
    return objectives.Quadratic(1e-300 * np.eye(n), sigma=np.sqrt(n), noise="rademacher")


def sigmoid(n, seed=0):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(4 * n, n)) / np.sqrt(n)
    return objectives.SigmoidRegression(A, (A[:, 0] > 0).astype(float))


def facts(result):
    """Say of a result what the tests look at."""
    log = result.log
    replayed = None
    if log is not None and result.status not in ("diverged", "failed"):
        replayed = asysg.simulate.replay(result).exact
    return {
        "status": result.status,
        "message": result.message,
        "nit": result.nit,
        "x": [float(v).hex() for v in result.x],
        "fun": result.fun,
        "T": result.staleness.max,
        "counted": int(result.staleness.histogram.sum()),
        "recomputed": result.n_recomputed,
        "workers": result.n_threads_used,
        "cluster": result.cluster,
        "holds": result.certificate.holds,
        "gamma": result.certificate.to_dict()["gamma"],
        "explained": result.certificate.explain(),
        "form": result.certificate.form,
        "draws": None if log is None else sorted(log["draw"].tolist()),
        "delays": None if log is None else (np.arange(len(log)) - log["start"]).tolist(),
        "by_worker": None if log is None else np.bincount(log["worker"]).tolist(),
        "replayed": replayed,
    }


def run(objective, n, **arguments):
    """Run once on all ranks."""
    obj = {"integers": integers, "sigmoid": sigmoid}[objective](n)
    steps = arguments.get("steplength")
    if isinstance(steps, list):
        arguments["steplength"] = np.array(steps)
    elif isinstance(steps, dict):
        arguments["steplength"] = asysg.steplengths.delay_adaptive(**steps)
    result = asysg.mpi.minimize(obj, np.zeros(n), **arguments)
    assert (result is None) == (RANK > 0)
    return {} if result is None else facts(result)


def several(runs):
    """Do several runs, one after the other; the same communicator serves them all."""
    for arguments in runs:
        found = run(**arguments)
        if RANK == 0:
            say(**found)


def raising(rank, after, kind, **arguments):
    """Let one rank raise while it computes a gradient; every rank says what it caught."""
    seen, compute = 0, _worker.Gradients.sum

    class Breaking(_worker.Gradients):
        def sum(self, *given):
            nonlocal seen
            seen += 1
            if RANK == rank and seen > after:
                raise {"ValueError": ValueError, "SystemExit": SystemExit}[kind]("boom " * 50_000)
            return compute(self, *given)

    _worker.Gradients = Breaking
    try:
        run(**arguments)
    except BaseException as error:
        said = str(error)[:200]
        say(rank=RANK, caught=type(error).__name__, said=said, traced="in sum" in str(error))
        MPI.COMM_WORLD.Barrier()  # everyone has left the run


def callback(**arguments):
    """Let rank 0 raise in the callback."""
    try:
        run(**arguments, callback=lambda _: 1 // 0)
    except Exception as error:
        say(rank=RANK, caught=type(error).__name__, said=str(error))


def failing(rank, after, answer, **arguments):
    """Let the objective report a failure on one rank."""
    seen, compute = 0, _worker.Gradients.sum

    class Failing(_worker.Gradients):
        def sum(self, *given):
            nonlocal seen
            seen += 1
            return answer if RANK == rank and seen > after else compute(self, *given)

    _worker.Gradients = Failing
    several([arguments])


def different(calls):
    """Call with another argument on the last rank; every rank says what it was told."""
    last = SIZE - 1 == RANK
    for name, arguments in calls.items():
        values, n = arguments.pop(name), arguments["n"]
        try:
            if name == "data":
                del arguments["n"], arguments["objective"]
                asysg.mpi.minimize(sigmoid(n, seed=int(last)), np.zeros(n), **arguments)
            else:
                run(**arguments, **{name: values[last]})
        except Exception as error:
            say(rank=RANK, name=name, caught=type(error).__name__, said=str(error))


def refused(calls):
    """Say what each of these calls raises."""
    for arguments in calls:
        try:
            run(**arguments)
            said = "nothing"
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
        if RANK == 0:
            say(said=said)


def sizes(**arguments):
    """Every rank says how long the vectors are that it applies gradients to, and how many."""
    apply, seen = _iterate.descend, []
    _iterate.descend = lambda x, *given: (seen.append(len(x)), apply(x, *given))
    run(**arguments)
    say(rank=RANK, applied=seen)


def caught_by_others(rank, **arguments):
    """Let the objective raise on one rank, which ends; the others catch it and wait for it."""
    _presence.LINGER, compute = 0.5, _worker.Gradients.sum

    class Breaking(_worker.Gradients):
        def sum(self, *given):
            if RANK == rank:
                raise ValueError("boom")
            return compute(self, *given)

    _worker.Gradients = Breaking
    try:
        run(**arguments)
    except asysg.ObjectiveError:
        MPI.COMM_WORLD.Barrier()


def early(rank, kind, first_run, **arguments):
    """Let one rank end before the others' first or second run."""
    if first_run:
        run(**arguments)
    if RANK == rank:
        if kind == "exit":
            sys.exit(0)
        raise {"ValueError": ValueError, "KeyboardInterrupt": KeyboardInterrupt}[kind]("boom")
    run(**arguments)


def endless(pace=0.0, **arguments):
    """Run until something happens; rank 0 says when the run has begun, everyone who it is."""
    say(rank=RANK, pid=os.getpid())
    compute = _worker.Gradients.sum

    class Slow(_worker.Gradients):
        def sum(self, *given):
            time.sleep(pace)
            return compute(self, *given)

    _worker.Gradients = Slow

    def begun(state):
        if 0 < state.nit:
            say(begun=state.nit)

    found = run(**arguments, callback=begun)
    if RANK == 0:
        say(**found)


if __name__ == "__main__":
    globals()[sys.argv[1]](**json.loads(sys.argv[2]))
