"""A recipe: everything that decides what a training makes, in one file that is checked strictly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny, model_validator

from hyperir.core.config import Config
from hyperir.encode.pool import Pooling
from hyperir.relevance import RELEVANCE
from hyperir.train.batches import BATCHES
from hyperir.train.data import SETS
from hyperir.train.losses import LOSSES
from hyperir.train.negatives import NEGATIVES
from hyperir.train.regularisers import REGULARISERS
from hyperir.train.stages import StageRecipe, merged

__all__ = [
    "BatchRecipe",
    "LoraRecipe",
    "LossRecipe",
    "ModelRecipe",
    "OptimizerRecipe",
    "Recipe",
    "RegimeRecipe",
    "RunRecipe",
    "SpladeRecipe",
    "ValidationRecipe",
]


class SpladeRecipe(Config):
    """The start is a masked-language model, and becomes SPLADE; see :func:`hyperir.encode.splade.splade`.

    Args:
        pool: of the tokens' weights.
        queries: "encoded" as documents are, or their own tokens: "bag" with weight 1, "weighted" with learned ones.
    """

    pool: Literal["max", "sum"] = "max"
    queries: Literal["encoded", "bag", "weighted"] = "encoded"


class ModelRecipe(Config):
    """What is trained.

    Args:
        start: the model to start from, whatever `hyperir.load` takes.
        relevance: a member of `RELEVANCE` whose weights are drawn anew; None keeps the start's.
        separate: queries get a transformer of their own, a copy at the start; for trained documents.
        project: D of narrower document vectors, by a linear map that is learned, from an index's principal components
            or a random rotation; None keeps the width. The queries' own map learns where their transformer does.
        query_length: tokens of a query, at most; None keeps the start's.
        document_length: tokens of a document, at most; None keeps the start's.
        dropout: of the transformers; None keeps theirs.
        pool: of both sides, a pooling or several side by side; None keeps the start's.
        normalize: vectors of both sides get length 1; None keeps what the start does.
        splade: make weights of terms of a masked-language model's logits; None keeps what the start makes.
    """

    start: str = "all-MiniLM-L6-v2"
    relevance: Annotated[SerializeAsAny[Config], BeforeValidator(RELEVANCE.parse)] | None = None
    separate: bool = False
    project: int | None = Field(default=None, ge=1)
    query_length: int | None = Field(default=None, ge=4)
    document_length: int | None = Field(default=None, ge=4)
    dropout: float | None = Field(default=None, ge=0, lt=1)
    pool: Pooling | tuple[Pooling, ...] | None = None
    normalize: bool | None = None
    splade: SpladeRecipe | None = None


class LoraRecipe(Config):
    """Low-rank changes of the transformers in place of their weights, by peft.

    Args:
        rank: of each change.
        alpha: the changes are multiplied by alpha / rank.
        dropout: of what a change reads.
        targets: names of the linear maps that are changed, as peft takes them; None for its choice.
    """

    rank: int = Field(default=8, ge=1)
    alpha: float = Field(default=16.0, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    targets: tuple[str, ...] | None = None


class RegimeRecipe(Config):
    """What learns and what stays.

    Args:
        index: an index whose vectors are the documents; they stay as they are, and only the query side learns. None
            learns both sides.
        queries: "all" learns the queries' transformer and the relevance function; "head" the relevance function alone,
            over token states that are computed once; only with an index.
        freeze: layers of the transformers, counted from the embeddings, that stay; the embeddings stay with them.
        lora: learn low-rank changes of the transformers instead of their weights.
    """

    index: str | None = None
    queries: Literal["all", "head"] = "all"
    freeze: int = Field(default=0, ge=0)
    lora: LoraRecipe | None = None

    @model_validator(mode="after")
    def _head_needs_an_index(self) -> RegimeRecipe:
        if self.queries == "head" and self.index is None:
            raise ValueError('queries: "head" needs an index, whose vectors stay as well')
        if self.queries == "head" and (self.lora is not None or self.freeze):
            raise ValueError('queries: "head" leaves the transformer as it is: no lora and no freeze')
        return self


class BatchRecipe(Config):
    """What one step sees.

    Args:
        queries: Q, on one device.
        items: K at most, the positive included; more are drawn anew for every epoch. None takes all.
        scored: "all" scores every item of the batch for every query, "first" own items and the others' first ones,
            "own" own items alone.
        chunk: gradient caching: tokens encoded at once, so that the batch is not limited by memory; None encodes the
            whole batch with its graph.
        chunk_queries: with `chunk`, queries whose functions are held with their graph at once.
        across_devices: score the items of all processes.
        accumulate: batches whose gradients make one step.
        order: a member of `BATCHES`: which examples stand together. Where it asks for the queries' vectors, they are
            those of the model before the first step.
    """

    queries: int = Field(default=32, ge=1)
    items: int | None = Field(default=8, ge=1)
    scored: Literal["all", "first", "own"] = "all"
    chunk: int | None = Field(default=None, ge=1)
    chunk_queries: int = Field(default=16, ge=1)
    across_devices: bool = False
    accumulate: int = Field(default=1, ge=1)
    order: Annotated[SerializeAsAny[Config], BeforeValidator(BATCHES.parse)] = BATCHES.parse("random")


class LossRecipe(Config):
    """A loss and its weight.

    Args:
        weight: the loss is multiplied by it.
        loss: a member of `LOSSES`; its keys may also stand beside `weight`.
    """

    weight: float = 1.0
    loss: Annotated[SerializeAsAny[Config], BeforeValidator(LOSSES.parse)]

    @model_validator(mode="before")
    @classmethod
    def _short(cls, values: Any) -> Any:
        if isinstance(values, str):
            return {"loss": values}
        if isinstance(values, Mapping) and "type" in values:
            rest = dict(values)
            weight = rest.pop("weight", 1.0)
            return {"weight": weight, "loss": rest}
        return values


class OptimizerRecipe(Config):
    """How weights change.

    Args:
        encoder_rate: learning rate of the transformers.
        head_rate: learning rate of everything else: relevance function, projection, losses' own parameters.
        linear_rate: of the head that moves the query's vector beside a q-net (`linear: written`), and of the projection
            of narrower vectors; None is `head_rate`.
        weight_decay: of matrices; biases, norms and single numbers have none.
        schedule: of both rates after the warm-up.
        warmup: steps from nothing to the full rates; below 1 a share of all steps.
        clip: the gradient's norm, at most; 0 for no limit.
        beta2: of AdamW.
    """

    encoder_rate: float = Field(default=2e-5, ge=0)
    head_rate: float = Field(default=1e-3, ge=0)
    linear_rate: float | None = Field(default=None, ge=0)
    weight_decay: float = Field(default=0.01, ge=0)
    schedule: Literal["constant", "linear", "cosine"] = "linear"
    warmup: float = Field(default=0.1, ge=0)
    clip: float = Field(default=1.0, ge=0)
    beta2: float = Field(default=0.999, gt=0, lt=1)


class ValidationRecipe(Config):
    """Where training stands, by a retrieval measure.

    Args:
        source: a collection with judgements, as `hyperir eval` takes; with an index its documents must be in there.
        split: of the collection.
        hold_out: instead of a collection, the share of the training documents that are kept from training: as
            positives with their queries, which validate, and as other items.
        queries: drawn from all, at most; None takes all.
        documents: searched beside the judged ones, at most, drawn from all; None takes all.
        measures: names of ir_measures; the first one decides which checkpoint is best.
        every: steps.
        patience: validations without a better one until training stops; None never stops it.
        depth: documents of an answer.
    """

    source: str | None = None
    split: str = "dev"
    hold_out: float = Field(default=0.0, ge=0, lt=1)
    queries: int | None = Field(default=500, ge=1)
    documents: int | None = Field(default=20_000, ge=1)
    measures: tuple[str, ...] = ("RR@10", "nDCG@10")
    every: int = Field(default=500, ge=1)
    patience: int | None = Field(default=None, ge=1)
    depth: int = Field(default=100, ge=1)

    @model_validator(mode="after")
    def _one_way(self) -> ValidationRecipe:
        if (self.source is None) == (self.hold_out == 0):
            raise ValueError("validation has either a source or a share to hold_out")
        if not self.measures:
            raise ValueError("validation needs a measure")
        return self


class RunRecipe(Config):
    """How long, how exactly, and what is kept.

    Args:
        steps: how many; None counts epochs.
        epochs: passes over the examples, where `steps` is None.
        average: the share of the trained weights in the model, where the rest are those of before training: less than
            1 forgets less of what the start could do elsewhere.
        average_head: the same share of all that is no transformer, since what begins as nothing forgets nothing; None
            is `average`.
        precision: "float32" or "bfloat16", of products under autocast.
        log: a line of losses every so many steps.
        save: a checkpoint every so many steps; with validation, at every validation instead.
        keep: checkpoints, at most, besides the best one.
        stay: checkpoints stay when all is done, so that `hyperir train --step` can still make models of them.
        workers: processes that put batches together; 0 for none.
        cache: a folder for tokens and states, kept between runs; None keeps them in memory.
        states: how token states that are computed once are kept.
        report_to: what else gets the figures, as transformers names it: "tensorboard" (files in the model folder's
            `training/tensorboard`), "wandb", ...
        official: also write the model in the format of the official Hypencoder code, into `official/`.
        save_backbone: write the transformer's weights into the model's folder even where they did not change.
    """

    steps: int | None = Field(default=None, ge=1)
    epochs: float = Field(default=1.0, gt=0)
    average: float = Field(default=1.0, gt=0, le=1)
    average_head: float | None = Field(default=None, gt=0, le=1)
    precision: Literal["float32", "bfloat16"] = "float32"
    log: int = Field(default=10, ge=1)
    save: int = Field(default=1000, ge=1)
    keep: int = Field(default=2, ge=1)
    stay: bool = False
    workers: int = Field(default=0, ge=0)
    cache: str | None = None
    states: Literal["float16", "float32"] = "float16"
    report_to: tuple[str, ...] = ()
    official: bool = False
    save_backbone: bool = False


class Recipe(Config):
    """The whole of a recipe file.

    Args:
        output: the folder that becomes the model's.
        seed: of everything drawn.
        data: a member of `SETS`: the examples.
        model: what is trained.
        regime: what learns and what stays.
        batch: what one step sees.
        negatives: a member of `NEGATIVES`, which fills up an example's items; None takes those of the example.
        losses: added up.
        regularisers: members of `REGULARISERS`, added to the losses.
        optimizer: how weights change.
        validation: None trains blindly.
        run: how long, how exactly, and what is kept.
        stages: a curriculum: changes of the recipe, one set after the other, each going on with the weights before.
    """

    output: str
    seed: int = Field(default=0, ge=0)
    data: Annotated[SerializeAsAny[Config], BeforeValidator(SETS.parse)]
    model: ModelRecipe = ModelRecipe()
    regime: RegimeRecipe = RegimeRecipe()
    batch: BatchRecipe = BatchRecipe()
    negatives: Annotated[SerializeAsAny[Config], BeforeValidator(NEGATIVES.parse)] | None = None
    losses: tuple[LossRecipe, ...] = Field(default=(LossRecipe.model_validate("cross_entropy"),), min_length=1)
    regularisers: tuple[Annotated[SerializeAsAny[Config], BeforeValidator(REGULARISERS.parse)], ...] = ()
    optimizer: OptimizerRecipe = OptimizerRecipe()
    validation: ValidationRecipe | None = None
    run: RunRecipe = RunRecipe()
    stages: tuple[StageRecipe, ...] = ()

    def parts(self) -> tuple[Recipe, ...]:
        """The recipe of every stage, without stages of its own; the recipe itself where it has none.

        A stage's `seed` is the recipe's plus its number from 0, so that it draws other batches.
        """
        if not self.stages:
            return (self,)
        base = self.model_dump(mode="json", exclude={"stages", "seed"})
        return tuple(
            Recipe.parse(merged(base, stage) | {"seed": self.seed + number}, where=f"stages.{number}")
            for number, stage in enumerate(self.stages)
        )

    @model_validator(mode="after")
    def _fits_together(self) -> Recipe:
        if self.regime.index is not None and self.model.separate:
            raise ValueError("model.separate: with an index the queries' transformer is their own anyway")
        own = self.model.pool, self.model.normalize, self.model.document_length
        if self.regime.index is not None and any(value is not None for value in own):
            raise ValueError("model.pool, normalize, document_length: an index's vectors were made as they were made")
        if self.negatives is not None and self.run.workers:
            raise ValueError("run.workers: negatives are drawn by the process that trains, so there are no others")
        if self.negatives is not None and self.batch.items is None:
            raise ValueError("batch.items: how many items does an example have, with its negatives?")
        if self.stages:
            drawn_from = [(part.data, part.negatives is None) for part in self.parts()]
            held = any(part.validation is not None and part.validation.hold_out for part in self.parts())
            if held and any(each != drawn_from[0] for each in drawn_from):
                raise ValueError(
                    "validation.hold_out: stages with other data would learn from what earlier ones held out; "
                    "name a collection, validation.source"
                )
        return self
