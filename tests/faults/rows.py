"""Run the rows of ``asysg verify`` in this process's build; print which kinds convicted.

``python rows.py SEEDS ENOUGH KIND ...``: one line of JSON a seed, with the kinds that were asked
and those whose rows refused their claim. Kinds that did not convict at each of the first ENOUGH
seeds are not asked further.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Sequence

from asysg import verify

#: Of the ordinary rows, which convict next to nothing, these stand for all.
OBJECTIVES = ("cosine", "sigmoid")


def convicted(kinds: Sequence[str], seed: int) -> list[str]:
    """Return the kinds of which a row convicts, or cannot even be computed."""
    try:
        rows = verify.suite(
            quick=True,
            kinds=kinds,
            objectives=OBJECTIVES,
            seed=seed,
            n_threads=2,
            progress=False,
        ).rows
    except Exception:
        if len(kinds) == 1:
            return list(kinds)
        return [found for kind in kinds for found in convicted([kind], seed)]
    return sorted({row.kind for row in rows if not row.ok})


def main(seeds: int, enough: int, kinds: Sequence[str]) -> None:
    """Print a line a seed."""
    # Overflow in a run that explodes is no conviction by itself; the rows say what it means.
    warnings.simplefilter("ignore")
    left = list(kinds)
    always = set(kinds)
    for seed in range(seeds):
        if seed == enough:
            left = [kind for kind in kinds if kind in always]
        if not left:
            return
        now = convicted(left, seed)
        always &= set(now)
        print(json.dumps({"asked": left, "convicted": now}), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
