r"""
A network, trained by 1 to 32 virtual workers
=============================================

A small network of the paper's kind. The loss falls with the number of updates, whoever made them:
so 32 workers, each of which is no faster than one, need a thirty-second of the time. Times are
virtual; a network has no proven constants, so the steplength is our choice and no bound is
claimed.
"""

import matplotlib.pyplot as plt

import asysg
from asysg.simulate import speeds

obj = asysg.objectives.Network.planted(500, layers=(20, 16, 8, 4), rng=0)
x0 = obj.initial_point(rng=0)
figure, (by_updates, by_time) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
for p in (1, 4, 16, 32):
    result = asysg.simulate.minimize(
        obj,
        x0,
        method="asysg-incon",
        n_workers=p,
        speeds=speeds.lognormal(0.2),
        steplength=0.05,
        batch_size=10,
        n_updates=40_000,
        n_records=100,
        rng=0,
    )
    trace = result.trace
    print(
        f"{p:2} workers: loss {result.fun:.4f} after {result.time:8.0f} virtual seconds", end=", "
    )
    print(f"mean delay {result.staleness.mean:.1f}: {result.certificate.verdict}")
    by_updates.semilogy(trace.k, trace.f, label=f"{p} workers")
    by_time.loglog(trace.time[1:], trace.f[1:])
by_updates.set(xlabel="updates", ylabel="loss")
by_updates.legend()
by_time.set(xlabel="virtual seconds")
plt.show()
