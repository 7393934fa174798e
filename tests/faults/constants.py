"""Faults of the theory: every constant of every theorem, 10 % toward what one would like to hear.

A bound, a demand on K or a condition 10 % smaller, a steplength or a delay 10 % larger, for each
algorithm and each form apart. Most bounds are not attained, so no run can ever contradict such a
number; the tests of the theory must, by arriving at it along a second road.
"""

from __future__ import annotations

from collections.abc import Iterator

from .patch import Edit, Fault

FRAME = "theory/_frame.py"
SHARP = "theory/_sharp.py"
SCHEDULE = "theory/_schedule.py"
COROLLARIES = "theory/_corollaries.py"
ALGORITHMS = ("con", "incon")


def each(
    what: str,
    old: str,
    *,
    file: str = FRAME,
    factor: str = "0.9",
    of: str = "f.algorithm",
    forms: tuple[str, ...] = (),
    algorithms: tuple[str, ...] = ALGORITHMS,
    after: str = "",
) -> Iterator[Fault]:
    """Multiply a constant by `factor`, for each algorithm (and each of `forms`) apart."""
    for algorithm in algorithms:
        for form in forms or ("",):
            condition = f"{of} == {algorithm!r}" + (f" and form == {form!r}" if form else "")
            name = f"{algorithm}{', ' + form if form else ''}: {what}"
            new = f"({{old}}) * ({factor} if {condition} else 1)"
            yield Fault(name, (Edit(file, old, new, after),))


def shared(what: str, old: str, new: str, file: str, after: str = "") -> Iterator[Fault]:
    """Change a constant that is no algorithm's own."""
    yield Fault(what, (Edit(file, old, new, after),))


ROOT = "0.9**0.5"  # of a factor that enters squared
OWN = "self.algorithm"
TENTH = "Fraction(9, 10)"  # the corollaries reckon in fractions

THEOREMS = (
    *each("noise constant of form paper", '"paper": «2.0»', of=OWN),
    *each("noise constant of form plus", '"plus": «1 + self.rho»', of=OWN),
    *each("noise constant of form robust", '"robust": «float(self.T)»', of=OWN),
    *each("noise constant of form constant_delay", "factors.get(form, «1.0»)", of=OWN),
    *each("rho", "«math.sqrt((self.T - 1) / (2 * self.T))» if", of=OWN),
    *each("M l of the condition", "return «self.M * self.l»", of=OWN),
    *each(
        "2 of the condition of form paper",
        "«math.sqrt(2.0)» * T",
        factor=ROOT,
        of=OWN,
        algorithms=("con",),
    ),
    *each(
        "2 of the condition of form paper",
        "root = «math.sqrt(2 * T)» *",
        factor=ROOT,
        of=OWN,
        algorithms=("incon",),
    ),
    *each("T^2 of the condition of form robust", "root = «T / math.sqrt(p)»", factor=ROOT, of=OWN),
    *each(
        "2 rho of the condition of form sharp",
        "cross = «2 * self.rho»",
        of=OWN,
        algorithms=("incon",),
    ),
    *each("T^2 of the condition of form sharp", "cross + «(T / p) * (T / p)»", of=OWN),
    *each(
        "T (p - 1) of the condition of form sharp",
        "root = math.sqrt(«T * (p - 1) / p / p» + cross",
        of=OWN,
        algorithms=("incon",),
    ),
    *each(
        "T (p + T - 1) of the condition",
        "«math.sqrt(factor * T)» * math.sqrt(p + T - 1)",
        factor=ROOT,
        of=OWN,
        forms=("plus", "constant_delay", "uniform"),
    ),
    *each("gamma_max", "return «2 / twice» if", factor="1.1"),
    *each("2 p gap of R0", "math.inf if g == 0 else «2 * f.p / K / f.M * c.gap / g»"),
    *each("l gamma sigma^2 of R0", "return start + «f.l * g * c.sigma * c.sigma»,"),
    *each("N", ", «f.T / f.p * f.M * stale * stale»"),
    *each("2 - a - s of form uniform", "(R0 + N) / «(2 - lhs)»", factor="1.1"),
    *each("sw of form sharp", "«x * x * T * (p - 1)»", algorithms=("incon",)),
    *each("sg of form sharp", "«x * x * T * T»,"),
    *each("a of form sharp", "phi(R0, N, «f.slope() * g»,"),
    *shared(
        "form sharp: cross term of D(B)",
        "return P + «2 * rho * math.sqrt(P * sg * B)»",
        "0.9 * {old}",
        SHARP,
    ),
    *shared("form sharp: 2 - a at the crossing", "return «(2 - a)» * B + 2", "1.1 * {old}", SHARP),
    *shared(
        "form sharp: root at the crossing",
        "B + «2 * math.sqrt(B * staleness(B))» - R0",
        "1.1 * {old}",
        SHARP,
    ),
    *shared(
        "form sharp: peak of the first function",
        "peak = R0 + N + «2 * N * q» / (e +",
        "0.9 * {old}",
        SHARP,
    ),
    *shared(
        "schedule: 2 of the condition", "a + «2 * T * a» * leading_sums", "0.9 * {old}", SCHEDULE
    ),
    *shared("schedule: 2 gap of the bound", "float((«2 * c.gap» + noise)", "0.9 * {old}", SCHEDULE),
    *shared(
        "schedule: L M gamma^2 of the noise",
        "np.sum(«a * gamma * c.sigma * c.sigma»)",
        "0.9 * {old}",
        SCHEDULE,
    ),
    *shared(
        "schedule: 2 of the stale noise", "+ «2 * M» * np.sum(a * trailing", "0.9 * {old}", SCHEDULE
    ),
    *each("c1 of gamma_opt", "start = «2 * f.p / K / f.M * c.gap»\n    g2"),
    *each("c3 of gamma_opt", "c3 = «f.noise_factor(form) * f.T / f.p * f.M»"),
)

COROLLARY = (
    *each(
        "4 of K_min of form paper",
        "return «4» * unit * l * (T + 1)",
        file=COROLLARIES,
        factor=TENTH,
        algorithms=("con",),
    ),
    *each(
        "16 of K_min of form paper",
        "return «16» * unit * Lam",
        file=COROLLARIES,
        factor=TENTH,
        algorithms=("incon",),
    ),
    *each(
        "4 T^2 of K_min of form paper",
        "(p + «4 * T * T» / _sqrt(p))",
        file=COROLLARIES,
        factor=TENTH,
        algorithms=("incon",),
    ),
    *each(
        "2 of K_min of form robust", "steps, stale = «Fraction(2)»,", file=COROLLARIES, factor=TENTH
    ),
    *each("T^2 of K_min of form robust", "«T * T / p»\n    else", file=COROLLARIES, factor=TENTH),
    *each(
        "(2 p + T - 1) / p of K_min",
        "«(2 * p + T - 1) / p»",
        file=COROLLARIES,
        factor=TENTH,
        forms=("plus", "constant_delay", "uniform", "sharp"),
    ),
    *each(
        "(1 + rho) T / p of K_min",
        "«(1 + rho) * T / p»",
        file=COROLLARIES,
        factor=TENTH,
        forms=("plus", "sharp"),
    ),
    # For AsySG-con T is never larger than T + 1, so that without rho this constant has no effect.
    *each(
        "(1 + rho) T / p of K_min",
        "«(1 + rho) * T / p»",
        file=COROLLARIES,
        factor=TENTH,
        forms=("constant_delay", "uniform"),
        algorithms=("incon",),
    ),
    *each(
        "2 p of K_min",
        "return «2 * p * unit * l» * max",
        file=COROLLARIES,
        factor=TENTH,
        forms=("plus", "constant_delay", "uniform", "sharp", "robust"),
    ),
    *shared(
        "corollaries: 10 % fewer updates suffice",
        "need <= «K * _SLACK»",
        "{old} * Fraction(11, 10)",
        COROLLARIES,
    ),
    *shared("corollaries: T_max one too large", "return «low»\n", "low + 1", COROLLARIES),
    *each(
        "steplength of Corollary 2 or 4",
        'blocks = «2 * f.p if f.algorithm == "incon" else 1»',
        file=COROLLARIES,
        factor="1.1",
    ),
    *each(
        "steplength of Corollary P",
        "blocks, smooth = «2 * f.p», f.l",
        file=COROLLARIES,
        factor="1.1",
        forms=("plus", "constant_delay", "sharp", "uniform", "robust"),
    ),
    *each(
        "4 of the rate of form paper", "else («4.0», f.l)", file=COROLLARIES, algorithms=("con",)
    ),
    *each(
        "sqrt 72 of the rate of form paper",
        "factor, smooth = («math.sqrt(72.0)», f.Lam)",
        file=COROLLARIES,
        algorithms=("incon",),
    ),
    *each(
        "3 sqrt 2 of the rate",
        "factor, smooth = «3 * math.sqrt(2.0)», f.l",
        file=COROLLARIES,
        forms=("plus", "constant_delay", "sharp", "uniform", "robust"),
    ),
    *each("3 of the proven rate", "return («3» + f.T", file=COROLLARIES, algorithms=("con",)),
    *each(
        "T/(T + 1) of the proven rate",
        "3 + «f.T / (f.T + 1)»",
        file=COROLLARIES,
        algorithms=("con",),
    ),
    *each(
        "sqrt 2 of the proven rate",
        "return («math.sqrt(2.0)» * (1 + f.l",
        file=COROLLARIES,
        algorithms=("incon",),
    ),
    *each("1/2 of the proven rate", "late = «0.5» if", file=COROLLARIES, algorithms=("incon",)),
)

FAULTS = (*THEOREMS, *COROLLARY)
