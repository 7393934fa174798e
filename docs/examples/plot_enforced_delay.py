r"""
A bound that is enforced
========================

Eight workers; one of them stands still for a while, again and again, and comes back with a
gradient that is hundreds of updates old. With ``max_delay`` such a gradient is thrown away and
computed again from a fresh read: the theorem's hypothesis holds by construction, at the price of
a few gradients.
"""

import matplotlib.pyplot as plt
import numpy as np

import asysg
from asysg.simulate import speeds

obj = asysg.objectives.SigmoidRegression.planted(500, 10, rng=0)
crew = dict(n_workers=8, speeds=speeds.straggler(10.0, 60.0, period=100.0))
run = dict(method="asysg-con", steplength=0.5, n_updates=20_000, rng=0, **crew)
figure, axes = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
for offset, (name, limit) in enumerate({"not enforced": None, "max_delay = 15": 15}.items()):
    result = asysg.simulate.minimize(obj, np.zeros(10), max_delay=limit, **run)
    found = result.staleness
    T = result.certificate.T
    print(
        f"{name:15} largest delay {found.max:3}, computed again {result.n_recomputed:3}", end=", "
    )
    print(f"bound of the certificate {result.certificate.bound:.3g} (T = {T})")
    axes.bar(np.arange(11) + 0.4 * offset, found.histogram[:11], width=0.4, label=name)
axes.set_xticks(np.arange(11) + 0.2, ["0"] + [f"<{2**b}" for b in range(1, 11)])
axes.set(xlabel="delay", ylabel="updates", yscale="log")
axes.legend()
plt.show()
