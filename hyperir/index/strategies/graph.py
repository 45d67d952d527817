"""Graph search: documents are linked to near documents, and the relevance function decides where to go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from hyperir.core.config import Config
from hyperir.core.errors import CapabilityError, InputError
from hyperir.core.types import Differentiable, Docs, Hits, Relevance
from hyperir.index.strategies.built import check_points, check_rows
from hyperir.index.strategies.cells import kmeans
from hyperir.index.strategies.firstorder import FirstOrder, FirstOrderConfig
from hyperir.index.strategies.guitar import GuitarConfig, promising
from hyperir.index.strategies.hypencoder import HypencoderConfig, fixed_rounds
from hyperir.index.strategies.knn import knn, nearest
from hyperir.index.strategies.knn_faiss import knn_faiss
from hyperir.index.strategies.links import linked
from hyperir.index.strategies.prune import prune
from hyperir.index.strategies.visits import Visits, answer
from hyperir.index.strategies.walk import walk

__all__ = ["Graph", "distinct", "random_rows"]

CANDIDATES = 2  # neighbours found for each that pruning may keep
CENTROIDS = 512  # of the first-order round
EXACT = 300_000  # documents: beyond, finding neighbours exactly takes hours, for the time grows with their square


class GraphConfig(Config):
    """Configuration of graph search.

    Args:
        degree: edges a document has at most; one more where it leads to a part that else no walk would reach.
        prune: prune twice as many nearest neighbours to that (see `prune.py`); else keep the nearest.
        builder: what finds the neighbours: "exact" by matrix products, in bounded memory; "faiss" approximately, with a
            copy of the vectors in memory; "auto" is exact up to 300,000 documents, and beyond takes Faiss.
        ef: the best documents that are expanded before a query is done; more finds more.
        beam: documents of a query expanded in a round; more are fewer and larger rounds, and some needless steps.
        entries: where the walk starts: "random" documents, the same for all queries; "medoids", those nearest to
            k-means centroids; "firstorder", found for each query by one round of `firstorder`, whose function must be
            Differentiable.
        starts: how many of them; all are scored.
        rounds: at most; None goes on until every query is done.
        guitar: whether only neighbours in the direction of the gradient are scored; or how.
        preset: "hypencoder" searches as the paper does (see `hypencoder.py`); or its parameters. Of the other settings
            it takes `builder` and `seed` only; the paper's neighbours are exact.
        seed: of random documents and k-means.
    """

    search_only: ClassVar[frozenset[str]] = frozenset({"beam", "ef", "guitar", "rounds"})
    decisive: ClassVar[frozenset[str]] = frozenset({"preset"})  # "graph" alone never means the paper's

    type: Literal["graph"] = "graph"
    degree: int = 32
    prune: bool = True
    builder: Literal["auto", "exact", "faiss"] = "auto"
    ef: int = 64
    beam: int = 8
    entries: Literal["random", "medoids", "firstorder"] = "medoids"
    starts: int = 128
    rounds: int | None = None
    guitar: bool | GuitarConfig = False
    preset: Literal["hypencoder"] | HypencoderConfig | None = None
    seed: int = 0

    @property
    def gradients(self) -> GuitarConfig | None:
        """How the gradient prunes, if it does."""
        return (GuitarConfig() if self.guitar else None) if isinstance(self.guitar, bool) else self.guitar

    @property
    def paper(self) -> HypencoderConfig | None:
        """The parameters of the preset, if there is one."""
        return HypencoderConfig() if self.preset == "hypencoder" else self.preset

    def check(self) -> None:
        """Raise InputError for what cannot be."""
        paper, gradients = self.paper, self.gradients
        if paper is not None:
            paper.check()
            if beside := self.model_fields_set - {"type", "preset", "builder", "seed"}:
                raise InputError(
                    f"the preset leaves nothing to set by {', '.join(sorted(beside))}",
                    fix='give its own parameters, as in preset={"starts": 100000, "candidates": 328}',
                )
        for name in ("degree", "ef", "beam", "starts", "rounds"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name} is at least 1", got=f"{name} = {value}")
        if gradients is not None and (gradients.factor < 1 or gradients.top < 0):
            raise InputError(
                "gradient pruning keeps one neighbour or more",
                expected="factor >= 1, top >= 0",
                got=f"factor = {gradients.factor}, top = {gradients.top}",
            )


class Graph:
    """Walks from document to document, to where f is larger.

    Documents that a filter forbids are walked through; they are scored but do not come back. Where no more rows are
    allowed than a walk may score (`ef` times `degree`; with the preset |C0|), all of them are scored and none else.

    Args:
        config: see :class:`GraphConfig`.
        docs: (N,) of `Dense`.
        built: what `build` made of them; None makes it now.
    """

    Config = GraphConfig

    def __init__(self, config: GraphConfig, *, docs: Docs, built: Mapping[str, Tensor] | None = None) -> None:
        config.check()
        self.config, self.docs = config, docs
        built = self.build(config, docs) if built is None else built
        self._neighbours = built["neighbours"]
        self._entries = built.get("entries")
        self._first = None
        if "centroids" in built:
            first = FirstOrderConfig(rounds=1, width=config.starts, centroids=CENTROIDS, seed=config.seed)
            self._first = FirstOrder(first, docs=docs, built={"centroids": built["centroids"]})

    @staticmethod
    def build(config: GraphConfig, docs: Docs) -> dict[str, Tensor]:
        """`neighbours` (N, degree) int32, -1 for none; and `entries` (E,) int64 ascending, or `centroids` (C, D).

        Every document can be reached from the entries; from those that `firstorder` finds, where any is near a
        centroid. The preset's graph is as the paper's, with the parts that it has.

        Raises:
            MissingExtraError: Faiss is to find the neighbours and is not installed.
        """
        config.check()
        n, seed = docs.shape[0], config.seed
        exact = config.builder == "exact" or (config.builder == "auto" and n <= EXACT)
        paper = config.paper
        candidates = paper.degree if paper else config.degree * (CANDIDATES if config.prune else 1)
        neighbours = knn(docs, candidates) if exact else knn_faiss(docs, candidates, seed)
        if paper is not None:
            return {"neighbours": neighbours, "entries": random_rows(n, paper.starts, seed)}
        if config.prune:
            neighbours = prune(docs, neighbours, config.degree)
        if config.entries == "firstorder":
            centroids = kmeans(docs, CENTROIDS, seed)
            return {
                "neighbours": linked(docs, neighbours, distinct(nearest(centroids, docs, 1), n)),
                "centroids": centroids,
            }
        if config.entries == "medoids" and n > config.starts:
            entries = distinct(nearest(kmeans(docs, config.starts, seed), docs, 1), n)
        else:
            entries = random_rows(n, config.starts, seed)
        return {"neighbours": linked(docs, neighbours, entries), "entries": entries}

    @staticmethod
    def check(built: Mapping[str, Tensor], documents: int, width: int) -> None:
        """Raise ValueError or KeyError unless `build` can have made this."""
        check_rows(built, "neighbours", (documents, None), documents, dtype=torch.int32, none=True)
        if "centroids" in built:
            check_points(built, "centroids", (None, width))
        else:
            check_rows(built, "entries", (None,), documents)

    def search(self, f: Relevance[Any], k: int, allowed: Tensor | None = None, budget: int | None = None) -> Hits:
        """The k best rows found, (Q, k); see :class:`hyperir.core.types.Strategy`.

        Raises:
            CapabilityError: f has no gradient, and the entries or the pruning need one.
        """
        config = self.config
        needy = config.gradients is not None or self._first is not None
        if needy and not isinstance(f, Differentiable):
            raise CapabilityError(
                "graph cannot serve this relevance function with guitar, or from the entries firstorder",
                expected="a function with the capability Differentiable",
                got=type(f).__name__,
                fix='guitar=False and entries="medoids" serve any function',
            )
        paper = config.paper
        few = paper.starts if paper is not None else config.ef * self._neighbours.shape[1]
        return answer(f, self.docs, k, allowed, budget, few, lambda f, allowed: self._search(f, k, allowed, budget))

    def _search(self, f: Relevance[Any], k: int, allowed: Tensor | None, budget: int | None) -> Hits:
        config = self.config
        if (paper := config.paper) is not None:
            assert self._entries is not None
            return fixed_rounds(f, self.docs, self._neighbours, self._entries, k, allowed, paper, budget)
        visits = Visits(f, self.docs, budget=budget)

        def expand(rows: Tensor) -> Tensor:
            found = self._neighbours[rows.clamp_min(0)].long().masked_fill(rows[..., None] < 0, -1)
            if config.gradients is not None:
                found = promising(visits, rows, found, config.gradients)
            return found.flatten(1)

        start = self._start(visits, allowed)
        ef, beam, rounds = config.ef, config.beam, config.rounds
        return walk(visits, start, expand, k, ef=ef, beam=beam, rounds=rounds, allowed=allowed)

    def _start(self, visits: Visits, allowed: Tensor | None) -> tuple[Tensor, Tensor]:
        if self._first is None:
            assert self._entries is not None
            return visits.score_shared(self._entries)
        if visits.budget is not None and visits.budget < 6:
            raise InputError(
                "graph spends half of a budget on its first-order entries, which takes 3 at least",
                expected="a budget of 6 or more",
                got=f"budget = {visits.budget}",
            )
        budget = None if visits.budget is None else visits.budget // 2
        found = self._first.search(visits.f, self.config.starts, allowed, budget)
        visits.mark(found.rows)
        visits.scored += found.scored
        return found.rows, found.scores


def random_rows(n: int, count: int, seed: int) -> Tensor:
    """`count` of n rows, or all of them, ascending."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randperm(n, generator=generator)[:count].sort().values


def distinct(rows: Tensor, n: int) -> Tensor:
    """Which of n rows are among `rows`, of any shape, -1 for none; ascending."""
    there = torch.zeros(n, dtype=torch.bool)
    there[rows[rows >= 0]] = True
    return there.nonzero().flatten()
