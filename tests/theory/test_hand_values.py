"""Numbers worked out from the formulas by hand (the arithmetic is in the comments)."""

import math

import numpy as np
import pytest

from asysg import theory
from asysg.theory import ProblemConstants, con, incon

# gap 2, sigma 1, L 1/2; M 2, T 2, K 8, gamma 1/8: a = 1/8, s = (1/2 * 2 * 2 / 8)^2 = 1/16,
# R0 = 4/(8 * 2 / 8) + 1/16 = 2.0625, N = 1/4 * 2 * 2 / 64 = 1/64, rho = sqrt(1/4) = 1/2.
C = ProblemConstants(gap=2.0, sigma=1.0, L=0.5)
CON = {
    "paper": 2.0625 + 2 / 64,
    "plus": 2.0625 + 1.5 / 64,
    "constant_delay": 2.0625 + 1 / 64,
    "uniform": (2.0625 + 1 / 64) / (2 - 1 / 8 - 1 / 16),
    "robust": 2.0625 + 2 / 64,
}

# gap 1, sigma 2, n 16, L_max 1, L_T 2; M 4, T 2, K 512, gamma 1/32: a = 1/8,
# s = (2 * 4 / 32)^2 * 2 * 17 / 256 = 34/4096, R0 = 32/(512 * 4 / 32) + 4/32 = 0.625,
# N = 4 * 4 * 2 * 4 / (1024 * 16) = 1/128.
INC = ProblemConstants(gap=1.0, sigma=2.0, L=2.0, n=16, L_max=1.0, L_T=2.0)
INCON = {
    "paper": 0.625 + 2 / 128,
    "plus": 0.625 + 1.5 / 128,
    "constant_delay": 0.625 + 1 / 128,
    "uniform": (0.625 + 1 / 128) / (2 - 1 / 8 - 34 / 4096),
    "robust": 0.625 + 2 / 128,
}


@pytest.mark.parametrize("form", CON)
def test_con_bound(form):
    assert con.bound(1 / 8, C, K=8, M=2, T=2, form=form) == pytest.approx(CON[form], rel=1e-15)


@pytest.mark.parametrize("form", INCON)
def test_incon_bound(form):
    found = incon.bound(1 / 32, INC, K=512, M=4, T=2, form=form)
    assert found == pytest.approx(INCON[form], rel=1e-15)


def test_con_gamma_max():
    # M L = 1, so gamma_max is the positive root of g + r2 g^2 = 1 with r2 = 8, 6, 4, 4, 4.
    for form, r2 in {
        "paper": 8,
        "plus": 6,
        "constant_delay": 4,
        "uniform": 4,
        "sharp": 4,
        "robust": 4,
    }.items():
        root = (math.sqrt(1 + 4 * r2) - 1) / (2 * r2)
        assert con.gamma_max(C, M=2, T=2, form=form) == pytest.approx(root, rel=1e-14)


def test_incon_gamma_max():
    # M L_max = 4; (M L_T)^2 = 64. T = 2, n = 16: T (n + T - 1)/n^2 = 34/256.
    s = 64 * 34 / 256
    sw, sg = 64 * 30 / 256, 64 * 4 / 256
    young = 2 * 64 * 2 * (4 + 1) / 64
    for form, r2 in {
        "paper": young,
        "plus": 1.5 * s,
        "constant_delay": s,
        "uniform": s,
        "sharp": sw + math.sqrt(sw * sg) + sg,
        "robust": 64 * 4 / 16,
    }.items():
        root = (math.sqrt(16 + 4 * r2) - 4) / (2 * r2)
        assert incon.gamma_max(INC, M=4, T=2, form=form) == pytest.approx(root, rel=1e-14)


def test_con_corollaries():
    # Corollary 2: sqrt(2/(0.5 * 2 * 800)) = 0.05; K_min = 4 * 2 * 0.5 * 2 * 9 = 72;
    # rate = 4 sqrt(2 * 0.5/(2 * 800)) = 0.1.
    assert con.gamma_prescribed(C, K=800, M=2, T=2) == pytest.approx(0.05, rel=1e-15)
    assert con.K_min(C, M=2, T=2) == 72
    assert con.T_max(C, K=72, M=2) == 2
    assert con.T_max(C, K=71, M=2) == 1
    assert con.T_max(C, K=7, M=2) == -1
    assert con.workers_max(C, K=72, M=2) == 3
    assert con.workers_max(C, K=7, M=2) == 0
    assert con.rate(C, K=800, M=2) == pytest.approx(0.1, rel=1e-14)
    assert con.rate_proven(C, K=800, M=2, T=2) == pytest.approx((3 + 2 / 3) / 40, rel=1e-14)
    # Corollary P: steplength sqrt(2) larger; K_min = 4 max{3, 1.5 * 2}^2 = 36, T = 3:
    # 4 max{4, (1 + sqrt(1/3)) 3}^2 = 4 * (3 + sqrt 3)^2 = 89.57; constant delay 4 * 16.
    assert con.gamma_prescribed(C, K=400, M=2, T=2, form="plus") == pytest.approx(0.1, rel=1e-15)
    assert con.K_min(C, M=2, T=2, form="plus") == 36
    assert con.K_min(C, M=2, T=3, form="plus") == 90
    assert con.K_min(C, M=2, T=3, form="sharp") == 90
    assert con.K_min(C, M=2, T=3, form="constant_delay") == 64
    assert con.K_min(C, M=2, T=3, form="uniform") == 64
    assert con.rate(C, K=800, M=2, form="plus") == pytest.approx(3 * math.sqrt(2) / 40, rel=1e-14)
    # Corollary R: 4 max{2, T^2}^2.
    assert con.K_min(C, M=2, T=1, form="robust") == 16
    assert con.K_min(C, M=2, T=3, form="robust") == 4 * 81


def test_incon_corollaries():
    # Corollary 4: sqrt(2 * 16/(2 * 4 * 100 * 4)) = 0.1;
    # K_min = 16 * 2 * 4 (64 + 16)/(4 * 4) = 640; rate = sqrt(72 * 2 * 16/400) * 2 = 4.8.
    assert incon.gamma_prescribed(INC, K=100, M=4, T=2) == pytest.approx(0.1, rel=1e-15)
    assert incon.K_min(INC, M=4, T=2) == 640
    assert incon.T_max(INC, K=640, M=4) == 2
    assert incon.T_max(INC, K=639, M=4) == 1
    assert incon.rate(INC, K=100, M=4) == pytest.approx(4.8, rel=1e-14)
    x = math.sqrt(16 * 2 / 400) * 2
    proven = (math.sqrt(2) * 1.5 + 0.5) * x
    assert incon.rate_proven(INC, K=100, M=4, T=2) == pytest.approx(proven, rel=1e-14)
    assert incon.rate_proven(INC, K=100, M=4, T=0) == pytest.approx(proven - x / 2, rel=1e-14)
    # Corollary P: (2 * 16 * 4/4) max{33/16, 1.5 * 4 * 2/16}^2 = 32 * 33^2/256 = 136.125.
    assert incon.K_min(INC, M=4, T=2, form="plus") == 137
    # T = 16: max{47/16, (1 + sqrt(15/32)) 4} = 6.7386; 32 * 45.409 = 1453.1
    assert incon.K_min(INC, M=4, T=16, form="plus") == 1454
    # constant delay, T = 16: 32 * 4^2; robust: 32 * (4 * 256/16)^2
    assert incon.K_min(INC, M=4, T=16, form="uniform") == 512
    assert incon.K_min(INC, M=4, T=16, form="robust") == 32 * 64 * 64
    assert incon.rate(INC, K=100, M=4, form="robust") == pytest.approx(
        3 * math.sqrt(2) * math.sqrt(16 / 400) * 2, rel=1e-14
    )


def test_gamma_opt():
    # con, M = 1, T = 1, K = 64: c1 = 4/64, c2 = 1/2, c3 = 1/4 (rho = 0): the root of
    # g^3/2 + g^2/2 = 1/16; g = 0.308... found here by bisection.
    low, high = 0.0, 1.0
    for _ in range(100):
        g = (low + high) / 2
        low, high = (g, high) if g**3 / 2 + g**2 / 2 < 1 / 16 else (low, g)
    assert con.gamma_opt(C, K=64, M=1, T=1) == pytest.approx(low, rel=1e-12)
    # T = 0, uniform: 2 c1/(c1 M l + sqrt((c1 M l)^2 + 4 c1 c2)), c1 = 4/64, M l = c2 = 1/2.
    closed = 2 / 16 / (1 / 32 + math.sqrt(1 / 1024 + 4 / 32))
    assert con.gamma_opt(C, K=64, M=1, T=0, form="uniform") == pytest.approx(closed, rel=1e-12)


def test_sharp_with_constant_first_function():
    # T = 0: R0/(2 - a) = (4/(8/8) + 1/16)/(2 - 1/16) for K = 8, M = 1, gamma = 1/8.
    expected = (4 + 1 / 16) / (2 - 1 / 16)
    found = con.bound(1 / 8, C, K=8, M=1, T=0, form="sharp")
    assert found == pytest.approx(expected, rel=1e-14)


def test_schedule():
    # con, M = 1, T = 1, L = 1/2, sigma = 1, gap = 2, gamma = (1, 1/2, 1/4):
    # conditions .5 + 2 * .25 * .5 = .75, .25 + 2 * .25 * .125 = .3125, .125;
    # noise .5 (1 + .25 + .0625) + 2 * .25 (.5 * 1 + .25 * .25) = .65625 + .28125.
    gamma = np.array([1.0, 0.5, 0.25])
    assert con.admissible(gamma, C, M=1, T=1, form="paper")
    expected = (4 + 0.65625 + 0.28125) / 1.75
    assert con.bound(gamma, C, K=3, M=1, T=1, form="paper") == pytest.approx(expected, rel=1e-15)
    cert = theory.certify(C, algorithm="con", gamma=gamma, K=3, M=1, T=1, form="paper")
    assert cert.hypotheses[0].slack == pytest.approx(0.25, rel=1e-15)


def test_linear_speedup_range_grows_like_the_root_of_K():
    # con: T_max = floor(sqrt(K sigma^2/(4 M L gap))) - 1 = floor(sqrt(K/8)) - 1 for M = 2;
    # incon: 8 (64 + 4 T^2) <= K, so floor(sqrt(K/32 - 16)) for M = 4.
    for K in (10**4, 10**6, 10**8, 10**10):
        assert con.workers_max(C, K=K, M=2) == math.isqrt(K // 8)
        assert incon.T_max(INC, K=K, M=4) == math.isqrt(K // 32 - 16)
        ratio = con.workers_max(C, K=100 * K, M=2, form="plus") / con.workers_max(
            C, K=K, M=2, form="plus"
        )
        assert ratio == pytest.approx(10, rel=0.05)
