"""The map: every regime's forms, rates chosen on validation, three seeds; results as lines of JSON.

    python -m benchmarks.map.run FOLDER_OF_COLLECTIONS WORK [--regimes labels narrow "conditions, words" ...]
        [--forms FORM ...]

WORK holds vectors, computed once, and results.jsonl; a run that is in there is not done again. `page.py` makes tables
and pictures of it. Some six hours on one core.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import faiss
import numpy as np
import torch

from benchmarks.map import conditions, pools, several, teachers
from benchmarks.map.fit import Task, fit, untrained
from benchmarks.map.forms import (
    BASES,
    FORMS,
    INNER,
    MAIN,
    MAXSIM,
    PRODUCT,
    SCALARS,
    SEVERAL,
    SHAPES,
    SHARED,
    TEACHER,
    WORDS,
)
from benchmarks.map.world import collection, ranks_of, with_words
from hyperir.core.progress import track

MAPS, REST, SEEDS = (1e-4, 3e-4, 1e-3, 3e-3, 9e-3, 2.7e-2, 8.1e-2), (3e-5, 1e-4, 3e-4), (0, 1, 2)
GENTLE = 1e-3  # of the maps: what suits the inner product's may be too much beside a network
LIMITS = (1e-6, 0.3)  # of what is tried beyond those
COLLECTIONS = ("squad", "tldr-pages")
NARROW = (8, 16, 32, 64, 128)
SPANS = 4  # of a document, a vector each


def own(world):
    """The inner product's scores: what chooses hard negatives where there is no other teacher."""
    return world.states.pooled @ world.docs.T


def labels(root, work):
    """Supervised, over frozen vectors."""
    for name in COLLECTIONS:
        world = collection(root, name, work / "worlds")
        yield name, world, Task("labels", own(world)), (384,), MAIN


def distilled(root, work):
    """From BM25 and MaxSim over the tokens together, margins of about 190 documents a question."""
    for name, world, whole in several.worlds(root, work / "worlds", COLLECTIONS):
        teacher = teachers.strong(world, whole.docs, work / "worlds" / f"{name}-teacher.pt")
        yield name, world, Task("margin", teacher, temperature=0.1), (384,), MAIN


def narrow(root, work):
    """Narrower documents, without labels: the inner product over 384 numbers teaches, questions are a log."""
    for name in COLLECTIONS:
        world = collection(root, name, work / "worlds")
        yield name, world, Task("kl", own(world)), (*NARROW, 384), MAIN


def longer(root, work):
    """The same for five times as long, at two widths."""
    for name, world, task, *_ in narrow(root, work):
        yield name, world, replace(task, steps=1500), (16, 32), [INNER, "official, 64-64", "linear + shared 256"]


def codes(root, work):
    """Documents as product quantisation decodes them; the inner product with the exact ones teaches."""
    for name in COLLECTIONS:
        world = collection(root, name, work / "worlds")
        for size in (8, 16):
            rough = replace(world, docs=decoded(world, size))
            yield f"{name}, {size} bytes", rough, Task("kl", own(world)), (384,), MAIN


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
    for _, world, whole in several.worlds(root, work / "worlds", ["tldr-pages"]):
        yield "attention", whole, Task("labels", own(world)), (384,), MAIN
    for name, world in pools.worlds(root, work / "worlds", "tldr-pages"):
        yield name, world, Task("labels", own(world)), (world.docs.shape[1],), MAIN


def spanned(root, work):
    """Four vectors a document, the means of its quarters, and one function a question that takes the best; labels.

    At 96 numbers each they are as many as one vector has.
    """
    for name, world, whole in several.worlds(root, work / "worlds", COLLECTIONS):
        quarters = replace(world, docs=several.spans(whole.docs, SPANS))
        yield name, quarters, Task("labels", own(world)), (96, 384), MAIN


def shapes(root, work):
    """Widths and depths; labels."""
    world = collection(root, "tldr-pages", work / "worlds")
    yield "tldr-pages", world, Task("labels", own(world)), (384,), SHAPES


def narrow_shapes(root, work):
    """Widths and depths where documents are narrow; no labels."""
    world = collection(root, "squad", work / "worlds")
    yield "squad", world, Task("kl", own(world)), (16,), [*SHAPES, *SHARED]


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
    "spans": spanned,
    "shapes": shapes,
    "shapes, narrow": narrow_shapes,
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
            if regime in BESIDE:
                BESIDE[regime](results, name, world, task)
            forms = [form for form in forms if form in (*BASES, *options.forms)]
            for width in widths:
                cell(results, regime, name, world, task, width, forms)


def cell(results, regime, name, world, task, width, forms):
    """All forms of one regime, collection and width."""
    key = f"{regime}|{name}|{width}"
    base, *others = forms
    as_it_comes(results, key, world, width, base)
    best, _ = chosen(results, key, world, task, width, base, [(rate, rate) for rate in MAPS])
    maps = (GENTLE, best) if best > GENTLE else (best,)
    for form in track(others, key):
        chosen(results, key, world, task, width, form, [(one, rate) for one in maps for rate in REST])


def as_it_comes(results, key, world, width, base):
    """What the other forms are compared with, before it has learned."""
    results.get(f"{key}|as it comes", lambda: {"tests": untrained(world, FORMS[base], width)})


def chosen(results, key, world, task, width, form, pairs):
    """The best of some pairs of rates on validation, and of those beyond while it is at an end; then the tests.

    What the others are compared with is chosen by all seeds, so that it is not behind by a chance of its rate.
    """

    def one(rates, seed, *, tests=False):
        return results.get(
            f"{key}|{form}|{rates[0]:g} {rates[1]:g}|{seed}" + ("" if tests else " valid"),
            lambda: fit(world, task, FORMS[form], width, rates, seed, tests),
        )

    def worth(rates):
        return np.mean([one(rates, seed)["valid"] for seed in (SEEDS if form in BASES else SEEDS[:1])])

    best = max(pairs, key=worth)
    while best[1] in (min(tried := [rest for _, rest in pairs]), max(tried)):
        factor = 3 if best[1] == max(tried) else 1 / 3
        beyond = rounded(factor * best[0] if form in BASES else best[0], factor * best[1])
        if not LIMITS[0] < beyond[1] < LIMITS[1]:
            break
        pairs = [*pairs, beyond]
        best = max(pairs, key=worth)
    if form not in BASES:
        best = climbed(best, worth)
    for seed in SEEDS:
        one(best, seed, tests=True)
    results.get(f"{key}|{form}|chosen", lambda: {"rates": best})
    return best


def climbed(rates, worth):
    """With the maps' rate three times as high or low, while that is better: beside a network it may be another one."""
    near = [rounded(factor * rates[0], rates[1]) for factor in (1 / 3, 3)]
    best = max([rates, *(pair for pair in near if LIMITS[0] < pair[0] < LIMITS[1])], key=worth)
    return rates if best == rates else climbed(best, worth)


def rounded(*rates):
    """Rates as their names have them."""
    return tuple(float(f"{rate:.3g}") for rate in rates)


def quantised(results, name, world, task):
    """The inner product over quantised documents, at some numbers of bytes a document."""
    for size in NARROW:
        for bits, form in {None: PRODUCT, **SCALARS}.items():
            if bits is None or 8 * size // bits <= world.docs.shape[1]:
                results.get(f"narrow|{name}|{size}|{form}", lambda size=size, bits=bits: coded(world, size, bits))


def coded(world, size, bits):
    """Tests over documents of some bytes: principal components of so many bits, or by products where None is said."""
    docs, questions = scalars(world, size, bits) if bits else (decoded(world, size), world.states.pooled)
    return tested(world, questions @ docs.T)


def taught(results, name, world, task):
    """What the teacher finds itself."""
    results.get(f"distilled|{name}|384|{TEACHER}", lambda: tested(world, task.teacher))


def wide(results, name, world, task):
    """What narrowing costs where vectors are several."""
    as_it_comes(results, f"several|{name}|384", world, 384, MAXSIM)


BESIDE = {"narrow": quantised, "distilled": taught, "several": wide}  # what learns nothing, to compare with


def tested(world, scores):
    """The measure of the tests' questions by (questions, N) scores."""
    return {
        "tests": {
            test: ranks_of(scores[numbers], [world.relevant[n] for n in numbers], world.measure)
            for test, numbers in world.tests.items()
        }
    }


if __name__ == "__main__":
    main()
