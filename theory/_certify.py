"""Apply a theorem to a plan or to a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import _adaptive, _statements, _theorems
from ._adaptive import AdaptiveSteps
from ._certificate import Certificate
from ._check import choice, number, whole
from ._constants import ProblemConstants
from ._errors import InvalidArgument
from ._frame import ALGORITHMS, FORMS
from ._hypotheses import Hypothesis

if TYPE_CHECKING:
    from ._theorems import Steps


def certify(
    c: ProblemConstants | None,
    *,
    algorithm: str,
    gamma: Steps | AdaptiveSteps,
    K: int,
    M: int,
    T: int,
    form: str = "plus",
    measured: float | None = None,
    measured_halfwidth: float | None = None,
    evidence: Iterable[Hypothesis] = (),
    corollary: bool = False,
    note: str = "",
) -> Certificate:
    """Say which hypotheses of a theorem hold for a run and what follows.

    Source: documentation, "The theorems" and "Setting and assumptions".

    Parameters
    ----------
    c : ProblemConstants or None
        Constants of the problem. With None nothing is claimed; a hypothesis "problem constants"
        in `evidence` may say in its note why there are none.
    algorithm : str
        "con" or "incon".
    gamma : float, array_like of shape (K,) or AdaptiveSteps
        Steplength, at least 0; a schedule for con, form "paper" only; what is known of
        delay-adaptive ones for form "delay_adaptive" only.
    K, M, T : int
        Updates (>= 1), samples per update (>= 1), bound on the delays (>= 0).
    form : str, optional
        The theorem: "paper", "plus", "constant_delay", "sharp", "uniform" or "robust"; or
        "delay_adaptive", Theorem A, in which T does not appear.
    measured : float, optional
        Measured ergodic gradient norm, at least 0; inf for a run that diverged. For "uniform" it
        has to be the sum over k <= K - T divided by K, for a schedule and for delay-adaptive
        steplengths the gamma-weighted mean.
    measured_halfwidth : float, optional
        Half the width of its confidence interval, at least 0.
    evidence : iterable of Hypothesis, optional
        What is known of the run. One that bears the name of a hypothesis of the theorem takes its
        place; those of the theorem that nobody speaks of are listed as assumed.
    corollary : bool, optional
        Also require K >= K_min, so that the corollary's rate applies.
    note : str, optional
        Anything to be said with the certificate.

    Returns
    -------
    Certificate
        Never an exception because a hypothesis fails: `holds` is False then.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges, or evidence that contradicts itself.

    Examples
    --------
    >>> from asysg import theory
    >>> c = theory.ProblemConstants(gap=1.0, sigma=1.0, L=1.0)
    >>> seen = theory.Hypothesis(
    ...     "delays bounded by T", False, -3.0, {"largest_delay": 7, "T": 4}, "measured"
    ... )
    >>> cert = theory.certify(
    ...     c, algorithm="con", gamma=0.01, K=10_000, M=1, T=4, measured=0.02, evidence=[seen]
    ... )
    >>> cert.holds, cert.verdict
    (False, 'no claim')
    """
    choice("algorithm", algorithm, ALGORITHMS)
    choice("form", form, (*FORMS, _adaptive.FORM))
    M, T = whole("M", M, low=1), whole("T", T, low=0)
    if c is not None:
        _theorems.frame(algorithm, c, M, T)  # refuses what is none
    K = whole("K", K, low=1)
    step: float | tuple[float, ...] | AdaptiveSteps
    if isinstance(gamma, AdaptiveSteps) != (form == _adaptive.FORM):
        raise InvalidArgument.of(
            "gamma", f'must be AdaptiveSteps for form "{_adaptive.FORM}", and for no other', gamma
        )
    if corollary and form == _adaptive.FORM:
        raise InvalidArgument.of(
            "corollary", f'must be False for form "{_adaptive.FORM}"', corollary,
            "Theorem A demands no K; baselines.delay_adaptive_rate is its rate.",
        )  # fmt: skip
    if isinstance(gamma, AdaptiveSteps):
        step = gamma
    elif _theorems.is_schedule(gamma):
        step = tuple(_theorems.schedule(algorithm, form, gamma, K).tolist())
    else:
        step = number("gamma", gamma)
    args = (c, algorithm, form, step, K, M, T)
    given = {h.name: h for h in evidence}
    own = _statements.own_hypotheses(*args)
    if c is None and "problem constants" in given:
        own = _statements.own_hypotheses(*args, given.pop("problem constants").note)
    if corollary and not isinstance(step, AdaptiveSteps):
        own.append(_statements.updates_hypothesis(c, algorithm, form, step, K, M, T))
    for h in given.values():
        wrong = "name" if h.name in {o.name for o in own} else h.fault()
        if wrong is not None:
            raise InvalidArgument.of(
                f"evidence ({h.name}).{wrong}",
                "must agree with its other fields and not replace what is computed here",
                getattr(h, wrong),
            )
    taken = {h.name for h in own}
    for name in _statements.needed(algorithm, form):
        if name not in taken:
            own.append(given.pop(name) if name in given else _statements.assumed(name))
    bounds = _statements.all_bounds(c, algorithm, step, K, M, T)
    return Certificate(
        algorithm=algorithm,
        form=form,
        constants=c,
        gamma=step,
        K=K,
        M=M,
        T=T,
        hypotheses=(*own, *given.values()),
        bound=bounds[form],
        bounds=bounds,
        measured=_measured("measured", measured),
        measured_halfwidth=_measured("measured_halfwidth", measured_halfwidth),
        note=note,
    )


def _measured(name: str, value: float | None) -> float | None:
    if value is None or value == float("inf"):
        return None if value is None else float("inf")
    try:
        return number(name, value)
    except InvalidArgument as e:
        raise InvalidArgument.of(
            name, "must be a number at least 0", value, "Pass inf for a run that diverged."
        ) from e


@dataclass(frozen=True)
class Prescription:
    """What the theory prescribes for a plan.

    Built by `con.prescribe` and `incon.prescribe`.

    Source: documentation, "The corollaries: what to prescribe".

    Parameters
    ----------
    gamma : float
        Steplength, factor of the *sum* over the M samples of an update.
    K, M, T : int
        Updates, samples per update, bound on the delays.
    form : str
        The theorem that `bound` comes from.
    bound : float
        Bound on the ergodic gradient norm at `gamma`; inf if the steplength condition fails.
    certificate : Certificate
        Which hypotheses hold, K >= K_min among them.
    algorithm : str
        "con" or "incon".
    constants : ProblemConstants
        What all of it was computed from.
    """

    gamma: float
    K: int
    M: int
    T: int
    form: str
    bound: float
    certificate: Certificate
    algorithm: str
    constants: ProblemConstants


def prescribe(
    algorithm: str, c: ProblemConstants, K: int, M: int, T: int, form: str
) -> Prescription:
    """See con.prescribe."""
    gamma = _theorems.gamma_prescribed(algorithm, c, K, M, T, form)
    certificate = certify(
        c,
        algorithm=algorithm,
        gamma=gamma,
        K=K,
        M=M,
        T=T,
        form=form,
        # Without noise the corollary has nothing to say; the theorem at gamma_max has.
        corollary=c.sigma > 0,
    )
    return Prescription(
        gamma=gamma,
        K=certificate.K,
        M=certificate.M,
        T=certificate.T,
        form=form,
        bound=certificate.bound,
        certificate=certificate,
        algorithm=algorithm,
        constants=c,
    )
