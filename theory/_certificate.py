"""A certificate: what was supposed, what follows, what was measured."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from . import _adaptive
from ._adaptive import AdaptiveSteps
from ._check import choice, whole
from ._constants import ProblemConstants
from ._errors import CertificateError, InvalidArgument
from ._frame import ALGORITHMS, FORMS
from ._hypotheses import Hypothesis, decode, encode, same
from ._statements import (
    NAMES,
    all_bounds,
    needed,
    own_hypotheses,
    updates_hypothesis,
)

SCHEMA = "asysg-certificate/1"
Verdict = Literal["within", "violated", "undecided", "no claim"]


@dataclass(frozen=True)
class Certificate:
    """A theorem applied to one run (or to one plan).

    Built by `certify` and by `prescribe`, not by hand.

    Source: documentation, "The theorems" and "Setting and assumptions".

    Parameters
    ----------
    algorithm : str
        "con" or "incon".
    form : str
        The theorem: "paper", "plus", "constant_delay", "sharp", "uniform" or "robust"; or
        "delay_adaptive".
    constants : ProblemConstants or None
        What the bound was computed from; None where nothing is known, and nothing claimed.
    gamma : float, tuple of float or AdaptiveSteps
        The steplength, or the K steplengths of a schedule, or what is known of steplengths that
        adapt to their delays.
    K, M, T : int
        Updates, samples per update, bound on the delays.
    hypotheses : tuple of Hypothesis
        The theorem's own, then the evidence that the caller gave.
    bound : float
        What `form` gives: a bound on the ergodic gradient norm, inf if its steplength condition
        fails. Units of the squared gradient.
    bounds : dict of str to float
        The same for every form; for "delay_adaptive", of that alone.
    measured : float or None
        The measured ergodic gradient norm; inf for a run that diverged.
    measured_halfwidth : float or None
        Half the width of the confidence interval around `measured`.
    note : str, optional
        Anything the maker wants said with it.

    Examples
    --------
    >>> from asysg import theory
    >>> c = theory.ProblemConstants(gap=1.0, sigma=1.0, L=1.0)
    >>> cert = theory.certify(c, algorithm="con", gamma=0.01, K=10_000, M=1, T=4, measured=0.02)
    >>> cert.holds, cert.verdict, round(cert.ratio, 3)
    (True, 'within', 0.653)
    >>> theory.Certificate.from_dict(cert.to_dict()) == cert
    True
    """

    algorithm: str
    form: str
    constants: ProblemConstants | None
    gamma: float | tuple[float, ...] | AdaptiveSteps
    K: int
    M: int
    T: int
    hypotheses: tuple[Hypothesis, ...]
    bound: float
    bounds: dict[str, float]
    measured: float | None = None
    measured_halfwidth: float | None = None
    note: str = ""
    # What a file said follows, kept to be compared with what does.
    _claimed: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def holds(self) -> bool:
        """True if every hypothesis holds: the bound is then a fact about the expectation."""
        return all(h.holds for h in self.hypotheses)

    @property
    def ratio(self) -> float | None:
        """Measured over bound; None if nothing was measured, NaN for 0/0 and inf/inf."""
        if self.measured is None:
            return None
        if self.bound == 0:
            return math.inf if self.measured > 0 else math.nan
        return self.measured / self.bound

    @property
    def verdict(self) -> Verdict:
        """What the measurement says of the bound.

        "within" or "violated" if the whole interval measured -/+ halfwidth lies on one side of
        the bound, "undecided" if it straddles it, "no claim" if a hypothesis fails or nothing was
        measured.
        """
        if self.measured is None or not self.holds:
            return "no claim"
        half = self.measured_halfwidth or 0.0
        if self.measured + half <= self.bound:
            return "within"
        # A run that diverged has no interval around inf.
        lower = self.measured if math.isinf(self.measured) else self.measured - half
        return "violated" if lower > self.bound else "undecided"

    def explain(self) -> str:
        """Return what a person needs to know, hypothesis by hypothesis, and a last sentence."""
        c = self.constants
        incon = self.algorithm == "incon"
        step = f"{self.gamma:.6g}" if isinstance(self.gamma, float) else "a schedule"
        if isinstance(self.gamma, AdaptiveSteps):
            step = f"at most {self.gamma.gamma:.6g} and {self.gamma.total / self.K:.6g} on average"
        lines = [
            f"AsySG-{self.algorithm}, {NAMES[self.form]}: K = {self.K} updates, M = {self.M} per "
            f"update, delays up to T = {self.T}, steplength {step}.",
            "Constants: none." if c is None else _say_constants(c, incon),
            "Hypotheses:",
            *(f"  {h.explain()}" for h in self.hypotheses),
            "Bounds on the ergodic gradient norm (inf: steplength condition fails):",
            "  " + ", ".join(f"{k} {v:.6g}" for k, v in self.bounds.items()),
            self._conclusion(),
        ]
        # The robust form does without these alone.
        spared = {"reads oblivious", "steplength condition", "K >= K_min"}
        covered = all(h.holds or h.name in spared for h in self.hypotheses)
        constant = isinstance(self.gamma, float)
        if c is not None and self.form != "robust" and constant and covered:
            lines.append(self._robust_sentence())
        if c is not None and c.estimated:
            lines.append("The constants are estimates: so is everything that follows from them.")
        if self.note:
            lines.append(self.note)
        return "\n".join(lines)

    def _conclusion(self) -> str:
        failed = [h.name for h in self.hypotheses if not h.holds]
        if failed == ["K >= K_min"] and math.isfinite(self.bound):
            return (
                "No claim: K is below what the corollary demands, so its rate is not reached; the "
                f"theorem alone, which demands no K, gives {self.bound:.6g}."
            )
        if failed:
            verb = "does" if len(failed) == 1 else "do"
            return (
                f"No claim: {'; '.join(failed)} {verb} not hold, so the theorem says nothing "
                "about this run."
            )
        assumed = [h.name for h in self.hypotheses if h.evidence == "assumed"]
        given = f" (assuming: {'; '.join(assumed)})" if assumed else ""
        what = "the average of E||grad f(x_k)||^2 over the updates"
        if self.form == "uniform":
            what = "the sum of E||grad f(x_k)||^2 over k <= K - T, divided by K,"
        elif self.form == _adaptive.FORM:
            what = "the average of E||grad f(x_k)||^2, weighted by the steplengths,"
        if self.measured is None:
            return f"Every hypothesis holds{given}: {what} is at most {self.bound:.6g}."
        seen = f"{self.measured:.6g}"
        if self.measured_halfwidth is not None:
            seen += f" +/- {self.measured_halfwidth:.3g}"
        says = {
            "within": f"keeps the bound {self.bound:.6g} ({self._percent} of it)",
            "violated": f"VIOLATES the bound {self.bound:.6g} ({self._percent} of it)",
            "undecided": f"does not decide whether the bound {self.bound:.6g} is kept",
        }[self.verdict]
        return f"Every hypothesis holds{given}: the measured {seen} {says}."

    @property
    def _percent(self) -> str:
        ratio = self.ratio
        return "0/0" if ratio is None or math.isnan(ratio) else f"{100 * ratio:.3g} %"

    def _robust_sentence(self) -> str:
        robust = self.bounds["robust"]
        if math.isinf(robust):
            return (
                "If the reads depended on the noise, no bound would remain: the robust steplength "
                "condition fails."
            )
        return (
            "If the reads depended on the noise (obliviousness is an assumption), the robust "
            f"bound {robust:.6g} would remain."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return a dict of strict JSON values; inf and NaN are spelled as words.

        The last entry is a checksum of the others. It shows that a file was changed, not that
        nobody changed file and checksum: `recheck` recomputes what can be recomputed besides.
        """
        steps: Any
        if isinstance(self.gamma, AdaptiveSteps):
            steps = self.gamma.to_dict()
        else:
            steps = list(self.gamma) if isinstance(self.gamma, tuple) else encode(self.gamma)
        ratio = self.ratio
        d = {
            "schema": SCHEMA,
            "algorithm": self.algorithm,
            "form": self.form,
            "constants": None if self.constants is None else self.constants.to_dict(),
            "gamma": steps,
            "K": self.K,
            "M": self.M,
            "T": self.T,
            "hypotheses": [h.to_dict() for h in self.hypotheses],
            "bound": encode(self.bound),
            "bounds": {k: encode(v) for k, v in self.bounds.items()},
            "measured": None if self.measured is None else encode(self.measured),
            "measured_halfwidth": (
                None if self.measured_halfwidth is None else encode(self.measured_halfwidth)
            ),
            "note": self.note,
            "holds": self.holds,
            "ratio": None if ratio is None else encode(ratio),
            "verdict": self.verdict,
        }
        canonical = json.dumps(d, sort_keys=True, allow_nan=False).encode()
        return d | {"sha256": hashlib.sha256(canonical).hexdigest()}

    @classmethod
    def from_dict(cls, d: Mapping[str, Any]) -> Certificate:
        """Build from `to_dict`'s output; `recheck` then tells whether to believe it.

        Raises
        ------
        CertificateError
            If a field is missing or of the wrong kind.
        """
        if not isinstance(d, Mapping) or d.get("schema") != SCHEMA:
            raise CertificateError(f"a certificate must carry the schema {SCHEMA}.")
        try:
            steps = d["gamma"]
            adaptive, many = isinstance(steps, Mapping), isinstance(steps, list)
            forms = (_adaptive.FORM,) if adaptive else FORMS
            gamma: float | tuple[float, ...] | AdaptiveSteps
            if adaptive:
                gamma = AdaptiveSteps.from_dict(steps)
            else:
                gamma = tuple(decode(g) for g in steps) if many else decode(steps)
            return cls(
                algorithm=choice("algorithm", d["algorithm"], ALGORITHMS),
                form=choice("form", d["form"], forms),
                constants=(
                    None if d["constants"] is None else ProblemConstants.from_dict(d["constants"])
                ),
                gamma=gamma,
                K=whole("K", d["K"], low=1),
                M=whole("M", d["M"], low=1),
                T=whole("T", d["T"], low=0),
                hypotheses=tuple(Hypothesis.from_dict(h) for h in d["hypotheses"]),
                bound=decode(d["bound"]),
                bounds={str(k): decode(v) for k, v in d["bounds"].items()},
                measured=None if d["measured"] is None else decode(d["measured"]),
                measured_halfwidth=(
                    None if d["measured_halfwidth"] is None else decode(d["measured_halfwidth"])
                ),
                note=str(d["note"]),
                _claimed={k: d[k] for k in ("holds", "ratio", "verdict", "sha256") if k in d},
            )
        except (KeyError, TypeError, AttributeError, InvalidArgument, ValueError) as e:
            if isinstance(e, CertificateError):
                raise
            raise CertificateError(f"a certificate must be readable, got {e!r}.") from e

    def to_json(self, path: str | PathLike[str]) -> None:
        """Write strict JSON (RFC 8259: no NaN, no Infinity) to a file.

        Examples
        --------
        >>> import pathlib, tempfile
        >>> from asysg import theory
        >>> c = theory.ProblemConstants(gap=1.0, sigma=1.0, L=1.0)
        >>> cert = theory.con.prescribe(c, K=1000, M=1, T=2).certificate
        >>> with tempfile.TemporaryDirectory() as d:
        ...     path = pathlib.Path(d, "certificate.json")
        ...     cert.to_json(path)
        ...     theory.Certificate.from_json(path).recheck() == cert
        True
        """
        text = json.dumps(self.to_dict(), indent=2, allow_nan=False)
        Path(path).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def from_json(cls, path: str | PathLike[str]) -> Certificate:
        """Read what `to_json` wrote.

        Raises
        ------
        CertificateError
            If the file is not JSON or not a certificate.
        """
        try:
            d = json.loads(Path(path).read_text(encoding="utf-8"))
        except ValueError as e:
            raise CertificateError(f"{path} must be JSON, got {e}.") from e
        return cls.from_dict(d)

    def recheck(self) -> Certificate:
        """Recompute everything that follows from the constants and the numbers.

        Returns
        -------
        Certificate
            The certificate itself.

        Raises
        ------
        CertificateError
            Naming the first field that disagrees. What was *measured* cannot be recomputed: for
            that, replay the run.
        """
        fault = self._fault()
        if fault is not None:
            name, stored, found = fault
            raise CertificateError(
                f"{name} must follow from the certificate's own numbers ({found!r}), "
                f"got {stored!r}. The file was changed or made by other formulas."
            )
        return self

    def _fault(self) -> tuple[str, object, object] | None:
        try:
            bounds = all_bounds(self.constants, self.algorithm, self.gamma, self.K, self.M, self.T)
        except InvalidArgument as e:
            return "gamma", self.gamma, str(e)
        for form in bounds:
            if form not in self.bounds or not same(self.bounds[form], bounds[form]):
                return f"bounds[{form}]", self.bounds.get(form), bounds[form]
        if set(self.bounds) != set(bounds):
            return "bounds", sorted(self.bounds), sorted(bounds)
        if not same(self.bound, bounds[self.form]):
            return "bound", self.bound, bounds[self.form]
        args = (self.constants, self.algorithm, self.form, self.gamma, self.K, self.M, self.T)
        own, P = own_hypotheses(*args), None
        if isinstance(self.gamma, AdaptiveSteps):
            P = self.gamma.P
        else:
            own.append(
                updates_hypothesis(
                    self.constants, self.algorithm, self.form, self.gamma, self.K, self.M, self.T
                )
            )
        fresh = {h.name: h for h in own}
        names = [h.name for h in self.hypotheses]
        for name in needed(self.algorithm, self.form):
            if name not in names:
                return "hypotheses", names, f"one named {name}"
        for h in self.hypotheses:
            wrong = _difference(h, fresh[h.name]) if h.name in fresh else h.fault()
            if wrong is None and h.name == "delays bounded by T":
                wrong = "numbers" if h.numbers.get("T", self.T) != self.T else None
            if wrong is None and h.name == "gradients under way":
                wrong = "numbers" if h.numbers.get("P", P) != P else None
            if wrong is not None:
                found = getattr(fresh[h.name], wrong) if h.name in fresh else "its other fields"
                return f"hypotheses[{h.name}].{wrong}", getattr(h, wrong), found
        now = self.to_dict()
        for name, stored in self._claimed.items():
            agree = stored == now[name]
            if isinstance(stored, float) and isinstance(now[name], float):
                agree = same(stored, now[name])
            if not agree:
                return name, stored, now[name]
        return None


def _say_constants(c: ProblemConstants, incon: bool) -> str:
    known = "ESTIMATED from samples" if c.estimated else "proven bounds"
    more = f", L_max {c.L_max:.6g}, L_T {c.L_T:.6g}, n {c.n}" if incon else ""
    return f"Constants ({known}): gap {c.gap:.6g}, sigma {c.sigma:.6g}, L {c.L:.6g}{more}."


def _difference(stored: Hypothesis, fresh: Hypothesis) -> str | None:
    """Return the first field in which two hypotheses differ by more than rounding."""
    if set(stored.numbers) != set(fresh.numbers) or not all(
        same(stored.numbers[k], fresh.numbers[k]) for k in fresh.numbers
    ):
        return "numbers"
    x, y = stored.slack, fresh.slack
    if (x is None) != (y is None) or not (x is None or y is None or same(x, y, 1e-12)):
        return "slack"
    if stored.holds != fresh.holds:
        return "holds"
    return None if stored.evidence == fresh.evidence else "evidence"
