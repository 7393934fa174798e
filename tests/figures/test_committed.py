"""What the docs show is drawn from the committed records, byte for byte."""

import csv
import re

import pytest

from asysg import figures
from asysg.figures._reproduce import EXPERIMENTS, NAMES

from .conftest import DOCS

FIGURES = DOCS / "figures"
#: PDF and PNG depend on the version of matplotlib; SVG and tables on nothing but the records.
COMMITTED = (".svg", ".txt", ".rst", ".csv")


@pytest.fixture(scope="module")
def redrawn(tmp_path_factory):
    out = tmp_path_factory.mktemp("redrawn")
    return out, figures.redraw(["all"], FIGURES / "records", out)


def test_every_committed_figure_and_table_is_redrawn_byte_for_byte(redrawn):
    out, drawn = redrawn
    kept = {path.name for path in FIGURES.iterdir() if path.suffix in COMMITTED}
    assert kept == {path.name for path in drawn.files if path.suffix in COMMITTED}
    assert {f"{name}.svg" for name in NAMES if "table" not in name} <= kept
    differing = [
        name for name in sorted(kept) if (FIGURES / name).read_bytes() != (out / name).read_bytes()
    ]
    assert differing == []


def test_a_redraw_is_the_same_bytes_in_every_format(redrawn, tmp_path):
    out, drawn = redrawn
    again = figures.redraw(["all"], FIGURES / "records", tmp_path)
    assert [path.name for path in again.files] == [path.name for path in drawn.files]
    assert {path.suffix for path in drawn.files} == {*COMMITTED, ".pdf", ".png"}
    for path in again.files:
        assert path.read_bytes() == (out / path.name).read_bytes(), path.name


def test_records_are_of_full_runs_and_small(committed):
    assert set(committed) == set(EXPERIMENTS)
    for name, (head, lines) in committed.items():
        assert head["experiment"] == name
        assert head["settings"]["quick"] is False
        assert len(lines) == len(EXPERIMENTS[name].tasks(head["settings"]))
        assert (FIGURES / "records" / f"{name}.jsonl").stat().st_size < 200_000


def test_every_figure_and_table_is_shown_on_a_page():
    pages = [(DOCS / "explanation" / name).read_text() for name in ("figures.rst", "tightness.rst")]
    shown = set(re.findall(r"\.\./figures/([\w.]+)", "".join(pages)))
    assert shown == {path.name for path in FIGURES.iterdir() if path.suffix in (".svg", ".rst")}


def test_csv_has_the_rows_of_the_table(redrawn):
    _, drawn = redrawn
    for name, table in drawn.tables.items():
        with open(FIGURES / f"{name}.csv", newline="") as file:
            assert len(list(csv.DictReader(file))) == len(table.numbers)
