r"""
Stopped and gone on with
========================

A run that writes a checkpoint is stopped in the middle, and called again with the same arguments.
It goes on where it was: the same draws, the same iterates, and at the end the same bits as a run
that was never stopped.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import asysg

obj = asysg.objectives.SigmoidRegression.planted(500, 10, rng=0)
x0 = np.zeros(10)
run = dict(steplength=0.5, n_updates=20_000, n_threads=1, n_records=100, rng=1)


def stop_halfway(intermediate_result):
    if intermediate_result.nit >= 8000:
        raise StopIteration


with tempfile.TemporaryDirectory() as folder:
    file = Path(folder, "run.npz")
    first = asysg.minimize(
        obj, x0, checkpoint=file, checkpoint_every=0.0, callback=stop_halfway, **run
    )
    print(f"{first.status} after {first.nit} updates")
    rest = asysg.minimize(obj, x0, checkpoint=file, **run)
whole = asysg.minimize(obj, x0, **run)
print(f"{rest.status} after {rest.nit} updates; the same bits: {np.array_equal(rest.x, whole.x)}")

figure, axes = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
axes.semilogy(whole.trace.k, whole.trace.f, "0.7", lw=6, label="never stopped")
axes.semilogy(rest.trace.k, rest.trace.f, "C1", label="gone on with")
axes.semilogy(first.trace.k, first.trace.f, "C0", label="until it was stopped")
axes.set(xlabel="iterate k", ylabel="loss")
axes.legend()
plt.show()
