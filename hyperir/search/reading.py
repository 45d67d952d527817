"""Answers as people read them, from rows and scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from hyperir.core.types import Hit, Hits, Relevance
from hyperir.index.schema import OWN
from hyperir.index.store import Store
from hyperir.relevance.sparse import SparseInner

__all__ = ["read_hits", "read_scores", "without_strangers"]


def read_hits(store: Store, rows: Sequence[int], scores: Sequence[float]) -> list[Hit]:
    """The documents of one query's rows, best first, with texts and metadata; rows of -1 pad and are left out."""
    kept = [row for row in rows if row >= 0]
    hits = []
    for rank, (row, score) in enumerate(zip(store.rows(kept), scores, strict=False), 1):
        metadata = {key: value for key, value in row.items() if key not in OWN}
        hits.append(Hit(row["id"], score, rank, row["text"], row["title"], metadata))
    return hits


def read_scores(store: Store, hits: Hits) -> list[dict[str, float]]:
    """The answers to Q queries without their texts: for each, document id -> score in rank order."""
    found = []
    for rows, scores in zip(hits.rows.tolist(), hits.scores.tolist(), strict=True):
        kept = [row for row in rows if row >= 0]
        found.append(dict(zip(store.ids(kept), scores[: len(kept)], strict=True)))
    return found


def without_strangers(f: Relevance[Any], hits: Hits) -> Hits:
    """The answers without documents that share no term with the query, where relevance is an inner product of terms.

    To an exhaustive search these are answers like others, all with the score of an empty document.
    """
    if not isinstance(f, SparseInner):
        return hits
    strangers = hits.scores == f.shift[:, None]
    order = strangers.int().sort(dim=1, stable=True).indices
    gone = strangers.gather(1, order)
    rows, scores = hits.rows.gather(1, order), hits.scores.gather(1, order)
    return Hits(rows.masked_fill(gone, -1), scores.masked_fill(gone, -math.inf), hits.scored)
