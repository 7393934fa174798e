"""Checkpoints: written whole or not at all, and resumed only by the run that wrote them."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ._run import look
from .errors import InvalidArgument
from .steplengths import Steps

if TYPE_CHECKING:
    from ._plan import Plan, State
    from ._recorder import Recorder

log = logging.getLogger("asysg")

FORMAT = "asysg.checkpoint.v1"
#: Names of the arrays that belong to the scheduler.
PENDING = "pending "


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
        #: What a scheduler needs besides x to go on; it sets this if there is anything.
        self.pending: Callable[[], Mapping[str, NDArray[Any]]] = dict
        self._last = time.monotonic()
        if not self.path.parent.is_dir():
            raise InvalidArgument(f"checkpoint must lie in an existing folder, got {path!r}.")
        # Looked at, not tried: another run may be writing there.
        if (
            self.path.is_dir()
            or self.temporary.is_dir()
            or not os.access(self.path.parent, os.W_OK)
        ):
            raise InvalidArgument(f"checkpoint must be a file that can be written, got {path!r}.")

    @property
    def temporary(self) -> Path:
        """Where it is written first: one name for all, so that what a killed run left is gone."""
        return self.path.with_name(f"{self.path.name}.tmp")

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
        self._last = time.monotonic()  # also of an attempt that fails
        meta = {
            "format": FORMAT,
            "identity": identity(plan),
            "gamma": plan.steps.gamma,
            "L": plan.steps.L,
            "in_flight": plan.in_flight,
            "steplengths": steplengths(plan),
            "prescribed_T": plan.prescribed_T,
            "key": list(plan.key),
            "clock": state.clock,
            "seconds": state.seconds,
            "max_delay": state.max_delay,
            "sum_delay": state.sum_delay,
            "recomputed": state.recomputed,
            "overwrites": state.overwrites,
            "workers": state.workers,
            "sums": [state.sum_step, state.sum_square],
        }
        arrays = {
            "x": x,
            "rows": np.array(state.rows, dtype=np.float64).reshape(-1, 5),
            "histogram": state.histogram,
            "marks": np.array(state.marks, dtype=np.float64).reshape(-1, 2),
            **{PENDING + name: array for name, array in self.pending().items()},
        }
        meta["digest"] = digest(meta, arrays)
        if record is not None:
            record.sync()  # before the checkpoint that counts on it
        with self.temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, meta=np.array(json.dumps(meta)), **arrays)
            file.flush()
            os.fsync(file.fileno())
        self.temporary.replace(self.path)
        sync_folder(self.path)
        log.info("checkpoint of %d updates written to %s", state.clock, self.path)
        self._last = time.monotonic()

    def read(self) -> tuple[dict[str, Any], State, NDArray[np.float64]] | None:
        """Return (meta, state, x), or None where there is no checkpoint yet."""
        from ._plan import State

        if not self.path.exists():
            return None
        try:
            # Opened here, because NumPy leaves a damaged file open.
            with self.path.open("rb") as file, np.load(file, allow_pickle=False) as data:
                meta = json.loads(str(data["meta"]))
                if meta["format"] != FORMAT:
                    raise ValueError(f"format {meta['format']!r}")
                stored = {name: data[name] for name in data.files if name != "meta"}
                x = stored["x"]
                if meta.pop("digest") != digest(meta, stored):
                    raise ValueError("it was changed since it was written")
                state = State(
                    clock=meta["clock"],
                    seconds=meta["seconds"],
                    rows=[(int(k), *rest) for k, *rest in stored["rows"].tolist()],
                    histogram=stored["histogram"],
                    max_delay=meta["max_delay"],
                    sum_delay=meta["sum_delay"],
                    recomputed=meta["recomputed"],
                    overwrites=meta["overwrites"],
                    workers=meta["workers"],
                    sum_step=meta["sums"][0],
                    sum_square=meta["sums"][1],
                    marks=[(int(k), total) for k, total in stored["marks"].tolist()],
                    pending={
                        name.removeprefix(PENDING): array
                        for name, array in stored.items()
                        if name.startswith(PENDING)
                    },
                )
                return meta, state, x
        except Exception as error:  # a damaged file makes its readers raise almost anything
            raise InvalidArgument(
                f"checkpoint must be a file written by a run, got {str(self.path)!r} ({error}). "
                "Delete it to start anew."
            ) from error


def digest(meta: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> str:
    """Return what tells whether a checkpoint still says what was written."""
    said = hashlib.sha256(json.dumps(meta, sort_keys=True).encode())
    for name, array in sorted(arrays.items()):
        said.update(f"{name} {array.dtype.str} {array.shape}".encode())
        said.update(array.tobytes())
    return said.hexdigest()


def sync_folder(path: Path) -> None:
    """Make sure that a file's new name would survive a crash."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def identity(plan: Plan) -> dict[str, Any]:
    """What must agree between the run that wrote a checkpoint and the one that resumes it."""
    return {
        "method": plan.method,
        "n_updates": plan.K,
        "batch_size": plan.M,
        "n_records": plan.n_records,
        "n": plan.objective.n,
        "n_samples": plan.objective.n_samples,
        "objective": type(plan.objective).__name__,
        "x0": hashlib.sha256(plan.x0.tobytes()).hexdigest(),
        "record": plan.record,
        "update": plan.update,
        "skip_ahead": plan.skip_ahead,
        "max_delay": plan.max_delay,
        "scheduler": plan.scheduler,
        "n_push": plan.n_push,
        "n_fetch": plan.n_fetch,
        "delay": plan.delay,
        "prox": None if plan.prox is None else plan.prox.identity,
        "dtype": plan.dtype,
    }


def steplengths(plan: Plan) -> float | list[float]:
    """Return the steplength (and the L of those that adapt), or a hundred of a schedule."""
    if plan.steps.gamma is not None:
        return plan.steps.gamma if plan.steps.L is None else [plan.steps.gamma, plan.steps.L]
    return [plan.steps.at(int(k)) for k in np.linspace(1, plan.K, min(plan.K, 100))]


def foreign(name: str, theirs: Any, mine: Any) -> InvalidArgument:
    """Say that a checkpoint is another run's."""
    return InvalidArgument(
        f"checkpoint must come from the same run, got one whose {name} is {theirs!r} where this "
        f"run's is {mine!r}. Delete it or give another path."
    )


def resumed(
    plan: Plan,
    meta: dict[str, Any],
    state: State,
    x: NDArray[np.float64],
    *,
    repeats: bool,
) -> tuple[Plan, State, NDArray[np.float64]]:
    """Go on with a stored run, and refuse another run's checkpoint.

    The draws go on with the stored key, and a steplength asked for by name is the stored one.

    Parameters
    ----------
    repeats : bool
        The key comes from a seed, and must then be the stored one.
    """
    mine = {**identity(plan), "steplength": plan.wanted or steplengths(plan)}
    theirs = {**meta["identity"], "steplength": plan.wanted or meta["steplengths"]}
    if repeats:
        mine["key of rng"], theirs["key of rng"] = list(plan.key), meta["key"]
    for name, value in mine.items():
        if theirs.get(name) != value:
            raise foreign(name, theirs.get(name), value)
    if plan.wanted is not None:
        plan = replace(plan, steps=Steps(meta["gamma"], L=meta["L"]))
    if state.rows:
        # Other data of the same shape give another value or another gradient at x0. Not compared
        # to the bit: the last ones may depend on where in memory the arrays lie.
        here, there = look(plan, plan.x0, 0, 0.0, 0.0)[2:4], state.rows[0][2:4]
        if not np.allclose(here, there, rtol=1e-9, atol=0.0, equal_nan=True):
            raise foreign("f(x0) and squared gradient norm", there, here)
    now, before = plan.in_flight, meta["in_flight"]
    plan = replace(
        plan,
        key=(meta["key"][0], meta["key"][1]),
        prescribed_T=meta["prescribed_T"],
        in_flight=None if now is None or before is None else max(now, before),
    )
    return plan, state, x
