"""Real MPI ranks, started from a command: ``run`` starts them, ``python -m`` is what each runs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InvalidArgument, ObjectiveError

if TYPE_CHECKING:
    from ..objectives import Objective
    from ..result import Trace


def need(*packages: str) -> None:
    """Refuse to start where a package or mpiexec is missing."""
    import importlib.util

    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        extras = ",".join({"mpi4py": "mpi"}.get(name, name) for name in packages)
        raise InvalidArgument(
            f"{' and '.join(packages)} must be installed, got no {' and no '.join(missing)}. "
            f"Install asysg[{extras}]."
        )
    mpiexec()


def mpiexec() -> str:
    """Find the starter: beside this Python, or on the path."""
    beside = shutil.which("mpiexec", path=sysconfig.get_path("scripts"))
    found = beside or shutil.which("mpiexec")
    if found is None:
        raise InvalidArgument("mpiexec must be on the path, got nothing. Install asysg[mpi].")
    return found


def run(p: int, problem: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    """Run p workers and a server; return what rank 0 says.

    Parameters
    ----------
    p : int
    problem : dict
        See `objective`.
    **arguments
        Of `asysg.mpi.minimize`.

    Raises
    ------
    ObjectiveError
        If the ranks do not end well, or the run is not completed.
    KeyboardInterrupt
        If they were interrupted.
    """
    words = json.dumps({"problem": problem, "arguments": arguments})
    command = [mpiexec(), "-n", str(p + 1), sys.executable, "-m", __name__, words]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    said = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not said:
        raise ObjectiveError(
            f"{p} workers and a server must end well, got exit code {done.returncode}: "
            f"{done.stderr}"
        )
    found: dict[str, Any] = json.loads(said[-1])
    if found["status"] == "interrupted":
        raise KeyboardInterrupt
    if found["status"] != "completed":
        raise ObjectiveError(f"{p} workers must complete, got: {found['message']}")
    return found


def trace(said: dict[str, Any]) -> Trace:
    """Return the loss curve of what rank 0 said."""
    import numpy as np

    from ..result import Trace

    return Trace(
        **{name: np.array(said[name]) for name in ("k", "time", "f", "grad_norm_sq", "weight")}
    )


def objective(problem: dict[str, Any]) -> tuple[Objective, Any]:
    """Make an objective and a start.

    ``{"layers": sizes, "seed": seed}`` is a planted network, ``{"cifar": folder or number of
    generated images, "seed": seed}`` the experiment on CIFAR-10.
    """
    seed = problem["seed"]
    if "layers" in problem:
        from ..objectives import Network

        network = Network.planted(layers=problem["layers"], rng=seed)
        return network, network.initial_point(rng=seed)
    from ..objectives import cifar

    if isinstance(problem["cifar"], int):
        data = cifar.generated(problem["cifar"], rng=seed)
    else:
        data = cifar.read(Path(problem["cifar"]))
    obj = cifar.cifar10_full(*data, rng=seed)
    return obj, obj.x0


def main(asked: dict[str, Any]) -> None:
    """Do one rank's part; rank 0 prints what came out, as one line of JSON."""
    import joblib

    from .. import mpi

    obj, x0 = objective(asked["problem"])
    result = mpi.minimize(obj, x0, **asked["arguments"])
    if result is None:
        return
    kept = result.trace
    said = {
        "status": result.status,
        "message": result.message,
        "n": obj.n,
        "n_samples": obj.n_samples,
        "cores": int(joblib.cpu_count()),
        "n_workers": result.n_threads_used,
        "k": kept.k.tolist(),
        "time": kept.time.tolist(),
        "f": kept.f.tolist(),
        "grad_norm_sq": kept.grad_norm_sq.tolist(),
        "weight": kept.weight.tolist(),
        "T": result.staleness.max,
        "mean": result.staleness.mean,
        "cluster": result.cluster,
    }
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
