"""Answers as people read them, from rows and scores."""

from __future__ import annotations

from collections.abc import Sequence

from hyperir.core.types import Hit, Hits
from hyperir.index.schema import OWN
from hyperir.index.store import Store

__all__ = ["read_hits", "read_scores"]


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
