"""The poster's two tables: what is known of them, and how their experiments are run here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Poster:
    """One of the poster's tables, and how it is run here on the synthetic network.

    `poster` holds what is known of it: iteration and running-time speedup by worker count.
    """

    method: str
    transport: str
    workers: tuple[int, ...]
    steplength: float
    batch_size: int
    updates: int
    poster: dict[int, tuple[float | None, float | None]]
    note: str


TABLES = {
    "table1": Poster(
        "asysg-con",
        "messages",
        (1, 2, 3, 4, 5, 6, 7, 8),
        1e-3,
        10,
        3000,
        {1: (1.01, 1.00), 8: (5.96, 5.00)},
        "The poster's are the ends of the ranges it gives for mpi-1 ... mpi-8, of another network "
        "(cifar10_full, 89,578 parameters, minibatch 100) on CIFAR10.",
    ),
    "table2": Poster(
        "asysg-incon",
        "threads",
        (1, 2, 4, 8, 16, 28, 32),
        0.1,
        10,
        30_000,
        {1: (1.0, 1.0), 28: (28.7, None), 32: (31.6, 29.2)},
        "The poster's are all that is known here of its table for thr-1 ... thr-32.",
    ),
}
#: Inputs, units of each layer, outputs of the synthetic network.
LAYERS = (400, 100, 50, 20, 10)
#: The minibatch and the learning rate (of the mean over it) of the experiment on CIFAR-10; the
#: second rate is for shorter runs on generated images, which are easier to tell apart.
CIFAR_BATCH, CIFAR_RATE, GENERATED_RATE = 100, 0.001, 0.0025
