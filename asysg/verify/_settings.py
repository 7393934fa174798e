"""How much is run: the defaults, and what ``quick`` cuts down."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """What every row needs to know of the suite it belongs to.

    Attributes
    ----------
    quick : bool
    n_threads : int
    seed : int
    factor : float
        Every run multiplies its steplength with this; the claims do not.
    alpha : float
        Share of one row in the error budget.
    """

    quick: bool
    n_threads: int
    seed: int
    factor: float
    alpha: float

    def number(self, full: int, quick: int) -> int:
        """Return the first number, or the second if the suite is quick."""
        return quick if self.quick else full
