r"""
Which method would be fastest?
==============================

Sixteen workers, one of which is slower than the others by some factor. The planner's times are
proven: by then the mean of the squared gradient norms is at most ε, in expectation, on every
function with these constants. Synchronous rounds wait for the slow one; a constant steplength
pays for its delay; a threshold throws its gradients away and does not mind.
"""

import matplotlib.pyplot as plt
import numpy as np

from asysg.theory import ProblemConstants, planner

c = ProblemConstants(gap=1.0, sigma=1.0, L=4.0)
factors = np.logspace(0, 3, 16)
styles = dict(zip(planner.METHODS, ("o-", "s-", "^-", "d-", "v-"), strict=True))
figure, axes = plt.subplots(figsize=(6.5, 4.2), layout="constrained")
for method, style in styles.items():
    seconds = [
        planner.predict(method, c, eps=0.01, seconds=[1.0] * 15 + [float(factor)]).seconds
        for factor in factors
    ]
    axes.loglog(factors, seconds, style, label=method, markersize=4)
    print(f"{method:15} {seconds[0]:12,.0f} s alike, {seconds[-1]:14,.0f} s with one 1000 x slower")
axes.set(xlabel="how much slower one of 16 workers is", ylabel="seconds, proven")
axes.legend()
plt.show()
