"""What the theory of asynchronous stochastic gradient says, as functions of the constants.

`con` and `incon` hold the theorems of the two algorithms, `certify` applies one of them to a run,
`moments` gives exact second moments on noisy quadratics, `baselines` the theorems of the systems
one compares with, `planner` the time each takes to a target, `adversarial` the theorems for delays
that depend on the run, `testing` the statistical tests with which runs are held against all of it.
Nothing here needs a compiler, and nothing outside NumPy and SciPy is imported.
"""

from __future__ import annotations

import sys

if __name__ == "theory":
    # The repository root is on sys.path. Were this a module of its own there would be two classes
    # of every name; so the name `theory` becomes another name of `asysg.theory`.
    import importlib

    _real = importlib.import_module("asysg.theory")
    sys.modules["theory"] = _real
    for _name in list(sys.modules):
        if _name.startswith("asysg.theory."):
            sys.modules[_name.removeprefix("asysg.")] = sys.modules[_name]
else:
    from . import adversarial, baselines, con, incon, moments, planner, testing
    from ._adaptive import FORM as ADAPTIVE
    from ._adaptive import AdaptiveSteps
    from ._certificate import Certificate
    from ._certify import Prescription, certify
    from ._constants import ProblemConstants
    from ._errors import CertificateError, InvalidArgument
    from ._frame import FORMS
    from ._hypotheses import Hypothesis

    __all__ = [
        "ADAPTIVE",
        "FORMS",
        "AdaptiveSteps",
        "Certificate",
        "CertificateError",
        "Hypothesis",
        "InvalidArgument",
        "Prescription",
        "ProblemConstants",
        "adversarial",
        "baselines",
        "certify",
        "con",
        "incon",
        "moments",
        "planner",
        "testing",
    ]
