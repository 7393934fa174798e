"""Nonconvex objectives with stochastic gradients and proven constants."""

from . import cifar, synthetic
from ._base import Objective
from ._torch import TorchObjective, from_torch
from .coupled import SineChain, Synchronization
from .network import Network
from .quadratic import Quadratic
from .regression import (
    LeastSquares,
    NonconvexLogistic,
    PhaseRetrieval,
    RobustRegression,
    SigmoidRegression,
    SineRegression,
)
from .separable import CosineQuadratic, HuberCosine, RotatedCosineQuadratic

__all__ = [
    "CosineQuadratic",
    "HuberCosine",
    "LeastSquares",
    "Network",
    "NonconvexLogistic",
    "Objective",
    "PhaseRetrieval",
    "Quadratic",
    "RobustRegression",
    "RotatedCosineQuadratic",
    "SigmoidRegression",
    "SineChain",
    "SineRegression",
    "Synchronization",
    "TorchObjective",
    "cifar",
    "from_torch",
    "synthetic",
]
