"""Objectives that are known exactly and observed through additive noise."""

from __future__ import annotations

from typing import Any

from .. import _check
from .._core.stream import LAWS
from ._base import Objective

NOISES = tuple(LAWS)


class Stream(Objective):
    """An objective f with F(x; xi) = f(x) + <zeta(xi), x>, E zeta = 0, E ||zeta||^2 = sigma^2.

    The law of the noise zeta, `noise`, is one of

    ``"gaussian"``
        independent normal entries of variance sigma^2 / n;
    ``"rademacher"``
        independent entries +-sigma / sqrt(n), so that ||zeta|| = sigma surely;
    ``"coordinate"``
        one coordinate, uniform, gets +-sigma;
    ``"jumps"``
        +-8 sigma / sqrt(n) in every entry with probability 1/64, else zero;
    ``"skewed"``
        independent entries, 3 sigma / sqrt(n) with probability 1/10, else -sigma / (3 sqrt(n)).

    sigma is exact: the standard deviation of the gradient is sigma at every x.
    """

    noise: str

    def _set_noise(self, sigma: Any, noise: Any) -> None:
        self.sigma = _check.number(
            "sigma", sigma, least=0, remedy="It is the standard deviation of the whole gradient."
        )
        self.noise = _check.choice(
            "noise", noise, NOISES, remedy="Use sigma=0 for an objective without noise."
        )
