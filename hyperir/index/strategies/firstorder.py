"""First-order search: an ordinary inner-product index finds candidates for any differentiable relevance function.

Near an anchor a the function is f(d) = f(a) + <g, d - a> + ..., with g its gradient there. So documents with a large
<g, d> are good candidates, while they are near: among vectors of equal length those with the largest
<g, d> - m |d - a|^2 are those with the largest <g + 2 m a, d>. An inner-product
engine finds them, f scores them, the best become new anchors, and so on. The engine sees plain vectors only, so any
vector database can stand below. Ours; for a function that is linear the first round is exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import normalize

from hyperir.core.config import Config
from hyperir.core.docs import Dense
from hyperir.core.errors import CapabilityError, InputError
from hyperir.core.types import Differentiable, Docs, Hits, Linear, Relevance
from hyperir.index.engines import ENGINES
from hyperir.index.strategies.candidates import Pool, need_k
from hyperir.index.strategies.cells import kmeans

__all__ = ["FirstOrder"]


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

    type: Literal["firstorder"] = "firstorder"
    centroids: int = 512
    anchors: int = 4
    width: int = 200
    rounds: int = 3
    locality: float = 0.5
    engine: str | dict[str, Any] = "blocks"
    seed: int = 0


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
        built = self.build(config, docs) if built is None else built
        self._centroids = Dense(built["centroids"])
        self._engine = ENGINES.build(config.engine, docs=docs)

    @staticmethod
    def build(config: FirstOrderConfig, docs: Docs) -> dict[str, Tensor]:
        """`centroids` (C, D)."""
        return {"centroids": kmeans(docs, config.centroids, config.seed)}

    def search(self, f: Relevance[Any], k: int, allowed: Tensor | None = None) -> Hits:
        """The k best rows found, (Q, k); see :class:`hyperir.core.types.Strategy`.

        Raises:
            CapabilityError: f has no gradient.
        """
        need_k(k)
        if not isinstance(f, Differentiable):
            raise CapabilityError(
                "firstorder cannot serve this relevance function",
                expected="a function with the capability Differentiable",
                got=type(f).__name__,
                fix='strategy="exact" serves any function',
            )
        config = self.config
        pool = Pool(f, self.docs, max(k, config.anchors), allowed)
        queries, centroids = f.num_queries, self._centroids.shape[0]
        if queries and centroids:
            width = min(max(config.width, k), self.docs.shape[0])
            with torch.inference_mode():
                chosen = f(self._centroids).topk(min(config.anchors, centroids), dim=1).indices
            anchors: Docs = self._centroids[chosen]
            used = torch.empty(queries, 0, dtype=torch.int64)
            going = torch.ones(queries, dtype=torch.bool)
            for _ in range(config.rounds):
                found = self._engine.search(self._asked(f, anchors).flatten(0, 1), width, allowed)
                with torch.inference_mode():
                    going &= pool.offer(found.reshape(queries, -1).masked_fill(~going[:, None], -1))
                if not going.any():
                    break
                rows = _unused(pool.rows, used)[:, : config.anchors]
                used = torch.cat([used, rows], 1)
                # A query short of new anchors goes from its best again; one without any answer is done.
                anchors = self.docs[torch.where(rows < 0, pool.rows[:, :1], rows).clamp_min(0)]
        hits = pool.hits(k)
        return Hits(hits.rows, hits.scores, hits.scored + centroids)

    def _asked(self, f: Differentiable[Any], anchors: Docs) -> Tensor:
        """(Q, A, D), what the engine is asked for at the anchors."""
        assert isinstance(anchors, Dense)
        with torch.inference_mode(False):
            gradients = f.gradient(Dense(anchors.vectors.clone()))
        if isinstance(f, Linear):
            return gradients
        return normalize(gradients, dim=-1) + self.config.locality * normalize(anchors.vectors.float(), dim=-1)


def _unused(rows: Tensor, used: Tensor) -> Tensor:
    """(Q, n) rows, best first, those that were anchors moved behind as -1."""
    old = (rows[:, :, None] == used[:, None, :]).any(2) | (rows < 0)
    order = old.to(torch.int8).argsort(dim=1, stable=True)
    return rows.masked_fill(old, -1).gather(1, order)
