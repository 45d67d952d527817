"""How wide a sketch of words should be, of which form, and how much it should count: by the dev splits of the pool.

    python benchmarks/model/widths.py POOLED START POOLED_INDEX [--picture words.png]

POOLED is the folder that `pool.py` made, START the model of `words.py`, POOLED_INDEX the index of the one by the other.
600 queries of every source, among all of the pool's documents, for signs (0 cells, an inner product) and cells.
"""

import argparse
import random
from pathlib import Path

import torch
from beside import sketches

import hyperir
from hyperir.core.docs import Dense
from hyperir.encode.config import TextEncoderConfig
from hyperir.encode.hybrid import with_words
from hyperir.encode.text_encoder import TextEncoder
from hyperir.encode.texts import document_text
from hyperir.evaluate import evaluate

START = "all-MiniLM-L6-v2"
WIDTHS, SCALES, QUERIES, BLOCK = (128, 256, 320, 384, 640, 1024), (0.15, 0.25, 0.4, 0.6), 600, 200
CELLS = (0, 3)


def asked(collection):
    """Source -> {query id: text}, so many of its dev split."""
    queries, by_source = collection.queries("dev"), {}
    qrels = collection.qrels("dev")
    for query in sorted(qrels):
        by_source.setdefault(next(iter(qrels[query])).split("/")[0], []).append(query)
    return {
        source: {q: queries[q] for q in random.Random(0).sample(own, min(QUERIES, len(own)))}
        for source, own in by_source.items()
    }, qrels


@torch.inference_mode()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("pooled")
    parser.add_argument("start")
    parser.add_argument("index", type=Path)
    parser.add_argument("--picture", type=Path, help="the means by the numbers of a document")
    options = parser.parse_args()
    collection, store = hyperir.open_collection(options.pooled), hyperir.Index.open(options.index, options.start).store
    rows = list(collection.documents())
    dense = store.docs[: len(rows)].vectors[:, :384].float()
    ids = [row["id"] for row in store.rows(list(range(len(rows))))]
    by_id = {row["id"]: document_text(row) for row in rows}
    texts = [by_id[name] for name in ids]
    sources, qrels = asked(collection)
    start_model = hyperir.load(START)
    vectors = {source: start_model.encode_query(list(queries.values())).weights for source, queries in sources.items()}
    print("| cells | width | scale | " + " | ".join(sources) + " | mean |\n|---|---|---|" + "---|" * (len(sources) + 1))
    own = {source: vector @ dense.T for source, vector in vectors.items()}
    means = {(0, 0, 0.0): line(("-", "-", "-"), own, sources, qrels, ids)}
    counted = with_words(start_model, rows, width=1, cells=1)
    tokens = counted.document.tokenize(texts)
    for cells in CELLS:
        for width in WIDTHS:
            model = resized(counted, width, cells)
            found = words(model, sketches(model.document, tokens), sources)
            for scale in SCALES:
                scores = {source: own[source] + scale * found[source] for source in sources}
                means[cells, width, scale] = line((cells, width, scale), scores, sources, qrels, ids)
    if options.picture is not None:
        draw(means, dense.shape[1], options.picture)


def resized(counted, width, cells):
    """The same words in a sketch of another width and form, that count 1."""
    sides = []
    for side in (counted.document, counted.query):
        values = side.config.words.model_dump() | {"width": width, "cells": cells, "scale": 1.0}
        made = TextEncoder(side.backbone, TextEncoderConfig.parse(side.config.model_dump() | {"words": values}))
        made.words.weights.copy_(side.words.weights)
        sides.append(made)
    return hyperir.Model(*sides, {"type": "hyper_words", "weigh": False} if cells else "dot")


def words(model, documents, sources):
    """Source -> (Q, N), what the sketch alone adds to the score."""
    dense = model.document.width - documents.shape[1]
    docs = Dense(torch.cat([torch.zeros(len(documents), dense), documents], 1))
    found = {}
    for source, queries in sources.items():
        texts = list(queries.values())
        parts = [model.encode_query(texts[at : at + BLOCK])(docs) for at in range(0, len(texts), BLOCK)]
        found[source] = torch.cat(parts)
    return found


def line(names, scores, sources, qrels, ids):
    """Print one row of the table; its mean."""
    found = []
    for source, queries in sources.items():
        best = scores[source].topk(10, dim=1)
        run = {
            query: {ids[place]: value for place, value in zip(places, values, strict=True)}
            for query, places, values in zip(queries, best.indices.tolist(), best.values.tolist(), strict=True)
        }
        found.append(evaluate({query: qrels[query] for query in queries}, run, ("nDCG@10",)).means()["nDCG@10"])
    cells = " | ".join(f"{value:.3f}" for value in [*found, sum(found) / len(found)])
    print(f"| {' | '.join(str(name) for name in names)} | {cells} |", flush=True)
    return sum(found) / len(found)


def draw(means, dense, file):
    """The mean at the best scale of every form and width, against all numbers of a document."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6.4, 4), layout="constrained")
    alone = means[0, 0, 0.0]
    axes.axhline(alone, color="0.5", linewidth=1)
    axes.annotate("the vector alone", (1408, alone), xytext=(0, 5), textcoords="offset points", ha="right", color="0.4")
    for cells, name, colour in (
        (0, "signs, read by an inner product", "tab:blue"),
        (3, "cells, read by a q-net", "tab:red"),
    ):
        widths = sorted({width for form, width, _ in means if form == cells and width})
        best = [
            max(value for (form, own, _), value in means.items() if (form, own) == (cells, width)) for width in widths
        ]
        axes.plot([dense + width for width in widths], best, marker="o", color=colour, label=name)
    axes.set_xlabel(f"numbers of a document ({dense} of them the transformer's)")
    axes.set_ylabel("nDCG@10, mean of four validation sets")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.12), frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=150)


if __name__ == "__main__":
    main()
