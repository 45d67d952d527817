"""The whole of a training: from a recipe to a model folder."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from hyperir.core.docs import States
from hyperir.core.errors import InputError, MissingExtraError
from hyperir.encode.model import Model
from hyperir.encode.text_encoder import TextEncoder
from hyperir.encode.texts import document_text
from hyperir.index.store import Store
from hyperir.train.averaging import average, remember
from hyperir.train.batch import Collate
from hyperir.train.batches import BATCHES
from hyperir.train.cache import Cache
from hyperir.train.data import SETS, TrainingSet
from hyperir.train.data.augmented import AugmentedSet
from hyperir.train.data.collection import CollectionSet
from hyperir.train.drawing import Negatives
from hyperir.train.examples import Examples, gather
from hyperir.train.learner import build_model, open_documents
from hyperir.train.losses import LOSSES
from hyperir.train.partial import merge_lora
from hyperir.train.recipe import Recipe
from hyperir.train.regularisers import REGULARISERS
from hyperir.train.retriever import Retriever, joined
from hyperir.train.sources import Source, TokenSource, VectorSource, compute_states
from hyperir.train.validation import Task, Validation, from_collection, held_out

if TYPE_CHECKING:
    from hyperir.train.output import Output

__all__ = ["Result", "train"]

BLOCK = 256  # queries encoded at once, for an order of batches


@dataclass(frozen=True)
class Result:
    """What came of a training.

    Args:
        folder: of the model.
        steps: done in all.
        seconds: of this call.
        measures: of the model as saved, where there was validation.
        before: the same before the first step.
    """

    folder: Path
    steps: int
    seconds: float
    measures: dict[str, float]
    before: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Trained:
    """What came of one stage."""

    model: Model
    learned: dict[str, Tensor]
    steps: int
    history: list[dict[str, Any]]
    measures: dict[str, float]
    examples: int
    processes: tuple[int, int]  # this one, and how many


def train(recipe: Recipe) -> Result:
    """Train a model, or go on where the same recipe was interrupted.

    Raises:
        InputError: the recipe cannot be followed; says what is missing.
        KeyboardInterrupt: Ctrl-C, after the state was saved; the same call goes on.
    """
    _check_packages(recipe)
    from hyperir.train.output import Output, later, so_far

    output = Output(Path(recipe.output).expanduser(), recipe)
    output.refuse_finished()
    start = time.monotonic()
    # All sets now, so that a wrong line of a later stage is told before the first one has taken its days.
    sets = {part.data.model_dump_json(): part.data for part in recipe.parts()}
    opened = {key: SETS.build(config) for key, config in sets.items()}
    store = open_documents(recipe)
    history, counts = list[dict[str, Any]](), list[str]()
    for number in range(len(recipe.parts())):
        record = output.stage(number)
        if record is None:
            done = _train(recipe, number, opened, store, output)
            record = {"steps": done.steps, "examples": done.examples, "history": done.history}
            if number + 1 < len(recipe.parts()):
                if done.processes[0] == 0:
                    output.keep_stage(number, done.learned, record)
                if done.processes[1] > 1:
                    torch.distributed.barrier()  # the others read what the first one wrote
        history += later(record["history"], *so_far(history))
        counts.append(f"{record['examples']:,}")
    if recipe.regime.lora is not None:
        merge_lora(done.model)
    if done.processes[0] == 0:
        output.finish(done.model, history, done.measures, " + ".join(counts))
    first = {name: value for line in history if line["step"] == 0 for name, value in line.items()}
    before = {name: first[f"eval_{name}"] for name in done.measures if f"eval_{name}" in first}
    return Result(output.folder, so_far(history)[0], time.monotonic() - start, done.measures, before)


def _train(
    whole: Recipe, number: int, sets: Mapping[str, TrainingSet], store: Store | None, output: Output
) -> _Trained:
    """Train one stage, or go on with it; a recipe without stages is one."""
    from hyperir.train.callbacks import Bar, Interruption, patience
    from hyperir.train.reporting import reporters
    from hyperir.train.trainer import RetrievalTrainer, arguments, learned

    recipe = whole.parts()[number]
    training_set = sets[recipe.data.model_dump_json()]
    model = build_model(whole)
    losses = [(part.loss.type, part.weight, LOSSES.build(part.loss)) for part in recipe.losses]  # type: ignore[attr-defined]
    retriever = Retriever(
        model,
        losses,
        recipe.batch.scored,
        across=recipe.batch.across_devices,
        regularisers=[REGULARISERS.build(config) for config in recipe.regularisers],
    )
    if number:
        _go_on_from(output.stages / f"{number - 1}.safetensors", retriever, whole.parts()[number - 1], recipe)
    examples = gather(training_set, all_documents(recipe, training_set, store))
    task, held = None, list[int]()
    if recipe.validation is not None and recipe.validation.source is None:
        task, examples, held = held_out(examples, training_set, store, recipe.validation, whole.seed)
    elif recipe.validation is not None:
        task = from_collection(store, recipe.validation, whole.seed)
    cache = Cache(recipe.run.cache)
    args = arguments(recipe, output.checkpoints_of(number))
    retriever.to(args.device)
    collate = Collate(
        examples,
        queries_source(recipe, model, examples.queries, cache),
        documents_source(recipe, model, store, training_set, examples, cache),
        recipe.batch.items,
        recipe.seed,
        None if recipe.negatives is None else Negatives(recipe, training_set, examples, retriever, store, held),
    )
    order = BATCHES.build(
        recipe.batch.order, examples=len(examples), vectors=lambda: pooled(model.query, collate.queries, len(examples))
    )
    validation = _validation(recipe, model, task, store, cache)
    interruption = Interruption()
    bar = Bar(f"Stage {number + 1} of {len(whole.stages)}" if whole.stages else "Training")
    told = reporters(recipe.run.report_to, output.record / "tensorboard")
    beside = [bar, interruption, *patience(recipe.validation), *told]
    trainer = RetrievalTrainer(retriever, recipe, args, collate, order, validation, beside)
    if args.process_index == 0:
        prints = [each.fingerprint for each in sets.values()]
        output.begin(prints[0] if len(prints) == 1 else hashlib.sha256("\n".join(prints).encode()).hexdigest(), store)
    last = output.last_checkpoint(number)
    args.eval_on_start = validation is not None and last is None and number == 0
    shares = (recipe.run.average, recipe.run.average_head)
    before = remember(model) if min(share for share in shares if share is not None) < 1 else {}
    with interruption.listening():
        done = trainer.train(resume_from_checkpoint=last)
    if interruption.came:
        stop = KeyboardInterrupt()
        place = output.checkpoints_of(number)
        stop.add_note(f"Saved after step {done.global_step:,} in {place}. The same command goes on there.")
        raise stop
    average(model, before, *shares)
    measures = {} if validation is None else validation(retriever)
    tensors = {name: value.cpu().contiguous() for name, value in learned(retriever).items()}
    ranks = args.process_index, args.world_size
    history = trainer.state.log_history
    return _Trained(model, tensors, done.global_step, history, measures, len(examples), ranks)


def _go_on_from(weights: Path, retriever: Retriever, before: Recipe, recipe: Recipe) -> None:
    """Weights of the stage before; losses that were not the same there begin with their own."""
    from safetensors.torch import load_file

    from hyperir.train.trainer import put_back

    pairs = zip(before.losses, recipe.losses, strict=False)
    put_back(retriever, load_file(weights), [place for place, (old, new) in enumerate(pairs) if old.loss == new.loss])


def pooled(encoder: TextEncoder, source: Source, count: int) -> Tensor:
    """(N, D) vectors of all queries by the model as it is."""
    found = []
    learning = encoder.training
    encoder.eval()
    with torch.no_grad():
        for start in range(0, count, BLOCK):
            part = source(np.arange(start, min(start + BLOCK, count)))
            if isinstance(part, States):
                found.append(part.pooled)
            else:
                assert not isinstance(part, Tensor), "queries have no rows in an index"
                found.append(joined(part, [encoder(group) for group in part]).pooled)
    encoder.train(learning)
    return torch.cat(found).float().cpu()


def all_documents(recipe: Recipe, training_set: TrainingSet, store: Store | None) -> Iterable[str]:
    """Ids that negatives may be drawn from, beyond those that the examples name."""
    if recipe.negatives is None:
        return ()
    if store is not None:
        alive = range(len(store.docs)) if store.alive is None else store.alive.nonzero()[:, 0].tolist()
        return store.ids(alive)
    if isinstance(training_set, AugmentedSet) and not training_set.has_own_documents:
        return all_documents(recipe, training_set.of, store)
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
    from hyperir.train.reporting import reporters

    for part in recipe.parts():
        reporters(part.run.report_to, Path(recipe.output))  # before any work
