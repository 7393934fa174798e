"""Read a stored certificate back and check it again."""

from __future__ import annotations

import math
import os

from .._check import read_json
from ..errors import CertificateError, InvalidArgument
from ..result import Result, bounded_mean
from ..theory import Certificate


def load(path: str | os.PathLike[str]) -> Certificate:
    """Read the certificate from a file and recompute all that follows from its numbers.

    Parameters
    ----------
    path : path-like
        What `Result.to_json` or `theory.Certificate.to_json` wrote.

    Returns
    -------
    Certificate
        Of a result's file, also compared with the trace and the delays stored beside it.

    Raises
    ------
    InvalidArgument
        If there is no such file, or it is neither.
    CertificateError
        If it is, and was changed or made by other formulas.

    Examples
    --------
    >>> import asysg, numpy as np, pathlib, tempfile
    >>> obj = asysg.objectives.CosineQuadratic(n=20, sigma=0.1)
    >>> res = asysg.minimize(obj, np.ones(20), steplength=0.02, n_updates=1000, n_threads=1, rng=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "result.json")
    ...     res.to_json(path)
    ...     asysg.verify.load(path) == res.certificate
    True
    """
    what = "a file written by to_json of a Result or a Certificate"
    data = read_json(path, what)
    if not isinstance(data, dict) or not {"certificate", "schema"} & set(data):
        raise InvalidArgument.of("path", f"must name {what}", os.fspath(path))
    if "certificate" not in data:
        return Certificate.from_dict(data).recheck()
    certificate = Certificate.from_dict(data["certificate"]).recheck()
    try:
        result = Result.from_dict(data)
    except InvalidArgument as error:
        raise CertificateError(
            f"the result around a certificate must be readable: {error!r}."
        ) from error
    measured = bounded_mean(
        result.trace,
        result.status,
        form=certificate.form,
        K=certificate.K,
        T=certificate.T,
        gamma=certificate.gamma,
    )
    for name, stored, found in (
        ("measured", certificate.measured, measured),
        ("K", certificate.K, max(1, result.nit)),
        ("M", certificate.M, result.batch_size),
        ("T", certificate.T, result.staleness.max or 0),
    ):
        if not _agree(stored, found):
            raise CertificateError(
                f"{name} must be that of the result in the same file, {found!r}, got {stored!r}. "
                "The file was changed."
            )
    return certificate


def _agree(stored: float | None, found: float | None) -> bool:
    if stored is None or found is None:
        return stored is found
    # A mean of the same numbers may round otherwise where it is computed again.
    return math.isclose(stored, found, rel_tol=1e-12)
