"""Hold the code against the theory: the main job, recorded runs, and stored certificates."""

from ._load import load
from ._report import Report, Row
from ._suite import suite
from ._trace import Examination, examine

__all__ = ["Examination", "Report", "Row", "examine", "load", "suite"]
