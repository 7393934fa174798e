"""Theorem A, of steplengths that adapt to their delays, as a certificate carries it."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ._check import ROUNDING, number, whole
from ._constants import ProblemConstants
from ._errors import InvalidArgument
from ._hypotheses import Evidence, Hypothesis, decode, encode

#: The form of a certificate of Theorem A. It takes no T, so it is not one of FORMS.
FORM = "delay_adaptive"
SHORTENED = "late steplengths short enough"


@dataclass(frozen=True)
class AdaptiveSteps:
    """The steplengths gamma_k = min{gamma, 1/(2 L M tau_k)} of a run, as far as Theorem A asks.

    Source: documentation, "The systems one compares with".

    Parameters
    ----------
    gamma : float
        The largest steplength, at least 0.
    L : float
        The Lipschitz constant that shortened them, above 0.
    P : int or None
        Gradients under way at once, at most: no update is missed by more than P - 1 later ones.
        None where nothing bounds how many miss it; then nothing is claimed.
    total, total_square : float
        The sums over all updates of gamma_k and of its square, at least 0.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges.

    Examples
    --------
    >>> from asysg import theory
    >>> c = theory.ProblemConstants(gap=1.0, sigma=1.0, L=1.0)
    >>> steps = theory.AdaptiveSteps(gamma=0.25, L=1.0, P=2, total=4.0, total_square=1.0)
    >>> theory.certify(
    ...     c, algorithm="con", gamma=steps, K=16, M=1, T=1000, form="delay_adaptive"
    ... ).bound
    1.0
    """

    gamma: float
    L: float
    P: int | None
    total: float
    total_square: float

    def __post_init__(self) -> None:
        for name in ("gamma", "total", "total_square"):
            object.__setattr__(self, name, number(name, getattr(self, name)))
        object.__setattr__(self, "L", number("L", self.L, strict=True))
        if self.P is not None:
            object.__setattr__(self, "P", whole("P", self.P, low=1))

    def require_sums_of(self, K: int) -> None:
        """Refuse sums that K steplengths of at most gamma cannot have.

        Raises
        ------
        InvalidArgument
            Naming the sum.
        """
        # Sums of up to K numbers, each addition rounded.
        more = 1 + 1e-9 + 2 * K * sys.float_info.epsilon
        if self.total > K * self.gamma * more:
            raise InvalidArgument.of("total", "must be at most K gamma", self.total)
        most, least = self.gamma * self.total * more, self.total / K * self.total / more
        if not least <= self.total_square <= most:
            raise InvalidArgument.of(
                "total_square", f"must lie in {least:g}..{most:g}", self.total_square
            )

    def bound(self, c: ProblemConstants, M: int) -> float:
        """Return the bound on the gamma-weighted mean, inf where the condition fails."""
        load = math.inf if self.P is None else c.L * M * self.P * self.gamma
        if load > 1 + ROUNDING or c.L > self.L * (1 + ROUNDING):
            return math.inf
        if self.total == 0:
            return 0.0 if c.gap == 0 else math.inf
        noise = (1 + 2 * load) * c.L * c.sigma * c.sigma * self.total_square
        return (2 * c.gap / M + noise) / self.total

    def condition_hypothesis(self, c: ProblemConstants, M: int, evidence: Evidence) -> Hypothesis:
        """Return the steplength condition with its numbers."""
        if self.P is None:
            note = "it asks how many gradients are under way at once, which nothing bounds here"
            return Hypothesis("steplength condition", False, None, {}, "by construction", note)
        lhs = c.L * M * self.P * self.gamma
        numbers = {"lhs": lhs, "gamma": self.gamma, "gamma_max": 1 / (c.L * M * self.P)}
        note = "the left-hand side is at most 1"
        ok = lhs <= 1 + ROUNDING
        return Hypothesis("steplength condition", ok, 1 - lhs, numbers, evidence, note)

    def shortened_hypothesis(self, c: ProblemConstants, evidence: Evidence) -> Hypothesis:
        """Return that late updates took steps as short as the problem's own L asks."""
        numbers = {"L": c.L, "L of the steplengths": self.L}
        ok = c.L <= self.L * (1 + ROUNDING)
        return Hypothesis(SHORTENED, ok, 1 - c.L / self.L, numbers, evidence)

    def to_dict(self) -> dict[str, Any]:
        """Return a dict of strict JSON values."""
        return {
            "gamma": encode(self.gamma),
            "L": encode(self.L),
            "P": self.P,
            "total": encode(self.total),
            "total_square": encode(self.total_square),
        }

    @classmethod
    def from_dict(cls, d: Mapping[str, Any]) -> AdaptiveSteps:
        """Build from `to_dict`'s output."""
        return cls(
            gamma=decode(d["gamma"]),
            L=decode(d["L"]),
            P=d["P"],
            total=decode(d["total"]),
            total_square=decode(d["total_square"]),
        )
