r"""
Every method on the same problem
================================

Eight workers, two of them ten times slower than the others, on a sigmoid regression. Each method
computes the same number of gradients, or what costs as much, at the admissible steplength with the
smallest bound (Downpour, of which no theorem speaks, at that of AsySG-con), on a virtual clock: who
waits for the slow ones, who uses their stale gradients, who throws them away.
"""

import numpy as np

import asysg
from asysg.simulate import comparisons, speeds

obj = asysg.objectives.SigmoidRegression.planted(1000, 20, rng=0)
rows = comparisons.compare(
    obj,
    np.zeros(20),
    n_workers=8,
    n_updates=10_000,
    speeds=speeds.two_classes(10.0),
    n_replicates=1,
    rng=0,
)
for row in rows:
    bound = "none" if row.bound is None else f"{row.bound:.2e}"
    print(f"{row.name:28} {row.seconds:7.0f} s  norm {row.ergodic:.2e}  bound {bound:>8}", end="  ")
    print(f"delays {row.delay_mean:4.1f}, at most {row.delay_max:.0f}")

# %%
# Losses against virtual time on the left. On the right, what was measured beside what was proven:
# the bounds hold for the worst function with these constants, so an ordinary one lies below.

figure = comparisons.draw(rows)
