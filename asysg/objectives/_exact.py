"""The function f itself as an objective, without what is random in it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .._core import exact as _compiled
from ._base import Objective


class Exact(Objective):
    """What `Objective.exact` returns."""

    def __init__(self, inner: Objective) -> None:
        self._inner = inner
        self._kernel = _compiled.Exact(inner._kernel)
        self._samples_each = inner.n_samples or 1
        self._has_value = inner._has_value
        self._given = inner._given and replace(inner._given, sigma=0.0)

    @property
    def exact(self) -> Exact:
        """It is."""
        return self

    @cached_property
    def lower_bound(self) -> float:
        """That of f."""
        return self._inner.lower_bound

    @cached_property
    def L(self) -> float:
        """That of f."""
        return self._inner.L

    @cached_property
    def L_max(self) -> float:
        """That of f."""
        return self._inner.L_max

    @cached_property
    def sigma(self) -> float:
        """0: nothing is random."""
        return 0.0

    def _L_T(self, T: int) -> float:
        return self._inner._L_T(T)

    def support(self, sample: int, i: int = -1) -> NDArray[np.int64] | None:
        """Return the coordinates of x that a call reads; see `Objective.support`."""
        found = super().support(sample, i)
        return None if found is None else np.unique(found)

    def _one_thread(self) -> AbstractContextManager[object]:
        return self._inner._one_thread()

    def _failure(self) -> str:
        return self._inner._failure()

    def _cause(self) -> BaseException | None:
        return self._inner._cause()

    def __repr__(self) -> str:
        return f"{self._inner!r}.exact"
