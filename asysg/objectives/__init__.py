"""Nonconvex objectives with stochastic gradients and proven constants."""

from . import cifar, synthetic
from ._base import Objective
from ._callable import CallableObjective, from_callable
from ._checker import Finding, ObjectiveCheck, check
from ._native import NativeObjective, from_lowlevel
from ._signature import signature
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
    "CallableObjective",
    "CosineQuadratic",
    "Finding",
    "HuberCosine",
    "LeastSquares",
    "NativeObjective",
    "Network",
    "NonconvexLogistic",
    "Objective",
    "ObjectiveCheck",
    "PhaseRetrieval",
    "Quadratic",
    "RobustRegression",
    "RotatedCosineQuadratic",
    "SigmoidRegression",
    "SineChain",
    "SineRegression",
    "Synchronization",
    "TorchObjective",
    "check",
    "cifar",
    "from_callable",
    "from_lowlevel",
    "from_torch",
    "signature",
    "synthetic",
]
