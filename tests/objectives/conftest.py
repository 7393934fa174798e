"""Every family once, or once per way to give its data, with a slow NumPy twin of its formula.

The twins are written for complex x, so that a complex step differentiates them to the last digits:
the derivatives of the compiled families are checked against no formula of anyone's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from asysg import objectives as ob

N_TIGHT = 16


@dataclass(frozen=True)
class Case:
    """One objective; `value(x, sample)` is its twin (`sample` None: of f itself)."""

    build: Callable[[], ob.Objective]
    value: Callable[..., Any]
    # Where a constant is attained, or close to where it is.
    peaks: tuple[Any, ...] = ()
    # Constants that the attack must come within 1 % of, and the others: within 10 %.
    exact: frozenset[str] = frozenset()
    near: frozenset[str] = frozenset()


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def rotation(n: int, seed: int) -> Any:
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))[0]


def expit(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


# Losses psi(z, b) by the letter of their definitions.
PSI = {
    "sigmoid": lambda z, b: (expit(z) - b) ** 2,
    "logistic": lambda z, b: np.log(1 + np.exp(-b * z)),
    "sine": lambda z, b: 1 - np.cos(z - b),
    "squared": lambda z, b: (z - b) ** 2 / 2,
    "amplitude": lambda z, b: (np.sqrt(1 + z**2) - b) ** 2 / 2,
    "welsch": lambda z, b: 2.25 / 2 * (1 - np.exp(-((z - b) ** 2) / 2.25)),
    "geman": lambda z, b: (z - b) ** 2 / (2 * (1 + ((z - b) / 1.5) ** 2)),
    "cauchy": lambda z, b: 2.25 / 2 * np.log(1 + ((z - b) / 1.5) ** 2),
}


def linear_twin(
    name: str, A: Any, y: Any, reg: float = 0.0, weights: Any = 1.0, free: int = 0
) -> Callable[..., Any]:
    dense = A.toarray() if scipy.sparse.issparse(A) else A

    def value(x: Any, sample: int | None = None) -> Any:
        terms = weights * PSI[name](dense @ x, y)
        x = x[: len(x) - free]
        term = terms.mean() if sample is None else terms[sample]
        return term + reg * (x**2 / (1 + x**2)).sum()

    return value


def linear_case(
    name: str,
    make: Callable[[Any, Any], ob.Objective],
    answer: Callable[[Any], Any],
    *,
    sparse: bool = False,
    reg: float = 0.0,
) -> Case:
    """More samples than coordinates, answers that a hidden x gives."""
    rng = np.random.default_rng(7)
    A = ob.synthetic.design(40, 9, density=0.4 if sparse else None, rng=rng)
    x = rng.standard_normal(9)
    y = answer(A @ x)
    floor = words("lower_bound") if not reg and name != "logistic" else frozenset()
    exact = floor | (words("L L_max") if name not in ("sigmoid", "amplitude") else frozenset())
    peaks = (np.zeros(9) if name == "logistic" else x,)
    return Case(lambda: make(A, y), linear_twin(name, A, y, reg), peaks, exact)


def tight_case(
    name: str,
    make: Callable[[Any, Any], ob.Objective],
    y: Any,
    at_curvature: Any,
    at_slope: Any = None,
    *,
    reg: float = 0.0,
) -> Case:
    """Orthogonal rows: every a_j'x can be chosen freely, so every bound can be reached.

    But for the square of the mean, 1/N of the second moment: sigma comes within 4 %.
    """
    A = 2.0 * rotation(N_TIGHT, 3)
    peaks = tuple(A.T @ z / 4 for z in (at_curvature, at_slope) if z is not None)
    near = words("sigma") if at_slope is not None else frozenset()
    return Case(lambda: make(A, y), linear_twin(name, A, y, reg), peaks, words("L L_max L_1"), near)


def weighted_case(name: str, make: Callable[..., ob.Objective], **given: Any) -> Case:
    """Unequal weights, one of them 0, and the last coordinate an intercept, perhaps penalised."""
    rng = np.random.default_rng(17)
    sparse, reg = given.get("sparse", False), given.get("reg", 0.0)
    A = ob.synthetic.design(40, 9, density=0.4 if sparse else None, rng=rng)
    ones = np.ones((40, 1))
    A = scipy.sparse.csr_array(scipy.sparse.hstack([A, ones])) if sparse else np.hstack([A, ones])
    weights = rng.exponential(size=40)
    weights[3], weights[5] = 0.0, 8.0
    x = rng.standard_normal(10)
    y = given.get("answer", np.asarray)(A @ x)
    flat = np.zeros(10) if name == "logistic" else x
    exact = words("L L_max") if name != "sigmoid" and not reg else frozenset()
    options = {"reg": reg, "weights": weights, "free": 1}
    packed = {"packed": True} if given.get("packed", False) else {}
    return Case(
        lambda: make(A, y, **options, **packed),
        linear_twin(name, A, y, **options),
        (flat,),
        exact,
    )


def sync_edges() -> Any:
    return np.array([(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (0, 5), (1, 4), (0, 3)])


def _linear_cases() -> dict[str, Case]:
    same = np.asarray
    half = np.arange(N_TIGHT) % 2  # labels 0 and 1 by turns
    turn = 2.0 * half - 1
    target = np.linspace(-1, 1, N_TIGHT)
    s = (15 - np.sqrt(33)) / 24
    flat, steep = np.log(s / (1 - s)), np.log(2.0)  # logits of s and of 2/3
    cases = {
        "sigmoid": linear_case("sigmoid", ob.SigmoidRegression, expit),
        "sigmoid-csr": linear_case("sigmoid", ob.SigmoidRegression, expit, sparse=True),
        "sine": linear_case("sine", ob.SineRegression, same),
        "sine-csr": linear_case("sine", ob.SineRegression, same, sparse=True),
        "amplitude": linear_case("amplitude", ob.PhaseRetrieval, lambda z: np.hypot(1, z)),
        "sigmoid-tight": tight_case(
            "sigmoid", ob.SigmoidRegression, half.astype(float), -turn * flat, -turn * steep
        ),
        "sine-tight": tight_case(
            "sine", ob.SineRegression, target, target, target + turn * np.pi / 2
        ),
        "amplitude-tight": tight_case(
            "amplitude", ob.PhaseRetrieval, np.full(N_TIGHT, 3.0), np.zeros(N_TIGHT)
        ),
        "amplitude-low": tight_case(
            "amplitude", ob.PhaseRetrieval, np.full(N_TIGHT, 0.25), np.full(N_TIGHT, 50.0)
        ),
    }
    cases["squared"] = linear_case("squared", ob.LeastSquares, same)
    cases["squared-csr"] = linear_case("squared", ob.LeastSquares, same, sparse=True)
    for reg, sparse in ((0.0, False), (0.3, False), (0.0, True), (0.3, True)):
        form = {"reg": reg, "sparse": sparse, "packed": sparse and not reg}
        tail = "-weighted" + f"-reg{reg}" * bool(reg) + "-csr" * sparse
        cases["squared" + tail] = weighted_case("squared", ob.LeastSquares, **form)
        cases["sigmoid" + tail] = weighted_case(
            "sigmoid", ob.SigmoidRegression, answer=expit, **form
        )
        cases["logistic" + tail] = weighted_case(
            "logistic", ob.NonconvexLogistic, answer=np.sign, **form
        )
    cases["welsch-weighted"] = weighted_case(
        "welsch", lambda *data, **how: ob.RobustRegression(*data, scale=1.5, **how), reg=0.3
    )
    for loss, steepest in (("welsch", 0.5**0.5), ("geman", 3**-0.5), ("cauchy", 1.0)):

        def make(A: Any, y: Any, loss: str = loss) -> ob.Objective:
            return ob.RobustRegression(A, y, loss=loss, scale=1.5)

        cases[loss] = linear_case(loss, make, same)
        cases[loss + "-tight"] = tight_case(
            loss, make, target, target, target + turn * 1.5 * steepest
        )
    for reg in (0.0, 0.3):

        def logistic(A: Any, y: Any, reg: float = reg) -> ob.Objective:
            return ob.NonconvexLogistic(A, y, reg=reg)

        tail = f"-reg{reg}" if reg else ""
        for sparse in (False, True):
            cases["logistic" + tail + "-csr" * sparse] = linear_case(
                "logistic", logistic, np.sign, sparse=sparse, reg=reg
            )
        cases["logistic" + tail + "-tight"] = tight_case(
            "logistic", logistic, turn, np.zeros(N_TIGHT), -60 * turn, reg=reg
        )
    return cases


def _stream_cases() -> dict[str, Case]:
    rng = np.random.default_rng(11)
    G = rng.standard_normal((6, 6))
    spd, indefinite = G @ G.T, G + G.T
    centre = rng.standard_normal(6)
    diagonal = np.array([0.5, 1.0, 3.0, 2.0])
    phases = rng.uniform(-3, 3, 6)
    edges = sync_edges()
    angle = phases[edges[:, 0]] - phases[edges[:, 1]]
    weights = np.linspace(1, 2, len(edges))
    exact = words("L L_max L_1 L_T lower_bound")

    def rotated() -> ob.Objective:
        return ob.RotatedCosineQuadratic(6, 0.5, 1.5, 2.0, sigma=1.0, rng=5)

    Q = rotated()._kernel.__reduce__()[1][-1]

    def wave(t: Any) -> Any:
        return (0.5 * t**2 / 2 + 1.5 * (1 - np.cos(2.0 * t))).sum()

    def chain(x: Any, sample: None = None) -> Any:
        ends = 0.7 * (1 - np.cos(x)) + 0.2 * x**2 / 2
        return ends.sum() + 1.3 * (1 - np.cos(x[:-1] - x[1:])).sum()

    def sync(x: Any, sample: None = None) -> Any:
        return (weights * (1 - np.cos(x[edges[:, 0]] - x[edges[:, 1]] - angle))).sum()

    def quadratic(H: Any, c: Any) -> Callable[..., Any]:
        return lambda x, sample=None: (x - c) @ H @ (x - c) / 2

    return {
        "cosine": Case(
            lambda: ob.CosineQuadratic(5, 0.5, 1.5, 2.0, sigma=1.0),
            lambda x, sample=None: wave(x),
            (np.zeros(5),),
            exact,
        ),
        "rotated": Case(rotated, lambda x, sample=None: wave(Q @ x), (np.zeros(6),), exact),
        "huber": Case(
            lambda: ob.HuberCosine(5, 2.0, 0.4, 3.0, sigma=1.0, noise="skewed"),
            lambda x, sample=None: (
                2 * (np.sqrt(1 + x**2) - 1) + 0.4 * (1 - np.cos(3.0 * x))
            ).sum(),
            (np.zeros(5),),
            exact,
        ),
        "chain": Case(
            lambda: ob.SineChain(7, 0.7, 0.2, 1.3, sigma=1.0, noise="coordinate"),
            chain,
            (np.zeros(7),),
            words("L L_max L_1 lower_bound"),
        ),
        "sync": Case(
            lambda: ob.Synchronization(6, edges, angle, weights, sigma=1.0, noise="rademacher"),
            sync,
            (phases,),
            words("L L_max L_1 lower_bound"),
        ),
        "isotropic": Case(
            lambda: ob.Quadratic.isotropic(4, 2.5, 1.0, "jumps", centre[:4]),
            quadratic(2.5 * np.eye(4), centre[:4]),
            (centre[:4],),
            exact,
        ),
        "diagonal": Case(
            lambda: ob.Quadratic(diagonal, centre[:4], sigma=1.0),
            quadratic(np.diag(diagonal), centre[:4]),
            (centre[:4],),
            words("L L_max lower_bound"),
        ),
        "quadratic": Case(
            lambda: ob.Quadratic(spd, centre, sigma=1.0), quadratic(spd, centre), (centre,), exact
        ),
        "indefinite": Case(
            lambda: ob.Quadratic(indefinite, sigma=1.0),
            quadratic(indefinite, np.zeros(6)),
            (np.zeros(6),),
            words("L L_max L_1 L_T"),
        ),
    }


def _network_cases() -> dict[str, Case]:
    layers = (4, 3, 5, 2)
    rng = np.random.default_rng(13)
    X = rng.standard_normal((6, 4))
    labels, targets = rng.integers(2, size=6), rng.standard_normal((6, 2))

    def outputs(x: Any, row: Any) -> Any:
        at = 0
        for k in range(3):
            size = layers[k] * layers[k + 1]
            W = x[at : at + size].reshape(layers[k + 1], layers[k])
            row = W @ row + x[at + size : at + size + layers[k + 1]]
            row = np.tanh(row) if k < 2 else row
            at += size + layers[k + 1]
        return row

    def mean(loss: Callable[[Any, int], Any]) -> Callable[..., Any]:
        def value(x: Any, sample: int | None = None) -> Any:
            which = range(6) if sample is None else [sample]
            return sum(loss(outputs(x, X[j]), j) for j in which) / len(which)

        return value

    def softmax(z: Any, j: int) -> Any:
        return np.log(np.exp(z).sum()) - z[labels[j]]

    def squared(z: Any, j: int) -> Any:
        return ((z - targets[j]) ** 2).sum() / 2

    return {
        "network-softmax": Case(lambda: ob.Network(X, labels, (3, 5)), mean(softmax)),
        "network-squared": Case(lambda: ob.Network(X, targets, (3, 5)), mean(squared)),
    }


CASES = _linear_cases() | _stream_cases() | _network_cases()


@cache
def built(name: str) -> ob.Objective:
    return CASES[name].build()


@dataclass(frozen=True)
class Built:
    """A case and its objective, built once per session."""

    name: str
    case: Case
    f: ob.Objective
    points: list[Any] = field(default_factory=list)

    @property
    def samples(self) -> list[int]:
        n = self.f.n_samples
        return [0, 1, 2**63 + 12345, 2**64 - 1] if n is None else [0, n // 2, n - 1]


def _points(name: str, n: int) -> list[Any]:
    rng = np.random.default_rng(len(name))
    return [scale * rng.standard_normal(n) for scale in (0.1, 1.0, 3.0)]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "only(of): run for the cases (name, objective) it is true of"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test every case, or those that its marker `only` names."""
    if "built_case" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("only")
        of = marker.args[0] if marker else lambda name, f: True
        names = [name for name in CASES if of(name, built(name))]
        assert names
        metafunc.parametrize("built_case", names, indirect=True)


@pytest.fixture
def built_case(request: pytest.FixtureRequest) -> Built:
    """Every family in turn."""
    f = built(request.param)
    return Built(request.param, CASES[request.param], f, _points(request.param, f.n))
