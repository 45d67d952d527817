"""`strategy="auto"`: exhaustive search while it is cheap, else an approximate one. `choose` holds the rules."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

from hyperir.core.config import Config
from hyperir.core.types import Differentiable, Linear, Relevance, SparseLinear, TokenWise
from hyperir.index.strategies import STRATEGIES
from hyperir.index.strategies.bounded import bound_of

__all__ = ["CHEAP", "choose"]

CHEAP = 20_000  # documents; chosen, not measured: `hyperir bench` tells where exhaustive search stops being quick
# The same for inner products: of 101,817 documents of 1,024 numbers, exhaustive search takes 37 ms of a core and
# first-order search 136 (LOG.md, 2026-12-01).
LIGHT = 100_000
STRUCTURES = {"firstorder", "graph", "ivf"}
CENTROIDS = (64, 1024)  # of first-order search, at least and at most
WIDTH = 200


def choose(f: Relevance[Any], count: int, budget: int | None = None, kept: Collection[str] = frozenset()) -> Config:
    """The strategy that "auto" means for a search, as a configuration.

    0. A function that is linear in weights of terms: "inverted", which finds what "exact" finds.
    1. A budget of `count` documents or more: "exact", for the answer costs no more than was granted.
    2. No budget, and at most `CHEAP` documents: "exact". Under an inner product at most `LIGHT`, unless the index keeps
       a structure. A function with the capability Bounded costs about an inner product, and approximations of it are
       poor: "exact", up to `LIGHT` in any case, and for however many without a structure.
    3. A function with the capability Differentiable: "firstorder", with the centroids and the engine of the structure
       that the index keeps, else with about sqrt(N) centroids; or "graph", where the index keeps one and no
       "firstorder". The larger the budget, the more documents each gradient brings.
    4. A function over several vectors a document: "plaid", if the index keeps one or there is a budget; else "exact".
    5. Any other function: "graph" or "ivf", if the index keeps one of them; else "exact", or under a budget "ivf",
       which searches cells until the budget is spent.

    Only "exact" finds the best for certain. How much the others find is told by `Index.estimate_recall`.

    Args:
        f: the relevance function.
        count: documents that may come back: where a filter leaves few, these few.
        budget: documents scored for a query at most.
        kept: strategies of which the index keeps a structure.
    """
    if isinstance(f, SparseLinear):
        return STRATEGIES.parse("inverted")
    bounded, built = bound_of(f) is not None, not STRUCTURES.isdisjoint(kept)
    cheap = LIGHT if bounded or (isinstance(f, Linear) and not built) else CHEAP
    if count <= (cheap if budget is None else budget):
        return STRATEGIES.parse("exact")
    if bounded and budget is None and not built:
        return STRATEGIES.parse("exact")
    if isinstance(f, TokenWise):
        return STRATEGIES.parse("plaid" if "plaid" in kept or budget is not None else "exact")
    if not isinstance(f, Differentiable):
        if "graph" in kept:
            return STRATEGIES.parse("graph")
        if budget is None and "ivf" not in kept:
            return STRATEGIES.parse("exact")
        return STRATEGIES.parse("ivf" if budget is None else {"type": "ivf", "probes": max(count, 1)})
    if "graph" in kept and "firstorder" not in kept:
        return STRATEGIES.parse("graph")
    settings: dict[str, Any] = {"type": "firstorder", "width": WIDTH}
    if "firstorder" not in kept:
        low, high = CENTROIDS
        settings["centroids"] = min(max(math.ceil(math.sqrt(count)), low), high)
    if budget is not None:
        wanted = budget / (STRATEGIES.parse("firstorder").model_dump()["rounds"] * WIDTH)
        settings["width"] = WIDTH * 2 ** max(math.ceil(math.log2(wanted)), 0)
    return STRATEGIES.parse(settings)
