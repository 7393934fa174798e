"""``asysg plan``: what the theory prescribes."""

from __future__ import annotations

import argparse
from typing import Any

from .. import theory
from ..errors import InvalidArgument
from . import _text, _times

FORMS = ("paper", "plus", "constant_delay", "sharp", "uniform", "robust")


def add(commands: Any) -> None:
    """Add the command to the parser."""
    command = commands.add_parser(
        "plan",
        help="what the theory prescribes for given constants",
        description="Print steplength, least number of updates, staleness limit, bound and rate "
        "of both algorithms for given constants. No data, no run.",
    )
    constants = command.add_argument_group("constants of the problem")
    constants.add_argument(
        "--gap", type=float, required=True, metavar="G", help="f(start) minus a lower bound of f"
    )
    constants.add_argument(
        "--L", type=float, required=True, metavar="L", help="Lipschitz constant of the gradient"
    )
    constants.add_argument(
        "--sigma",
        type=float,
        required=True,
        metavar="S",
        help="standard deviation of the stochastic gradient",
    )
    constants.add_argument("--n", type=int, default=1, metavar="N", help="coordinates (default 1)")
    constants.add_argument(
        "--L-max", type=float, metavar="L", help="the same along one coordinate (default: L)"
    )
    constants.add_argument(
        "--L-T", type=float, metavar="L", help="the same for moves of T coordinates (default: L)"
    )
    how = command.add_argument_group("how it will be run")
    how.add_argument(
        "--workers", type=int, metavar="P", help="workers (default: those of --seconds, or 1)"
    )
    how.add_argument(
        "--max-delay", type=int, metavar="T", help="bound on the delays (default: workers - 1)"
    )
    how.add_argument(
        "--batch-size", type=int, default=1, metavar="M", help="samples per update (default 1)"
    )
    how.add_argument(
        "--updates", type=int, metavar="K",
        help="updates, all workers together (default: the least for which the corollary holds)",
    )  # fmt: skip
    how.add_argument(
        "--form", choices=FORMS, default="plus", help="form of the theorem (default plus)"
    )
    clock = command.add_argument_group("how fast the workers are (adds a simulated estimate)")
    clock.add_argument(
        "--compute", type=float, metavar="S", help="mean seconds of computing one update"
    )
    clock.add_argument(
        "--spread", type=float, default=0.0, metavar="S",
        help="standard deviation of the logarithm of these seconds (default 0)",
    )  # fmt: skip
    for phase, said in (
        ("read", "of reading x"), ("send", "of sending"), ("server", "the server is busy with one"),
    ):  # fmt: skip
        clock.add_argument(
            f"--{phase}", type=float, default=0.0, metavar="S", help=f"seconds {said} (default 0)"
        )
    _times.add(command)
    _text.add_json(command)
    command.set_defaults(command=show)


def prescription(
    algorithm: str, c: theory.ProblemConstants, *, K: int | None, M: int, T: int, form: str
) -> dict[str, Any]:
    """Return what one algorithm's theory says, by name.

    Parameters
    ----------
    algorithm : {"con", "incon"}
    c : ProblemConstants
    K : int or None
        Updates; the least for which the corollary holds if None.
    M, T : int
        Samples per update, bound on the delays.
    form : str
        See `asysg.theory`.

    Returns
    -------
    dict
        `K_min` is None where no number of updates is enough (no noise).

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges, and for K None where there is no `K_min`.
    """
    side = theory.incon if algorithm == "incon" else theory.con
    try:
        K_min: int | None = side.K_min(c, M=M, T=T, form=form)
    except InvalidArgument:
        # Bad arguments are refused again below; what is left is "no K is enough".
        if K is None:
            raise
        K_min = None
    K = K_min if K is None else K
    assert K is not None
    p = side.prescribe(c, K=K, M=M, T=T, form=form)
    gamma_opt = side.gamma_opt(c, K=K, M=M, T=T, form=form)
    T_max = side.T_max(c, K=K, M=M, form=form)
    return {
        "updates": K,
        "K_min": K_min,
        "gamma": p.gamma,
        "bound": p.bound,
        "rate": side.rate(c, K=K, M=M, form=form),
        "gamma_max": side.gamma_max(c, M=M, T=T, form=form),
        "gamma_opt": gamma_opt,
        "bound_opt": side.bound(gamma_opt, c, K=K, M=M, T=T, form=form),
        "T_max": T_max,
        "workers_max": side.workers_max(c, K=K, M=M, form=form),
        "holds": p.certificate.holds,
        "fails": [h.name for h in p.certificate.hypotheses if not h.holds],
        "certificate": p.certificate.to_dict(),
    }


def estimate(args: argparse.Namespace, updates: dict[str, int]) -> dict[str, dict[str, Any]]:
    """Return what the virtual clock says of both algorithms' updates, by algorithm."""
    from ..simulate import forecast, speeds

    workers = speeds.lognormal(
        args.spread, args.compute, read=args.read, send=args.send, server=args.server
    )
    found = {}
    for algorithm, K in updates.items():
        f = forecast(args.workers, K, workers, max_delay=args.max_delay)
        found[algorithm] = {
            "speeds": str(workers),
            "seconds": f.seconds,
            "updates_per_second": f.updates_per_second,
            "delay_max": f.staleness.max,
            "delay_mean": f.staleness.mean,
            "recomputed": f.n_recomputed,
            "updates_simulated": f.simulated,
        }
    return found


ROWS = {
    "updates": "updates K",
    "K_min": "least K for this staleness",
    "gamma": "steplength prescribed",
    "bound": "bound at it",
    "rate": "the corollary's rate",
    "gamma_max": "largest admissible steplength",
    "gamma_opt": "steplength of the smallest bound",
    "bound_opt": "bound at that",
    "T_max": "staleness limit at K",
    "workers_max": "workers with linear speedup at K",
}


def show(args: argparse.Namespace) -> int:
    """Print the prescriptions of both algorithms."""
    if args.compute is None:
        _text.left_out(args, {"spread": 0.0, "read": 0.0, "send": 0.0}, "without --compute")
        if args.seconds is None:
            _text.left_out(args, {"server": 0.0}, "without --compute and --seconds")
    if args.workers is None:
        args.workers = len(args.seconds or [1.0])
    elif args.seconds is not None and len(args.seconds) != args.workers:
        raise InvalidArgument(
            f"seconds must be one number for each of {args.workers} workers, "
            f"got {len(args.seconds)}."
        )
    if args.workers < 1:
        raise InvalidArgument(f"workers must be an integer >= 1, got {args.workers}.")
    c = theory.ProblemConstants(
        gap=args.gap, sigma=args.sigma, L=args.L, n=args.n, L_max=args.L_max, L_T=args.L_T
    )
    predicted = _times.times(c, args)
    T = args.workers - 1 if args.max_delay is None else args.max_delay
    both = {
        algorithm: prescription(
            algorithm, c, K=args.updates, M=args.batch_size, T=T, form=args.form
        )
        for algorithm in ("con", "incon")
    }
    simulated = None
    if args.compute is not None:
        simulated = estimate(args, {a: both[a]["updates"] for a in ("con", "incon")})
    if args.json:
        print(
            _text.to_json(
                {
                    **({"simulated": simulated} if simulated is not None else {}),
                    **({"predicted": predicted} if predicted is not None else {}),
                    "constants": c.to_dict(),
                    "form": args.form,
                    "workers": args.workers,
                    "batch_size": args.batch_size,
                    "max_delay": T,
                    **both,
                }
            )
        )
        return 0
    why = (
        "workers - 1: each worker delivers once while another computes"
        if args.max_delay is None
        else "as given"
    )
    print(
        _text.pairs(
            [
                (
                    "constants",
                    f"gap {c.gap:.6g}, sigma {c.sigma:.6g}, L {c.L:.6g}, L_max {c.L_max:.6g}, "
                    f"L_T {c.L_T:.6g}, n {c.n}",
                ),
                ("workers", f"{args.workers}, {args.batch_size} samples per update"),
                ("staleness", f"T = {T} ({why})"),
                ("form", args.form),
            ]
        )
    )
    print()
    columns: list[tuple[str, ...]] = [("", "AsySG-con", "AsySG-incon")]
    for name, label in ROWS.items():
        columns.append((label, *(_text.limit(both[a][name]) for a in ("con", "incon"))))
    columns.append(
        ("the theorem and its corollary",
         *("apply" if both[a]["holds"] else "do not apply" for a in ("con", "incon")))
    )  # fmt: skip
    print(_text.table(columns))
    for algorithm, name in (("con", "AsySG-con"), ("incon", "AsySG-incon")):
        if not both[algorithm]["holds"]:
            print(f"\n{name}: {'; '.join(both[algorithm]['fails'])} does not hold.")
    if simulated is not None:
        print(f"\nSIMULATED workers, {simulated['con']['speeds']}:\n")
        told = {
            "seconds": "virtual seconds for these updates",
            "updates_per_second": "updates per second",
            "delay_max": "largest delay",
            "delay_mean": "mean delay",
        }
        print(
            _text.table(
                [
                    (label, *(_text.number(simulated[a][name]) for a in ("con", "incon")))
                    for name, label in told.items()
                ]
            )
        )
        worst = max(found["delay_max"] for found in simulated.values())
        if worst > T:
            print(
                f"\nWith these speeds delays reach {worst}, beyond T = {T}: plan with --max-delay, "
                "which is then enforced."
            )
    if predicted is not None:
        _times.show(predicted)
    print("\nThe steplength multiplies the sum over the samples of an update.")
    return 0
