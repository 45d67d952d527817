"""First-order search: an ordinary inner-product index finds candidates for any differentiable relevance function.

Near an anchor a the function is f(d) = f(a) + <g, d - a> + ..., with g its gradient there. So documents with a large
<g, d> are good candidates, while they are near: among vectors of equal length those with the largest
<g, d> - m |d - a|^2 are those with the largest <g + 2 m a, d>. An inner-product
engine finds them, f scores them, the best become new anchors, and so on. The engine sees plain vectors only, so any
vector database can stand below. Ours; for a function that is linear the first round is exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, cast

import torch
from torch import Tensor
from torch.nn.functional import normalize

from hyperir.core.config import Config
from hyperir.core.docs import Dense
from hyperir.core.errors import CapabilityError, InputError
from hyperir.core.types import Differentiable, Docs, Hits, Linear, Relevance
from hyperir.index.engines import ENGINES, Engine, Kept
from hyperir.index.strategies.built import check_points
from hyperir.index.strategies.cells import kmeans
from hyperir.index.strategies.visits import Ranked, Visits, answer

__all__ = ["FirstOrder"]

NARROW = 20  # neighbours of a gradient: rather fewer rounds and anchors than fewer of them
ENGINE = "engine."  # how the names of tensors begin that belong to the engine


class FirstOrderConfig(Config):
    """Configuration of first-order search.

    Args:
        centroids: C, points that f ranks to choose the first anchors; 1 starts at the mean document.
        anchors: A, gradients taken a round.
        width: documents asked of the engine for each gradient.
        rounds: at most; a query whose best did not change in a round is done.
        locality: weight of the anchor's direction beside the gradient's, both of length 1; 0 trusts the gradient
            however far it leads, more keeps the candidates near. Where f has the capability Linear it is not used.
        engine: what answers inner products, a member of `ENGINES` by name or configuration.
        seed: of k-means.
    """

    search_only: ClassVar[frozenset[str]] = frozenset({"anchors", "locality", "rounds", "width"})

    type: Literal["firstorder"] = "firstorder"
    centroids: int = 512
    anchors: int = 4
    width: int = 200
    rounds: int = 3
    locality: float = 0.5
    engine: str | dict[str, Any] = "blocks"
    seed: int = 0


@dataclass(frozen=True)
class _Plan:
    """What one search does; as in :class:`FirstOrderConfig`."""

    centroids: int
    anchors: int
    rounds: int
    width: int


class _Smooth(Relevance[Any], Differentiable[Any], Protocol):
    """A relevance function with a gradient."""


class FirstOrder:
    """Asks an inner-product engine for the neighbours of gradients.

    Args:
        config: see :class:`FirstOrderConfig`.
        docs: (N,) of `Dense`.
        built: what `build` made of them; None makes it now.
    """

    Config = FirstOrderConfig

    def __init__(self, config: FirstOrderConfig, *, docs: Docs, built: Mapping[str, Tensor] | None = None) -> None:
        wrong = [name for name in ("centroids", "anchors", "width", "rounds") if getattr(config, name) < 1]
        if wrong:
            raise InputError(f"{wrong[0]} is at least 1", got=f"{wrong[0]} = {getattr(config, wrong[0])}")
        self.config, self.docs = config, docs
        built = _centroids(config, docs) if built is None else built
        self._centroids = Dense(built["centroids"])
        self._engine = _engine(config, docs, built)

    @staticmethod
    def build(config: FirstOrderConfig, docs: Docs) -> dict[str, Tensor]:
        """`centroids` (C, D); and what the engine keeps, uint8, under names that begin with "engine."."""
        engine = ENGINES.parse(config.engine)
        kept: dict[str, Tensor] = {}
        if issubclass(ENGINES[engine.model_dump()["type"]], Kept):
            made = ENGINES.build(engine, docs=docs)
            assert isinstance(made, Kept)
            kept = {ENGINE + name: value for name, value in made.dump().items()}
        return _centroids(config, docs) | kept

    @staticmethod
    def check(built: Mapping[str, Tensor], documents: int, width: int) -> None:
        """Raise ValueError or KeyError unless `build` can have made this; engines look at their bytes themselves."""
        check_points(built, "centroids", (None, width))

    def search(self, f: Relevance[Any], k: int, allowed: Tensor | None = None, budget: int | None = None) -> Hits:
        """The k best rows found, (Q, k); see :class:`hyperir.core.types.Strategy`.

        Every gradient counts as one scored document. Where no more rows are allowed than there are centroids, all of
        them are scored and none else. A budget lowers the centroids, the width, the rounds and the anchors, in this
        order.

        Raises:
            CapabilityError: f has no gradient.
            InputError: the budget is too small for a single gradient and its neighbour.
        """
        if not isinstance(f, Differentiable):
            raise CapabilityError(
                "firstorder cannot serve this relevance function",
                expected="a function with the capability Differentiable",
                got=type(f).__name__,
                fix='strategy="exact" serves any function',
            )
        few = self._centroids.shape[0]

        def search(own: Relevance[Any], allowed: Tensor | None) -> Hits:
            return self._search(cast(_Smooth, own), k, allowed, budget)

        return answer(f, self.docs, k, allowed, budget, few, search)

    def _search(self, f: _Smooth, k: int, allowed: Tensor | None, budget: int | None) -> Hits:
        plan = self._plan(k, budget)
        linear = isinstance(f, Linear)
        visits = Visits(f, self.docs, allowed, budget)
        pool = Ranked(f.num_queries, max(k, plan.anchors))
        centroids = self._centroids[slice(0, plan.centroids)]  # any first part of them lies as spread as all do
        anchors: Docs = centroids[f(centroids).topk(plan.anchors, dim=1).indices]
        visits.scored += plan.centroids
        used = torch.empty(f.num_queries, 0, dtype=torch.int64)
        going: Tensor | None = None  # (Q,) bool; None is all
        for number in range(1, plan.rounds + 1):
            asked = self._asked(f, anchors, linear)
            found = self._engine.search(asked.flatten(0, 1), plan.width, allowed).reshape(f.num_queries, -1)
            visits.scored += plan.anchors
            rows = visits.fresh(found if going is None else found.masked_fill(~going[:, None], -1))
            before = pool.rows
            pool.offer(rows, visits.score(rows))
            if number == plan.rounds:
                break
            changed = (pool.rows != before).any(1)
            going = changed if going is None else going & changed
            if not going.any():
                break
            rows = _unused(pool.rows, used)[:, : plan.anchors]
            used = torch.cat([used, rows], 1)
            # A query short of new anchors goes from its best again; one without any answer is done.
            anchors = self.docs[torch.where(rows < 0, pool.rows[:, :1], rows).clamp_min(0)]
        return pool.hits(k, visits.scored)

    def _plan(self, k: int, budget: int | None) -> _Plan:
        """What is done within a budget: centroids + rounds * anchors * (1 + width) is at most that."""
        config, n = self.config, self.docs.shape[0]
        centroids, rounds, width = self._centroids.shape[0], config.rounds, min(max(config.width, k), n)
        anchors = min(config.anchors, centroids)
        if budget is None:
            return _Plan(centroids, anchors, rounds, width)
        centroids = min(centroids, max(budget // 4, 1))
        anchors, left, enough = min(anchors, centroids), budget - centroids, min(width, max(k, NARROW))
        while rounds > 1 and left // (rounds * anchors) - 1 < enough:
            rounds -= 1
        while anchors > 1 and left // (rounds * anchors) - 1 < enough:
            anchors -= 1
        width = min(width, left // (rounds * anchors) - 1)
        if width < 1:
            raise InputError(
                "firstorder scores a centroid, a gradient and a document at least",
                expected="a budget of 3 or more",
                got=f"budget = {budget:,}",
            )
        return _Plan(centroids, anchors, rounds, width)

    def _asked(self, f: _Smooth, anchors: Docs, linear: bool) -> Tensor:
        """(Q, A, D), what the engine is asked for at the anchors."""
        assert isinstance(anchors, Dense)
        with torch.inference_mode(False):
            gradients = f.gradient(Dense(anchors.vectors.clone()))
        if linear:
            return gradients
        return normalize(gradients, dim=-1) + self.config.locality * normalize(anchors.vectors.float(), dim=-1)


def _centroids(config: FirstOrderConfig, docs: Docs) -> dict[str, Tensor]:
    return {"centroids": kmeans(docs, config.centroids, config.seed)}


def _engine(config: FirstOrderConfig, docs: Docs, built: Mapping[str, Tensor]) -> Engine:
    """The engine, made of the documents or of what it kept."""
    kept = {name.removeprefix(ENGINE): value for name, value in built.items() if name.startswith(ENGINE)}
    return ENGINES.build(config.engine, docs=docs, **({"built": kept} if kept else {}))


def _unused(rows: Tensor, used: Tensor) -> Tensor:
    """(Q, n) rows, best first, those that were anchors moved behind as -1."""
    old = (rows[:, :, None] == used[:, None, :]).any(2) | (rows < 0)
    order = old.to(torch.int8).argsort(dim=1, stable=True)
    return rows.masked_fill(old, -1).gather(1, order)
