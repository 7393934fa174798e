"""What the report makes of turns. Runs with a plain ``pytest benchmarks``."""

import json

import pytest

from .goals import Goal, best, judge, reached, verdict
from .measure import Contestant, Reading, Turn, as_json, place, ratio, rounds, size, summary
from .report import Kept, arguments
from .tables import markdown, rst, time
from .workloads import chosen


def turns(*ns, where=""):
    return [Turn(number, one, where, answer=0.0) for number, one in enumerate(ns)]


@pytest.mark.parametrize(
    ("probes", "expected"),
    [
        ([], ""),
        ([30.0, 35.0], "near"),
        ([170.0, 160.0], "far"),
        ([30.0, 170.0], "unsteady"),
        ([95.0, 95.0], "unsteady"),
        ([170.0, 40_000.0], "unsteady"),
    ],
)
def test_place(probes, expected):
    """Probes must agree, and be neither between near and far nor those of a lost core."""
    assert place(probes) == expected


def test_ratio_is_taken_within_rounds():
    """A machine that slows down tenfold after the first round does not change who is faster."""
    found = ratio(turns(1.0, 10.0, 10.0), turns(2.0, 20.0, 20.0))
    assert found["median"] == 2.0
    assert found["spread"] == 0.0


def test_ratio_of_a_group_takes_rounds_where_both_were_there():
    ours = [*turns(1.0, 1.0, 1.0, where="near"), Turn(3, 9.0, "far")]
    theirs = turns(3.0, 3.0, 3.0, 3.0, where="near")
    assert ratio(ours, theirs, "near")["turns"] == 3
    assert ratio(ours, theirs, "far") is None
    assert ratio(turns(1.0, 1.0, 1.0), turns(2.0, 2.0, 2.0), "near") is None
    assert ratio(turns(1.0, 1.0), turns(2.0, 2.0)) is None


def test_everyone_takes_one_turn_a_round_between_two_probes():
    asked = []

    def contestant(name, threads):
        def run(count):
            asked.append(name)
            return Reading(2e-6, count, 1.0)

        return Contestant(name, "ours", threads, run, "nothing")

    both = [contestant("one", 1), contestant("two", 2)]
    found = rounds(both, {"one/1": 2, "two/2": 1}, 4, lambda: 30.0)
    assert [sorted(asked[k : k + 2]) for k in range(0, 8, 2)] == [["one", "two"]] * 4
    assert [turn.ns for turn in found["one/1"]] == [pytest.approx(1000.0)] * 4
    assert {turn.place for turn in found["one/1"]} == {""}
    assert [turn.probes for turn in found["two/2"]] == [[30.0, 30.0]] * 4
    assert summary(found["two/2"])["near"]["turns"] == 4


def test_size_finds_how_many_take_so_long():
    one = Contestant("x", "peer", 1, lambda count: Reading(1e-6 * count, count), "nothing")
    assert size(one, 0.3) == pytest.approx(300_000, rel=0.01)


def line(workload="W1", ours=50.0, theirs=200.0, where="near"):
    def one(name, role, ns):
        found = turns(ns, ns, ns, where=where)
        return {"name": name, "role": role, "threads": 2, "computes": name, "count": 1,
                "ns": summary(found), "turns": as_json(found)}  # fmt: skip

    contestants = [
        one("asysg atomic", "ours", ours),
        one("asysg lossy", "ours", ours / 2),
        one("asysg atomic, unrecorded", "ours", ours * 0.98),
        one("numba", "peer", theirs),
    ]
    return {"workload": workload, "what": "a task", "unit": "update", "contestants": contestants,
            "absent": {"other": "not installed"}, "floors": {"2": [25.0, "a reason"]}}  # fmt: skip


def test_goals_are_about_what_loses_no_update():
    """The lossy mode is twice as fast, and does not count."""
    assert best(line(), 2) == "asysg atomic"
    assert reached(Goal("W1", 2, 20e6), line()) == pytest.approx({"all": 2e7, "near": 2e7})
    assert reached(Goal("W1", 2, 3, "numba"), line()) == {"all": 4.0, "near": 4.0}
    assert reached(Goal("W1", 2, 3, "nobody"), line()) == {}


def test_verdict_is_that_of_the_worse_place():
    goal = Goal("W1", 2, 10.0)
    assert verdict(goal, {"all": 20.0, "near": 20.0, "far": 5.0}) == "missed: 50% of it (far)"
    assert verdict(goal, {"all": 5.0, "near": 20.0}) == "met, × 2.00 (near)"
    assert verdict(goal, {"all": 5.0}) == "missed: 50% of it (threads never steady)"
    assert verdict(Goal("W1", 1, 10.0), {"all": 5.0}) == "missed: 50% of it"
    assert verdict(goal, {}) == "not measured"


def test_the_tables_tell_what_is_in_the_record():
    record = {"machine": {"cpu": "C", "torch": None}, "quick": False, "rounds": 3, "seconds": 0.3,
              "limits": {"fma": 1.0}, "workloads": [line()]}  # fmt: skip
    text = markdown(record)
    assert len(text.splitlines()) < len(rst(record).splitlines())
    assert '"**asysg atomic**",2,"50 ns [50 ns, 50 ns]"' in rst(record).replace('"2"', "2")
    assert "cpu C, torch not installed" in text
    row = "| **asysg atomic** | 2 | 50 ns [50 ns, 50 ns] | 0% | 50 ns (3) |  |  | 50% |"
    assert row in text
    assert (
        "| numba | 2 | 200 ns [200 ns, 200 ns] | 0% | 200 ns (3) |  | × 4.00, × 4.00 near |" in text
    )
    assert "- **Not measured**: other: not installed." in text
    verdicts = {row[0]: row[-1] for row in judge({"W1": line()}, quick=False)}
    assert verdicts["W1, 2 threads: ≥ 3 × numba"] == "met, × 1.33 (near)"
    assert verdicts["W1, 2: sampled recording of asysg atomic costs < 3%"] == "met"


def test_a_report_goes_on_where_it_was(tmp_path):
    path, head = tmp_path / "lines", {"rounds": 3}
    Kept(path, head).add({"workload": "W1"})
    assert set(Kept(path, head).lines) == {"W1"}
    assert set(Kept(path, {"rounds": 4}).lines) == set()  # another report begins anew
    assert json.loads(path.read_text()) == {"rounds": 4}


def test_what_is_asked_for():
    assert [one.name for one in chosen(["W3", "W1"])] == ["W1", "W3-1", "W3-10", "W3-100"]
    with pytest.raises(ValueError, match="workloads must be among"):
        chosen(["W4"])
    with pytest.raises(SystemExit):
        arguments(["--rounds", "0"])
    assert time(1234.0) == "1.23 µs"
