"""From a data file to an objective: labels, scaling, families."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from .. import _files, objectives, theory
from .._files import Data
from ..errors import InvalidArgument
from ..prox import Prox

Vector = NDArray[np.float64]

#: Objectives by the name people give them, with what they do to labels.
FAMILIES: dict[str, Callable[[Any, Vector], objectives.Objective]] = {
    "sigmoid": lambda A, y: objectives.SigmoidRegression(A, y),
    "nclogit": lambda A, y: objectives.NonconvexLogistic(A, y),
    "welsch": lambda A, y: objectives.RobustRegression(A, y, loss="welsch"),
    "geman": lambda A, y: objectives.RobustRegression(A, y, loss="geman"),
    "cauchy": lambda A, y: objectives.RobustRegression(A, y, loss="cauchy"),
    "sine": lambda A, y: objectives.SineRegression(A, y),
    "phase": lambda A, y: objectives.PhaseRetrieval(A, y),
}
#: The two labels of those that tell two classes apart.
CLASSES = {"sigmoid": (0.0, 1.0), "nclogit": (-1.0, 1.0)}
#: The objective, unless another is asked for.
USUAL = "sigmoid"
#: The options that say how to read a file, as they are where nobody gives them.
UNASKED: dict[str, Any] = {
    "format": None,
    "labels": None,
    "header": None,
    "first_index": None,
    "features": None,
    "max_features": _files.MAX_FEATURES,
    "positive": None,
    "scale": "none",
}
SCALES = ("none", "unit-columns", "unit-rows")
SHOWN = 12


@dataclass(frozen=True)
class Problem:
    """A data file, read: its objective, where a run starts, and what to say of both."""

    objective: objectives.Objective
    start: Start
    about: list[tuple[str, str]]


def add_data(command: argparse.ArgumentParser) -> None:
    """Add the options that say how to read a file."""
    data = command.add_argument_group("data")
    data.add_argument(
        "--format", choices=_files.FORMATS, help="format of FILE (default: told by its name)"
    )
    data.add_argument(
        "--labels", metavar="WHICH",
        help="CSV: column of the labels, name or number from 0 (default: the last); npz: array "
        "of the labels (default y) or a file of labels",
    )  # fmt: skip
    data.add_argument(
        "--header", choices=("yes", "no"),
        help="CSV: whether the first line holds names (default: if no feature of it is a number)",
    )  # fmt: skip
    data.add_argument(
        "--first-index", type=int, choices=(0, 1),
        help="svmlight: id of the first feature (default: 1; 0 if the id 0 occurs)",
    )  # fmt: skip
    data.add_argument(
        "--features",
        type=int,
        metavar="N",
        help="svmlight: number of features (default: the largest id)",
    )
    data.add_argument(
        "--max-features", type=int, default=_files.MAX_FEATURES, metavar="N",
        help="refuse files with more features (default %(default)s)",
    )  # fmt: skip
    data.add_argument(
        "--positive", metavar="LABEL", help="this class against the rest (more than two classes)"
    )
    data.add_argument(
        "--scale", choices=SCALES, default="none",
        help="divide each feature by its largest absolute value (unit-columns) or each sample by "
        "its norm (unit-rows); default none",
    )  # fmt: skip


def add_objective(group: Any, default: str | None = USUAL) -> None:
    """Add the option that says what to make of the data."""
    group.add_argument(
        "--objective", choices=tuple(FAMILIES), default=default,
        help=f"family of the objective (default {USUAL})",
    )  # fmt: skip


def read(args: argparse.Namespace) -> Problem:
    """Read the file, and make an objective of it.

    Raises
    ------
    InvalidArgument
        If the file or its labels do not suit.
    """
    data = _files.read(
        args.file,
        format=args.format,
        labels=args.labels,
        header=None if args.header is None else args.header == "yes",
        first_index=args.first_index,
        n_features=args.features,
        max_features=args.max_features,
    )
    y, mapped = labels(data.y, args.objective, args.positive)
    A, rescaled = scaled(data.A, args.scale)
    about = [
        ("file", f"{args.file} ({'; '.join(data.notes)})"),
        ("data", summary(data)),
        ("labels", mapped),
        ("scaling", rescaled or "none"),
    ]
    return Problem(FAMILIES[args.objective](A, y), start(args.objective, A, y, args.seed), about)


def labels(y: NDArray[Any], objective: str, positive: str | None) -> tuple[Vector, str]:
    """Return the labels as the objective needs them, and what was done to them.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Numbers or words.
    objective : str
        A key of `FAMILIES`.
    positive : str, optional
        The label of the positive class; all others are the negative one.

    Raises
    ------
    InvalidArgument
        If the labels do not suit the objective; the message lists them.
    """
    if objective not in CLASSES:
        if positive is not None:
            raise InvalidArgument(
                f"positive must be left out for {objective}, which is a regression, got "
                f"{positive!r}."
            )
        if y.dtype.kind == "U":
            raise InvalidArgument(f"labels must be numbers for {objective}, got {listed(y)}.")
        return y, "targets used as they are"
    low, high = CLASSES[objective]
    found = np.unique(y)
    if positive is not None:
        wanted = _like(found, positive)
        if wanted is None:
            raise InvalidArgument(
                f"positive must be one of the labels {listed(y)}, got {positive!r}."
            )
        if found.size < 2:
            raise InvalidArgument(f"labels must be of two classes or more, got {listed(y)} only.")
        rest = _name(found[found != wanted][0]) if found.size == 2 else "all others"
        return _map(y == wanted, low, high), f"{_name(wanted)} -> {high:g}, {rest} -> {low:g}"
    if found.size == 2:
        mapped = f"{_name(found[0])} -> {low:g}, {_name(found[1])} -> {high:g}"
        return _map(y == found[1], low, high), mapped
    if found.size == 1:
        raise InvalidArgument(f"labels must be of two classes, got {listed(y)} only.")
    if objective == "sigmoid" and y.dtype.kind == "f" and found[0] >= 0 and found[-1] <= 1:
        return y, "used as they are (all in 0..1)"
    raise InvalidArgument(
        f"labels must be of two classes, got {listed(y)}. Choose one against the rest by "
        "--positive LABEL."
    )


def _like(found: NDArray[Any], word: str) -> Any:
    """Return the label that a word of the command line means, None if there is none."""
    if found.dtype.kind == "U":
        return word if word in found else None
    try:
        value = float(word)
    except ValueError:
        return None
    return value if value in found else None


def _map(positive: NDArray[np.bool_], low: float, high: float) -> Vector:
    return np.where(positive, high, low)


def _name(label: Any) -> str:
    return str(label) if isinstance(label, str) else f"{float(label):g}"


def listed(y: NDArray[Any]) -> str:
    """Return the labels that occur, the first of them if they are many."""
    found = [_name(label) for label in np.unique(y)]
    more = f", ... ({len(found)} in all)" if len(found) > SHOWN else ""
    return ", ".join(found[:SHOWN]) + more


def scaled(A: Any, scale: str) -> tuple[Any, str | None]:
    """Return the data scaled, and what was done (None if nothing)."""
    if scale == "none":
        return A, None
    if scale == "unit-columns":
        size = np.asarray(abs(A).max(axis=0).toarray() if _sparse(A) else abs(A).max(axis=0))
        factor = 1 / np.where(size.ravel() > 0, size.ravel(), 1.0)
        said = "each feature divided by its largest absolute value"
        return (A.multiply(factor).tocsr() if _sparse(A) else A * factor), said
    largest = np.asarray(abs(A).max(axis=1).toarray() if _sparse(A) else abs(A).max(axis=1)).ravel()
    factor = 1 / np.where(largest > 0, largest, 1.0)
    # In two steps, so that no square overflows.
    A = _rows_times(A, factor)
    square = A.multiply(A).sum(axis=1) if _sparse(A) else np.einsum("ij,ij->i", A, A)
    norm = np.sqrt(np.asarray(square).ravel())
    return _rows_times(A, 1 / np.where(norm > 0, norm, 1.0)), "each sample divided by its norm"


def _sparse(A: Any) -> bool:
    return bool(scipy.sparse.issparse(A))


def _rows_times(A: Any, factor: Vector) -> Any:
    return A.multiply(factor[:, None]).tocsr() if _sparse(A) else A * factor[:, None]


def summary(data: Data) -> str:
    """Return size and density in words."""
    A = data.A
    n_samples, n = A.shape
    text = f"{n_samples:,} samples, {n:,} features"
    if not isinstance(A, np.ndarray):
        text += f", {A.nnz:,} nonzero ({100 * A.nnz / (n_samples * n):.3g} %)"
    return text


@dataclass(frozen=True)
class Start:
    """Where a run starts, and what that means for its constants."""

    x: Vector
    note: str
    sigma: float | None = None

    @property
    def estimated(self) -> bool:
        """Whether no sigma is proven and one measured at the start stands in for it."""
        return self.sigma is not None

    def constants(self, objective: objectives.Objective, T: int) -> theory.ProblemConstants:
        """Return the constants of a run from here with delays up to T."""
        if self.sigma is None:
            return objective.constants(self.x, T=T)
        return theory.ProblemConstants(
            gap=max(0.0, objective.value(self.x) - objective.lower_bound),
            sigma=self.sigma,
            L=objective.L,
            n=objective.n,
            L_max=objective.L_max,
            L_T=objective.L_T(max(T, 1)),
            estimated=True,
        )


def add_prox(group: Any) -> None:
    """Add the options of a proximal term."""
    for name, what in (
        ("l1", "add W ||x||_1 to what is minimised"),
        ("l2", "add W ||x||^2/2"),
        ("lower", "keep every entry of x at or above W"),
        ("upper", "keep every entry of x at or below W"),
    ):
        group.add_argument(f"--{name}", type=float, metavar="W", help=f"{what} (not with --mpi)")


def proximal(args: argparse.Namespace) -> Prox | None:
    """Return the proximal term that was asked for.

    Raises
    ------
    InvalidArgument
        If it cannot be, or ranks are to run it.
    """
    given = {
        name: getattr(args, name)
        for name in ("l1", "l2", "lower", "upper")
        if getattr(args, name) is not None
    }
    if given and args.mpi:
        name, value = next(iter(given.items()))
        raise InvalidArgument(
            f"{name} must be left out with --mpi, got {value:g}. Threads have proximal steps."
        )
    return Prox(**given) if given else None


def inside(start: Start, args: argparse.Namespace) -> Start:
    """Return the start, brought into the box if there is one."""
    prox = proximal(args)
    if prox is None or np.isfinite(prox.value(start.x)):
        return start
    return replace(start, x=prox.proximal(start.x, 0.0), note=f"{start.note}, brought into the box")


def start(objective: str, A: Any, y: Vector, seed: int) -> Start:
    """Return the start of a run: 0, except where the gradient vanishes there.

    For phase retrieval 0 is stationary, and no sigma holds everywhere. The start is then random
    and of the size of a solution (mean (a_j'x)^2 = mean y_j^2), and sigma is measured at it.
    """
    n = A.shape[1]
    if objective != "phase":
        return Start(np.zeros(n), "from x = 0")
    x = np.random.default_rng(seed).standard_normal(n)
    z = A @ x
    size = float(np.sqrt(np.mean(z * z)))
    x *= float(np.sqrt(np.mean(y * y))) / size if size > 0 else 1.0
    z = A @ x
    square = np.asarray((A.multiply(A) if _sparse(A) else A * A).sum(axis=1)).ravel()
    slope = z - y * z / np.hypot(1, z)
    sigma = float(np.sqrt(np.mean(square * slope * slope)))
    return Start(x, "from a random x (0 is stationary); no sigma is proven, it is ESTIMATED", sigma)
