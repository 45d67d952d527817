"""How much of what was learned to keep: weights between the start's and the trained ones, by the pool's dev splits.

    python benchmarks/model/shares.py POOLED START POOLED_INDEX RUN
    python benchmarks/model/shares.py POOLED START POOLED_INDEX RUN --write .35 -o WHERE

RUN was trained from START with `run.average` as its record says. A share is of the transformer's weights; those of the
function are kept whole where `run.average_head` says so, and otherwise move along. The second command writes the model
of another share, as training with `run.average` of it does. 600 queries of every source, among all of the pool's
documents; of Python's, nothing was learned.
"""

import argparse
import shutil
from pathlib import Path

import torch
import yaml
from widths import asked

import hyperir
from hyperir.core.docs import Dense
from hyperir.evaluate import evaluate
from hyperir.train.reading import read_recipe

SHARES, BLOCK = (0.0, 0.2, 0.35, 0.5, 0.7, 1.0), 200


def moved(model, start, factor, head):
    """Put the queries' transformer `factor` of the way from the start to where it is, and what the head adds `head`."""
    before, begun = start.query.backbone.transformer.state_dict(), first(model, start)
    with torch.no_grad():
        for name, weights in model.query.backbone.transformer.named_parameters():
            weights.copy_(torch.lerp(before[name], weights, factor))
        for name, weights in model.relevance.named_parameters():
            weights.copy_(torch.lerp(begun[name], weights, head))


def first(model, start):
    """The relevance function's weights before training: drawn with its seed."""
    made = hyperir.Model(start.document, start.query, model.relevance_config, seed=model.seed)
    return dict(made.relevance.named_parameters())


def measured(model, sources, qrels, docs, ids):
    """Mean nDCG@10 of every source."""
    found = []
    for queries in sources.values():
        run, names = {}, list(queries)
        for at in range(0, len(names), BLOCK):
            some = names[at : at + BLOCK]
            with torch.no_grad():
                best = model.encode_query([queries[name] for name in some])(docs).topk(10, dim=1)
            for name, places, values in zip(some, best.indices.tolist(), best.values.tolist(), strict=True):
                run[name] = {ids[place]: value for place, value in zip(places, values, strict=True)}
        found.append(evaluate({q: qrels[q] for q in queries}, run, ("nDCG@10",)).means()["nDCG@10"])
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("pooled")
    parser.add_argument("start")
    parser.add_argument("index", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--write", type=float, metavar="SHARE")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    start, recipe = hyperir.load(options.start), read_recipe(options.run / "training" / "recipe.yaml")
    kept, whole = recipe.run.average, recipe.run.average_head is not None

    def trained(share):
        model = hyperir.load(str(options.run))
        model.seed = recipe.seed
        moved(model, start, share / kept, 1.0 if whole else share / kept)
        return model

    if options.write is not None:
        trained(options.write).save_pretrained(options.output)
        shutil.copytree(options.run / "training", options.output / "training")
        changed = recipe.model_dump(mode="json") | {
            "run": recipe.run.model_dump(mode="json") | {"average": options.write}
        }
        (options.output / "training" / "recipe.yaml").write_text(yaml.safe_dump(changed, sort_keys=False))
        return
    sources, qrels = asked(hyperir.open_collection(options.pooled))
    store = hyperir.Index.open(options.index, options.start).store
    docs = Dense(store.docs[: len(store)].vectors.float())
    ids = [row["id"] for row in store.rows(list(range(len(store))))]
    print("| share | " + " | ".join(sources) + " | mean |\n|---|" + "---|" * (len(sources) + 1))
    for share in SHARES:
        found = measured(trained(share), sources, qrels, docs, ids)
        print(
            f"| {share} | " + " | ".join(f"{value:.3f}" for value in [*found, sum(found) / len(found)]) + " |",
            flush=True,
        )


if __name__ == "__main__":
    main()
