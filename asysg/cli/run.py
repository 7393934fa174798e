"""``asysg run FILE``: minimise an objective on a user's data, and certify the run."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import _adaptive, _proximal, _single, theory
from .._check import choice
from .._monitor import Monitor
from .._plan import algorithm_of
from ..errors import InvalidArgument
from . import _problem, _ranks, _saved, _served, _text
from .plan import FORMS, prescription

if TYPE_CHECKING:
    from ..objectives import Objective
    from ..result import Result

METHODS = (
    "asysg-incon", "asysg-con", "hogwild", "asyscd", "sgd", "sync", "delayed", "downpour",
)  # fmt: skip
RECORD: dict[str, str | bool] = {"sampled": "sampled", "full": "full", "off": False}
#: Without --updates and --epochs: so many epochs, and not fewer updates than this.
EPOCHS, LEAST_UPDATES = 20, 100_000
#: The staleness enforced by default is this many updates a thread: rarely met by threads that
#: all run, and a bound on what one that was paused may add.
DELAY_PER_THREAD = 4
PILOT = 20_000
ADAPTIVE = "delay-adaptive"


def add(commands: Any) -> None:
    """Add the command to the parser."""
    command = commands.add_parser(
        "run",
        help="minimise an objective on your data and certify the run",
        description="Read a svmlight/libsvm, .npz or CSV file, print what the theory prescribes, "
        "run, print the certificate, and save the result (JSON and PNG).",
        epilog="Ctrl-C stops the run and keeps what was reached (exit code 130).",
    )
    command.add_argument("file", metavar="FILE", help="data; svmlight and CSV may be compressed")
    _problem.add_data(command)
    what = command.add_argument_group("what to run")
    _problem.add_objective(what)
    what.add_argument(
        "--method", choices=METHODS, help="method (default asysg-incon, with --mpi asysg-con)"
    )  # fmt: skip
    _served.add(what)
    _ranks.add(what)
    what.add_argument(
        "--threads", type=int, metavar="P", help="workers (default: the usable cores)"
    )
    what.add_argument(
        "--batch-size", type=int, default=1, metavar="M", help="samples per update (default 1)"
    )
    length = what.add_mutually_exclusive_group()
    length.add_argument("--updates", type=int, metavar="K", help="updates, all workers together")
    length.add_argument(
        "--epochs", type=float, metavar="E",
        help="updates in passes over the data: K = E samples/M, with asyscd over the features: "
        f"K = E features (default: {EPOCHS}, and, but for asyscd, at least {LEAST_UPDATES:,} "
        "updates)",
    )  # fmt: skip
    what.add_argument(
        "--max-delay", type=_delay, default="auto", metavar="T",
        help="enforce this staleness; 'none' only measures it (default: "
        f"{DELAY_PER_THREAD} for each update under way, of which a thread has 1, an MPI worker "
        "--in-flight, and with downpour n-fetch/n-push times as many; none where only 1 is under "
        "way, and for sync, delayed, delay-adaptive steplengths and --record off)",
    )  # fmt: skip
    what.add_argument(
        "--steplength", type=_steplength, default="prescribed", metavar="GAMMA",
        help="prescribed (default), optimal, delay-adaptive (asysg-con, sgd), or a number; it "
        "multiplies the sum over the batch",
    )  # fmt: skip
    _problem.add_prox(what)
    what.add_argument(
        "--dtype", choices=_single.DTYPES, default="float64",
        help="what x is computed in (default float64); float32 on dense data with asysg-con or sgd",
    )  # fmt: skip
    what.add_argument(
        "--form", choices=FORMS, default="plus", help="form of the theorem (default plus)"
    )
    _text.add_seed(what)
    keep = command.add_argument_group("what to keep")
    keep.add_argument(
        "--record", choices=tuple(RECORD), default="sampled",
        help="delays of all updates and some iterates (sampled, default), besides every update "
        "(full), or neither (off)",
    )  # fmt: skip
    keep.add_argument(
        "--checkpoint", type=Path, metavar="PATH", help="keep the state here; go on if it exists"
    )
    keep.add_argument(
        "--monitor", type=Path, metavar="PATH",
        help="append a line of JSON to this file at every recorded iterate: look on with tail -f",
    )  # fmt: skip
    keep.add_argument(
        "--out", type=Path, default=Path("asysg-run"), metavar="FOLDER",
        help="folder of the results (default asysg-run)",
    )  # fmt: skip
    _text.add_json(keep)
    keep.add_argument("--no-progress", action="store_true", help="no progress bar")
    command.set_defaults(command=run)


def _delay(word: str) -> int | str:
    return word if word in ("none", "auto") else int(word)


def _steplength(word: str) -> float | str:
    return word if word in ("prescribed", "optimal", ADAPTIVE) else float(word)


@dataclass(frozen=True)
class Setup:
    """What is decided before the run: its arguments, and what to say of them."""

    arguments: dict[str, Any]
    constants: theory.ProblemConstants
    prescription: dict[str, Any]
    said: list[tuple[str, str]]


def run(args: argparse.Namespace) -> int:
    """Read, prescribe, run, certify, save."""
    if not args.mpi:
        return led(args, *prepared(args))
    try:
        ready = _ranks.together(lambda: prepared(args))
        if _ranks.world().rank == 0:
            return led(args, *ready)
        _, setup, objective, _ = ready
        started(args, setup, objective)
    except _ranks.Elsewhere:
        return 2
    except BaseException as error:
        _ranks.end_if_alone(error)
        if _ranks.world().rank == 0:
            raise
        return 1  # rank 0 says why
    return 0


Prepared = tuple[list[tuple[str, str]], "Setup", "Objective", dict[str, Path]]


def prepared(args: argparse.Namespace) -> Prepared:
    """Read and prescribe; on every rank, if there are several."""
    check(args)
    read = _problem.read(args)
    objective, about = read.objective, read.about
    start = _problem.inside(read.start, args)
    setup = prepare(args, objective, start)
    serves = not args.mpi or _ranks.world().rank == 0
    name = f"{_saved.stem(args.file)}-{args.objective}-{args.method}"
    return about, setup, objective, _saved.reserve(args.out, name) if serves else {}


def started(args: argparse.Namespace, setup: Setup, objective: Objective) -> Result | None:
    """Run, on threads or on ranks."""
    from .. import minimize, mpi

    where: Any = minimize
    more = _served.options(args)
    if args.mpi:
        where, more = mpi.minimize, {**more, **_ranks.options(args)}
    result: Result | None = where(
        objective,
        **setup.arguments,
        **more,
        form=args.form,
        record=RECORD[args.record],
        callback=args.monitor,
        checkpoint=args.checkpoint,
        progress=not (args.no_progress or args.json) and sys.stderr.isatty(),
        rng=args.seed,
    )
    return result


def led(
    args: argparse.Namespace,
    about: list[tuple[str, str]],
    setup: Setup,
    objective: Objective,
    files: dict[str, Path],
) -> int:
    """Run, say what came out, and save it."""
    if not args.json:
        describe(about, setup)
    result = started(args, setup, objective)
    assert result is not None  # rank 0 gets it
    _saved.save(result, files)
    if args.json:
        print(_text.to_json(_saved.document(args, about, setup, result, files)))
    else:
        report(result, files)
    return exit_code(result)


def check(args: argparse.Namespace) -> None:
    """Refuse what cannot be before a large file is read, and choose the method."""
    if args.method is None:
        con = args.mpi or args.steplength == ADAPTIVE or args.dtype == "float32"
        args.method = "asysg-con" if con else "asysg-incon"
    allowed = _ranks.METHODS if args.mpi else METHODS
    if args.method not in allowed:
        raise InvalidArgument(
            f"method must be one of {', '.join(allowed)} {'with' if args.mpi else 'without'} "
            f"--mpi, got {args.method}."
        )
    _ranks.check(args)
    _served.check(args)
    if args.dtype == "float32" and (args.mpi or args.method not in _single.METHODS):
        raise _single.refused("with --mpi" if args.mpi else f"for method {args.method!r}")
    if _problem.proximal(args) is not None:
        choice("method", args.method, _proximal.METHODS, remedy="Only these have proximal steps.")
    if args.steplength == ADAPTIVE:
        choice(
            "method", args.method, _adaptive.COVERED,
            remedy="No theorem here says how large the steplengths of others may be.",
        )  # fmt: skip
    for name, least in (("batch_size", 1), ("updates", 1), ("max_delay", 0), ("seed", 0)):
        value = getattr(args, name)
        if isinstance(value, int) and value < least:
            raise InvalidArgument(f"{name} must be an integer >= {least}, got {value}.")
    if args.method == "asyscd" and args.batch_size != 1:
        raise InvalidArgument(
            f"batch_size must be 1 with --method asyscd, got {args.batch_size}. Its derivatives "
            "are those of the mean over all samples."
        )
    if args.epochs is not None and not 0 < args.epochs < float("inf"):
        raise InvalidArgument(f"epochs must be a finite number > 0, got {args.epochs}.")
    if args.monitor is not None:
        args.monitor = Monitor(args.monitor)


def exit_code(result: Result) -> int:
    """Tell how the run ended."""
    if result.status == "interrupted":
        return 130
    return 0 if result.success and result.certificate.verdict != "violated" else 1


def prepare(args: argparse.Namespace, objective: Objective, start: _problem.Start) -> Setup:
    """Choose workers, updates, staleness and steplength, and note why."""
    import joblib

    from .._minimize import threads

    descent = args.method == "asyscd"
    if descent:  # no noise, hence no sigma to estimate
        start = replace(start, sigma=None, note=start.note.partition(";")[0])
        objective = objective.exact
    said = [("objective", f"{objective!r}, {start.note}")]
    M, K, prox = args.batch_size, args.updates, _problem.proximal(args)
    if prox is not None:
        said.append(("proximal term", f"{prox}; the bounds below are of f alone"))
    if args.mpi:
        p, what, more = _ranks.workers(args), "worker", ""
    else:
        p, what = threads(args.threads, args.method), "thread"
        cores = int(joblib.cpu_count())
        more = f"; more than the {cores} usable cores" if p > cores else ""
    said.append(("method", f"{args.method}, {p} {what}{'s' * (p > 1)}{more}, batch size {M}"))
    if args.dtype == "float32":
        said.append(("precision", "x in float32: no bound below covers its rounding"))
    epoch = objective.n if descent else objective.n_samples or 1
    if K is None:
        epochs = EPOCHS if args.epochs is None else args.epochs
        K = max(1, round(epochs * epoch / M))
        if args.epochs is None and not descent:
            K = max(K, LEAST_UPDATES)
    said.append(("updates", f"K = {K:,}, {K * M / epoch:.4g} epochs"))

    word = args.steplength
    T, enforced, why = staleness(args, objective, start, p, M, K)
    said.append(("staleness", why))
    constants = start.constants(objective, T)
    algorithm = algorithm_of(args.method)
    plan = prescription(algorithm, constants, K=K, M=M, T=T, form=args.form)
    if word == ADAPTIVE:
        how = {"K": K, "P": p * args.in_flight, "M": M}
        plan = {
            "gamma": theory.baselines.delay_adaptive_gamma(constants, **how),
            "bound": theory.baselines.delay_adaptive_rate(constants, **how),
        }
        said.append(("steplength", f"at most {plan['gamma']:.6g}, shorter for late gradients"))
    elif word == "prescribed" and plan["holds"]:
        said.append(("steplength", f"{plan['gamma']:.6g}, as prescribed"))
    elif word == "prescribed":
        word = "optimal"
        said.append(("steplength", _instead(plan, K, T)))
    elif word == "optimal":
        said.append(("steplength", f"{plan['gamma_opt']:.6g}, of the smallest bound"))
    else:
        said.append(("steplength", f"{word:.6g}, as given (prescribed: {plan['gamma']:.6g})"))
    gamma = {"prescribed": plan["gamma"], "optimal": plan.get("gamma_opt")}.get(word, word)
    return Setup(
        arguments={
            "x0": start.x,
            "method": args.method,
            # A run that may be resumed asks by name: the checkpoint knows the number.
            "steplength": word if args.checkpoint is not None else gamma,
            "batch_size": M,
            "n_updates": K,
            **({} if args.mpi else {"n_threads": p, "prox": prox, "dtype": args.dtype}),
            "max_delay": enforced,
            "constants": start.constants(objective, T) if start.estimated else None,
        },
        constants=constants,
        prescription=plan,
        said=said,
    )


def _instead(plan: dict[str, Any], K: int, T: int) -> str:
    """Say why the prescribed steplength is not used, and what is."""
    least = plan["K_min"]
    needs = "no number of updates is enough" if least is None else f"K >= {least:,} is needed"
    return (
        f"{plan['gamma_opt']:.6g}, the admissible one with the smallest bound, INSTEAD of the "
        f"prescribed {plan['gamma']:.6g}, whose corollary does not cover K = {K:,} updates at "
        f"T = {T} ({needs})"
    )


def staleness(
    args: argparse.Namespace, objective: Objective, start: _problem.Start, p: int, M: int, K: int
) -> tuple[int, int | None, str]:
    """Return the T to prescribe for, the one to enforce (None: none), and a sentence."""
    threads = p
    p *= args.in_flight * (args.n_fetch // args.n_push)  # updates under way at once
    if (known := _served.by_construction(args, p)) is not None:
        return known
    if args.steplength == ADAPTIVE and not isinstance(args.max_delay, int):
        return 0, None, "to be measured (a steplength that adapts needs no T)"
    if isinstance(args.max_delay, int):
        return args.max_delay, args.max_delay, f"T = {args.max_delay}, enforced"
    if p == 1:
        return 0, None, "T = 0 (one thread)"
    if args.record == "off":
        if isinstance(args.steplength, str):
            raise InvalidArgument(
                f"record must not be off with a steplength by name, got {args.steplength!r}. "
                "Without the clock no delay is known; give a number."
            )
        return 0, None, "not measured (record off)"
    if args.max_delay == "auto":
        T = DELAY_PER_THREAD * p
        each = "a thread" if p == threads and not args.mpi else "an update under way"
        return T, T, f"T = {T}, enforced ({DELAY_PER_THREAD} for {each}; --max-delay none measures)"

    if args.mpi:
        return p - 1, None, "to be measured (the prescription is for one less than are under way)"

    from .. import minimize

    # At steplength 0 the pilot reads, computes and writes as the run will, and x stays.
    pilot = minimize(
        objective, start.x, method=args.method, steplength=0.0, batch_size=M,
        n_updates=min(K, PILOT), n_threads=threads, n_records=1, rng=args.seed,
        constants=start.constants(objective, 0), prox=_problem.proximal(args), dtype=args.dtype,
        **_served.options(args),
    )  # fmt: skip
    if pilot.status == "interrupted":
        raise KeyboardInterrupt
    T = int(pilot.staleness.max or 0)
    return T, None, f"T = {T}, measured by a pilot of {pilot.nit:,} updates; not enforced"


def describe(about: list[tuple[str, str]], setup: Setup) -> None:
    """Print data, constants and prescription."""
    c, plan = setup.constants, setup.prescription
    known = "ESTIMATED" if c.estimated else "proven"
    print(_text.pairs([*about, *setup.said]))
    print(f"\nConstants ({known})")
    print(
        _text.table(
            [
                ("gap", "sigma", "L", "L_max", "L_T", "n"),
                tuple(map(_text.number, (c.gap, c.sigma, c.L, c.L_max, c.L_T, c.n))),
            ]
        )
    )
    print("\nPrescription")
    rows = [(label, _text.limit(plan[name])) for name, label in ROWS.items() if name in plan]
    print(_text.table(rows), flush=True)


ROWS = {
    "K_min": "least number of updates K",
    "T_max": "staleness limit at this K",
    "gamma": "steplength prescribed",
    "bound": "bound on the ergodic gradient norm at it",
    "gamma_opt": "steplength of the smallest bound",
    "bound_opt": "bound at that",
    "gamma_max": "largest admissible steplength",
}


def report(result: Result, files: dict[str, Path]) -> None:
    """Print how the run ended, the certificate, and where things are."""
    seen = result.staleness
    delay = "not recorded"
    if seen.max is not None:
        delay = f"largest {seen.max}, mean {seen.mean:.3g}"
    rate = result.nit / result.time if result.time > 0 else 0.0
    first = f"{result.trace.f[0]:.6g} -> " if result.trace.f.size else ""
    print("\nResult")
    print(
        _text.pairs(
            [
                ("run", result.message),
                ("updates", f"{result.nit:,} of {result.n_updates:,} in {result.time:.3g} s "
                            f"({rate:.3g} a second), {result.n_recomputed:,} recomputed"),
                ("delays", delay),
                ("f + h" if result.prox else "f", f"{first}{result.fun:.6g}"),
                ("ergodic norm", _text.number(result.trace.ergodic)),
            ]
        )
    )  # fmt: skip
    print("\nCertificate")
    print(_text.wrap(result.certificate.explain(), "  "))
    print("\nSaved")
    print("\n".join(f"  {path}" for path in files.values() if path.exists()))
