"""Text in, hits out: an index with its model, the BM25 baseline, and why a document was returned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hyperir.search.bm25 import BM25
    from hyperir.search.index import Index

__all__ = ["BM25", "Index"]


def __getattr__(name: str) -> Any:
    if name == "BM25":
        from hyperir.search.bm25 import BM25

        return BM25
    if name == "Index":
        from hyperir.search.index import Index

        return Index
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
