"""`config.json` of a model folder, checked strictly."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny, model_validator

from hyperir.core.config import Config
from hyperir.encode.pool import Pooling
from hyperir.relevance import RELEVANCE

__all__ = [
    "FORMAT",
    "FORMAT_VERSION",
    "BackboneConfig",
    "ModelConfig",
    "TermsConfig",
    "TextEncoderConfig",
    "TokensConfig",
    "Untrained",
    "WordsConfig",
]

FORMAT = "hyperir-model"
FORMAT_VERSION = 1


class TermsConfig(Config):
    """How one side turns a text into weights of a vocabulary's terms.

    Args:
        pool: of logits over the tokens: "max" (SPLADE since its second version), "sum" (its first), "mean" (SNRM); or
            "bag", which computes nothing: every token of the text weighs 1 once, as queries of document-only SPLADE.
        logs: how often log(1 + x) is taken of relu(logit): 1 for SPLADE, 2 for some of its kin, 0 for SNRM.
        learned: with "bag", every term has a weight that is learned, 1 at first, instead of 1.
    """

    pool: Literal["max", "sum", "mean", "bag"] = "max"
    logs: Literal[0, 1, 2] = 1
    learned: bool = False

    @model_validator(mode="after")
    def _learned_bag(self) -> TermsConfig:
        if self.learned and self.pool != "bag":
            raise ValueError('terms.learned: weights that are not computed are those of pool "bag"')
        return self


class TokensConfig(Config):
    """How one side turns a text into a vector of every token, as ColBERT does.

    Args:
        marker: a token put behind the first one, which tells queries from documents; "" for none.
        fill: the token that fills every text up to `max_length` and has vectors like any other; "" for none.
        attend: whether the transformer attends to what fills up.
        skip: tokens that get no vector, as punctuation in documents.
    """

    marker: str = ""
    fill: str = ""
    attend: bool = False
    skip: tuple[str, ...] = ()


class WordsConfig(Config):
    """How one side sketches a text's words, see :mod:`hyperir.encode.words`.

    Args:
        side: "document", whose counts saturate as in BM25; or "query", whose vector is divided by its weights' sum.
        width: D of the sketch.
        scale: of queries' vectors: what all of a query's words, once in a document of mean length, add to its score.
        k1: of documents; the smaller, the sooner a repeated token counts no more.
        b: of documents; from 0, their length does not matter, to 1.
        length: tokens of a document, on average.
        cells: numbers of the sketch in which every token is counted, each in a row of its own, so that the smallest of
            them is its count; 0 for a sketch of random signs, which an inner product reads.
    """

    side: Literal["query", "document"]
    width: int = Field(ge=1)
    cells: int = Field(default=0, ge=0)
    scale: float = Field(default=0.25, gt=0)
    k1: float = Field(default=1.2, ge=0)
    b: float = Field(default=0.75, ge=0, le=1)
    length: float = Field(default=100.0, gt=0)

    @model_validator(mode="after")
    def _room_for_cells(self) -> WordsConfig:
        if self.cells > self.width:
            raise ValueError(f"words.cells: {self.cells} rows of cells need a width of as many, not {self.width}")
        return self


class TextEncoderConfig(Config):
    """How one side, queries or documents, turns token states into vectors.

    Args:
        pool: a pooling of :mod:`hyperir.encode.pool`, or several, whose vectors stand side by side; with `tokens` it is
            not used.
        truncate: D of vectors that are cut to their first numbers, before they get length 1 (Matryoshka); None leaves
            them whole.
        normalize: vectors get length 1.
        prompt: put before every text.
        max_length: tokens of a text, special tokens included; the rest is cut off.
        project: D after a learned linear map of the vectors, which comes last, and with `tokens`
            before they get length 1; None leaves them as wide as the states.
        tokens: a vector of every token instead of one of the text; None for one of the text.
        terms: weights of a vocabulary's terms in place of a vector; then `pool` is not used.
        words: a sketch of the text's words beside its vector, not normalised; None for none.
    """

    pool: Pooling | tuple[Pooling, ...] = "mean"
    truncate: int | None = Field(default=None, ge=1)
    normalize: bool = False
    prompt: str = ""
    max_length: int = Field(default=512, ge=4)
    project: int | None = Field(default=None, ge=1)
    tokens: TokensConfig | None = None
    terms: TermsConfig | None = None
    words: WordsConfig | None = None

    @model_validator(mode="after")
    def _terms_alone(self) -> TextEncoderConfig:
        if self.terms is not None and (self.normalize or self.project is not None):
            raise ValueError("terms: their weights are neither normalised nor projected")
        if self.truncate is not None and (self.terms is not None or self.tokens is not None):
            raise ValueError("truncate: vectors are cut where a text has one")
        if self.words is not None and not (self.terms is None and self.tokens is None and self.project is None):
            raise ValueError("words: they stand beside one vector of a text, which is not projected")
        if self.pool == ():
            raise ValueError("pool: at least one")
        if self.terms is not None and self.tokens is not None:
            raise ValueError("terms: a text is weights of terms, or vectors of tokens")
        return self


class BackboneConfig(Config):
    """Where the transformer comes from: the folder's own weights, or another model that it refers to.

    Args:
        id: the model referred to; None for own weights.
        fingerprint: what the backbone referred to must have.
        changes: some weights of the model referred to are replaced by those in the folder, of any type.
        config: the transformers configuration of own weights.
        pad_id: the padding token of the own tokenizer.
        dtype: of the weights.
    """

    id: str | None = None
    fingerprint: str | None = None
    changes: bool = False
    config: dict[str, Any] | None = None
    pad_id: int = 0
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"

    @model_validator(mode="after")
    def _one_source(self) -> BackboneConfig:
        if (self.id is None) == (self.config is None):
            raise ValueError("a backbone has either an id or the config of its own weights")
        if self.changes and self.id is None:
            raise ValueError("changes are of a backbone with an id")
        return self


class Untrained(Config):
    """The relevance function has not learned anything yet.

    Args:
        seed: its weights are drawn with this seed where the folder holds none.
    """

    seed: int = 0


class ModelConfig(Config):
    """The whole of `config.json`.

    Args:
        format: tells this file from others of its name.
        format_version: of this layout.
        backbone: the documents' transformer, and the queries' if they have none of their own.
        query_backbone: the queries' own transformer, or None.
        query: the query side.
        document: the document side.
        relevance: a member of `RELEVANCE`.
        untrained: present as long as the relevance function is.
    """

    format: Literal["hyperir-model"] = "hyperir-model"
    format_version: Literal[1] = 1
    backbone: BackboneConfig
    query_backbone: BackboneConfig | None = None
    query: TextEncoderConfig
    document: TextEncoderConfig
    relevance: Annotated[SerializeAsAny[Config], BeforeValidator(RELEVANCE.parse)]
    untrained: Untrained | None = None
