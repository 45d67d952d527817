"""First-order search above quick engines against the paper's search, in processor time, in turns.

    OMP_NUM_THREADS=1 python benchmarks/search/quick.py real.index QNET... --pooled pooled -o quick.md

For a machine on which other programs run: one thread, its processor time and not the clock's, settings in turns, and of
every query the least of some repeats. The settings are those of `run.py --brief`; each is chosen on one half of the
queries and reported on the other. Exhaustive search is timed once.
"""

import argparse
import random
import statistics
import time
from pathlib import Path

import torch
from run import PAPER, brief

import hyperir
from hyperir.core.progress import silent
from hyperir.corpus import open_collection
from hyperir.evaluate.benching.split import CHOOSING, REPORTED
from hyperir.search.recall import recalls

GOALS = (0.95, 0.99)


def timed(searcher, queries):
    """Rows (Q, 10), milliseconds of every query, and documents scored."""
    rows, times, scored = [], [], []
    for f in queries:
        start = time.thread_time()
        hits = searcher.search(f, 10)
        times.append(1000 * (time.thread_time() - start))
        rows.append(hits.rows)
        scored.append(hits.scored)
    return torch.cat(rows), times, scored


def measured(index, f, settings, repeats):
    """(name, recalls, milliseconds, scored) of exhaustive search and of every setting, each a number a query."""
    queries = [f[query : query + 1] for query in range(f.num_queries)]
    truth, times, scored = timed(index.searcher("exact"), queries)
    yield "exhaustive", recalls(truth, truth).tolist(), times, scored
    searchers = [index.searcher(setting) for setting in settings]
    found = [timed(searcher, queries) for searcher in searchers]
    least = [times for _, times, _ in found]
    for _ in range(repeats - 1):
        least = [list(map(min, old, timed(s, queries)[1])) for old, s in zip(least, searchers, strict=True)]
    for setting, (rows, _, scored), times in zip(settings, found, least, strict=True):
        yield named(setting), recalls(rows, truth).tolist(), times, scored


def named(setting):
    if setting == PAPER:
        return "the paper's"
    engine = {key: value for key, value in setting["engine"].items() if key != "type"}
    shown = engine | {key: setting[key] for key in ("anchors", "width", "rounds", "locality")}
    return " ".join(f"{key}={value}" for key, value in shown.items())


def table(name, found):
    """Lines of a table: exhaustive search, the paper's, and the quickest setting that reaches each goal."""

    def recall(one, half):
        return statistics.fmean(one[1][half])

    def pace(one, half):
        return statistics.median(one[2][half])

    exact, paper, *others = found
    chosen = [("", exact), ("", paper)]
    for goal in (*GOALS, recall(paper, REPORTED)):
        able = [one for one in others if recall(one, CHOOSING) >= goal]
        if able:
            chosen.append((f"{goal:.3f}", min(able, key=lambda one: pace(one, CHOOSING))))
    for goal, one in chosen:
        ms = pace(one, REPORTED)
        yield (
            f"| {name} | {goal} | {one[0]} | {recall(one, REPORTED):.3f} | {statistics.fmean(one[3][REPORTED]):,.0f} "
            f"| {ms:.2f} | {pace(exact, REPORTED) / ms:.1f} | {pace(paper, REPORTED) / ms:.1f} |"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("index", type=Path)
    parser.add_argument("qnets", type=Path, nargs="+")
    parser.add_argument("--pooled", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1, help="of the queries that are drawn")
    options = parser.parse_args()
    torch.set_num_threads(1)
    collection = open_collection(str(options.pooled))
    texts = collection.queries("dev") | collection.queries("test")
    drawn = random.Random(options.seed).sample(sorted(texts), options.queries)
    lines = ["| q-net | recall@10 wanted | search | reached | scored | ms | times exhaustive | times the paper's |"]
    lines.append("|---|" + "---|" * 7)
    for folder in options.qnets:
        index = hyperir.Index.open(options.index, hyperir.load(str(folder)))
        with torch.inference_mode(), silent():
            found = list(
                measured(index, index.model.encode_query([texts[q] for q in drawn]), brief(10), options.repeats)
            )
        lines += table(folder.name, found)
        options.output.write_text("\n".join(lines) + "\n")
        every = (f"{one[0]}: {statistics.fmean(one[1]):.4f} {statistics.median(one[2]):.2f} ms" for one in found)
        print(folder.name, *every, sep="\n", flush=True)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
