"""The default model's table: collections down, systems across, and which differences are there beyond chance.

    python benchmarks/model/table.py COLLECTIONS VECTORS -o table.md "inner product=runs/dot-0,runs/dot-1" \\
        "hyperir-minilm=runs/hyper-0,runs/hyper-1"

COLLECTIONS holds the BEIR folders that `testbed.py` names, VECTORS keeps their documents' vectors. BM25 and
all-MiniLM-L6-v2 as it comes are always measured; each further system is a name and the models trained for it, one a
seed. Every system searches exhaustively. Of TREC's grades those from 2 on count for RR@10 and R@100; nDCG@10 takes the
grades as they are. Tests are paired t-tests over queries on nDCG@10, of each model with MiniLM and of each system's
with the other's of the same place; p-values of one kind of test are corrected by Holm over all collections and seeds.
Values by query are kept beside the output, and a second call only computes what is missing.
"""

import argparse
import json
from pathlib import Path

import testbed
import torch

import hyperir
from hyperir.core.docs import Dense
from hyperir.evaluate import compare, evaluate, holm
from hyperir.search.bm25 import BM25

START = "all-MiniLM-L6-v2"
NDCG = "nDCG@10"
DEPTH, BLOCK = 100, 256
LEVEL = 0.05


def measures(grade):
    return (NDCG, "RR@10", "R@100") if grade == 1 else (NDCG, f"RR(rel={grade})@10", f"R(rel={grade})@100")


def run_of(model, queries, ids, vectors):
    """Query id -> document id -> score, the best 100 of all documents."""
    names, found = list(queries), {}
    for start in range(0, len(names), BLOCK):
        some = names[start : start + BLOCK]
        f = model.encode_query([queries[name] for name in some])
        with torch.no_grad():
            best = f(Dense(vectors)).topk(min(DEPTH, len(ids)), dim=1)
        for name, rows, scores in zip(some, best.indices.tolist(), best.values.tolist(), strict=True):
            found[name] = {ids[row]: score for row, score in zip(rows, scores, strict=True)}
    return found


def lexical(rows, queries):
    engine = BM25(rows)
    return {name: {hit.id: hit.score for hit in engine.search([text], DEPTH)[0]} for name, text in queries.items()}


def measured(options, systems, tasks):
    """Collection -> model -> query id -> nDCG@10, and collection -> model -> means of all measures."""
    paths = [path for own in systems.values() for path in own]
    by_query, means = {}, {}
    for name, task in tasks.items():
        found = {path: one(options, name, task, path) for path in ["BM25", *paths]}
        by_query[name] = {path: values[0] for path, values in found.items()}
        means[name] = {path: [sum(each.values()) / len(each) for each in values] for path, values in found.items()}
        print(f"{name:14}" + "".join(f"{values[0]:8.4f}" for values in means[name].values()), flush=True)
    return by_query, means


def one(options, name, task, path):
    """Of each measure query id -> value, for one system; from the folder of results where it is in it."""
    file = options.output.with_suffix("") / name / f"{Path(path).name}.json"
    if file.is_file():
        return json.loads(file.read_text())
    folder, split, grade = task
    rows = testbed.documents(options.collections, folder)
    ids = [row["id"] for row in rows]
    queries, qrels = testbed.judged(options.collections, folder, split, ids)
    if path == "BM25":
        run = lexical(rows, queries)
    else:
        model = hyperir.load(path)
        run = run_of(model, queries, ids, testbed.vectors(model, rows, options.vectors, folder))
    values = list(evaluate(qrels, run, measures(grade)).by_query.values())
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(values) + "\n")
    return values


def tests(by_query, pairs):
    """Rows [collection, a, b, difference, p, Holm's p, wins, losses], corrected over all of them."""
    rows = []
    for name, scores in by_query.items():
        for a, b in pairs:
            found = compare(scores[a], scores[b])
            rows.append([name, a, b, found.difference, found.p, found.wins, found.losses])
    corrected = holm([row[4] for row in rows])
    return [[*row[:5], p, *row[5:]] for row, p in zip(rows, corrected, strict=True)]


def headed(systems):
    """Path of a model -> its head in the table."""
    heads = {"BM25": "BM25"}
    for name, paths in systems.items():
        heads |= {path: f"{name}, seed {i}" if len(paths) > 1 else name for i, path in enumerate(paths)}
    return heads


def written(heads, means, found):
    """The table and the tests as markdown."""
    lines = []
    for place, measure in enumerate((NDCG, "RR@10", "R@100")):
        lines += [f"| {measure} | " + " | ".join(heads.values()) + " |", "|---|" + "---|" * len(heads)]
        for name, values in means.items():
            lines.append(f"| {name} | " + " | ".join(short(values[path][place]) for path in heads) + " |")
        average = [sum(values[path][place] for values in means.values()) / len(means) for path in heads]
        lines += ["| **mean** | " + " | ".join(f"**{short(value, 4)}**" for value in average) + " |", ""]
    for title, rows in found.items():
        pairs = list(dict.fromkeys((row[1], row[2]) for row in rows))
        lines += [
            f"{title}:\n",
            "| | " + " | ".join(heads[a] for a, _ in pairs) + " |",
            "|---" * (len(pairs) + 1) + "|",
        ]
        for name in means:
            own = {(row[1], row[2]): tested(*row[3:6:2]) for row in rows if row[0] == name}
            lines.append(f"| {name} | " + " | ".join(own[pair] for pair in pairs) + " |")
        lines.append("")
    return "\n".join(lines)


def short(value, digits=3):
    """A measure without the 0 before its point."""
    return f"{value:.{digits}f}".removeprefix("0")


def tested(difference, p):
    """A difference in points with Holm's p; bold where that is small."""
    told = "<.001" if p < 0.001 else "1" if p >= 0.9995 else short(p)
    cell = f"{100 * difference:+.1f} ({told})"
    return f"**{cell}**" if p < LEVEL else cell


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("collections", type=Path)
    parser.add_argument("vectors", type=Path)
    parser.add_argument("systems", nargs="*", help="NAME=FOLDER,FOLDER")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--only", nargs="*", help="these collections, to share the work between processes")
    options = parser.parse_intermixed_args()  # systems may follow an option
    systems = {START: [START]}
    for system in options.systems:
        name, _, paths = system.partition("=")
        systems[name] = paths.split(",")
    tasks = {name: task for name, task in testbed.TESTS.items() if not options.only or name in options.only}
    by_query, means = measured(options, systems, tasks)
    trained = {name: paths for name, paths in systems.items() if name != START}
    found = {"Against MiniLM as it comes": tests(by_query, [(path, START) for own in trained.values() for path in own])}
    for a, own in trained.items():
        for b, others in trained.items():
            if list(trained).index(a) > list(trained).index(b):
                found[f"{a} against {b}"] = tests(by_query, list(zip(own, others, strict=False)))
    heads = headed(systems)
    options.output.write_text(written(heads, means, found), encoding="utf-8")
    told = {"names": heads, "means": means, "tests": found}
    options.output.with_suffix(".json").write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
