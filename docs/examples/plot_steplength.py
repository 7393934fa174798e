r"""
How long a step?
================

The same problem and the same stale reads, with steplengths over three and a half powers of ten.
Below the prescribed one a run gets nowhere in the time it has, far above it the noise and the
staleness win. The proven bound has the same shape, and its minimum is where it is safe to stand.
"""

import matplotlib.pyplot as plt
import numpy as np

import asysg

obj = asysg.objectives.CosineQuadratic(n=20, sigma=4.0)
x0, K, T = np.ones(20), 20_000, 8
c = obj.constants(x0, T=T)
prescribed = asysg.theory.con.prescribe(c, K=K, M=1, T=T)
limit = asysg.theory.con.gamma_max(c, M=1, T=T)
steps = prescribed.gamma * np.logspace(-2, 1.5, 22)

measured = [
    asysg.simulate.minimize(
        obj,
        x0,
        method="asysg-con",
        delays=asysg.simulate.delays.uniform(T),
        steplength=gamma,
        n_updates=K,
        n_records=4000,
        rng=1,
    ).trace.ergodic
    for gamma in steps
]
bound = [asysg.theory.con.bound(gamma, c, K=K, M=1, T=T) for gamma in steps]
print(f"prescribed {prescribed.gamma:.3g}, largest admissible {limit:.3g}")
print(f"best of those tried {steps[np.argmin(measured)]:.3g}")

# %%
# The bound ends at the largest admissible steplength; what works on this function goes further, and
# nothing is proven there.

figure, axes = plt.subplots(figsize=(6.5, 3.8), layout="constrained")
axes.loglog(steps, measured, "o-", label="measured")
axes.loglog(steps, bound, "k-", label="bound (Theorem P)")
axes.axvline(prescribed.gamma, color="C1", label="prescribed")
axes.axvline(limit, color="C3", ls=":", label="largest admissible")
axes.set(xlabel="steplength γ", ylabel="mean of squared gradient norms", ylim=(0.3, 1e4))
axes.legend()
plt.show()
