"""The threshold of Ringmaster ASGD: how old a gradient may be and still be worth its update."""

from __future__ import annotations

import math

from ._check import number
from ._constants import ProblemConstants
from ._errors import InvalidArgument
from ._theorems import frame


def threshold_delay(c: ProblemConstants, eps: float, M: int = 1) -> int:
    """Return the largest delay that is worth keeping on the way to E||grad f||^2 <= eps.

    Ringmaster ASGD has R = max{1, ceil(sigma^2/eps)} and discards every gradient of delay R or
    more: what it uses is at most R - 1 updates late. So R - 1 is returned, to be enforced as
    ``max_delay``. With it the noise of R gradients is averaged for every step forward, more
    would only be stale; fewer would leave workers out that could help. For M samples per update
    the noise is sigma^2/M.

    Source: documentation, "The systems one compares with".

    Parameters
    ----------
    c : ProblemConstants
        Constants of the problem; only sigma is used.
    eps : float
        The squared gradient norm to be reached, above 0.
    M : int, optional
        Samples per update, all at the one read.

    Returns
    -------
    int
        R - 1, at least 0.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges, or an eps so small that R is no float.

    References
    ----------
    Maranjyan, Tyurin, Richtarik, "Ringmaster ASGD: the first asynchronous SGD with optimal time
    complexity", ICML 2025. The order of its time is cited; the bound a certificate gives is that
    of the ordinary theorem at T = R - 1.

    Examples
    --------
    >>> from asysg import theory
    >>> c = theory.ProblemConstants(gap=1.0, sigma=2.0, L=1.0)
    >>> theory.baselines.threshold_delay(c, eps=0.5)
    7
    """
    eps, M = number("eps", eps, strict=True), frame("con", c, M, 0).M
    R = c.sigma / eps * c.sigma / M
    if not math.isfinite(R):
        raise InvalidArgument.of("eps", "must be so large that sigma^2/eps is finite", eps)
    return max(1, math.ceil(R)) - 1
