"""What a verification found: rows, a table for people, JSON and a picture."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._check import read_json
from ..errors import CertificateError, InvalidArgument
from ..theory import AdaptiveSteps, Certificate
from ..theory.testing import Outcome

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMAT = "asysg.verification.v1"
FILES = ("verify.json", "verify.png")
#: Verdicts with which a verification fails: a row must carry a claim and must not refute it.
BAD = ("violated", "disagrees", "no claim")
NUMBERS = ("measured", "halfwidth", "log_e", "log_threshold", "expected", "z", "p", "side")


@dataclass(frozen=True)
class Row:
    """One claim held against replicates of one run.

    Attributes
    ----------
    kind : {"ordinary", "tight", "exact", "lemma", "trace", "method"}
        See `asysg.verify.suite`.
    objective, method, run : str
        What was run; `run` says on what: "2 threads", or given delays.
    steplength : str
        How gamma was chosen: "prescribed", or the share of the condition of Theorem U.
    replicates : int
    T_measured : int
        Largest delay that occurred in any replicate.
    measured : float
        Mean over the replicates of their ergodic gradient norms; inf if one diverged. Of a lemma
        its left side.
    halfwidth : float
        Of the 95 % confidence interval by Student's t: approximate.
    log_e : float
        Logarithm of the e-value against the bound.
    log_threshold : float
        The row convicts from this `log_e` on, with at most its share of the error budget.
    verdict : str
        "within", "violated" or "undecided" (bound), "agrees" or "disagrees" (exact moments),
        "no claim" if a hypothesis of the theorem fails.
    detects : str
        What the row could have detected.
    expected : float or None
        The exact expectation of what was measured, where it can be computed.
    z, p : float or None
        Worst standardised deviation from what is expected, and the p-value of the row.
    claim : str
        Which lemma is on trial, or which test of a trace came out worst.
    side : float or None
        Right side of a lemma, which then is the bound.
    checks : tuple of Outcome
        The tests of a trace one by one.
    certificate : Certificate
        The claim: hypotheses, constants, gamma, n, K, M, T and the bounds of all forms.
    """

    kind: str
    objective: str
    method: str
    run: str
    steplength: str
    replicates: int
    T_measured: int
    measured: float
    halfwidth: float
    log_e: float
    log_threshold: float
    verdict: str
    detects: str
    certificate: Certificate
    expected: float | None = None
    z: float | None = None
    p: float | None = None
    claim: str = ""
    side: float | None = None
    checks: tuple[Outcome, ...] = ()

    @property
    def n(self) -> int:
        """Number of coordinates."""
        assert self.certificate.constants is not None, "every row is made with constants"
        return self.certificate.constants.n

    @property
    def bound(self) -> float:
        """The bound of the theorem, or side of the lemma, that the row is held against."""
        return self.certificate.bound if self.side is None else self.side

    @property
    def ratio(self) -> float:
        """Measured over bound."""
        return self.measured / self.bound if self.bound > 0 else math.inf

    @property
    def ok(self) -> bool:
        """Whether the row carries a claim that was not refuted."""
        return self.verdict not in BAD

    def to_dict(self) -> dict[str, Any]:
        """Return the row in strict JSON's types; inf and nan become words."""
        out: dict[str, Any] = {item.name: _word(getattr(self, item.name)) for item in fields(self)}
        out["certificate"] = self.certificate.to_dict()
        out["checks"] = [
            {name: _word(value) for name, value in asdict(check).items()} for check in self.checks
        ]
        return out | {"ratio": _word(self.ratio), "ok": self.ok}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Row:
        """Inverse of `to_dict`; checks the certificate again."""
        values = {item.name: data[item.name] for item in fields(cls)}
        for name in NUMBERS:
            values[name] = None if values[name] is None else float(values[name])
        values["checks"] = tuple(
            Outcome(**{**check, "statistic": float(check["statistic"])})
            for check in values["checks"]
        )
        values["certificate"] = Certificate.from_dict(values["certificate"]).recheck()
        return cls(**values)


@dataclass(frozen=True)
class Report:
    """Outcome of `asysg.verify.suite`.

    Attributes
    ----------
    rows : tuple of Row
    alpha : float
        Probability, at most, that this verification fails although every claim is true.
    seed, n_threads : int
    quick : bool
    steplength_factor : float
        What every run multiplied its steplength with; 1 unless a violation was asked for.
    seconds : float
    notes : tuple of str
        What a reader of the table must know.
    versions : dict of str to str
    """

    rows: tuple[Row, ...]
    alpha: float
    seed: int
    n_threads: int
    quick: bool
    steplength_factor: float
    seconds: float
    notes: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether every row carries a claim that was not refuted."""
        return all(row.ok for row in self.rows)

    def block(self, kind: str) -> tuple[Row, ...]:
        """Return the rows of one kind."""
        return tuple(row for row in self.rows if row.kind == kind)

    def table(self) -> str:
        """Return the table of certificates, block by block, for a terminal."""
        parts = [
            f"asysg verify: seed {self.seed}, {_threads(self.n_threads)}"
            + (", quick" if self.quick else "")
            + (
                f", steplengths x {self.steplength_factor:g} (claims unchanged)"
                if self.steplength_factor != 1
                else ""
            )
        ]
        for kind, (title, columns) in BLOCKS.items():
            rows = self.block(kind)
            if rows:
                sizes = sorted({row.replicates for row in rows})
                shown = str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
                parts.append(f"{title.format(R=shown)}\n{_grid(rows, columns)}")
        parts.append("\n".join([*self.notes, self.conclusion()]))
        return "\n\n".join(parts)

    def conclusion(self) -> str:
        """Return the last line of the table."""
        bad = [row for row in self.rows if not row.ok]
        took = f"({self.seconds:.0f} s; false alarm of the whole at most {self.alpha:g})"
        if not bad:
            return f"OK: {len(self.rows)} rows, no violation {took}"
        kinds = ", ".join(
            f"{count} {kind}" for kind in BLOCKS if (count := sum(r.kind == kind for r in bad))
        )
        return f"FAILED: {len(bad)} of {len(self.rows)} rows ({kinds}) {took}"

    def to_dict(self) -> dict[str, Any]:
        """Return the report in strict JSON's types."""
        out = {"format": FORMAT} | {
            item.name: getattr(self, item.name) for item in fields(self) if item.name != "rows"
        }
        out["notes"] = list(self.notes)
        return out | {"ok": self.ok, "rows": [row.to_dict() for row in self.rows]}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Report:
        """Inverse of `to_dict`.

        Raises
        ------
        InvalidArgument
            If it is no report.
        CertificateError
            If a certificate in it does not follow from its own numbers.
        """
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise InvalidArgument("data must be a report written by save, got something else.")
        try:
            values = {item.name: data[item.name] for item in fields(cls)}
            values["notes"] = tuple(values["notes"])
            values["rows"] = tuple(Row.from_dict(row) for row in values["rows"])
        except CertificateError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidArgument(
                f"data must be a report written by save, got one with {error!r}."
            ) from error
        return cls(**values)

    @classmethod
    def from_json(cls, path: str | os.PathLike[str]) -> Report:
        """Read ``verify.json`` as `save` writes it; every certificate is checked again.

        Raises
        ------
        InvalidArgument
            If there is no such file, or no report in it.
        CertificateError
            If a certificate in it does not follow from its own numbers.
        """
        return cls.from_dict(read_json(path, "a report written by save"))

    def save(self, folder: str | os.PathLike[str]) -> tuple[Path, Path]:
        """Write ``verify.json`` and ``verify.png`` into a folder, made if need be.

        Returns
        -------
        tuple of Path
            The two files.
        """
        where = Path(folder)
        where.mkdir(parents=True, exist_ok=True)
        data, picture = (where / name for name in FILES)
        text = json.dumps(self.to_dict(), indent=1, allow_nan=False)
        data.write_text(text + "\n", encoding="utf-8")
        self.plot().savefig(picture, dpi=110)
        return data, picture

    def plot(self) -> Figure:
        """Draw measured/bound of every row, and measured/exact of those with exact moments."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(11, 2 + 0.17 * len(self.rows)), layout="constrained")
        axes = figure.subplots()
        place = 0
        names: list[str] = []
        for colour, kind in enumerate(BLOCKS):
            rows = [row for row in self.block(kind) if math.isfinite(row.measured)]
            if not rows:
                continue
            places = range(place, place + len(rows))
            axes.errorbar(
                [row.ratio for row in rows],
                places,
                xerr=[row.halfwidth / row.bound for row in rows],
                fmt="o",
                ms=4,
                color=f"C{colour}",
                label=f"{kind}: {'left / right side' if kind == 'lemma' else 'measured / bound'}",
            )
            known = [
                (r.measured / r.expected, y)
                for r, y in zip(rows, places, strict=True)
                if r.expected
            ]
            if known:
                axes.plot(
                    *zip(*known, strict=True),
                    "|",
                    ms=9,
                    color="k",
                    label="measured / exact expectation" if kind == "exact" else None,
                )
            names += [f"{row.objective}  {row.method}  {row.run}  {row.claim}" for row in rows]
            place += len(rows)
        axes.axvline(1, color="k", lw=0.8)
        axes.set(xscale="log", xlabel="ratio", ylim=(place - 0.3, -0.7), title=self.conclusion())
        axes.title.set_fontsize(8)
        axes.set_yticks(range(place), names, fontsize=6)
        axes.grid(axis="x", alpha=0.3)
        axes.legend(fontsize=7)
        return figure


def _threads(p: int) -> str:
    return "1 thread" if p == 1 else f"{p} threads"


def _gamma(certificate: Certificate) -> str:
    steps = certificate.gamma
    return f"{steps.gamma:.3g}" if isinstance(steps, AdaptiveSteps) else f"{steps:.3g}"


def _word(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


Column = tuple[str, Callable[[Row], str]]

_SETTING: list[Column] = [
    ("objective", lambda r: r.objective),
    ("method", lambda r: r.method.removeprefix("asysg-")),
    ("run", lambda r: r.run),
    ("n", lambda r: str(r.n)),
    ("M", lambda r: str(r.certificate.M)),
    ("K", lambda r: str(r.certificate.K)),
    ("Tm", lambda r: str(r.T_measured)),
    ("Tc", lambda r: str(r.certificate.T)),
    ("gamma", lambda r: _gamma(r.certificate)),
]
_BOUND: list[Column] = [
    ("bound", lambda r: f"{r.bound:.4g}"),
    ("measured", lambda r: f"{r.measured:.4g} ± {r.halfwidth:.2g}"),
    ("ratio", lambda r: f"{r.ratio:.3f}" if r.ratio < 1000 else f"{r.ratio:.1e}"),
]
_TEST: list[Column] = [
    ("z", lambda r: "-" if r.z is None else f"{r.z:+.2f}"),
    ("p", lambda r: "-" if r.p is None else f"{r.p:.2g}"),
]
_VERDICT: list[Column] = [("verdict", lambda r: r.verdict), ("could detect", lambda r: r.detects)]

BLOCKS: dict[str, tuple[str, list[Column]]] = {
    "ordinary": (
        "ORDINARY problems on real threads, prescribed steplength, Theorem P ({R} replicates): "
        "what users see; could convict gross errors only",
        [*_SETTING, *_BOUND, *_VERDICT],
    ),
    "tight": (
        "TIGHT: isotropic noisy quadratic, constant delay, Theorem U, e-value ({R} replicates): "
        "convicts small errors that make things worse",
        [
            *_SETTING,
            *_BOUND,
            ("exact", lambda r: f"{(r.expected or 0) / r.bound:.3f}"),
            ("ln e", lambda r: f"{r.log_e:.1f}"),
            *_VERDICT,
        ],
    ),
    "exact": (
        "EXACT MOMENTS: anisotropic noisy quadratic, any known delays, two-sided ({R} "
        "replicates): convicts small errors of any sign",
        [
            *_SETTING,
            *_BOUND,
            ("exact", lambda r: "-" if r.expected is None else f"{r.expected:.4g}"),
            *_TEST,
            *_VERDICT,
        ],
    ),
    "lemma": (
        "LEMMAS, each against its own measured side ({R} replicates): a failure names the step of "
        "the proof",
        [
            ("lemma", lambda r: r.claim),
            *_SETTING,
            ("right", lambda r: f"{r.bound:.4g}"),
            ("left", lambda r: f"{r.measured:.4g} ± {r.halfwidth:.2g}"),
            ("ratio", lambda r: f"{r.ratio:.3f}" if r.ratio < 1000 else f"{r.ratio:.1e}"),
            *_TEST,
            *_VERDICT,
        ],
    ),
    "trace": (
        "TRACES: flight records of single runs, every increment, draw and delay: convicts whatever "
        "is not the algorithm",
        [
            *_SETTING,
            ("tests", lambda r: str(len(r.checks))),
            ("worst", lambda r: r.claim),
            *_TEST,
            *_VERDICT,
        ],
    ),
    "method": (
        "OTHER METHODS on real threads, each against its own theorem ({R} replicates): what users "
        "see; could convict gross errors only",
        [*_SETTING, ("form", lambda r: r.certificate.form), *_BOUND, *_VERDICT],
    ),
}


def _grid(rows: tuple[Row, ...], columns: list[Column]) -> str:
    cells = [[head for head, _ in columns], *([text(row) for _, text in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    words = {"objective", "method", "run", "verdict", "could detect", "lemma", "worst"}
    left = [head in words for head, _ in columns]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if is_left else cell.rjust(width)
            for cell, width, is_left in zip(line, widths, left, strict=True)
        ).rstrip()
        for line in cells
    )
