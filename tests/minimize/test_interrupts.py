"""Signals end a run only where x, the counts and the record are of one moment."""

import os
import signal
import sys
import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest

import asysg
from asysg import _run, objectives, simulate
from asysg._checkpoint import Checkpoint
from asysg._core.openmp import openmp_version

THREADS = [1, 2] if openmp_version() else [1]
X0 = np.zeros(4)


@pytest.fixture(scope="module")
def obj():
    A = np.random.default_rng(0).normal(size=(20, 4))
    return objectives.SigmoidRegression(A, (A[:, 0] > 0).astype(float))


@pytest.fixture
def handler():
    """Return a function that installs a handler for this test alone."""
    before = signal.getsignal(signal.SIGINT)
    yield lambda mine: signal.signal(signal.SIGINT, mine)
    signal.signal(signal.SIGINT, before)


def whole(result):
    """Check that a result is of one moment."""
    assert result.staleness.histogram.sum() == result.nit == len(result.log)
    assert result.fun == result._plan.objective.value(result.x)
    # Or within the bound of its rounding, where copies were merged.
    exact = result.update == "atomic" or result.n_threads_used == 1
    return simulate.replay(result).exact == exact


@contextmanager
def signals_at(line, n_signals):
    """Send signals before the so-many-th line that is run while a run holds the handler."""
    held, before, lines = signal.getsignal(signal.SIGINT), sys.gettrace(), 0

    def trace(frame, event, _):
        nonlocal lines
        if frame.f_code.co_filename != _run.__file__:
            return None
        if event == "line" and signal.getsignal(signal.SIGINT) is not held:
            lines += 1
            if lines == line:
                for _ in range(n_signals):
                    signal.raise_signal(signal.SIGINT)
        return trace

    sys.settrace(trace)
    try:
        yield lambda: lines
    finally:
        sys.settrace(before)


def raising(number, frame):
    raise KeyboardInterrupt


@pytest.mark.parametrize("p", THREADS)
@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("n_signals", [1, 2])
def test_signals_at_every_line(obj, handler, p, own, n_signals):
    """Wherever they strike, the result is of one moment, and the handler is theirs again."""
    mine = raising if own else signal.default_int_handler
    handler(mine)

    def go(line):
        with signals_at(line, n_signals) as lines:
            result = asysg.minimize(
                obj, X0, steplength=0.1, n_updates=900, n_records=3, n_threads=p,
                record="full", rng=0,
            )  # fmt: skip
        return result, lines()

    _, last = go(0)
    statuses = set()
    for line in range(1, last + 1):
        try:
            result, _ = go(line)
        except KeyboardInterrupt:
            # Too late for the run, when the handler is given back: their own is owed the call.
            assert own
            assert line > last // 2
            continue
        statuses.add(result.status)
        assert whole(result)
        assert signal.getsignal(signal.SIGINT) is mine
    assert last > 100
    assert statuses <= {"interrupted", "completed"}
    assert "interrupted" in statuses


def test_a_signal_while_the_run_is_certified_loses_nothing(obj, monkeypatch):
    certify = _run.certify

    def interrupted(*given):
        signal.raise_signal(signal.SIGINT)
        return certify(*given)

    monkeypatch.setattr(_run, "certify", interrupted)
    result = asysg.minimize(
        obj, X0, steplength=0.1, n_updates=100, n_threads=1, record="full", rng=0
    )
    assert result.status == "completed"
    assert whole(result)


def test_a_sequence_of_runs_ends_by_a_signal_at_every_line(obj, handler):
    """One run may be done when it comes; the next one does not begin."""
    handler(signal.default_int_handler)

    def go(line):
        begun = 0
        with signals_at(line, 1) as lines, _run.interruptible():
            while begun < 2:
                begun += 1
                result = asysg.minimize(
                    obj, X0, steplength=0.1, n_updates=50, n_records=1, n_threads=1, rng=0
                )
                if result.status == "interrupted":
                    raise KeyboardInterrupt
                if lines() >= line > 0:
                    return "lost"
        return lines()

    last = go(0) // 2
    assert last > 50
    for line in range(1, last + 1):
        with pytest.raises(KeyboardInterrupt):
            go(line)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_second_signal_ends_a_callback(obj):
    """The first waits until the callback has returned."""
    lines = []

    def look(intermediate):
        if intermediate.nit:
            signal.raise_signal(signal.SIGINT)
            lines.append("after the first")
            signal.raise_signal(signal.SIGINT)
            lines.append("after the second")

    kwargs = {"steplength": 0.1, "n_updates": 1000, "n_records": 5, "record": "full", "rng": 0}
    result = asysg.minimize(obj, X0, callback=look, n_threads=1, **kwargs)
    assert lines == ["after the first"]
    assert result.status == "interrupted"
    assert whole(result)
    assert result.nit == result.trace.k[-1] - 1 > 0


def test_own_handler_that_returns(obj, handler):
    """It is called for every signal, and the run goes on."""
    calls = []
    handler(lambda number, frame: calls.append(number))

    def look(_):
        signal.raise_signal(signal.SIGINT)

    result = asysg.minimize(
        obj, X0, steplength=0.1, n_updates=1000, n_records=5, callback=look, rng=0
    )
    assert result.success
    assert calls == [signal.SIGINT] * len(result.trace.k)


def test_other_threads_are_left_alone(obj):
    """Only the main thread gets signals; a run elsewhere does not touch the handler."""
    seen, results = [], []
    thread = threading.Thread(
        target=lambda: results.append(
            asysg.minimize(
                obj, X0, steplength=0.1, n_updates=1000, rng=0,
                callback=lambda _: seen.append(signal.getsignal(signal.SIGINT)),
            )
        )
    )  # fmt: skip
    thread.start()
    thread.join()
    assert results[0].success
    assert set(seen) == {signal.default_int_handler}


def test_checkpoints_do_not_wait_for_recorded_iterates(obj, handler, tmp_path):
    """They are written at the ends of blocks; a run with one recorded iterate has them too."""
    path = tmp_path / "run"

    class Killed(BaseException):
        pass

    def mine(number, frame):
        raise Killed

    def kill():
        while not path.exists() or Checkpoint(path, 0).read()[1].clock < 10_000:
            time.sleep(0.001)
        os.kill(os.getpid(), signal.SIGINT)

    handler(mine)
    thread = threading.Thread(target=kill)
    kwargs = {"steplength": 0.01, "n_records": 1, "n_threads": 1, "method": "sgd", "rng": 1}
    K = 10**9
    thread.start()
    with pytest.raises(Killed):
        asysg.minimize(obj, X0, n_updates=K, checkpoint=path, checkpoint_every=0, **kwargs)
    thread.join()
    _, state, x = Checkpoint(path, 0).read()
    assert 10_000 <= state.clock < K
    assert np.isfinite(x).all()
