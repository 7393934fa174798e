r"""
Steps that adapt to their delay
===============================

Eight workers, two of them 200 times slower than the others. A constant steplength has to bear the
longest delay, so all steps are short. An adaptive one shortens only the steps of late updates,
and its theorem knows no longest delay. Both run with the steplength that their own theorem
allows.
"""

import matplotlib.pyplot as plt
import numpy as np

import asysg
from asysg.simulate import speeds

obj = asysg.objectives.CosineQuadratic(n=10, sigma=0.3)
x0 = np.full(10, 3.0)
crew = dict(n_workers=8, speeds=speeds.two_classes(200.0, 0.25))
run = dict(method="asysg-con", n_updates=20_000, n_records=4000, rng=0, **crew)
figure, axes = plt.subplots(figsize=(6.5, 3.8), layout="constrained")
for name, steplength in {
    "constant, for the longest delay": "optimal",
    "delay-adaptive": "delay-adaptive",
}.items():
    result = asysg.simulate.minimize(obj, x0, steplength=steplength, **run)
    print(f"{name:32} largest step {result.steplength:.2g}", end="  ")
    print(f"bound {result.certificate.bound:.3g}  measured {result.certificate.measured:.3g}")
    axes.semilogy(result.trace.time, result.trace.f, label=name)
axes.set(xlabel="virtual seconds", ylabel="loss")
axes.legend()
plt.show()
