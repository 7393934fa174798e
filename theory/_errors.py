"""Errors of the theory package: one message form, `<name> <rule>, got <value>. <remedy>`."""

from __future__ import annotations


class InvalidArgument(ValueError):
    """An argument that no theorem can be applied to.

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
    >>> str(InvalidArgument("sigma", "must be at least 0", -1.0, "Pass a standard deviation."))
    'sigma must be at least 0, got -1.0. Pass a standard deviation.'
    """

    def __init__(self, name: str, rule: str = "", value: object = "", remedy: str = "") -> None:
        if not rule:
            super().__init__(name)
            return
        self.name, self.rule, self.value, self.remedy = name, rule, value, remedy
        shown = repr(value)
        if len(shown) > 80:
            shown = shown[:77] + "..."
        super().__init__(f"{name} {rule}, got {shown}." + (f" {remedy}" if remedy else ""))

    def __reduce__(self) -> tuple[type[InvalidArgument], tuple[str, str, object, str]]:
        # Exceptions pickle by their args; ours take four (a worker process sends them back).
        return type(self), (self.name, self.rule, self.value, self.remedy)


class CertificateError(ValueError):
    """A certificate that does not agree with its own numbers.

    Raised when a stored certificate cannot be read, or when recomputing it from the constants it
    carries gives something else than it claims.
    """
