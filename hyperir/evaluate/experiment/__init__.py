"""Experiments: a file that names systems and collections becomes a table, and can be stopped and gone on with."""

from hyperir.evaluate.experiment.plan import Plan, read_plan
from hyperir.evaluate.experiment.results import Results
from hyperir.evaluate.experiment.work import run_experiment

__all__ = ["Plan", "Results", "read_plan", "run_experiment"]
