"""scikit-learn's callbacks, which are new in its version 1.9."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.preprocessing import StandardScaler

from asysg.sklearn import AsySGClassifier, AsySGRegressor

callback = pytest.importorskip("sklearn.callback", reason="scikit-learn has no callbacks yet")

X, y = load_iris(return_X_y=True)
X = StandardScaler().fit_transform(X)


class Listener:
    """Write down every hook; stop at epoch `stop_at`."""

    def __init__(self, stop_at=None):
        self.stop_at, self.heard, self.scores = stop_at, [], []

    def setup(self, estimator, context):
        self.heard.append("setup")

    def teardown(self, estimator, context):
        self.heard.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.heard.append(("begin", context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context, *, X, y, metadata, fitted_estimator):
        self.heard.append(("end", context.task_name, context.task_id))
        assert metadata is None
        self.scores.append(fitted_estimator.score(X, y))
        return context.task_name == "epoch" and context.task_id + 1 == self.stop_at


def epochs(count, start=0):
    return [(say, "epoch", e) for e in range(start, count) for say in ("begin", "end")]


def test_every_epoch_is_a_task_of_the_fit():
    listener = Listener()
    found = AsySGRegressor(tol=None, max_iter=6, random_state=0).set_callbacks(listener)
    found.fit(X, y)
    fit = [("begin", "fit", 0), *epochs(6), ("end", "fit", 0)]
    assert listener.heard == ["setup", *fit, "teardown"]
    assert listener.scores[-1] == found.score(X, y) == listener.scores[-2]
    assert listener.scores[0] < listener.scores[-1]


def test_every_class_has_its_epochs():
    listener = Listener()
    AsySGClassifier(tol=None, max_iter=2, random_state=0).set_callbacks(listener).fit(X, y)
    classes = [
        task for c in range(3) for task in [("begin", "class", c), *epochs(2), ("end", "class", c)]
    ]
    fit = [("begin", "fit", 0), *classes, ("end", "fit", 0)]
    assert listener.heard == ["setup", *fit, "teardown"]


def test_a_callback_may_end_the_epochs():
    listener = Listener(stop_at=3)
    found = AsySGRegressor(random_state=0).set_callbacks(listener).fit(X, y)
    assert found.n_iter_ == 3
    assert found.result_.status == "stopped"
    assert [h for h in listener.heard if "epoch" in h] == epochs(3)


def test_stages_share_the_epochs_of_a_fit():
    """Every task that begins ends, but for the epoch that a stop of the run made needless."""
    listener = Listener()
    found = AsySGRegressor(random_state=0).set_callbacks(listener).fit(X, y)
    assert len(found.results_[0]) > 1
    assert [h for h in listener.heard if "epoch" in h] == epochs(found.n_iter_)


def test_failing_fits_tear_down():
    listener = Listener()
    found = AsySGRegressor(steplength=1e6, random_state=0).set_callbacks(listener)
    with pytest.raises(ArithmeticError):
        found.fit(X, y)
    assert listener.heard[-1] == "teardown"


def test_listening_changes_no_bit():
    quiet = AsySGClassifier(tol=None, max_iter=8, random_state=0).fit(X, y)
    heard = AsySGClassifier(tol=None, max_iter=8, random_state=0).set_callbacks(Listener())
    np.testing.assert_array_equal(quiet.coef_, heard.fit(X, y).coef_)


def test_scikit_learns_own_monitor():
    monitor = callback.ScoringMonitor(scoring="r2")
    model = AsySGRegressor(tol=None, max_iter=4, random_state=0)
    model.set_callbacks(monitor).fit(X, y, np.ones(len(y)))
    scores = [row["r2"] for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(scores) == 4
    assert scores[-1] == model.score(X, y)
