"""Runs and judgements to measures, and systems compared. ir_measures computes; we fix the ties and the edge cases."""

from hyperir.evaluate.compare import Comparison, compare
from hyperir.evaluate.measures import DEFAULT_MEASURES, Scores, evaluate

__all__ = ["DEFAULT_MEASURES", "Comparison", "Scores", "compare", "evaluate"]
