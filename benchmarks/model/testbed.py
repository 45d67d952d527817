"""The collections of the default model's table, and their documents' vectors, computed once for a documents' side.

    python benchmarks/model/testbed.py FOLDER_OF_COLLECTIONS VECTORS --model all-MiniLM-L6-v2

FOLDER_OF_COLLECTIONS holds BEIR folders of the names below. Vectors are kept one file a collection under the
fingerprint of the documents' side: models that share it share them, and words are counted beside the transformer's.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from beside import beside, wordless

import hyperir
from hyperir.corpus.queries import read_queries
from hyperir.corpus.trec import read_qrels
from hyperir.demo import QUESTIONS

# Name in the table -> folder, split that is reported, grade from which a document counts for RR and R.
TESTS = {
    "squad": ("squad", "dev", 1),
    "tldr": ("tldr-pages", "test", 1),
    "scitldr": ("scitldr", "test", 1),
    "scifact": ("scifact", "test", 1),
    "nl2bash": ("nl2bash", "test", 1),
    "boolq": ("boolq", "dev", 1),
    "cranfield": ("cranfield", "test", 1),
    "vaswani": ("vaswani", "test", 1),
    "medline": ("medline", "test", 1),
    "trec-dl-2019": ("trec-dl-2019-pooled", "test", 2),
    "python": ("pydoc", "test", 1),
}


def documents(root, folder):
    """{"id", "text", "title"} of every document of a collection."""
    return list(hyperir.open_collection("pydoc" if folder == "pydoc" else str(root / folder)).documents())


def judged(root, folder, split, ids):
    """Queries and judgements; of the Python questions without passages that this Python lacks."""
    if folder != "pydoc":
        collection = hyperir.open_collection(str(root / folder))
        qrels, queries = collection.qrels(split), collection.queries(split)
    else:
        qrels, queries = read_qrels(QUESTIONS / "qrels" / "test.tsv"), read_queries(QUESTIONS / "queries.jsonl")
        known = set(ids)
        qrels = {query: {d: g for d, g in grades.items() if d in known} for query, grades in qrels.items()}
    qrels = {query: grades for query, grades in qrels.items() if any(g > 0 for g in grades.values())}
    return {query: queries[query] for query in qrels}, qrels


def vectors(model, rows, cache, folder):
    """(N, D) float32, from the cache where they are in it."""
    place = cache / model.fingerprint[:16]
    file = place / f"{folder}.npy"
    if file.is_file():
        found = np.load(file)
        if len(found) == len(rows):
            return torch.from_numpy(found)
    if model.document.words is None:
        made = model.encode_document(rows).vectors
    else:
        made = beside(model, vectors(wordless(model), rows, cache, folder), rows)
    place.mkdir(parents=True, exist_ok=True)
    np.save(file, made.float().numpy())
    return made


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("collections", type=Path)
    parser.add_argument("vectors", type=Path)
    parser.add_argument("--model", default="all-MiniLM-L6-v2")
    options = parser.parse_args()
    model = hyperir.load(options.model)
    for name, (folder, _, _) in TESTS.items():
        rows = documents(options.collections, folder)
        print(f"{name:14}{len(vectors(model, rows, options.vectors, folder)):8,}", flush=True)


if __name__ == "__main__":
    main()
