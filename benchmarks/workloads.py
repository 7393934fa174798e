"""The workloads, and this package doing them.

==========  ======================================================================================
W1          sparse sigmoid least squares, one sample's support per update ("hogwild"):
            100 000 samples, 20 000 coordinates, 30 nonzeros a row, float64, CSR
W1c         the same by AsySG-incon: one uniform coordinate per update
W2          dense sigmoid least squares, the whole vector per update: 10 000 samples, n = 1000
W3-M        fully connected 400-100-50-20-10 tanh network (46 380 parameters) under the softmax
            loss, minibatches of M = 1, 10, 100, the whole vector per update
con-n       rounds of AsySG-con: read a consistent x, compute, apply a whole-vector update. The
            gradient is x - c, one pass, so that reading and applying are what is measured
sim-T       simulated AsySG-incon on W1c with 2000 samples, which the caches hold, delays uniform on
            0..T; sim-timed: 1000 workers with service times. `simulator` has both sizes
target-     seconds to a given squared norm of the gradient, see `target`
==========  ======================================================================================

Sigmoid least squares is ``objectives.SigmoidRegression``: (s(a'x) - y)^2, labels 0 and 1.
"""

from __future__ import annotations

import inspect
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import scipy.sparse

import asysg
from asysg import InvalidArgument, objectives, simulate
from asysg.objectives import synthetic
from asysg.theory import ProblemConstants

from .measure import Absent, Contestant, Reading

Contestants = Iterator[Contestant | Absent]

#: Steplengths of the timed runs: small enough that nothing diverges, and the same for everyone.
#: Units of samples, so that for minibatches it is divided by M.
STEP = {"W1": 0.1, "W1c": 0.1, "W2": 0.1, "W3": 0.01, "con": 0.01, "sim": 0.1}
#: What the package is called where it works on ranks.
RANKS = "asysg ranks"
#: And where the objective is a user's, compiled by numba.
OWN = "asysg, own objective"
#: How the lock-free methods may write; what a version does not offer is reported as absent.
UPDATES = ("atomic", "lossy", "replica")
#: Updates that lose nothing: those the goals are about.
FAITHFUL = ("atomic", "replica")


@dataclass(frozen=True)
class Workload:
    """One line of the table."""

    name: str
    kind: str
    what: str
    unit: str
    size: Any = None


WORKLOADS = (
    Workload("W1", "W1", "sparse sigmoid least squares, a sample's support per update", "update"),
    Workload("W1c", "W1c", "the same, one uniform coordinate per update", "update"),
    Workload("W2", "W2", "dense sigmoid least squares, whole vector per update", "update"),
    *(
        Workload(f"W3-{M}", "W3", f"network of 46 380 parameters, minibatch {M}", "sample", M)
        for M in (1, 10, 100)
    ),
    *(
        Workload(f"con-{text}", "con", f"rounds of AsySG-con, n = {text}", "round", n)
        for text, n in (("1e3", 1000), ("1e5", 100_000), ("1e6", 1_000_000))
    ),
    *(
        Workload(f"sim-{T}", "sim", f"simulated AsySG-incon, delays up to {T}", "event", T)
        for T in (1, 10, 100, 1000, 10_000, 100_000)
    ),
    Workload("sim-timed", "sim", "simulated AsySG-incon, 1000 workers with times", "event"),
    Workload("target-W1", "target", "time to target: logistic regression on W1", "run", ("W1", 1)),
    Workload("target-W2", "target", "time to target: logistic regression on W2", "run", ("W2", 1)),
    Workload("target-W3-1", "target", "time to target: W3, minibatch 1", "run", ("W3", 1)),
    Workload("target-W3-10", "target", "time to target: W3, minibatch 10", "run", ("W3", 10)),
)


def chosen(only: list[str] | None) -> list[Workload]:
    """Return the workloads called so, or of the kinds called so; all of them for None."""
    names = {name for one in WORKLOADS for name in (one.name, one.kind)}
    wrong = sorted(set(only or ()) - names)
    if wrong:
        raise ValueError(f"workloads must be among {sorted(names)}, got {wrong}")
    return [one for one in WORKLOADS if only is None or {one.name, one.kind} & set(only)]


@dataclass(frozen=True)
class Data:
    """What all contestants of a workload are given."""

    objective: objectives.Objective
    x0: np.ndarray[Any, Any]
    A: Any = None
    y: Any = None
    layers: tuple[int, ...] = ()
    arrays: dict[str, Any] = field(default_factory=dict)


@cache
def data(kind: str, size: Any = None, quick: bool = False) -> Data:
    """Make the data of a workload, the same bits every time."""
    rng = np.random.default_rng(1506_08272)
    if kind in ("W1", "W1c", "sim"):
        N, n = (4000, 1000) if quick else (2000 if kind == "sim" else 100_000, 20_000)
        return _classes(synthetic.design(N, n, density=30 / n, rng=rng), rng)
    if kind == "W2":
        N, n = (500, 200) if quick else (10_000, 1000)
        return _classes(synthetic.design(N, n, rng=rng), rng)
    if kind == "W3":
        layers = (40, 20, 10) if quick else (400, 100, 50, 20, 10)
        inputs = rng.standard_normal((1000, layers[0]))
        labels = _labels(inputs, layers, rng)
        network = objectives.Network(inputs, labels, layers[1:-1], layers[-1])
        return Data(network, network.initial_point(rng=0), inputs, labels, layers)
    n = min(size, 2000) if quick else size
    centre = rng.standard_normal(n)
    return Data(
        objectives.Quadratic.isotropic(n, x_star=centre), np.zeros(n), arrays={"centre": centre}
    )


def _classes(A: Any, rng: np.random.Generator) -> Data:
    """Label rows by the side of a plane they lie on, 0 or 1; a tenth of the labels is wrong."""
    n_samples, n = A.shape
    y = (A @ rng.standard_normal(n) > 0) ^ (rng.random(n_samples) < 0.1)
    if scipy.sparse.issparse(A):  # what SciPy itself makes of matrices of this size, and peers ask
        A = scipy.sparse.csr_matrix(
            (A.data, A.indices.astype(np.int32), A.indptr.astype(np.int32)), shape=A.shape
        )
    labels = y.astype(np.float64)
    return Data(objectives.SigmoidRegression(A, labels), np.zeros(n), A, labels)


def _labels(inputs: Any, layers: tuple[int, ...], rng: np.random.Generator) -> Any:
    """Classify inputs as a hidden network of these layers does."""
    a = inputs
    for fan_in, fan_out in itertools.pairwise(layers):
        a = np.tanh(a @ rng.standard_normal((fan_in, fan_out)) / np.sqrt(fan_in))
    return a.argmax(axis=1)


def constants(n: int) -> ProblemConstants:
    """Return constants of any size: the true ones take long to find, and change no speed."""
    return ProblemConstants(gap=1.0, sigma=1.0, L=1.0, L_max=1.0, L_T=1.0, n=n, estimated=True)


def accepts(function: Any, name: str) -> bool:
    """Say whether a front door knows an option."""
    return name in inspect.signature(function).parameters


@cache
def offers(update: str) -> bool:
    """Say whether this version can write so."""
    toy = objectives.Quadratic.isotropic(2)
    try:
        asysg.minimize(
            toy,
            np.zeros(2),
            method="hogwild",
            steplength=0.1,
            n_updates=1,
            n_threads=1,
            update=update,
        )
    except InvalidArgument:
        return False
    return True


def ours(workload: Workload, p: int, quick: bool) -> Contestants:
    """Yield this package's ways to do a workload with p threads."""
    if workload.kind == "sim":
        if p == 1:
            yield _simulated(workload, quick)
        return
    if workload.kind == "con":
        for record in ("sampled", False):
            yield _threads(workload, p, quick, "asysg", record, {})
        yield _single(workload, p, quick)
        yield _ranks(workload, p, quick)
        return
    for update in UPDATES:
        name = f"asysg {update}"
        if not offers(update):
            yield Absent(name, f"this version has no update={update!r}")
            continue
        for record in ("sampled", False) if update in FAITHFUL else ("sampled",):
            options: dict[str, Any] = {"update": update}
            if workload.kind == "W1c" and accepts(asysg.minimize, "skip_ahead"):
                yield _threads(workload, p, quick, name, record, options | {"skip_ahead": True})
                options |= {"skip_ahead": False}
                yield _threads(workload, p, quick, f"{name}, naive", record, options)
            else:
                yield _threads(workload, p, quick, name, record, options)
    if workload.kind in ("W2", "W3"):
        yield _single(workload, p, quick)
    if workload.kind == "W1":
        yield _own(workload, p, quick)


METHODS = {"W1": "hogwild", "W1c": "asysg-incon", "W2": "hogwild", "W3": "hogwild"}


def _single(workload: Workload, p: int, quick: bool) -> Contestant | Absent:
    if not accepts(asysg.minimize, "dtype"):
        return Absent("asysg float32", "this version has no dtype=")
    options = {"dtype": "float32"}
    return _threads(workload, p, quick, "asysg float32", "sampled", options, "asysg-con")


def _threads(
    workload: Workload,
    p: int,
    quick: bool,
    name: str,
    record: str | bool,
    options: dict[str, Any],
    method: str | None = None,
    own: Data | None = None,
) -> Contestant | Absent:
    given = own or data(workload.kind, workload.size, quick)
    M = workload.size if workload.kind == "W3" else 1
    method = method or METHODS.get(workload.kind, "asysg-con")
    name = name if record == "sampled" else f"{name}, unrecorded"

    def run(count: int) -> Reading:
        result = asysg.minimize(
            given.objective,
            given.x0,
            method=method,
            steplength=STEP[workload.kind] / M,
            batch_size=M,
            n_updates=max(1, count // M),
            n_records=1,
            n_threads=p,
            record=record,
            constants=constants(given.objective.n),
            rng=0,
            **options,
        )
        if not (result.success and result.n_threads_used == p):
            raise RuntimeError(f"the run must go well, got\n{result}")
        return Reading(result.time, result.nit * M, result.fun)

    try:
        run(M)
    except InvalidArgument as refusal:  # a combination that makes no sense, or is not there yet
        return Absent(name, str(refusal))
    return Contestant(
        name,
        "ours",
        p,
        run,
        f"asysg.minimize(method={method!r}, record={record!r}{_text(options)})",
    )


def _own(workload: Workload, p: int, quick: bool) -> Contestant | Absent:
    """The same with the user's objective and the defaults of `asysg.minimize`."""
    try:
        from .own_objective import objective
    except ImportError as reason:
        return Absent(OWN, f"numba is not installed ({reason})")
    given = data(workload.kind, workload.size, quick)
    own = replace(given, objective=objective(given))
    return _threads(workload, p, quick, OWN, "sampled", {}, own=own)


def _ranks(workload: Workload, p: int, quick: bool) -> Contestant | Absent:
    try:
        from .peers.ranks import started
    except ImportError as reason:
        return Absent(RANKS, str(reason))
    computes = f"asysg.mpi.minimize(method='asysg-con'), {p} ranks and a server"
    return started(RANKS, "ours", "benchmarks.own_ranks", computes, workload, p, quick)


def _simulated(workload: Workload, quick: bool) -> Contestant | Absent:
    given = data("sim", quick=quick)
    options: dict[str, Any] = {}
    if workload.size is None:
        if not accepts(simulate.minimize, "n_workers"):
            return Absent("asysg.simulate", "this version has no timed workers (n_workers=)")
        options["n_workers"] = 1000
    else:
        options["delays"] = simulate.delays.uniform(workload.size)

    def run(count: int) -> Reading:
        begin = time.perf_counter()
        result = simulate.minimize(
            given.objective,
            given.x0,
            method="asysg-incon",
            steplength=STEP["sim"],
            n_updates=count,
            n_records=1,
            constants=constants(given.objective.n),
            rng=0,
            **options,
        )
        took = time.perf_counter() - begin
        # In a timed run `time` is that of the virtual workers.
        return Reading(took if workload.size is None else result.time, result.nit, result.fun)

    computes = "asysg.simulate.minimize" + (
        ", the whole call with two full gradients" if workload.size is None else ""
    )
    # A run is not shorter than its delays, or they would be shorter than they should be.
    first = max(1000, workload.size or 0) if not quick else 1000
    return Contestant("asysg.simulate", "ours", 1, run, computes, start=first)


def _text(options: dict[str, Any]) -> str:
    return "".join(f", {name}={value!r}" for name, value in options.items())
