"""The checker finds what is wrong, and its estimates are near what is proven."""

import numpy as np
import pytest

import asysg
from asysg import ConstantsWarning, InvalidArgument, objectives, theory
from asysg.objectives import from_callable
from asysg.objectives._estimates import power

from .conftest import CASES

RNG = np.random.default_rng(9)
A = RNG.standard_normal((40, 5))
b = np.tanh(A @ RNG.standard_normal(5))
X = RNG.standard_normal(5)


def value(x, j):
    return (np.tanh(A[j] @ x) - b[j]) ** 2


def gradient(x, j):
    t = np.tanh(A[j] @ x)
    return 2 * (t - b[j]) * (1 - t * t) * A[j]


def made(gradient=gradient, value=value, **options):
    return from_callable(gradient, value=value, n=5, n_samples=40, **options)


def failing(found):
    return [finding.name for finding in found.findings if not finding.ok]


def test_the_built_in_objectives_pass_without_a_warning(built_case):
    """And what is proven of them is above what is seen."""
    f = built_case.f
    found = objectives.check(f, built_case.points[1], n_samples=200, n_steps=10)
    assert found.ok, found.explain()
    assert found.L[0] <= f.L * 1.0001
    assert found.sigma[0] <= f.sigma + 1e-9
    assert found.constants.estimated
    assert len(CASES) > 20


def test_a_wrong_gradient_is_found_and_where():
    def twice(x, j):
        g = gradient(x, j)
        g[3] *= 1.01
        return g

    found = objectives.check(made(twice), X)
    assert failing(found) == ["gradient is the derivative of value"]
    assert "coordinate 3" in found.explain()
    assert not found.ok


def test_a_gradient_that_changes_is_found():
    calls = []

    def restless(x, j):
        calls.append(j)
        return gradient(x, j) * (1 + 1e-3 * (len(calls) % 7))

    assert any("asked again" in name for name in failing(objectives.check(made(restless), X)))


def test_a_minibatch_that_is_a_mean_is_found():
    def means(x, samples):
        return sum(gradient(x, j) for j in samples) / len(samples)

    def sums(x, samples):
        return sum(value(x, j) for j in samples)

    found = objectives.check(made(means, sums, at_once=True), X)
    assert failing(found) == ["minibatch is the sum of gradients"]


def test_without_a_value_a_field_that_is_no_gradient_is_found():
    rotation = np.triu(np.ones((5, 5)), 1) - np.tril(np.ones((5, 5)), -1)
    good = objectives.check(made(value=None), X)
    assert good.ok
    assert good.constants is None
    assert objectives.check(made(value=None), X, gap=2.0).constants.gap == 2.0
    turned = made(lambda x, j: rotation @ x + gradient(x, j), None)
    assert failing(objectives.check(turned, X))[0].startswith("gradient has a symmetric")


def test_what_cannot_be_computed_is_a_finding():
    def broken(x, j):
        raise ZeroDivisionError("no")

    found = objectives.check(made(broken), X)
    assert (found.ok, found.constants) == (False, None)
    assert "ZeroDivisionError" in found.explain()


def test_estimates_are_those_of_a_quadratic():
    f = objectives.Quadratic(np.array([0.5, 1.0, 3.0, 2.0]), np.ones(4), sigma=1.0)
    found = objectives.check(f, np.zeros(4), T=2, n_samples=4000)
    c = found.constants
    assert c.L == pytest.approx(3.0, rel=1e-6)
    assert c.L_max == pytest.approx(3.0, rel=1e-6)
    assert c.L_T == pytest.approx(3.0, rel=1e-6)
    assert c.gap == pytest.approx(f.value(np.zeros(4)), rel=1e-6)
    assert found.sigma[0] <= 1.0 <= found.sigma[1]
    assert found.sigma[1] < 1.2


def test_the_power_iteration_keeps_its_promise():
    """Its upper end fails with probability `alarm`; here with 1e-3 in 300 trials of fixed seeds."""
    rng = np.random.default_rng(0)
    n, steps = 80, 30
    missed = widest = 0.0
    for _ in range(300):
        Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
        spectrum = rng.standard_normal(n)
        H = Q * spectrum @ Q.T
        found = power(lambda v, H=H: H @ v, n, steps, 1e-3, rng)
        norm = np.abs(spectrum).max()
        assert found.least <= norm * (1 + 1e-9)
        missed += found.most < norm
        widest = max(widest, found.most / norm)
    assert missed == 0
    assert widest < 1.6


def test_many_coordinates_go_by_the_power_iteration():
    f = objectives.SigmoidRegression.planted(50, 100, rng=0)
    found = objectives.check(f, np.ones(100), n_steps=20)
    assert found.ok
    assert found.L[0] <= f.L
    assert found.L[0] < found.L[1]
    assert found.constants.L_max == found.constants.L == found.L[1]


CLAIMS = {"gap": 1e-6, "sigma": 1e-6, "L": 1e-3}


@pytest.mark.parametrize("name", CLAIMS)
def test_claims_that_are_contradicted_are_warned_of(name):
    honest = objectives.check(made(), X).constants
    claimed = {"gap": honest.gap, "sigma": honest.sigma, "L": honest.L} | {name: CLAIMS[name]}
    constants = theory.ProblemConstants(n=5, **claimed)
    for f, given in ((made(constants=constants), None), (made(), constants)):
        with pytest.warns(ConstantsWarning) as seen:  # an L that is too small is an L_max too
            objectives.check(f, X, constants=given)
        assert any(str(one.message).startswith(f"{name} must be at least") for one in seen)
        assert seen[0].filename == __file__
    objectives.check(made(constants=honest), X)  # nothing to warn of


def test_estimated_constants_prescribe_a_steplength():
    found = objectives.check(made(), X, T=4)
    run = {"n_updates": 20_000, "max_delay": 4, "n_threads": 1, "rng": 0}
    res = asysg.minimize(made(), X, constants=found.constants, **run)
    assert res.success
    assert res.certificate.constants.estimated
    assert res.certificate.verdict == "within"
    kinds = {one.name: one.evidence for one in res.certificate.hypotheses}
    assert kinds["problem constants"] == "estimated"


def test_what_is_refused():
    f = made()
    for given in (
        {"T": -1},
        {"gap": -1.0},
        {"constants": 3},
        {"points": np.zeros((2, 4))},
        {"n_samples": 1},
        {"n_steps": 0},
        {"confidence": 1.0},
        {"tolerance": 0.0},
    ):
        with pytest.raises(InvalidArgument, match=f"^{next(iter(given))}"):
            objectives.check(f, X, **given)
    with pytest.raises(InvalidArgument, match="^obj"):
        objectives.check(gradient, X)
    with pytest.raises(InvalidArgument, match="^x0"):
        objectives.check(f, X[1:])
