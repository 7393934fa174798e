"""Test the flight record of one run: every increment, the law of its noise, draws and delays."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from .. import _draws
from ..errors import InvalidArgument, ReplayError
from ..objectives._stream import Stream
from ..result import Result
from ..simulate import replay
from ..theory import Certificate, Hypothesis, testing
from ..theory.testing import TOTAL_FALSE_ALARM, Outcome
from ._noise import Noise
from ._record import Record, certain

Vector = NDArray[np.float64]
#: Classes of a chi-square, unless there are fewer things to tell apart.
CLASSES = 64


@dataclass(frozen=True)
class Examination:
    """What `examine` found.

    Attributes
    ----------
    outcomes : tuple of Outcome
        The tests. Where a statement is checked without any chance the p-value is 0 or 1.
    diagnostics : tuple of Outcome
        Tests that the delays are independent of noise and coordinates; empty where the delays
        do not vary. They put a hypothesis in doubt, and say nothing against the code.
    certificate : Certificate
        That of the run, its hypothesis "reads oblivious" with the p-value of the diagnostics.
    alpha : float
        Probability, at most, that anything is rejected although nothing is wrong.
    detects : str
        Smallest errors that would be found with probability 0.99.
    """

    outcomes: tuple[Outcome, ...]
    diagnostics: tuple[Outcome, ...]
    certificate: Certificate
    alpha: float
    detects: str

    @property
    def ok(self) -> bool:
        """Whether no test rejects."""
        return not any(found.rejected for found in self.outcomes)

    @property
    def verdict(self) -> str:
        """Say "agrees" or "disagrees"."""
        return "agrees" if self.ok else "disagrees"

    @property
    def oblivious(self) -> bool:
        """Whether no diagnostic rejects."""
        return not any(found.rejected for found in self.diagnostics)

    @property
    def worst(self) -> Outcome:
        """The test with the smallest p-value."""
        return min(self.outcomes, key=lambda found: found.p_value)

    @property
    def p_value(self) -> float:
        """The p-value of all tests together (Bonferroni)."""
        return min(1.0, len(self.outcomes) * self.worst.p_value)

    def tested(self, known: Hypothesis) -> Hypothesis:
        """Return what a hypothesis of the certificate becomes in the light of the diagnostics."""
        if known.name != "reads oblivious" or not self.diagnostics:
            return known
        p = min(1.0, len(self.diagnostics) * min(one.p_value for one in self.diagnostics))
        level = sum(one.alpha for one in self.diagnostics)
        note = (
            "delays and noise tested for independence on the record"
            if p >= level
            else "in doubt: on the record the delays depend on the noise or the coordinates"
        )
        return Hypothesis(
            known.name, p >= level, p - level, {"p_value": p, "level": level}, "measured", note
        )

    def table(self) -> str:
        """Return one line a test, for a terminal."""
        found = [*self.outcomes, *self.diagnostics]
        width = max(len(one.name) for one in found)
        lines = [
            f"{one.name:{width}}  {one.statistic:10.4g}  p = {one.p_value:<9.3g}"
            f"  {'REJECTED' if one.rejected else 'kept'}: {one.null}"
            for one in found
        ]
        return "\n".join([*lines, f"{self.verdict}; could detect {self.detects or 'no number'}"])


def examine(result: Result, *, alpha: float = TOTAL_FALSE_ALARM) -> Examination:
    """Test a recorded run: every increment, the law of its noise, its draws and its delays.

    Nothing is compared with a bound, so that nothing here can hide behind a loose one.

    Parameters
    ----------
    result : Result
        Of `asysg.minimize` by any method but "hogwild", "sync" and "downpour", with
        ``record="full"`` or ``"full+reads"``, completed, in the process that made it. Of a
        lock-free run on several threads only recorded reads tell its noise: without them its
        increments are put in order but not computed again.
    alpha : float, optional
        False alarm of all tests together, in (0, 1); every test gets the same share.

    Returns
    -------
    Examination
        ``ok`` and ``verdict`` say whether the record is that of the algorithm; the certificate
        in it says what the delays had to do with the noise.

    Raises
    ------
    InvalidArgument
        For a result that has no record or whose noise has no law, or an alpha outside its range.

    Notes
    -----
    The tests, by name:

    record
        `asysg.simulate.replay` finds no contradiction.
    increments
        x computed again by the specification (`asysg.simulate.recursion`), sample by sample, to
        the bit.
    staleness
        Counted anew: tickets and draws 1..K once each, every read no older than T, and where reads
        were recorded by AsySG-con, each of them the iterate that the clock says.
    constants
        Along the run, gradients moved no more than L (L_max) allows, and a finite sum's variance
        did not exceed sigma^2.
    coordinates, coordinate pairs, samples, sample pairs
        Chi-square against uniform and independent draws, taken in the order in which they were
        drawn, which no scheduler can influence. Of streams, the leading bits of their words.
    same sample, sample again
        Coincidences within an update and from one draw to the next: binomial.
    bias, ..., noise again, variance
        The noise (what an update did beyond the gradient at what it read) is a martingale
        difference of known variance: `theory.testing.martingale_test`, exact for any law. For
        normal noise its squares are tested by their chi-square.

    The diagnostics weigh the noise, its size and its part along the gradient, with the centred
    ranks of the delays: of the update itself (does its duration depend on its samples?) and of
    the next one (does what is missed depend on what it did?). Given the delays, and if they are
    independent of the noise, that is a martingale, whatever law the delays have and however they
    depend on each other and change in time. A rejection puts the hypothesis "reads oblivious" in
    doubt; only the robust form does without it.

    Time and memory are proportional to ``nit * n``; the noise of a finite sum is taken at so many
    updates, evenly spaced, that 200 000 gradients of samples suffice.

    Examples
    --------
    >>> import asysg, numpy as np
    >>> obj = asysg.objectives.Quadratic(np.linspace(0.1, 1, 20), sigma=1.0)
    >>> res = asysg.minimize(obj, np.ones(20), method="asysg-con", steplength=0.01,
    ...     n_updates=2000, record="full", rng=0)
    >>> asysg.verify.examine(res).verdict
    'agrees'
    """
    testing.ErrorBudget(alpha)  # refuses what is no probability
    if result.method in ("hogwild", "sync", "downpour"):
        raise InvalidArgument.of(
            "result",
            "must be of 'sgd', 'asysg-con', 'asysg-incon', 'asyscd' or 'delayed'",
            result.method,
            "",
        )
    if result.prox is not None:
        raise InvalidArgument.of(
            "result", "must be of a run without prox", result.prox,
            "What an update did is then not its gradient alone; asysg.simulate.replay checks it.",
        )  # fmt: skip
    if result.dtype != "float64":
        raise InvalidArgument.of(
            "result", "must be of a run in float64", result.dtype,
            "What an update did is rounded to 24 bits; asysg.simulate.replay checks it to the bit.",
        )  # fmt: skip
    try:
        replay(result)
    except ReplayError as error:
        return _finished(result, [certain("record", str(error), False)], [], alpha, "")
    run = Record(result)
    outcomes = [certain("record", "the record does not contradict itself", True)]
    outcomes += [*run.deterministic(), *draws(result)]
    diagnostics: list[Outcome] = []
    detects = ""
    noise = run.noise()
    if noise is not None:
        if run.reads is not None:
            outcomes += noise_tests(run, noise)
            detects = detectable(run, noise, alpha / 20)
        diagnostics = delay_tests(run, noise)
    return _finished(result, outcomes, diagnostics, alpha, detects)


def _finished(
    result: Result,
    outcomes: list[Outcome],
    diagnostics: list[Outcome],
    alpha: float,
    detects: str,
) -> Examination:
    share = alpha / (len(outcomes) + len(diagnostics))
    found = Examination(
        tuple(replace(outcome, alpha=share) for outcome in outcomes),
        tuple(replace(diagnostic, alpha=share) for diagnostic in diagnostics),
        result.certificate,
        alpha,
        detects,
    )
    hypotheses = tuple(map(found.tested, result.certificate.hypotheses))
    return replace(found, certificate=replace(result.certificate, hypotheses=hypotheses))


def _paced(sizes: Vector) -> Vector:
    """Scale weights by their own root mean square so far, so that they stay functions of the
    past.
    """
    mean = np.cumsum(sizes**2) / np.arange(1, len(sizes) + 1)
    return np.divide(sizes, np.sqrt(mean), out=np.zeros_like(sizes), where=mean > 0)


def noise_tests(run: Record, noise: Noise) -> list[Outcome]:
    """Test mean, memory and variance of the noise."""
    k = noise.k
    z, v = run.residuals()[k], run.directions()[:, k]

    def along(row: int, weights: Vector | float, name: str, null: str) -> Outcome:
        # A direction that is zero has no noise along it.
        variances = noise.along[row] * np.sum(v[row] ** 2, axis=1)
        return testing.martingale_test(
            np.sum(z * v[row], axis=1),
            variances,
            bounds=None if noise.reach is None else noise.reach[row],
            # So that updates almost without noise, of whatever tails, do not count the most.
            weights=weights * _paced(np.sqrt(variances)),
            alpha=0.5,
            name=name,
            null=null,
        )

    null = "the noise has mean 0"
    coordinates = run.log["coordinate"][k]
    pulls = (
        np.take_along_axis(run.gradients[k], coordinates[:, np.newaxis], 1)
        if run.incon
        else (run.gradients[k])
    )
    strength = _paced(np.linalg.norm(pulls, axis=1))
    before = _paced(np.linalg.norm(run._before()[k], axis=1))
    found = [
        along(0, strength, "bias along the gradient", "gradients have their own length"),
        along(1, 1.0, "bias", null),
        along(2, before, "noise again", "the noise is uncorrelated with the update's before"),
    ]
    if run.incon:
        entries = [along(1, 1.0 * (coordinates == i), "", "") for i in range(run.n)]
    else:
        entries = [along(3 + i, 1.0, "", "") for i in range(run.n)]
    worst = min(entries, key=lambda outcome: outcome.p_value)
    p = min(1.0, len(entries) * worst.p_value)
    found.append(Outcome("bias of an entry", null, worst.statistic, p, 0.5))
    found.append(variance_test(z, noise))
    if not isinstance(run.plan.objective, Stream) and not run.incon:
        sigma = run.result.certificate.constants
        if sigma is not None:
            good = noise.total.max() <= run.M * sigma.sigma**2 * (1 + 1e-9)
            found.append(
                certain("sigma", "the variance of a sample is at most sigma^2", bool(good))
            )
    return found


def variance_test(z: Vector, noise: Noise) -> Outcome:
    """Test that the noise is as large as its law says."""
    null, squares = "the noise has the variance of its law", np.sum(z**2, axis=1)
    if noise.reach is None:
        degrees = z.size
        total = float(squares.sum()) / float(noise.total[0]) * z.shape[1]
        tail = min(float(stats.chi2.sf(total, degrees)), float(stats.chi2.cdf(total, degrees)))
        deviation = (total - degrees) / math.sqrt(2 * degrees)
        return Outcome("variance", null, deviation, min(1.0, 2 * tail), 0.5)
    difference = squares - noise.total
    if not noise.spread.any():  # of constant size: nothing is left to chance but rounding
        difference[np.abs(difference) <= 1e-9 * noise.total] = 0.0
    return testing.martingale_test(
        difference,
        noise.spread,
        bounds=noise.excess,
        weights=_paced(np.sqrt(noise.spread)),
        alpha=0.5,
        name="variance",
        null=null,
    )


def draws(result: Result) -> list[Outcome]:
    """Test the draws of a run, in the order in which they were drawn."""
    assert result._plan is not None
    n, n_samples = result.x.size, result._plan.objective.n_samples
    order = np.arange(result.nit)
    found = []
    if result._plan.algorithm == "incon" and n > 1:
        i = _draws.coordinates(result.key, order, n)
        if len(i) >= 20 * n:
            found.append(testing.coordinates_test(np.bincount(i, minlength=n), alpha=0.5))
        if len(i) >= 40 * n * n:
            found.append(testing.coordinate_pairs_test(i, n, alpha=0.5))
    drawn = _draws.samples(result.key, order, result.batch_size, n_samples)
    count = n_samples or 2**64
    classes = _classes(drawn, n_samples, max(1, min(CLASSES, drawn.size // 20)))
    found += _uniform("samples", "samples are uniform", classes)
    coarse = int(min(8, math.isqrt(result.nit // 40)))
    pairs = _classes(drawn, n_samples, max(1, coarse))
    first, second = (
        (pairs[0][:, 0], pairs[0][:, 1])
        if result.batch_size > 1
        else (pairs[0][:-1:2, 0], pairs[0][1::2, 0])
    )
    joint = first * pairs[1].size + second
    chances = np.outer(pairs[1], pairs[1]).ravel()
    found += _uniform("sample pairs", "samples are independent", (joint, chances))
    if n_samples != 1:
        if result.batch_size > 1:
            null = "the samples of a minibatch coincide by chance only"
            found.append(_coincidences("same sample", null, drawn[:, 0] == drawn[:, 1], count))
        null = "a sample comes again by chance only"
        again = (drawn[1::2] == drawn[:-1:2][: len(drawn[1::2])])[:, 0]
        found.append(_coincidences("sample again", null, again, count))
    return found


def _classes(
    drawn: NDArray[np.uint64], n_samples: int | None, most: int
) -> tuple[NDArray[np.int64], Vector]:
    """Sort samples into at most so many classes; return the classes and their chances."""
    if n_samples is None:
        bits = most.bit_length() - 1
        if bits == 0:
            return np.zeros(drawn.shape, dtype=np.int64), np.ones(1)
        return (drawn >> np.uint64(64 - bits)).astype(np.int64), np.full(2**bits, 0.5**bits)
    most = min(most, n_samples)
    number = np.arange(n_samples) * most // n_samples
    chances = np.bincount(number, minlength=most) / n_samples
    return (drawn.astype(np.int64) * most) // n_samples, chances


def _uniform(name: str, null: str, classes: tuple[NDArray[np.int64], Vector]) -> list[Outcome]:
    number, chances = classes
    if chances.size < 2:
        return []
    counts = np.bincount(number.ravel(), minlength=chances.size)
    found = stats.chisquare(counts, chances * number.size)
    return [Outcome(name, null, float(found.statistic), float(found.pvalue), 0.5)]


def _coincidences(name: str, null: str, equal: NDArray[np.bool_], count: int) -> Outcome:
    seen = int(equal.sum())
    p = float(stats.binom.sf(seen - 1, equal.size, 1 / count)) if seen else 1.0
    return Outcome(name, null, float(seen), p, 0.5)


def delay_tests(run: Record, noise: Noise) -> list[Outcome]:
    """Test that the delays are independent of noise and coordinates."""
    ranks = stats.rankdata(run.delay)
    ranks = ranks - ranks.mean()
    if not ranks.any():
        return []
    ranks = ranks / math.sqrt(float(np.mean(ranks**2)))
    k = noise.k
    z = run.residuals()[k]
    sizes = _sizes(z, noise)
    found = []
    for whose, weights in (
        ("own", ranks[k]),
        ("the next", np.append(ranks, 0.0)[k + 1]),
    ):
        null = f"{whose} delay is independent of the size of the noise"
        if sizes is not None:
            values, variances, bounds = sizes
            found.append(
                testing.martingale_test(
                    values, variances, bounds=bounds, weights=weights, alpha=0.5,
                    name=f"{whose} delay, size", null=null,
                )
            )  # fmt: skip
        if run.reads is not None:
            v = run.directions()[0, k]
            found.append(
                testing.martingale_test(
                    np.sum(z * v, axis=1),
                    noise.along[0] * np.sum(v**2, axis=1),
                    bounds=None if noise.reach is None else noise.reach[0],
                    weights=weights,
                    alpha=0.5,
                    name=f"{whose} delay, sign",
                    null=f"{whose} delay is independent of the noise along the gradient",
                )
            )
        if run.incon and run.n > 1:
            i = run.log["coordinate"] - (run.n - 1) / 2
            # Of all updates, whether or not their noise is known.
            all_weights = ranks if whose == "own" else np.append(ranks[1:], 0.0)
            found.append(
                testing.martingale_test(
                    i,
                    np.full(run.K, (run.n**2 - 1) / 12),
                    bounds=np.full(run.K, (run.n - 1) / 2),
                    weights=all_weights,
                    alpha=0.5,
                    name=f"{whose} delay, coordinate",
                    null=f"{whose} delay is independent of the coordinate",
                )
            )
    return found


def _sizes(z: Vector, noise: Noise) -> tuple[Vector, Vector, Vector] | None:
    """Return a centred measure of the size of the noise, its variances and bounds; None where
    the size does not vary.
    """
    squares, d = np.sum(z**2, axis=1), z.shape[1]
    if noise.reach is None:  # normal: its square made uniform
        ones = np.ones(len(squares))
        uniform = stats.chi2.cdf(squares / noise.total * d, d)
        return uniform - 0.5, ones / 12, ones / 2
    if not noise.spread.any():
        return None
    return squares - noise.total, noise.spread, noise.excess


def detectable(run: Record, noise: Noise, alpha: float) -> str:
    """Say which errors of the noise would be found; see `theory.testing.martingale_min_detectable`.

    A bias of that share of sigma in all entries alike, a gradient too long by that factor, a noise
    too large or too small by that factor.
    """
    count = len(noise.k)
    one = noise.along[1].mean()
    reach = 0.0 if noise.reach is None else float(np.max(noise.reach[1]) / math.sqrt(one))
    drift = testing.martingale_min_detectable(count, alpha=alpha, bound=reach)
    sigma = math.sqrt(float(noise.total.mean()) / run.M)  # for AsySG-incon that of an entry
    found = [f"bias±{100 * drift * math.sqrt(one) / (run.M * sigma):.1f}%"]
    pulls = run.gradients[noise.k]
    if run.incon:
        pulls = np.take_along_axis(pulls, run.log["coordinate"][noise.k][:, np.newaxis], 1)
    signal = float(np.mean(np.sum((run.M * pulls) ** 2, axis=1)) / noise.along[0].mean())
    if signal > 0:
        found.append(f"∇f±{100 * drift / math.sqrt(signal):.1f}%")
    spread = 2 * noise.total.mean() ** 2 if noise.reach is None else noise.spread.mean()
    if noise.reach is None:
        spread = spread / (1 if run.incon else run.n)
    if spread > 0:
        far = 0.0 if noise.reach is None else float(np.max(noise.excess) / math.sqrt(spread))
        drift = testing.martingale_min_detectable(count, alpha=alpha, bound=far)
        found.append(f"σ±{50 * drift * math.sqrt(spread) / float(noise.total.mean()):.1f}%")
    return " ".join(found)
