r"""
Phase retrieval
===============

An image of 20 x 20 numbers is measured 4000 times, and of each measurement the sign is lost. The
loss is not convex, and its mirror image fits as well; asynchronous updates find one of the two.
The sign that was found is turned before drawing.
"""

import matplotlib.pyplot as plt
import numpy as np

import asysg

side = 20
row, column = np.mgrid[:side, :side] / (side - 1) - 0.5
image = (np.hypot(row, column) < 0.45) * 1.0
image -= (np.hypot(row + 0.12, column - 0.16) < 0.07) * 1.0
image -= (np.hypot(row + 0.12, column + 0.16) < 0.07) * 1.0
image -= ((np.hypot(row, column) < 0.3) & (np.hypot(row, column) > 0.24) & (row > 0.08)) * 1.0
hidden = 8 * image.ravel() / np.sqrt(image.size)
A = np.random.default_rng(0).standard_normal((4000, hidden.size))
obj = asysg.objectives.PhaseRetrieval(A, np.hypot(1.0, A @ hidden))

# %%
# From a random start: AsySG-con of 8 virtual workers, one sample an update.

start = np.random.default_rng(1).standard_normal(hidden.size) / 5
found = []
for K in (2000, 6000, 20_000):
    result = asysg.simulate.minimize(
        obj,
        start,
        method="asysg-con",
        n_workers=8,
        steplength=1.5e-3,
        n_updates=K,
        n_records=4,
        rng=0,
    )
    found.append(result.x * np.sign(result.x @ hidden))
    away = np.linalg.norm(found[-1] - hidden) / np.linalg.norm(hidden)
    print(f"K = {K:6,}: loss {result.fun:.2e}, distance {away:.1%}")

figure, panels = plt.subplots(1, 4, figsize=(9, 2.6), layout="constrained")
titles = ["hidden", "K = 2,000", "K = 6,000", "K = 20,000"]
for axes, x, title in zip(panels, [hidden, *found], titles, strict=True):
    axes.imshow(x.reshape(side, side), cmap="gray", vmin=-0.1, vmax=0.4)
    axes.set(title=title, xticks=[], yticks=[])
plt.show()
