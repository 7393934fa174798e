"""Delays that depend on the run."""

import math

import pytest

from asysg.theory import InvalidArgument, ProblemConstants, adversarial, con

C = ProblemConstants(gap=2.0, sigma=2.0, L=0.5)


def test_doob():
    # M = 2, T = 2, K = 8, gamma = 1/8: a = 1/8, 4/(8 * 2/8) = 2, L gamma sigma^2 = .25,
    # N = .25 * 2 * 2 * 4/64 = 1/16.
    b = adversarial.doob_bound(1 / 8, C, K=8, M=2, T=2)
    assert b == pytest.approx(2 + 0.25 + 18 / 16, rel=1e-14)
    top = adversarial.doob_gamma_max(C, M=2, T=2)
    assert top == pytest.approx(con.gamma_max(C, M=2, T=2, form="paper"), rel=1e-14)
    assert math.isfinite(adversarial.doob_bound(top, C, K=8, M=2, T=2))
    assert adversarial.doob_bound(1.001 * top, C, K=8, M=2, T=2) == math.inf


@pytest.mark.parametrize(("T", "better"), [(1, False), (17, False), (19, True), (200, True)])
def test_doob_is_the_better_one_for_long_delays(T, better):
    g = adversarial.doob_gamma_max(C, M=1, T=T)
    doob = adversarial.doob_bound(g, C, K=10**6, M=1, T=T)
    robust = con.bound(g, C, K=10**6, M=1, T=T, form="robust")
    assert (doob < robust) == better


def test_sample_dependent():
    # M = 2, T = 2, K = 8, gamma = 1/64, L_sample = 1: 8 L M gamma = 1/8, 20 (1/16)^2 < 1;
    # 8/(16/64) + 4 * .5 * 4/64 + 10 * 2 * 4 * 4/4096.
    b = adversarial.sample_bound(1 / 64, C, L_sample=1.0, K=8, M=2, T=2)
    assert b == pytest.approx(32 + 0.125 + 320 / 4096, rel=1e-14)
    for L_sample, T, expected in ((1.0, 0, 1 / 8), (4.0, 3, 1 / (math.sqrt(20) * 24))):
        top = adversarial.sample_gamma_max(C, L_sample=L_sample, M=2, T=T)
        assert top == pytest.approx(expected, rel=1e-14)
        args = {"L_sample": L_sample, "K": 8, "M": 2, "T": T}
        assert math.isfinite(adversarial.sample_bound(top, C, **args))
        assert adversarial.sample_bound(1.001 * top, C, **args) == math.inf


def test_edges():
    still = ProblemConstants(0.0, 1.0, 1.0)
    assert adversarial.doob_bound(0.0, still, K=1, M=1, T=1) == 0
    assert adversarial.sample_bound(0.0, C, L_sample=1.0, K=1, M=1, T=1) == math.inf
    with pytest.raises(InvalidArgument, match=r"^L_sample must"):
        adversarial.sample_bound(0.1, C, L_sample=0.0, K=1, M=1, T=1)
    with pytest.raises(InvalidArgument, match=r"^K must"):
        adversarial.doob_bound(0.1, C, K=0, M=1, T=1)
