"""How runs on ranks end: well, by an exception, by a signal; and how they go on."""

import os
import signal
import time

import numpy as np
import pytest

from tests.trials.ranks import alive

SIGMOID = {"objective": "sigmoid", "n": 5, "steplength": 0.25, "rng": 3, "n_records": 10}
LONG = {**SIGMOID, "n_updates": 10_000_000, "n_records": 1_000_000, "record": "full"}


def until(job, key):
    """Wait until a job has said something, and return all that it said."""
    while not any(key in line for line in job.lines()):
        assert job.process.poll() is None, job.err.read_text()
        time.sleep(0.02)
    return job.lines()


def pids(job, ranks):
    while len(found := {s["rank"]: s["pid"] for s in job.lines() if "pid" in s}) < ranks:
        assert job.process.poll() is None, job.err.read_text()
        time.sleep(0.02)
    return found


@pytest.mark.parametrize("kind", ["ValueError", "SystemExit"])
def test_one_rank_raises_and_all_leave(said, kind):
    found = said(
        4, "raising", rank=2, after=5, kind=kind, **{**SIGMOID, "n_updates": 10_000}, in_flight=2
    )
    caught = {line["rank"]: line for line in found}
    assert {rank: line["caught"] for rank, line in caught.items()} == {
        0: "ObjectiveError", 1: "ObjectiveError", 2: kind, 3: "ObjectiveError",
    }  # fmt: skip
    assert "worker 1 (rank 2) raised" in caught[0]["said"]
    assert caught[0]["traced"], "the traceback names the function"
    assert "Rank 0 ended the run" in caught[3]["said"]
    assert caught[2]["said"].startswith("boom")


def test_a_worker_of_several_servers_raises_and_all_leave(said):
    found = said(
        5, "raising", rank=3, after=5, kind="ValueError",
        **{**SIGMOID, "n_updates": 10_000}, n_servers=2,
    )  # fmt: skip
    caught = {line["rank"]: line["caught"] for line in found}
    others = dict.fromkeys((0, 1, 2, 4), "ObjectiveError")
    assert caught == {**others, 3: "ValueError"}
    assert "worker 1 (rank 3) raised" in next(line["said"] for line in found if not line["rank"])


@pytest.mark.parametrize("rank", [0, 2])
@pytest.mark.parametrize(
    ("first_run", "kind", "text"),
    [
        (False, "ValueError", "has ended by ValueError; the job is aborted"),
        (True, "ValueError", "has ended by ValueError; the job is aborted"),
        (False, "KeyboardInterrupt", "has ended by KeyboardInterrupt; the job is aborted"),
        (True, "exit", "has ended while others call asysg.mpi.minimize; the job is aborted"),
    ],
)
def test_a_rank_that_ends_early_ends_the_job(start, rank, first_run, kind, text):
    job = start(3, "early", rank=rank, kind=kind, first_run=first_run, **SIGMOID, n_updates=100)
    assert job.wait() != 0
    said = [line for line in job.err.read_text().splitlines() if line.startswith("asysg:")]
    assert f"asysg: rank {rank} {text}." in said
    assert len(set(said)) == 1


def test_a_rank_that_ended_by_what_others_have_caught_ends_the_job(start):
    job = start(3, "caught_by_others", rank=2, **SIGMOID, n_updates=100)
    assert job.wait() != 0
    assert "asysg: rank 2 has ended by ValueError; the job is aborted." in job.err.read_text()


def test_what_every_rank_raises_is_not_an_early_end(start):
    job = start(3, "several", runs=[{**SIGMOID, "n_updates": 0}])
    assert job.wait() != 0
    said = job.err.read_text()
    assert "n_updates must be an integer >= 1" in said
    assert "aborted" not in said


def test_a_single_rank_raises_what_its_objective_raises(said):
    [found] = said(
        1, "raising", rank=0, after=5, kind="ValueError", **{**SIGMOID, "n_updates": 100}
    )
    assert found["caught"] == "ValueError"


def test_rank_0_raises_and_all_leave(said):
    found = said(3, "callback", **{**SIGMOID, "n_updates": 1000})
    caught = {line["rank"]: line["caught"] for line in found}
    assert caught == {0: "ZeroDivisionError", 1: "RuntimeError", 2: "RuntimeError"}


@pytest.mark.parametrize(
    ("method", "n_servers"),
    [("asysg-con", 1), ("asysg-con", 3), ("sync", 1), ("sync", 2), ("delayed", 1), ("downpour", 1)],
)
@pytest.mark.parametrize(("answer", "status"), [(1, "failed"), (2, "diverged")])
def test_a_failure_is_reported_with_worker_and_rank(said, method, n_servers, answer, status):
    [found] = said(
        2 + n_servers, "failing", rank=1 + n_servers, after=20, answer=answer,
        **{**SIGMOID, "n_updates": 100_000}, method=method, batch_size=2, n_servers=n_servers,
    )  # fmt: skip
    assert found["status"] == status
    assert 0 < found["nit"] < 100_000
    assert "orker 1" in found["message"]
    assert f"rank {1 + n_servers}" in found["message"]
    assert found["counted"] == found["nit"]


def test_divergence_is_reported_with_steplength(said):
    [found] = said(
        3, "several", runs=[{**SIGMOID, "objective": "integers", "steplength": 1e308,
                             "n_updates": 100_000}],
    )  # fmt: skip
    assert found["status"] == "diverged"
    assert "at steplength 1e+308" in found["message"]
    assert np.isfinite([float.fromhex(v) for v in found["x"]]).all()


@pytest.mark.parametrize(("method", "n_servers"), [("asysg-con", 1), ("asysg-con", 2), ("sync", 1)])
def test_interrupt_gives_a_partial_result(start, method, n_servers):
    ranks = 2 + n_servers
    job = start(ranks, "endless", **LONG, method=method, batch_size=2, n_servers=n_servers)
    until(job, "begun")
    job.process.send_signal(signal.SIGINT)
    job.wait()
    found = job.lines()[-1]
    assert found["status"] == "interrupted"
    assert found["nit"] > 0
    assert found["replayed"] is True


@pytest.mark.parametrize(("victim", "n_servers"), [(0, 1), (2, 1), (1, 2)])
def test_killed_and_resumed_with_other_ranks(start, said, tmp_path, victim, n_servers):
    """What is resumed goes on from the checkpoint, each draw still used once, and replays."""
    arguments = {
        **SIGMOID, "n_updates": 400, "record": "full", "n_records": 400,
        "checkpoint": str(tmp_path / "state.npz"), "checkpoint_every": 0.0,
    }  # fmt: skip
    job = start(3 + n_servers, "endless", pace=0.005, **arguments, n_servers=n_servers)
    until(job, "begun")
    os.kill(pids(job, 3 + n_servers)[victim], signal.SIGKILL)
    assert job.wait() != 0
    before = max(line.get("begun", 0) for line in job.lines())
    assert 0 < before < 400
    [found] = said(3, "several", runs=[arguments])
    assert (found["status"], found["nit"]) == ("completed", 400)
    assert found["draws"] == list(range(400))
    assert found["replayed"] is True
    assert found["workers"] == 3
    assert sum(found["cluster"]["updates"]) <= 400 - before + 1


def test_stopped_fixed_delays_go_on_to_the_same_bits(said, start, tmp_path):
    """Where the order is fixed and the reads are current, a run in two pieces is one run."""
    arguments = {**SIGMOID, "n_updates": 300, "method": "sync", "batch_size": 4}
    [whole] = said(3, "several", runs=[arguments])
    kept = {**arguments, "checkpoint": str(tmp_path / "state.npz"), "checkpoint_every": 0.0}
    job = start(3, "endless", pace=0.005, **kept)
    until(job, "begun")
    job.process.send_signal(signal.SIGINT)
    job.wait()
    assert job.lines()[-1]["status"] == "interrupted"
    [rest] = said(3, "several", runs=[kept])
    assert rest["x"] == whole["x"]


def test_a_silent_worker_ends_the_job(start):
    job = start(3, "endless", pace=0.01, **LONG, patience=1.0)
    until(job, "begun")
    found = pids(job, 3)
    os.kill(found[2], signal.SIGSTOP)
    assert job.wait() != 0
    assert "worker 1 (rank 2) must answer within patience = 1 s" in job.err.read_text()
    end = time.monotonic() + 5
    while left := [pid for pid in found.values() if alive(pid)]:
        assert time.monotonic() < end, left
        time.sleep(0.02)


def test_a_silent_server_ends_the_job(start):
    """Rank 0 misses its slice, or a gradient that waits for it, whichever comes first."""
    job = start(4, "endless", pace=0.01, **LONG, patience=1.0, n_servers=2)
    until(job, "begun")
    os.kill(pids(job, 4)[1], signal.SIGSTOP)
    assert job.wait() != 0
    assert "must answer within patience = 1 s" in job.err.read_text()


def test_a_worker_without_work_that_is_stopped_is_missed_at_the_end(start):
    """A minibatch of two samples has no part for the third worker."""
    job = start(
        4, "endless", pace=0.002, **SIGMOID, n_updates=200, method="sync", batch_size=2,
        patience=1.0,
    )  # fmt: skip
    until(job, "begun")
    os.kill(pids(job, 4)[3], signal.SIGSTOP)
    assert job.wait() != 0
    assert "a rank must end within patience = 1 s" in job.err.read_text()


def test_ranks_that_disagree_are_refused_on_every_rank(said):
    cases = {
        "n_updates": ([100, 200], "n_updates must be the same on every rank, got 100 on rank 0"),
        "batch_size": ([1, -1], "batch_size must be an integer"),
        "in_flight": ([1, 2], "in_flight must be the same"),
        "data": (None, "gradient at x0 must be the same"),
    }
    base = {**SIGMOID, "n_updates": 100}
    calls = {name: {**base, name: values} for name, (values, _) in cases.items()}
    found = said(3, "different", calls=calls)
    for name, (_, text) in cases.items():
        lines = [line for line in found if line["name"] == name]
        assert {line["rank"] for line in lines} == {0, 1, 2}
        for line in lines:
            assert line["caught"] == "InvalidArgument"
            assert text in line["said"]
