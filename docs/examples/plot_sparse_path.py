r"""
A regularisation path on sparse data
====================================

Logistic regression with an l1 term: each weight of the term gives another set of entries that
matter. Every update is one of coordinate descent, with the exact partial derivative, and ends
with a proximal step of its entry, which makes most of them exactly 0. Each weight begins where
the last one ended.
"""

import matplotlib.pyplot as plt
import numpy as np

import asysg

A = asysg.objectives.synthetic.design(2000, 200, density=0.1, rng=0)
hidden = np.zeros(200)
hidden[:8] = [9, -8, 7, -6, 5, -4, 3, -2]
y = np.where(A @ hidden > 0, 1.0, -1.0)
obj = asysg.objectives.NonconvexLogistic(A, y, reg=0.0)
weights = np.logspace(-2.2, -3.6, 12)
path, x = [], np.zeros(200)
for weight in weights:
    result = asysg.minimize(
        obj,
        x,
        method="asyscd",
        steplength=1 / obj.constants(x, T=1).L_max,
        prox=asysg.prox.l1(weight),
        n_updates=10_000,
        n_records=1,
        n_threads=1,
        rng=0,
    )
    x = result.x
    path.append(x)
path = np.array(path)
for weight, x in zip(weights[::4], path[::4], strict=True):
    print(f"weight {weight:.5f}: {np.count_nonzero(x)} of 200 entries are not 0")

figure, axes = plt.subplots(figsize=(6.5, 4), layout="constrained")
axes.semilogx(weights, path[:, 8:], color="0.8", lw=0.8)
axes.semilogx(weights, path[:, :8])
axes.invert_xaxis()
axes.set(
    xlabel="weight of the l1 term", ylabel="entries of x", title="coloured: the eight true ones"
)
plt.show()
