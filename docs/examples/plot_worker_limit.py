r"""
How many workers?
=================

The corollary's steplength does not depend on the number of workers. As long as an update is worth
what it is worth without delay, p workers are p times as fast; the theory grants that up to about
:math:`\sqrt K` workers. Beyond, this function goes on for a while, and then updates are worth
less.
"""

import matplotlib.pyplot as plt
import numpy as np

import asysg

obj = asysg.objectives.CosineQuadratic(n=5, sigma=4.0)
x0 = np.ones(5)
workers = np.array([1, 2, 4, 8, 16, 32, 64, 128])
figure, axes = plt.subplots(figsize=(6.5, 4), layout="constrained")
axes.loglog(workers, workers, "k:", label="linear")
for colour, K in (("C0", 4_000), ("C1", 64_000)):
    points = asysg.simulate.phases.diagram(
        obj,
        x0,
        delays_up_to=[int(p) - 1 for p in workers],
        updates=[K],
        n_replicates=2,
        n_records=8000,
        rng=0,
    )
    granted = asysg.theory.con.workers_max(obj.constants(x0, T=1), K=K, M=1)
    print(f"K = {K}: the theory grants {granted} workers")
    speedup = [point["speedup"] for point in points]
    axes.loglog(workers, speedup, f"{colour}o-", label=f"measured, K = {K:,}")
    axes.axvline(granted, color=colour, ls="--", label=f"granted: {granted}")
axes.set(xlabel="workers p = T + 1", ylabel="iteration speedup", ylim=(0.5, 300))
axes.legend()
plt.show()
