"""The paper's figures and tables: experiments into records, and everything drawn from records.

`reproduce` does both halves, `redraw` the second alone. The command is ``asysg reproduce``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._reproduce import Drawn, redraw, reproduce

__all__ = ["Drawn", "redraw", "reproduce"]


def __getattr__(name: str) -> Any:
    # Loaded when asked for: a rank that `_on_ranks` has started needs none of it.
    if name in __all__:
        from . import _reproduce

        return getattr(_reproduce, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
