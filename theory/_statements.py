"""What each theorem supposes: the hypotheses a certificate lists."""

from __future__ import annotations

import math

from . import _adaptive, _corollaries, _theorems
from ._adaptive import AdaptiveSteps
from ._constants import ProblemConstants
from ._frame import FORMS, Frame
from ._hypotheses import Evidence, Hypothesis

NAMES = {
    "paper": 'form "paper" (Theorem 1; Theorem 3 in Young\'s form)',
    "plus": 'form "plus" (Theorem P)',
    "constant_delay": 'form "constant_delay" (Theorem P, every delay equal to T)',
    "sharp": 'form "sharp" (Theorem S)',
    "uniform": 'form "uniform" (Theorem U, every delay equal to T)',
    "robust": 'form "robust" (Theorem R)',
    _adaptive.FORM: "delay-adaptive steplengths (Theorem A)",
}

_SUPPOSED = {
    "delays bounded by T": "no gradient misses an update older than the last T",
    "reads oblivious": "which updates a read misses does not depend on samples or coordinates",
    "samples unbiased": "given the past each stochastic gradient has the gradient as its mean, and "
    "errors of one update are uncorrelated",
    "no update is lost": "x moves by exactly what each worker sent",
    "coordinates uniform": "each coordinate is drawn uniformly, independently of the past",
    "every delay equals T": "update k reads x_{k-T} (x_1 for k <= T)",
    "one read per update": "all samples of an update are taken at one earlier iterate",
    "gradients under way": "no update is missed by more than P - 1 later ones",
}


def needed(algorithm: str, form: str) -> tuple[str, ...]:
    """Return the names of the theorem's hypotheses."""
    names = ["steplength condition", "problem constants"]
    if form == _adaptive.FORM:
        names += [_adaptive.SHORTENED, "one read per update", "gradients under way"]
    else:
        names.append("delays bounded by T")
    names += ["samples unbiased", "no update is lost"]
    if form != "robust":
        names.append("reads oblivious")
    if form in ("constant_delay", "uniform"):
        names.append("every delay equals T")
    if algorithm == "incon":
        names.append("coordinates uniform")
    return tuple(names)


def assumed(name: str) -> Hypothesis:
    """Return a hypothesis that nobody checked."""
    return Hypothesis(name, True, None, {}, "assumed", _SUPPOSED[name])


def _quality(c: ProblemConstants) -> Evidence:
    return "estimated" if c.estimated else "proven"


def constants_hypothesis(c: ProblemConstants | None, why: str = "none is known") -> Hypothesis:
    """Return the hypothesis that the constants bound what they are named for.

    Without constants it fails, and `why` says why there are none.
    """
    if c is None:
        return Hypothesis("problem constants", False, None, {}, "assumed", why)
    numbers = {k: float(v) for k, v in c.to_dict().items() if k != "estimated"}
    return Hypothesis("problem constants", True, None, numbers, _quality(c))


def own_hypotheses(
    c: ProblemConstants | None,
    algorithm: str,
    form: str,
    gamma: _theorems.Steps | AdaptiveSteps,
    K: int,
    M: int,
    T: int,
    why: str = "none is known",
) -> list[Hypothesis]:
    """Return those that follow from the numbers alone; without constants they fail, for `why`."""
    own = [
        condition_hypothesis(c, algorithm, form, gamma, K, M, T),
        constants_hypothesis(c, why),
    ]
    if isinstance(gamma, AdaptiveSteps):
        note = "cannot be checked without the constants"
        missing = Hypothesis(_adaptive.SHORTENED, False, None, {}, "assumed", note)
        own.append(missing if c is None else gamma.shortened_hypothesis(c, _quality(c)))
    return own


def condition_hypothesis(
    c: ProblemConstants | None,
    algorithm: str,
    form: str,
    gamma: _theorems.Steps | AdaptiveSteps,
    K: int,
    M: int,
    T: int,
) -> Hypothesis:
    """Return the theorem's steplength condition with its numbers."""
    if c is None:
        note = "cannot be checked without the constants"
        return Hypothesis("steplength condition", False, None, {}, "assumed", note)
    if isinstance(gamma, AdaptiveSteps) and algorithm == "incon":
        note = "no theorem for delay-adaptive steplengths of AsySG-incon is available"
        return Hypothesis("steplength condition", False, None, {}, "by construction", note)
    if isinstance(gamma, AdaptiveSteps):
        return gamma.condition_hypothesis(c, M, _quality(c))
    f = Frame(algorithm, c, M, T)
    lhs = _theorems.condition(f, form, gamma, K)
    numbers = {"lhs": lhs}
    if not _theorems.is_schedule(gamma):
        numbers |= {"gamma": float(gamma), "gamma_max": _gamma_max(f, form)}  # type: ignore[arg-type]
    ok = _theorems.condition_holds(f, gamma, lhs)
    return Hypothesis(
        "steplength condition", ok, 1 - lhs, numbers, _quality(c), "the left-hand side is at most 1"
    )


def _gamma_max(f: Frame, form: str) -> float:
    return _theorems.gamma_max(f.algorithm, f.c, f.M, f.T, form)


def updates_hypothesis(
    c: ProblemConstants | None,
    algorithm: str,
    form: str,
    gamma: _theorems.Steps,
    K: int,
    M: int,
    T: int,
) -> Hypothesis:
    """Return the corollary's demand on K with its numbers."""
    if c is None:
        note = "cannot be checked without the constants"
        return Hypothesis("K >= K_min", False, None, {}, "assumed", note)
    f = Frame(algorithm, c, M, T)
    least = _corollaries.K_min(f, form)
    try:
        need = math.inf if least is None else float(least)
    except OverflowError:
        need = math.inf
    ok = _corollaries.suffices(f, form, K)
    slack = 1 - need / K
    note = "" if ok else f"K is {need / K:.4g} times too small for a delay of {T}"
    return Hypothesis("K >= K_min", ok, slack, {"K": float(K), "K_min": need}, _quality(c), note)


def all_bounds(
    c: ProblemConstants | None,
    algorithm: str,
    gamma: _theorems.Steps | AdaptiveSteps,
    K: int,
    M: int,
    T: int,
) -> dict[str, float]:
    """Return the bound of every form; a schedule has Theorem 1 only, and no constants none.

    Delay-adaptive steplengths have Theorem A alone, of AsySG-con.
    """
    if isinstance(gamma, AdaptiveSteps):
        gamma.require_sums_of(K)
        covered = c is not None and algorithm == "con"
        return {_adaptive.FORM: gamma.bound(c, M) if c and covered else math.inf}
    if c is None:
        return dict.fromkeys(FORMS, math.inf)
    many = _theorems.is_schedule(gamma)
    return {
        form: math.inf
        if many and form != "paper"
        else _theorems.bound(algorithm, gamma, c, K, M, T, form)
        for form in FORMS
    }
