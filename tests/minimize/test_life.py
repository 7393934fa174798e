"""Runs, checkpoints, kills and resumes in any order: the budget and the bits stay the same."""

import dataclasses
import functools
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

import asysg
from asysg import InvalidArgument, objectives, simulate
from asysg._checkpoint import Checkpoint
from asysg._core.openmp import openmp_version
from asysg.errors import ReplayError

THREADS = [1, 2] if openmp_version() else [1]
METHODS = ["asysg-incon", "asysg-con", "hogwild", "asyscd", "sgd"]


@functools.cache
def problem(seed=0):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(30, 5))
    return objectives.SigmoidRegression(A, (A[:, 0] > 0).astype(float))


X0 = np.zeros(5)


class Killed(BaseException):
    """Ends a run as a kill does: nothing is left of it but its files."""


@functools.cache
def uninterrupted(method, K, n_records, record, sync_every):
    return asysg.minimize(
        problem(), X0, method=method, steplength=0.2, n_updates=K, n_records=n_records,
        record=record, n_threads=1, sync_every=sync_every, rng=3,
    )  # fmt: skip


def same(result, whole):
    """Compare all that a serial run determines, to the bit."""
    for one, other in (
        (result.x, whole.x),
        (result.trace.k, whole.trace.k),
        (result.trace.f, whole.trace.f),
        (result.trace.grad_norm_sq, whole.trace.grad_norm_sq),
        (result.trace.weight, whole.trace.weight),
        (result.staleness.histogram, whole.staleness.histogram),
    ):
        np.testing.assert_array_equal(one, other)
    assert result.certificate == whole.certificate
    if whole.log is not None:
        assert result.log.tobytes() == whole.log.tobytes()


class Life(RuleBasedStateMachine):
    """A run whose process dies now and then, and a model of what its files must say."""

    @initialize(
        method=st.sampled_from(METHODS),
        K=st.sampled_from([1, 40, 700, 3000]),
        n_records=st.sampled_from([1, 7, 20]),
        record=st.sampled_from([False, "sampled", "full"]),
        p=st.sampled_from(THREADS),
        sync_every=st.sampled_from([None, 1, 5]),
    )
    def begin(self, method, K, n_records, record, p, sync_every):
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "run"
        self.method, self.K, self.record = method, K, record
        self.p = 1 if method == "sgd" else p
        self.n_records = n_records
        self.sync_every = sync_every if method in ("asysg-incon", "hogwild", "asyscd") else None
        self.most = 0  # threads that have taken part
        self.least = 0  # updates that a resumed run must not do again
        self.older = None
        self.result = None

    def teardown(self):
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)

    def run(self, p=None, callback=None, **change):
        kwargs = {
            "method": self.method,
            "steplength": 0.2,
            "n_updates": self.K,
            "n_records": self.n_records,
            "record": self.record,
            "n_threads": self.p if p is None else p,
            "sync_every": self.sync_every,
            "rng": 3,
            "checkpoint": self.path,
            "checkpoint_every": 0,
        }
        obj = change.pop("obj", problem())
        return asysg.minimize(obj, X0, callback=callback, **{**kwargs, **change})

    def stored(self):
        found = Checkpoint(self.path, 0).read()
        return None if found is None else found[1]

    @rule(after=st.floats(0, 1), how=st.sampled_from([Killed, StopIteration, KeyboardInterrupt]))
    def part(self, after, how):
        """Run, or go on, until the callback ends it: by a kill, by stopping, or by Ctrl-C."""
        seen = []

        def look(intermediate):
            seen.append(intermediate)
            if intermediate.nit >= after * self.K:
                raise how

        self.result = None
        try:
            result = self.run(callback=look)
        except Killed:
            # Of the last part only what a checkpoint holds counts.
            self.least = self.clock_of_files()
        else:
            assert result.nit >= self.least
            assert result.success == (result.nit == self.K and result.status == "completed")
            if seen and result.status != "completed":
                assert result.nit == seen[-1].nit
                np.testing.assert_array_equal(result.x, seen[-1].x)
            self.least = self.clock_of_files()
            assert self.least == result.nit
            self.no_leftovers()
            self.partial(result)
        if seen:
            # Nothing is looked at twice, and the clock goes on from where it was.
            k = [intermediate.nit for intermediate in seen]
            assert k == sorted(set(k))
        self.most = max(self.most, self.p if self.stored() else 0)

    def partial(self, result):
        """What is true of every result, complete or not."""
        assert len(result.trace.k) == len(set(result.trace.k.tolist()))
        if result.log is not None:
            assert len(result.log) == result.nit
        if result.log is not None and self.replayable(result):
            exact = result.update == "atomic" or result.n_threads_used == 1
            assert simulate.replay(result).exact == exact

    def replayable(self, result):
        return self.method != "hogwild" or result.n_threads_used == 1

    def clock_of_files(self):
        stored = self.stored()
        return 0 if stored is None else stored.clock

    def no_leftovers(self):
        names = {file.name for file in self.folder.iterdir()}
        assert names <= {"run", "run.log", "older", "older.log"}

    @rule()
    def complete(self):
        """Go on to the end: the same budget, and in serial mode the same bits."""
        self.result = self.run()
        self.most = max(self.most, self.p)
        assert (self.result.success, self.result.nit) == (True, self.K)
        # A run that had nothing left to do used no more threads.
        used = self.result.n_threads_used
        assert used == self.stored().workers >= (self.p if self.least == 0 else 1)
        assert self.result.certificate.K == self.K
        self.least = self.K
        self.no_leftovers()
        self.partial(self.result)
        if self.result.log is not None:
            np.testing.assert_array_equal(np.sort(self.result.log["draw"]), np.arange(self.K))
        if self.most == 1:
            same(
                self.result,
                uninterrupted(self.method, self.K, self.n_records, self.record, self.sync_every),
            )

    @precondition(lambda self: self.method != "sgd" and len(THREADS) > 1)
    @rule()
    def other_threads(self):
        """Go on with another number of threads."""
        self.p = 3 - self.p

    @precondition(lambda self: self.path.exists())
    @rule()
    def keep(self):
        """Remember this checkpoint."""
        shutil.copy(self.path, self.folder / "older")
        self.older = (self.least, self.most)

    @precondition(lambda self: self.older is not None)
    @rule()
    def roll_back(self):
        """Die between writing the record and the checkpoint: the record is ahead of it."""
        shutil.copy(self.folder / "older", self.path)
        self.result = None
        self.least, self.most = self.older

    @precondition(lambda self: self.path.exists())
    @rule(tail=st.binary(min_size=1, max_size=200))
    def torn(self, tail):
        """Die amid an append to the record, amid cutting it, and amid a checkpoint."""
        self.result = None
        (self.folder / "run.tmp").write_bytes(tail)
        log = Checkpoint(self.path, 0).log_path
        if log.exists():
            log.with_name("run.log.tmp").write_bytes(tail)
            with log.open("ab") as file:
                file.write(tail)

    @precondition(lambda self: self.clock_of_files() > 0)
    @rule(
        change=st.sampled_from(
            [
                {"n_updates": 12345},
                {"steplength": 0.3},
                {"steplength": lambda k: 0.2 / k, "sync_every": None},
                {"batch_size": 2},
                {"n_records": 5},
                {"rng": 4},
                {"max_delay": 100, "record": "sampled"},
                {"obj": problem(1)},
            ]
        )
    )
    def foreign(self, change):
        """Another run's checkpoint is refused and left alone."""
        before = self.path.read_bytes()
        foreign = "checkpoint must come from the same run"
        with pytest.raises(InvalidArgument, match=f"^({foreign}|batch_size must be 1 for method)"):
            self.run(**change)
        assert self.path.read_bytes() == before

    @precondition(lambda self: self.path.exists())
    @rule(where=st.floats(0, 1, exclude_max=True), mask=st.integers(1, 255))
    def damaged_checkpoint(self, where, mask):
        """A changed byte is refused, unless it is one that means nothing in a zip file."""
        whole = self.path.read_bytes()
        before = Checkpoint(self.path, 0).read()
        at = int(where * len(whole))
        self.path.write_bytes(whole[:at] + bytes([whole[at] ^ mask]) + whole[at + 1 :])
        refused = pytest.raises(
            InvalidArgument, match="^checkpoint must be a file written by a run"
        )
        try:
            # Either it is refused, or (then `raises` fails, and that is fine) it says the same.
            with suppress(pytest.fail.Exception), refused:
                after = Checkpoint(self.path, 0).read()
                assert after[0] == before[0]
                np.testing.assert_array_equal(after[2], before[2])
        finally:
            self.path.write_bytes(whole)

    @precondition(lambda self: self.record == "full" and self.clock_of_files() > 0)
    @rule()
    def lost_record(self):
        """A checkpoint whose record is gone, or too short, is refused; nothing is made up."""
        log = Checkpoint(self.path, 0).log_path
        whole = log.read_bytes()
        for less in (None, b"", whole[: self.clock_of_files() * 56 - 1]):
            log.unlink()
            if less is not None:
                log.write_bytes(less)
            with pytest.raises(InvalidArgument, match="^checkpoint must lie beside the flight"):
                self.run()
            log.write_bytes(whole)

    @precondition(lambda self: self.result is not None and self.result.log is not None)
    @rule(where=st.floats(0, 1, exclude_max=True), data=st.data())
    def tampered_record(self, where, data):
        """A replay finds what was changed in a record."""
        if not self.replayable(self.result):
            return
        fields = ["draw", "start", "worker"]
        if self.method == "asysg-incon":
            fields += ["increment", "before", "replaced", "coordinate"]
        field = data.draw(st.sampled_from(fields))
        log = np.array(self.result.log)
        log[field][int(where * len(log))] += {"worker": 99, "start": self.K}.get(field, 1)
        if field == "increment" and data.draw(st.booleans()):
            # The value written stays; that it was added to is one that never was.
            log["before"][int(where * len(log))] -= 1
        with pytest.raises(ReplayError):
            simulate.replay(dataclasses.replace(self.result, log=log))

    @invariant()
    def files_are_whole(self):
        if hasattr(self, "path"):
            stored = self.stored()
            if stored is not None:
                assert self.least <= stored.clock <= self.K
                if self.record is not False:
                    assert stored.histogram.sum() == stored.clock


TestLife = Life.TestCase
TestLife.settings = settings(stateful_step_count=12)


def test_damaged_checkpoints(tmp_path):
    """Wherever a byte is changed, or the file ends, it is refused or says the same."""
    path = tmp_path / "run"
    asysg.minimize(problem(), X0, steplength=0.1, n_updates=50, n_records=2, checkpoint=path, rng=0)
    whole, before = path.read_bytes(), Checkpoint(path, 0).read()
    harmless = 0
    for at in range(0, len(whole), 5):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x81]) + whole[at + 1 :])
        with suppress(InvalidArgument):
            meta, state, x = Checkpoint(path, 0).read()
            harmless += 1
            assert (meta, state.rows) == (before[0], before[1].rows)
            assert x.tobytes() == before[2].tobytes()
        path.write_bytes(whole[:at])
        with pytest.raises(InvalidArgument, match="^checkpoint must be a file written by a run"):
            Checkpoint(path, 0).read()
    # What means nothing in a zip file: dates, padding.
    assert harmless < len(whole) / 25
