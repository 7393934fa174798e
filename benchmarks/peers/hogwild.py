"""PyTorch Hogwild: processes that share a model and step on it without locks (its own example)."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.multiprocessing

from ..measure import Contestant, Reading
from ..team import Team
from ..workloads import STEP, Contestants, Data, Workload, data

TYPES = {"float64": torch.float64, "float32": torch.float32}


def network(layers: tuple[int, ...], dtype: torch.dtype) -> torch.nn.Module:
    """Return the network of W3."""
    parts: list[torch.nn.Module] = []
    for fan_in, fan_out in itertools.pairwise(layers):
        parts += [torch.nn.Linear(fan_in, fan_out, dtype=dtype), torch.nn.Tanh()]
    return torch.nn.Sequential(*parts[:-1])


def setup(
    worker: int, model: torch.nn.Module, X: torch.Tensor, y: torch.Tensor, M: int, rate: Any
) -> Callable[[int], None]:
    """Make a worker: a turn is so many samples, rounded up to minibatches."""
    torch.set_num_threads(1)
    torch.manual_seed(worker)
    parameters = list(model.parameters())
    optimizer = torch.optim.SGD(parameters, lr=float(rate))
    loss = torch.nn.CrossEntropyLoss()

    def work(count: int) -> None:
        optimizer.param_groups[0]["lr"] = float(rate)
        for _ in range(-(-count // M)):
            rows = torch.randint(len(y), (M,))
            optimizer.zero_grad()
            loss(model(X[rows]), y[rows]).backward()
            optimizer.step()

    return work


class Hogwild:
    """A shared model, and processes that train it.

    Parameters
    ----------
    given : Data
    M, p : int
    dtype : str
        "float64" or "float32".
    rate : float
        Steplength of the mean over a minibatch.
    """

    def __init__(self, given: Data, M: int, p: int, dtype: str, rate: float) -> None:
        self.given, self.M, self.p = given, M, p
        kind = TYPES[dtype]
        self.model = network(given.layers, kind).share_memory()
        self.rate = torch.tensor(rate, dtype=torch.float64).share_memory_()
        X = torch.as_tensor(given.A).to(kind).share_memory_()
        y = torch.as_tensor(given.y).share_memory_()
        context = torch.multiprocessing.get_context("spawn")
        self.team = Team(context, p, setup, (self.model, X, y, M, self.rate))

    def reset(self, rate: float) -> None:
        """Go back to the start that all contestants share, with this steplength from now on."""
        self.rate.fill_(rate)
        at = 0
        with torch.no_grad():
            for parameter in self.model.parameters():
                part = self.given.x0[at : at + parameter.numel()].reshape(parameter.shape)
                parameter.copy_(torch.as_tensor(part))
                at += parameter.numel()

    def run(self, count: int) -> Reading:
        """Train on about so many samples."""
        shares = [count * (w + 1) // self.p - count * w // self.p for w in range(self.p)]
        done = sum(-(-share // self.M) * self.M for share in shares)
        return Reading(self.team.run(count), done)

    @property
    def x(self) -> Any:
        """The parameters, in the order of `objectives.Network`."""
        with torch.no_grad():
            flat = [one.reshape(-1).double().numpy() for one in self.model.parameters()]
        return np.concatenate(flat)


def contestants(workload: Workload, p: int, quick: bool) -> Contestants:
    given, M = data("W3", workload.size, quick), workload.size
    for dtype in TYPES:
        yield _contestant(given, M, p, dtype)


def _contestant(given: Data, M: int, p: int, dtype: str) -> Contestant:
    held: list[Hogwild] = []

    def run(count: int) -> Reading:
        if not held:
            held.append(Hogwild(given, M, p, dtype, STEP["W3"]))
        held[0].reset(STEP["W3"])
        found = held[0].run(count)
        return Reading(found.seconds, found.count, given.objective.value(held[0].x))

    def close() -> None:
        while held:
            held.pop().team.close()

    computes = f"the same network and loss in {dtype}, processes" + (
        "; racy: loses updates" if p > 1 else ""
    )
    return Contestant(f"PyTorch {dtype}", "peer", p, run, computes, start=M, close=close)
