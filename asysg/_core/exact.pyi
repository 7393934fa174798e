"""f itself as an objective: one sample, and that is all of f."""

from typing import Self

from .kernel import Kernel

class Exact(Kernel):
    def __new__(cls, inner: Kernel) -> Self: ...
