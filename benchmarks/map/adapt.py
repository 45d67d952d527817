"""What `hyperir adapt` is worth on real collections: a q-net, the inner product, and the query encoder, adapted alike.

    python benchmarks/map/adapt.py COLLECTIONS -o WORK --table WORK/adapt.md

COLLECTIONS holds BEIR folders. Each collection is indexed, adapted to by its training split, and evaluated on its test
queries, which no adaptation sees. Every adaptation's result is a file below WORK: a run that was stopped goes on.
The tests are paired over the test queries, values averaged over seeds; Holm's correction is over all tests of the page.
"""

import argparse
import json
import random
import shutil
from pathlib import Path
from statistics import fmean

import numpy as np

import hyperir
from hyperir.evaluate import compare
from hyperir.evaluate.holm import holm
from hyperir.index.store import Store
from hyperir.train.adapting import adapt
from hyperir.train.adapting.measuring import Field, Reader, measure
from hyperir.train.adapting.splitting import Held

COLLECTIONS = ("tldr-pages", "nl2bash", "scifact", "scitldr", "squad")
NETWORK = {"relevance": "hyper", "learn": "head"}
ARMS = {
    "inner product": {"relevance": "dot", "learn": "head"},
    "q-net": NETWORK,
    "q-net, rows": NETWORK,
    "q-net, 64-64": NETWORK,
    "query encoder": {"relevance": "dot", "learn": "all"},
    "q-net, encoder": {"relevance": "hyper", "learn": "all"},
}
OTHER = {  # forms beside the one of `--form`, that of "q-net"
    "q-net, rows": {"type": "shared", "hidden": [256], "rows": True},
    "q-net, 64-64": {"type": "mlp", "hidden": [64, 64]},
}


def network(args, results, seed, form):
    """The network sweeps rates of its own, and its linear part learns as the inner product learned best, if it did."""
    known = "inner product" in results and not args.control
    rate = {"linear_rate": results["inner product"][seed]["adaptation"]["rate"]} if known else {}
    return form | rate | json.loads(args.network)


def both(args, results, seed):
    """The encoder at the rate that it learned best with alone, the network beside it at rates of its own.

    Where the encoder did not learn alone, its rates are swept, and what is beside it follows them.
    """
    own = form_of(args) | json.loads(args.encoder)
    if "query encoder" not in results:
        return own
    rate = results["query encoder"][seed]["adaptation"]["rate"]
    return own | {"encoder_rate": rate} | json.loads(args.network)


OWN = {  # settings that an arm has besides
    "inner product": lambda args, results, seed: json.loads(args.inner),
    "q-net": lambda args, results, seed: network(args, results, seed, form_of(args)),
    **{
        arm: lambda args, results, seed, form=form: network(args, results, seed, {"form": form})
        for arm, form in OTHER.items()
    },
    "query encoder": lambda args, results, seed: json.loads(args.encoder),
    "q-net, encoder": both,
}
CONTROL = "before, control"
PAIRS = (
    *((arm, "before") for arm in ("q-net", "inner product", "query encoder", "q-net, encoder")),
    ("before", CONTROL),
)
TOGETHER = (
    *((arm, "inner product") for arm in ("q-net", *OTHER)),
    ("q-net", "query encoder"),
    ("q-net, encoder", "query encoder"),
    ("q-net, encoder", "q-net"),
)
PAIRS += TOGETHER  # these over all queries of all collections as well
MEASURE = "nDCG@10"
MEASURES = (MEASURE, "RR@10", "R@100")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collections", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, help="the folder to work in")
    parser.add_argument("--only", nargs="+", default=COLLECTIONS, help="names of collections")
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=list(ARMS), help="the inner product first")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--encoder-seeds", type=int, default=3, help="the query encoder takes longer than the others")
    parser.add_argument("--model", default="all-MiniLM-L6-v2")
    parser.add_argument("--control", help="a model for the arms of the inner product, if another suits it better")
    parser.add_argument(
        "--form",
        type=json.loads,
        default={"type": "shared", "hidden": [256]},
        help="q-net, as JSON; null for that of the model",
    )
    parser.add_argument("--set", default="{}", help="more settings of every adaptation, as JSON")
    parser.add_argument("--inner", default="{}", help="more settings of the inner product's")
    parser.add_argument("--network", default="{}", help="more settings of the q-net's")
    parser.add_argument("--encoder", default="{}", help="more settings of the query encoder's")
    parser.add_argument("--queries", type=int, default=1000, help="of a test split, at most")
    parser.add_argument("--table", type=Path, help="where the table goes; else it is printed")
    args = parser.parse_args()
    found = {name: measured(name, args) for name in args.only}
    text = table(found, args)
    if args.table:
        args.table.write_text(text)
        means = {
            n: {arm: fmean(averaged(runs).values()) for arm, runs in of.items() if runs} for n, of in found.items()
        }
        args.table.with_suffix(".json").write_text(json.dumps(means))
    print(text)


def measured(name, args):
    """arm -> {"values": query id -> value averaged over seeds, "means", "adaptations"}."""
    collection = hyperir.open_collection(args.collections / name)
    held = asked_of(collection, args.queries)
    main, control = (Indexed(collection, args.output / name, model, held) for model in (args.model, control_of(args)))
    results = {"before": [main.before()]}
    if args.control:
        results[CONTROL] = [control.before()]
    for arm in args.arms:
        results[arm], of = [], control if ARMS[arm]["relevance"] == "dot" else main
        for seed in range(seeds_of(arm, args)):
            settings = ARMS[arm] | {"seed": seed} | json.loads(args.set) | OWN[arm](args, results, seed)
            if "train" in collection.splits:
                settings["collection"] = str(args.collections / name)
            results[arm].append(of.adapted(arm, settings))
    return results


class Indexed:
    """A collection's index by one model, and what was found in it; all of it is in files.

    Args:
        collection: to be indexed.
        folder: of all that is made of this collection.
        model: a name or a folder.
        held: the queries that are measured.
    """

    def __init__(self, collection, folder, model, held):
        self.folder, self.model, self.held = folder / Path(model).name, model, held
        self.folder.mkdir(parents=True, exist_ok=True)
        self.index = self.folder / "the.index"
        if not (self.folder / "indexed").exists():
            rows = list(collection.documents())
            shutil.rmtree(self.index, ignore_errors=True)
            hyperir.Index.create(self.index, model).add(rows, vectors=vectors_of(rows, model, self.folder))
            (self.folder / "indexed").touch()
        self.field = Field.of(Store.open(self.index), [], 0)
        self.known = Reader(same=True)  # what the encoder as it is reads of the queries

    def values(self, model, reader):
        return measure(hyperir.load(model), self.held, self.field, MEASURES, reader).by_query

    def before(self):
        return result_of(self.folder / "before.json", lambda: {"values": self.values(self.model, self.known)})

    def adapted(self, arm, settings):
        def run():
            # One folder for all arms of a seed: the teacher is asked once.
            found = adapt(self.index, settings, keep=False, work=self.folder / f"work-{settings['seed']}")
            reader = Reader(same=False) if settings["learn"] == "all" else self.known
            own = self.values(str(found.folder), reader)
            return {"values": own, "adaptation": found.as_dict(), "gained": found.gained}

        return result_of(self.folder / f"{arm.replace(' ', '-')}-{settings['seed']}.json", run)


def control_of(args):
    return args.control or args.model


def form_of(args):
    return {} if args.form is None else {"form": args.form}


def seeds_of(arm, args):
    return min(args.seeds, args.encoder_seeds) if ARMS[arm]["learn"] == "all" else args.seeds


def asked_of(collection, most):
    """Queries of the test split, or of dev where there is none."""
    split = "test" if "test" in collection.splits else "dev"
    queries, qrels = collection.queries(split), collection.qrels(split)
    held = Held()
    for query in random.Random(0).sample(sorted(queries), min(most, len(queries))):
        held.queries[query], held.qrels[query], held.ignored[query] = queries[query], qrels[query], set()
    return held


def result_of(file, make):
    """What a file holds, made where it is missing."""
    if not file.exists():
        file.write_text(json.dumps(make()))
    return json.loads(file.read_text())


def vectors_of(rows, model, folder):
    """(N, D) of all documents; kept in a file."""
    file = folder / "vectors.npy"
    if not file.exists():
        np.save(file, hyperir.load(model).encode_document(rows).vectors.float().numpy())
    return np.load(file)


def averaged(runs, measure=MEASURE):
    """Query id -> the mean over seeds."""
    return {query: fmean(run["values"][measure][query] for run in runs) for query in runs[0]["values"][measure]}


def as_kept(results, arm):
    """What searches would use: the adapted function where its own tests kept it, else the one before."""
    before = results[CONTROL if CONTROL in results and ARMS[arm]["relevance"] == "dot" else "before"][0]
    return [run if run["gained"] else before for run in results[arm]]


def every(found, arm):
    """(collection, query id) -> the mean over seeds."""
    return {(name, query): value for name, of in found.items() for query, value in averaged(of[arm]).items()}


def table(found, args):
    arms = ["before", *([CONTROL] if args.control else []), *args.arms]
    pairs = [pair for pair in PAIRS if set(pair) <= set(arms)]
    if args.control:  # what was before the inner product is its own model
        pairs = [(a, CONTROL if b == "before" and ARMS.get(a, {}).get("relevance") == "dot" else b) for a, b in pairs]
    tests, lines = {}, [f"| collection | queries | {' | '.join(arms)} |", "|---|---|" + "---|" * len(arms)]
    for name, results in found.items():
        values = {arm: averaged(results[arm]) for arm in arms}
        for a, b in pairs:
            tests[name, a, b] = compare(values[a], values[b])
        cells = [f"{fmean(values[arm].values()):.4f}" for arm in arms]
        lines.append(f"| {name} | {len(values['before']):,} | {' | '.join(cells)} |")
    for pair in TOGETHER if len(found) > 1 else ():
        if pair in pairs:
            tests["all queries", *pair] = compare(*(every(found, arm) for arm in pair))
    corrected = dict(zip(tests, holm([test.p for test in tests.values()]), strict=True))
    lines += ["", "| collection | compared | difference | p | p (Holm) | better / worse |", "|---|---|---|---|---|---|"]
    for (name, a, b), test in tests.items():
        wins = f"{test.wins} / {test.losses}"
        p = f"{test.p:.4f} | {corrected[name, a, b]:.4f}"
        lines.append(f"| {name} | {a} - {b} | {test.difference:+.4f} | {p} | {wins} |")
    lines += [
        "",
        "| collection | arm | kept | as kept | RR@10 | R@100 | rates | shares | seconds |",
        "|---|" + "---|" * 8,
    ]
    for name, results in found.items():
        for arm in args.arms:
            done = [run["adaptation"] for run in results[arm]]
            more = [fmean(averaged(results[arm], each).values()) for each in MEASURES[1:]]
            cells = [
                f"{sum(run['gained'] for run in results[arm])} of {len(done)}",
                f"{fmean(averaged(as_kept(results, arm)).values()):.4f}",
                *(f"{value:.4f}" for value in more),
                ", ".join(f"{one['rate']:g}" for one in done),
                ", ".join(f"{one['share']:g}" for one in done),
                f"{fmean(one['seconds'] for one in done):.0f}",
            ]
            lines.append(f"| {name} | {arm} | {' | '.join(cells)} |")
    seeds = (
        f"{args.seeds} seed"
        + "s" * (args.seeds > 1)
        + (f", query encoder {args.encoder_seeds}" if "query encoder" in arms else "")
    )
    models = Path(args.model).name + (f", inner products over {Path(args.control).name}" if args.control else "")
    return "\n".join([f"{MEASURE}, {seeds}, {models}", "", *lines, ""])


if __name__ == "__main__":
    main()
