"""The errors of the package.

Messages follow one form: ``<name> <rule>, got <value>. <remedy>``.
"""

from .theory import CertificateError, InvalidArgument

__all__ = [
    "CertificateError",
    "ConstantsWarning",
    "DivergenceError",
    "InvalidArgument",
    "ObjectiveError",
    "ReplayError",
]


class DivergenceError(ArithmeticError):
    """A run left the finite numbers (raised by `Result.raise_if_failed`)."""


class ObjectiveError(RuntimeError):
    """An objective reported that an evaluation failed."""


class ReplayError(ValueError):
    """A flight record that contradicts itself."""


class ConstantsWarning(UserWarning):
    """A constant that is claimed of an objective was seen to be too small."""
