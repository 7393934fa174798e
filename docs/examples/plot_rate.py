r"""
The rate, for several minibatches
=================================

With the corollary's steplength the mean of the squared gradient norms falls like
:math:`1/\sqrt{KM}`: ten times as many updates, or samples in each, buy a factor of
:math:`\sqrt{10}`. Delays of T = 4 do not change that.
"""

import matplotlib.pyplot as plt
import numpy as np

import asysg

obj = asysg.objectives.CosineQuadratic(n=20, sigma=4.0)
x0, T = np.ones(20), 4
c = obj.constants(x0, T=T)
figure, axes = plt.subplots(figsize=(6.5, 4), layout="constrained")
for number, M in enumerate((1, 4, 16)):
    first = asysg.theory.con.K_min(c, M=M, T=T)
    updates = (first * np.array([1, 2, 4, 8])).astype(int)
    measured = []
    for K in updates:
        run = asysg.simulate.minimize(
            obj,
            x0,
            method="asysg-con",
            delays=asysg.simulate.delays.constant(T),
            steplength=asysg.theory.con.gamma_prescribed(c, K=int(K), M=M, T=T),
            batch_size=M,
            n_updates=int(K),
            n_records=4000,
            rng=number,
        )
        measured.append(run.trace.ergodic)
    slope = np.polyfit(np.log(updates), np.log(measured), 1)[0]
    print(f"M = {M:2}: from K_min = {first} on, fitted slope {slope:.2f}")
    axes.loglog(updates, measured, f"C{number}o-", label=f"measured, M = {M}")
    proven = [asysg.theory.con.rate(c, K=int(K), M=M) for K in updates]
    axes.loglog(updates, proven, f"C{number}--", label=f"Corollary 2, M = {M}")
axes.set(xlabel="updates K", ylabel="mean of squared gradient norms")
axes.legend(fontsize="small", ncols=2)
plt.show()
