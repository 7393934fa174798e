r"""
What a lost update costs
========================

``x[i] += step`` on two threads is a load, an add and a store. What another thread stores in
between is gone, and a store that comes late undoes many updates at once. Here two virtual threads
add 1 to one counter, taking turns by lot, once by load and store and once by an atomic add.

In a run of stochastic gradient nothing seems wrong: lost updates look like shorter steps. That is
why `asysg.minimize` writes by atomic adds or merged copies, and why ``update="lossy"`` counts
what it loses and its certificate claims nothing.
"""

import matplotlib.pyplot as plt
import numpy as np

rng = np.random.default_rng(0)
updates = 2000


def count(switching):
    """Return the counter after every update; a thread is left in the middle so often."""
    counter, held = 0, [None, None]
    path = []
    turn = 0
    while len(path) < updates:
        if held[turn] is None:
            held[turn] = counter  # load
        else:
            counter, held[turn] = held[turn] + 1, None  # add, store
            path.append(counter)
        if rng.random() < switching:
            turn = 1 - turn
    return np.array(path)


figure, axes = plt.subplots(figsize=(6.5, 3.8), layout="constrained")
axes.plot([0, updates], [0, updates], "k-", label="atomic adds: none lost")
for switching in (0.01, 0.1, 0.5):
    path = count(switching)
    lost = updates - path[-1]
    print(f"threads change turns with probability {switching:4}: {lost} of {updates} updates lost")
    axes.plot(path, label=f"load and store, turns change {switching:.0%} of the time")
axes.set(xlabel="updates made", ylabel="updates that are in x")
axes.legend()
plt.show()
