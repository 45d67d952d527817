"""`strategy="auto"`: exhaustive search while it is cheap, else an approximate one. `choose` holds the rules."""

from __future__ import annotations

import math
from typing import Any

from hyperir.core.config import Config
from hyperir.core.types import Differentiable, Relevance
from hyperir.index.strategies import STRATEGIES

__all__ = ["CHEAP", "choose"]

CHEAP = 20_000  # documents; chosen, not measured: `hyperir bench` tells where exhaustive search stops being quick
CENTROIDS = (64, 1024)  # of first-order search, at least and at most
WIDTH = 200


def choose(f: Relevance[Any], count: int, budget: int | None = None) -> Config:
    """The strategy that "auto" means for a search, as a configuration.

    1. A budget of `count` documents or more: "exact", for the answer costs no more than was granted.
    2. No budget, and at most `CHEAP` documents: "exact".
    3. A function with the capability Differentiable: "firstorder", with about sqrt(N) centroids. The larger the
       budget, the more documents each of its gradients brings.
    4. Any other function: "exact", or under a budget "ivf", which searches cells until the budget is spent.

    Only "exact" finds the best for certain. How much the others find is told by `Index.estimate_recall`.

    Args:
        f: the relevance function.
        count: documents that may come back: where a filter leaves few, these few.
        budget: documents scored for a query at most.
    """
    if budget is None and (count <= CHEAP or not isinstance(f, Differentiable)):
        return STRATEGIES.parse("exact")
    if budget is not None and budget >= count:
        return STRATEGIES.parse("exact")
    if not isinstance(f, Differentiable):
        return STRATEGIES.parse({"type": "ivf", "probes": max(count, 1)})
    low, high = CENTROIDS
    settings = {"type": "firstorder", "centroids": min(max(math.ceil(math.sqrt(count)), low), high), "width": WIDTH}
    if budget is not None:
        wanted = budget / (STRATEGIES.parse("firstorder").model_dump()["rounds"] * WIDTH)
        settings["width"] = WIDTH * 2 ** max(math.ceil(math.log2(wanted)), 0)
    return STRATEGIES.parse(settings)
