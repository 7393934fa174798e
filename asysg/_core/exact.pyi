"""f itself as an objective: one sample, and that is all of f."""

from .kernel import Kernel

class Exact(Kernel):
    def __init__(self, inner: Kernel) -> None: ...
