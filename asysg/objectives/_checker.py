"""Whether an objective is what it says, and what its constants may be."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from .. import _check
from ..errors import ConstantsWarning, InvalidArgument, ObjectiveError
from ..theory import ProblemConstants
from . import _estimates
from ._base import Objective
from ._estimates import Curvature, Interval, Mean

Vector = NDArray[np.float64]
#: Steps of differences of values, relative to x: the best one counts.
LADDER = 10.0 ** -np.arange(2, 8)
#: What rounding may change in a sum of one sample's numbers.
ROUNDING = 1e-9
#: False alarm of the test that samples are unbiased.
ALARM = 1e-6
#: Directions along which they are compared.
DIRECTIONS = 5


@dataclass(frozen=True)
class Finding:
    """One property of an objective.

    Attributes
    ----------
    name : str
        What should be so.
    ok : bool
    worst, limit : float
        How far from it the worst case was, and how far it may be; NaN where there is no number.
    note : str
        Where that was.
    """

    name: str
    ok: bool
    worst: float = math.nan
    limit: float = math.nan
    note: str = ""

    def explain(self) -> str:
        """Return a line for people."""
        number = "" if math.isnan(self.worst) else f": {self.worst:.2g} (limit {self.limit:.2g})"
        note = f"; {self.note}" if self.note else ""
        return f"[{'ok' if self.ok else 'FAILS'}] {self.name}{number}{note}"


@dataclass(frozen=True)
class ObjectiveCheck:
    """What `check` found.

    Attributes
    ----------
    findings : tuple of Finding
    constants : ProblemConstants or None
        Estimated, and marked so. None where f cannot be computed, or is not known and no `gap`
        was given.
    L, sigma : tuple of float, or None
        The least each can be by what was seen, and what it is at most at the points with
        probability `confidence`.
    confidence : float
    n_points : int
        Where was looked.
    """

    findings: tuple[Finding, ...]
    constants: ProblemConstants | None
    L: tuple[float, float] | None
    sigma: tuple[float, float] | None
    confidence: float
    n_points: int

    @property
    def ok(self) -> bool:
        """Whether nothing was found to be wrong."""
        return all(finding.ok for finding in self.findings)

    def explain(self) -> str:
        """Return what a person needs to know."""
        lines = [finding.explain() for finding in self.findings]
        for name, pair in (("L", self.L), ("sigma", self.sigma)):
            if pair is not None and pair[0] == pair[1]:
                lines.append(f"{name}: {pair[0]:.6g} at the {self.n_points} points looked at.")
            elif pair is not None:
                lines.append(
                    f"{name}: at least {pair[0]:.6g}; at the {self.n_points} points looked at, at "
                    f"most {pair[1]:.6g} with probability {self.confidence:g} or more."
                )
        if self.constants is not None:
            lines.append(
                f"gap: {self.constants.gap:.6g}. Between the points nothing is known: certificates "
                "from these constants say that they are ESTIMATED."
            )
        return "\n".join(lines)


def check(
    obj: Objective,
    x0: ArrayLike,
    *,
    T: int = 1,
    gap: float | None = None,
    constants: ProblemConstants | None = None,
    points: ArrayLike | None = None,
    n_samples: int = 1000,
    n_steps: int = 40,
    confidence: float = 0.95,
    tolerance: float = 1e-4,
    rng: Any = 0,
) -> ObjectiveCheck:
    r"""Look for mistakes in an objective, and estimate its constants.

    Compared are the gradient with differences of the value, its entries with `partial` and
    `support`, sums with `minibatch`, and the mean over samples with the gradient of f. Estimated
    are L (from the Hessian, by differences of gradients: all of it up to 64 coordinates, beyond by
    a power iteration), sigma, and the gap (f(x0) less a proven lower bound, or else less the
    smallest f that L-BFGS meets: a smaller one may exist).

    Parameters
    ----------
    obj : Objective
        Any, but meant for a user's own: `from_lowlevel`, `from_callable`, `from_torch`.
    x0 : array_like, shape (n,)
        Where a run will start.
    T : int
        The delay for which L_T is estimated, at least 0.
    gap : float, optional
        f(x0) less a lower bound of f that you know.
    constants : ProblemConstants, optional
        Constants to be held against what is seen, besides those of the objective.
    points : array_like, shape (m, n), optional
        Where to look, besides x0: the region where you expect the run. By default the middle and
        the end of a descent from x0, and a point as far from x0 as that end in a random direction.
    n_samples : int
        Samples looked at to estimate sigma at each point, at least 2; all if there are fewer.
    n_steps : int
        Steps of descent and of the power iteration, at least 1; each two full gradients.
    confidence : float
        Of the upper ends of `L` and `sigma` at the points together, in (0, 1).
    tolerance : float
        Relative error of derivatives that is taken for rounding, above 0.
    rng : optional
        Anything that ``numpy.random.default_rng`` takes.

    Returns
    -------
    ObjectiveCheck

    Raises
    ------
    InvalidArgument
        For an argument out of range.

    Warns
    -----
    ConstantsWarning
        If what was seen contradicts a constant that is claimed. An L, L_max or gap is then surely
        too small (up to rounding), a sigma by the same confidence.

    Notes
    -----
    ||H^k u|| >= ||H||^k |c| for a random unit vector u whose component along a top eigenvector is
    c, and P(|c| <= t) <= t sqrt(2n/pi): that is where the confidence of L comes from.

    Examples
    --------
    >>> import numpy as np, asysg
    >>> f = asysg.objectives.from_callable(
    ...     lambda x, j: np.tanh(x - j), value=lambda x, j: np.log(np.cosh(x - j)).sum(),
    ...     n=3, n_samples=4)
    >>> found = asysg.objectives.check(f, np.zeros(3))
    >>> found.ok, found.constants.estimated
    (True, True)
    >>> res = asysg.minimize(
    ...     f, np.zeros(3), constants=found.constants, n_updates=2000, n_threads=1, rng=0)
    >>> "ESTIMATED" in res.certificate.explain()
    True
    >>> wrong = asysg.objectives.from_callable(
    ...     lambda x, j: 2 * np.tanh(x - j), value=lambda x, j: np.log(np.cosh(x - j)).sum(),
    ...     n=3, n_samples=4)
    >>> print(asysg.objectives.check(wrong, np.zeros(3)).findings[0].explain())
    ... # doctest: +ELLIPSIS
    [FAILS] gradient is the derivative of value: ...
    """
    if not isinstance(obj, Objective):
        raise InvalidArgument.of("obj", "must be an Objective", type(obj).__name__)
    start = _check.vector("x0", x0, obj.n, remedy="Give one number per coordinate.")
    T = _check.integer("T", T, least=0)
    count = _check.integer("n_samples", n_samples, least=2)
    n_steps = _check.integer("n_steps", n_steps, least=1)
    tolerance = _check.number("tolerance", tolerance, above=0.0)
    if gap is not None:
        gap = _check.number("gap", gap, least=0.0)
    if not 0 < confidence < 1:
        raise InvalidArgument.of("confidence", "must lie in (0, 1)", confidence)
    if constants is not None and not isinstance(constants, ProblemConstants):
        raise InvalidArgument.of("constants", "must be a ProblemConstants", constants)
    given = None if points is None else np.atleast_2d(np.asarray(points, dtype=np.float64))
    if given is not None and (given.ndim != 2 or given.shape[1] != obj.n):
        raise InvalidArgument.of("points", f"must have shape (m, {obj.n})", given.shape)
    random = np.random.default_rng(rng)
    samples = _samples(obj, count, random)
    alarm = (1 - confidence) / 2
    try:
        with obj._one_thread():
            best, where = _places(obj, start, given, n_steps, random)
            findings = _derivatives(obj, where, samples, tolerance, random)
            curved = _estimates.curvature(obj, where, n_steps, alarm, random)
            sigma, means = _estimates.noise(obj, where, samples, alarm, DIRECTIONS, random)
            findings.append(_unbiased(means, len(samples) == obj.n_samples))
            value = obj.value(start) if obj._has_value else None
    except ObjectiveError as error:
        failed = Finding("every sample can be computed", False, note=str(error))
        return ObjectiveCheck((failed,), None, None, None, confidence, 0)
    own = gap
    if own is None and value is not None:
        lowest = obj.lower_bound if math.isfinite(obj.lower_bound) else best
        own = max(0.0, value - lowest)
    found = None if own is None else _constants(own, sigma, curved, obj.n, T)
    seen_gap = None if value is None else value - best
    _contradict(obj, constants, curved, sigma, seen_gap, best)
    return ObjectiveCheck(
        tuple(findings), found, (curved.L.least, curved.L.most), (sigma.least, sigma.most),
        confidence, len(where),
    )  # fmt: skip


def _samples(obj: Objective, count: int, rng: np.random.Generator) -> NDArray[Any]:
    """Draw samples, or take all if there are no more than that."""
    if obj.n_samples is None:
        return rng.integers(2**64, size=count, dtype=np.uint64)
    if obj.n_samples <= count:
        return np.arange(obj.n_samples)
    return rng.integers(obj.n_samples, size=count)


def _places(
    obj: Objective, x0: Vector, given: Vector | None, steps: int, rng: np.random.Generator
) -> tuple[float, list[Vector]]:
    """Return the smallest f that was met, and where to look."""
    best, way = math.nan, [x0]
    if obj._has_value:
        best, met = _estimates.descent(obj, x0, steps)
        way += met
    if given is not None:
        return best, [x0, *given]
    direction = rng.standard_normal(obj.n)
    distance = float(np.linalg.norm(way[-1] - x0)) or 1.0
    around = x0 + direction * (distance / float(np.linalg.norm(direction)))
    return best, [x0, way[len(way) // 2], way[-1], around]


def _constants(gap: float, sigma: Interval, curved: Curvature, n: int, T: int) -> ProblemConstants:
    L = max(curved.L.most, np.finfo(float).tiny)
    L_max, L_T = L, L
    if curved.L_max is not None and curved.columns is not None:
        L_max = min(L, curved.L_max.most)
        # ||H d|| <= sum |d_i| ||H e_i|| for a d of T entries, and Cauchy and Schwarz.
        block = math.sqrt(float((curved.columns[: max(T, 1)] ** 2).sum()))
        L_T = min(L, max(L_max, block))
    return ProblemConstants(
        gap=gap, sigma=sigma.most, L=L, n=n, L_max=L_max, L_T=L_T, estimated=True
    )


class _Worst:
    """The worst case of one property."""

    def __init__(self, name: str, limit: float) -> None:
        self.name, self.limit, self.worst, self.note = name, limit, 0.0, ""

    def see(self, error: float, note: str) -> None:
        if not error <= self.worst:  # NaN is the worst of all
            self.worst, self.note = (error if error == error else math.inf), note

    def finding(self) -> Finding:
        ok = self.worst <= self.limit
        return Finding(self.name, ok, self.worst, self.limit, "" if ok else self.note)


def _derivatives(
    obj: Objective, points: list[Vector], samples: NDArray[Any], tolerance: float,
    rng: np.random.Generator,
) -> list[Finding]:  # fmt: skip
    """Compare what an objective computes in several ways, at some samples."""
    slope = _Worst("gradient is the derivative of value", tolerance)
    again = _Worst("gradient is the same when asked again, and added to what is there", ROUNDING)
    entry = _Worst("partial is an entry of the gradient", ROUNDING)
    outside = _Worst("gradient is zero outside of the support", 0.0)
    looks = _Worst("nothing outside of the support is looked at", 0.0)
    batch = _Worst("minibatch is the sum of gradients", ROUNDING)
    few = rng.choice(samples, size=min(len(samples), 8), replace=False)
    has_support = False
    for number, x in enumerate(points):
        total = np.zeros(obj.n)
        for sample in map(int, few):
            g = obj.gradient(x, sample)
            total += g
            size = float(np.abs(g).max()) or 1.0
            where = f"point {number}, sample {sample}"
            more = obj.gradient(x, sample, out=g.copy())
            again.see(float(np.abs(more - 2 * g).max()) / size, where)
            inside = obj.support(sample)
            among = np.arange(obj.n)
            if inside is not None:
                has_support, among = True, inside
                rest = np.ones(obj.n, dtype=bool)
                rest[inside] = False
                outside.see(float(np.abs(g[rest]).max(initial=0.0)), where)
                hidden = obj.gradient(np.where(rest, np.nan, x), sample)
                looks.see(float(np.abs(hidden[inside] - g[inside]).max(initial=0.0)), where)
            if len(among) == 0:
                continue
            chosen = {*rng.choice(among, size=min(3, len(among)), replace=False).tolist()}
            chosen |= {*np.argsort(-np.abs(g))[:3].tolist()}
            for i in sorted(chosen):
                error = abs(obj.partial(x, sample, i) - g[i]) / size
                entry.see(error, f"{where}, coordinate {i}")
                if obj._has_value:
                    error = _slope_error(obj, x, sample, g, np.eye(1, obj.n, i)[0])
                    slope.see(error, f"{where}, coordinate {i}")
            if obj._has_value and g.any():
                error = _slope_error(obj, x, sample, g, g / float(np.linalg.norm(g)))
                slope.see(error, f"{where}, along the gradient")
        found = obj.minibatch(x, few)
        size = float(np.abs(total).max()) or 1.0
        batch.see(float(np.abs(found - total).max()) / size, f"point {number}")
    parts = [again, entry, batch, *((outside, looks) if has_support else ())]
    first = slope.finding()
    if not obj._has_value:
        first = _symmetric(obj, points, tolerance, rng)
    return [first, *(part.finding() for part in parts)]


def _slope_error(obj: Objective, x: Vector, sample: int, g: Vector, d: Vector) -> float:
    """Return how far the slope along d is from the nearest of several differences, relatively."""
    slope = float(np.einsum("i,i", g, d))
    scale = 1 + float(np.abs(x).max())
    errors = []
    for h in LADDER * scale:
        ahead, behind = obj.value(x + h * d, sample), obj.value(x - h * d, sample)
        rounding = 4 * np.finfo(float).eps * max(abs(ahead), abs(behind)) / h
        difference = (ahead - behind) / (2 * h)
        size = max(abs(slope), abs(difference), 1e-2 * float(np.abs(g).max()))
        error = max(0.0, abs(difference - slope) - rounding)
        errors.append(error / size if size > 0 else 0.0)
    return min((error for error in errors if error == error), default=math.inf)


def _symmetric(
    obj: Objective, points: list[Vector], tolerance: float, rng: np.random.Generator
) -> Finding:
    """Without a value: a field whose derivative is not symmetric is nobody's gradient."""
    worst = _Worst("gradient has a symmetric derivative (no value is given)", 10 * tolerance)
    for number, x in enumerate(points):
        u, v = (w / np.linalg.norm(w) for w in rng.standard_normal((2, obj.n)))
        Hu, Hv = _estimates.derivative(obj, x, u), _estimates.derivative(obj, x, v)
        size = max(float(np.linalg.norm(Hu)), float(np.linalg.norm(Hv)))
        error = abs(float(np.einsum("i,i", u, Hv) - np.einsum("i,i", v, Hu)))
        worst.see(error / size if size > 0 else 0.0, f"point {number}")
    return worst.finding()


def _unbiased(means: list[Mean], exact: bool) -> Finding:
    """Compare the mean over samples with the gradient of f: exactly, or by a z-test."""
    name = "samples' gradients have the gradient of f as their mean"
    worst = _Worst(name, ROUNDING)
    if not exact:
        tests = DIRECTIONS * len(means)
        worst = _Worst(f"{name} (standard errors)", float(scipy.stats.norm.isf(ALARM / 2 / tests)))
    for number, mean in enumerate(means):
        worst.see(mean.worst if exact else mean.score, f"point {number}")
    return worst.finding()


def _contradict(
    obj: Objective, constants: ProblemConstants | None, curved: Curvature, sigma: Interval,
    gap: float | None, best: float,
) -> None:  # fmt: skip
    """Warn of every claimed constant that was seen to be too small."""
    slack = 1 + 1e-4  # differences of gradients are rounded
    claims = [("L", obj.L, curved.L.least), ("sigma", obj.sigma, sigma.least)]
    if curved.L_max is not None:
        claims.append(("L_max", obj.L_max, curved.L_max.least))
    for one in (constants, obj._given):
        if one is not None:
            claims += [("L", one.L, curved.L.least), ("sigma", one.sigma, sigma.least)]
            if curved.L_max is not None:
                claims.append(("L_max", one.L_max, curved.L_max.least))
            if gap is not None:
                claims.append(("gap", one.gap, gap))
    wrong = {
        f"{name} must be at least {seen:.6g} by what was seen, got {claimed:.6g}."
        for name, claimed, seen in claims
        if seen > claimed * slack + 1e-12
    }
    if gap is not None and best < obj.lower_bound - 1e-9 * (1 + abs(best)):
        wrong.add(f"lower_bound must be at most {best:.6g}, got {obj.lower_bound:.6g}.")
    for text in sorted(wrong):
        warnings.warn(f"{text} What follows from it is not proven.", ConstantsWarning, stacklevel=3)
