"""HyperIR: retrieval with learned relevance functions. A query writes the small neural network that ranks documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hyperir._version import __version__

if TYPE_CHECKING:
    from hyperir.core.docs import Dense
    from hyperir.core.errors import HyperIRError
    from hyperir.core.types import Hit
    from hyperir.corpus import open_collection
    from hyperir.encode import Model, load
    from hyperir.search import BM25, Index
    from hyperir.train.adapting import adapt

__all__ = [
    "BM25",
    "Dense",
    "Hit",
    "HyperIRError",
    "Index",
    "Model",
    "__version__",
    "adapt",
    "load",
    "open_collection",
]

# Imported when first used: torch alone takes seconds, and `hyperir --help` must not wait for it.
_HOMES = {
    "BM25": "hyperir.search",
    "Dense": "hyperir.core.docs",
    "Hit": "hyperir.core.types",
    "HyperIRError": "hyperir.core.errors",
    "Index": "hyperir.search",
    "Model": "hyperir.encode",
    "adapt": "hyperir.train.adapting",
    "load": "hyperir.encode",
    "open_collection": "hyperir.corpus",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'hyperir' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
