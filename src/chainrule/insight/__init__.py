"""What ∂C/∂w says about a network: in plain words, with numbers that carry their own check, and in pictures.

Names are imported when they are first used.
"""

from importlib import import_module
from typing import Any

_PLACES: dict[str, str] = {}

__all__ = sorted(_PLACES)


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module 'chainrule.insight' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
