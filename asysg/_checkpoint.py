"""Checkpoints: written whole or not at all, and resumed only by the run that wrote them."""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .errors import InvalidArgument
from .steplengths import Steps

if TYPE_CHECKING:
    from ._plan import Plan, State
    from ._recorder import Recorder

FORMAT = "asysg.checkpoint.v1"


class Checkpoint:
    """A file that holds the state of a run.

    Parameters
    ----------
    path : path-like
        Written through a temporary file beside it (fsync, then rename), so that a crash leaves
        the old checkpoint or the new one.
    every : float
        Least seconds between two writes; the end of the run is always written.
    """

    def __init__(self, path: str | os.PathLike[str], every: float) -> None:
        self.path = Path(path)
        self.every = every
        self._last = time.monotonic()
        if not self.path.parent.is_dir():
            raise InvalidArgument(f"checkpoint must lie in an existing folder, got {path!r}.")

    @property
    def log_path(self) -> Path:
        """Where the flight record of the run is kept."""
        return self.path.with_name(f"{self.path.name}.log")

    def write(
        self,
        plan: Plan,
        state: State,
        x: NDArray[np.float64],
        record: Recorder | None,
        *,
        now: bool = False,
    ) -> None:
        """Write the state unless the last write is too recent."""
        if not now and time.monotonic() - self._last < self.every:
            return
        meta = {
            "format": FORMAT,
            "identity": identity(plan),
            "gamma": plan.steps.gamma,
            "prescribed_T": plan.prescribed_T,
            "key": list(plan.key),
            "clock": state.clock,
            "seconds": state.seconds,
            "max_delay": state.max_delay,
            "sum_delay": state.sum_delay,
            "recomputed": state.recomputed,
            "overwrites": state.overwrites,
        }
        if record is not None:
            record.sync()  # before the checkpoint that counts on it
        temporary = self.path.with_name(f"{self.path.name}.{os.getpid()}.tmp")
        try:
            with temporary.open("wb") as file:
                np.savez(
                    file,
                    allow_pickle=False,
                    meta=np.array(json.dumps(meta)),
                    x=x,
                    rows=np.array(state.rows, dtype=np.float64).reshape(-1, 5),
                    histogram=state.histogram,
                )
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        finally:
            temporary.unlink(missing_ok=True)
        self._last = time.monotonic()

    def read(self) -> tuple[dict[str, Any], State, NDArray[np.float64]] | None:
        """Return (meta, state, x), or None where there is no checkpoint yet."""
        from ._plan import State

        if not self.path.exists():
            return None
        try:
            with np.load(self.path, allow_pickle=False) as data:
                meta = json.loads(str(data["meta"]))
                if meta["format"] != FORMAT:
                    raise ValueError(f"format {meta['format']!r}")
                state = State(
                    clock=meta["clock"],
                    seconds=meta["seconds"],
                    rows=[(int(k), *rest) for k, *rest in data["rows"].tolist()],
                    histogram=data["histogram"],
                    max_delay=meta["max_delay"],
                    sum_delay=meta["sum_delay"],
                    recomputed=meta["recomputed"],
                    overwrites=meta["overwrites"],
                )
                return meta, state, data["x"]
        except (OSError, ValueError, KeyError) as error:
            raise InvalidArgument(
                f"checkpoint must be a file written by a run, got {str(self.path)!r} ({error}). "
                "Delete it to start anew."
            ) from error


def identity(plan: Plan) -> dict[str, Any]:
    """What must agree between the run that wrote a checkpoint and the one that resumes it."""
    return {
        "method": plan.method,
        "n_updates": plan.K,
        "batch_size": plan.M,
        "n_records": plan.n_records,
        "n": plan.objective.n,
        "objective": type(plan.objective).__name__,
        "x0": hashlib.sha256(plan.x0.tobytes()).hexdigest(),
        "record": plan.record,
        "update": plan.update,
        "max_delay": plan.max_delay,
    }


def resumed(
    plan: Plan, meta: dict[str, Any], state: State, x: NDArray[np.float64]
) -> tuple[Plan, State, NDArray[np.float64]]:
    """Go on with a stored run, and refuse another run's checkpoint.

    The draws go on with the stored key, and a steplength asked for by name is the stored one.
    """
    mine = {**identity(plan), "steplength": plan.wanted or plan.steps.gamma}
    theirs = {**meta["identity"], "steplength": plan.wanted or meta["gamma"]}
    for name, value in mine.items():
        if theirs.get(name) != value:
            raise InvalidArgument(
                f"checkpoint must come from the same run, got one whose {name} is "
                f"{theirs.get(name)!r} where this run's is {value!r}. Delete it or give another "
                "path."
            )
    plan = replace(plan, key=(meta["key"][0], meta["key"][1]), prescribed_T=meta["prescribed_T"])
    if plan.wanted is not None:
        plan = replace(plan, steps=Steps(meta["gamma"]))
    return plan, state, x
