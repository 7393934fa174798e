"""Asynchronous parallel stochastic gradient: fast, measured and certified.

The names below load on first use (PEP 562), so that ``asysg.theory`` and the
documentation need no compiled code.
"""

from __future__ import annotations

import importlib.util
import logging
from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import mpi as mpi
    from . import objectives as objectives
    from . import prox as prox
    from . import simulate as simulate
    from . import sklearn as sklearn
    from . import steplengths as steplengths
    from . import theory as theory
    from . import verify as verify
    from ._minimize import minimize as minimize
    from ._monitor import Monitor as Monitor
    from ._plan import Intermediate as Intermediate
    from ._plot import plot as plot
    from .diagnosis import Diagnosis as Diagnosis
    from .diagnosis import diagnose as diagnose
    from .errors import AsysgWarning as AsysgWarning
    from .errors import CertificateError as CertificateError
    from .errors import ConstantsWarning as ConstantsWarning
    from .errors import DivergenceError as DivergenceError
    from .errors import InvalidArgument as InvalidArgument
    from .errors import MissingPackage as MissingPackage
    from .errors import ObjectiveError as ObjectiveError
    from .errors import ReplayError as ReplayError
    from .result import Result as Result

# theory/ lies beside this folder in the sources; an installation puts it here.
if importlib.util.find_spec(f"{__name__}.theory") is None:
    raise ImportError(
        f"asysg must be installed, got its bare sources in {__path__[0]}. Start Python in another "
        "folder, or with -P, or install them in place by: pip install -e ."
    )

__version__ = _version("asysg")

# Silent unless somebody listens: logging.basicConfig(level="INFO").
logging.getLogger("asysg").addHandler(logging.NullHandler())

_MODULES = ("mpi", "objectives", "prox", "simulate", "steplengths", "theory", "verify")
#: Needs scikit-learn, so that no ``import *`` may name it.
_OPTIONAL = ("sklearn",)
_NAMES = {
    "Diagnosis": "diagnosis",
    "diagnose": "diagnosis",
    "minimize": "_minimize",
    "Intermediate": "_plan",
    "Monitor": "_monitor",
    "plot": "_plot",
    "AsysgWarning": "errors",
    "Result": "result",
    "InvalidArgument": "errors",
    "CertificateError": "errors",
    "ConstantsWarning": "errors",
    "DivergenceError": "errors",
    "MissingPackage": "errors",
    "ObjectiveError": "errors",
    "ReplayError": "errors",
}

__all__ = [
    "AsysgWarning",
    "CertificateError",
    "ConstantsWarning",
    "Diagnosis",
    "DivergenceError",
    "Intermediate",
    "InvalidArgument",
    "MissingPackage",
    "Monitor",
    "ObjectiveError",
    "ReplayError",
    "Result",
    "diagnose",
    "minimize",
    "mpi",
    "objectives",
    "plot",
    "prox",
    "simulate",
    "steplengths",
    "theory",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES or name in _OPTIONAL:
        return importlib.import_module(f".{name}", __name__)
    if name in _NAMES:
        return getattr(importlib.import_module(f".{_NAMES[name]}", __name__), name)
    raise AttributeError(f"module 'asysg' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__, *_OPTIONAL])
