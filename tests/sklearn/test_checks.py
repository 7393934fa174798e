"""scikit-learn's own checks, all of them, of the estimators as they are by default and otherwise.

A minute or two on one idle core. Nothing is exempt and no tag is set but for sparse input.
"""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from asysg.sklearn import AsySGClassifier, AsySGRegressor

PENALTY = 1e-3

# What scikit-learn's checks say of estimators in general, its own included.
pytestmark = pytest.mark.filterwarnings("default")


@parametrize_with_checks(
    [
        AsySGClassifier(),
        AsySGClassifier("sigmoid", alpha=PENALTY, batch_size=4),
        AsySGClassifier("squared", method="asysg-con"),
        AsySGClassifier(method="asysg-incon", n_iter_no_change=2),
        AsySGRegressor(),
        AsySGRegressor(steplength="prescribed", max_iter=100),
        AsySGRegressor("welsch", alpha=PENALTY, scale=2.0),
        AsySGRegressor("cauchy", method="sync", tol=None, max_iter=30),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)
