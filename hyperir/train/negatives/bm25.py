"""Lexical negatives: the documents that BM25 likes best for the query, without its positives."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Literal

import numpy as np
from pydantic import Field

from hyperir.core.config import Config
from hyperir.core.errors import InputError
from hyperir.core.types import Row
from hyperir.search.bm25 import BM25
from hyperir.train.data.example import Example
from hyperir.train.negatives.pool import Pool, Quiet, allowed, draw

__all__ = ["Lexical", "LexicalConfig"]


class LexicalConfig(Config):
    """Configuration of lexical negatives.

    Args:
        depth: drawn from so many of BM25's best.
        skip: the best ones left out, which are the most likely to be relevant.
    """

    type: Literal["bm25"] = "bm25"
    depth: int = Field(200, ge=1)
    skip: int = Field(0, ge=0)


class Lexical(Quiet):
    """BM25's best documents, each with the same chance; a query is searched once.

    All texts are in memory. For large collections mine once, `hyperir mine --model bm25`, and take "listed" ones.
    """

    Config = LexicalConfig

    def __init__(self, config: LexicalConfig, *, pool: Pool) -> None:
        self._config, self._pool = config, pool
        self._found: dict[str, tuple[str, ...]] = {}

    def sample(self, examples: Sequence[Example], n: int, generator: np.random.Generator) -> list[list[str]]:
        """See :class:`hyperir.train.negatives.Negatives`."""
        return [draw(allowed(example, self._best(example.query)), n, generator) for example in examples]

    def _best(self, query: str) -> tuple[str, ...]:
        if query not in self._found:
            depth, skip = self._config.depth, self._config.skip
            self._found[query] = tuple(hit.id for hit in self._bm25.search([query], skip + depth)[0][skip:])
        return self._found[query]

    @cached_property
    def _bm25(self) -> BM25:
        if self._pool.text is None:
            raise InputError("BM25 needs the documents' texts, and this training has vectors only")
        return BM25([_row(id_, self._pool.text(id_)) for id_ in self._pool.ids])


def _row(id_: str, document: Row | str) -> Row:
    return {"id": id_, "text": document} if isinstance(document, str) else {**document, "id": id_}
