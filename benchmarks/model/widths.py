"""How wide a sketch of words should be, and how much it should count: by the dev splits of the pool, source by source.

    python benchmarks/model/widths.py POOLED START POOLED_INDEX

POOLED is the folder that `pool.py` made, START the model of `words.py`, POOLED_INDEX the index of the one by the other.
600 queries of every source, among all of the pool's documents. A narrower sketch is the first numbers of a wider one.
"""

import argparse
import random
from pathlib import Path

import torch
from tqdm import tqdm

import hyperir
from hyperir.encode.hybrid import with_words
from hyperir.encode.texts import document_text
from hyperir.encode.tokenizer import batches
from hyperir.evaluate import evaluate

START = "all-MiniLM-L6-v2"
WIDTHS, SCALES, QUERIES, BLOCK = (128, 384, 640, 1024), (0.1, 0.15, 0.25, 0.4), 600, 200


def sketches(side, texts):
    """(N, D) of texts, without their transformer's vectors."""
    made = torch.empty(len(texts), side.words.config.width)
    for start in tqdm(range(0, len(texts), 1024), "Sketching", unit="blocks"):
        ids = side.tokenize(texts[start : start + 1024])
        for batch in batches(ids, side.backbone.tokenizer.pad_id, 64, 4096):
            made[batch.rows + start] = side.words(batch.ids, batch.mask)
    return made


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
    options = parser.parse_args()
    collection, store = hyperir.open_collection(options.pooled), hyperir.Index.open(options.index, options.start).store
    rows = list(collection.documents())
    dense = store.docs[: len(rows)].vectors[:, :384].float()
    ids = [row["id"] for row in store.rows(list(range(len(rows))))]
    texts = {row["id"]: document_text(row) for row in rows}
    wide = with_words(hyperir.load(START), rows, width=max(WIDTHS), scale=1.0)
    documents = sketches(wide.document, [texts[name] for name in ids])
    sources, qrels = asked(collection)
    print("| width | scale | " + " | ".join(sources) + " | mean |\n|---|---|" + "---|" * (len(sources) + 1))
    encoded = {}
    for source, queries in sources.items():
        encoded[source] = wide.encode_query(list(queries.values())).weights
    for width, scale in [(0, 0.0), *((width, scale) for width in WIDTHS for scale in SCALES)]:
        found = []
        for source, queries in sources.items():
            run = {}
            for start in range(0, len(queries), BLOCK):
                some, names = encoded[source][start : start + BLOCK], list(queries)[start : start + BLOCK]
                scores = some[:, :384] @ dense.T
                if width:
                    more = some[:, 384 : 384 + width] @ documents[:, :width].T
                    scores += scale * max(WIDTHS) / width * more
                best = scores.topk(10, dim=1)
                for name, places, values in zip(names, best.indices.tolist(), best.values.tolist(), strict=True):
                    run[name] = {ids[place]: value for place, value in zip(places, values, strict=True)}
            own = {query: qrels[query] for query in queries}
            found.append(evaluate(own, run, ("nDCG@10",)).means()["nDCG@10"])
        cells = " | ".join(f"{value:.3f}" for value in [*found, sum(found) / len(found)])
        print(f"| {width or '-'} | {scale or '-'} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
