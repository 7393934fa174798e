"""Panels with axes, curves and cells: from numbers to the marks of a canvas."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ._canvas import Canvas, Line, Mark, Polygon, Text

__all__ = ["COLOURS", "Cell", "Chart", "Panel", "Series", "shade"]

#: Okabe and Ito's colours, which the colour-blind can tell apart; the last for references.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f")
#: From few to many, or from bad to good, alike in grey.
SCALE = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
WIDTH, HEIGHT = 330.0, 250.0
LEFT, RIGHT, TOP, BOTTOM = 56.0, 14.0, 26.0, 40.0
SIZE, SMALL = 9.0, 8.0
INK, GRID = "#222222", "#e4e4e4"
#: Mean width of a character of DejaVu Sans, as a share of its size: for the box of a legend.
WIDE = 0.6
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
DOT = 2.7


def shade(share: float) -> str:
    """Return the colour at a share of the scale, 0 to 1."""
    place = min(max(share, 0.0), 1.0) * (len(SCALE) - 1)
    i = min(int(place), len(SCALE) - 2)
    mixed = (round(a + (place - i) * (b - a)) for a, b in zip(SCALE[i], SCALE[i + 1], strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)


@dataclass(frozen=True)
class Series:
    """A curve, points with their intervals, or both.

    Attributes
    ----------
    label : str
        In the legend; empty for none.
    x, y : sequence of float
        What is not finite is left out.
    low, high : sequence of float
        Ends of intervals around y, or empty; nan for none.
    colour : str
    line, dots : bool
        What is drawn.
    hollow : bool
        Dots are rings.
    dash : tuple of float
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    colour: str = COLOURS[0]
    line: bool = True
    dots: bool = True
    hollow: bool = False
    dash: tuple[float, ...] = ()


@dataclass(frozen=True)
class Cell:
    """A coloured cell with words, from (x0, y0) to (x1, y1)."""

    x0: float
    x1: float
    y0: float
    y1: float
    fill: str
    words: str
    ink: str


@dataclass(frozen=True)
class Panel:
    """One pair of axes.

    Attributes
    ----------
    legend : str
        Its corner, such as "upper left"; empty for none.
    ticks : pair of sequences of float
        Where the axes are labelled, and what they reach at the least; chosen if empty.
    """

    title: str
    xlabel: str
    ylabel: str
    series: tuple[Series, ...] = ()
    cells: tuple[Cell, ...] = ()
    log: tuple[bool, bool] = (False, False)
    legend: str = "upper right"
    ticks: tuple[Sequence[float], Sequence[float]] = field(default=((), ()))


@dataclass(frozen=True)
class Chart:
    """Panels in rows, and a line of words below each of which is said as it is.

    Attributes
    ----------
    title : str
    rows : tuple of tuple of Panel
    notes : tuple of str
        What is measured, what is not.
    width, height : float
        Of one panel, in points.
    """

    title: str
    rows: tuple[tuple[Panel, ...], ...]
    notes: tuple[str, ...]
    width: float = WIDTH
    height: float = HEIGHT

    def canvas(self) -> Canvas:
        """Lay everything out."""
        width = self.width * max(map(len, self.rows))
        marks: list[Mark] = [Text(LEFT, 16, self.title, SIZE + 2, bold=True, colour=INK)]
        y = 24.0
        for row in self.rows:
            for number, panel in enumerate(row):
                marks += _Frame(panel, number * self.width, y, self.width, self.height).marks()
            y += self.height
        for note in self.notes:
            for line in _wrapped(note, int((width - LEFT - RIGHT) / (SMALL * 0.56))):
                y += SMALL * 1.45
                marks.append(Text(LEFT, y, line, SMALL, colour="#555555"))
        about = " ".join((*(p.title for row in self.rows for p in row), *self.notes))
        return Canvas(width, y + 10, tuple(marks), self.title, about)


class _Axis:
    """One axis: from values to places, and where it is labelled."""

    def __init__(
        self, values: list[float], log: bool, start: float, end: float, at: Sequence[float]
    ) -> None:
        self.log, self.start, self.end = log, start, end
        known = [v for v in (*values, *at) if math.isfinite(v) and (v > 0 or not log)]
        low, high = (min(known), max(known)) if known else (1.0, 2.0)
        a, b = (math.log10(low), math.log10(high)) if log else (low, high)
        if not log and 0 < a < 0.6 * b:
            a = 0.0
        margin = 0.05 * (b - a) or 0.5
        self.low = a if a == 0 and not log else a - margin
        self.high = b + margin
        self.ticks = list(at) or (self._decades() if log else self._steps())

    def place(self, value: float) -> float:
        """Return where a value lies."""
        scaled = math.log10(value) if self.log else value
        return self.start + (scaled - self.low) / (self.high - self.low) * (self.end - self.start)

    def draws(self, value: float) -> bool:
        """Tell whether a value has a place."""
        return math.isfinite(value) and (value > 0 or not self.log)

    def _steps(self) -> list[float]:
        """Return round numbers, six at most or so."""
        rough = (self.high - self.low) / 6
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [i * step for i in range(first, last + 1)]

    def _decades(self) -> list[float]:
        """Return powers of ten; within less than two of them, 1, 2 and 5 times such."""
        first, last = math.floor(self.low), math.ceil(self.high)
        factors = (1,) if self.high - self.low >= 2 else (1, 2, 5)
        found = [m * 10.0**e for e in range(first, last + 1) for m in factors]
        return [v for v in found if self.low <= math.log10(v) <= self.high]

    def label(self, value: float) -> str:
        """Write a tick."""
        if self.log and (value >= 10_000 or value < 0.01):
            power = math.floor(math.log10(value) + 1e-9)
            factor = value / 10.0**power
            ten = "10" + str(power).translate(SUPERSCRIPTS)
            return ten if abs(factor - 1) < 1e-6 else f"{factor:g}·{ten}"
        return f"{value:,.10g}"


class _Frame:
    """One panel at its place on the canvas."""

    def __init__(self, panel: Panel, x: float, y: float, width: float, height: float) -> None:
        self.panel = panel
        self.left, self.right = x + LEFT, x + width - RIGHT
        self.top, self.bottom = y + TOP, y + height - BOTTOM
        xs = [v for s in panel.series for v in s.x]
        ys = [v for s in panel.series for v in (*s.y, *s.low, *s.high)]
        xs += [v for c in panel.cells for v in (c.x0, c.x1)]
        ys += [v for c in panel.cells for v in (c.y0, c.y1)]
        self.x = _Axis(xs, panel.log[0], self.left, self.right, panel.ticks[0])
        self.y = _Axis(ys, panel.log[1], self.bottom, self.top, panel.ticks[1])

    def marks(self) -> list[Mark]:
        """Return all of the panel."""
        inside: list[Mark] = []
        for cell in self.panel.cells:
            inside.append(self._cell(cell))
        for series in self.panel.series:
            inside += self._series(series)
        for cell in self.panel.cells:
            inside.append(self._words(cell))
        return [*self._axes(), *inside, *self._legend()]

    def _axes(self) -> list[Mark]:
        panel, middle = self.panel, (self.left + self.right) / 2
        grid: list[Mark] = []
        words: list[Mark] = [
            Text(middle, self.top - 7, panel.title, SIZE, "middle", INK, bold=True),
            Text(middle, self.bottom + 30, panel.xlabel, SIZE, "middle", INK),
            Text(
                self.left - 42, (self.top + self.bottom) / 2, panel.ylabel, SIZE, "middle", INK,
                upward=True,
            ),
        ]  # fmt: skip
        for value in self.x.ticks:
            at = self.x.place(value)
            grid.append(Line(((at, self.top), (at, self.bottom)), GRID, 0.7))
            words.append(Text(at, self.bottom + 13, self.x.label(value), SMALL, "middle", INK))
        for value in self.y.ticks:
            at = self.y.place(value)
            grid.append(Line(((self.left, at), (self.right, at)), GRID, 0.7))
            words.append(Text(self.left - 4, at + 3, self.y.label(value), SMALL, "end", INK))
        corner = (self.left, self.top), (self.left, self.bottom), (self.right, self.bottom)
        return [*grid, Line(corner, INK, 0.9), *words]

    def _cell(self, cell: Cell) -> Polygon:
        x0, x1 = self.x.place(cell.x0), self.x.place(cell.x1)
        y0, y1 = self.y.place(cell.y0), self.y.place(cell.y1)
        return Polygon(((x0, y0), (x1, y0), (x1, y1), (x0, y1)), cell.fill)

    def _words(self, cell: Cell) -> Text:
        x = (self.x.place(cell.x0) + self.x.place(cell.x1)) / 2
        y = (self.y.place(cell.y0) + self.y.place(cell.y1)) / 2
        return Text(x, y + 2.2, cell.words, 6.2, "middle", cell.ink)

    def _series(self, series: Series) -> list[Mark]:
        marks: list[Mark] = []
        runs: list[list[tuple[float, float]]] = [[]]
        for x, y in zip(series.x, series.y, strict=True):
            if self.x.draws(x) and self.y.draws(y):
                runs[-1].append((self.x.place(x), self.y.place(y)))
            else:  # a gap in the curve
                runs.append([])
        for x, low, high in zip(series.x, series.low, series.high, strict=False):
            if self.x.draws(x) and math.isfinite(low) and self.y.draws(high):
                # An end at or below 0 has no place on a log axis: the bar goes to its foot.
                at, ends = self.x.place(x), [e for e in (low, high) if self.y.draws(e)]
                foot = self.y.place(low) if self.y.draws(low) else self.bottom
                marks.append(Line(((at, foot), (at, self.y.place(high))), series.colour, 1.0))
                marks += [
                    Line(((at - 2.5, y), (at + 2.5, y)), series.colour, 1.0)
                    for y in map(self.y.place, ends)
                ]
        if series.line:
            marks += [
                Line(tuple(run), series.colour, 1.3, series.dash) for run in runs if len(run) > 1
            ]
        if series.dots:
            marks += [_dot(series, *point) for run in runs for point in run]
        return marks

    def _legend(self) -> list[Mark]:
        shown = [s for s in self.panel.series if s.label]
        if not shown or not self.panel.legend:
            return []
        width = 26 + max(len(s.label) for s in shown) * SMALL * WIDE
        height = 11.5 * len(shown) + 4
        upper, left = "upper" in self.panel.legend, "left" in self.panel.legend
        x = self.left + 5 if left else self.right - width - 2
        y = self.top + 3 if upper else self.bottom - height - 5
        box = ((x, y), (x + width, y), (x + width, y + height), (x, y + height))
        marks: list[Mark] = [Polygon(box, "#ffffff", opacity=0.85)]
        for number, series in enumerate(shown):
            at = y + 8 + 11.5 * number
            if series.line:
                ends = ((x + 3, at), (x + 19, at))
                marks.append(Line(ends, series.colour, 1.3, series.dash))
            if series.dots:
                marks.append(_dot(series, x + 11, at))
            marks.append(Text(x + 23, at + 3, series.label, SMALL, colour=INK))
        return marks


def _dot(series: Series, x: float, y: float) -> Polygon:
    """Return a point: a disc of twelve corners, or a ring."""
    corners = tuple(
        (x + DOT * math.cos(k * math.pi / 6), y + DOT * math.sin(k * math.pi / 6))
        for k in range(12)
    )
    return Polygon(corners, "#ffffff" if series.hollow else series.colour, series.colour)


def _wrapped(text: str, width: int) -> list[str]:
    """Break a text into lines of so many characters."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def edges(values: Sequence[float]) -> list[float]:
    """Return where cells around these positive values meet, halfway on a log scale."""
    logs = [math.log(v) for v in values]
    middles = [(a + b) / 2 for a, b in pairwise(logs)]
    ends = 2 * logs[0] - middles[0], 2 * logs[-1] - middles[-1]
    return [math.exp(v) for v in (ends[0], *middles, ends[1])]
