"""Errors of the theory package: one message form, `<name> <rule>, got <value>. <remedy>`."""

from __future__ import annotations

from typing import Self


class InvalidArgument(ValueError):
    """An argument that cannot be; its message says what to do instead."""

    @classmethod
    def of(cls, name: str, rule: str, value: object, remedy: str = "") -> Self:
        """Make the error of an argument from the parts of its message.

        Parameters
        ----------
        name : str
            The argument, as the caller wrote it.
        rule : str
            What it has to be, a phrase that follows the name ("must be positive").
        value : object
            What was given.
        remedy : str, optional
            What to do instead, one sentence.

        Examples
        --------
        >>> from asysg.theory import InvalidArgument
        >>> InvalidArgument.of("sigma", "must be at least 0", -1.0, "Pass a standard deviation.")
        InvalidArgument('sigma must be at least 0, got -1.0. Pass a standard deviation.')
        """
        shown = repr(value)
        if len(shown) > 80:
            shown = shown[:77] + "..."
        return cls(f"{name} {rule}, got {shown}." + (f" {remedy}" if remedy else ""))


class CertificateError(ValueError):
    """A certificate that does not agree with its own numbers.

    Raised when a stored certificate cannot be read, or when recomputing it from the constants it
    carries gives something else than it claims.
    """
