"""How results are drawn: one function for each panel, for one result or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

from ._check import choice
from .theory import AdaptiveSteps

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .result import Result, Staleness

Results = Mapping[str, "Result"]

#: The colours of Okabe and Ito, which people with any kind of colour vision tell apart; curves
#: differ by their line too.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKS = ("o", "x", "s", "^")
LINES = ("-", "--", "-.", ":")
AGAINST = ("updates", "time")
#: Losses that differ by more than this factor are drawn on a logarithmic scale.
DECADES = 30.0


def of_result(result: Result, against: str = "updates") -> Figure:
    """Draw loss, gradient norm with its bound, and staleness of one run."""
    from matplotlib.figure import Figure

    choice("against", against, AGAINST)
    figure = Figure(figsize=(13, 3.9), layout="constrained")
    panels(figure.subplots(1, 3), {"": result}, against)
    figure.suptitle(heading(result), fontsize="medium")
    return figure


def panels(axes: Sequence[Axes], results: Results, against: str) -> None:
    """Draw the three panels that every result has."""
    loss(axes[0], results, against)
    norm(axes[1], results, against)
    staleness(axes[2], {name: result.staleness for name, result in results.items()})


def heading(result: Result) -> str:
    """Return what was run, in one line."""
    how = result.scheduler or f"{result.n_threads_used} thread{'s' * (result.n_threads_used > 1)}"
    how = f"SIMULATED: {how}" if result.simulated else how
    return f"{result.method}, {how}, {result.nit:,} updates: {result.status}"


def empty(axes: Axes, why: str) -> None:
    """Say why there is nothing to see."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.text(0.5, 0.5, why, ha="center", va="center", wrap=True, transform=axes.transAxes)


def styles(count: int) -> list[dict[str, Any]]:
    """Return colours and lines, so many."""
    return [
        {"color": colour, "ls": line}
        for _, colour, line in zip(range(count), cycle(COLOURS), cycle(LINES), strict=False)
    ]


def abscissa(result: Result, against: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return what stands on the horizontal axis for each recorded iterate."""
    if against == "time":
        return result.trace.time
    return (result.trace.k - 1).astype(np.float64)


def unit(results: Results, against: str) -> str:
    """Return what the horizontal axis counts."""
    if against == "updates":
        return "updates"
    virtual = [result.simulated for result in results.values()]
    if any(virtual) and not all(virtual):
        return "seconds of computing, virtual ones of simulated runs"
    return "virtual seconds" if all(virtual) else "seconds of computing"


def loss(axes: Axes, results: Results, against: str) -> None:
    """Draw f at the recorded iterates."""
    what = "f(x) + h(x)" if any(result.prox for result in results.values()) else "f(x)"
    axes.set(title="loss", xlabel=unit(results, against), ylabel=what)
    drawn = []
    for (name, result), style in zip(results.items(), styles(len(results)), strict=True):
        x, y = abscissa(result, against), result.trace.f
        good = np.isfinite(x) & np.isfinite(y)
        axes.plot(x[good], y[good], label=name, **style)
        drawn.append(y[good])
    values = np.concatenate(drawn)
    if not values.size:
        empty(axes, nothing(results, against))
    elif values.min() > 0 and values.max() > DECADES * values.min():
        axes.set_yscale("log")
    if len(results) > 1 and values.size:
        axes.legend(fontsize="small")


def nothing(results: Results, against: str) -> str:
    """Say why no iterate can be drawn."""
    timed = any(np.isfinite(result.trace.time).any() for result in results.values())
    if against == "time" and not timed:
        return "no seconds: the delays were given,\nand nothing has a clock"
    return "no finite value was recorded"


def norm(axes: Axes, results: Results, against: str) -> None:
    """Draw the squared gradient norm, its mean as far as measured, and its bound."""
    proximal = any(result.prox for result in results.values())
    what = "‖gradient mapping‖²" if proximal else "‖∇f(x)‖²"
    axes.set(title="gradient norm, its mean and the bound on it", xlabel=unit(results, against))
    axes.set_ylabel(what)
    some = False
    for (name, result), style in zip(results.items(), styles(len(results)), strict=True):
        x, y = abscissa(result, against), result.trace.grad_norm_sq
        good = np.isfinite(x) & np.isfinite(y) & (y > 0)
        some = some or bool(good.any())
        before = f"{name}: " if name else ""
        colour = style["color"]
        axes.plot(x[good], y[good], lw=0.8, alpha=0.6, label=f"{before}recorded", **style)
        found = result.certificate.measured
        mean = "steplength-weighted mean" if adapts(result) else "ergodic mean"
        if found is not None and 0 < found < np.inf:
            axes.axhline(found, ls="--", color=colour, label=f"{before}{mean} {found:.3g}")
        line: dict[str, Any] = {"ls": "-", "lw": 2.0, "color": "k" if len(results) == 1 else colour}
        if drawable(result):
            bound = result.certificate.bound
            label = f"{before}bound {bound:.3g} (form {result.certificate.form!r})"
            axes.axhline(bound, label=label, **line)
        else:
            axes.plot([], [], " ", label=f"{before}{without_bound(result)}")
    if some:
        axes.set_yscale("log")
        axes.legend(fontsize="small")
    else:
        empty(axes, nothing(results, against))


def adapts(result: Result) -> bool:
    """Tell whether the steplengths adapted to the delays."""
    return isinstance(result.certificate.gamma, AdaptiveSteps)


def drawable(result: Result) -> bool:
    """Tell whether a theorem bounds the mean of this run, by a finite number."""
    certificate = result.certificate
    return bool(certificate.holds and 0 < certificate.bound < np.inf)


def without_bound(result: Result) -> str:
    """Say why no bound is drawn."""
    failed = [h.name for h in result.certificate.hypotheses if not h.holds]
    if failed:
        return f"no bound; fails: {', '.join(failed)}"
    return f"no bound to draw: it is {result.certificate.bound:.3g}"


def staleness(axes: Axes, seen: Mapping[str, Staleness]) -> None:
    """Draw how many updates had which delay, and mark the largest, T.

    On this axis a delay d begins at log2(d) + 1 (0 at 0), so that every bin of the histogram is
    as wide as the others and T ends where the last of its updates do.
    """
    axes.set(title="staleness", xlabel="delay, updates", ylabel="updates")
    counted = {name: one for name, one in seen.items() if one.histogram.any()}
    if not counted:
        empty(axes, unrecorded(next(iter(seen.values()))))
        return
    top = max(int(np.flatnonzero(one.histogram)[-1]) + 1 for one in counted.values())
    width = 0.9 / len(counted)
    for number, (name, style) in enumerate(zip(counted, styles(len(seen)), strict=False)):
        one, before = counted[name], f"{name}: " if name else ""
        left = np.arange(top) + 0.05 + number * width
        axes.bar(left, one.histogram[:top], width, align="edge", color=style["color"])
        axes.axvline(
            end_of(one.max or 0), color=style["color"], ls=style["ls"],
            label=f"{before}T = {one.max:,}, the largest",
        )  # fmt: skip
        if one.max_delay is not None:
            axes.axvline(
                end_of(one.max_delay), color="k", ls=":",
                label=f"{before}{one.max_delay:,} was enforced",
            )  # fmt: skip
    for name in seen.keys() - counted.keys():
        axes.plot([], [], " ", label=f"{name}: {unrecorded(seen[name])}")
    every = 1 + top // 9
    axes.set_xticks(
        [b + 0.5 for b in range(0, top, every)], [interval(b) for b in range(0, top, every)],
        fontsize="small",
    )  # fmt: skip
    axes.set_yscale("log")
    axes.legend(fontsize="small")


def unrecorded(staleness: Staleness) -> str:
    """Say why no delay was counted."""
    if staleness.max is None:
        return "no staleness recorded: record=False"
    return "one worker: every delay is 0"


def end_of(delay: int) -> float:
    """Return where a delay ends on the axis of `staleness`."""
    return float(np.log2(delay + 1)) + 1


def interval(b: int) -> str:
    """Return the delays of a bin in words."""
    if b < 2:
        return str(b)
    return f"{short(2 ** (b - 1))}–{short(2**b - 1)}"


def short(number: int) -> str:
    """Return a number in few characters."""
    return f"{number}" if number < 10_000 else f"{number:.0e}".replace("e+0", "e")


def speedup(
    axes: Axes,
    workers: Sequence[int],
    curves: Mapping[str, Sequence[float]],
    halves: Mapping[str, Sequence[float]] | None = None,
) -> None:
    """Draw speedups by number of workers, with half the widths of their intervals, if given."""
    axes.set(title="speedup to a loss they share", xlabel="workers", ylabel="speedup")
    p, drawn = np.array(workers), False
    marks = zip(curves.items(), styles(len(curves)), cycle(MARKS), strict=False)
    for (name, values), style, marker in marks:
        value = np.array(values, dtype=np.float64)
        good = np.isfinite(value)
        missing = f" (never reached by {', '.join(map(str, p[~good]))})" if not good.all() else ""
        error = None if halves is None else np.nan_to_num(np.array(halves[name]))[good]
        axes.errorbar(
            p[good], value[good], error, marker=marker, ms=9, mfc="none", capsize=3,
            label=name + missing, **style,
        )  # fmt: skip
        drawn = drawn or bool(good.any())
    if not drawn:
        empty(axes, "no run reached the loss they share")
        return
    ends = [p.min(), p.max()]
    axes.plot(ends, ends, "k:", lw=0.8, label="linear")
    axes.legend(fontsize="small")
