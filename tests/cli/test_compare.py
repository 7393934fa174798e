"""``asysg compare``, and the page that says what each method is certified by."""

import json
from pathlib import Path

import pytest

from asysg import _minimize
from asysg.cli import main

SMALL = ["compare", "--workers", "3", "--updates", "300", "--replicates", "1", "--samples", "50"]
PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "methods.rst"


def test_table_and_files(tmp_path, capsys):
    out = tmp_path / "c"
    assert main([*SMALL, "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "SIMULATED workers" in shown
    assert "no theorem: reads made of earlier updates" in shown
    rows = [json.loads(line) for line in out.with_name("c.jsonl").read_text().splitlines()]
    assert {row["method"] for row in rows} == set(_minimize.METHODS) - {"hogwild"}
    assert out.with_name("c.png").stat().st_size > 1000


def test_json_and_speeds(capsys):
    words = [*SMALL, "--speeds", "two-classes", "--spread", "50", "--steplength", "0.2", "--json"]
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert "50 x slower" in found["speeds"]
    assert {row["steplength"] for row in found["rows"]} == {0.2}


def test_real_threads(capsys):
    assert main([*SMALL, "--workers", "1", "--threads"]) == 0
    assert "hogwild" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        ["--speeds", "exponential", "--spread", "2"],
        ["--threads", "--speeds", "exponential"],
        ["--threads", "--spread", "2"],
        ["--steplength", "best"],
        ["--workers", "0"],
        ["--seed", "-1"],
    ],
)
def test_bad_input(words, capsys):
    assert main([*SMALL, *words]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_page_has_every_method():
    text = PAGE.read_text()
    for method in _minimize.METHODS:
        assert f'* - ``"{method}"``' in text
