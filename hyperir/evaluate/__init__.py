"""Runs and judgements to measures, and systems compared. ir_measures computes; we fix the ties and the edge cases."""

from hyperir.evaluate.compare import Comparison, compare
from hyperir.evaluate.measures import DEFAULT_MEASURES, Scores, check_measures, evaluate

__all__ = ["DEFAULT_MEASURES", "Comparison", "Scores", "check_measures", "compare", "evaluate"]
