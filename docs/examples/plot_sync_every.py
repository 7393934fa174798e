r"""
How often to merge private copies
=================================

With ``update="replica"`` every worker writes to a copy of x and merges it every B updates. Rare
merges are fast, but reads then lack about 2Bp updates. The theory says what that costs: the best
bound with T = 2Bp, compared with T = 2p. A longer run bears a larger B, and with a
steplength by name the default stays below :math:`\sqrt K/2p`.
"""

import matplotlib.pyplot as plt
import numpy as np

import asysg

obj = asysg.objectives.SigmoidRegression.planted(2000, 100, density=0.2, rng=0)
x0, p = np.zeros(100), 4
batches = np.unique(np.logspace(0, 4, 30).astype(int))
figure, axes = plt.subplots(figsize=(6.5, 3.8), layout="constrained")
for colour, K in (("C0", 10**5), ("C1", 10**6), ("C2", 10**7)):
    bound = []
    for B in batches:
        T = int(2 * B * p)
        c = obj.constants(x0, T=T)
        gamma = asysg.theory.incon.gamma_opt(c, K=K, M=1, T=T)
        bound.append(asysg.theory.incon.bound(gamma, c, K=K, M=1, T=T))
    default = np.sqrt(K) / (2 * p)
    cost = np.interp(default, batches, bound) / bound[0]
    print(f"K = {K:>10,}: B up to {default:.0f} by default, bound x {cost:.3f}")
    axes.semilogx(batches, np.array(bound) / bound[0], colour, label=f"K = {K:,}")
    axes.axvline(default, color=colour, ls=":")
axes.set(
    xlabel="updates between two merges, B", ylabel="bound, relative to B = 1", ylim=(0.98, 1.5)
)
axes.legend(title=r"dotted: $\sqrt{K}/2p$", loc="upper left")
plt.show()
