r"""
Delays chosen by an adversary
=============================

A bound over all delays should be held against bad ones. One adversary knows the problem but not
the noise of the run (oblivious: every theorem covers it); one watches the run (only Theorem R
covers it). Both may delay a read by up to T = 16 updates. The run begins at the minimum, so all
there is comes from the noise.
"""

import matplotlib.pyplot as plt
import numpy as np

import asysg
from asysg.simulate import adversary, delays

obj = asysg.objectives.CosineQuadratic(n=2, sigma=1.0)
x0, T, K = np.zeros(2), 16, 3000
c = obj.constants(x0, T=T)
gamma = asysg.theory.con.gamma_max(c, M=1, T=T, form="robust")
schedules = {
    "none": delays.constant(0),
    "uniform": delays.uniform(T),
    "always T": delays.constant(T),
    "oblivious\nadversary": adversary.oblivious(
        obj, x0, T=T, n_updates=K, steplength=gamma, n_trials=2, n_candidates=5, rng=1
    ),
    "watching\nadversary": adversary.watching(obj, T),
}
measured = []
for name, how in schedules.items():
    run = asysg.simulate.minimize(
        obj, x0, method="asysg-con", delays=how, steplength=gamma, n_updates=K, form="robust", rng=0
    )
    measured.append(run.trace.ergodic)
    print(f"{name!r:24} measured {measured[-1]:.3f}, {run.certificate.verdict}")

figure, axes = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
axes.bar(list(schedules), measured)
for form, style in (("plus", "--"), ("robust", "-")):
    bound = asysg.theory.con.bound(gamma, c, K=K, M=1, T=T, form=form)
    axes.axhline(bound, color="k", ls=style, label=f'bound, form "{form}"')
axes.set(ylabel="mean of squared gradient norms", yscale="log")
axes.legend(loc="center left")
plt.show()
