"""What a server and its workers guarantee, and what they cannot."""

from __future__ import annotations

from .._evidence import UNBIASED
from .._served import ORDERED, local_steps, oblivious
from ..theory import Hypothesis


def evidence(
    method: str, slots: int, n_push: int, *, rounded: bool = False
) -> tuple[Hypothesis, ...]:
    """Return what is known of a run before it begins.

    Parameters
    ----------
    method : str
    slots : int
        Gradients under way at once.
    n_push : int
        Local steps of an update.
    rounded : bool
        Whether vectors travel in float32.
    """
    found = [UNBIASED]
    alone = "one gradient at a time: every read is the current iterate" if slots == 1 else None
    found.append(oblivious(ORDERED.get(method, alone)))
    if rounded:
        found.append(
            Hypothesis(
                "vectors travel as they are",
                False,
                None,
                {"rounding": 2.0**-24},
                "by construction",
                "reads and gradients are rounded to float32: no read is an iterate, and the errors "
                "have no mean zero; no theorem here covers that",
            )
        )
    return (*found, *local_steps(n_push))
