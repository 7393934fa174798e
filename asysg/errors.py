"""The errors of the package.

Messages follow one form: ``<name> <rule>, got <value>. <remedy>``.
"""

from .theory import CertificateError, InvalidArgument

__all__ = ["CertificateError", "DivergenceError", "InvalidArgument", "ObjectiveError"]


class DivergenceError(ArithmeticError):
    """A run, or the pilot of one, left the finite numbers."""


class ObjectiveError(RuntimeError):
    """An objective reported that an evaluation failed."""


class ReplayError(ValueError):
    """A flight record that contradicts itself."""
