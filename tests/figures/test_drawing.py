"""Canvas, chart and table: where things lie, and that bytes repeat."""

import re
import xml.etree.ElementTree as ET

import pytest

from asysg.figures._canvas import Canvas, Line, Polygon, Text
from asysg.figures._chart import Cell, Chart, Panel, Series, edges, shade
from asysg.figures._table import Table, interval
from asysg.simulate.speedups import Interval

SVG = "{http://www.w3.org/2000/svg}"
NAN = float("nan")


def chart(**options):
    series = Series("a < b & $c$", [1, 10, 100], [1.0, NAN, 3.0], [0.5, NAN, -1.0], [2.0, NAN, 4.0])
    return Chart("Title", ((Panel("p", "x", "y", (series,), **options),),), ("One note.",))


def places(root, kind):
    return [e.attrib["points"] for e in root.iter(f"{SVG}{kind}")]


def test_svg_is_well_formed_and_keeps_text_as_text():
    root = ET.fromstring(chart().canvas().svg())
    words = [e.text for e in root.iter(f"{SVG}text")]
    assert {"Title", "p", "x", "y", "a < b & $c$", "One note."} <= set(words)
    assert root.find(f"{SVG}title").text == "Title"
    assert "One note." in root.find(f"{SVG}desc").text


def test_numbers_are_short_and_have_one_spelling():
    svg = Canvas(10, 10, (Line(((-0.0001, 1 / 3), (2.0, 2.50))),), "t", "a").svg()
    assert 'points="0,0.33 2,2.5"' in svg


def test_pdf_and_png_repeat_have_no_date_and_embed_the_font(tmp_path):
    canvas = chart(log=(True, False)).canvas()
    first = [path.read_bytes() for path in canvas.save(tmp_path / "a")]
    second = [path.read_bytes() for path in canvas.save(tmp_path / "b")]
    assert first == second
    _, pdf, png = first
    assert b"/FontFile2" in pdf
    assert b"DejaVuSans" in pdf
    assert b"CreationDate" not in pdf
    assert b"Matplotlib" not in pdf + png
    assert png.startswith(b"\x89PNG")


@pytest.mark.parametrize("log", [False, True])
def test_points_lie_where_the_axis_says(log):
    """Three dots, evenly spaced on the scale, lie evenly spaced on the paper."""
    x = [1.0, 10.0, 100.0] if log else [1.0, 2.0, 3.0]
    series = Series("", x, x, line=False)
    panel = Panel("", "", "", (series,), log=(log, log))
    root = ET.fromstring(Chart("", ((panel,),), ()).canvas().svg())
    dots = [
        [tuple(map(float, pair.split(","))) for pair in points.split()]
        for points in places(root, "polygon")
    ]
    assert len(dots) == 3
    centres = [tuple(sum(c) / 12 for c in zip(*dot, strict=True)) for dot in dots]
    (x0, y0), (x1, y1), (x2, y2) = centres
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.02)
    assert y1 - y0 == pytest.approx(y2 - y1, abs=0.02)
    assert x0 < x1
    assert y0 > y1


def test_what_is_not_finite_is_a_gap_and_bars_may_reach_below_zero():
    log = ET.fromstring(chart(log=(True, True)).canvas().svg())
    linear = ET.fromstring(chart().canvas().svg())
    # A curve with a hole in the middle of three points has no stretch to draw.
    blue = 'stroke="#0072b2"'
    for root in (log, linear):
        text = ET.tostring(root, encoding="unicode")
        assert "nan" not in text
        assert "inf" not in text
        assert blue in text
    assert len(places(linear, "polyline")) > 0


def test_ticks():
    root = ET.fromstring(chart(log=(True, False)).canvas().svg())
    words = {e.text for e in root.iter(f"{SVG}text")}
    assert {"1", "10", "100"} <= words
    far = Series("", [1, 1e6], [1e-6, 1.0])
    chart_far = Chart("", ((Panel("", "", "", (far,), log=(True, True)),),), ())
    words = {e.text for e in ET.fromstring(chart_far.canvas().svg()).iter(f"{SVG}text")}
    assert {"10⁶", "10⁻⁶", "1,000"} <= words


def test_cells_meet_halfway():
    assert edges([1, 4, 16]) == pytest.approx([0.5, 2, 8, 32])
    cell = Cell(1, 2, 1, 2, shade(0), "0.50", "#fff")
    panel = Panel("", "", "", cells=(cell,), log=(True, True))
    svg = Chart("", ((panel,),), ()).canvas().svg()
    assert re.search(r'<polygon [^>]*fill="#440154"', svg)
    assert ">0.50<" in svg


@pytest.mark.parametrize(("share", "colour"), [(-1, "#440154"), (0.5, "#21918c"), (2, "#fde725")])
def test_shades(share, colour):
    assert shade(share) == colour


def test_marks_of_matplotlib_are_those_of_the_svg():
    marks = (
        Line(((1, 1), (5, 5)), dash=(2, 2)),
        Polygon(((1, 1), (2, 1), (2, 2)), "#ff0000"),
        Text(3, 3, "words", upward=True),
    )
    canvas = Canvas(20, 10, marks, "t", "a")
    axes = canvas.figure().axes[0]
    assert [len(axes.lines), len(axes.patches), len(axes.texts)] == [1, 1, 1]
    assert axes.get_ylim() == (10, 0)
    assert axes.texts[0].get_rotation() == 90
    assert "rotate(-90 3 3)" in canvas.svg()


def test_a_table_in_three_formats():
    table = Table(
        "T", ("a", "b"), (("x", "1*"), ("yy", "")), ({"a": 1.5}, {"a": 2, "b": 3}), ("*: n",)
    )
    assert table.text() == "T\n\na    b\nx   1*\nyy\n\n*: n\n"
    assert table.csv() == "a,b\n1.5,\n2,3\n"
    rst = table.rst()
    assert rst.startswith(".. list-table:: T\n   :header-rows: 1\n\n   * - a\n     - b\n")
    assert r"     - 1\*" in rst
    assert rst.endswith("\\*: n\n")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([2.0], "2"),
        ([2.0, 2.0], "2 [2, 2]"),
        ([2.0, NAN, 2.0], "2 [2, 2] (2 of 3)"),
        ([2.0, NAN], "2 (1 of 2)"),
        ([NAN], "never"),
    ],
)
def test_a_cell_says_of_how_many_replicates_it_is(values, said):
    assert interval(Interval.around(values)) == said
