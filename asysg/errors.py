"""The errors of the package.

Messages follow one form: ``<name> <rule>, got <value>. <remedy>``.
"""

from .theory import CertificateError, InvalidArgument

__all__ = [
    "AsysgWarning",
    "CertificateError",
    "ConstantsWarning",
    "DivergenceError",
    "InvalidArgument",
    "MissingPackage",
    "ObjectiveError",
    "ReplayError",
]


class DivergenceError(ArithmeticError):
    """A run left the finite numbers (raised by `Result.raise_if_failed`)."""


class ObjectiveError(RuntimeError):
    """An objective reported that an evaluation failed."""


class ReplayError(ValueError):
    """A flight record that contradicts itself."""


class MissingPackage(ImportError):
    """An optional package is not installed; the message says how to get it."""


class AsysgWarning(RuntimeWarning):
    """Something is not as it was asked for, and the run goes on: the category of all warnings."""


class ConstantsWarning(AsysgWarning):
    """A constant that is claimed of an objective was seen to be too small."""
