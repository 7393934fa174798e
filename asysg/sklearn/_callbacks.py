"""scikit-learn's callbacks, where the installed version has them (1.9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

__all__ = ["CallbackSupportMixin", "Epochs", "Task", "told_to_callbacks", "with_callbacks"]

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing: this scikit-learn has no callbacks."""

    def with_callbacks(method: Callable[..., Any]) -> Callable[..., Any]:
        """Return the method: this scikit-learn has no callbacks."""
        return method


def told_to_callbacks(X: Any, y: Any, sample_weight: Any) -> dict[str, Any]:
    """Return what every hook of a fit is told."""
    metadata = None if sample_weight is None else {"sample_weight": sample_weight}
    return {"X": X, "y": y, "metadata": metadata}


class Task:
    """One node of the tree of a fit's tasks, and what its hooks are told.

    Parameters
    ----------
    estimator : estimator
    context : CallbackContext
    told : dict
        X, y and metadata, the same at every hook.
    """

    def __init__(self, estimator: Any, context: Any, told: dict[str, Any]) -> None:
        self.estimator, self.context, self.told = estimator, context, told

    @classmethod
    def root(cls, estimator: Any, subtasks: int, told: dict[str, Any]) -> Task | None:
        """Return the task "fit", or None where nobody listens."""
        if not hasattr(estimator, "_init_callback_context"):
            return None
        context = estimator._init_callback_context(max_subtasks=subtasks)
        return cls(estimator, context, told) if hasattr(estimator, "_skl_callbacks") else None

    def child(self, name: str, subtasks: int = 0) -> Task:
        """Return the next task below this one."""
        context = self.context.subcontext(task_name=name, max_subtasks=subtasks)
        return Task(self.estimator, context, self.told)

    def begin(self, attributes: Callable[[], dict[str, Any]]) -> None:
        """Say that the task begins; `attributes` make a fitted estimator of the state."""
        self.context.call_on_fit_task_begin(
            estimator=self.estimator, reconstruction_attributes=attributes, **self.told
        )

    def end(self, attributes: Callable[[], dict[str, Any]]) -> bool:
        """Say that it ended; return whether a callback wants the level above to stop."""
        return bool(
            self.context.call_on_fit_task_end(
                estimator=self.estimator, reconstruction_attributes=attributes, **self.told
            )
        )


class Epochs:
    """The tasks "epoch" of one run after another, begun and ended by a `Watch`."""

    def __init__(self, task: Task, attributes: Callable[[NDArray[Any]], dict[str, Any]]) -> None:
        self.task, self.attributes = task, attributes
        self._open: Task | None = None

    def begin(self, x: NDArray[Any]) -> None:
        """Begin an epoch, if none is under way."""
        if self._open is None:
            self._open = self.task.child("epoch")
            self._open.begin(lambda: self.attributes(x))

    def end(self, x: NDArray[Any]) -> bool:
        """End the epoch under way; return whether a callback wants no more of them."""
        ended, self._open = self._open, None
        return ended is not None and ended.end(lambda: self.attributes(x))
