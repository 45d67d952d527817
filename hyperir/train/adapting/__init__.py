"""Adapting: the relevance function of an index is fitted to the collection that it holds, tested, and kept or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hyperir.train.adapting.report import Adaptation
    from hyperir.train.adapting.run import adapt
    from hyperir.train.adapting.settings import Settings

__all__ = ["Adaptation", "Settings", "adapt"]

_HOMES = {"Adaptation": "report", "Settings": "settings", "adapt": "run"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'hyperir.train.adapting' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"hyperir.train.adapting.{_HOMES[name]}"), name)
