"""Objectives F(x; xi) = f(x) + <zeta(xi), x>: f exact, noise of known law."""

from .kernel import Kernel

LAWS: dict[str, int]

class Stream(Kernel): ...
