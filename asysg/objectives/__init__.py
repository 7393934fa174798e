"""Nonconvex objectives with stochastic gradients and proven constants."""

from . import synthetic
from ._base import Objective
from .quadratic import Quadratic
from .regression import SigmoidRegression

__all__ = ["Objective", "Quadratic", "SigmoidRegression", "synthetic"]
