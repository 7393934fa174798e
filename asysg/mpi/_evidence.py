"""What a server and its workers guarantee, and what they cannot."""

from __future__ import annotations

from .._evidence import UNBIASED
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
    if method in ("sync", "delayed") or slots == 1:
        why = {
            "sync": "every read is the current iterate",
            "delayed": "gradients are applied in a fixed order, whatever the order of arrival",
        }.get(method, "one gradient at a time: every read is the current iterate")
        found.append(Hypothesis("reads oblivious", True, None, {}, "by construction", why))
    else:
        found.append(
            Hypothesis(
                "reads oblivious",
                True,
                None,
                {},
                "assumed",
                "true as far as the time of an update does not depend on its sample; the robust "
                "form does not need it",
            )
        )
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
    if n_push > 1:
        found.append(
            Hypothesis(
                "reads made of earlier updates",
                False,
                None,
                {},
                "by construction",
                f"the {n_push} local steps of a push read one another, though they are one update; "
                "no theorem here covers that (n_push = 1 is covered: a read then lacks whole "
                "updates of other workers, as for Hogwild with full vectors)",
            )
        )
    return tuple(found)
