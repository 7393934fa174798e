"""What a run returns: one `Result` from every scheduler."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from . import _figures
from ._check import choice, number, read_json
from .errors import (
    CertificateError,
    DivergenceError,
    InvalidArgument,
    MissingPackage,
    ObjectiveError,
)
from .theory import AdaptiveSteps, Certificate

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

    from ._plan import Plan

__all__ = ["Result", "Staleness", "Trace"]

#: What each status says; ``success`` is true for "completed" alone.
STATUS = {
    "completed": "All updates were done and x is finite.",
    "interrupted": "The run was interrupted; the result is the valid state at that moment.",
    "stopped": "The callback stopped the run.",
    "diverged": "x left the finite numbers; the result holds the last finite x.",
    "failed": "The objective reported a failure; its update was not applied.",
}


@dataclass(frozen=True)
class Trace:
    """The recorded iterates of a run.

    Besides the first and the last, the recorded iterates are chosen at random before the run,
    one uniformly from each of equally long strata of 1..K, so that the weighted mean of a
    recorded quantity is an unbiased estimate of its mean over all K iterates (and is that mean
    where every iterate is recorded). Where steplengths adapt to the delay, each is weighted by its
    stratum's share of the sum of all steplengths, which is known: the mean then estimates the
    steplength-weighted mean that Theorem A bounds, up to the covariance of steplength and
    quantity within a stratum. (Not by the steplength of the update after it: on threads that one
    has delay 0 always, because workers read anew after a pause.)

    Attributes
    ----------
    k : ndarray of int64
        Numbers of the iterates x_k, increasing; 1 is the start, K + 1 the end.
    time : ndarray
        Seconds of computing until then, evaluation of the trace not counted; virtual seconds
        where the run is simulated and timed, nan where simulated without a clock.
    f, grad_norm_sq : ndarray
        f(x_k) and the squared norm of its exact gradient. With a proximal term h: f(x_k) + h(x_k)
        and the squared norm of the gradient mapping, (x - prox_{t h}(x - t grad f(x)))/t at
        x = x_k with t = gamma_k M, which is grad f(x) where h = 0.
    weight : ndarray
        Weights of the ergodic mean; they sum to 1 once the run is completed.
    """

    k: NDArray[np.int64]
    time: NDArray[np.float64]
    f: NDArray[np.float64]
    grad_norm_sq: NDArray[np.float64]
    weight: NDArray[np.float64]

    @property
    def ergodic(self) -> float:
        """Estimate of the ergodic gradient norm (1/K) sum_k ||grad f(x_k)||^2 of this run."""
        counts = self.weight > 0  # an infinite norm of weight 0 must not make this nan
        if not counts.any():
            return float("nan")
        # Not a dot product: its last bit may depend on where in memory the arrays lie, and a
        # result read back from its file must find the very number that was certified.
        weight = self.weight[counts]
        return float((weight * self.grad_norm_sq[counts]).sum() / weight.sum())


def bounded_mean(
    trace: Trace,
    status: str,
    *,
    form: str,
    K: int,
    T: int,
    gamma: float | Sequence[float] | NDArray[np.float64] | AdaptiveSteps,
) -> float | None:
    """Return what the theorem of `form` bounds, as far as the trace has measured it.

    The mean over all iterates; weighted by the steplengths where these vary (Theorem 1), as the
    trace itself is where they adapt to the delay (Theorem A); over the
    iterates that were read, k <= K - T, divided by K, for Theorem U. inf for a run that diverged,
    None where nothing was recorded.
    """
    if status == "diverged":
        return float("inf")
    mean = trace.ergodic
    if not isinstance(gamma, AdaptiveSteps) and np.ndim(gamma) and np.isfinite(mean):
        weight = trace.weight * np.asarray(gamma)[np.minimum(trace.k, K) - 1]
        mean = float((weight * trace.grad_norm_sq).sum() / weight.sum())
    elif form == "uniform" and status == "completed":
        read = trace.k <= K - T
        mean = float((trace.weight[read] * trace.grad_norm_sq[read]).sum())
    return None if np.isnan(mean) else mean


@dataclass(frozen=True)
class Staleness:
    """The recorded delays of a run, true upper bounds of what each read missed.

    Attributes
    ----------
    max : int or None
        Largest delay; None where none was recorded.
    mean : float or None
    histogram : ndarray of shape (64,), int64
        Updates by delay, in log2 bins: bin 0 holds delay 0, bin b holds 2^(b-1) .. 2^b - 1.
    max_delay : int or None
        The bound that was enforced, if any.
    """

    max: int | None
    mean: float | None
    histogram: NDArray[np.int64]
    max_delay: int | None = None

    def quantile(self, q: float) -> int:
        """Return an upper bound of the q-quantile of the delay: the end of its bin.

        Parameters
        ----------
        q : float
            In 0..1.

        Raises
        ------
        InvalidArgument
            For another `q`, and where no delay was recorded.
        """
        q = number("q", q)
        if not 0 <= q <= 1:
            raise InvalidArgument(f"q must lie in 0..1, got {q!r}.")
        if self.max is None:
            raise InvalidArgument("quantile needs recorded delays, got record=False.")
        reached = np.cumsum(self.histogram) >= q * self.histogram.sum()
        return min(self.max, (1 << int(np.argmax(reached))) - 1)


@dataclass(frozen=True)
class Result:
    """Outcome of a run, with SciPy's names where SciPy has one.

    Attributes
    ----------
    x : ndarray of shape (n,), float64
        The last iterate (the last finite one if the run diverged); of a run in float32 these are
        its very numbers, so that ``x.astype("float32")`` loses nothing.
    fun : float
        f(x), with a proximal term f(x) + h(x); NaN where the objective has no value.
    nit : int
        Updates done, all workers together.
    success : bool
        All K updates done and x finite.
    status, message : str
        "completed", "interrupted", "stopped", "diverged" or "failed", and a sentence.
    method, steplength, batch_size, n_updates, max_delay, update, record
        What was run; `steplength` is None for a schedule, and the largest where they adapt to the
        delay (``certificate.gamma`` then has their sums); `update` is never None.
    sync_every : int or None
        With ``update="replica"``, a worker's updates between two merges of its copy of x.
    skip_ahead : bool
        Whether updates that are zero by structure were passed over.
    prox : str or None
        The proximal term, in words.
    dtype : str
        What x was computed in, "float64" or "float32".
    n_threads_used : int
        Workers that really ran in parallel; 1 for a simulated run.
    n_lost : int
        Writes that overwrote another worker's update, 0 by construction unless
        ``update="lossy"``. Each lost one update or more; `asysg.simulate.replay` counts them.
    n_recomputed : int
        Gradients that came too late for `max_delay` and were computed again.
    n_gradients : int
        Samples whose gradient (or partial derivative) was computed, or passed over as zero. An
        exact partial derivative ("asyscd") counts as those of all N samples of a finite sum, and
        as one of a stream, whose f is known.
    time : float
        Seconds of computing, evaluation of the trace not counted; virtual seconds where the run
        is simulated and timed.
    key : tuple of two int
        Key of the counter-based draws: it regenerates every sample and coordinate.
    staleness : Staleness
    trace : Trace
    certificate : Certificate
    simulated : bool
        True for virtual workers.
    scheduler : str or None
        Of a simulated run: the given delays, or the number of workers and their speeds.
    log : structured ndarray or None
        With ``record="full"``, one entry an update, in the order of their numbers: worker,
        start, draw, coordinate (-1 for more than one: then the rest is nan), increment (before the
        proximal step, if there is one), the value it was added to and the value it replaced (in the
        worker's copy, with ``update="replica"``).
    reads : ndarray of shape (nit, M, n) or None
        With ``record="full+reads"``, what each sample read, nan where it did not look.
    cluster : dict or None
        Of a run on MPI ranks: updates and seconds of computing by worker, the way the vectors went
        ("messages" or "shared") by worker and the seconds of a round by each way where both were
        measured, hosts by rank.
    """

    x: NDArray[np.float64]
    fun: float
    nit: int
    success: bool
    status: str
    message: str
    method: str
    steplength: float | None
    batch_size: int
    n_updates: int
    max_delay: int | None
    update: str
    record: str | bool
    n_threads_used: int
    n_lost: int
    n_recomputed: int
    n_gradients: int
    time: float
    key: tuple[int, int]
    staleness: Staleness
    trace: Trace
    certificate: Certificate
    simulated: bool = False
    scheduler: str | None = None
    sync_every: int | None = None
    skip_ahead: bool = False
    prox: str | None = None
    dtype: str = "float64"
    log: NDArray[Any] | None = field(default=None, repr=False)
    reads: NDArray[np.float64] | None = field(default=None, repr=False)
    cluster: dict[str, Any] | None = field(default=None, repr=False)
    _plan: Plan | None = field(default=None, repr=False, compare=False)

    def __repr__(self) -> str:
        gamma = "schedule" if self.steplength is None else f"{self.steplength:.6g}"
        if isinstance(self.certificate.gamma, AdaptiveSteps):
            gamma = f"delay-adaptive, at most {gamma}"
        delay = "not recorded" if self.staleness.max is None else str(self.staleness.max)
        lines = {
            "message": self.message,
            "success": self.success,
            "status": self.status,
            "fun": f"{self.fun:.10g}",
            "nit": f"{self.nit} of {self.n_updates}",
            "method": f"{self.method}, batch size {self.batch_size}, steplength {gamma}"
            + (", float32" if self.dtype == "float32" else ""),
            "simulated" if self.scheduler else "threads": self.scheduler
            or f"{self.n_threads_used}",
            "largest delay": delay,
            "ergodic norm": f"{self.trace.ergodic:.6g}",
            "certificate": f"{self.certificate.verdict} (bound {self.certificate.bound:.6g})",
            "x": np.array2string(self.x, threshold=6, precision=4),
        }
        width = max(map(len, lines))
        return "\n".join(f"{name:>{width}}: {value}" for name, value in lines.items())

    def raise_if_failed(self) -> Self:
        """Return the result, or raise if the run diverged or its objective failed.

        Raises
        ------
        DivergenceError
            If x left the finite numbers.
        ObjectiveError
            If the objective reported a failure; from what it raised, where it is Python's.
        """
        if self.status == "diverged":
            raise DivergenceError(self.message)
        if self.status == "failed":
            cause = None if self._plan is None else self._plan.objective._cause()
            raise ObjectiveError(self.message) from cause
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return the result in JSON's types, without the arrays `log` and `reads`."""
        out: dict[str, Any] = {"format": "asysg.result.v1"}
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name in ("log", "reads", "_plan"):
                continue
            if item.name == "certificate":
                value = value.to_dict()
            elif isinstance(value, Trace | Staleness):
                value = {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
            out[item.name] = _plain(value)
        return out

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Write the result, certificate included, to a JSON file.

        Numbers are written so that they read back to the bit; ``asysg.verify.load(path)`` reads
        the certificate back and checks it again.
        """
        Path(path).write_text(json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n")

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Result:
        """Inverse of `to_dict`.

        Raises
        ------
        InvalidArgument
            If it is no result, or one that lacks a field or has a wrong one.
        CertificateError
            If the certificate in it cannot be read.
        """
        if not isinstance(data, dict) or "format" not in data:
            raise InvalidArgument.of("data", "must be a result written by to_json", data)
        if data["format"] != "asysg.result.v1":
            raise InvalidArgument(
                f"data must be a result written by to_json, got format {data['format']!r}."
            )
        try:
            return cls._of({name: value for name, value in data.items() if name != "format"})
        except CertificateError:
            raise
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InvalidArgument(
                f"data must be a result written by to_json, got one with {error!r}."
            ) from error

    @classmethod
    def _of(cls, data: dict[str, Any]) -> Result:
        """Make the result of its fields as they stand in JSON."""
        data["x"] = _array(data["x"])
        data["fun"], data["time"] = float(data["fun"]), float(data["time"])
        data["key"] = tuple(data["key"])
        trace = {name: _array(value) for name, value in data["trace"].items()}
        data["trace"] = Trace(k=trace.pop("k").astype(np.int64), **trace)
        staleness = dict(data["staleness"])
        staleness["histogram"] = np.array(staleness["histogram"], dtype=np.int64)
        data["staleness"] = Staleness(**staleness)
        data["certificate"] = Certificate.from_dict(data["certificate"])
        return cls(**data)

    @classmethod
    def from_json(cls, path: str | os.PathLike[str]) -> Result:
        """Read a result written by `to_json`.

        Raises
        ------
        InvalidArgument
            If there is no such file, or no result in it.
        CertificateError
            If the certificate in it cannot be read; `asysg.verify.load` also checks it.
        """
        return cls.from_dict(read_json(path, "a result written by to_json"))

    def plot(self, *, against: str = "updates") -> Figure:
        """Draw loss, gradient norm with the bound on its mean, and staleness.

        Parameters
        ----------
        against : {"updates", "time"}
            What the recorded iterates are drawn against; time is in seconds of computing.

        Returns
        -------
        matplotlib.figure.Figure
            With three panels. A panel without data says why. `asysg.plot` draws several results.

        Raises
        ------
        InvalidArgument
            If `against` is neither.

        Examples
        --------
        >>> import asysg, numpy as np
        >>> obj = asysg.objectives.CosineQuadratic(n=20, sigma=0.1)
        >>> res = asysg.minimize(obj, np.ones(20), steplength=0.05, n_updates=5000, rng=0)
        >>> [axes.get_title() for axes in res.plot().axes]
        ['loss', 'gradient norm, its mean and the bound on it', 'staleness']
        """
        return _figures.of_result(self, against)

    def to_frame(self, what: str = "trace") -> DataFrame:
        """Return the trace, or the updates of a full record, as a pandas DataFrame.

        Parameters
        ----------
        what : {"trace", "updates"}
            "trace": one row a recorded iterate, with the columns ``k``, ``time``, ``f``,
            ``grad_norm_sq`` and ``weight`` of `Trace`. "updates": one row an update, in the order
            of their numbers ``k``, with ``delay`` (updates made since its read began) and the
            columns of ``Result.log``; needs ``record="full"``.

        Returns
        -------
        pandas.DataFrame

        Raises
        ------
        MissingPackage
            Without pandas.
        InvalidArgument
            For another word, or "updates" without a full record.

        Examples
        --------
        >>> import asysg, numpy as np
        >>> obj = asysg.objectives.CosineQuadratic(n=20, sigma=0.1)
        >>> res = asysg.minimize(obj, np.ones(20), steplength=0.05, n_updates=100, n_records=5,
        ...                      record="full", n_threads=1, rng=0)
        >>> list(res.to_frame())
        ['k', 'time', 'f', 'grad_norm_sq', 'weight']
        >>> int(res.to_frame("updates")["delay"].max())
        0
        """
        choice("what", what, ("trace", "updates"))
        try:
            from pandas import DataFrame
        except ImportError as error:
            raise MissingPackage(
                f"pandas must be installed for to_frame, got: {error}. Install asysg[pandas]."
            ) from error
        if what == "trace":
            return DataFrame({item.name: getattr(self.trace, item.name) for item in fields(Trace)})
        if self.log is None:
            raise InvalidArgument.of(
                "what", "must be 'trace' where no update was logged", what, "Use record='full'."
            )
        number = np.arange(len(self.log))
        names = self.log.dtype.names or ()
        return DataFrame(
            {"k": number + 1, "delay": number - self.log["start"]}
            | {name: self.log[name] for name in names}
        )


def _plain(value: Any) -> Any:
    """Turn arrays into lists and numbers that JSON lacks into strings ('nan', 'inf')."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    return value


def _array(values: list[Any]) -> NDArray[np.float64]:
    return np.array([float(value) for value in values], dtype=np.float64)
