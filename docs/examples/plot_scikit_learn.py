r"""
Wrong labels and a loss that forgives them
==========================================

A pipeline on scikit-learn's breast cancer data, some of whose labels are turned over before
training. The logistic loss runs after every one of them: most of all if it is minimised to the end,
as ``LogisticRegression`` does here, without a penalty. The sigmoid loss, which is not convex, gives
them up.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from asysg.sklearn import AsySGClassifier

X, y = load_breast_cancer(return_X_y=True)
models = {
    "AsySG, sigmoid": AsySGClassifier("sigmoid", random_state=0),
    "AsySG, logistic": AsySGClassifier("logistic", random_state=0),
    "LogisticRegression": LogisticRegression(C=np.inf, max_iter=10_000),
}
wrong = np.array([0.0, 0.1, 0.2, 0.3])
scores = {name: np.zeros((len(wrong), 10)) for name in models}
for split in range(10):
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=split)
    turned = np.random.default_rng(split).random(len(y_train))
    for row, share in enumerate(wrong):
        labels = np.where(turned < share, 1 - y_train, y_train)
        for name, model in models.items():
            fitted = make_pipeline(StandardScaler(), model).fit(X_train, labels)
            scores[name][row, split] = fitted.score(X_test, y_test)
for name, found in scores.items():
    print(f"{name:20}", " ".join(f"{mean:.3f}" for mean in found.mean(axis=1)))

# %%
# Accuracy on test data whose labels are right, mean and standard error of ten splits. On the right
# the stages of one fit: the steplength is quartered whenever the loss falls no more.

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
for name, found in scores.items():
    error = found.std(axis=1, ddof=1) / np.sqrt(found.shape[1])
    left.errorbar(100 * wrong, found.mean(axis=1), error, marker="o", capsize=3, label=name)
left.set(xlabel="labels turned over (%)", ylabel="accuracy")
left.legend()
model = AsySGClassifier("sigmoid", random_state=0).fit(StandardScaler().fit_transform(X), y)
epochs = 0.0
for stage in model.results_[0]:
    right.semilogy(epochs + stage.trace.k / len(y), stage.trace.f, label=f"{stage.steplength:.2g}")
    epochs += stage.nit / len(y)
right.set(xlabel="epoch", ylabel="loss")
right.legend(title="steplength")
plt.show()
