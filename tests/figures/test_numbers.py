"""The tables' numbers, computed again from the lines of the records by other means."""

import csv

import numpy as np
import pytest
from scipy import stats

from asysg.figures import phase
from asysg.theory import con

from .conftest import DOCS


def table(name):
    with open(DOCS / "figures" / f"{name}.csv", newline="") as file:
        return list(csv.DictReader(file))


def reached(line, target):
    """Return updates and seconds where the loss is first at most the target."""
    f = np.array(line["f"], dtype=float)
    j = int(np.argmax(f <= target))
    if j == 0:
        return line["k"][0] - 1, line["time"][0]
    part = (f[j - 1] - target) / (f[j - 1] - f[j])
    return tuple(
        (1 - part) * line[name][j - 1] + part * line[name][j] - (name == "k")
        for name in ("k", "time")
    )


def speedups(lines):
    """Return p iters_1 / iters_p and time_1 / time_p of every p, a row a replicate."""
    found = {}
    for r in sorted({line["task"]["replicate"] for line in lines}):
        mine = {x["task"]["workers"]: x for x in lines if x["task"]["replicate"] == r}
        target = np.median(np.concatenate([x["f"] for x in mine.values()]))
        (iters, time), both = reached(mine[1], target), {}
        for p, line in mine.items():
            updates, seconds = reached(line, target)
            both[p] = (p * iters / updates, time / seconds)
        for p, pair in both.items():
            found.setdefault(p, []).append(pair)
    return {p: np.array(pairs) for p, pairs in found.items()}


@pytest.mark.parametrize(
    ("experiment", "name", "real"),
    [("cluster", "table1", "ranks"), ("multicore", "table2", "threads")],
)
def test_speedups_are_by_the_authors_definition(committed, experiment, name, real):
    head, lines = committed[experiment]
    for kind, suffix in ((real, ""), ("virtual", "_simulated")):
        found = speedups([line for line in lines if line["task"]["what"] == kind])
        rows = table(name)
        assert [int(row["workers"]) for row in rows] == head["settings"]["workers"]
        for row in rows:
            pairs = found[int(row["workers"])]
            for column, what in enumerate(("iteration_speedup", "time_speedup")):
                values = pairs[:, column]
                assert float(row[what + suffix]) == pytest.approx(values.mean(), rel=1e-9)
                if len(values) > 1:
                    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
                    low = float(row[f"{what}{suffix}_low"])
                    assert low == pytest.approx(values.mean() - half, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    ("experiment", "name", "real", "more"),
    [("cluster", "table1", "ranks", 1), ("multicore", "table2", "threads", 0)],
)
def test_what_is_oversubscribed_is_said(committed, experiment, name, real, more):
    head, lines = committed[experiment]
    for row in table(name):
        scarce = int(row["workers"]) + more > head["cores"]
        assert row["seconds_are"] == ("oversubscribed" if scarce else "measured")
    hows = {line["task"]["what"]: line["how"] for line in lines}
    assert hows["virtual"] == "simulated"
    # The text marks just those.
    text = (DOCS / "figures" / f"{name}.txt").read_text()
    rows = [line for line in text.splitlines() if line.startswith(("mpi-", "thr-"))]
    marked = [row["seconds_are"] == "oversubscribed" for row in table(name)]
    assert ["*" in row for row in rows] == marked


def test_slopes_of_the_rate(committed):
    _, lines = committed["rate"]
    for row in table("rate"):
        mine = [
            x
            for x in lines
            if (x["task"]["method"], str(x["task"]["M"])) == (row["method"], row["M"])
        ]
        fits = []
        for r in sorted({x["task"]["replicate"] for x in mine}):
            those = [x for x in mine if x["task"]["replicate"] == r]
            x, y = ([x["task"]["K"] for x in those], [x["ergodic"] for x in those])
            fits.append(np.polyfit(np.log(x), np.log(y), 1)[0])
        assert float(row["slope"]) == pytest.approx(np.mean(fits), rel=1e-9)
        half = stats.t.ppf(0.975, len(fits) - 1) * stats.sem(fits)
        assert float(row["slope_low"]) == pytest.approx(np.mean(fits) - half, rel=1e-9)
        # The mean over replicates is below the bound at every K.
        for K in {x["task"]["K"] for x in mine}:
            those = [x for x in mine if x["task"]["K"] == K]
            assert np.mean([x["ergodic"] for x in those]) < those[0]["bound"]


def test_the_grid_of_the_phase_diagram(committed):
    head, lines = committed["phase"]
    norms = {}
    for line in lines:
        task = line["task"]
        norms.setdefault((task["T"], task["K"]), []).append(float(line["ergodic"]))
    rows = table("phase")
    assert len(rows) == len(norms)
    obj, x0 = phase.problem(head["settings"])
    for row in rows:
        T, K = int(row["T"]), int(row["K"])
        worth = (np.mean(norms[0, K]) / np.array(norms[T, K])) ** 2
        assert float(row["efficiency"]) == pytest.approx(worth.mean(), rel=1e-9)
        K_min = con.K_min(obj.constants(x0, T=T), M=1, T=T, form="paper")
        assert (int(row["K_min"]), row["guaranteed"]) == (K_min, str(K >= K_min))


def test_proven_limits_are_below_what_is_measured():
    for row in table("limits"):
        if "slope" in row["reading"]:
            continue
        measured, proven = float(row["measured"]), float(row["proven"])
        if row["reading"] == "Updates a delay needs":
            assert measured < proven
        else:
            assert measured > proven


@pytest.mark.parametrize(
    ("worth", "expected"),
    [
        ([0.0, 0.25, 0.75, 1.0], 10**1.5),
        ([0.6, 0.4, 0.6, 0.9], 10**1.5),  # the last time, where chance crosses thrice
        ([0.6, 0.7, 0.8, 0.9], np.nan),
        ([0.1, 0.2, 0.3, 0.4], np.nan),
    ],
)
def test_crossing(worth, expected):
    assert phase.crossing([1, 10, 100, 1000], worth) == pytest.approx(expected, nan_ok=True)
