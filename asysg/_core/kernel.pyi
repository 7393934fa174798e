"""The owner of an objective's C struct, shared by every compiled family."""

from typing import Any

class Kernel:
    @property
    def capsule(self) -> Any: ...
    @property
    def n(self) -> int: ...
    @property
    def n_samples(self) -> int: ...
