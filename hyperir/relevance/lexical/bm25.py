"""BM25 in its five variants, as bm25s computes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from hyperir.core.config import Config
from hyperir.core.docs import Sparse
from hyperir.relevance.lexical.statistics import Statistics
from hyperir.relevance.sparse import SparseInner

__all__ = ["BM25"]


class BM25Config(Config):
    """Configuration of BM25.

    Args:
        variant: how term frequency and rarity are measured: "lucene" (of no negative rarity), "robertson" (the
            original; rarity floored at 0), "atire", "bm25l" and "bm25+" (which are kinder to long documents).
        k1: saturation of the term frequency; 0 looks only at whether a term occurs.
        b: strength of length normalisation, 0 to 1.
        delta: of "bm25l" and "bm25+": what every term of the query adds, whether it occurs or not.
    """

    type: Literal["bm25"] = "bm25"
    variant: Literal["robertson", "lucene", "atire", "bm25l", "bm25+"] = "lucene"
    k1: float = Field(default=1.5, ge=0)
    b: float = Field(default=0.75, ge=0, le=1)
    delta: float = Field(default=0.5, ge=0)


def rarity(config: BM25Config, documents: int, frequency: Tensor) -> Tensor:
    """(P,) float64: idf of terms by their document frequency; 0 for a term that no document has."""
    n, df = documents, frequency.double()
    odds = (n - df + 0.5) / (df + 0.5)
    values = {
        "robertson": lambda: odds.clamp_min(1).log(),
        "lucene": lambda: odds.log1p(),
        "atire": lambda: (n / df).log(),
        "bm25l": lambda: ((n + 1) / (df + 0.5)).log(),
        "bm25+": lambda: ((n + 1) / df).log(),
    }[config.variant]()
    return torch.where(df > 0, values, 0.0)


def absent(config: BM25Config) -> float:
    """What a term weighs in a document that does not have it; more than 0 in two variants."""
    k1, delta = config.k1, config.delta
    if config.variant == "bm25l":
        return (k1 + 1) * delta / (k1 + delta) if delta else 0.0
    return delta if config.variant == "bm25+" else 0.0


@dataclass(frozen=True)
class Saturation:
    """The document's side: counts -> weights, less what an absent term weighs. Each document by itself.

    Args:
        config: of BM25.
        mean_length: terms a document of the collection.
    """

    config: BM25Config
    mean_length: float

    def __call__(self, docs: Sparse) -> Sparse:
        return docs.weighted(self.listed(docs.weights, docs.sums()[docs.owners]))

    def listed(self, weights: Tensor, sums: Tensor) -> Tensor:
        """(P,) counts, and the lengths of their documents -> (P,) weights."""
        k1, b, delta, tf = self.config.k1, self.config.b, self.config.delta, weights
        length = 1 - b + b * sums / self.mean_length
        match self.config.variant:
            case "robertson" | "lucene":
                return tf / (tf + k1 * length)
            case "bm25l":
                ratio = tf / length
                return (k1 + 1) * (ratio + delta) / (k1 + ratio + delta) - absent(self.config)
            case "atire" | "bm25+":  # the latter adds delta to all terms, those that are absent included
                return tf * (k1 + 1) / (tf + k1 * length)


class BM25:
    """f(d) = sum over the query's terms, repetitions counted, of idf * weight in d."""

    Config = BM25Config

    def __init__(self, config: BM25Config) -> None:
        self.config = config

    def function(self, counts: Sparse, statistics: Statistics) -> SparseInner:
        """f of Q queries; terms that no document has count for nothing."""
        idf = rarity(self.config, statistics.documents, statistics.frequency(counts.terms))
        queries = counts.weighted((counts.weights * idf).float())
        weighing = Saturation(self.config, statistics.mean_length)
        return SparseInner(queries, weighing, absent(self.config) * queries.sums())
