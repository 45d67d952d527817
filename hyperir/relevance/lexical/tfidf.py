"""TF-IDF in SMART's letters, for documents and queries apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import AfterValidator
from torch import Tensor

from hyperir.core.config import Config
from hyperir.core.docs import Sparse
from hyperir.relevance.lexical.statistics import Statistics
from hyperir.relevance.sparse import SparseDistance, SparseInner, normalized

__all__ = ["TFIDF"]

FREQUENCY, RARITY, LENGTH = "nbla", "ntpsi", "nc"


def _smart(letters: str) -> str:
    sides = letters.split(".")
    if len(sides) > 2 or not all(
        len(side) == 3 and side[0] in FREQUENCY and side[1] in RARITY and side[2] in LENGTH for side in sides
    ):
        raise ValueError(
            f"three letters, of {FREQUENCY!r}, {RARITY!r} and {LENGTH!r}, or twice three: documents.queries, as lnc.ltc"
        )
    return letters


class TFIDFConfig(Config):
    """Configuration of TF-IDF.

    Args:
        smart: the weights of documents and, behind a point, of queries, as "lnc.ltc"; three letters serve both. Term
            frequency: n the count, b one, l 1 + ln(count), a half plus half of the count by the largest of the text.
            Rarity: n none, t ln(N/df), p ln((N - df)/df) or 0 where that is less, s ln((1 + N)/(1 + df)) + 1, i
            ln(N/df) + 1; the last two are scikit-learn's, with and without `smooth_idf`. Length: n none, c cosine.
        similarity: "inner"; "cosine", of unit vectors whatever the letters say; or "l2", minus the squared distance.
    """

    type: Literal["tfidf"] = "tfidf"
    smart: Annotated[str, AfterValidator(_smart)] = "lnc.ltc"
    similarity: Literal["inner", "cosine", "l2"] = "inner"


def _frequency(letter: str, counts: Sparse) -> Tensor:
    tf = counts.weights
    match letter:
        case "b":
            return torch.ones_like(tf)
        case "l":
            return 1 + tf.log()
        case "a":
            largest = tf.new_zeros(len(counts.indptr) - 1).scatter_reduce(0, counts.owners, tf, "amax")
            return 0.5 + 0.5 * tf / largest[counts.owners]
        case _:
            return tf


def _rarity(letter: str, statistics: Statistics, terms: Tensor) -> Tensor:
    """Of a term that no document has, 0: it cannot match, but would lengthen the query's vector."""
    n, df = statistics.documents, statistics.frequency(terms).double()
    match letter:
        case "t":
            values = (n / df).log()
        case "p":
            values = ((n - df) / df).clamp_min(1).log()
        case "s":
            values = ((1 + n) / (1 + df)).log() + 1
        case _:
            values = (n / df).log() + 1
    return torch.where(df > 0, values, 0.0).float()


@dataclass(frozen=True)
class Letters:
    """One side: counts -> weights. Each text by itself.

    Args:
        letters: three of SMART's.
        statistics: of the collection, where rarity counts.
        unit: divide by the length, whatever the last letter.
    """

    letters: str
    statistics: Statistics | None
    unit: bool

    def __call__(self, counts: Sparse) -> Sparse:
        frequency, rarity, length = tuple(self.letters)
        weights = _frequency(frequency, counts)
        if self.statistics is not None:
            weights = weights * _rarity(rarity, self.statistics, counts.terms)
        weighted = counts.weighted(weights)
        return normalized(weighted) if self.unit or length == "c" else weighted


class TFIDF:
    """Vectors of terms on both sides, compared as the configuration says."""

    Config = TFIDFConfig

    def __init__(self, config: TFIDFConfig) -> None:
        self.config = config

    def function(self, counts: Sparse, statistics: Statistics) -> SparseInner | SparseDistance:
        """f of Q queries."""
        sides = self.config.smart.split(".")
        unit = self.config.similarity == "cosine"
        weighing, asking = (
            # Without rarity the statistics must not matter, so that an inverted index keeps its weights as they change.
            Letters(side, None if side[1] == "n" else statistics, unit)
            for side in (sides[0], sides[-1])
        )
        queries = asking(counts)
        if self.config.similarity == "l2":
            return SparseDistance(queries, weighing)
        return SparseInner(queries, weighing, torch.zeros(queries.shape[0]))
