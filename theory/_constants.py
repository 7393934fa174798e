"""The constants every theorem starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ._check import number, whole
from ._errors import InvalidArgument

# Exact constants satisfy L_max <= L and L_T <= L; computed ones do so up to rounding.
_ORDER_TOLERANCE = 1e-9


@dataclass(frozen=True)
class ProblemConstants:
    """What is known about the objective, its start and its noise.

    Every theorem of this package is a function of these numbers. They are *upper bounds*: larger
    values keep every theorem true and make its bound weaker.

    Parameters
    ----------
    gap : float
        Delta = f(x_1) - f*, with f* any lower bound of f. At least 0, units of f.
    sigma : float
        Standard deviation of the stochastic gradient: E||G(x, xi) - grad f(x)||^2 <= sigma^2 for
        every x. At least 0, units of the gradient.
    L : float
        Lipschitz constant of the gradient. Above 0.
    n : int, optional
        Number of coordinates. At least 1. Used by AsySG-incon only.
    L_max : float, optional
        Lipschitz constant of each partial derivative along its own coordinate; `L` if not given.
        Between 0 and `L`.
    L_T : float, optional
        Lipschitz constant of the gradient between points that differ in at most T coordinates,
        for the T the theorems are asked about; `L` if not given (and equal to `L` once T >= n).
        Between 0 and `L`. Not used at T = 0, except in Corollary 4.
    estimated : bool, optional
        True if a number was estimated from samples: certificates then say so.

    Raises
    ------
    InvalidArgument
        For anything but finite numbers in these ranges (bools and NaN included), or if `L_max`
        or `L_T` exceeds `L` by more than rounding: `L` itself is then the better bound.

    Notes
    -----
    Source: assumptions A1 and A2 of the paper (Lian, Huang, Li, Liu, NIPS 2015, Assumption 1).
    For one function L_max <= L_T <= L. The first of these is not enforced: an `L_max` left at its
    default `L` beside a small `L_T` is loose, not wrong.

    Examples
    --------
    >>> from asysg import theory
    >>> c = theory.ProblemConstants(gap=2.0, sigma=0.5, L=4.0, n=10, L_max=1.0)
    >>> c.L_T
    4.0
    >>> theory.ProblemConstants(gap=2.0, sigma=-1.0, L=4.0)
    Traceback (most recent call last):
        ...
    asysg.theory._errors.InvalidArgument: sigma must be a finite number at least 0, got -1.0.
    """

    gap: float
    sigma: float
    L: float
    n: int = 1
    # None stands for L; a reader never sees it, hence the types.
    L_max: float = None  # type: ignore[assignment]
    L_T: float = None  # type: ignore[assignment]
    estimated: bool = False

    def __post_init__(self) -> None:
        L = number("L", self.L, strict=True)
        clean: dict[str, Any] = {
            "gap": number("gap", self.gap),
            "sigma": number("sigma", self.sigma),
            "L": L,
            "n": whole("n", self.n, low=1),
        }
        for name in ("L_max", "L_T"):
            given = getattr(self, name)
            x = L if given is None else number(name, given)
            if x > L * (1 + _ORDER_TOLERANCE):
                raise InvalidArgument.of(
                    name, f"must be at most L = {L:g}", x, "L bounds it: pass min of the two."
                )
            clean[name] = x
        if not isinstance(self.estimated, bool):
            raise InvalidArgument.of("estimated", "must be True or False", self.estimated)
        for name, value in clean.items():
            object.__setattr__(self, name, value)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dict of plain Python numbers.

        Examples
        --------
        >>> from asysg import theory
        >>> theory.ProblemConstants(gap=1.0, sigma=0.0, L=2.0).to_dict()["L_max"]
        2.0
        """
        return asdict(self)

    @classmethod
    def from_dict(cls, d: Mapping[str, Any]) -> ProblemConstants:
        """Build from `to_dict`'s output.

        Parameters
        ----------
        d : mapping
            Field names to values; the optional ones may be missing.

        Raises
        ------
        InvalidArgument
            For a field that does not exist, one that is missing, or a value out of range.

        Examples
        --------
        >>> from asysg import theory
        >>> c = theory.ProblemConstants(gap=1.0, sigma=0.0, L=2.0)
        >>> theory.ProblemConstants.from_dict(c.to_dict()) == c
        True
        """
        known = set(cls.__dataclass_fields__)
        missing = {"gap", "sigma", "L"} - set(d)
        if set(d) - known or missing:
            raise InvalidArgument.of(
                "d", f"must hold gap, sigma, L and nothing outside {sorted(known)}", sorted(d)
            )
        return cls(**d)
