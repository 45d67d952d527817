"""The trainings of `benchmarks/systems`, one after the other; what is finished is not done again."""

import json
from dataclasses import dataclass
from pathlib import Path

from head import write_masked
from pool import pool, weak_pairs, write_third
from starts import write_snrm

import hyperir
from hyperir.encode import Model
from hyperir.encode.text_encoder import TextEncoder
from hyperir.encode.texts import document_text
from hyperir.search.bare import Bare
from hyperir.train import train
from hyperir.train.mining import Mining, mine
from hyperir.train.reading import read_recipe

RECIPES = Path(__file__).parent / "recipes"
MINILM = "all-MiniLM-L6-v2"
LENGTH = 96  # tokens of a document of all-MiniLM-L6-v2, whose vectors stay
SHORT = 64  # tokens of a document of the networks that learn on both sides, and words of SNRM's

POOLED = ("data.source=pooled", "data.negatives=mined.jsonl")
STAYING = (*POOLED, "regime.index=pooled.index", "model.start=minilm")
# What a recipe finds in the folder WORK.
PLACES = {
    "frozen": STAYING,
    "official": STAYING,
    "splade": (*POOLED, "model.start=masked"),
    "multi": (*POOLED, "model.start=models/colbert"),
    "snrm": ("data.source=pairs.jsonl", "model.start=snrm-start"),
}


@dataclass(frozen=True)
class Training:
    """A recipe, what is changed in it, and the training that it goes on from."""

    recipe: str
    changes: tuple[str, ...] = ()
    after: str | None = None


TRAININGS = {
    "inner": Training("frozen", ("model.relevance=dot",)),
    "hyper": Training("frozen"),
    "official": Training("official"),
    "splade": Training("splade"),
    "colbert": Training("colbert"),
    "multi": Training("multi", after="colbert"),
    "snrm": Training("snrm"),
}


def prepare(collections, work):
    """Put everything that a training reads into `work`."""
    pooled = work / "pooled"
    if not (pooled / "qrels" / "train.tsv").is_file():
        pool(collections, pooled)
    if not (pooled / "qrels" / "third.tsv").is_file():
        write_third(pooled)
    collection = hyperir.open_collection(str(pooled))
    if not (work / "mined.done").is_file():
        mining = Mining(depth=34, keep=30)
        mine(collection, "train", Bare("bm25", collection).answer, work / "mined.jsonl", mining)
        (work / "mined.done").touch()
    if not (work / "pooled.index").is_dir():
        start = hyperir.load(MINILM)
        Model(_cut(start.document), _cut(start.query), start.relevance_config, name=MINILM).save_pretrained(
            work / "minilm", with_backbone=False
        )
        rows = list(collection.documents())
        hyperir.Index.create(work / "pooled.index", str(work / "minilm")).add(rows)
    if not (work / "masked" / "tokenizer.json").is_file():
        write_masked(collection, work / "masked")
    if not (work / "pairs.done").is_file():
        write_snrm([document_text(row) for row in collection.documents()], work / "snrm-start", SHORT)
        weak_pairs(pooled, work / "pairs.jsonl")
        (work / "pairs.done").touch()


def _cut(side):
    return TextEncoder(side.backbone, side.config.model_copy(update={"max_length": LENGTH}))


def run(name, work):
    """Train one system, unless it is there."""
    training, folder = TRAININGS[name], work / "models" / name
    if (folder / "config.json").is_file():
        return
    if training.after is not None:
        run(training.after, work)
    places = PLACES.get(training.recipe, POOLED)
    own = [f"{key}={work / value}" for key, _, value in (place.partition("=") for place in places)]
    train(read_recipe(RECIPES / f"{training.recipe}.yaml", [f"output={folder}", *training.changes, *own]))


def facts(name, work):
    """Steps, queries a step, and minutes of a finished training."""
    folder = work / "models" / name / "training"
    last = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()][-1]
    recipe = read_recipe(folder / "recipe.yaml")
    return {"steps": last["step"], "queries": recipe.batch.queries, "seconds": last["seconds"]}
