"""An index seen through a structure: the documents that it covers by its strategy, all later ones exhaustively."""

from __future__ import annotations

from typing import Any

import torch
from torch import Size, Tensor

from hyperir.core.errors import InputError
from hyperir.core.types import Hits, Relevance, Strategy
from hyperir.index.stored import Stored
from hyperir.index.strategies.exact import Exact, ExactConfig
from hyperir.index.table import RowTable
from hyperir.index.topk import best, check_allowed, check_budget, need_k

__all__ = ["Covered", "Grown"]


class Covered:
    """Some documents of an index, (S,), under numbers of their own, which stay when the index is changed.

    A document that has left the index keeps its number and has the vector of the next one that is there: searches lead
    through it, and `present` says that it is no answer.

    Args:
        docs: the index, (N,), N > 0.
        keys: of the documents, (S,) ascending.
        table: the rows of the index, for engines that search them.
    """

    def __init__(self, docs: Stored, keys: Tensor, table: RowTable | None = None) -> None:
        self._docs, self.keys, self.table = docs, keys, table
        self.rows = torch.searchsorted(docs.keys, keys).clamp_max(len(docs) - 1)
        self.present = docs.keys[self.rows] == keys
        self._all = len(keys) == len(docs) and bool(self.present.all())  # then numbers are rows

    @property
    def shape(self) -> Size:
        return self.rows.shape

    def __getitem__(self, numbers: Tensor | slice) -> Any:
        """The documents with these numbers; a slice is a view where they stand side by side."""
        if self._all:
            return self._docs[numbers]
        rows = self.rows[numbers]
        if isinstance(numbers, slice) and len(rows) and bool((rows.diff() == 1).all()):
            return self._docs[slice(int(rows[0]), int(rows[-1]) + 1)]
        return self._docs[rows]


class Grown:
    """A strategy over what it was built of, and exhaustive search over the rest, as one.

    Args:
        strategy: over `covered`.
        covered: what it was built of.
        docs: the whole index, (N,).
    """

    def __init__(self, strategy: Strategy[Any], covered: Covered, docs: Stored) -> None:
        self._strategy, self._covered = strategy, covered
        self._exact = Exact(ExactConfig(), docs=docs)
        self._later = torch.ones(len(docs), dtype=torch.bool)
        self._later[covered.rows[covered.present]] = False
        self._whole = bool(covered.present.all())
        self._extra = int(self._later.sum())  # counted once, for every search without a filter

    def search(self, f: Relevance[Any], k: int, allowed: Tensor | None = None, budget: int | None = None) -> Hits:
        """The k best rows found, (Q, k); see :class:`hyperir.core.types.Strategy`.

        Raises:
            InputError: the budget does not reach beyond the documents that came after the structure.
        """
        need_k(k)
        check_budget(budget)
        if allowed is not None:
            check_allowed(allowed, len(self._later))
            allowed = allowed.cpu()
        rows, present = self._covered.rows, self._covered.present
        inside = (None if self._whole else present) if allowed is None else allowed[rows] & present
        later, extra = self._later, self._extra
        if allowed is not None:
            later = later & allowed
            extra = int(later.sum())
        if budget is not None and budget <= extra:
            raise InputError(
                f"{extra:,} documents came after the structure, and all of them are scored",
                expected=f"a budget above {extra:,}",
                got=f"budget = {budget:,}",
                fix="build the structure again: `hyperir build`",
            )
        hits = self._strategy.search(f, k, inside, None if budget is None else budget - extra)
        found = torch.where(hits.rows < 0, -1, rows[hits.rows.clamp_min(0)])
        if not extra:
            return Hits(found, hits.scores, hits.scored)
        more = self._exact.search(f, k, later)
        both, order = torch.cat([found, more.rows], 1).sort(dim=1, stable=True)  # so that ties break by row
        scores, both = best(torch.cat([hits.scores, more.scores], 1).gather(1, order), both, k)
        return Hits(both, scores, hits.scored + more.scored)
