"""Strategies compared on one index: what they find, what they score, and how long it takes. `hyperir bench`."""

from hyperir.evaluate.benching.grid import default_grid
from hyperir.evaluate.benching.measure import bench
from hyperir.evaluate.benching.result import Bench, Choice, Setting

__all__ = ["Bench", "Choice", "Setting", "bench", "default_grid"]
