"""Runs and judgements to measures, and systems compared. ir_measures computes; we fix the ties and the edge cases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hyperir.evaluate.compare import Comparison, compare
from hyperir.evaluate.measures import DEFAULT_MEASURES, Scores, check_measures, evaluate

if TYPE_CHECKING:
    from hyperir.evaluate.benching import Bench, bench

__all__ = ["DEFAULT_MEASURES", "Bench", "Comparison", "Scores", "bench", "check_measures", "compare", "evaluate"]


def __getattr__(name: str) -> Any:
    if name in ("Bench", "bench"):  # torch and the index come with it, which measuring runs does not need
        from hyperir.evaluate import benching

        return getattr(benching, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
