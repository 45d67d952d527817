"""Models whose vectors also hold words: `with_words`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from hyperir.core.errors import InputError
from hyperir.core.progress import track
from hyperir.core.types import Row
from hyperir.encode.config import TextEncoderConfig, WordsConfig
from hyperir.encode.model import Model
from hyperir.encode.text_encoder import TextEncoder
from hyperir.encode.texts import document_text, sequence

__all__ = ["with_words"]

BLOCK = 4096  # texts whose tokens are counted at once
# Chosen by benchmarks/model/widths.py: cells tell words with less error, so these may say more.
SCALE, SIGNED_SCALE = 0.4, 0.25


def with_words(
    model: Model,
    documents: Sequence[Row | str],
    *,
    width: int = 640,
    scale: float | None = None,
    cells: int = 3,
    least: float = 1.0,
) -> Model:
    """The same model with a sketch of words beside its vectors, D wide instead of H: D = H + width.

    Args:
        model: of one vector a text, with a relevance function that learned nothing. It shares its transformers.
        documents: N of them, whose tokens' document frequencies make idf; those to be searched, or others like them.
        width: numbers of the sketch; the fewer, the more often words are taken for others.
        scale: the score of a document that has all words of a query once, is of mean length and says nothing else;
            an inner product of unit vectors is 1 at most. None is what suits the form, .4 and .25.
        cells: in which every token is counted, for a network of the query that reads the smallest (`hyper_words`); 0
            for random signs, which an inner product reads less well and every vector database can.
        least: tokens of a smaller idf count nothing, as the words that every text has.

    Raises:
        InputError: no documents; cells over vectors that are not compared by inner product; or a model of another kind,
            that has words already, or has learned.
    """
    learned = any(True for _ in model.relevance.parameters()) or model.document.projection is not None
    if model.kind != "dense" or learned or model.document.config.words is not None:
        raise InputError(
            f"no words can stand beside the vectors of {model.name!r}",
            expected="a model of one vector a text without words, compared by dot, cosine or l2",
            got=f"kind {model.kind!r}, relevance {model.relevance_config.model_dump()['type']!r}",
        )
    texts = [document_text(row) for row in sequence(documents, "document")]
    if not texts:
        raise InputError("words are counted in documents", expected="at least one", got="none")
    if cells and model.relevance_config.model_dump()["type"] != "dot":
        raise InputError(
            f"words in cells stand beside an inner product, and {model.name!r} is compared otherwise",
            expected="relevance 'dot', or cells=0",
            got=repr(model.relevance_config.model_dump()["type"]),
        )
    idf, length = _counted(model.document, texts)
    weights = torch.where(idf < least, 0.0, idf).sqrt()
    scale = (SCALE if cells else SIGNED_SCALE) if scale is None else scale
    document = WordsConfig.parse({"side": "document", "width": width, "length": length, "cells": cells})
    query = WordsConfig.parse({"side": "query", "width": width, "scale": scale, "cells": cells})
    made = Model(
        _beside(model.document, document, weights),
        _beside(model.query, query, weights),
        {"type": "hyper_words", "weigh": False} if cells else model.relevance_config,
        seed=model.seed,
    )
    return made.eval()


def _beside(side: TextEncoder, words: WordsConfig, weights: Tensor) -> TextEncoder:
    made = TextEncoder(side.backbone, TextEncoderConfig.parse(side.config.model_dump() | {"words": words.model_dump()}))
    assert made.words is not None, "the configuration has them"
    made.words.weights.copy_(weights)
    return made


def _counted(side: TextEncoder, texts: Sequence[str]) -> tuple[Tensor, float]:
    """(V,) idf of the tokens, as Lucene's BM25 has it, 0 for special ones; and texts' mean number of tokens."""
    tokenizer, length = side.backbone.tokenizer, side.config.max_length
    found, total = np.zeros(len(tokenizer.tokens), dtype=np.int64), 0
    for start in track(range(0, len(texts), BLOCK), "Counting words", unit="blocks"):
        for ids in tokenizer(texts[start : start + BLOCK], length, special=False):
            found[np.unique(ids)] += 1
            total += len(ids)
    idf = np.log1p((len(texts) - found + 0.5) / (found + 0.5))
    idf[tokenizer.special.numpy()] = 0.0
    return torch.from_numpy(idf).float(), total / len(texts)
