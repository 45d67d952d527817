"""Every system of HyperIR on the same collections: trainings, an experiment, and the pages of docs/systems.

    python benchmarks/systems/run.py FOLDER_OF_COLLECTIONS WORK -o docs/systems

FOLDER_OF_COLLECTIONS holds the BEIR folders named in `testbeds.py`. WORK keeps what is made, and the same command goes
on after a stop: a training after its last checkpoint, the experiment after its last finished cell.
"""

import argparse
import json
from pathlib import Path

import training
from page import write_pages
from testbeds import COLLECTIONS, make_testbed

from hyperir.evaluate.experiment import Plan, run_experiment

PLAID = {"type": "plaid", "bits": 2, "scores": "residuals"}
# Name in the tables -> the system, and the training that it needs.
SYSTEMS = {
    "BM25": ({"model": "bm25", "strategy": "inverted"}, None),
    "BM25+": ({"model": "bm25:variant=bm25+", "strategy": "inverted"}, None),
    "TF-IDF": ({"model": "tfidf:smart=lnc.ltc", "strategy": "inverted"}, None),
    "SNRM": ({"model": "models/snrm", "strategy": "inverted"}, "snrm"),
    "SPLADE": ({"model": "models/splade", "strategy": "inverted"}, "splade"),
    "inner product": ({"model": "minilm"}, None),
    "inner product, trained": ({"model": "models/inner"}, "inner"),
    "Hypencoder": ({"model": "models/official"}, "official"),
    "Hypencoder, linear": ({"model": "models/hyper"}, "hyper"),
    "hyperir-minilm": ({"model": "hyperir-minilm"}, None),
    "ColBERT": ({"model": "models/colbert"}, "colbert"),
    "ColBERT, PLAID": ({"model": "models/colbert", "strategy": PLAID}, "colbert"),
    "HypencoderMulti, PLAID": ({"model": "models/multi", "strategy": PLAID}, "multi"),
}


def plan(names, collections):
    """The experiment of some systems, from the folder WORK."""
    systems = {name: {"strategy": "exact"} | SYSTEMS[name][0] for name in names}
    return Plan.parse(
        {
            "title": "Systems",
            "systems": systems,
            "collections": {name: {"source": f"tests/{name}"} for name in collections},
            "measures": ["nDCG@10", "RR@10", "R@100"],
            "k": 100,
            "baseline": names[0],
        }
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("collections", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=list(SYSTEMS), default=list(SYSTEMS), help="these systems")
    parser.add_argument("--on", nargs="+", choices=COLLECTIONS, default=list(COLLECTIONS), help="these collections")
    parser.add_argument("--queries", type=int, help="of a collection, drawn; all if not said")
    parser.add_argument("--documents", type=int, help="of a collection: the judged ones and others, drawn")
    parser.add_argument("--no-page", action="store_true", help="make no page of what is there")
    options = parser.parse_args()
    work = options.work.resolve()
    training.prepare(options.collections, work)
    needed = {name: SYSTEMS[name][1] for name in options.only}
    for name in dict.fromkeys(one for one in needed.values() if one is not None):
        training.run(name, work)
    for name in options.on:
        make_testbed(options.collections / name, work / "tests" / name, options.queries, options.documents)
    results = run_experiment(plan(options.only, options.on), work / "cells", beside=work)
    if not options.no_page:
        taught = {name: training.facts(name, work) for name in needed.values() if name is not None}
        write_pages(results, needed, taught, options.output)
        told = json.dumps(results.as_dict(), indent=1).replace(f"{work}/", "")  # places are those in WORK
        (options.output / "results.json").write_text(told + "\n")


if __name__ == "__main__":
    main()
