"""Learned sparse search against a dense product over the vocabulary, in one run.

    python benchmarks/sparse.py [--documents 20000] [--repeats 5]

Weights are made up: terms of documents and queries are drawn with probabilities that fall as 1 / (rank + 10), as many a
text as SPLADE keeps. The dense product is one of the queries with all documents over the vocabulary, cut down to as
many documents as memory holds, and the ten best of it. Lists are those of an index folder, from its disk; one query
at a time and all at once. Goal: 5 times as fast.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch

import hyperir
from hyperir.core.docs import Sparse
from hyperir.relevance.sparse import SparseInner, as_stored

K = 10


def drawn(texts, terms, vocabulary):
    """Texts of so many terms each, frequent ones more often."""
    odds = 1.0 / torch.arange(10, vocabulary + 10)
    chosen = torch.cat([odds.expand(len(part), -1).multinomial(terms) for part in torch.arange(texts).split(1000)])
    return Sparse(
        torch.arange(texts + 1) * terms, chosen.sort(1).values.flatten(), torch.rand(texts * terms) * 2 + 0.01
    )


def timed(work):
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def folder(place, docs, vocabulary):
    index = hyperir.Index.create(place, width=vocabulary, kind="sparse")
    index.add(({"id": str(row), "text": ""} for row in range(len(docs))), docs, show_progress=False)
    return index


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--queries", type=int, default=32)
    parser.add_argument("--vocabulary", type=int, default=30_522)
    parser.add_argument("--document-terms", type=int, default=120)
    parser.add_argument("--query-terms", type=int, default=25)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    docs = drawn(options.documents, options.document_terms, options.vocabulary)
    queries = drawn(options.queries, options.query_terms, options.vocabulary)
    f = SparseInner(queries, as_stored, torch.zeros(options.queries))
    matrix, asking = docs.dense(options.vocabulary).vectors.T.contiguous(), queries.dense(options.vocabulary).vectors
    print(
        f"{options.documents:,} documents of {options.document_terms} terms out of {options.vocabulary:,}, "
        f"queries of {options.query_terms}; the dense product reads {matrix.nbytes / 1e6:,.0f} MB"
    )
    with tempfile.TemporaryDirectory() as place:
        index = folder(Path(place) / "sparse.index", docs, options.vocabulary)
        for bits in (32, 8):
            index.build({"type": "inverted", "bits": bits}, show_progress=False)
            (kept,) = (one for one in index.info()["structures"] if one["config"].get("bits", 32) == bits)
            against(index, {"type": "inverted", "bits": bits}, kept["bytes"], f, asking, matrix, options.repeats)


def against(index, strategy, size, f, asking, matrix, repeats):
    index.find(f[:1], K, strategy=strategy)
    for count in (1, f.num_queries):
        sparse, dense = [], []
        for repeat in range(repeats):
            part = slice(repeat % f.num_queries, repeat % f.num_queries + 1) if count == 1 else slice(0, count)
            ours, found = timed(lambda part=part: index.find(f[part], K, strategy=strategy))
            theirs, best = timed(lambda part=part: (asking[part] @ matrix).topk(K).values)
            sparse.append(ours)
            dense.append(theirs)
        off = float((found.scores - best).abs().max() / best.abs().max())
        each = 1000 * statistics.median(sparse) / count
        ratio = statistics.median(dense) / statistics.median(sparse)
        print(
            f"  inverted, {strategy['bits']} bits, {size / 1e6:.0f} MB, {count} at once: {each:.2f} ms a query, "
            f"{ratio:.1f} times as fast as the dense product; best scores off by {off:.1e} of the largest"
        )


if __name__ == "__main__":
    main()
