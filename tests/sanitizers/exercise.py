"""What ThreadSanitizer watches: every method, family, record and way to write, in small runs.

Run by Python under a sanitizer: ``python exercise.py [--short]``; says how much it did.
"""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import asysg
from asysg import _draws, objectives
from asysg._core.proximal import Proximal
from asysg._core.served import METHODS as SERVED
from asysg._core.served import Served
from asysg._core.single import Single
from asysg._core.threads import Threads

METHODS = ("asysg-con", "asysg-incon", "hogwild")
LOCK_FREE = METHODS[1:]
RECORDS = (False, "sampled", "full", "full+reads")
BLOCKS = (40, 100, 60)
TERM = Proximal(0.5, 0.5, np.array([-1.0]), np.array([1.0]))


def families() -> dict[str, Any]:
    """One objective of every compiled family, linear ones on dense and on sparse data."""
    ob, H = objectives, np.eye(6) + 0.1
    found: dict[str, Any] = {
        "quadratic": ob.Quadratic(H, sigma=1.0),
        "diagonal": ob.Quadratic(np.ones(6), sigma=1.0, noise="rademacher"),
        "cosine": ob.CosineQuadratic(6, sigma=1.0, noise="jumps"),
        "rotated": ob.RotatedCosineQuadratic(6, sigma=1.0, rng=1),
        "chain": ob.SineChain(6, sigma=1.0, noise="skewed"),
        "synchronization": ob.Synchronization.planted(6, sigma=1.0, noise="coordinate", rng=1),
        "network": ob.Network.planted(20, (3, 4, 2), rng=1),
    }
    for density in (None, 0.3):
        for cls in (
            ob.SigmoidRegression,
            ob.SineRegression,
            ob.PhaseRetrieval,
            ob.RobustRegression,
            ob.NonconvexLogistic,
        ):
            name = f"{cls.__name__}, {'dense' if density is None else 'CSR'}"
            found[name] = cls.planted(40, 12, density=density, rng=1)
    # f itself: on it AsySG-incon is coordinate descent, and all else descends exact gradients.
    exact = ("chain", "synchronization", "network", "SineRegression, dense", "SineRegression, CSR")
    return found | {f"{name}, exact": found[name].exact for name in exact}


def settings() -> Iterator[dict[str, Any]]:
    """All ways to run a method that exist."""
    for p, M, method, record, lossy, max_delay in itertools.product(
        (1, 2, 3, 4), (1, 2), METHODS, RECORDS, (False, True), (-1, 0, 3)
    ):
        if (lossy and method == "asysg-con") or (record is False and max_delay >= 0):
            continue
        yield {
            "p": p,
            "M": M,
            "method": method,
            "recording": record,
            "lossy": lossy,
            "max_delay": max_delay,
        }
    for p, M, method, record, sync_every, max_delay in itertools.product(
        (1, 2, 3, 4), (1, 2), LOCK_FREE, RECORDS, (1, 6), (-1, 0, 3)
    ):
        if record is False and max_delay >= 0:
            continue
        yield {
            "p": p,
            "M": M,
            "method": method,
            "recording": record,
            "sync_every": sync_every,
            "max_delay": max_delay,
        }
    for p, method, record, (n_push, pushes), number in itertools.product(
        (1, 2, 3, 4), SERVED, RECORDS[:3], ((1, 1), (2, 1), (1, 3), (2, 2)), (-1, 0, 3)
    ):
        # `number` is the enforced delay of "downpour", and else a delay by construction.
        local = method == "downpour"
        if not local and ((n_push, pushes) != (1, 1) or number < 0):
            continue
        if record is False and local and number >= 0:
            continue
        yield {
            "p": p,
            "M": 4,
            "method": method,
            "recording": record,
            "max_delay": number if local else -1,
            "delay": 0 if local else number,
            "n_push": n_push,
            "n_fetch": n_push * pushes,
        }
    for p, M, method, record, lazy, max_delay in itertools.product(
        (1, 2, 3, 4), (1, 2), METHODS, RECORDS, (False, True), (-1, 3)
    ):
        if (lazy and method != "hogwild") or (record is False and max_delay >= 0):
            continue
        yield {
            "p": p,
            "M": M,
            "method": method,
            "recording": record,
            "prox": TERM,
            "lazy": lazy,
            "max_delay": max_delay,
        }
    for p, M, record, max_delay in itertools.product(
        (1, 2, 3, 4), (1, 2, 130), RECORDS, (-1, 0, 3)
    ):
        if record is False and max_delay >= 0:
            continue
        yield {
            "p": p,
            "M": M,
            "method": "asysg-con",
            "recording": record,
            "max_delay": max_delay,
            "single": True,
        }


def gamma(block: int, how: dict[str, Any]) -> Any:
    """Steplengths of a block: where workers step on copies of x or steps wait it takes one."""
    one = how.get("sync_every") or how.get("n_fetch", 1) > 1 or how.get("lazy")
    return np.full(1 if one else block, 1e-3)


def blocks(objective: Any, **how: Any) -> int:
    """Run several blocks on one engine, looking at everything it shows between them."""
    key = _draws.key_from(1)
    kind = Served if how["method"] in SERVED else Threads
    if how.pop("single", False):
        kind = Single
        del how["method"]
    engine = kind(objective._capsule, np.zeros(objective.n) + 0.1, key=key, segment=2, **how)
    for block in BLOCKS:
        engine.advance(engine.clock + block, gamma(block, how))
        assert engine.trouble is None
        assert np.isfinite(engine.x).all()
        for shown in (engine.log, engine.reads, engine.histogram):
            if shown is not None:
                shown.sum() if shown.dtype.names is None else shown["start"].sum()
    assert engine.clock == sum(BLOCKS) == sum(engine.updates_by_worker)
    return engine.clock


def front_door() -> int:
    """Pilots, callbacks, checkpoints and the end of a run that diverges."""
    obj = objectives.Quadratic(np.ones(6), sigma=1.0)
    common = {"x0": np.ones(6), "n_threads": 3, "rng": 1, "n_records": 5}
    done = 0
    for method in (*METHODS, *SERVED):
        seen: list[int] = []
        res = asysg.minimize(
            obj,
            method=method,
            steplength="prescribed",
            n_updates=3000,
            callback=lambda now, seen=seen: seen.append(now.nit),
            **common,
        )
        assert res.success
        assert seen[-1] == 3000
        wild = asysg.minimize(obj, method=method, steplength=1e6, n_updates=3000, **common)
        assert not wild.success
        with tempfile.TemporaryDirectory() as folder:
            kept = Path(folder, "run")
            for _ in range(2):
                asysg.minimize(
                    obj,
                    method=method,
                    steplength=1e-2,
                    n_updates=2000,
                    record="full",
                    checkpoint=kept,
                    checkpoint_every=0.0,
                    **common,
                )
        done += 3000 + wild.nit + 2000
    return done


def forked() -> int:
    """Run, fork, run in the child, run in the parent."""
    obj = objectives.Quadratic(np.ones(6), sigma=1.0)
    how = {"p": 3, "M": 1, "recording": "full", "lossy": False, "max_delay": -1}
    done = blocks(obj, method="asysg-incon", **how)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            blocks(obj, method="hogwild", **how)
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    return 2 * done + blocks(obj, method="asysg-con", **how)


def main(short: bool) -> None:
    runs = updates = 0
    every = families()
    for number, how in enumerate(settings()):
        # Short: each setting meets one family, each family many settings.
        names = [name for name in every if "single" not in how or every[name]._kernel.single()]
        for name in [names[number % len(names)]] if short else names:
            updates += blocks(every[name], **how)
            runs += 1
    updates += front_door() + forked()
    print(f"{asysg.__file__}: {runs} runs in blocks, {len(every)} objectives, {updates} updates")


if __name__ == "__main__":
    main("--short" in sys.argv[1:])
