"""How quickly words in cells are searched, and what the approximate strategies find of them.

    python benchmarks/model/searching.py COLLECTIONS VECTORS POOLED MODEL

MODEL has words in cells; its documents are those of all of the table's collections (COLLECTIONS and VECTORS as for
`table.py`), its queries 128 of the validation split of POOLED. Processor time of one query, in milliseconds, of one
thread: scoring every document by the network; under its bound, as "exact" does; an inner product over as many
numbers; and what "firstorder" and "ivf" find of the best.
"""

import argparse
import time
from pathlib import Path

import testbed
import torch

import hyperir
from hyperir.core.docs import Dense
from hyperir.index.strategies import STRATEGIES
from hyperir.index.strategies.bounded import Inner

QUERIES = 128
BATCHES = (1, 8, 64)
APPROXIMATE = (
    {"type": "firstorder", "centroids": 320, "width": 200},
    {"type": "firstorder", "centroids": 320, "width": 200, "locality": 0.1},
    {"type": "ivf", "probes": 32},
    {"type": "ivf", "probes": 128},
)


def timed(search, batch):
    """Mean milliseconds of a query, and the rows found by every block."""
    found, taken = [], 0.0
    some = min(QUERIES, 32 * batch)
    search(slice(0, batch))
    for at in range(0, some, batch):
        begun = time.process_time()
        found.append(search(slice(at, at + batch)).rows)
        taken += time.process_time() - begun
    return 1000 * taken / some, torch.cat(found)


def shared(rows, best):
    """The mean share of the best that was found."""
    return sum(len({*a} & {*b}) / len(b) for a, b in zip(rows.tolist(), best.tolist(), strict=True)) / len(best)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("collections", type=Path)
    parser.add_argument("vectors", type=Path)
    parser.add_argument("pooled")
    parser.add_argument("model")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = hyperir.load(options.model)
    parts = [
        testbed.vectors(model, testbed.documents(options.collections, folder), options.vectors, folder)
        for folder, _, _ in testbed.TESTS.values()
    ]
    docs = Dense(torch.cat(parts))
    texts = list(hyperir.open_collection(options.pooled).queries("dev").values())
    f = model.encode_query(texts[:: len(texts) // QUERIES][:QUERIES])
    exact, inner = STRATEGIES.build("exact", docs=docs), Inner(f.bound)
    print(f"{len(docs.vectors):,} documents of {docs.vectors.shape[1]:,} numbers\n")
    print("| best | queries at once | every document | under the bound | inner product |\n|---|---|---|---|---|")
    for k in (10, 100):
        for batch in BATCHES:
            every, best = timed(lambda some, k=k: exact._scan(f[some], docs, k, None, None), batch)
            under, rows = timed(lambda some, k=k: exact.search(f[some], k), batch)
            plain, _ = timed(lambda some, k=k: exact.search(inner[some], k), batch)
            assert shared(rows, best) > 0.999, "the same answer"
            print(f"| {k} | {batch} | {every:.1f} | {under:.1f} | {plain:.1f} |", flush=True)
    _, best = timed(lambda some: exact.search(f[some], 10), 1)
    print("\n| strategy | milliseconds | found of the best 10 |\n|---|---|---|")
    for config in APPROXIMATE:
        strategy = STRATEGIES.build(config, docs=docs)
        taken, rows = timed(lambda some, strategy=strategy: strategy.search(f[some], 10), 1)
        name = " ".join(str(value) if key == "type" else f"{key}={value}" for key, value in config.items())
        print(f"| {name} | {taken:.1f} | {shared(rows, best):.2f} |", flush=True)


if __name__ == "__main__":
    main()
