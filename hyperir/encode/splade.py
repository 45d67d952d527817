"""SPLADE of any masked-language model: a document is weights of the vocabulary's terms, a query too, or its own terms.

Formal et al., "SPLADE: Sparse Lexical and Expansion Model for First Stage Ranking", SIGIR 2021.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch

from hyperir.encode.backbone import Backbone
from hyperir.encode.config import TermsConfig, TextEncoderConfig
from hyperir.encode.masked import split
from hyperir.encode.model import Model
from hyperir.encode.sources import HubOptions, locate
from hyperir.encode.text_encoder import TextEncoder
from hyperir.encode.transformer import read_tokenizer, read_transformer

__all__ = ["splade"]


def splade(
    name: str | Path,
    *,
    pool: Literal["max", "sum"] = "max",
    queries: Literal["encoded", "bag", "weighted"] = "encoded",
    query_length: int = 64,
    document_length: int = 256,
    options: HubOptions | None = None,
) -> Model:
    """A SPLADE model of a masked-language model: one that is to be trained, or a published one in that format.

    Args:
        name: a folder or hub id of a masked-language model, as "distilbert-base-uncased" or
            "naver/splade-cocondenser-ensembledistil".
        pool: of the tokens' weights: their maximum, or their sum as in SPLADE's first version.
        queries: "encoded" as documents are; "bag" reads no transformer and gives every token of the query the weight 1,
            as document-only SPLADE; "weighted" gives it a learned weight, which starts as 1.
        query_length: tokens, at most.
        document_length: tokens, at most.
        options: how the hub may be used.

    Raises:
        ModelError: there is no such model, or it has no masked-language head.
    """
    options = HubOptions() if options is None else options
    folder = locate(str(name), options)
    masked = read_transformer(folder, torch.float32, allow_pickle=options.allow_pickle, masked=True)
    transformer, head = split(masked)
    known = str(folder) if Path(name).expanduser().is_dir() else str(name)
    backbone = Backbone(transformer, read_tokenizer(folder), known, head)
    terms = TermsConfig(pool=pool)
    asked = {"encoded": terms, "bag": TermsConfig(pool="bag"), "weighted": TermsConfig(pool="bag", learned=True)}
    document = TextEncoderConfig(max_length=min(document_length, backbone.longest), terms=terms)
    query = TextEncoderConfig(max_length=min(query_length, backbone.longest), terms=asked[queries])
    return Model(TextEncoder(backbone, document), TextEncoder(backbone, query), "dot").eval()
