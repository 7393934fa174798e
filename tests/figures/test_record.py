"""Records: gone on with, cut off, foreign."""

import json

import pytest

from asysg import InvalidArgument, figures
from asysg.figures import _record, _reproduce
from asysg.figures._experiment import Asked

from .conftest import DOCS, read_lines

RECORDS = DOCS / "figures" / "records"


class Counting:
    """An experiment of five tasks that counts them, and may be interrupted."""

    def __init__(self, stop_at=None):
        self.stop_at, self.ran = stop_at, []

    def check(self, asked):
        pass

    def settings(self, asked):
        return {"quick": asked.quick, "seed": asked.seed}

    def tasks(self, settings):
        return [{"i": i} for i in range(5)]

    def run(self, settings, task, done, asked):
        if task["i"] == self.stop_at:
            raise KeyboardInterrupt
        self.ran.append(task["i"])
        return {"square": task["i"] ** 2, "before": len(done), "odd": float("inf")}


def go(monkeypatch, folder, experiment, **asked):
    monkeypatch.setattr(_reproduce, "EXPERIMENTS", {"tightness": experiment})
    return _reproduce.run(["tightness"], folder, Asked(**asked))[0]


def test_an_interrupted_run_goes_on(monkeypatch, tmp_path):
    first, second = Counting(stop_at=3), Counting()
    with pytest.raises(KeyboardInterrupt):
        go(monkeypatch, tmp_path, first)
    assert len(read_lines(tmp_path / "tightness.jsonl")[1]) == 3
    record = go(monkeypatch, tmp_path, second)
    assert (first.ran, second.ran) == ([0, 1, 2], [3, 4])
    assert [line["square"] for line in record.lines] == [0, 1, 4, 9, 16]
    assert [line["before"] for line in record.lines] == [0, 1, 2, 3, 4]
    # What is in memory is what is in the file, infinity in words.
    assert read_lines(tmp_path / "tightness.jsonl")[1] == list(record.lines)
    assert record.lines[0]["odd"] == "inf"
    third = Counting()
    assert go(monkeypatch, tmp_path, third) == record
    assert third.ran == []


@pytest.mark.parametrize("left", [0, 1, 30, -1, -20])
def test_a_line_that_was_cut_off_is_run_again(monkeypatch, tmp_path, left):
    path = tmp_path / "tightness.jsonl"
    whole = go(monkeypatch, tmp_path, Counting())
    kept = path.read_bytes()
    path.write_bytes(kept[:left])
    again = go(monkeypatch, tmp_path, Counting())
    assert [line["task"] for line in again.lines] == [line["task"] for line in whole.lines]
    assert path.read_bytes().endswith(b"\n")


def test_other_settings_are_refused(monkeypatch, tmp_path):
    go(monkeypatch, tmp_path, Counting(), seed=1)
    before = (tmp_path / "tightness.jsonl").read_bytes()
    with pytest.raises(InvalidArgument, match=r"must have the same seed .* got 1 .* has 2"):
        go(monkeypatch, tmp_path, Counting(), seed=2)
    monkeypatch.setattr(_record, "cpu", lambda: "another")
    with pytest.raises(InvalidArgument, match=r"must have the same cpu .* has another"):
        go(monkeypatch, tmp_path, Counting(), seed=1)
    assert (tmp_path / "tightness.jsonl").read_bytes() == before


def test_a_record_has_one_writer(monkeypatch, tmp_path):
    with (
        _record.alone(tmp_path / "tightness.jsonl"),
        pytest.raises(InvalidArgument, match="must be written by one process"),
    ):
        go(monkeypatch, tmp_path, Counting())
    assert len(go(monkeypatch, tmp_path, Counting()).lines) == 5


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("not JSON\n", "line 1, must be JSON"),
        ("[1]\n", "line 1, must be JSON"),
        ('{"record": "another"}\n', "must begin with the head of a record"),
        ("a file of someone else", "must begin with the head of a record"),
    ],
)
def test_foreign_files_are_refused_and_left_alone(monkeypatch, tmp_path, text, match):
    path = tmp_path / "tightness.jsonl"
    path.write_text(text)
    with pytest.raises(InvalidArgument, match=match):
        figures.redraw(["tightness"], tmp_path, tmp_path)
    with pytest.raises(InvalidArgument, match=match):
        go(monkeypatch, tmp_path, Counting())
    assert path.read_text() == text


def test_what_cannot_be_drawn_is_refused(tmp_path):
    lines = (RECORDS / "tightness.jsonl").read_text().splitlines(keepends=True)
    path = tmp_path / "tightness.jsonl"
    for changed, match in (
        (lines[:-1], "must be complete, got 71 of 72 runs"),
        ([*lines, lines[3]], "line 74, must be a task of its head, once"),
        ([*lines, '{"task": {"T": 99}}\n'], "line 74, must be a task of its head"),
        ([*lines, "{}\n"], "line 74, must be a task of its head, once, got None"),
        ([lines[0].replace("tightness", "rate"), *lines[1:]], "must be a record of tightness"),
    ):
        path.write_text("".join(changed))
        with pytest.raises(InvalidArgument, match=match):
            figures.redraw(["tightness"], tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    path.unlink()
    with pytest.raises(InvalidArgument, match="must be a readable record"):
        figures.redraw(["tightness"], tmp_path, tmp_path)


def test_the_head_says_on_what_it_was_run(tmp_path):
    head = _record.head("rate", {"seed": 3})
    assert {"record", "experiment", "settings", "cpu", "cores", "python", "asysg"} <= set(head)
    assert json.loads(_record.written(head)) == head
    assert head["cores"] >= 1


def test_committed_records_say_on_what_they_were_run(committed):
    for head, lines in committed.values():
        assert {"cpu", "cores", "python", "numpy", "asysg"} <= set(head)
        assert "seed" in head["settings"]
        assert all({"task", "how"} <= set(line) for line in lines)
        runs = [line for line in lines if "status" in line]
        assert all({"staleness_max", "staleness_mean"} <= set(line) for line in runs)
