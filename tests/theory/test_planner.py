"""Predicted times: hand values, limits, scaling laws, orderings, and the theorems behind them."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from asysg.theory import InvalidArgument, ProblemConstants, baselines, con, planner
from asysg.theory.planner import METHODS, orders, predict

C = ProblemConstants(gap=1.0, sigma=1.0, L=1.0)
ASYNCHRONOUS = METHODS[1:]
every = pytest.mark.parametrize("method", METHODS)
asynchronous = pytest.mark.parametrize("method", ASYNCHRONOUS)

size = st.floats(-2, 2).map(lambda e: 10.0**e)
small = st.floats(-3, 0).map(lambda e: 10.0**e)
pace = st.floats(-1, 2).map(lambda e: 10.0**e)
constants = st.builds(ProblemConstants, gap=size, sigma=st.one_of(st.just(0.0), size), L=size)
crews = st.lists(pace, min_size=1, max_size=6)
servers = st.one_of(st.just(0.0), pace)


def test_synchronous_by_hand():
    # B = 4, e = .1 + 1/4: y = .1/.35, K = 2 * .35/.01 = 70 rounds of 100 seconds.
    found = predict("sync", C, eps=0.1, seconds=[1, 1, 1, 100])
    assert (found.seconds, found.updates, found.workers, found.T) == (7000.0, 70, 4, 0)
    assert found.gamma == pytest.approx(0.1 / 0.35 / 4, rel=1e-15)
    # Three workers: K = 200 (.1 + 1/3) = 86.67.
    found = predict("sync", C, eps=0.1, seconds=[100, 1, 1, 1], fastest=True)
    assert (found.seconds, found.updates, found.workers) == (87.0, 87, 3)
    # The server takes each of four messages in turn, M = 1: rounds of 1 + 4 * .01 seconds.
    found = predict("sync", C, eps=0.1, seconds=[1, 1, 1, 1], server=0.01)
    assert found.seconds == pytest.approx(70 * 1.04)
    assert found.batch_size == 1


def test_asysg_con_by_hand():
    # Without noise, T = 1, rho = 0: K >= 2/(.1 y (2 - y - y^2)), whose least is at
    # 2 - 2y - 3y^2 = 0: y = (sqrt 7 - 1)/3.
    quiet = ProblemConstants(1.0, 0.0, 1.0)
    y = (math.sqrt(7) - 1) / 3
    found = predict("asysg-con", quiet, eps=0.01, seconds=[2.0, 2.0])
    assert found.T == 1
    assert found.gamma == pytest.approx(y, rel=1e-12)
    assert found.updates == math.ceil(200 / (y * (2 - y - y * y))) == 317
    assert found.seconds == 318.0  # 159 each


def test_updates_of_fixed_speeds_by_hand():
    # 1, 1, 2: three deliver at 2, 4, ..., two between: 5 in 2 seconds.
    times = [planner.time_of_updates(K, [2.0, 1.0, 1.0]) for K in range(1, 11)]
    assert times == [1, 1, 2, 2, 2, 3, 3, 4, 4, 4]
    assert planner.time_of_updates(3, [0.1]) == pytest.approx(0.3, rel=1e-15)
    assert planner.time_of_updates(10**12, [1.0, 0.5]) == pytest.approx(1e12 / 3, rel=1e-11)
    # The slow one's delay may be 6: with max_delay = 2 two alone are sure.
    assert planner.time_of_updates(7, [1.0, 1.0, 2.0], max_delay=2) == 4.0
    assert planner.time_of_updates(7, [1.0, 1.0, 2.0], max_delay=6) == 3.0
    # Nobody is sure. One update in any 2 seconds: the fastest's gradient that begins in them.
    assert planner.time_of_updates(7, [1.0, 4.0], max_delay=0) == 14.0


def test_delays_of_fixed_speeds_by_hand():
    assert planner.largest_delay([3.0] * 8) == 7
    assert planner.largest_delay([5.0]) == 0
    assert planner.largest_delay([1.0, 1.0, 2.5]) == 6
    assert planner.largest_delay([1.0, 1.0, math.inf]) == 1
    # A server that is as slow as the fast worker lets it deliver half as often.
    assert planner.largest_delay([1.0, 4.0], server=1.0) == 3
    assert planner.largest_delay([1.0, 4.0]) == 5
    # Messages of ten gradients make the server's time matter less: 1 + 40/11.
    assert planner.largest_delay([1.0, 4.0], server=1.0, M=10) == 4


@every
def test_one_worker_is_serial(method):
    for c in (C, ProblemConstants(2.0, 0.0, 3.0)):
        found = predict(method, c, eps=0.01, seconds=[0.5])
        K = math.ceil(2 * c.L * c.gap * (0.01 + c.sigma**2) / 0.01**2 * (1 - 1e-14))
        assert (found.updates, found.seconds, found.T) == (K, 0.5 * K, 0)
        assert baselines.serial_bound(found.gamma, c, K=K) <= 0.01 * (1 + 1e-12)


@every
def test_nothing_to_gain_takes_one_update(method):
    start = ProblemConstants(0.0, 1.0, 1.0)
    found = predict(method, start, eps=0.01, seconds=[1.0, 1.0, 3.0])
    assert found.updates == 1
    assert found.seconds == (3.0 if method == "sync" else 1.0)


@asynchronous
def test_one_that_never_delivers_might_as_well_not_be_there(method):
    those = [1.0, 2.0, 3.0]
    for eps in (0.1, 0.003):
        wanted = predict(method, C, eps=eps, seconds=those)
        for slow in (math.inf, 1e30):
            found = predict(method, C, eps=eps, seconds=[slow, *those])
            assert found.note.endswith("only the 3 fastest deliver before the end")
            assert found == dataclasses.replace(wanted, workers=4, note=found.note)
            assert predict(method, C, eps=eps, seconds=[slow, *those], fastest=True) == predict(
                method, C, eps=eps, seconds=those, fastest=True
            )


def test_a_barrier_waits_for_ever():
    assert predict("sync", C, eps=0.1, seconds=[1.0, math.inf]).seconds == math.inf
    assert predict("sync", C, eps=0.1, seconds=[1.0, math.inf], fastest=True).workers == 1
    by = {order.method: order.seconds for order in orders(C, eps=0.1, seconds=[1.0, math.inf])}
    assert by["sync"] == by["asysg-con"] == math.inf
    assert by["threshold"] == 110.0 < by["delay-adaptive"] < math.inf


def test_equal_workers_nearly_tie_under_noise():
    for p in (2, 8, 32):
        sync, *others = [predict(m, C, eps=1e-3, seconds=[1.0] * p).seconds for m in METHODS]
        assert all(0.99 * sync <= other <= 1.05 * sync for other in others)
        # p workers are p times as fast as one.
        serial = predict("sync", C, eps=1e-3, seconds=[1.0]).seconds
        assert sync == pytest.approx(serial / p, rel=0.05)


def test_without_noise_workers_do_not_help():
    quiet = ProblemConstants(1.0, 0.0, 1.0)
    one = predict("sync", quiet, eps=1e-3, seconds=[1.0]).seconds
    for p in (8, 64):
        for method in METHODS:
            assert one / 2 <= predict(method, quiet, eps=1e-3, seconds=[1.0] * p).seconds


def test_one_worker_a_thousand_times_slower():
    slow = [1.0] * 7 + [1000.0]
    by = {method: predict(method, C, eps=0.01, seconds=slow) for method in METHODS}
    assert by["sync"].seconds > 10 * by["asysg-con"].seconds
    for method in ("schedule-aware", "threshold", "delay-adaptive"):
        assert by["asysg-con"].seconds > 10 * by[method].seconds
    # Seven workers without it are as good as it gets, and that is what a threshold makes of them.
    best = predict("threshold", C, eps=0.01, seconds=slow, fastest=True)
    assert best.workers == 7
    assert dataclasses.replace(by["threshold"], workers=7) == best
    assert by["asysg-con"].T == by["delay-adaptive"].T == 7007
    assert by["threshold"].T == 6


def theorem(found, c, p):
    """Return the value of the bound that the prediction refers to."""
    g, K, M, T = found.gamma, found.updates, found.batch_size, found.T
    if found.method == "sync":
        return baselines.synchronous_bound(g, c, K=K, M=M, P=p)
    if found.reference == planner.SERIAL:
        return baselines.serial_bound(g, c, K=K, M=M)
    if found.reference == planner.PLUS:
        return con.bound(g, c, K=K, M=M, T=T)
    if found.reference == planner.FRESH:
        return planner.fresh_read_bound(g, c, K=K, M=M, T=T)
    return None


@every
@given(c=constants, share=small, seconds=crews, server=servers)
def test_the_theorem_gives_the_target_and_not_a_little_sooner(method, c, share, seconds, server):
    eps = share * 2 * c.L * c.gap
    found = predict(method, c, eps=eps, seconds=seconds, server=server, fastest=True)
    p = found.workers
    value = theorem(found, c, p)
    if value is not None:
        assert value <= eps * (1 + 1e-9)
    if found.updates > 1 and method == "sync":
        K, M = found.updates - 1, found.batch_size
        g = baselines.synchronous_gamma_opt(c, K=K, M=M, P=p)
        assert baselines.synchronous_bound(g, c, K=K, M=M, P=p) > eps * (1 - 1e-9)
    if found.reference == planner.PLUS:
        K, M, T = found.updates, found.batch_size, found.T
        if K > 1:
            g = con.gamma_opt(c, K=K - 1, M=M, T=T)
            assert con.bound(g, c, K=K - 1, M=M, T=T) > eps * (1 - 1e-9)
    if found.reference == planner.FRESH and found.updates > 1:
        own = {"K": found.updates - 1, "M": found.batch_size, "T": found.T}
        for factor in np.geomspace(0.5, 2, 41):
            assert planner.fresh_read_bound(factor * found.gamma, c, **own) > eps * (1 - 1e-9)


def test_fresh_reads():
    # y = .5, T = 2, rho = 1/2: s = 1.5 * 4/4 = 1.5 fails; y = .25: a = .25, s = .375,
    # N = 1.5 * 2/16: (2/(10/4) + 1.2 (1/4 + 3/16))/(2 - .625).
    one = {"K": 10, "M": 1, "T": 2}
    assert planner.fresh_read_bound(0.5, C, **one) == math.inf
    value = planner.fresh_read_bound(0.25, C, **one)
    assert value == pytest.approx((0.8 + 1.2 * 0.4375) / 1.375, rel=1e-14)
    # By the schedule, C = 3 and tau_avg = 1: s = 6/16, N = 2/16.
    profile = baselines.DelayProfile(2, 1.0, 2.0, 3.0)
    value = planner.fresh_read_bound(0.25, C, profile=profile, **one)
    assert value == pytest.approx((0.8 + 1.2 * 0.375) / 1.375, rel=1e-14)
    # (M gamma, sigma^2/M) is all that matters, and without delays it is the serial bound.
    four = ProblemConstants(1.0, 2.0, 1.0)
    assert planner.fresh_read_bound(0.25 / 4, four, K=10, M=4, T=2) == pytest.approx(
        planner.fresh_read_bound(0.25, C, **one), rel=1e-14
    )
    assert planner.fresh_read_bound(0.3, C, K=7, M=2, T=0) == baselines.serial_bound(
        0.3, C, K=7, M=2
    )
    assert planner.fresh_read_bound(0.0, C, K=7, M=2, T=1) == math.inf


@every
@pytest.mark.parametrize("fastest", [False, True])
@settings(max_examples=25)
@given(c=constants, share=small, seconds=crews, server=servers, factor=st.floats(1, 100))
def test_a_harder_problem_takes_longer(method, fastest, c, share, seconds, server, factor):
    eps = share * 2 * c.L * c.gap
    how = {"seconds": seconds, "server": server, "fastest": fastest}
    time = predict(method, c, eps=eps, **how).seconds
    harder = [
        (c, eps / factor),
        (dataclasses.replace(c, gap=c.gap * factor), eps),
        (dataclasses.replace(c, sigma=c.sigma * factor), eps),
    ]
    # A step that adapts is searched for: it is the best but for so much.
    slack = 1e-3 if method == "delay-adaptive" else 1e-9
    for other, target in harder:
        least = max(seconds) if method == "delay-adaptive" else 0
        later = predict(method, other, eps=target, **how).seconds
        assert later >= time * (1 - slack) - least


@every
@settings(max_examples=25)
@given(c=constants, share=small, seconds=crews, server=servers)
def test_units_do_not_matter(method, c, share, seconds, server):
    eps = share * 2 * c.L * c.gap
    found = predict(method, c, eps=eps, seconds=seconds, server=server)
    # f in other units; x in other units; time in other units.
    for fu, xu, tu in ((4.0, 1.0, 1.0), (1.0, 4.0, 1.0), (1.0, 1.0, 4.0)):
        other = predict(
            method,
            ProblemConstants(c.gap * fu, c.sigma * fu / xu, c.L * fu / xu**2),
            eps=eps * fu**2 / xu**2,
            seconds=[tu * t for t in seconds],
            server=tu * server,
        )
        assert other == dataclasses.replace(
            found, seconds=tu * found.seconds, gamma=found.gamma * xu**2 / fu
        )


@settings(max_examples=25)
@given(c=constants, share=small, seconds=crews, server=servers)
def test_more_freedom_takes_no_longer(c, share, seconds, server):
    eps = share * 2 * c.L * c.gap
    how = {"eps": eps, "seconds": seconds, "server": server}
    all_of_them = {m: predict(m, c, **how) for m in METHODS}
    best = {m: predict(m, c, **how, fastest=True) for m in METHODS}
    for m in METHODS:
        assert best[m].seconds <= all_of_them[m].seconds
        assert all_of_them[m].workers == len(seconds)
        assert predict(m, c, **how | {"seconds": seconds[::-1]}) == all_of_them[m]
    for found in (all_of_them, best):
        assert found["threshold"].seconds <= found["asysg-con"].seconds
    if server == 0:
        assert {found.batch_size for found in best.values()} == {1}


@given(seconds=crews, K=st.integers(1, 300), which=st.integers(0, 5), factor=st.floats(1, 50))
def test_a_slower_worker_delays_everybody(seconds, K, which, factor):
    slower = list(seconds)
    slower[which % len(seconds)] *= factor
    assert planner.time_of_updates(K, slower) >= planner.time_of_updates(K, seconds) * (1 - 1e-12)
    assert planner.time_of_updates(K + 1, seconds) >= planner.time_of_updates(K, seconds)
    for fastest in (False, True):
        times = [
            predict("sync", C, eps=0.1, seconds=s, fastest=fastest).seconds
            for s in (seconds, slower)
        ]
        assert times[0] <= times[1]
    before, after = orders(C, eps=0.1, seconds=seconds), orders(C, eps=0.1, seconds=slower)
    for a, b in zip(before, after, strict=True):
        if a.method != "asysg-con":  # whose largest delay a faster worker makes larger
            assert a.seconds <= b.seconds * (1 + 1e-12)


@given(seconds=crews, K=st.integers(1, 300))
def test_time_of_updates_is_the_first(seconds, K):
    deliveries = np.concatenate([t * np.arange(1, K + 1) for t in seconds])
    assert planner.time_of_updates(K, seconds) == pytest.approx(
        np.sort(deliveries)[K - 1], rel=1e-12
    )


def test_orders_by_hand():
    # a = 10, b = 100; H(4) = 4/(3.01), T = 303, H(3) = 1.
    found = {o.method: o for o in orders(C, eps=0.1, seconds=[1.0, 100.0, 1.0, 1.0])}
    assert found["sync"].seconds == pytest.approx(100 * (10 + 25))
    assert found["asysg-con"].seconds == pytest.approx((10 * (1 + math.sqrt(909)) + 100) / 3.01)
    assert found["delay-adaptive"].seconds == pytest.approx(140 / 3.01)
    assert found["threshold"].seconds == pytest.approx(10 + 100 / 3)
    assert found["threshold"].workers == 3
    assert found["lower bound"].seconds == found["threshold"].seconds
    assert all(order.formula and "arXiv" in order.reference for order in found.values())


@given(c=constants, share=small, seconds=crews)
def test_orders_are_ordered(c, share, seconds):
    eps = share * 2 * c.L * c.gap
    by = {o.method: o.seconds for o in orders(c, eps=eps, seconds=seconds)}
    slack = 1 + 1e-12
    assert by["lower bound"] == by["threshold"] <= by["delay-adaptive"] * slack
    assert by["delay-adaptive"] <= by["sync"] * slack
    equal = {o.method: o.seconds for o in orders(c, eps=eps, seconds=[2.0] * len(seconds))}
    assert equal["sync"] == pytest.approx(equal["delay-adaptive"])
    if len(seconds) == 1:
        assert by["sync"] == pytest.approx(by["asysg-con"]) == pytest.approx(by["threshold"])


@given(c=constants, share=small, seconds=crews)
def test_no_guarantee_is_below_the_lower_bound(c, share, seconds):
    """Orders of whatever constant: ours are at most 20 times the lower bound and at least it."""
    eps = share * 2 * c.L * c.gap
    least = orders(c, eps=eps, seconds=seconds)[-1].seconds
    best = min(predict(m, c, eps=eps, seconds=seconds, fastest=True).seconds for m in METHODS)
    assume(best > 4 * min(seconds))
    assert least <= best <= 20 * least


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"method": "fly"}, "method must be one of"),
        ({"c": None}, "c must be"),
        ({"eps": 0.0}, "eps must be"),
        ({"eps": math.nan}, "eps must be"),
        ({"eps": 1e-320}, "eps must be large enough"),
        ({"seconds": []}, "seconds must be"),
        ({"seconds": [1.0, 0.0]}, "seconds must be"),
        ({"seconds": [1.0, math.nan]}, "seconds must be"),
        ({"seconds": [[1.0]]}, "seconds must be"),
        ({"seconds": ["a"]}, "seconds must be"),
        ({"seconds": [[1.0], 2.0]}, "seconds must be"),
        ({"seconds": [math.inf]}, "seconds must hold a finite"),
        ({"server": -1.0}, "server must be"),
        ({"server": math.inf}, "server must be"),
    ],
)
def test_refusals(change, says):
    given = {"method": "asysg-con", "c": C, "eps": 0.1, "seconds": [1.0, 2.0], **change}
    with pytest.raises(InvalidArgument, match=rf"^{says}"):
        predict(given.pop("method"), given.pop("c"), **given)


@pytest.mark.parametrize(
    "call",
    [
        lambda: orders(C, eps=-1.0, seconds=[1.0]),
        lambda: orders(None, eps=1.0, seconds=[1.0]),
        lambda: planner.time_of_updates(0, [1.0]),
        lambda: planner.time_of_updates(1, [1.0], max_delay=-1),
        lambda: planner.largest_delay([1.0], M=0),
        lambda: planner.fresh_read_bound(-0.1, C, K=1, M=1, T=0),
    ],
)
def test_other_refusals(call):
    with pytest.raises(InvalidArgument):
        call()
