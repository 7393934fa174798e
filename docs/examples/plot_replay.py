r"""
A flight record, replayed
=========================

With ``record="full"`` every update leaves an entry: who made it, when its read began, what it
added. `asysg.simulate.replay` runs the record again and must come to the same last bit; then
every iterate can be looked at, though the run kept none of them.
"""

import matplotlib.pyplot as plt
import numpy as np

import asysg
from asysg.simulate import speeds

obj = asysg.objectives.CosineQuadratic(n=2, sigma=0.4)
result = asysg.simulate.minimize(
    obj,
    np.array([4.0, 3.0]),
    method="asysg-con",
    n_workers=4,
    speeds=speeds.lognormal(0.5),
    steplength=0.02,
    n_updates=600,
    record="full",
    rng=0,
)
again = asysg.simulate.replay(result)
print(f"exact: {again.exact}; updates by worker: {again.updates_by_worker}")
for what in again.checked:
    print("-", what)

# %%
# On the left all iterates over the level lines of f. On the right the first 80 updates: every line
# begins where its read began and ends where its update was made, so its length is the delay.

x = np.array([x for _, x in again.iterates()])
figure, (plane, flights) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
ticks = np.linspace(-2, 5, 120)
value = [[obj.value(np.array([a, b])) for a in ticks] for b in ticks]
plane.contour(ticks, ticks, value, levels=20, colors="0.8")
plane.plot(*x.T, lw=0.7)
plane.plot(*x[0], "ko")
for k, entry in enumerate(result.log[:80]):
    flights.plot([entry["start"], k], [k, k], f"C{entry['worker']}")
flights.set(xlabel="update number", ylabel="update k", title="coloured by worker")
plt.show()
