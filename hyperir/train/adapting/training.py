"""From queries with candidates to trained functions, one for each learning rate, and the choice among them."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hyperir.core.errors import InputError
from hyperir.encode import load_network
from hyperir.encode.model import Model
from hyperir.index.store import Store
from hyperir.train.adapting.measuring import Field, Reader, measure
from hyperir.train.adapting.settings import Settings, form_of
from hyperir.train.adapting.splitting import Held, Split, is_held
from hyperir.train.adapting.teaching import Taught, scored
from hyperir.train.averaging import average, remember
from hyperir.train.learner import build_model
from hyperir.train.recipe import Recipe
from hyperir.train.run import train

__all__ = ["CACHE", "Chosen", "choose", "recipes", "relevance_of", "settled", "start_of", "write_examples"]

CACHE = "cache"  # the folder of what is computed once for all rates
ITEMS = 16  # of a query in a step
ANSWERS = 4  # of a query that are learned, each in an example of its own; the best ones
EVERY = 50  # steps between two validations
SAMPLE = 1000  # documents whose lengths are looked at
WEIGHTS = 10  # times the query encoder's rate, of the weights of words beside it
TEACHER = 0.5  # temperature of its standardised scores


@dataclass(frozen=True)
class Chosen:
    """What validation chose.

    Args:
        model: trained, averaged with the weights before.
        folder: of the training that it comes from.
        rate: its learning rate.
        share: of the trained weights.
        validation: the measure before and after, of queries about seen and about held documents.
    """

    model: Model
    folder: Path
    rate: float
    share: float
    validation: dict[str, dict[str, float]]


def settled(start: Model, settings: Settings) -> Settings:
    """The settings with what they leave open: what is learned, by what the start has.

    The query encoder is tuned where it gains most: under an inner product alone, and over words in cells. What has a
    function of its own goes on with it.
    """
    if settings.width is not None:
        return settings.model_copy(
            update={"relevance": settings.relevance or "hyper", "learn": settings.learn or "head"}
        )
    relevance, before = settings.relevance, start.relevance_config.model_dump()["type"]
    if relevance is None and before not in ("hyper", "hyper_words"):
        relevance = "dot" if settings.form is None else "hyper"
    tuned = before == "hyper_words" or (before != "hyper" and relevance == "dot")
    learn = settings.learn or ("all" if tuned else "head")
    return settings.model_copy(update={"relevance": relevance, "learn": learn})


def relevance_of(start: Model, settings: Settings) -> dict[str, Any] | None:
    """The relevance function to be trained by settled settings; None goes on with that of the start.

    Raises:
        InputError: the start's function has no form that an inner product begins as, or a q-net's form was asked for
            over documents that count words in cells.
    """
    before = start.relevance_config.model_dump()["type"]
    if settings.width is not None and (before != "dot" or start.document.projection is not None):
        raise InputError(
            f"narrower documents are not learned from those of {start.name}",
            expected="an inner product over vectors that nothing narrowed before",
            got=before if start.document.projection is None else f"{before} over {start.width} numbers",
            fix="index the texts with a plain bi-encoder, such as all-MiniLM-L6-v2",
        )
    if before == "hyper_words":
        return _over_words(start, settings)
    if settings.relevance != "dot" and settings.form is None and before == "hyper":
        return None
    if before not in ("dot", "hyper") and not start.document.config.normalize:
        raise InputError(
            f"{start.name} ranks by {before} over vectors of different lengths, which no inner product begins as",
            expected="a model with the inner product, or with vectors of length 1",
            fix="train with a recipe of your own: `hyperir train`",
        )
    if settings.relevance != "dot":
        form = settings.form or form_of("shared")  # of all forms the best on the map
        # The encoder moves the query's vector, or else the head does: what the inner product learns is never missing.
        linear = True if settings.learn == "all" else "written"
        return {"type": "hyper", "linear": linear, "qnet": form.model_dump()}
    if settings.learn == "all":
        return {"type": "dot"}
    return {"type": "hyper", "linear": True, "qnet": {"type": "linear", "scaled": True}}


def _over_words(start: Model, settings: Settings) -> dict[str, Any] | None:
    """The same function with another query vector and, but for "dot", weights of the query's words that are learned."""
    if settings.form is not None:
        raise InputError(
            f"{start.name} has a network of its own, over words in cells, which no other form reads",
            expected="no form",
            got=settings.form.model_dump()["type"],
        )
    before = start.relevance_config.model_dump(mode="json")
    wanted = before | {"weigh": before["weigh"] or settings.relevance != "dot"}
    if settings.learn == "head":
        wanted["linear"] = "written"
    return None if wanted == before else wanted


def start_of(before: Model, settings: Settings, folder: Path) -> str:
    """What training starts from: the model before, or the same function with room for another query vector.

    A q-net beside the query's vector as the encoder gives it, such as the default model's, goes on as it is, and the
    head learns to move the vector too: what the inner product learns should never be missing.
    """
    config, wanted = before.relevance_config.model_dump(mode="json"), relevance_of(before, settings)
    if config["type"] != "hyper_words":
        if settings.learn != "head" or wanted is not None:
            return before.name
        if config["linear"] is not True or config["qnet"]["type"] == "linear":
            return before.name
        wanted = config | {"linear": "written"}
    if wanted is None:
        return before.name
    made = Model(before.document, before.query, wanted, seed=settings.seed)
    missing = made.relevance.load_state_dict(before.relevance.state_dict(), strict=False).missing_keys
    assert all(name.startswith(("linear_head.", "weigh.")) for name in missing), "which begin as nothing"
    made.trained = True
    made.save_pretrained(folder / "start", with_backbone="difference")
    return str(folder / "start")


def write_examples(taught: Sequence[Taught], split: Split, settings: Settings, folder: Path) -> float:
    """Write what is learned from, without anything of the held documents, and the validation as a collection.

    Returns:
        a temperature for scores: half of their deviation among a query's candidates.
    """
    known = {each.id: each for each in split.learned}
    deviations = []
    with (folder / "learn.jsonl").open("w", encoding="utf-8") as file:
        for each in taught:
            learned = known.get(each.asked.id)
            if learned is None:
                continue
            if len(each.own) > 1:
                deviations.append(statistics.pstdev(each.own))
            scores = scored(each)
            places = [place for place, id_ in enumerate(each.items) if not is_held(id_, settings)]
            answers = [place for place in places if each.items[place] in learned.grades]
            for answer in sorted(answers, key=lambda place: -learned.grades[each.items[place]])[:ANSWERS]:
                others = [place for place in places if each.items[place] not in learned.grades]
                kept = [answer, *others]
                line = {
                    "query": learned.text,
                    "items": [each.items[place] for place in kept],
                    "scores": None if scores is None else [scores[place] for place in kept],
                    "positives": sorted(learned.grades),
                }
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
    _write_collection(folder / "validation", [split.parts["validation"], split.parts["validation new"]])
    return max(statistics.fmean(deviations) / 2, 1e-6) if deviations else 0.05


def _write_collection(folder: Path, parts: Sequence[Held]) -> None:
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    (folder / "corpus.jsonl").write_text("", encoding="utf-8")  # the documents are in the index
    texts = {query: text for part in parts for query, text in part.queries.items()}
    lines = (json.dumps({"_id": query, "text": text}, ensure_ascii=False) + "\n" for query, text in texts.items())
    (folder / "queries.jsonl").write_text("".join(lines), encoding="utf-8")
    with (folder / "qrels" / "validation.tsv").open("w", encoding="utf-8") as file:
        file.write("query-id\tcorpus-id\tscore\n")
        for part in parts:
            for query, grades in part.qrels.items():
                file.writelines(f"{query}\t{id_}\t{grade}\n" for id_, grade in grades.items())


def recipes(store: Store, start: str, temperature: float, settings: Settings, folder: Path) -> dict[float, Recipe]:
    """A recipe for each learning rate."""
    before = load_network(start)
    relevance = relevance_of(before, settings)
    written = relevance or before.relevance_config.model_dump(mode="json")
    network = settings.learn == "head" and written.get("qnet", {}).get("type", "linear") != "linear"
    words = written["type"] == "hyper_words"
    layers = int(before.query.backbone.transformer.config.num_hidden_layers)
    # The embeddings are most of a small encoder's weights: without them a step is faster, and what is kept is small.
    freeze = 1 if settings.learn == "all" and layers > 2 else 0
    losses: list[dict[str, Any]] = [{"type": "cross_entropy", "items": "first" if settings.taught else "all"}]
    losses += [{"type": "kl", "teacher_temperature": TEACHER}] * settings.taught
    values = {
        "seed": settings.seed,
        "data": {"type": "ranked", "source": str(folder / "learn.jsonl")},
        "model": {"start": start, "relevance": relevance, "dropout": 0.0, "project": settings.width},
        "regime": {"index": str(store.path), "queries": settings.learn, "freeze": freeze},
        # Beside a teacher's scores of a query's own candidates only the others' answers count.
        "batch": {"queries": settings.batch, "items": ITEMS, "scored": "first" if settings.taught else "all"},
        "losses": [{"type": "scaled", "of": loss, "temperature": temperature} for loss in losses],
        "validation": {
            "source": str(folder / "validation"),
            "split": "validation",
            "queries": None,
            "measures": [settings.measure],
            "every": min(EVERY, settings.steps),
        },
        "run": {"steps": settings.steps, "cache": str(folder / CACHE), "keep": 1},
    }
    made = {}
    length = _length(store, before.query.backbone.width if words else None)
    for place, rate in enumerate(settings.tried(network=network, length=length, words=bool(written.get("weigh")))):
        # What writes a network wants no higher rate than the query encoder: ten times that undid what this learned.
        rates = {"encoder_rate": rate, "head_rate": rate, "linear_rate": settings.linear_rate / length}
        if words:  # their weights are no network: they learn as a query's vector does, and faster than the encoder
            rates |= {"linear_rate": rate} if settings.learn == "head" else {"head_rate": WEIGHTS * rate}
        if settings.encoder_rate is not None:
            rates |= {"encoder_rate": settings.encoder_rate, "head_rate": rate}
        made[rate] = Recipe.parse(values | {"output": str(folder / f"rate-{place}"), "optimizer": rates})
    return made


def _length(store: Store, moved: int | None) -> float:
    """The documents' mean length, of a thousand of them: what moves a query's vector moves its scores by that.

    Args:
        store: the index.
        moved: so many of the first numbers are moved; None is all.
    """
    vectors = store.docs[:SAMPLE].vectors[:, :moved].float()
    return max(float(vectors.norm(dim=1).mean()), 1e-6)


def choose(
    tried: dict[float, Recipe], before: Model, split: Split, field: Field, settings: Settings, reader: Reader
) -> Chosen:
    """Train by every recipe, or go on, and take the rate and the share of the trained weights that validation likes.

    Raises:
        KeyboardInterrupt: Ctrl-C, after the state was saved; the same call goes on.
    """
    parts = {name: split.parts[name] for name in ("validation", "validation new")}

    def values(model: Model) -> dict[str, float]:
        named = [settings.measure]
        found = {name: measure(model, held, field, named, reader, "Validating") for name, held in parts.items()}
        return {name: scores.mean(settings.measure) for name, scores in found.items()}

    found = values(before)

    def tried_with(rate: float, share: float) -> tuple[float, Chosen]:
        recipe = tried[rate]
        model = averaged(recipe, share)
        after = values(model)
        gains = {name: after[name] - found[name] for name in parts}
        # Documents that come later count as much as those that are here, and a loss on them twice.
        worth = sum(gains.values()) + min(gains["validation new"], 0.0)
        validation = {name: {"before": found[name], "after": after[name]} for name in parts}
        return worth, Chosen(model, Path(recipe.output), rate, share, validation)

    for recipe in tried.values():
        if not (Path(recipe.output) / "config.json").is_file():
            train(recipe)
    first, *others = settings.shares
    best = max((tried_with(rate, first) for rate in tried), key=lambda one: one[0])
    best = max([best, *(tried_with(best[1].rate, share) for share in others)], key=lambda one: one[0])
    return best[1]


def averaged(recipe: Recipe, share: float) -> Model:
    """The model of a finished training, with so much of its weights and the rest from before."""
    trained = load_network(recipe.output)
    if share < 1:
        average(trained, remember(build_model(recipe)), share)
    return trained
