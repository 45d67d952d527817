"""What decides an adaptation, in one place that is checked strictly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny, model_validator

from hyperir.core.config import Config
from hyperir.relevance.qnets import QNETS

__all__ = ["OWN_TEACHERS", "Settings", "form_of"]

OWN_TEACHERS = ("fused", "bm25", "vectors", "none")
RATES = {
    "head": (1e-4, 3e-4, 1e-3, 3e-3),
    "q-net": (3e-5, 1e-4, 3e-4),
    "words": (1e-3, 3e-3, 1e-2),
    "all": (2e-5, 5e-5, 1e-4),
}


def form_of(form: Mapping[str, Any] | Config | str) -> Config:
    """A q-net for use beside the inner product: it starts as zero where its member can, unless that is said otherwise.

    Raises:
        UnknownNameError, ConfigError: there is no such member or setting.
    """
    values = {"type": form} if isinstance(form, str) else form.model_dump() if isinstance(form, Config) else dict(form)
    plain = QNETS.parse({"type": values.get("type")})
    return QNETS.parse({"scaled": True} | values if "scaled" in type(plain).model_fields else values)


class Settings(Config):
    """How a relevance function is fitted to an index.

    Args:
        queries: a file of queries that people asked, JSON lines or TSV.
        qrels: which documents answer them, by judges or by clicks; None for a log of queries alone.
        collection: instead of both a collection with judgements, as `hyperir eval` takes.
        split: of the collection.
        teacher: what scores candidates: "fused" (BM25 and the index's own function, half each), "bm25", "vectors" (the
            index's own function), "none" (known answers alone), or models as `hyperir teach` takes.
        relevance: "dot", the inner product with a query vector that is learned; or "hyper", with a q-net that the query
            writes beside it, and of words in cells their weights. None is what the index has, and "dot" where it has
            the inner product alone: a q-net gains nothing certain over that (docs/when-to-use.md).
        form: the q-net, a member of `QNETS`, which makes `relevance` "hyper"; None is that of the index's function, or
            "shared".
        learn: "head" learns the relevance function over the query encoder as it is; "all" the query encoder as well.
            None is "all" where that gains most: where the index has the inner product and "dot" is learned, and where
            it counts words in cells; else "head".
        width: D of narrower documents, for a new index: their vectors are cut to principal components by a map that
            learns, and "hyper" is what reads them if no `relevance` is said. None keeps the index's.
        steps: of training, for each rate.
        rates: learning rates that are tried; validation chooses. None takes those usual for what is learned.
        encoder_rate: of the query encoder, where it learns beside a function whose `rates` are others; None is theirs.
        linear_rate: of the query's vector beside a q-net, which wants a higher one than the network; for documents of
            length 1, and divided by theirs.
        shares: of the trained weights against those before, which validation chooses from as well.
        batch: queries of a step.
        candidates: documents that the teacher scores for a query.
        asked: queries that people asked, at most; of more so many are drawn.
        made: queries made of the documents, at most: titles and spans.
        generator: a model that writes questions for documents (doc2query), a folder or hub id; None writes none.
        generated: documents that it writes a question for, at most; each is written token by token.
        held_documents: shares of the documents kept from training: for the test, and for validation.
        held_queries: the same of the queries about the other documents.
        measure: decides; a name of ir_measures.
        level: of the tests.
        seed: of all that is drawn.
    """

    queries: str | None = None
    qrels: str | None = None
    collection: str | None = None
    split: str = "train"
    teacher: tuple[str, ...] = Field(default=("fused",), min_length=1)
    relevance: Literal["hyper", "dot"] | None = None
    form: Annotated[SerializeAsAny[Config], BeforeValidator(form_of)] | None = None
    learn: Literal["head", "all"] | None = None
    width: int | None = Field(default=None, ge=1)
    steps: int = Field(default=300, ge=1)
    rates: tuple[float, ...] | None = None
    encoder_rate: float | None = Field(default=None, ge=0)
    linear_rate: float = Field(default=1e-3, ge=0)
    shares: tuple[float, ...] = (1.0, 0.7, 0.4)
    batch: int = Field(default=32, ge=2)
    candidates: int = Field(default=32, ge=2)
    asked: int = Field(default=10_000, ge=1)
    made: int = Field(default=6000, ge=0)
    generator: str | None = None
    generated: int = Field(default=1000, ge=1)
    held_documents: tuple[float, float] = (0.15, 0.1)
    held_queries: tuple[float, float] = (0.2, 0.1)
    measure: str = "nDCG@10"
    level: float = Field(default=0.05, gt=0, lt=1)
    seed: int = Field(default=0, ge=0)

    def tried(self, *, network: bool, length: float, words: bool = False) -> tuple[float, ...]:
        """The learning rates for documents of a mean length.

        Those of a head that writes a network are lower, those of the words' weights beside a query's vector higher.
        """
        if self.rates is not None:
            return self.rates
        if network or self.learn == "all":
            return RATES["q-net" if network else "all"]
        return tuple(rate / length for rate in RATES["words" if words else "head"])

    @property
    def taught(self) -> bool:
        """Whether a teacher scores candidates."""
        return self.teacher != ("none",)

    @model_validator(mode="after")
    def _fits_together(self) -> Settings:
        if self.qrels is not None and self.queries is None:
            raise ValueError("qrels: judgements of which queries? give `queries`, or a `collection`")
        if self.collection is not None and self.queries is not None:
            raise ValueError("collection: it has queries and judgements of its own; give one or the other")
        if len(self.teacher) > 1 and any(name in OWN_TEACHERS for name in self.teacher):
            raise ValueError(f"teacher: {', '.join(OWN_TEACHERS)} teach alone; several models may be named")
        if self.form is not None and self.relevance == "dot":
            raise ValueError("form: the inner product has no q-net; leave out one of both")
        if any(not 0 < share <= 1 for share in self.shares) or not self.shares:
            raise ValueError("shares: of the trained weights, more than 0 and at most 1")
        if self.rates is not None and (not self.rates or any(rate < 0 for rate in self.rates)):
            raise ValueError("rates: one learning rate or several, none below 0")
        for test, validation in (self.held_documents, self.held_queries):
            if not (0 < test < 1 and 0 < validation < 1 and test + validation < 1):
                raise ValueError("held_documents, held_queries: shares above 0 that leave something to learn from")
        return self
