r"""
A first run, drawn
==================

One asynchronous run at the steplength the theory prescribes: loss, squared gradient norm beside
its bound, and the staleness that occurred. The delays are given, so the picture is the same every
time.
"""

import matplotlib.pyplot as plt
import numpy as np

import asysg

obj = asysg.objectives.SigmoidRegression.planted(1000, 20, rng=0)
result = asysg.simulate.minimize(
    obj,
    np.zeros(20),
    method="asysg-incon",
    delays=asysg.simulate.delays.uniform(T=32),
    n_updates=100_000,
    rng=0,
)
print(result.certificate.explain())

# %%
# Losses and squared gradient norms at the recorded iterates. The mean of the squared norms is what
# the theorem bounds.

k = result.trace.k
figure, (loss, norm) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
loss.semilogy(k, result.trace.f)
loss.set(xlabel="iterate k", ylabel="loss")
norm.semilogy(k, result.trace.grad_norm_sq, lw=0.8, label="at the iterates")
norm.axhline(result.trace.ergodic, ls="--", label="mean")
norm.axhline(result.certificate.bound, color="k", label="bound of the mean")
norm.set(xlabel="iterate k", ylabel="squared gradient norm")
norm.legend()
plt.show()
