"""How a model comes about: stages, ends of runs, threads, certificates, going on."""

import pickle
import signal

import joblib
import numpy as np
import pytest
import scipy.sparse
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.preprocessing import StandardScaler

import asysg
from asysg import DivergenceError, InvalidArgument
from asysg._core.openmp import openmp_version
from asysg._run import Interrupts
from asysg.sklearn import AsySGClassifier, AsySGRegressor
from asysg.sklearn._training import SHRINK, updates_per_epoch

THREADS = 2 if openmp_version() else 1
STRONG = 10.0


def scaled(load):
    X, y = load(return_X_y=True)
    return StandardScaler().fit_transform(X), y


CANCER, IRIS, DIABETES = scaled(load_breast_cancer), scaled(load_iris), scaled(load_diabetes)


@pytest.mark.parametrize(
    ("loss", "data"),
    [
        *((loss, CANCER) for loss in ("logistic", "sigmoid", "squared", "welsch")),
        # One against the rest does not suit squares where a class lies between others.
        *((loss, IRIS) for loss in ("logistic", "sigmoid")),
    ],
)
def test_classifiers_are_about_as_good_as_logistic_regression(loss, data):
    X, y = data
    reference = LogisticRegression(max_iter=1000).fit(X, y).score(X, y)
    worse = 0.02 if loss in ("logistic", "sigmoid") else 0.05  # squares suit regression
    assert AsySGClassifier(loss, random_state=0).fit(X, y).score(X, y) >= reference - worse


@pytest.mark.parametrize("method", ["hogwild", "asysg-con", "asysg-incon", "asyscd", "sync"])
def test_least_squares_come_near_the_solution(method):
    X, y = DIABETES
    reference = LinearRegression().fit(X, y)
    found = AsySGRegressor(method=method, tol=1e-5, random_state=0).fit(X, y)
    assert found.score(X, y) >= reference.score(X, y) - 0.005
    assert found.intercept_[0] == pytest.approx(reference.intercept_, rel=0.01)


def test_robust_losses_pass_over_outliers():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 5))
    truth = np.arange(1.0, 6.0)
    y = X @ truth + 3.0 + 0.1 * rng.standard_normal(400)
    y[:60] += 100.0
    plain = AsySGRegressor(random_state=0).fit(X, y)
    for loss in ("welsch", "geman"):
        robust = AsySGRegressor(loss, random_state=0).fit(X, y)
        assert np.abs(robust.coef_ - truth).max() < 0.1 < np.abs(plain.coef_ - truth).max()
        assert robust.intercept_[0] == pytest.approx(3.0, abs=0.1)
        assert robust.scale_ > 0
    assert not hasattr(plain, "scale_")


def test_auto_quarters_its_steplength_stage_by_stage():
    found = AsySGRegressor(random_state=0).fit(*DIABETES)
    (stages,) = found.results_
    steps = np.array([stage.steplength for stage in stages])
    assert len(steps) >= 2
    np.testing.assert_allclose(steps[:-1] / steps[1:], SHRINK)
    assert found.result_ is stages[-1]
    np.testing.assert_array_equal(stages[-1].x, [*found.coef_, *found.intercept_])
    assert found.n_iter_ == sum(max(1, stage.nit // len(DIABETES[1])) for stage in stages)
    assert found.n_iter_ < found.max_iter


def test_without_tol_all_epochs_are_done():
    found = AsySGRegressor(tol=None, max_iter=20, random_state=0).fit(*DIABETES)
    (stages,) = found.results_
    assert [stage.nit // 442 for stage in stages] == [10, 5, 3, 1, 1]
    assert all(stage.success for stage in stages)
    assert found.n_iter_ == 20


@pytest.mark.parametrize("steplength", ["prescribed", "optimal", "delay-adaptive"])
def test_steplengths_of_the_theory_bring_a_certificate(steplength):
    method = "asysg-con" if steplength == "delay-adaptive" else "hogwild"
    found = AsySGClassifier(
        steplength=steplength, method=method, max_iter=30, n_jobs=THREADS, random_state=0
    ).fit(*CANCER)
    result = found.result_
    assert result.nit == 30 * 569
    assert result.certificate.measured <= result.certificate.bound
    assert not result.certificate.constants.estimated
    (only,) = found.results_
    assert only == [result]


def test_of_least_squares_the_certificate_says_estimated():
    found = AsySGRegressor(steplength="prescribed", max_iter=30, random_state=0).fit(*DIABETES)
    certificate = found.result_.certificate
    assert certificate.constants.estimated
    assert certificate.measured <= certificate.bound


def test_several_threads_share_a_run_and_keep_to_the_delay():
    found = AsySGClassifier(n_jobs=THREADS, random_state=0).fit(*CANCER)
    for result in found.results_[0]:
        assert result.n_threads_used == THREADS
        assert result.staleness.max <= (result.max_delay or 0)
    given = AsySGClassifier(n_jobs=THREADS, max_delay=3, max_iter=2, tol=None, random_state=0)
    assert given.fit(*CANCER).result_.staleness.max <= 3


def test_jobs_mean_what_they_mean_in_scikit_learn():
    few = {"max_iter": 1, "tol": None, "random_state": 0}
    assert AsySGClassifier(**few).fit(*CANCER).result_.n_threads_used == 1
    with joblib.parallel_config(n_jobs=THREADS):
        assert AsySGClassifier(**few).fit(*CANCER).result_.n_threads_used == THREADS


def test_an_epoch_looks_at_every_entry_once():
    obj = asysg.objectives.LeastSquares(np.ones((10, 3)), np.ones(10))
    expected = {"hogwild": (10, 4), "asysg-con": (10, 4), "asysg-incon": (30, 12), "asyscd": (3, 3)}
    for method, (one, three) in expected.items():
        assert (updates_per_epoch(obj, method, 1), updates_per_epoch(obj, method, 3)) == (
            one,
            three,
        )


def test_epochs_that_run_out_are_told():
    with pytest.warns(ConvergenceWarning, match="max_iter = 2 epochs"):
        AsySGClassifier(max_iter=2, random_state=0).fit(*CANCER)
    with pytest.warns(ConvergenceWarning, match="max_iter = 2 epochs"):
        AsySGClassifier(max_iter=2, steplength=1e-3, random_state=0).fit(*CANCER)


def test_a_number_is_a_constant_steplength():
    found = AsySGClassifier(steplength=1e-3, random_state=0).fit(*CANCER)
    (stages,) = found.results_
    assert [stage.steplength for stage in stages] == [1e-3]
    assert stages[0].status == "stopped"
    with pytest.raises(DivergenceError, match="smaller steplength"):
        AsySGRegressor(steplength=1e3, random_state=0).fit(*DIABETES)


def test_early_stopping_holds_samples_out():
    X, y = CANCER
    found = AsySGClassifier(early_stopping=True, validation_fraction=0.2, random_state=0).fit(X, y)
    assert found.n_iter_ < AsySGClassifier(random_state=0).fit(X, y).n_iter_
    assert found.score(X, y) > 0.95
    weights = np.zeros(len(y))
    weights[0] = 1
    with pytest.raises(InvalidArgument, match="weight in the training and the validation set"):
        AsySGClassifier(early_stopping=True, random_state=0).fit(X, y, sample_weight=weights)


def test_warm_start_goes_on_and_a_new_fit_does_not():
    X, y = CANCER
    cold = AsySGClassifier(tol=None, max_iter=4, random_state=0).fit(X, y)
    warm = AsySGClassifier(tol=None, max_iter=4, warm_start=True, random_state=0).fit(X, y)
    np.testing.assert_array_equal(cold.coef_, warm.coef_)
    start = warm.results_[0][-1].fun
    assert warm.fit(X, y).results_[0][0].trace.f[0] == start
    assert cold.fit(X, y).results_[0][0].trace.f[0] == pytest.approx(np.log(2))
    with pytest.raises(InvalidArgument, match="classes of the first fit"):
        warm.fit(*IRIS)
    with pytest.raises(InvalidArgument, match=r"warm_start must find coef_ of shape \(1, 5\)"):
        warm.fit(X[:, :5], y)


def test_partial_fit_does_one_epoch_with_shrinking_steps():
    X, y = DIABETES
    found = AsySGRegressor(random_state=0)
    for _ in range(4):
        found.partial_fit(X, y)
    assert (found.n_iter_, found.t_) == (1, 4)
    for _ in range(40):
        found.partial_fit(X, y)
    assert found.score(X, y) > 0.45


def test_partial_fit_of_a_classifier_knows_classes_it_has_not_seen():
    X, y = IRIS
    found = AsySGClassifier(random_state=0).partial_fit(X[:50], y[:50], classes=[0, 1, 2])
    assert found.coef_.shape == (3, 4)
    for _ in range(20):
        found.partial_fit(X, y)
    assert found.score(X, y) > 0.8
    for data, classes, said in (
        ((X, y), [0, 1], "classes must stay"),
        ((X, y + 1), None, "y must hold classes among"),
    ):
        with pytest.raises(InvalidArgument, match=said):
            found.partial_fit(*data, classes=classes)
    with pytest.raises(InvalidArgument, match="classes must be given at the first call"):
        AsySGClassifier().partial_fit(X, y)
    with pytest.raises(InvalidArgument, match="class_weight must not be 'balanced'"):
        AsySGClassifier(class_weight="balanced").partial_fit(X, y, classes=[0, 1, 2])


def test_class_weights():
    X, y = CANCER
    balanced = AsySGClassifier(class_weight="balanced", random_state=0).fit(X, y)
    n, ones = len(y), y.sum()
    by_hand = AsySGClassifier(class_weight={0: n / (2 * (n - ones)), 1: n / (2 * ones)})
    by_hand.set_params(random_state=0).fit(X, y)
    np.testing.assert_allclose(balanced.coef_, by_hand.coef_, rtol=1e-9)
    one_sided = AsySGClassifier(class_weight={0: 100}, random_state=0).fit(X, y)
    assert (one_sided.predict(X[y == 0]) == 0).all()
    assert (one_sided.predict(X) == 0).sum() > (balanced.predict(X) == 0).sum()
    for bad, said in (({0: 0, 1: 0}, "some weight non-zero"), ({0: -1}, "finite and >= 0")):
        with pytest.raises(InvalidArgument, match=said):
            AsySGClassifier(class_weight=bad).fit(X, y)
    with pytest.raises(InvalidArgument, match="class_weight must be one of 'balanced'"):
        AsySGClassifier(class_weight="fair").fit(X, y)


def test_sparse_and_dense_data_make_the_same_model():
    X, y = IRIS
    X = X * (np.abs(X) > 0.5)
    dense = AsySGClassifier(random_state=0).fit(X, y)
    for kind in (scipy.sparse.csr_matrix, scipy.sparse.csc_array, scipy.sparse.coo_array):
        sparse = AsySGClassifier(random_state=0).fit(kind(X), y)
        np.testing.assert_allclose(sparse.coef_, dense.coef_, rtol=1e-6)
        np.testing.assert_allclose(sparse.predict_proba(kind(X)), dense.predict_proba(X), rtol=1e-6)


def test_probabilities():
    X, y = IRIS
    found = AsySGClassifier(random_state=0).fit(X, y)
    for intercept in (0.0, -1e3):  # each class against the rest: the rest, beyond any doubt
        found.intercept_ += intercept
        p = found.predict_proba(X)
        np.testing.assert_allclose(p.sum(axis=1), 1)
        np.testing.assert_array_equal(found.classes_[p.argmax(axis=1)], found.predict(X))
        np.testing.assert_allclose(np.exp(found.predict_log_proba(X)), p)
    binary = AsySGClassifier("sigmoid", random_state=0).fit(*CANCER)
    z = binary.decision_function(CANCER[0])
    np.testing.assert_allclose(binary.predict_proba(CANCER[0])[:, 1], 1 / (1 + np.exp(-z)))
    np.testing.assert_allclose(
        np.exp(binary.predict_log_proba(CANCER[0])), binary.predict_proba(CANCER[0]), atol=1e-300
    )
    for loss in ("squared", "welsch"):
        assert not hasattr(AsySGClassifier(loss), "predict_proba")
        assert not hasattr(AsySGClassifier(loss), "predict_log_proba")


def test_the_penalty_leaves_the_intercept_alone():
    rng = np.random.default_rng(2)
    X = rng.standard_normal((200, 3))
    y = X @ [0.5, 0.0, 0.0] + 5.0
    free = AsySGRegressor(random_state=0).fit(X, y)
    held = AsySGRegressor(alpha=STRONG, random_state=0).fit(X, y)
    assert np.abs(held.coef_).max() < 0.05 < np.abs(free.coef_).max()
    assert held.intercept_[0] == pytest.approx(5.0, abs=0.1)
    bare = AsySGRegressor(fit_intercept=False, random_state=0).fit(X, y)
    assert bare.coef_.shape == (3,)
    assert bare.intercept_.tolist() == [0.0]


def test_an_interrupted_fit_keeps_what_it_learned(monkeypatch):
    """Ctrl-C before the third block; whoever runs the fit is interrupted too."""
    blocks = 0

    def deliver(self):
        nonlocal blocks
        blocks += 1
        if blocks == 3:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Interrupts, "deliver", deliver)
    found = AsySGClassifier(random_state=0)
    with pytest.raises(KeyboardInterrupt):
        found.fit(*CANCER)
    assert found.result_.status == "interrupted"
    np.testing.assert_array_equal(found.result_.x, [*found.coef_[0], *found.intercept_])
    assert 0 < found.result_.nit
    assert found.score(*CANCER) > 0.5


def test_a_fitted_model_is_small_and_pickles():
    X, y = CANCER
    found = AsySGClassifier(max_iter=5, tol=None, random_state=0).fit(X, y)
    kept = pickle.dumps(found)
    assert len(kept) < X.nbytes / 2
    np.testing.assert_array_equal(pickle.loads(kept).predict(X), found.predict(X))


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"loss": "hinge"}, "loss must be one of"),
        ({"method": "adam"}, "method must be one of"),
        ({"alpha": -1}, "alpha must be a finite number >= 0"),
        ({"steplength": "fast"}, "steplength must be one of 'auto', 'prescribed'"),
        ({"steplength": 0.0}, "steplength must be a finite number > 0"),
        ({"batch_size": 0}, "batch_size must be an integer >= 1"),
        ({"max_delay": -1}, "max_delay must be an integer >= 0"),
        ({"max_iter": 0}, "max_iter must be an integer >= 1"),
        ({"tol": -1.0}, "tol must be a finite number >= 0"),
        ({"n_iter_no_change": 0}, "n_iter_no_change must be an integer >= 1"),
        ({"validation_fraction": 1.0}, "validation_fraction must be < 1"),
        ({"validation_fraction": 0.0}, "validation_fraction must be a finite number > 0"),
        ({"early_stopping": "yes"}, "early_stopping must be one of True, False"),
        ({"fit_intercept": 1}, "fit_intercept must be one of True, False"),
        ({"method": "sgd", "n_jobs": 2}, "n_jobs must be 1 for method 'sgd', got 2"),
        ({"steplength": "delay-adaptive"}, "method must be 'sgd' or 'asysg-con' with steplength"),
    ],
)
@pytest.mark.parametrize("kind", [AsySGClassifier, AsySGRegressor])
def test_parameters_that_cannot_be(kind, parameters, said):
    with pytest.raises(InvalidArgument, match=said):
        kind(**parameters).fit(*CANCER)


def test_data_that_cannot_be():
    X, y = CANCER
    for weights, said in (
        (np.ones(3), r"sample_weight must have shape \(569,\)"),
        (-np.ones(569), "sample_weight must be >= 0"),
        (np.zeros(569), "at least one non-zero"),
    ):
        with pytest.raises(InvalidArgument, match=said):
            AsySGRegressor().fit(X, y, sample_weight=weights)
    with pytest.raises(InvalidArgument, match="at least two classes"):
        AsySGClassifier().fit(X, np.ones(569))
    for loss in ("welsch", "cauchy"):
        with pytest.raises(InvalidArgument, match="scale must be a finite number > 0"):
            AsySGRegressor(loss, scale=0.0).fit(X, y)
    with pytest.raises(NotFittedError):
        AsySGClassifier().predict(X)
