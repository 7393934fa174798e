r"""
Where the theory is tight
=========================

On the isotropic quadratic with a constant delay the expected gradient norm is known exactly.
There Theorem U is attained. Theorem P, which pays for delays that vary, and the paper's Theorem 1,
which throws away a term as large as the one it bounds, stay about a factor of two above. A run lies
on the exact curve.
"""

import matplotlib.pyplot as plt
import numpy as np

import asysg
from asysg.theory import con, moments

T, K, n = 3, 4000, 4
obj = asysg.objectives.Quadratic(np.ones(n), sigma=1.0)
x0 = np.zeros(n)  # from the minimum: all there is comes from the noise
c = asysg.theory.ProblemConstants(gap=0.0, sigma=1.0, L=1.0)
steps = np.linspace(0.1, 0.99, 12) * con.gamma_max(c, M=1, T=T, form="uniform")
late = np.full((K, 1), T)
exact, measured = [], []
for gamma in steps:
    exact.append(moments.isotropic(1.0, 0.0, sigma=1.0, gamma=gamma, delays=late, n=n).A.mean())
    run = asysg.simulate.minimize(
        obj,
        x0,
        method="asysg-con",
        delays=asysg.simulate.delays.constant(T),
        steplength=gamma,
        n_updates=K,
        n_records=K,
        constants=c,
        rng=0,
    )
    measured.append(run.trace.ergodic)

figure, axes = plt.subplots(figsize=(6.5, 4), layout="constrained")
names = {"paper": "Theorem 1", "plus": "Theorem P", "uniform": "Theorem U"}
for style, (form, name) in zip((":", "--", "-"), names.items(), strict=True):
    bound = np.array([con.bound(gamma, c, K=K, M=1, T=T, form=form) for gamma in steps])
    held = np.isfinite(bound)
    axes.plot(steps[held], bound[held], "k" + style, label=name)
    print(f"{name}: exact / bound up to {max(np.array(exact)[held] / bound[held]):.4f}")
axes.plot(steps, exact, "C0-", label="exact expectation")
axes.plot(steps, measured, "C1o", label="one run each")
axes.set(xlabel="steplength γ", ylabel="mean of squared gradient norms")
axes.legend()
plt.show()
