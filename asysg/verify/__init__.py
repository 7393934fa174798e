"""Hold the code against the theory: the main job, and stored certificates."""

from ._load import load
from ._report import Report, Row
from ._suite import suite

__all__ = ["Report", "Row", "load", "suite"]
