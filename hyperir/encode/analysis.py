"""Text into terms: words found, lowered, stop words left out, stemmed, and counted."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from itertools import chain
from typing import Any, Literal

import numpy as np
import torch
from pydantic import field_validator
from torch import Tensor

from hyperir.core.config import Config
from hyperir.core.docs import Sparse
from hyperir.core.errors import InputError, nearest
from hyperir.core.terms import compact, term_of

__all__ = ["Analyser", "AnalysisConfig"]

WORD = r"[^\W_]+"  # `os.path_join` is three words: names in documentation are searched by their parts
# Those that Lucene and bm25s leave out.
LUCENE = (
    "a an and are as at be but by for if in into is it no not of on or such that the their then there these they this "
    "to was will with"
)
ENGLISH = frozenset(LUCENE.split())
KNOWN = 1 << 20  # words whose terms are remembered: about 150 MB
DROPPED = -1


class AnalysisConfig(Config):
    """How texts become terms; part of a model's fingerprint, because it changes documents.

    Args:
        pattern: a regular expression; what it matches is a word.
        lowercase: words are lowered first.
        stop_words: words left out, before stemming: "english" (the 33 of Lucene), "none", or a list.
        stemmer: a Snowball stemmer, by the name of its language, or "none".
    """

    pattern: str = WORD
    lowercase: bool = True
    stop_words: Literal["english", "none"] | tuple[str, ...] = "english"
    stemmer: str = "english"

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            groups = re.compile(pattern).groups
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from None
        if groups > 1:
            raise ValueError("more than one group: which of them is the word? (?:...) groups without one")
        return pattern


def _stemmer(name: str) -> Any:
    if name == "none":
        return None
    import Stemmer

    known = Stemmer.algorithms()
    if name not in known:
        raise InputError(
            f"there is no stemmer named {name!r}",
            expected="none, or one of " + ", ".join(known),
            fix=nearest(name, known),
        )
    return Stemmer.Stemmer(name)


class Analyser(dict[str, int]):
    """Words to terms, each worked out once: the mapping itself is the memory. Several threads may use it.

    Args:
        config: see :class:`AnalysisConfig`.

    Raises:
        InputError: there is no such stemmer.
    """

    def __init__(self, config: AnalysisConfig) -> None:
        super().__init__()
        self.config = config
        self._find = re.compile(config.pattern).findall
        named = config.stop_words
        self._stop = ENGLISH if named == "english" else frozenset() if named == "none" else frozenset(named)
        self._stemmer = _stemmer(config.stemmer)
        self._turn = threading.Lock()  # Snowball's stemmers serve one thread at a time

    def __missing__(self, word: str) -> int:
        term = self._term(word)
        if len(self) >= KNOWN:
            self.clear()
        self[word] = term
        return term

    def _term(self, word: str) -> int:
        stem = "" if word in self._stop else self._stemmed(word)
        return term_of(stem) if stem else DROPPED

    def _stemmed(self, word: str) -> str:
        if self._stemmer is None:
            return word
        with self._turn:
            return str(self._stemmer.stemWord(word))

    def __reduce__(self) -> Any:
        return (Analyser, (self.config,))

    def words(self, text: str) -> list[str]:
        """The words of a text that count, stemmed, in order."""
        found = self._find(text.lower() if self.config.lowercase else text)
        stems = ("" if word in self._stop else self._stemmed(word) for word in found)
        return [stem for stem in stems if stem]

    def counts(self, texts: Iterable[str]) -> Sparse:
        """(N,): how often each text has each of its terms; terms ascend in a document."""
        term, find, lower = self.__getitem__, self._find, self.config.lowercase
        found = [find(text.lower() if lower else text) for text in texts]
        lengths = torch.tensor([len(words) for words in found], dtype=torch.int64)
        total = int(lengths.sum())
        terms = torch.from_numpy(np.fromiter(map(term, chain.from_iterable(found)), np.int64, total))
        return _counted(terms, torch.arange(len(found)).repeat_interleave(lengths), len(found))


def _counted(terms: Tensor, owners: Tensor, n: int) -> Sparse:
    from scipy.sparse import csr_array

    kept = terms != DROPPED
    words, places = compact(terms[kept])
    lengths = torch.bincount(owners[kept], minlength=n)
    indptr = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
    ones = np.ones(len(places), np.float32)
    rows = csr_array((ones, places.numpy(), indptr.numpy()), shape=(n, max(len(words), 1)))
    rows.sum_duplicates()
    return Sparse(
        torch.from_numpy(rows.indptr.astype(np.int64)),
        words[torch.from_numpy(rows.indices.astype(np.int64))],
        torch.from_numpy(rows.data),
    )
