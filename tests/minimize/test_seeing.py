"""What a run shows: figures, frames, the progress bar, monitors, messages."""

import json
import logging
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import asysg
from asysg import InvalidArgument, objectives, simulate
from asysg._figures import end_of, interval
from asysg._progress import said
from asysg.result import Staleness
from asysg.simulate import speeds, speedups

X0 = np.ones(20)


@pytest.fixture(scope="module")
def obj():
    return objectives.CosineQuadratic(20, sigma=0.1)


@pytest.fixture(scope="module")
def delayed(obj):
    """Return a simulated run with delays 0 to 5."""
    return simulate.minimize(
        obj, X0, steplength=0.02, n_updates=2000, delays=simulate.delays.uniform(T=5), rng=0
    )


def words(axes):
    """Return all that a panel says."""
    legend = axes.get_legend()
    said = [text.get_text() for text in (legend.get_texts() if legend else [])]
    return [*said, *(text.get_text() for text in axes.texts)]


def says(axes, text):
    return any(text in word for word in words(axes))


def levels(axes):
    """Return where the horizontal lines are."""
    return [line.get_ydata()[0] for line in axes.lines if len(set(line.get_ydata())) == 1]


def test_the_picture_of_a_run(delayed):
    loss, norm, delay = delayed.plot().axes
    assert loss.get_xlabel() == "updates"
    np.testing.assert_array_equal(loss.lines[0].get_xdata(), delayed.trace.k - 1)
    np.testing.assert_array_equal(loss.lines[0].get_ydata(), delayed.trace.f)
    certificate = delayed.certificate
    assert certificate.holds
    assert {certificate.measured, certificate.bound} <= set(levels(norm))
    assert norm.get_yscale() == "log"
    assert says(norm, f"bound {certificate.bound:.3g}")
    # The largest delay, 5, ends where 6 begins.
    assert [line.get_xdata()[0] for line in delay.lines] == [np.log2(6) + 1]
    assert says(delay, "T = 5")
    heights = [bar.get_height() for bar in delay.patches]
    np.testing.assert_array_equal(heights, delayed.staleness.histogram[: len(heights)])
    assert sum(heights) == 2000
    colours = {line.get_color() for line in (*loss.lines, *norm.lines)}
    assert colours <= {"#0072B2", "k"}


def test_a_bar_ends_where_its_delays_do():
    assert [interval(b) for b in range(5)] == ["0", "1", "2–3", "4–7", "8–15"]
    assert [end_of(2**b - 1) for b in range(1, 5)] == [2, 3, 4, 5]
    assert end_of(0) == 1


def test_panels_without_data_say_why(obj, delayed):
    run = {"steplength": 0.02, "n_updates": 500, "n_threads": 1, "rng": 0}
    assert says(asysg.minimize(obj, X0, **run).plot().axes[2], "T = 0")
    silent = asysg.minimize(obj, X0, record=False, **run)
    assert says(silent.plot().axes[2], "one worker")
    unknown = replace(silent, staleness=replace(silent.staleness, max=None, mean=None))
    assert says(unknown.plot().axes[2], "no staleness recorded: record=False")
    assert says(delayed.plot(against="time").axes[0], "no seconds")
    bad = objectives.Quadratic(np.eye(4), sigma=0.1)
    wild = asysg.minimize(bad, np.ones(4), steplength=50.0, n_updates=10**5, n_threads=1, rng=0)
    assert wild.status == "diverged"
    (why,) = (word for word in words(wild.plot().axes[1]) if word.startswith("no bound; fails: "))
    assert "all updates done" in why
    with pytest.raises(InvalidArgument, match="^against must be one of 'updates', 'time', got 'k'"):
        delayed.plot(against="k")


def test_the_picture_after_a_file_is_the_same(delayed, tmp_path):
    delayed.to_json(tmp_path / "result.json")
    back = asysg.Result.from_json(tmp_path / "result.json")
    assert [words(axes) for axes in back.plot().axes] == [
        words(axes) for axes in delayed.plot().axes
    ]


def test_several_results_in_one_picture(obj):
    runs = {
        p: simulate.minimize(obj, X0, n_workers=p, steplength=0.02, n_updates=2000, rng=0)
        for p in (1, 4)
    }
    figure = asysg.plot(runs, against="time")
    loss, norm, delay, speedup = figure.axes
    assert words(loss) == ["1 worker", "4 workers"]
    assert loss.get_xlabel() == "virtual seconds"
    assert len({line.get_color() for line in loss.lines}) == 2
    assert len({line.get_linestyle() for line in loss.lines}) == 2
    rows = speedups.curves_to_rows({p: res.trace for p, res in runs.items()})
    drawn = [line.get_ydata().tolist() for line in speedup.lines]
    assert [row.iteration_speedup for row in rows] in drawn
    assert [row.time_speedup for row in rows] in drawn
    assert says(norm, "4 workers: bound")
    assert says(delay, "4 workers: T = 3")


def test_no_speedup_is_made_up(obj, delayed):
    run = {"steplength": 0.02, "n_updates": 300, "n_threads": 1, "rng": 0}
    one = asysg.minimize(obj, X0, **run)
    other = asysg.minimize(obj, 2 * X0, **run)
    for results, why in (
        ([one, delayed], "how many virtual workers"),
        ([one, one], "several results of the same number"),
        ([one], "it takes a result of one worker and others"),
        ({2: one}, "it takes a result of one worker and others"),
        ({1: one, 2: other}, "methods, batch sizes, problems or starts differ"),
    ):
        assert says(asysg.plot(results).axes[3], f"no speedup: {why}"), why
    assert words(asysg.plot({"mine": one, "yours": other}).axes[0]) == ["mine", "yours"]
    for bad in ([], {}, 3, one):
        with pytest.raises(InvalidArgument, match="^results must hold one Result or more"):
            asysg.plot(bad)
    with pytest.raises(InvalidArgument, match="^results must hold results only, got 'int'"):
        asysg.plot([one, 3])


def test_a_study_draws_itself(obj):
    study = speedups.study(
        obj, X0, workers=[1, 4], speeds=speeds.lognormal(0.2), steplength=0.02, n_updates=2000,
        n_replicates=2, rng=0,
    )  # fmt: skip
    (axes,) = study.plot().axes
    assert "SIMULATED" in axes.get_title()
    means = [study.interval(p, "time_speedup").mean for p in study.workers]
    assert means in [line.get_ydata().tolist() for line in axes.lines]
    never = speedups.Study((1, 2), [{**r, "iteration_speedup": np.nan, "time_speedup": np.nan}
                                    for r in study.records if r["n_workers"] == 1])  # fmt: skip
    assert says(never.plot().axes[0], "no run reached the loss they share")


def test_the_trace_as_a_frame(delayed):
    frame = delayed.to_frame()
    assert list(frame.columns) == ["k", "time", "f", "grad_norm_sq", "weight"]
    assert len(frame) == len(delayed.trace.k)
    for name in frame:
        np.testing.assert_array_equal(frame[name], getattr(delayed.trace, name))
    assert (frame["weight"] * frame["grad_norm_sq"]).sum() == pytest.approx(delayed.trace.ergodic)
    with pytest.raises(InvalidArgument, match="must be 'trace' where no update was logged"):
        delayed.to_frame("updates")
    with pytest.raises(InvalidArgument, match="^what must be one of"):
        delayed.to_frame("x")


def test_the_updates_as_a_frame(obj):
    res = simulate.minimize(
        obj, X0, n_workers=3, steplength=0.02, n_updates=300, record="full", rng=0
    )
    frame = res.to_frame("updates")
    assert frame["k"].tolist() == list(range(1, 301))
    assert frame["delay"].max() == res.staleness.max == 2
    assert frame["delay"].mean() == pytest.approx(res.staleness.mean)
    assert set(res.log.dtype.names) <= set(frame)
    assert isinstance(frame, pd.DataFrame)


def test_without_pandas_the_remedy_is_said(delayed, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(asysg.MissingPackage, match=r"^pandas must be .* Install asysg\[pandas\]"):
        delayed.to_frame()


@pytest.mark.parametrize("ends", ["True", "StopIteration"])
def test_a_callback_sees_the_run_and_ends_it(obj, ends):
    seen = []

    def look(now):
        seen.append(now)
        if now.nit >= 500:
            if ends == "True":
                return True
            raise StopIteration
        return 1  # not True: what a callback happens to return ends nothing

    res = simulate.minimize(
        obj, X0, n_workers=4, steplength=0.02, n_updates=2000, n_records=20, callback=look, rng=0
    )
    assert res.status == "stopped"
    assert 500 <= res.nit == seen[-1].nit < 2000
    assert seen[0].staleness.histogram.sum() == 0
    assert [now.staleness.histogram.sum() for now in seen] == [now.nit for now in seen]
    assert seen[-1].staleness.max == 3 == res.staleness.max
    np.testing.assert_array_equal(seen[-1].x, res.x)


def test_a_monitor_writes_while_the_run_goes_on(obj, tmp_path):
    path = tmp_path / "run.jsonl"
    monitor, counts = asysg.Monitor(path), []

    def both(now):
        monitor(now)
        counts.append(len(path.read_text().splitlines()))

    res = simulate.minimize(
        obj, X0, n_workers=4, steplength=0.02, n_updates=2000, n_records=10, callback=both, rng=0
    )
    assert counts == list(range(1, len(res.trace.k) + 1))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["nit"] + 1 for line in lines] == res.trace.k.tolist()
    assert [line["fun"] for line in lines] == res.trace.f.tolist()
    assert [line["grad_norm_sq"] for line in lines] == res.trace.grad_norm_sq.tolist()
    last = lines[-1]
    assert last["delay_max"] == res.staleness.max
    assert last["delay_mean"] == res.staleness.mean
    assert last["delay_50"] == res.staleness.quantile(0.5)
    assert last["delay_99"] == res.staleness.quantile(0.99)
    assert lines[0]["at"] <= last["at"]


def test_a_monitor_of_what_explodes_is_strict_json(obj, tmp_path):
    path = tmp_path / "run.jsonl"
    bad = objectives.Quadratic(np.eye(4), sigma=0.1)
    asysg.minimize(
        bad, np.full(4, 1e200), steplength=0.1, n_updates=10, n_threads=1, record=False, rng=0,
        callback=asysg.Monitor(path),
    )  # fmt: skip

    def refuse(word):
        raise AssertionError(word)

    lines = [json.loads(line, parse_constant=refuse) for line in path.read_text().splitlines()]
    assert lines[0]["grad_norm_sq"] == "inf"
    assert lines[-1]["delay_max"] == 0


def test_a_monitor_needs_a_place(tmp_path):
    with pytest.raises(InvalidArgument, match="^path must be a file that can be written"):
        asysg.Monitor(tmp_path / "none" / "run.jsonl")


def test_the_bar_says_rate_delays_and_loss(obj, capsys):
    simulate.minimize(
        obj, X0, n_workers=4, steplength=0.02, n_updates=2000, n_records=5, progress=True, rng=0
    )
    out, err = capsys.readouterr()
    assert out == ""
    last = err.split("\r")[-1]
    assert "2.00k/2.00k" in last
    assert "update/s" in last
    assert "99% of delays<=3" in last
    assert "f=" in last
    assert said(Staleness(None, None, np.zeros(64, np.int64)), None) == ""


def test_nothing_is_said_until_somebody_listens(tmp_path):
    program = """
import asysg, numpy as np
obj = asysg.objectives.CosineQuadratic(20, sigma=0.1)
asysg.minimize(obj, np.ones(20), n_updates=1000, n_threads=1, rng=0)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("", "")


def test_messages_for_those_who_listen(obj, tmp_path, caplog):
    with caplog.at_level(logging.DEBUG, logger="asysg"):
        asysg.minimize(obj, X0, n_updates=1000, n_threads=1, rng=0, checkpoint=tmp_path / "c.npz")
    text = caplog.text
    assert {record.name for record in caplog.records} == {"asysg"}
    assert "prescribed for delays up to T = 0" in text
    assert "checkpoint of 1000 updates written to" in text
    assert "completed after 1000 of 1000 updates" in text
    assert {"DEBUG", "INFO"} == {record.levelname for record in caplog.records}


def test_warnings_have_one_category():
    assert issubclass(asysg.AsysgWarning, RuntimeWarning)
    assert issubclass(asysg.MissingPackage, ImportError)
