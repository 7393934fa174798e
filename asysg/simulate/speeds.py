"""How fast virtual workers are: the times of reading, computing, sending and being served.

All times are virtual seconds, drawn by counter from a key of their own: they know nothing of the
samples, so the reads of a timed run are oblivious.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._check import integer, number
from .._core import laws
from .._core.timed import PAUSE
from .._draws import Key
from ..errors import InvalidArgument

__all__ = [
    "Law",
    "Speeds",
    "deterministic",
    "exponential",
    "lognormal",
    "pareto",
    "straggler",
    "two_classes",
]

Vector = NDArray[np.float64]

#: One key for each phase of a cycle, so that their times are independent.
PHASES = {"compute": 1, "read": 2, "send": 3, "server": 4}


def _alike(p: int) -> Vector:
    return np.ones(p)


def _never(p: int) -> NDArray[Any]:
    return np.array([(np.inf, np.inf, np.inf)] * p, dtype=PAUSE)


@dataclass(frozen=True)
class Law:
    """The law of the time that one phase takes.

    Attributes
    ----------
    name : str
    draw : callable
        ``draw(key, start, stop)``: the times, > 0 or all 0, of cycles start..stop-1, the same
        however the range is cut.
    """

    name: str
    draw: Callable[[Key, int, int], Vector]

    @classmethod
    def constant(cls, seconds: float) -> Law:
        """Return the law of what always takes so many seconds, >= 0."""
        seconds = number("seconds", seconds, least=0)
        return cls(f"{seconds:g} s", lambda key, start, stop: np.full(stop - start, seconds))

    @classmethod
    def exponential(cls, mean: float) -> Law:
        """Return the exponential law of this mean, > 0."""
        mean = number("mean", mean, above=0)
        return cls(
            f"exponential of mean {mean:g} s",
            lambda key, start, stop: mean * laws.exponential(key, start, stop),
        )

    @classmethod
    def lognormal(cls, spread: float, mean: float) -> Law:
        """Return the lognormal law of this mean > 0; `spread` >= 0 is the logarithm's deviation."""
        spread, mean = number("spread", spread, least=0), number("mean", mean, above=0)
        return cls(
            f"lognormal({spread:g}) of mean {mean:g} s",
            lambda key, start, stop: mean * laws.lognormal(key, start, stop, spread),
        )

    @classmethod
    def pareto(cls, shape: float, mean: float) -> Law:
        """Return Pareto's law, P(t > s) ~ s^-shape, shape > 1, of this mean > 0."""
        shape, mean = number("shape", shape, above=1), number("mean", mean, above=0)
        return cls(
            f"Pareto({shape:g}) of mean {mean:g} s",
            lambda key, start, stop: mean * laws.pareto(key, start, stop, shape),
        )


@dataclass(frozen=True)
class Speeds:
    """The speeds of all workers.

    A cycle of a worker takes ``factor * compute + read + send`` seconds; then its message waits
    for the server, which serves one at a time, each for `server` seconds.

    Attributes
    ----------
    compute, read, send, server : Law
    factor : callable
        ``factor(p)``: how much slower each of p workers computes, shape (p,).
    pauses : callable
        ``pauses(p)``: when each of p workers stands still; a structured array of `stop`,
        `resume` and `period`, stop = inf for never.
    name : str
    """

    compute: Law
    read: Law
    send: Law
    server: Law
    factor: Callable[[int], Vector] = _alike
    pauses: Callable[[int], NDArray[Any]] = _never
    name: str = ""

    def __str__(self) -> str:
        parts = [f"compute {self.compute.name}"]
        parts += [
            f"{phase} {law.name}"
            for phase, law in (("read", self.read), ("send", self.send), ("server", self.server))
            if law.name != "0 s"
        ]
        return ", ".join([*parts, self.name] if self.name else parts)

    def times(self, key: Key, start: int, stop: int) -> tuple[Vector, Vector, Vector]:
        """Return the times of cycles start..stop-1: computing, read and send, and the server's.

        Raises
        ------
        InvalidArgument
            If a law gives a time that is not finite or negative.
        """
        phases = {}
        for phase, slot in PHASES.items():
            law: Law = getattr(self, phase)
            times = np.asarray(law.draw((key[0] ^ slot, key[1]), start, stop), dtype=np.float64)
            if times.shape != (stop - start,) or not (np.isfinite(times) & (times >= 0)).all():
                raise InvalidArgument(
                    f"{phase} must give one finite time >= 0 a cycle, got {times!r}."
                )
            phases[phase] = times
        return phases["compute"], phases["read"] + phases["send"], phases["server"]


def known(name: str, value: object) -> Speeds:
    """Return speeds, or refuse what is none."""
    if not isinstance(value, Speeds):
        raise InvalidArgument(
            f"{name} must be made by asysg.simulate.speeds, got {type(value).__name__}."
        )
    return value


def _phase(name: str, value: float | Law) -> Law:
    return value if isinstance(value, Law) else Law.constant(number(name, value, least=0))


def deterministic(
    seconds: float = 1.0,
    *,
    read: float | Law = 0.0,
    send: float | Law = 0.0,
    server: float | Law = 0.0,
) -> Speeds:
    """Every gradient takes the same time: the workers take turns, and every delay is p - 1.

    Parameters
    ----------
    seconds : float
        Of computing, > 0.
    read, send, server : float or Law
        Seconds of the other phases, 0 by default.

    Returns
    -------
    Speeds

    Raises
    ------
    InvalidArgument
        For numbers out of range.

    Examples
    --------
    >>> from asysg.simulate import speeds
    >>> print(speeds.deterministic(2.0, server=0.1))
    compute 2 s, server 0.1 s
    """
    seconds = number("seconds", seconds, above=0)
    return _speeds(Law.constant(seconds), read, send, server)


def exponential(
    mean: float = 1.0,
    *,
    read: float | Law = 0.0,
    send: float | Law = 0.0,
    server: float | Law = 0.0,
) -> Speeds:
    """Times of computing are exponential.

    Parameters
    ----------
    mean : float
        Seconds, > 0.
    read, send, server : float or Law
        As for `deterministic`.

    Returns
    -------
    Speeds

    Raises
    ------
    InvalidArgument
        For numbers out of range.

    Examples
    --------
    >>> from asysg.simulate import speeds
    >>> print(speeds.exponential(2.0))
    compute exponential of mean 2 s
    """
    return _speeds(Law.exponential(mean), read, send, server)


def lognormal(
    spread: float = 0.5,
    mean: float = 1.0,
    *,
    read: float | Law = 0.0,
    send: float | Law = 0.0,
    server: float | Law = 0.0,
) -> Speeds:
    """Times of computing are lognormal.

    Parameters
    ----------
    spread : float
        Standard deviation of their logarithm, >= 0.
    mean : float
        Seconds, > 0.
    read, send, server : float or Law
        As for `deterministic`.

    Returns
    -------
    Speeds

    Raises
    ------
    InvalidArgument
        For numbers out of range.

    Examples
    --------
    >>> from asysg.simulate import speeds
    >>> print(speeds.lognormal(0.5, mean=2.0))
    compute lognormal(0.5) of mean 2 s
    """
    return _speeds(Law.lognormal(spread, mean), read, send, server)


def pareto(
    shape: float = 1.5,
    mean: float = 1.0,
    *,
    read: float | Law = 0.0,
    send: float | Law = 0.0,
    server: float | Law = 0.0,
) -> Speeds:
    """Times of computing have Pareto's heavy tail: some gradients take extremely long.

    Parameters
    ----------
    shape : float
        > 1; up to 2 the variance is infinite.
    mean : float
        Seconds, > 0.
    read, send, server : float or Law
        As for `deterministic`.

    Returns
    -------
    Speeds

    Raises
    ------
    InvalidArgument
        For numbers out of range.

    Examples
    --------
    >>> from asysg.simulate import speeds
    >>> print(speeds.pareto(1.5))
    compute Pareto(1.5) of mean 1 s
    """
    return _speeds(Law.pareto(shape, mean), read, send, server)


def _speeds(compute: Law, read: float | Law, send: float | Law, server: float | Law) -> Speeds:
    return Speeds(compute, _phase("read", read), _phase("send", send), _phase("server", server))


def two_classes(slower: float = 4.0, share: float = 0.25, base: Speeds | None = None) -> Speeds:
    """Some workers compute more slowly than the others.

    Parameters
    ----------
    slower : float
        How many times as long they take, > 0.
    share : float
        Their share of the workers, in 0..1: the last ``round(share p)`` of p.
    base : Speeds, optional
        Everything else; `deterministic` by default.

    Returns
    -------
    Speeds

    Raises
    ------
    InvalidArgument
        For numbers out of range.

    Examples
    --------
    >>> from asysg.simulate import speeds
    >>> speeds.two_classes(4.0, share=0.5).factor(4).tolist()
    [1.0, 1.0, 4.0, 4.0]
    """
    slower, share = number("slower", slower, above=0), number("share", share, least=0)
    if share > 1:
        raise InvalidArgument.of("share", "must lie in 0..1", share)
    base = deterministic() if base is None else known("base", base)
    inner = base.factor

    def factor(p: int) -> Vector:
        return inner(p) * np.where(np.arange(p) >= p - round(share * p), slower, 1.0)

    return replace(base, factor=factor, name=_also(base, f"{share:g} of them {slower:g} x slower"))


def straggler(
    stop: float,
    resume: float,
    *,
    period: float = math.inf,
    workers: int = 1,
    base: Speeds | None = None,
) -> Speeds:
    """The first `workers` workers stand still from `stop` to `resume`, then go on.

    What they had read before, they send after: updates as old as the pause is long.

    Parameters
    ----------
    stop, resume : float
        Virtual seconds, 0 <= stop < resume.
    period : float
        It happens again after so many seconds, > resume - stop; once by default.
    workers : int
        At least 1.
    base : Speeds, optional
        Everything else; `deterministic` by default.

    Returns
    -------
    Speeds

    Raises
    ------
    InvalidArgument
        For numbers out of range.

    Examples
    --------
    >>> from asysg.simulate import speeds
    >>> print(speeds.straggler(10, 20))
    compute 1 s, 1 of them paused from 10 to 20 s
    """
    stop, resume = number("stop", stop, least=0), number("resume", resume)
    workers = integer("workers", workers, least=1)
    if not resume > stop:
        raise InvalidArgument(f"resume must be after stop = {stop:g}, got {resume:g}.")
    if period != math.inf:
        period = number("period", period, remedy="Leave it out for a single pause.")
    if not period > resume - stop:
        raise InvalidArgument(
            f"period must be longer than the pause of {resume - stop:g} s, got {period!r}."
        )
    base = deterministic() if base is None else known("base", base)
    inner = base.pauses

    def pauses(p: int) -> NDArray[Any]:
        out = inner(p)
        out[:workers] = (stop, resume, period)
        return out

    again = "" if period == math.inf else f" every {period:g} s"
    said = f"{workers} of them paused from {stop:g} to {resume:g} s{again}"
    return replace(base, pauses=pauses, name=_also(base, said))


def _also(base: Speeds, said: str) -> str:
    return f"{base.name}, {said}" if base.name else said
