"""The trainings of `benchmarks/systems`, one after the other; what is finished is not done again."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from head import write_masked
from pool import pool, weak_pairs

import hyperir
from hyperir.encode import LexicalModel, Model
from hyperir.encode.snrm import snrm
from hyperir.encode.text_encoder import TextEncoder
from hyperir.encode.texts import document_text
from hyperir.search.bare import Bare
from hyperir.train import train
from hyperir.train.data import open_training
from hyperir.train.mining import Mining, mine
from hyperir.train.reading import read_recipe
from hyperir.train.teachers.opening import load_teacher
from hyperir.train.teaching import teach

RECIPES = Path(__file__).parent / "recipes"
MINILM = "all-MiniLM-L6-v2"
LENGTH = 96  # tokens of a document of all-MiniLM-L6-v2, whose vectors stay; the other networks read 64


@dataclass(frozen=True)
class Training:
    """A recipe, and what is changed in it."""

    recipe: str
    changes: tuple[str, ...] = ()


TRAININGS = {
    "inner": Training("frozen", ("model.relevance=dot",)),
    "hyper": Training("frozen"),
    "splade": Training("splade"),
    "colbert": Training("colbert"),
    "snrm": Training("snrm"),
}


def prepare(collections, work):
    """Put everything that a training reads into `work`."""
    pooled = work / "pooled"
    if not (pooled / "qrels" / "train.tsv").is_file():
        pool(collections, pooled)
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
        # Products in bfloat16, as everywhere in this benchmark.
        made = hyperir.load(work / "minilm", dtype=torch.bfloat16).encode_document(rows)
        index = hyperir.Index.create(work / "pooled.index", str(work / "minilm"))
        index.add(rows, vectors=made.vectors)
    if not (work / "masked" / "tokenizer.json").is_file():
        write_masked(collection, work / "masked")
    if not (work / "scores.done").is_file():
        _weak(collection, work)
        (work / "scores.done").touch()


def _cut(side):
    return TextEncoder(side.backbone, side.config.model_copy(update={"max_length": LENGTH}))


def _weak(collection, work):
    texts = [document_text(row) for row in collection.documents()]
    snrm(texts, embedding=100, window=5, hidden=(200,), latent=2000, document_length=LENGTH).save_pretrained(
        work / "snrm-start"
    )
    words = LexicalModel("bm25")
    words.fitted(words.encode_document(texts)).save_pretrained(work / "bm25")
    weak_pairs(work / "pooled", work / "pairs.jsonl")
    teach(open_training(str(work / "pairs.jsonl")), load_teacher([str(work / "bm25")]), work / "scores.jsonl")


def run(name, work):
    """Train one system, unless it is there."""
    training, folder = TRAININGS[name], work / "models" / name
    if (folder / "config.json").is_file():
        return
    places = {
        "frozen": (
            "data.source=pooled",
            "data.negatives=mined.jsonl",
            "regime.index=pooled.index",
            "model.start=minilm",
        ),
        "snrm": ("data.of.source=pairs.jsonl", "data.scores=scores.jsonl", "model.start=snrm-start"),
    }.get(training.recipe, ("data.source=pooled", "data.negatives=mined.jsonl"))
    if training.recipe == "splade":
        places += ("model.start=masked",)
    own = [f"{key}={work / value}" for key, _, value in (place.partition("=") for place in places)]
    train(read_recipe(RECIPES / f"{training.recipe}.yaml", [f"output={folder}", *training.changes, *own]))


def facts(name, work):
    """Steps, queries a step, and minutes of a finished training."""
    folder = work / "models" / name / "training"
    last = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()][-1]
    recipe = read_recipe(folder / "recipe.yaml")
    return {"steps": last["step"], "queries": recipe.batch.queries, "seconds": last["seconds"]}
