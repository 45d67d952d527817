"""The whole of a training: from a recipe to a model folder."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hyperir.core.errors import InputError, MissingExtraError
from hyperir.encode.model import Model
from hyperir.encode.texts import document_text
from hyperir.index.store import Store
from hyperir.train.batch import Collate
from hyperir.train.cache import Cache
from hyperir.train.data import SETS, TrainingSet
from hyperir.train.data.collection import CollectionSet
from hyperir.train.drawing import Negatives
from hyperir.train.examples import Examples, gather
from hyperir.train.learner import build_model, open_documents
from hyperir.train.losses import LOSSES
from hyperir.train.partial import merge_lora
from hyperir.train.recipe import Recipe
from hyperir.train.regularisers import REGULARISERS
from hyperir.train.retriever import Retriever
from hyperir.train.sources import Source, TokenSource, VectorSource, compute_states
from hyperir.train.validation import Task, Validation, from_collection, held_out

__all__ = ["Result", "train"]

FOLDER = "training"  # inside of the model's folder: recipe, record, curves and checkpoints


@dataclass(frozen=True)
class Result:
    """What came of a training.

    Args:
        folder: of the model.
        steps: done in all.
        seconds: of this call.
        measures: of the model as saved, where there was validation.
    """

    folder: Path
    steps: int
    seconds: float
    measures: dict[str, float]


def train(recipe: Recipe) -> Result:
    """Train a model, or go on where the same recipe was interrupted.

    Raises:
        InputError: the recipe cannot be followed; says what is missing.
        KeyboardInterrupt: Ctrl-C, after the state was saved; the same call goes on.
    """
    _check_packages(recipe)
    from hyperir.train.callbacks import Bar, Interruption, patience
    from hyperir.train.output import Output
    from hyperir.train.trainer import RetrievalTrainer, arguments

    output = Output(Path(recipe.output).expanduser(), recipe)
    start = time.monotonic()
    training_set = SETS.build(recipe.data)
    model = build_model(recipe)
    store = open_documents(recipe)
    losses = [(part.loss.type, part.weight, LOSSES.build(part.loss)) for part in recipe.losses]  # type: ignore[attr-defined]
    retriever = Retriever(
        model,
        losses,
        recipe.batch.scored,
        across=recipe.batch.across_devices,
        regularisers=[REGULARISERS.build(config) for config in recipe.regularisers],
    )
    examples = gather(training_set, all_documents(recipe, training_set, store))
    task, held = None, list[int]()
    if recipe.validation is not None and recipe.validation.source is None:
        task, examples, held = held_out(examples, training_set, store, recipe.validation, recipe.seed)
    elif recipe.validation is not None:
        task = from_collection(store, recipe.validation, recipe.seed)
    cache = Cache(recipe.run.cache)
    args = arguments(recipe, output.checkpoints)
    retriever.to(args.device)
    collate = Collate(
        examples,
        queries_source(recipe, model, examples.queries, cache),
        documents_source(recipe, model, store, training_set, examples, cache),
        recipe.batch.items,
        recipe.seed,
        None if recipe.negatives is None else Negatives(recipe, training_set, examples, retriever, store, held),
    )
    validation = _validation(recipe, model, task, store, cache)
    interruption = Interruption()
    trainer = RetrievalTrainer(
        retriever, recipe, args, collate, validation, [Bar(), interruption, *patience(recipe.validation)]
    )
    if args.process_index == 0:
        output.begin(training_set.fingerprint, store)
    last = output.last_checkpoint()
    args.eval_on_start = validation is not None and last is None
    with interruption.listening():
        done = trainer.train(resume_from_checkpoint=last)
    if interruption.came:
        stop = KeyboardInterrupt()
        stop.add_note(f"Saved after step {done.global_step:,} in {output.checkpoints}. The same command goes on there.")
        raise stop
    measures = {} if validation is None else validation(retriever)
    seconds = time.monotonic() - start
    if recipe.regime.lora is not None:
        merge_lora(model)
    if trainer.is_world_process_zero():
        output.finish(model, trainer.state.log_history, measures, len(examples))
    return Result(output.folder, done.global_step, seconds, measures)


def all_documents(recipe: Recipe, training_set: TrainingSet, store: Store | None) -> Iterable[str]:
    """Ids that negatives may be drawn from, beyond those that the examples name."""
    if recipe.negatives is None:
        return ()
    if store is not None:
        alive = range(len(store.docs)) if store.alive is None else store.alive.nonzero()[:, 0].tolist()
        return store.ids(alive)
    if isinstance(training_set, CollectionSet):
        return (training_set.documents.id(i) for i in range(len(training_set.documents)))
    return ()


def queries_source(recipe: Recipe, model: Model, texts: Any, cache: Cache) -> Source:
    """Where a batch's queries come from."""
    if recipe.regime.queries == "head":
        return compute_states(model.query, texts, cache, recipe.run.states)
    return TokenSource.of(model.query, texts, str, cache, "queries", recipe.batch.chunk)


def documents_source(
    recipe: Recipe, model: Model, store: Store | None, training_set: TrainingSet, examples: Examples, cache: Cache
) -> Source:
    """Where a batch's documents come from."""
    if store is None:
        texts = [training_set.text(id_) for id_ in examples.ids]
        return TokenSource.of(model.document, texts, document_text, cache, "documents", recipe.batch.chunk)
    rows = np.array(store.positions(examples.ids), dtype=np.int64)
    missing = np.unique(examples.items[rows[examples.items] < 0])
    if len(missing):
        raise InputError(
            f"{store.path} lacks {len(missing):,} of the {len(examples.ids):,} documents to learn from",
            expected="all of them",
            got=f"for example no {examples.ids[missing[0]]!r}",
            fix="index the collection that the examples are about",
        )
    return VectorSource(store.docs, torch.from_numpy(rows))


def _validation(
    recipe: Recipe, model: Model, task: Task | None, store: Store | None, cache: Cache
) -> Validation | None:
    if task is None or recipe.validation is None:
        return None
    source = queries_source(recipe, model, list(task.queries.values()), cache)
    return Validation(task, source, store, recipe.validation)


def _check_packages(recipe: Recipe) -> None:
    from importlib.util import find_spec

    if find_spec("accelerate") is None:
        raise MissingExtraError("accelerate", "train", "training")
    if recipe.regime.lora is not None and find_spec("peft") is None:
        raise MissingExtraError("peft", "train", "regime.lora")
