"""Evaluating against ir_measures alone: the same run, judgements and measures, in turn, in one run.

python benchmarks/evaluation.py [--queries 7000] [--documents 1000] [--ties 0.0] [--files]

With --files both also read the run from a TREC file. Memory is what evaluation holds at most beside the run itself.
"""

import argparse
import random
import statistics
import tempfile
import time
import tracemalloc
from pathlib import Path

import ir_measures

from hyperir.corpus.trec import read_run, write_run
from hyperir.evaluate import evaluate

MEASURES = ["nDCG@10", "RR@10", "R@100", "AP"]


def timed(work):
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def made(queries, documents, ties, seed=0):
    """A run, and ten judgements a query, most of them of documents that the run has."""
    random_ = random.Random(seed)
    pool = [f"d{i:07}" for i in range(100 * documents)]
    run, qrels = {}, {}
    for number in range(queries):
        found = random_.sample(pool, documents)
        score, scores = 100.0, []
        for _ in found:
            score -= 0.0 if random_.random() < ties else random_.random() / 100 + 1e-4
            scores.append(score)
        run[f"q{number}"] = dict(zip(found, scores, strict=True))
        qrels[f"q{number}"] = {doc: random_.randint(0, 2) for doc in [*random_.sample(found, 8), *pool[:2]]} | {
            found[0]: 1
        }
    return run, qrels


def theirs(qrels, run):
    measures = [ir_measures.parse_measure(name) for name in MEASURES]
    return ir_measures.calc(measures, qrels, run)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--queries", type=int, default=7000)
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--ties", type=float, default=0.0, help="share of documents that tie with the one above")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--files", action="store_true", help="also read the run from a file")
    options = parser.parse_args()
    run, qrels = made(options.queries, options.documents, options.ties)
    ratios = []
    for _ in range(options.repeats):
        alone, (means, _) = timed(lambda: theirs(qrels, run))
        ours, scores = timed(lambda: evaluate(qrels, run, MEASURES))
        ratios.append(ours / alone)
        print(f"ir_measures {alone:6.2f} s   HyperIR {ours:6.2f} s   {ours / alone:.2f} times")
    apart = max(abs(scores.mean(str(measure)) - value) for measure, value in means.items())
    print(f"median {statistics.median(ratios):.2f} times; means differ by at most {apart:.1e}")
    for name, work in {
        "ir_measures": lambda: theirs(qrels, run),
        "HyperIR": lambda: evaluate(qrels, run, MEASURES),
    }.items():
        tracemalloc.start()
        work()
        print(f"{name}: {tracemalloc.get_traced_memory()[1] / 1e6:,.0f} MB at most beside the run")
        tracemalloc.stop()
    if options.files:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "run.trec"
            write_run(path, run, "made")
            del run
            alone, _ = timed(lambda: theirs(qrels, ir_measures.read_trec_run(str(path))))
            ours, _ = timed(lambda: evaluate(qrels, read_run(path), MEASURES))
            print(f"from a file: ir_measures {alone:.2f} s   HyperIR {ours:.2f} s   {ours / alone:.2f} times")


if __name__ == "__main__":
    main()
