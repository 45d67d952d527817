"""Which rows of an index pass a filter."""

from __future__ import annotations

from collections import OrderedDict
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from hyperir.index.commit import Column
from hyperir.index.filters import Filter, parse
from hyperir.index.held import LIMIT, Held
from hyperir.index.predicates import Target, predicate, targets
from hyperir.index.stored import Stored
from hyperir.index.table import RowTable

__all__ = ["Masks"]

KEPT = 16  # masks of the last filters: N bytes each


class Masks:
    """Evaluates filters over one commit, which never changes, and remembers the last answers.

    Args:
        table: the rows.
        columns: the metadata columns; None for an index that never held a row.
        docs: the vectors, whose keys say at which position a row stands.
        held: bytes of columns kept in memory; with 0 Lance evaluates every filter.
    """

    def __init__(self, table: RowTable, columns: tuple[Column, ...] | None, docs: Stored, held: int = LIMIT) -> None:
        self._table, self._columns, self._docs = table, columns, docs
        self._kept: OrderedDict[str, Tensor] = OrderedDict()
        self._held = Held(table, len(docs), held)

    @cached_property
    def _known(self) -> dict[str, Target]:
        schema = self._table.dataset.schema
        return targets(self._columns or (), dict(zip(schema.names, schema.types, strict=True)))

    def __call__(self, where: str | Filter) -> Tensor:
        """(N,) bool, True where the filter is true; the caller's own copy."""
        tree = parse(where) if isinstance(where, str) else where
        if self._columns is None:
            return torch.zeros(0, dtype=torch.bool)
        wanted = predicate(tree, self._known)
        # By the predicate, not by the tree: in Python 1, 1.0 and True are the same key.
        if wanted not in self._kept:
            mask = self._held.mask(tree, self._known)
            self._kept[wanted] = self._scanned(wanted) if mask is None else torch.from_numpy(mask)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(wanted)
        return self._kept[wanted].clone()

    def _scanned(self, wanted: str) -> Tensor:
        """What Lance finds for a predicate."""
        keys = self._docs.keys.numpy()
        mask = np.zeros(len(keys), dtype=np.bool_)
        for batch in self._table.scan(["key"], where=wanted):
            found = batch.column(0).to_numpy()
            places = np.searchsorted(keys, found)
            places, found = places[places < len(keys)], found[places < len(keys)]
            mask[places[keys[places] == found]] = True  # a key may have left the vectors, its row not yet the table
        return torch.from_numpy(mask)
