"""How many updates are done at once: near 20 ms a block, and waiting for the cores costs little."""

from types import SimpleNamespace

import numpy as np
import pytest

from asysg._run import BLOCK_SECONDS, LONGEST_BLOCK, STEPS_IN_BLOCK, Pace
from asysg.steplengths import Steps


def plan(**how):
    given = {"steps": Steps(0.1), "record": "sampled", "M": 1, "objective": SimpleNamespace(n=10)}
    return SimpleNamespace(**{**given, **how})


def settle(cost, wait=0.0, *, blocks=100, pace=None, jitter=0.0):
    """Return a pace after blocks of ``cost`` seconds an update that all wait besides."""
    pace = pace or Pace(plan())
    rng = np.random.default_rng(0)
    for _ in range(blocks):
        pace.after(pace.block, wait * (1 + jitter * rng.uniform(-1, 1)) + cost * pace.block)
    return pace


@pytest.mark.parametrize("cost", [1e-9, 5e-8, 1e-5, 3e-3])
def test_a_block_takes_about_its_time(cost):
    assert BLOCK_SECONDS / 2 <= settle(cost).block * cost <= 2 * BLOCK_SECONDS


def test_slow_updates_are_done_one_by_one():
    assert settle(0.15).block == 1
    assert settle(5.0).block == 1


@pytest.mark.parametrize("wait", [0.012, 0.03, 0.06])
@pytest.mark.parametrize("jitter", [0.0, 0.3])
def test_where_a_region_waits_for_the_cores_more_is_done_in_it(wait, jitter):
    """At least a quarter of the time is work, and Ctrl-C is still heard soon."""
    cost = 1e-7
    block = settle(cost, wait, jitter=jitter).block
    assert block * cost >= 0.25 * wait
    assert wait + block * cost <= LONGEST_BLOCK


def test_it_finds_back():
    """Others take the cores and leave them again."""
    pace = settle(1e-7)
    quiet = pace.block
    settle(1e-7, 0.05, pace=pace)
    assert pace.block >= quiet
    settle(1e-7, pace=pace)
    assert BLOCK_SECONDS / 2 <= pace.block * 1e-7 <= LONGEST_BLOCK / 2
    settle(1e-4, pace=pace)  # updates become a thousand times as dear
    assert pace.block * 1e-4 <= 2 * BLOCK_SECONDS


def test_limits():
    steps = Pace(plan(steps=Steps(None, lambda k: 0.1)))
    assert settle(0.0, pace=steps).block == STEPS_IN_BLOCK
    reads = Pace(plan(record="full+reads", objective=SimpleNamespace(n=2**20), M=2))
    assert settle(0.0, pace=reads).block == 2


def test_a_block_that_was_not_done_is_no_measure():
    """A server that heard nothing returns early: that its block was short says nothing."""
    pace = settle(1e-6)
    block = pace.block
    for _ in range(50):
        pace.after(block // 8, 0.001)
    assert pace.block == block
