"""Compiled functions that fail: what a run says of it, what it keeps, and checked calls."""

import sys

import numba
import numpy as np
import pytest
import scipy.sparse

import asysg
from asysg import ObjectiveError
from asysg.objectives import from_lowlevel, signature


@numba.cfunc(signature("numba"))
def raises(x, g, count, sample, user_data):
    if sample == 3 and x[0] != 0.0:
        raise ZeroDivisionError("three")
    g[sample] += 1.0 + x[sample]
    return 1


@numba.cfunc(signature("numba"))
def steep(x, g, count, sample, user_data):
    if x[0] < -50.0:
        return 7
    g[0] += 1.0
    return 1


@pytest.fixture
def unraisable(monkeypatch):
    """What numba writes of an exception, which nobody could catch."""
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", lambda one: seen.append(one.exc_value))
    return seen


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("method", ["asysg-incon", "asysg-con", "hogwild", "sync"])
def test_a_numba_function_that_raises_ends_the_run_with_the_sample_named(method, p, unraisable):
    f = from_lowlevel(raises, n=5, n_samples=5)
    run = {"method": method, "steplength": 0.1, "n_threads": p, "n_records": 1, "rng": 0}
    res = asysg.minimize(f, np.zeros(5), n_updates=100_000, **run)
    assert res.status == "failed"
    assert "gradient returned another value than 1" in res.message
    assert "at sample 3." in res.message
    assert np.isfinite(res.x).all()
    assert res.nit < 100_000
    assert res.staleness.histogram.sum() == res.nit
    with pytest.raises(ObjectiveError, match="at sample 3"):
        res.raise_if_failed()
    with pytest.raises(ObjectiveError, match="at sample 3"):
        f.gradient(np.ones(5))
    with pytest.raises(ObjectiveError, match="at sample 3"):
        asysg.minimize(f, np.ones(5), n_updates=10, **run)
    assert {str(one) for one in unraisable} == {"three"}


def test_a_failure_where_f_is_recorded_keeps_what_was_done():
    f = from_lowlevel(steep, n=1, n_samples=1)
    run = {"steplength": 1.0, "n_updates": 100, "n_threads": 1, "method": "hogwild"}
    seen = []
    res = asysg.minimize(f, [0.0], n_records=100, callback=seen.append, rng=0, **run)
    assert (res.status, res.nit) == ("failed", 51)
    assert "was to be evaluated after k = 51" in res.message
    assert res.x == [-51.0]
    assert len(seen) == 51
    assert not res.success


def fault(what):
    @numba.cfunc(signature("numba"))
    def gradient(x, g, count, sample, user_data):
        g[sample] += 1.0
        if sample == 2:
            if what == 0:
                g[sample] = np.nan
            elif what == 1:
                g[0] += 1.0
            elif what == 2:
                x[sample] = 5.0
            elif what == 3:
                g[sample] += x[0]
        return 1

    return gradient


FAULTS = (
    (0, "without storing a finite number, or read x outside of its support"),
    (1, "outside of its support"),
    (2, "wrote into x"),
    (3, "read x outside of its support"),
)


@pytest.mark.parametrize(("what", "why"), FAULTS)
def test_checked_calls_find_faults(what, why):
    support = scipy.sparse.eye_array(4, format="csr")
    options = {"n": 4, "n_samples": 4, "checked": True}
    f = from_lowlevel(fault(what), support=support, **options)
    assert f.gradient(np.zeros(4), 1).tolist() == [0, 1, 0, 0]
    with pytest.raises(ObjectiveError, match=f"{why} at sample 2"):
        f.gradient(np.zeros(4), 2)
    sound = from_lowlevel(fault(4), support=support, **options)
    assert sound.gradient(np.zeros(4)).tolist() == [0.25] * 4
    res = asysg.minimize(
        sound, np.zeros(4), steplength=0.1, n_updates=50, n_threads=1, method="hogwild", rng=0
    )
    assert res.success


def test_checked_values_and_partials_must_be_stored():
    @numba.cfunc(signature("numba"))
    def nothing(x, out, count, sample, user_data):
        return 1

    @numba.cfunc(signature("numba", "partial"))
    def nothing_either(x, out, count, sample, i, user_data):
        return 1

    f = from_lowlevel(
        fault(4), n=4, n_samples=4, value=nothing, partial=nothing_either, checked=True
    )
    with pytest.raises(ObjectiveError, match="value returned 1 without storing"):
        f.value(np.zeros(4), 1)
    with pytest.raises(ObjectiveError, match="partial returned 1 without storing"):
        f.partial(np.zeros(4), 1, 0)


def test_a_checked_run_that_diverges_has_not_failed():
    @numba.cfunc(signature("numba"))
    def explosive(x, g, count, sample, user_data):
        g[0] -= x[0] * 1e200
        return 1

    f = from_lowlevel(explosive, n=1, n_samples=1, checked=True)
    res = asysg.minimize(f, [1.0], steplength=1.0, n_updates=9, n_threads=1, method="hogwild")
    assert res.status in ("diverged", "failed")
    assert np.isfinite(res.x).all()
