"""A trained model as it ships: only what differs from all-MiniLM-L6-v2, in half precision, with its generated card.

    python benchmarks/model/ship.py RUN START TABLE.json -o hyperir/data/models/hyperir-minilm

RUN is the folder that `hyperir train recipes/hyperir-minilm.yaml` made from START, the model of `words.py --cells 3`.
TABLE.json is what `table.py` wrote about it and its controls; the card holds every figure of the table with those of
the other systems.
"""

import argparse
import json
from pathlib import Path

import torch
import yaml

import hyperir
from hyperir.encode.difference import replace_weights
from hyperir.encode.model import Model

NAME = "hyperir-minilm"
DATASETS = {
    "squad": "SQuAD 1.1, train, CC BY-SA 4.0: questions and Wikipedia paragraphs",
    "tldr-pages": "tldr-pages, train, CC BY 4.0: what a command does and its page",
    "scitldr": "SciTLDR, train, Apache-2.0: one-sentence summaries and abstracts",
}


def beside_start(trained, start):
    """The trained model with the start's own documents' side, and a queries' side that knows where it came from."""
    document, query = hyperir.load(start).document, hyperir.load(start)  # twice: one of them changes
    replace_weights(query.query.backbone, trained.query.backbone.transformer.state_dict(), trained.name)
    model = Model(document, query.query, trained.relevance_config)
    model.relevance.load_state_dict(trained.relevance.state_dict())
    model.trained = True
    return model


def record(run, table):
    """The training record for the model card."""
    origin = json.loads((run / "training" / "origin.json").read_text())
    recipe = yaml.safe_load((run / "training" / "recipe.yaml").read_text())
    history = [json.loads(line) for line in (run / "training" / "log.jsonl").read_text().splitlines()]
    figures = {
        collection: {
            Path(table["names"][path]).name: " / ".join(f"{value:.4f}" for value in means)
            for path, means in values.items()
        }
        for collection, values in table["means"].items()
    }
    recipe.pop("output")
    return {
        "base_model": "sentence-transformers/all-MiniLM-L6-v2",
        "steps": max(line["step"] for line in history),
        "hours": round(max(line.get("seconds", 0.0) for line in history) / 3600, 2),
        "hardware": origin["hardware"],
        "seed": origin["seed"],
        "data fingerprint": origin["data"][:16],
        "not trained on": "any test split, and scifact, nl2bash, boolq, cranfield, vaswani, medline, TREC DL 2019",
        "data": DATASETS,
        "words counted in": "documents of the data below, and docstrings of Python 3.11.7's standard library (PSF)",
        "figures (nDCG@10 / RR@10 / R@100)": figures,
        "recipe": recipe,
        "versions": origin["versions"],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("start")
    parser.add_argument("table", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    model = beside_start(hyperir.load(str(options.run)), options.start)
    table = json.loads(options.table.read_text())
    training = record(options.run, table)
    model.save_pretrained(options.output, with_backbone="difference", dtype=torch.float16, training=training)
    card = options.output / "README.md"
    card.write_text(card.read_text(encoding="utf-8").replace(model.name, NAME), encoding="utf-8")


if __name__ == "__main__":
    main()
