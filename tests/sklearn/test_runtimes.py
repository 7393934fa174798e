"""Several OpenMP runtimes in one process, worker processes, and forks.

scikit-learn's wheels bring a libgomp of their own, PyTorch's another; ours is the system's. Each
test has a process of its own, in which two threads of every library run in turn.
"""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from asysg._core.openmp import openmp_version
from asysg.sklearn import AsySGClassifier

THREADS = 2 if openmp_version() else 1

PREAMBLE = f"""
import os, sys, warnings
warnings.simplefilter("error")
import numpy as np
from sklearn.datasets import make_classification
X, y = make_classification(300, 8, random_state=0)

def ours():
    from asysg.sklearn import AsySGClassifier
    found = AsySGClassifier(max_iter=4, tol=None, n_jobs={THREADS}, random_state=0).fit(X, y)
    assert found.result_.n_threads_used == {THREADS}
    assert found.score(X, y) > 0.7

def theirs():
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits
    with threadpool_limits(2, user_api="openmp"):
        found = HistGradientBoostingClassifier(max_iter=4, random_state=0).fit(X, y)
    assert found.score(X, y) > 0.7

def torchs():
    import torch
    torch.set_num_threads(2)
    a = torch.arange(1 << 20, dtype=torch.float64)
    assert float((a + a).sum()) == 2.0 * float(a.sum())
    assert torch.get_num_threads() == 2

def child(work):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
"""


def finishes(program):
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + program], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("order", ["ours, theirs", "theirs, ours"])
def test_scikit_learns_openmp_in_turn_with_ours(order):
    finishes(f"for work in 2 * ({order}): work()")


@pytest.mark.parametrize("order", ["ours, torchs, theirs", "torchs, theirs, ours"])
def test_pytorchs_openmp_in_turn_with_both(order):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    finishes(f"for work in 2 * ({order}): work()")


def test_a_fork_after_a_run_runs_too():
    """Ours alone: what other libraries' pools do in a forked child is theirs to say."""
    finishes("ours(); child(ours); ours()")


def test_workers_of_joblib_start_threads_of_their_own():
    finishes(
        """
from joblib import Parallel, delayed
from asysg.sklearn import AsySGClassifier
ours(); theirs()
def work(seed):
    found = AsySGClassifier(max_iter=4, tol=None, random_state=seed).fit(X, y)
    return found.coef_, found.result_.n_threads_used
found = Parallel(n_jobs=2)(delayed(work)(seed) for seed in (0, 1, 0, 1))
np.testing.assert_array_equal(found[0][0], found[2][0])
np.testing.assert_array_equal(found[1][0], found[3][0])
assert not np.array_equal(found[0][0], found[1][0])
np.testing.assert_array_equal(work(0)[0], found[0][0])
assert {threads for _, threads in found} == {1}
ours(); theirs()
"""
    )


def test_a_search_with_two_jobs_finds_what_one_finds():
    X, y = load_breast_cancer(return_X_y=True)
    pipeline = make_pipeline(
        StandardScaler(), AsySGClassifier(max_iter=5, tol=None, random_state=0)
    )
    grid = {"asysgclassifier__loss": ["logistic", "sigmoid"], "asysgclassifier__alpha": [0, 1e-3]}
    scores = [
        GridSearchCV(pipeline, grid, cv=3, n_jobs=jobs).fit(X, y).cv_results_["mean_test_score"]
        for jobs in (1, 2)
    ]
    np.testing.assert_array_equal(*scores)
    assert scores[0].max() > 0.95
