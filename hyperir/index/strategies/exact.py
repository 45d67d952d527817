"""Exhaustive search: score every document. Exact for any relevance function, in blocks, with bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Literal, TypeVar

import torch
from torch import Tensor

from hyperir.core.config import Config
from hyperir.core.docs import Dense, Multi, Sparse
from hyperir.core.errors import CapabilityError, InputError, VectorError
from hyperir.core.types import Castable, Docs, Hits, Relevance
from hyperir.index.strategies.bounded import bound_of, under_bound, width_of
from hyperir.index.topk import Best, allowed_rows, best, check_budget, need_k
from hyperir.index.workers import alone, share, workers

__all__ = ["Exact"]

Result = TypeVar("Result")

BUFFER_CELLS = 1 << 20  # scores held before the best are picked, over all queries: 4 MB
# The share of a block that must be allowed for all of it to be scored. Gathering costs time a row, so that it pays only
# below: measured on a CPU, below .3 for an inner product, .5 for 32 of them at once, and .7 for a 384-64-64-1 q-net.
DENSE = 0.5


class ExactConfig(Config):
    """Configuration of exhaustive search.

    Args:
        block: documents scored at once; 4,096 vectors of 384 numbers were fastest of 1,024 to 6,144 on a CPU.
        first_pass: "bfloat16" scores all documents with bfloat16 hidden layers, which is faster where the processor
            has them, and the best 2k + 64 again in full precision. Faster still over a bfloat16 copy of the vectors,
            which `build` makes: without it every search converts them again.
    """

    search_only: ClassVar[frozenset[str]] = frozenset({"block"})
    decisive: ClassVar[frozenset[str]] = frozenset({"first_pass"})  # "exact" alone never means a coarse first pass

    type: Literal["exact"] = "exact"
    block: int = 4096
    first_pass: Literal["full", "bfloat16"] = "full"


class Exact:
    """Scores all N documents, or all that may come back, whatever the function.

    A function with the capability Bounded scores only those that its bound cannot rule out; the answer is the same.

    Args:
        config: see :class:`ExactConfig`.
        docs: (N,) representations; only one block at a time is read.
        built: what `build` made of them, which may be memory-mapped; None works without.
    """

    Config = ExactConfig
    kinds: ClassVar[tuple[type[Docs], ...]] = (Dense, Multi, Sparse)

    def __init__(self, config: ExactConfig, *, docs: Docs, built: Mapping[str, Tensor] | None = None) -> None:
        if config.block < 1:
            raise InputError("a block holds at least one document", got=f"block = {config.block}")
        self.config, self.docs = config, docs
        self._coarse: Docs = Dense(built["vectors"]) if built else docs

    @staticmethod
    def build(config: ExactConfig, docs: Docs) -> dict[str, Tensor]:
        """`vectors` (N, D) in bfloat16 for a first pass in bfloat16, two bytes a number; nothing for a full one.

        Raises:
            CapabilityError: the documents are not vectors.
        """
        if config.first_pass == "full":
            return {}
        n = docs.shape[0]
        first = docs[slice(0, min(1, n))]
        if not isinstance(first, Dense):
            raise CapabilityError(
                "only vectors have a bfloat16 copy", expected="Dense documents", got=type(first).__name__
            )
        copy = torch.empty(n, first.vectors.shape[-1], dtype=torch.bfloat16)
        for at in range(0, n, config.block):
            copy[at : at + config.block] = docs[slice(at, min(at + config.block, n))].vectors  # type: ignore[attr-defined]
        return {"vectors": copy}

    @staticmethod
    def check(built: Mapping[str, Tensor], documents: int, width: int) -> None:
        """Raise ValueError or KeyError unless `build` can have made this for a first pass in bfloat16."""
        vectors = built["vectors"]
        if vectors.dtype != torch.bfloat16 or vectors.shape != (documents, width):
            raise ValueError(f"vectors is {vectors.dtype} of shape {tuple(vectors.shape)}")

    def search(self, f: Relevance[Any], k: int, allowed: Tensor | None = None, budget: int | None = None) -> Hits:
        """The k best rows of every query, (Q, k); ties broken by row; padded with -1 where k > N.

        Args:
            f: the relevance function of Q queries.
            k: how many.
            allowed: (N,) bool, True where a row may come back; None allows all.
            budget: documents scored for a query at most. It changes nothing of the answer.

        Raises:
            InputError: k < 1, `allowed` of another shape or type, or more documents to score than the budget.
            VectorError: the function gave NaN for a document that may come back.
        """
        need_k(k)
        check_budget(budget)
        rows = None if allowed is None else allowed_rows(allowed, self.docs.shape[0])
        if budget is not None:
            self._check_cost(k, self.docs.shape[0] if rows is None else len(rows), budget)
        if self.config.first_pass == "bfloat16":
            if not isinstance(f, Castable):
                raise CapabilityError(
                    "exact cannot make a bfloat16 first pass with this relevance function",
                    expected="a function with the capability Castable",
                    got=type(f).__name__,
                    fix='search with first_pass="full"',
                )
            coarse = self._scan(f.to(torch.bfloat16), self._coarse, self._again(k), rows, budget)
            return _settled(f, lambda: self._rescored(f, coarse, k))
        bound, count = bound_of(f), self.docs.shape[0] if rows is None else len(rows)
        # The bound is scored for all of them, and f for some besides.
        if bound is not None and count > 4 * width_of(k) and (budget is None or budget >= 2 * count):
            return under_bound(f, bound, self.docs, k, lambda g, many: self._scan(g, self.docs, many, rows, budget))
        return self._scan(f, self.docs, k, rows, budget)

    def _again(self, k: int) -> int:
        """How many are scored again after a coarse first pass."""
        return 2 * k + 64

    def _check_cost(self, k: int, count: int, budget: int) -> None:
        cost = count + (0 if self.config.first_pass == "full" else min(self._again(k), count))
        if cost > budget:
            raise InputError(
                f"exact scores every document, and the budget is below their number, {cost:,}",
                expected=f"a budget of {cost:,} or more",
                got=f"budget = {budget:,}",
                fix='strategy="auto" finds an approximate answer within the budget',
            )

    def _rescored(self, f: Relevance[Any], coarse: Hits, k: int) -> Hits:
        """The k best of the candidates, by f itself."""
        rows = coarse.rows.sort(dim=1).values  # ascending, so that ties break by row; padding first
        if self.docs.shape[0] == 0:
            return Hits(rows[:, :k], coarse.scores[:, :k])
        with torch.inference_mode():
            scores = f(self.docs[rows.clamp_min(0)]).masked_fill(rows < 0, -math.inf)
        top, kept = best(scores, rows, k)
        return Hits(kept, top, coarse.scored + int((rows >= 0).sum(1).max()) if len(rows) else 0)

    def _scan(self, f: Relevance[Any], docs: Docs, k: int, rows: Tensor | None, budget: int | None) -> Hits:
        queries, block = f.num_queries, self.config.block
        kept = Best(queries, k)
        if queries == 0:
            return kept.hits(0)
        held = min(max(4 * workers() * block, BUFFER_CELLS // queries // block * block), self.docs.shape[0])
        scores, places = torch.empty(queries, held), torch.empty(held, dtype=torch.int64)
        waiting: list[tuple[slice | Tensor, Tensor, slice]] = []
        filled = scored = 0

        def score(part: slice | Tensor, own: Tensor, to: slice) -> None:
            with torch.inference_mode():
                found = f(docs[part])
                scores[:, to] = found[:, own - part.start] if isinstance(part, slice) and _partly(part, own) else found
                places[to] = own  # in here, for the caller may be in inference mode, which threads do not inherit

        def settle() -> None:
            share(lambda one: score(*one), waiting)
            _settled(f, lambda: kept.offer(scores[:, :filled], places[:filled]))
            waiting.clear()

        for part, own in self._parts(rows, DENSE if budget is None else 1.0):
            if filled + len(own) > held:
                settle()
                filled = 0
            waiting.append((part, own, slice(filled, filled + len(own))))
            filled += len(own)
            scored += part.stop - part.start if isinstance(part, slice) else len(part)
        settle()
        hits = kept.hits(scored)
        if hits.scores.isnan().any():
            query, place = (int(i) for i in hits.scores.isnan().nonzero()[0])
            raise VectorError(
                f"the relevance function of query {query} gave NaN for row {int(hits.rows[query, place])}",
                expected="finite scores",
                fix="check the model's weights, and the vectors with `hyperir verify`",
            )
        return hits

    def _parts(self, rows: Tensor | None, dense: float) -> Iterator[tuple[slice | Tensor, Tensor]]:
        """What is scored at once, in ascending order: a whole block as a slice, or rows gathered from several blocks.

        Args:
            rows: those that may come back, ascending; None is all.
            dense: the share of a block that must be among them for all of it to be scored; 1 scores none in vain.

        Yields:
            what to take of the documents, and the rows among it that may come back, (n,).
        """
        n, block = self.docs.shape[0], self.config.block
        if rows is None:
            for at in range(0, n, block):
                end = min(at + block, n)
                yield slice(at, end), torch.arange(at, end)
            return
        counts = torch.bincount(rows // block, minlength=-(-n // block)).tolist()
        done = seen = 0
        for number, count in enumerate(counts):
            start, stop = number * block, min((number + 1) * block, n)
            if count and count >= dense * (stop - start):
                yield from ((part, part) for part in torch.split(rows[done:seen], block) if len(part))
                yield slice(start, stop), rows[seen : seen + count]
                done = seen + count
            seen += count
        yield from ((part, part) for part in torch.split(rows[done:seen], block) if len(part))


def _settled(f: Relevance[Any], work: Callable[[], Result]) -> Result:
    """What follows the scores of a block: for one query too little to wait for a second core."""
    return alone(work) if f.num_queries == 1 else work()


def _partly(part: slice, own: Tensor) -> bool:
    """Whether only some rows of a part may come back."""
    return len(own) < int(part.stop - part.start)
