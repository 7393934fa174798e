r"""
What staleness looks like
=========================

Four ways to be late. Given delays follow a law; those of timed workers come out of their speeds:
p - 1 updates on average; with one slow worker among them, a few updates are very late.
"""

import matplotlib.pyplot as plt
import numpy as np

import asysg
from asysg.simulate import delays, speeds

obj = asysg.objectives.CosineQuadratic(n=10, sigma=0.1)
run = dict(method="asysg-con", steplength=0.001, n_updates=20_000, rng=0)
cases = {
    "given: uniform(31)": dict(delays=delays.uniform(31)),
    "given: heavy_tail(255)": dict(delays=delays.heavy_tail(255)),
    "16 workers, lognormal times": dict(n_workers=16, speeds=speeds.lognormal(0.5)),
    "16 workers, one 30 x slower": dict(n_workers=16, speeds=speeds.two_classes(30.0, 1 / 16)),
}

figure, panels = plt.subplots(2, 2, figsize=(8, 5), layout="constrained", sharey=True)
for axes, (name, how) in zip(panels.flat, cases.items(), strict=True):
    found = asysg.simulate.minimize(obj, np.ones(10), **how, **run).staleness
    print(f"{name:28} mean {found.mean:6.1f}   median <= {found.quantile(0.5):3}", end="   ")
    print(f"largest {found.max}")
    top = int(np.flatnonzero(found.histogram)[-1]) + 1
    axes.bar(range(top), found.histogram[:top])
    axes.set_xticks(range(top), ["0"] + [f"<{2**b}" for b in range(1, top)], rotation=45)
    axes.set(title=name, yscale="log", ylabel="updates")
plt.show()

# %%
# A theorem with a constant steplength pays for the largest delay. The last panel is where a
# threshold (``max_delay``) or a delay-adaptive steplength is worth having.
