"""A hypothesis of a theorem, whether it holds, and how that is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from ._check import choice
from ._errors import CertificateError, InvalidArgument

Evidence = Literal["proven", "measured", "enforced", "assumed", "estimated", "by construction"]

# How the margin of a known hypothesis follows from its numbers: negative means that it fails.
_MARGINS: dict[str, tuple[tuple[str, ...], Callable[..., float]]] = {
    "steplength condition": (("lhs",), lambda lhs: 1 - lhs),
    "delays bounded by T": (("largest_delay", "T"), lambda d, T: T - d),
    "every delay equals T": (("n_other",), lambda n: -n),
    "no update is lost": (("n_lost",), lambda n: -n),
    "reads oblivious": (("p_value", "level"), lambda p, level: p - level),
    "samples unbiased": (("p_value", "level"), lambda p, level: p - level),
    "coordinates uniform": (("p_value", "level"), lambda p, level: p - level),
}

# Margins are differences of rounded numbers of order 1 (an lhs of 1 + 1e-15 is an lhs of 1).
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Hypothesis:
    """One hypothesis of a theorem, in one run.

    Source: documentation, "The theorems" and "Setting and assumptions".

    Parameters
    ----------
    name : str
        What is supposed, a phrase: "delays bounded by T".
    holds : bool
        Whether it is so.
    slack : float or None
        Margin: not negative if it holds, negative by how much it fails; None if there is none to
        speak of.
    numbers : dict of str to float
        What the margin was computed from.
    evidence : str
        How this is known: "proven", "measured", "enforced", "assumed", "estimated" or
        "by construction".
    note : str, optional
        One sentence more.

    Notes
    -----
    For these names the margin follows from the numbers, if they are given under these keys, and
    `Certificate.recheck` recomputes it: "delays bounded by T" (largest_delay, T), "every delay
    equals T" (n_other), "no update is lost" (n_lost), and "reads oblivious", "samples unbiased",
    "coordinates uniform" (p_value, level).

    Examples
    --------
    >>> from asysg import theory
    >>> theory.Hypothesis(
    ...     "delays bounded by T", True, 2.0, {"largest_delay": 6, "T": 8}, "measured"
    ... ).explain()
    '[holds] delays bounded by T (measured): largest_delay = 6, T = 8; margin 2'
    """

    name: str
    holds: bool
    slack: float | None
    numbers: dict[str, float] = field(default_factory=dict)
    evidence: Evidence = "assumed"
    note: str = ""

    def explain(self) -> str:
        """Return one line for people."""
        line = f"[{'holds' if self.holds else 'FAILS'}] {self.name} ({self.evidence})"
        facts = [", ".join(f"{k} = {v:.6g}" for k, v in self.numbers.items())]
        if self.slack is not None:
            facts.append(f"margin {self.slack:.3g}")
        if self.note:
            facts.append(self.note)
        told = "; ".join(part for part in facts if part)
        return f"{line}: {told}" if told else line

    def fault(self) -> str | None:
        """Return the name of the first field that contradicts the others, None if none does."""
        keys, margin = _MARGINS.get(self.name, ((), None))
        slack = self.slack
        if margin is not None and all(k in self.numbers for k in keys):
            if slack is None:
                return "slack"
            expected = margin(*(self.numbers[k] for k in keys))
            if not same(slack, expected, 1e-12):
                return "slack"
        if slack is None:
            return None
        wrong = slack < -_TOLERANCE if self.holds else slack > _TOLERANCE
        # A margin of exactly 0 belongs to a hypothesis that holds where the margin is a rule.
        wrong = wrong or (margin is not None and not self.holds and slack == 0)
        return "holds" if wrong else None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dict of strict JSON values."""
        return {
            "name": self.name,
            "holds": self.holds,
            "slack": None if self.slack is None else encode(self.slack),
            "numbers": {k: encode(v) for k, v in self.numbers.items()},
            "evidence": self.evidence,
            "note": self.note,
        }

    @classmethod
    def from_dict(cls, d: Mapping[str, Any]) -> Hypothesis:
        """Build from `to_dict`'s output.

        Raises
        ------
        CertificateError
            If a field is missing or of the wrong kind.
        """
        try:
            evidence: Any = choice("evidence", d["evidence"], get_args(Evidence))
            if not isinstance(d["holds"], bool):
                raise InvalidArgument.of("holds", "must be true or false", d["holds"])
            return cls(
                name=str(d["name"]),
                holds=d["holds"],
                slack=None if d["slack"] is None else decode(d["slack"]),
                numbers={str(k): decode(v) for k, v in d["numbers"].items()},
                evidence=evidence,
                note=str(d["note"]),
            )
        except (KeyError, TypeError, AttributeError, ValueError) as e:
            raise CertificateError(f"a hypothesis must be readable, got {e!r}.") from e


def same(x: float, y: float, absolute: float = 0.0) -> bool:
    """Tell whether two numbers agree up to the rounding of another machine's libm."""
    return math.isclose(x, y, rel_tol=1e-9, abs_tol=absolute)


def encode(x: float) -> float | str:
    """Return a strict JSON value: a number, or one of the words inf, -inf, nan."""
    y = float(x)
    return y if abs(y) < float("inf") else str(y)


def decode(x: float | str) -> float:
    """Undo `encode`."""
    if isinstance(x, bool) or not isinstance(x, (int, float, str)):
        raise InvalidArgument.of("a stored number", "must be a number", x)
    return float(x)
