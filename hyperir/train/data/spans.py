"""Corpus pretraining: examples made of documents alone, without a query or a judgement."""

from __future__ import annotations

import hashlib
import math
import re
from array import array
from random import Random
from typing import Literal

from pydantic import Field, model_validator

from hyperir.core.config import Config
from hyperir.core.errors import CollectionError
from hyperir.core.progress import track
from hyperir.core.types import Row
from hyperir.corpus import open_collection
from hyperir.train.augmentations.crop import span
from hyperir.train.data.augmented import MARK
from hyperir.train.data.documents import Documents
from hyperir.train.data.example import Example

__all__ = ["SpansSet", "SpansSetConfig", "sentences"]

SENTENCE = re.compile(r"(?<=[.!?])\s+")


class SpansSetConfig(Config):
    """Configuration of a set of spans.

    Args:
        source: the documents, as `hyperir index` takes them.
        kind: "crops", two spans of a document, the first one the query (Contriever, Izacard et al., 2022; coCondenser,
            Gao and Callan, 2022); "cloze", a sentence and what is left of its document (the inverse cloze task, Lee et
            al., 2019); "whole", a span and its whole document, whose vector may come from an index.
        pairs: made of every document.
        shortest: share of a document's words in a span, at least.
        longest: share of a document's words in a span, at most.
        words: of a span at least; documents with fewer than twice as many are left out.
        stays: chance that the sentence of a "cloze" stays in its document, so that equal words count as well.
        seed: of all that is drawn.
    """

    type: Literal["spans"] = "spans"
    source: str
    kind: Literal["crops", "cloze", "whole"] = "crops"
    pairs: int = Field(1, ge=1)
    shortest: float = Field(0.05, ge=0, le=1)
    longest: float = Field(0.5, gt=0, le=1)
    words: int = Field(4, ge=1)
    stays: float = Field(0.1, ge=0, le=1)
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _in_order(self) -> SpansSetConfig:
        if self.shortest > self.longest:
            raise ValueError("shortest is larger than longest")
        return self


class SpansSet:
    """Of every document that is long enough so many pairs. They are drawn from the seed, the document and the pair.

    All that was made of one document is relevant to its spans, so that it is never a negative of them.
    """

    Config = SpansSetConfig
    understood = "documents alone, whose spans are queries"

    def __init__(self, config: SpansSetConfig) -> None:
        self._config = config
        self.documents = Documents(open_collection(config.source))
        self._usable = array("q")
        for number in track(range(len(self.documents)), "Measuring", len(self.documents), "documents"):
            text = self.documents.row(number)["text"]
            enough = len(text.split()) >= 2 * config.words
            if enough and (config.kind != "cloze" or len(sentences(text)) > 1):
                self._usable.append(number)
        if not self._usable:
            raise CollectionError(
                f"no document of {config.source} is long enough to be cut",
                expected=f"{2 * config.words} words" + (" in two sentences" if config.kind == "cloze" else ""),
                fix="data.words=FEWER",
            )

    @classmethod
    def accepts(cls, source: str) -> bool:
        """Never: whoever gives documents alone may have forgotten the queries."""
        return False

    def __len__(self) -> int:
        return len(self._usable) * self._config.pairs

    def __getitem__(self, i: int) -> Example:
        number, pair = divmod(i, self._config.pairs)
        row = self.documents.row(self._usable[number])
        query, _ = self._pair(row, pair)
        if self._config.kind == "whole":
            return Example(query, (row["id"],), (math.nan,), frozenset({row["id"]}))
        made = [f"{row['id']}{MARK}{each}" for each in range(self._config.pairs)]
        return Example(query, (made[pair],), (math.nan,), frozenset(made))

    def text(self, id: str) -> Row:  # noqa: A002 - as users say it
        """The other side of a pair, or with "whole" a document."""
        if self._config.kind == "whole":
            return self.documents[id]
        whole, _, pair = id.rpartition(MARK)
        row = self.documents[whole]
        # A span of the middle has no title; what is left of a document has.
        title = row.get("title") or "" if self._config.kind == "cloze" else ""
        return {"id": id, "title": title, "text": self._pair(row, int(pair))[1]}

    @property
    def fingerprint(self) -> str:
        """sha256 over the documents and all that cuts them."""
        what = self._config.model_dump_json(exclude={"source"})
        return self.documents.fingerprint_with(hashlib.sha256(what.encode()).hexdigest())

    def _pair(self, row: Row, pair: int) -> tuple[str, str]:
        """Query and document."""
        config = self._config
        draw = Random(f"{config.seed} {row['id']} {pair}")
        if config.kind == "cloze":
            found = sentences(row["text"])
            place = draw.randrange(len(found))
            stays = draw.random() < config.stays
            return found[place], " ".join(each for i, each in enumerate(found) if stays or i != place)
        words = row["text"].split()
        query, document = (" ".join(span(words, config.shortest, config.longest, config.words, draw)) for _ in range(2))
        return query, document


def sentences(text: str) -> list[str]:
    """Cut after full stops, exclamation and question marks that a space follows."""
    return [each for each in SENTENCE.split(text.strip()) if each]
