"""What a run is doing, written to a file while it goes on."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np

from ._check import to_be_written
from ._plan import Intermediate

QUANTILES = (0.5, 0.99)


class Monitor:
    """A callback that appends one line of JSON at every recorded iterate.

    Called between parallel regions, so that the workers never wait for the file but there; with
    200 records (`n_records`) a run pays for 200 short writes. The file is opened anew for each,
    so that it can be read, moved or deleted at any time, and a run that goes on from its
    checkpoint goes on with its file.

    Parameters
    ----------
    path : path-like
        The file, in an existing folder. Lines are appended.

    Raises
    ------
    InvalidArgument
        If the folder does not exist, or the file cannot be written.

    Notes
    -----
    A line holds ``nit`` (updates done), ``time`` (seconds of computing), ``fun`` and
    ``grad_norm_sq`` as in the `Trace`, ``delay_max``, ``delay_mean``, ``delay_50`` and
    ``delay_99`` (upper bounds of the median and the 99 % quantile) of all updates so far, null
    where none was recorded, and ``at``, seconds since 1970. Infinity and NaN, which JSON lacks,
    are written as words.

    Examples
    --------
    >>> import asysg, json, numpy as np, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "run.jsonl")
    >>> obj = asysg.objectives.CosineQuadratic(n=20, sigma=0.1)
    >>> res = asysg.minimize(obj, np.ones(20), steplength=0.05, n_updates=5000, n_records=10,
    ...                      callback=asysg.Monitor(path), rng=0)
    >>> lines = [json.loads(line) for line in path.read_text().splitlines()]
    >>> lines[-1]["nit"], lines[-1]["fun"] == res.fun
    (5000, True)
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        with to_be_written("path", "file", path):
            self.path.open("a").close()

    def __call__(self, intermediate_result: Intermediate) -> None:
        """Append a line."""
        now, seen = intermediate_result, intermediate_result.staleness
        known = seen.max is not None and seen.histogram.any()
        line = {
            "nit": now.nit,
            "time": now.time,
            "fun": _word(now.fun),
            "grad_norm_sq": _word(now.grad_norm_sq),
            "delay_max": seen.max,
            "delay_mean": seen.mean,
            **{f"delay_{q:.0%}"[:-1]: seen.quantile(q) if known else seen.max for q in QUANTILES},
            "at": time.time(),
        }
        with self.path.open("a") as file:
            file.write(json.dumps(line, allow_nan=False) + "\n")


def _word(value: float) -> float | str:
    return value if np.isfinite(value) else str(value)
