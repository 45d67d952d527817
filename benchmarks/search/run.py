"""Search under trained q-nets over real vectors, against exhaustive search and the paper's own algorithm.

    python benchmarks/search/run.py real.index QNET... --pooled pooled -o results

The index holds what `benchmarks/search/build.sh` kept in it; every QNET is a model folder that `hyperir train` made of
a recipe beside this file. Queries are those of the pooled collection's dev and test splits, which no q-net was trained
on; settings are chosen on one half of them and reported on the other. Of every q-net: its quality under exhaustive
search, ten answers by every setting, and a thousand by some. All is written as JSON, pages and pictures; the summary is
a table in Markdown.
"""

import argparse
import json
import random
from pathlib import Path

import torch

import hyperir
from hyperir.corpus import open_collection
from hyperir.evaluate import bench
from hyperir.evaluate.benching.page import page
from hyperir.evaluate.benching.plots import draw
from hyperir.evaluate.benching.split import REPORTED, choices_of

ENGINE = {"type": "faiss", "index": "hnsw", "dtype": "f32"}  # all is said, since the index keeps three of Faiss
BYTES = {"type": "faiss", "dtype": "i8"}
CODES = {"type": "faiss", "index": "codes"}
PAPER = {"type": "graph", "preset": "hypencoder", "builder": "faiss"}


def settings(k, training):
    """What is tried for k answers."""
    deep = k > 100
    tried = [PAPER, {"type": "exact", "first_pass": "bfloat16"}]
    tried += [{"type": "ivf", "probes": probes} for probes in ((32, 128) if deep else (8, 16, 32, 64, 128))]
    widths = (k, 2 * k) if deep else (50, 100, 200, 400)
    for rounds, anchors in (
        ((1, 4), (2, 4), (3, 8)) if deep else ((1, 1), (1, 4), (2, 1), (2, 2), (2, 4), (3, 4), (3, 8))
    ):
        for width in widths:
            tried.append({"type": "firstorder", "engine": ENGINE, "rounds": rounds, "anchors": anchors, "width": width})
    breadths = (k,) if deep else (16, 32, 64, 128)
    tried += [{"type": "graph", "builder": "faiss", "ef": ef} for ef in breadths]
    tried += [{"type": "graph", "builder": "faiss", "ef": 32, "guitar": True}] * (not deep)
    if training is not None:
        tried += [{"type": "bipartite", "ef": ef} for ef in breadths]
    return tried


def brief(k):
    """The paper's search, and first-order search above the engines that are quickest to ask, for k answers."""
    codes = [{**CODES, "nprobe": probes} for probes in (32, 64, 128)]
    if k > 100:
        steps = [(r, a, w) for r, a in ((1, 4), (1, 8), (2, 2), (2, 4), (3, 4)) for w in (k, 2 * k)]
        above = [(engine, step) for engine in codes for step in steps]
    else:
        graphs = [{**BYTES, "ef_search": ef} for ef in (32, 64, 96, 128, 192)]
        near = [(2, 1, 30), (2, 1, 50), (2, 1, 100), (2, 2, 30), (2, 2, 50), (2, 2, 100)]  # enough where locality is .1
        wide = [(2, 1, 200), (2, 2, 100), (2, 2, 200)]
        above = [(engine, step) for engine in graphs for step in near]
        above += [(engine, step) for engine in codes[1:] for step in wide]
    return [PAPER] + [
        {
            "type": "firstorder",
            "engine": engine,
            "rounds": rounds,
            "anchors": anchors,
            "width": width,
            "locality": 0.5 if k > 100 else 0.1,
        }
        for engine, (rounds, anchors, width) in above
    ]


def summary(name, found, goals):
    """Lines of a table: what each family's choice reaches on the reported half, and its speed against two others."""
    exact = found.settings[0].milliseconds(among=REPORTED)
    paper = next(setting for setting in found.settings if "hypencoder" in setting.family)
    slow, level = paper.milliseconds(among=REPORTED), paper.mean(f"recall@{found.ks[0]}", REPORTED)
    for goal in [*goals, level]:
        for choice in choices_of(found, goal):
            chosen = next(setting for setting in found.settings if setting.name == choice.name)
            yield (
                f"| {name} | {goal:.3f} | {choice.name} | {choice.recall:.3f}{'' if choice.reached else ' (missed)'} "
                f"| {chosen.mean('scored', REPORTED):,.0f} | {choice.milliseconds:.2f} "
                f"| {exact / choice.milliseconds:.1f} | {slow / choice.milliseconds:.1f} |"
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("index", type=Path)
    parser.add_argument("qnets", type=Path, nargs="+")
    parser.add_argument("--pooled", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="of the queries that are drawn")
    parser.add_argument("--training", type=int, default=0, help="training queries, from which bipartite is built")
    parser.add_argument("--brief", action="store_true", help="the paper's and the quickest first-order searches only")
    parser.add_argument("--only", nargs="+", help="strategies, by name; the paper's is tried beside them")
    parser.add_argument("--depths", type=int, nargs="+", default=[10, 1000])
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    collection, drawn = open_collection(str(options.pooled)), random.Random(options.seed)
    qrels = collection.qrels("dev") | collection.qrels("test")
    texts = collection.queries("dev") | collection.queries("test")
    queries = {query: texts[query] for query in drawn.sample(sorted(qrels), options.queries)}
    training = None
    if options.training:
        known = collection.queries("train")
        training = [known[query] for query in drawn.sample(sorted(known), options.training)]
    options.output.mkdir(parents=True, exist_ok=True)
    lines = ["| q-net | goal | setting | recall | scored | ms | x exhaustive | x the paper's |", "|---|" + "---|" * 7]
    for folder in options.qnets:
        index = hyperir.Index.open(options.index, hyperir.load(str(folder)))
        for k in options.depths:
            tried = brief(k) if options.brief else settings(k, training)
            if options.only:
                tried = [PAPER, *(setting for setting in tried if setting["type"] in options.only)]
            found = bench(index, queries, qrels, strategies=tried, ks=(k,), training=training, saved=True)
            target = options.output / f"{folder.name}-{k}"
            target.mkdir(exist_ok=True)
            (target / "bench.json").write_text(json.dumps(found.as_dict(), indent=1))
            (target / "bench.html").write_text(page(found))
            draw(found, target)
            print(f"{folder.name}, {k} answers\n{found}\n", flush=True)
            lines += summary(f"{folder.name} @{k}", found, (0.95, 0.99))
            (options.output / "summary.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
