"""A picture as a list of marks, and its three formats.

The SVG is written here, with text as text, so that its bytes depend on the marks alone: on no
version of any drawing library, on no font of the machine. PDF and PNG of the same marks are made
by matplotlib, without dates and with its DejaVu Sans embedded; their bytes are one for one version
of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "Canvas", "Line", "Polygon", "Text"]

FORMATS = ("svg", "pdf", "png")
FONT = "DejaVu Sans"
#: Pixels of the PNG to an inch; a canvas has 72 units to an inch.
DPI = 144
#: Where SVG has a word, matplotlib has another.
ALIGN = {"start": "left", "middle": "center", "end": "right"}


@dataclass(frozen=True)
class Line:
    """A line through points; `dash` are lengths of strokes and gaps."""

    points: tuple[tuple[float, float], ...]
    colour: str = "#000000"
    width: float = 1.0
    dash: tuple[float, ...] = ()


@dataclass(frozen=True)
class Polygon:
    """A filled outline."""

    points: tuple[tuple[float, float], ...]
    fill: str
    colour: str = "none"
    opacity: float = 1.0


@dataclass(frozen=True)
class Text:
    """Words whose baseline starts, has its middle or ends at a point; `upward` is turned left."""

    x: float
    y: float
    words: str
    size: float = 9.0
    anchor: str = "start"
    colour: str = "#000000"
    bold: bool = False
    upward: bool = False


Mark = Line | Polygon | Text


def _number(value: float) -> str:
    """Return a coordinate to a hundredth of a unit, without idle digits and without -0."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _points(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{_number(x)},{_number(y)}" for x, y in points)


@dataclass(frozen=True)
class Canvas:
    """Marks on white paper.

    Attributes
    ----------
    width, height : float
        In points, 72 to an inch; y grows downwards.
    marks : tuple of Line, Polygon, Text
        Later ones lie on top.
    title, about : str
        For those who cannot see it.
    """

    width: float
    height: float
    marks: tuple[Mark, ...]
    title: str
    about: str

    def svg(self) -> str:
        """Return the picture as SVG."""
        size = f"{_number(self.width)} {_number(self.height)}"
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" role="img"',
            f'  width="{_number(self.width)}pt" height="{_number(self.height)}pt"'
            f" font-family=\"'{FONT}', Verdana, sans-serif\">",
            f"<title>{escape(self.title)}</title>",
            f"<desc>{escape(self.about)}</desc>",
            '<rect width="100%" height="100%" fill="#ffffff"/>',
            *map(_element, self.marks),
            "</svg>",
        ]
        return "\n".join(lines) + "\n"

    def save(self, prefix: Path) -> list[Path]:
        """Write ``prefix.svg``, ``.pdf`` and ``.png``."""
        from matplotlib import rc_context

        paths = [prefix.with_name(f"{prefix.name}.{kind}") for kind in FORMATS]
        paths[0].write_text(self.svg(), encoding="utf-8")
        # Type 42 embeds the font itself; without a date and a version the bytes repeat.
        with rc_context({"pdf.fonttype": 42, "font.family": FONT, "path.simplify": False}):
            figure = self.figure()
            undated = {"Creator": None, "Producer": None, "CreationDate": None}
            figure.savefig(paths[1], metadata=undated)
            figure.savefig(paths[2], dpi=DPI, metadata={"Software": None})
        return paths

    def figure(self) -> Figure:
        """Return the picture as a figure of matplotlib."""
        from matplotlib.figure import Figure
        from matplotlib.lines import Line2D
        from matplotlib.patches import Polygon as Patch

        figure = Figure(figsize=(self.width / 72, self.height / 72), facecolor="white")
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set_axis_off()
        axes.set_xlim(0, self.width)
        axes.set_ylim(self.height, 0)
        for order, mark in enumerate(self.marks):
            if isinstance(mark, Line):
                x, y = zip(*mark.points, strict=True)
                # Dashes of matplotlib are in units of the width of the line.
                dash = tuple(d / mark.width for d in mark.dash)
                style = (0.0, dash) if dash else None
                axes.add_line(
                    Line2D(
                        x, y, color=mark.colour, linewidth=mark.width, linestyle=style, zorder=order
                    )
                )
            elif isinstance(mark, Polygon):
                axes.add_patch(
                    Patch(
                        mark.points, closed=True, facecolor=mark.fill, edgecolor=mark.colour,
                        alpha=mark.opacity, linewidth=1.0, zorder=order,
                    )
                )  # fmt: skip
            else:
                axes.text(
                    mark.x, mark.y, mark.words.replace("$", r"\$"), fontsize=mark.size,
                    color=mark.colour, ha=ALIGN[mark.anchor], va="baseline", zorder=order,
                    fontweight="bold" if mark.bold else "normal",
                    rotation=90 if mark.upward else 0, rotation_mode="anchor",
                )  # fmt: skip
        return figure


def _element(mark: Mark) -> str:
    """Return one mark as an element of SVG."""
    if isinstance(mark, Line):
        dash = f' stroke-dasharray="{" ".join(map(_number, mark.dash))}"' if mark.dash else ""
        return (
            f'<polyline points="{_points(mark.points)}" fill="none" stroke="{mark.colour}"'
            f' stroke-width="{_number(mark.width)}"{dash}/>'
        )
    if isinstance(mark, Polygon):
        thin = f' fill-opacity="{_number(mark.opacity)}"' if mark.opacity < 1 else ""
        edge = f' stroke="{mark.colour}"' if mark.colour != "none" else ""
        return f'<polygon points="{_points(mark.points)}" fill="{mark.fill}"{edge}{thin}/>'
    bold = ' font-weight="bold"' if mark.bold else ""
    anchor = f' text-anchor="{mark.anchor}"' if mark.anchor != "start" else ""
    colour = f' fill="{mark.colour}"' if mark.colour != "#000000" else ""
    turn = f' transform="rotate(-90 {_number(mark.x)} {_number(mark.y)})"' if mark.upward else ""
    return (
        f'<text x="{_number(mark.x)}" y="{_number(mark.y)}" font-size="{_number(mark.size)}"'
        f"{anchor}{colour}{bold}{turn}>{escape(mark.words)}</text>"
    )
