"""The documentation of what both estimators have."""

from __future__ import annotations

from collections.abc import Callable

PARAMETERS = {
    "parameters": """
method : str
    Of `asysg.minimize`. With one thread "hogwild", "asysg-con" and "sgd" are the same. "sgd" has
    one thread, "asyscd" a `batch_size` of 1.
steplength : float or str
    The factor of the *sum* over the minibatch, > 0, constant. "auto", the default: the largest
    under which no sample's step overshoots; when the loss has not fallen by `tol` for
    `n_iter_no_change` epochs a new run begins with a quarter of it, until that is of no use either.
    "prescribed", "optimal" and, with "asysg-con" or "sgd", "delay-adaptive": what the theory says
    of all ``max_iter`` epochs (see `asysg.minimize`). It is cautious, and the run has a
    certificate.
batch_size : int
    Samples of an update, at least 1.
max_delay : int, optional
    Enforce this staleness. With "auto" and more than one thread it is chosen such that its
    steplength is safe, where the method can enforce one.
fit_intercept : bool
    Whether to learn an intercept, which is not penalised.
max_iter : int
    Epochs at most. An epoch looks at as many partial derivatives as the data have entries: an
    update of one coordinate counts for one. Between epochs loss and gradient are evaluated, which
    takes about as long as the epoch.
tol : float or None
    What counts as progress, as a share of the loss without coefficients, or in the validation
    score. None, and steplengths of the theory without `early_stopping`: all ``max_iter`` epochs are
    done; "auto" then quarters its steplength after half of them, half of the rest, and so on.
early_stopping : bool
    Whether progress is that of a score on held-out samples, accuracy or R^2. Needs `tol`.
validation_fraction : float
    Share of the samples that are held out, in (0, 1).
n_iter_no_change : int
    Epochs without progress before a run ends, at least 1.
warm_start : bool
    Whether `fit` goes on from the last one's coefficients.
n_jobs : int, optional
    Worker threads of a run. None: 1, unless in a ``joblib.parallel_config`` context; -1: all cores.
random_state : int, RandomState or None
    With one thread the same seed gives the same model to the bit, whatever the order of the
    samples, and for whole weights the same as for samples repeated as often: a fit depends on the
    weighted set alone, and equal samples become one. With more threads updates meet in the
    machine's order.
""",
    "attributes": """
n_iter_ : int
    Epochs done; of several classes, the most.
n_features_in_ : int
feature_names_in_ : ndarray of str
    Where X has names.
result_ : Result
    Of the last run, with its certificate.
results_ : list of list of Result
    For each row of coefficients its runs, one after another.
""",
}


def described(parts: dict[str, str]) -> Callable[[type], type]:
    """Fill the docstring of a class with the parts that it names in braces."""

    def fill(cls: type) -> type:
        lines = []
        for line in (cls.__doc__ or "").split("\n"):
            part = parts.get(line.strip().strip("{}")) if line.strip().startswith("{") else None
            if part is None:
                lines.append(line)
            else:
                indent = line[: len(line) - len(line.lstrip())]
                lines += [(indent + text).rstrip() for text in part.strip().split("\n")]
        cls.__doc__ = "\n".join(lines)
        return cls

    return fill
