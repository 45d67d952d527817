"""The map: every regime's forms, rates chosen on validation, three seeds; results as lines of JSON.

    python -m benchmarks.map.run FOLDER_OF_COLLECTIONS WORK [--regimes labels narrow "conditions, words" ...]
        [--forms FORM ...]

WORK holds vectors, computed once, and results.jsonl; a run that is in there is not done again. `page.py` makes tables
and pictures of it. Some four hours on one core.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import faiss
import numpy as np
import torch

from benchmarks.map import conditions, pools, several
from benchmarks.map.fit import Task, fit, untrained
from benchmarks.map.forms import BASES, FORMS, INNER, MAIN, MAXSIM, SCALARS, SEVERAL, SHAPES, WORDS
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
    coder = faiss.ProductQuantizer(world.docs.shape[1], size, 8)
    coder.cp.min_points_per_centroid = 1  # it warns of less than 39, once for each codebook
    return _decoded(coder, world.docs)


def scalars(world, size, bits):
    """Documents and questions in as many principal components as some bytes hold, the documents' after rounding."""
    width = min(8 * size // bits, world.docs.shape[1])
    best = torch.linalg.svd(world.docs[world.usable][:4000], full_matrices=False).Vh[:width]
    docs, questions = world.docs @ best.T, world.states.pooled @ best.T
    if bits == 1:  # signs about the mean, and a length for each component
        middle = docs.mean(0)
        signs = torch.where(docs > middle, 1.0, -1.0)
        return middle + signs * (docs - middle).abs().mean(0), questions
    kind = {4: faiss.ScalarQuantizer.QT_4bit, 8: faiss.ScalarQuantizer.QT_8bit}[bits]
    return _decoded(faiss.ScalarQuantizer(width, kind), docs), questions


def _decoded(coder, docs):
    docs = np.ascontiguousarray(docs.numpy())
    coder.train(docs)
    return torch.from_numpy(coder.decode(coder.compute_codes(docs)))


def condition(root, work):
    """Conditions over paragraphs and the world of people; labels."""
    for name, world in (
        ("paragraphs", conditions.paragraphs(root, work / "worlds")),
        ("people", conditions.people(work / "worlds")),
    ):
        yield name, world, Task("labels", own(world)), (384, 32), MAIN


def condition_words(root, work):
    """Conditions over paragraphs whose vectors hold their words too; labels, longer, and more of the hard negatives.

    The forms were made on the first world; the second has other known and unknown words and questions of its own.
    """
    for seed, name in enumerate(conditions.WORLDS):
        world = with_words(conditions.paragraphs(root, work / "worlds", seed=seed))
        yield name, world, Task("labels", own(world), steps=1000, hard=8), (world.docs.shape[1],), WORDS


def richer(root, work):
    """Several pools of a document's tokens side by side, and one that learns what it attends to; labels."""
    forms = [INNER, "linear + 64-64", "linear + shared 256"]
    for _, world, whole in several.worlds(root, work / "worlds", ["tldr-pages"]):
        yield "attention", whole, Task("labels", own(world)), (384,), forms
    for name, world in pools.worlds(root, work / "worlds", "tldr-pages"):
        yield name, world, Task("labels", own(world)), (world.docs.shape[1],), forms


def shapes(root, work):
    """Widths and depths; labels."""
    world = collection(root, "tldr-pages", work / "worlds")
    yield "tldr-pages", world, Task("labels", own(world)), (384,), SHAPES


def tokens(root, work):
    """A vector of every token, MaxSim or networks of every token of the question; labels."""
    for name, world, whole in several.worlds(root, work / "worlds", ["tldr-pages"]):
        yield name, whole, Task("labels", own(world)), (16,), SEVERAL


REGIMES = {
    "conditions": condition,
    "conditions, words": condition_words,
    "narrow": narrow,
    "narrow, longer": longer,
    "codes": codes,
    "labels": labels,
    "distilled": distilled,
    "pools": richer,
    "several": tokens,
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
    parser.add_argument(
        "--forms", nargs="*", default=list(FORMS), choices=list(FORMS), help="beside the inner product or MaxSim"
    )
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    results = Results(options.work / "results.jsonl")
    for regime in options.regimes:
        for name, world, task, widths, forms in REGIMES[regime](options.collections, options.work):
            if regime == "narrow":
                quantised(results, name, world)
            if regime == "several":  # what narrowing costs
                as_it_comes(results, f"several|{name}|384", world, 384, MAXSIM)
            forms = [form for form in forms if form in (*BASES, *options.forms)]
            for width in widths:
                cell(results, regime, name, world, task, width, forms)


def cell(results, regime, name, world, task, width, forms):
    """All forms of one regime, collection and width."""
    key = f"{regime}|{name}|{width}"
    base, *others = forms
    as_it_comes(results, key, world, width, base)
    best, _ = chosen(results, key, world, task, width, base, [(rate, rate) for rate in MAPS])
    # What suits the inner product's maps may be too much beside a network.
    maps = (MAPS[-2], best) if best > MAPS[-2] else (best,)
    for form in track(others, key):
        chosen(results, key, world, task, width, form, [(one, rate) for one in maps for rate in REST])


def as_it_comes(results, key, world, width, base):
    """What the other forms are compared with, before it has learned."""
    results.get(f"{key}|as it comes", lambda: {"tests": untrained(world, FORMS[base], width)})


def chosen(results, key, world, task, width, form, pairs):
    """The best of some pairs of rates on validation, and of those beyond while it is at an end; then other seeds."""

    def one(rates, seed):
        made = results.get(
            f"{key}|{form}|{rates[0]:g} {rates[1]:g}|{seed}",
            lambda: fit(world, task, FORMS[form], width, rates, seed),
        )
        return made["valid"]

    best = max(pairs, key=lambda rates: one(rates, SEEDS[0]))
    for _ in REST:
        tried = [rest for _, rest in pairs]
        if min(tried) < best[1] < max(tried):
            break
        factor = 3 if best[1] == max(tried) else 1 / 3
        beyond = (factor * best[0] if form in BASES else best[0], factor * best[1])
        pairs = [*pairs, tuple(float(f"{rate:.3g}") for rate in beyond)]
        best = max(pairs, key=lambda rates: one(rates, SEEDS[0]))
    for seed in SEEDS[1:]:
        one(best, seed)
    results.get(f"{key}|{form}|chosen", lambda: {"rates": best})
    return best


def quantised(results, name, world):
    """The inner product over quantised documents, at some numbers of bytes a document."""

    def make(docs, questions):
        return {
            "tests": {
                test: ranks_of(questions[numbers] @ docs.T, [world.relevant[n] for n in numbers], world.measure)
                for test, numbers in world.tests.items()
            }
        }

    for size in (8, 16, 32, 64, 128):
        key = f"narrow|{name}|{size}"
        results.get(f"{key}|product quantisation", lambda size=size: make(decoded(world, size), world.states.pooled))
        for bits, form in SCALARS.items():
            if 8 * size // bits <= world.docs.shape[1]:
                results.get(f"{key}|{form}", lambda size=size, bits=bits: make(*scalars(world, size, bits)))


if __name__ == "__main__":
    main()
