"""``asysg speedup`` and ``asysg calibrate``: the poster's speedup tables on virtual workers."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InvalidArgument
from ..figures import _on_ranks
from ..figures._poster import LAYERS, TABLES
from . import _out, _text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..figures._poster import Poster
    from ..objectives import Network
    from ..result import Trace
    from ..simulate.speedups import Row, Study


COSTS = ("compute", "read", "update", "message")


def add(commands: Any) -> None:
    """Add both commands to the parser."""
    command = commands.add_parser(
        "speedup",
        help="simulated counterparts of the poster's speedup tables",
        description="Measure iteration and running-time speedup of virtual workers by the "
        "authors' definition, on a fully connected network, beside the poster's numbers. Times "
        "are those of a virtual clock, fed with costs measured here.",
        epilog="Ctrl-C stops without a table.",
    )
    command.add_argument(
        "--poster", choices=tuple(TABLES), default="table2",
        help="table1: AsySG-con, 1-8 workers that send messages; table2: AsySG-incon, 1-32 "
        "threads (default)",
    )  # fmt: skip
    command.add_argument(
        "--workers", type=integers, metavar="P,P,...", help="worker counts (default: the table's)"
    )
    command.add_argument("--updates", type=int, metavar="K", help="updates of each run")
    command.add_argument("--steplength", type=float, metavar="GAMMA", help="of each run")
    command.add_argument(
        "--replicates", type=int, default=5, metavar="R", help="runs of each count (default 5)"
    )
    command.add_argument(
        "--spread", type=float, default=0.1, metavar="S",
        help="assumed deviation of the logarithm of the times of computing (default 0.1)",
    )  # fmt: skip
    command.add_argument(
        "--costs", type=_costs, metavar="S,S,S,S",
        help="seconds of computing, reading, updating and one message, as `asysg calibrate` "
        "prints them; measured now by default",
    )  # fmt: skip
    command.add_argument(
        "--threads", action="store_true",
        help="also run 1 and 2 real threads, and report the disagreement",
    )  # fmt: skip
    command.add_argument(
        "--ranks", action="store_true",
        help="with table1: also run 1 and 2 workers on MPI ranks, and report the disagreement",
    )  # fmt: skip
    _out.add(command)
    _text.add_json(command)
    _shared(command)
    command.set_defaults(command=show)

    command = commands.add_parser(
        "calibrate",
        help="measure this machine's costs for the virtual clock",
        description="Measure what the gradient, the read, the update and a message of the "
        "network's size cost here.",
    )
    command.add_argument(
        "--poster", choices=tuple(TABLES), default="table2", help="whose workers (default table2)"
    )
    _text.add_json(command)
    _shared(command)
    command.set_defaults(command=calibrate)


def _shared(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--layers", type=integers, default=LAYERS, metavar="N,N,...",
        help="inputs, units of each layer, outputs (default 400,100,50,20,10)",
    )  # fmt: skip
    _text.add_seed(command, "data and runs")


def integers(text: str) -> tuple[int, ...]:
    """Read integers between commas."""
    return tuple(int(word) for word in text.split(","))


def _costs(text: str) -> tuple[float, ...]:
    found = tuple(float(word) for word in text.split(","))
    if len(found) != len(COSTS) or not all(np.isfinite(s) and s >= 0 for s in found):
        raise ValueError(text)
    return found


def _network(args: argparse.Namespace) -> tuple[Network, Any]:
    from ..objectives import Network

    if args.seed < 0:
        raise InvalidArgument(f"seed must be an integer >= 0, got {args.seed}.")
    obj = Network.planted(layers=args.layers, rng=args.seed)
    return obj, obj.initial_point(rng=args.seed)


def calibrate(args: argparse.Namespace) -> int:
    """Print this machine's costs."""
    from ..simulate.calibration import calibrate as measure

    table = TABLES[args.poster]
    obj, x0 = _network(args)
    found = measure(
        obj, x0, method=table.method, batch_size=table.batch_size, transport=table.transport
    )
    if args.json:
        print(_text.to_json({**asdict(found), "n": obj.n}))
        return 0
    print(f"{table.method}, {table.batch_size} samples per update, n = {obj.n}, seconds:\n")
    print(_text.table([(name, f"{getattr(found, name):.4g}") for name in COSTS]))
    print("\nasysg speedup --costs " + ",".join(f"{getattr(found, name):.6g}" for name in COSTS))
    return 0


def show(args: argparse.Namespace) -> int:
    """Run the study and print its table."""
    from ..simulate import speedups
    from ..simulate.calibration import Calibration
    from ..simulate.calibration import calibrate as measure

    table = TABLES[args.poster]
    workers = table.workers if args.workers is None else args.workers
    steplength = table.steplength if args.steplength is None else args.steplength
    updates = table.updates if args.updates is None else args.updates
    if args.ranks and args.poster != "table1":
        raise InvalidArgument(f"poster must be table1 for --ranks, got {args.poster}.")
    if (args.threads or args.ranks) and 2 not in workers:
        raise InvalidArgument(f"workers must include 2 for --threads and --ranks, got {workers}.")
    if args.ranks:
        _on_ranks.need("mpi4py")
    files = _out.files(args.out)
    obj, x0 = _network(args)
    options: dict[str, Any] = {
        "method": table.method,
        "batch_size": table.batch_size,
        "steplength": steplength,
        "n_updates": updates,
    }
    if args.costs is None:
        costs = measure(
            obj, x0, method=table.method, batch_size=table.batch_size, transport=table.transport
        )
    else:
        costs = Calibration(table.method, table.batch_size, table.transport, *args.costs)
    speeds = costs.speeds(args.spread)
    found = speedups.study(
        obj, x0, workers=workers, speeds=speeds, n_replicates=args.replicates, progress=True,
        rng=args.seed, **options,
    )  # fmt: skip
    real: list[dict[str, Any]] = []
    if args.threads:
        real += _beside("real threads", _threads(obj, x0, options, args.seed), found)
    if args.ranks:
        real += _beside("real ranks", _ranks(args, options), found)
    if files:
        head = {"costs": asdict(costs), "poster": args.poster, "layers": args.layers}
        _out.write(files, [head, *found.records, *real], _drawn(args, found))
    if args.json:
        about = {"poster": args.poster, "layers": args.layers, "seed": args.seed, **options}
        document = {**about, "costs": asdict(costs), "speeds": str(speeds), "simulated": True}
        print(
            _text.to_json(
                {**document, "rows": found.records, "beside": real, "files": list(map(str, files))}
            )
        )
        return 0
    print(
        f"{table.method} on a {'-'.join(map(str, args.layers))} network (n = {obj.n}), "
        f"{table.batch_size} samples per update,\n{updates} updates, steplength {steplength:g}, "
        f"{args.replicates} replicates; SIMULATED workers:\n{speeds}\n"
    )
    print(_text.table(_rows(found, table)))
    print("\nIn brackets: 95 % confidence of the mean over replicates.")
    print(_text.wrap(table.note))
    missed = [p for p in found.workers if found.interval(p).reached < args.replicates]
    if missed:
        print(f"Some runs never reached their target: of {', '.join(map(str, missed))} workers.")
    for name in ("real threads", "real ranks"):
        _print_beside(name, [record for record in real if name in record])
    if files:
        print(f"\nWritten: {', '.join(map(str, files))}")
    return 0


def _rows(found: Study, table: Poster) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        ("workers", "iteration speedup", "poster", "time speedup", "poster", "delay")
    ]
    for p in found.workers:
        cells = []
        for what, known in zip(
            ("iteration_speedup", "time_speedup"), table.poster.get(p, (None, None)), strict=True
        ):
            i = found.interval(p, what)
            cells += [f"{i.mean:.3g} [{i.low:.3g}, {i.high:.3g}]", f"{known:g}" if known else ""]
        delays = [r["staleness_mean"] for r in found.records if r["n_workers"] == p]
        rows.append((str(p), *cells, f"{np.mean(delays):.1f}"))
    return rows


def _threads(obj: Network, x0: Any, options: dict[str, Any], seed: int) -> dict[int, Trace]:
    """Run one and two real threads."""
    from .._minimize import minimize

    return {
        p: minimize(obj, x0, n_threads=p, n_records=100, rng=seed, **options).trace for p in (1, 2)
    }


def _ranks(args: argparse.Namespace, options: dict[str, Any]) -> dict[int, Trace]:
    """Run one and two workers on real ranks, and a server."""
    problem = {"layers": args.layers, "seed": args.seed}
    return {
        p: _on_ranks.trace(_on_ranks.run(p, problem, n_records=100, rng=args.seed, **options))
        for p in (1, 2)
    }


def _beside(name: str, curves: dict[int, Trace], found: Study) -> list[dict[str, Any]]:
    """Return what ran for real and what was simulated, number by number."""
    from ..simulate.speedups import curves_to_rows

    rows: list[Row] = curves_to_rows(curves)
    records = []
    for what in ("iteration_speedup", "time_speedup"):
        real, virtual = getattr(rows[1], what), found.interval(2, what).mean
        records.append({"what": what.replace("_", " "), name: real, "simulated": virtual})
    for p in (1, 2):
        seconds = [r["virtual_seconds"] for r in found.records if r["n_workers"] == p]
        real, virtual = float(curves[p].time[-1]), float(np.mean(seconds))
        records.append({"what": f"seconds, p = {p}", name: real, "simulated": virtual})
    return records


def _print_beside(name: str, records: list[dict[str, Any]]) -> None:
    """Print how far the simulation is from what ran for real."""
    if not records:
        return
    lines: list[tuple[str, ...]] = [("2 workers", name, "simulated", "simulated / real")]
    for record in records:
        real, virtual = record[name], record["simulated"]
        lines.append((record["what"], f"{real:.3g}", f"{virtual:.3g}", f"{virtual / real:.3g}"))
    print()
    print(_text.table(lines))


def _drawn(args: argparse.Namespace, found: Study) -> Figure:
    """Draw the study beside the poster's numbers."""
    figure = found.plot()
    (axes,) = figure.axes
    for column, name in enumerate(("iterations", "running time")):
        known = [(p, v[column] or np.nan) for p, v in TABLES[args.poster].poster.items()]
        axes.plot(*zip(*known, strict=True), "+*"[column], ms=10, label=f"{name}, poster")
    axes.legend(fontsize="small")
    return figure
