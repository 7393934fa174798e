"""scikit-learn is an optional dependency, and scikit-learn's features are optional to it."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn import config_context
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import asysg
from asysg.sklearn import AsySGClassifier


def says(program):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_without_scikit_learn_it_says_what_is_missing():
    without = "import sys; sys.modules['sklearn'] = None; "
    code, said = says(without + "import asysg.sklearn")
    assert code == 1
    assert "ImportError: asysg.sklearn needs scikit-learn 1.6 or newer: pip install" in said
    assert says(without + "from asysg import *; minimize")[0] == 0


def test_it_is_a_name_of_the_package():
    assert says("import asysg; asysg.sklearn.AsySGClassifier")[0] == 0
    assert "sklearn" in dir(asysg)
    with pytest.raises(AttributeError, match="no attribute 'scikit'"):
        asysg.scikit  # noqa: B018


def test_sample_weights_find_their_way_through_a_pipeline():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 2))
    y = (X[:, 0] + rng.standard_normal(60) > 0).astype(int)
    weights = rng.integers(0, 3, 60)
    with config_context(enable_metadata_routing=True):
        model = AsySGClassifier(random_state=0).set_fit_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaler, model).fit(X, y, sample_weight=weights)
    scaled = StandardScaler().fit_transform(X)
    alone = AsySGClassifier(random_state=0).fit(scaled, y, sample_weight=weights)
    np.testing.assert_array_equal(pipeline[-1].coef_, alone.coef_)
