"""Seconds to a given squared norm of the gradient, from the same start.

A pass over as many samples as there are is timed, then the gradient is evaluated by this package
in float64, which is not, and so on until its squared norm is at most `FRACTION` of what it was at
the start. Every contestant gets its steplength by the same search: one race with each of `RATES`,
and the one that was there in the fewest seconds. Races that have not arrived after `PASSES` end
there: their seconds are a lower bound, and their answer is missing.

On W1 and W2 the loss is logistic without penalty, ``objectives.NonconvexLogistic(reg=0)``, because
scikit-learn's SGD has no sigmoid least squares; on W3 it is the network's own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np

import asysg
from asysg import objectives

from .measure import Absent, Contestant, Reading, say
from .workloads import UPDATES, Contestants, Data, Workload, constants, data, offers

#: Steplengths of the mean over a minibatch that are tried.
RATES = {
    "W1": (0.03, 0.125, 0.5, 2.0),
    "W2": (0.03, 0.125, 0.5, 2.0),
    "W3": (0.01, 0.04, 0.16, 0.64),
}
FRACTION = 0.1
PASSES = 60

#: ``race(rate, seed)`` yields after every pass: its seconds, and x.
Race = Callable[[float, int], Iterator[tuple[float, Any]]]


@cache
def problem(kind: str, quick: bool) -> Data:
    """Return the problem that is raced on."""
    given = data(kind, quick=quick)
    if kind == "W3":
        return given
    logistic = objectives.NonconvexLogistic(given.A, 2 * given.y - 1, reg=0.0)
    return Data(logistic, given.x0, given.A, given.y)


def arrive(race: Race, kind: str, rate: float, seed: int, quick: bool) -> Reading:
    """Race to the target: seconds, passes, and the squared norm there (None: not there yet)."""
    objective = problem(kind, quick).objective

    def square(x: Any) -> float:
        gradient = objective.gradient(x)
        # Not gradient @ gradient: BLAS's own threads would be awake in the pass that follows.
        return float(np.einsum("i,i", gradient, gradient))

    target = FRACTION * square(problem(kind, quick).x0)
    seconds = 0.0
    for number, (took, x) in enumerate(race(rate, seed), 1):
        seconds += took
        if not np.isfinite(x).all():
            break
        if (reached := square(x)) <= target:
            return Reading(seconds, 1, reached)
        if number == PASSES:
            break
    return Reading(seconds, 1, None)


def search(race: Race, kind: str, quick: bool) -> tuple[float, dict[float, float | None]]:
    """Return the best of `RATES` (the smallest if none arrives), and the seconds of each."""
    found: dict[float, float | None] = {}
    for rate in RATES[kind]:
        reading = arrive(race, kind, rate, 10_000, quick)
        found[rate] = None if reading.answer is None else reading.seconds
    arrived = {rate: seconds for rate, seconds in found.items() if seconds is not None}
    return min(arrived, key=lambda rate: arrived[rate], default=RATES[kind][0]), found


def racer(
    name: str, role: str, p: int, race: Race, workload: Workload, computes: str, quick: bool,
    close: Callable[[], None] = lambda: None,
) -> Contestant:  # fmt: skip
    """Search a steplength, and return what races with it; another seed each time."""
    kind, _ = workload.size
    rate, found = search(race, kind, quick)
    tried = ", ".join(
        f"{one}: {'not there' if took is None else f'{took:.3g} s'}" for one, took in found.items()
    )
    say(f"    {name}/{p}: steplength {rate} of {tried}")
    seeds = itertools.count()
    return Contestant(
        name,
        role,
        p,
        lambda count: arrive(race, kind, rate, next(seeds), quick),
        f"{computes}; steplength {rate} of those searched ({tried})",
        close=close,
    )


def contestants(workload: Workload, p: int, quick: bool) -> Contestants:
    """Yield all that races on a problem with p threads or processes."""
    kind, M = workload.size
    for update in UPDATES:
        if not offers(update):
            yield Absent(f"asysg {update}", f"this version has no update={update!r}")
            continue
        race = _ours(kind, M, p, update, quick)
        yield racer(f"asysg {update}", "ours", p, race, workload, "hogwild", quick)
    yield from (_torch if kind == "W3" else _sklearn)(workload, p, quick)


def _ours(kind: str, M: int, p: int, update: str, quick: bool) -> Race:
    given = problem(kind, quick)

    def race(rate: float, seed: int) -> Iterator[tuple[float, Any]]:
        x = given.x0
        for number in itertools.count():
            result = asysg.minimize(
                given.objective,
                x,
                method="hogwild",
                steplength=rate / M,
                batch_size=M,
                n_updates=len(given.y) // M,
                n_records=1,
                n_threads=p,
                update=update,
                constants=constants(given.objective.n),
                rng=seed * PASSES + number,
            )
            x = result.x
            # A run that left the finite numbers hands back the last that were finite.
            yield result.time, x if result.success else np.full_like(x, np.nan)

    return race


def _sklearn(workload: Workload, p: int, quick: bool) -> Contestants:
    if p > 1:
        return
    try:
        from .peers.linear import passes
    except ImportError as reason:
        yield Absent("scikit-learn SGD", f"not installed ({reason})")
        return
    kind, _ = workload.size
    given = problem(kind, quick)
    for name, shuffle in (("scikit-learn SGD", True), ("scikit-learn SGD, sequential", False)):

        def race(rate: float, seed: int, shuffle: bool = shuffle) -> Iterator[tuple[float, Any]]:
            return passes(given, rate, seed, shuffle)

        yield racer(name, "peer", p, race, workload, "the same loss, partial_fit", quick)


def _torch(workload: Workload, p: int, quick: bool) -> Contestants:
    try:
        from .peers.hogwild import TYPES, Hogwild
    except ImportError as reason:
        yield Absent("PyTorch", f"not installed ({reason})")
        return
    kind, M = workload.size
    given = problem(kind, quick)
    for dtype in TYPES:
        team = Hogwild(given, M, p, dtype, 0.0)

        def race(rate: float, seed: int, team: Any = team) -> Iterator[tuple[float, Any]]:
            # Its processes draw on from where they were: a seed has nothing to change.
            team.reset(rate)
            while True:
                yield team.run(len(given.y)).seconds, team.x

        name, computes = f"PyTorch {dtype}", f"the same loss in {dtype}"
        yield racer(name, "peer", p, race, workload, computes, quick, team.team.close)
