"""Runs and judgements to measures, and systems compared. ir_measures computes; we fix the ties and the edge cases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hyperir.evaluate.compare import Comparison, compare
from hyperir.evaluate.holm import holm
from hyperir.evaluate.measures import DEFAULT_MEASURES, Scores, evaluate
from hyperir.evaluate.names import at_threshold, check_measures, threshold_note
from hyperir.evaluate.systems import Comparisons, compare_systems
from hyperir.evaluate.variations import VARIATIONS, vary

if TYPE_CHECKING:
    from hyperir.evaluate.benching import Bench, bench

__all__ = [
    "DEFAULT_MEASURES",
    "VARIATIONS",
    "Bench",
    "Comparison",
    "Comparisons",
    "Scores",
    "at_threshold",
    "bench",
    "check_measures",
    "compare",
    "compare_systems",
    "evaluate",
    "holm",
    "threshold_note",
    "vary",
]


def __getattr__(name: str) -> Any:
    if name in ("Bench", "bench"):  # torch and the index come with it, which measuring runs does not need
        from hyperir.evaluate import benching

        return getattr(benching, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
