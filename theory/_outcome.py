"""What a statistical test returns, and the probability that all of them may spend."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ._check import number, whole
from ._errors import InvalidArgument

#: What all tests together may spend. Source: documentation, "The statistical tests".
TOTAL_FALSE_ALARM = 1e-6


@dataclass(frozen=True)
class Outcome:
    """What a test found.

    Source: documentation, "The statistical tests".

    Parameters
    ----------
    name : str
        The test.
    null : str
        What is true if nothing is wrong.
    statistic : float
        The number that was looked at.
    p_value : float
        Probability, if the null is true, of a statistic at least this extreme (for an e-value E:
        min{1, 1/E}, an upper bound of it).
    alpha : float
        False alarm the test was given.
    """

    name: str
    null: str
    statistic: float
    p_value: float
    alpha: float

    @property
    def rejected(self) -> bool:
        """True if the null is rejected: p_value <= alpha."""
        return self.p_value <= self.alpha


@dataclass
class ErrorBudget:
    """A total probability of any false alarm, spent test by test (Bonferroni).

    Proof: documentation, "The statistical tests".

    Parameters
    ----------
    total : float, optional
        What all tests together may spend, above 0 and below 1.
    spent : dict, optional
        What each test spent before.

    Examples
    --------
    >>> from asysg.theory.testing import ErrorBudget
    >>> budget = ErrorBudget(1e-6)
    >>> alpha = budget.spend("moments", 1e-7)
    >>> round(budget.left * 1e7, 6)
    9.0
    """

    total: float = TOTAL_FALSE_ALARM
    spent: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        probability("total", self.total)

    @property
    def left(self) -> float:
        """What has not been spent."""
        return self.total - math.fsum(self.spent.values())

    def spend(self, name: str, alpha: float) -> float:
        """Take alpha out for the test `name` and return it.

        Raises
        ------
        InvalidArgument
            If less than that is left, or `name` has had its share.
        """
        probability("alpha", alpha)
        if name in self.spent:
            raise InvalidArgument.of("name", "must not have been given a share before", name)
        if alpha > self.left * (1 + 1e-9):
            raise InvalidArgument.of("alpha", f"must be at most the {self.left:g} left", alpha)
        self.spent[name] = alpha
        return alpha

    def share(self, name: str, *, tests: int, of: float) -> float:
        """Spend `of` on a group of tests and return what each of them may use.

        Raises
        ------
        InvalidArgument
            As `spend`, and if `tests` is not an integer at least 1.
        """
        tests = whole("tests", tests, low=1)
        return self.spend(name, of) / tests


def probability(name: str, value: float) -> float:
    x = number(name, value, strict=True)
    if x >= 1:
        raise InvalidArgument.of(name, "must be above 0 and below 1", value)
    return x
