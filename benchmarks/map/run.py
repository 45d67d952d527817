"""The map: every regime's forms, rates chosen on validation, three seeds; results as lines of JSON.

    python -m benchmarks.map.run FOLDER_OF_COLLECTIONS WORK [--regimes labels distilled narrow conditions pools shapes]
        [--forms FORM ...]

WORK holds vectors, computed once, and results.jsonl; a run that is in there is not done again. `page.py` makes tables
and pictures of it. About an hour and a half on one core.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import faiss
import numpy as np
import torch

from benchmarks.map import conditions, pools
from benchmarks.map.fit import Task, fit, untrained
from benchmarks.map.forms import FORMS, INNER, MAIN, SHAPES, WORDS
from benchmarks.map.world import collection, fused_scores, ranks_of, with_words
from hyperir.core.progress import track

MAPS, REST, SEEDS = (1e-4, 3e-4, 1e-3, 3e-3), (3e-5, 1e-4, 3e-4), (0, 1, 2)
COLLECTIONS = ("squad", "tldr-pages")
NARROW = (8, 16, 32, 64, 128)


def own(world):
    """The inner product's scores of training questions: what chooses hard negatives where there is no other teacher."""
    return world.states.pooled[world.train] @ world.docs.T


def labels(root, work):
    """Supervised, over frozen vectors."""
    for name in COLLECTIONS:
        world = collection(root, name, work / "worlds")
        yield name, world, Task("labels", own(world)), (384,), MAIN[:4]


def distilled(root, work):
    """From BM25 and the inner product together, margins of about 190 documents a question."""
    for name in COLLECTIONS:
        world = collection(root, name, work / "worlds")
        yield name, world, Task("margin", fused_scores(world, world.train), temperature=0.1), (384,), MAIN[:4]


def narrow(root, work):
    """Narrower documents, without labels: the inner product over 384 numbers teaches, questions are a log."""
    for name in COLLECTIONS:
        world = collection(root, name, work / "worlds")
        forms = [INNER, "linear + 64-64", "linear + shared 256"]
        yield name, world, Task("kl", own(world)), NARROW, forms


def longer(root, work):
    """The same for five times as long, at two widths."""
    for name, world, task, _, _ in narrow(root, work):
        yield name, world, replace(task, steps=1500), (16, 32), [INNER, "linear + shared 256"]


def codes(root, work):
    """Documents as product quantisation decodes them; the inner product with the exact ones teaches."""
    for name in COLLECTIONS:
        world = collection(root, name, work / "worlds")
        for size in (8, 16):
            forms = [INNER, "linear + 64-64", "linear + shared 256"]
            yield (
                f"{name}, {size} bytes",
                replace(world, docs=decoded(world, size)),
                Task("kl", own(world)),
                (384,),
                forms,
            )


def decoded(world, size):
    """(N, C) documents after product quantisation to some number of bytes."""
    docs = np.ascontiguousarray(world.docs.numpy())
    coder = faiss.ProductQuantizer(docs.shape[1], size, 8)
    coder.train(docs)
    return torch.from_numpy(coder.decode(coder.compute_codes(docs)))


def condition(root, work):
    """Conditions over paragraphs and the world of people; labels."""
    for name, world in conditioned(root, work):
        yield name, world, Task("labels", own(world)), (384, 32), MAIN


def condition_words(root, work):
    """Conditions over documents whose vectors hold their words too; labels, longer, and more of the hard negatives."""
    for name, world in conditioned(root, work):
        world = with_words(world)
        yield name, world, Task("labels", own(world), steps=1000, hard=8), (world.docs.shape[1],), WORDS


def conditioned(root, work):
    """The worlds of conditions: paragraphs, and people."""
    yield "paragraphs", conditions.paragraphs(root, work / "worlds")
    yield "people", conditions.people(work / "worlds")


def richer(root, work):
    """Several pools of a document's tokens side by side; labels."""
    for name, world in pools.worlds(root, work / "worlds", "tldr-pages"):
        forms = [INNER, "linear + 64-64", "linear + shared 256"]
        yield name, world, Task("labels", own(world)), (world.docs.shape[1],), forms


def shapes(root, work):
    """Widths and depths; labels."""
    world = collection(root, "tldr-pages", work / "worlds")
    yield "tldr-pages", world, Task("labels", own(world)), (384,), SHAPES


REGIMES = {
    "conditions": condition,
    "conditions, words": condition_words,
    "narrow": narrow,
    "narrow, longer": longer,
    "codes": codes,
    "labels": labels,
    "distilled": distilled,
    "pools": richer,
    "shapes": shapes,
}


class Results:
    """Lines of a file, one a run, by what was run."""

    def __init__(self, file):
        self.file = file
        lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
        self.rows = {row["key"]: row for row in map(json.loads, lines)}

    def get(self, key, make):
        """The row of a key, made and written down where it is not there."""
        if key not in self.rows:
            row = {"key": key, **make()}
            with self.file.open("a", encoding="utf-8") as out:
                out.write(json.dumps(row) + "\n")
            self.rows[key] = row
        return self.rows[key]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("collections", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--regimes", nargs="*", default=list(REGIMES), choices=list(REGIMES))
    parser.add_argument("--forms", nargs="*", default=list(FORMS), choices=list(FORMS), help="beside the inner product")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    results = Results(options.work / "results.jsonl")
    for regime in options.regimes:
        for name, world, task, widths, forms in REGIMES[regime](options.collections, options.work):
            if regime == "narrow":
                quantised(results, name, world)
            forms = [form for form in forms if form in (INNER, *options.forms)]
            for width in widths:
                cell(results, regime, name, world, task, width, forms)


def cell(results, regime, name, world, task, width, forms):
    """All forms of one regime, collection and width."""
    key = f"{regime}|{name}|{width}"
    results.get(f"{key}|as it comes", lambda: {"tests": untrained(world, width)})
    best, _ = chosen(results, key, world, task, width, INNER, [(rate, rate) for rate in MAPS])
    # What suits the inner product's maps may be too much beside a network.
    maps = (MAPS[-2], best) if best > MAPS[-2] else (best,)
    for form in track([form for form in forms if form != INNER], key):
        chosen(results, key, world, task, width, form, [(one, rate) for one in maps for rate in REST])


def chosen(results, key, world, task, width, form, pairs):
    """The best of some pairs of rates on validation, and of higher ones while the highest is best; then other seeds."""

    def one(rates, seed):
        made = results.get(
            f"{key}|{form}|{rates[0]:g} {rates[1]:g}|{seed}",
            lambda: fit(world, task, FORMS[form], width, rates, seed),
        )
        return made["valid"]

    best = max(pairs, key=lambda rates: one(rates, SEEDS[0]))
    for _ in REST:
        if best[1] < max(rate for _, rate in pairs):
            break
        pairs = [*pairs, (3 * best[0] if form == INNER else best[0], 3 * best[1])]  # the best may lie beyond
        best = max(pairs, key=lambda rates: one(rates, SEEDS[0]))
    for seed in SEEDS[1:]:
        one(best, seed)
    results.get(f"{key}|{form}|chosen", lambda: {"rates": best})
    return best


def quantised(results, name, world):
    """The inner product over product quantisation of the 384 numbers, at some numbers of bytes a document."""
    for size in (8, 16, 32, 64, 128):

        def make(size=size):
            docs = decoded(world, size)
            return {
                "tests": {
                    test: ranks_of(
                        world.states.pooled[numbers] @ docs.T, [world.relevant[n] for n in numbers], world.measure
                    )
                    for test, numbers in world.tests.items()
                }
            }

        results.get(f"narrow|{name}|{size}|product quantisation", make)


if __name__ == "__main__":
    main()
