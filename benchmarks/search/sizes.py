"""How the cost of a query grows with the collection, under one trained q-net.

    python benchmarks/search/sizes.py real.index QNET --pooled pooled [--sizes 30000 100000 250000 1000000] [-o sizes]

Sizes up to that of the index are random parts of its real vectors. Larger ones repeat them as copies, each moved by a
random vector a fifth as long and made a unit vector again: those rows are marked "with copies". First-order search
stands on Faiss inverted lists here, which are built for a million vectors in minutes.
"""

import argparse
import json
import random
import statistics
import time
from pathlib import Path

import torch
from torch.nn.functional import normalize

import hyperir
from hyperir.core.docs import Dense
from hyperir.corpus import open_collection
from hyperir.index.strategies import STRATEGIES
from hyperir.search.recall import recalls

SETTINGS = {
    "exact": {"type": "exact"},
    "ivf": {"type": "ivf", "probes": 32},
    "firstorder": {
        "type": "firstorder",
        "engine": {"type": "faiss", "index": "ivf", "nprobe": 32},
        "anchors": 4,
        "rounds": 2,
        "width": 200,
    },
}


def vectors_of(size, real, generator):
    """(size, D): a random part of the real ones, or all of them and copies."""
    if size <= len(real):
        return real[torch.randperm(len(real), generator=generator)[:size].sort().values]
    out = torch.empty(size, real.shape[1])
    for start in range(0, size, len(real)):
        part = out[start : start + len(real)]
        part.copy_(real[: len(part)])
        if start:
            part += 0.2 * normalize(torch.randn(part.shape, generator=generator), dim=1)
            part.copy_(normalize(part, dim=1))
    return out


def measured(searcher, f):
    """Rows, milliseconds a query one at a time, and the documents scored."""
    searcher.search(f[0:1], 10)
    rows, times, scored = [], [], []
    for query in range(f.num_queries):
        start = time.perf_counter()
        hits = searcher.search(f[query : query + 1], 10)
        times.append(1000 * (time.perf_counter() - start))
        rows.append(hits.rows)
        scored.append(hits.scored)
    return torch.cat(rows), statistics.median(times), statistics.fmean(scored)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("index", type=Path)
    parser.add_argument("qnet")
    parser.add_argument("--pooled", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=[30_000, 100_000, 250_000, 1_000_000])
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    index = hyperir.Index.open(options.index, hyperir.load(options.qnet))
    texts = open_collection(str(options.pooled)).queries("test")
    f = index.model.encode_query([texts[q] for q in random.Random(1).sample(sorted(texts), options.queries)])
    real = index.store.docs[slice(0, len(index))].vectors
    generator = torch.Generator().manual_seed(0)
    found = []
    print("| documents | search | recall@10 | scored | ms | build s |\n|---|---|---|---|---|---|", flush=True)
    for size in options.sizes:
        docs = Dense(vectors_of(size, real, generator))
        truth = None
        for name, config in SETTINGS.items():
            start = time.perf_counter()
            searcher = STRATEGIES.build(config, docs=docs)
            took = time.perf_counter() - start
            rows, milliseconds, scored = measured(searcher, f)
            truth = rows if truth is None else truth
            recall = recalls(rows, truth).mean().item()
            copies = " with copies" if size > len(real) else ""
            print(
                f"| {size:,}{copies} | {name} | {recall:.3f} | {scored:,.0f} | {milliseconds:.2f} | {took:.0f} |",
                flush=True,
            )
            found.append({"documents": size, "search": name, "recall": recall, "scored": scored, "ms": milliseconds})
    if options.output is not None:
        options.output.mkdir(parents=True, exist_ok=True)
        (options.output / "sizes.json").write_text(json.dumps(found, indent=1))
        draw(found, options.output / "sizes.png")


def draw(found, path):
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 4), layout="constrained")
    for name in SETTINGS:
        points = [(one["documents"], one["ms"]) for one in found if one["search"] == name]
        axes.plot(*zip(*points, strict=True), marker="o", label=name)
    axes.set(xscale="log", yscale="log", xlabel="documents", ylabel="milliseconds a query")
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
