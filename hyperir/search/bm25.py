"""BM25, the first baseline: bm25s over English words, stop words removed, stemmed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from hyperir.core.errors import InputError
from hyperir.core.types import Hit, Row

__all__ = ["BM25"]

WORD = r"(?u)[^\W_]+"  # `os.path_join` is three words: names in documentation are searched by their parts


class BM25:
    """A searcher over documents held in memory.

    Args:
        rows: documents with "id", "text" and perhaps "title"; both are indexed.
        method: a variant of bm25s: "lucene" (its default), "robertson", "atire", "bm25l", "bm25+".
        k1: saturation of term frequency.
        b: strength of length normalisation.
    """

    def __init__(self, rows: Iterable[Row], *, method: str = "lucene", k1: float = 1.5, b: float = 0.75) -> None:
        import bm25s
        import Stemmer

        self.rows = list(rows)
        self._stemmer = Stemmer.Stemmer("english")
        self._engine = bm25s.BM25(method=method, k1=k1, b=b)
        self.scored = 0  # documents holding a word of the query, summed over the last search's queries
        if self.rows:
            texts = [f"{row.get('title') or ''}\n{row['text']}" for row in self.rows]
            self._engine.index(self._tokens(texts), show_progress=False)

    @property
    def nbytes(self) -> int:
        """Bytes of the inverted index in memory, without texts and the list of words."""
        if not self.rows:
            return 0
        return sum(int(self._engine.scores[part].nbytes) for part in ("data", "indices", "indptr"))

    def _tokens(self, texts: Sequence[str]) -> Any:
        import bm25s

        return bm25s.tokenize(
            list(texts), stopwords="en", stemmer=self._stemmer, token_pattern=WORD, show_progress=False
        )

    def search(self, queries: Sequence[str], k: int = 10) -> list[list[Hit]]:
        """The k best documents of every query that share a word with it."""
        if k < 1:
            raise InputError("k counts the answers wanted", expected="k >= 1", got=f"k = {k}")
        self.scored = 0
        return [self._one(query, k) for query in queries]

    def _one(self, query: str, k: int) -> list[Hit]:
        import numpy as np

        if not self.rows:
            return []
        words = self._tokens([query])
        names = {index: word for word, index in words.vocab.items()}
        known = [names[index] for index in words.ids[0] if names[index] in self._engine.vocab_dict]
        if not known:
            return []
        scores = self._engine.get_scores(known)
        found = np.flatnonzero(scores > 0)
        self.scored += len(found)
        best = found[np.argsort(-scores[found], kind="stable")[:k]]
        return [self._hit(int(row), float(scores[row]), rank) for rank, row in enumerate(best, 1)]

    def _hit(self, row: int, score: float, rank: int) -> Hit:
        found = self.rows[row]
        return Hit(found["id"], score, rank, found["text"], found.get("title") or "")
