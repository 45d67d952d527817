"""A made-up collection whose queries share words with their documents, a tiny model, and an index of it."""

import itertools
import json
import os
import random
import signal

import yaml
from tiny_models import VOCABULARY, make_model

import hyperir
from hyperir.train.recipe import Recipe

HYPER = {"type": "hyper", "qnet": {"type": "mlp", "hidden": [32, 32]}}
LINEAR = {"type": "hyper", "linear": True, "qnet": {"type": "mlp", "hidden": [16, 16], "scaled": True}}
WORDS = [word for word in VOCABULARY if word.isalpha()]


def make_world(folder):
    """Write the collection, the model and the index below a folder."""
    drawn = random.Random(0)
    documents = [{"_id": f"d{i}", "text": " ".join(drawn.choices(WORDS, k=drawn.randint(3, 30)))} for i in range(60)]
    queries = [
        {"_id": f"q{i}", "text": " ".join(drawn.sample(documents[i % 60]["text"].split(), 3))} for i in range(180)
    ]
    (folder / "data" / "qrels").mkdir(parents=True)
    for name, rows in (("corpus", documents), ("queries", queries)):
        (folder / "data" / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for split, part in (("train", range(120)), ("dev", range(120, 180))):
        lines = "".join(f"q{i}\td{i % 60}\t1\n" for i in part)
        (folder / "data" / "qrels" / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + lines)
    make_model("dot").save_pretrained(folder / "model")
    index = hyperir.Index.create(folder / "my.index", str(folder / "model"))
    index.add(hyperir.open_collection(folder / "data").documents(), show_progress=False)
    return folder


def make_foreign(folder):
    """Documents of three words out of eight; queries of their translations into eight other words, in another order."""
    words = [word for word in WORDS if len(word) > 1]
    there, here = words[:8], words[8:16]
    chosen = list(itertools.combinations(range(8), 3))
    (folder / "qrels").mkdir()
    documents = [{"_id": f"d{i}", "text": " ".join(there[w] for w in own)} for i, own in enumerate(chosen)]
    queries = []
    for split, orders in (("train", [(0, 1, 2), (2, 0, 1), (1, 2, 0)]), ("dev", [(2, 1, 0)])):
        lines = ["query-id\tcorpus-id\tscore"]
        for i, own in enumerate(chosen):
            for order in orders:
                queries.append({"_id": f"q{len(queries)}", "text": " ".join(here[own[place]] for place in order)})
                lines.append(f"q{len(queries) - 1}\td{i}\t1")
        (folder / "qrels" / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    for name, rows in (("corpus", documents), ("queries", queries)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def recipe_of(world, output, **changes):
    """A recipe over the made-up world; `changes` replace whole parts."""
    values = {
        "output": str(output),
        "data": {"type": "collection", "source": str(world / "data"), "split": "train"},
        "model": {"start": str(world / "model")},
        "regime": {"index": str(world / "my.index"), "queries": "head"},
        "batch": {"queries": 16, "items": 4},
        "losses": ["cross_entropy"],
        "optimizer": {"head_rate": 3e-3, "encoder_rate": 3e-4},
        "validation": {"source": str(world / "data"), "split": "dev", "every": 10},
        "run": {"steps": 20, "log": 1},
    }
    return Recipe.parse(values | changes)


def write(recipe, path):
    """The recipe as a file."""
    path.write_text(yaml.safe_dump(recipe.model_dump(mode="json")))
    return path


def interrupt_at(step, monkeypatch):
    """Ctrl-C while a step runs."""
    from hyperir.train.trainer import RetrievalTrainer

    whole = RetrievalTrainer.training_step

    def interrupted(self, *arguments):
        if self.state.global_step == step:
            os.kill(os.getpid(), signal.SIGINT)
        return whole(self, *arguments)

    monkeypatch.setattr(RetrievalTrainer, "training_step", interrupted)
