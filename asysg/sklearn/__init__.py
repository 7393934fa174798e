"""Linear models with scikit-learn's interface, trained by asynchronous stochastic gradient."""

try:
    from sklearn.utils.validation import validate_data as _of_version_1_6  # noqa: F401
except ImportError as error:
    raise ImportError(
        "asysg.sklearn needs scikit-learn 1.6 or newer: pip install 'asysg[sklearn]'."
    ) from error

from ._classifier import AsySGClassifier
from ._regressor import AsySGRegressor

__all__ = ["AsySGClassifier", "AsySGRegressor"]
