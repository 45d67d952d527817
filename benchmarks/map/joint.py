"""Regime 1 of the map: both sides learn, from all-MiniLM-L6-v2, or from random weights of its shape with fewer layers.

    python -m benchmarks.map.joint FOLDER_OF_COLLECTIONS WORK --start pretrained --steps 60
    python -m benchmarks.map.joint FOLDER_OF_COLLECTIONS WORK --start random --layers 2 --steps 150

One transformer for both sides, texts cut short, 32 questions a step with the others' documents as negatives. The
encoder's rate is the inner product's best for every form; of the head's, validation chooses. The tests rank 2,500
documents, all that answer their questions among them. Results go where those of `run.py` are.
"""

import argparse
import math
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from transformers import AutoModel

import hyperir
from benchmarks.map.forms import FORMS, INNER, MAIN, scale_of
from benchmarks.map.run import SEEDS, Results
from benchmarks.map.world import MODEL, collection, ranks_of
from hyperir.core.docs import Dense
from hyperir.core.progress import track
from hyperir.relevance import RELEVANCE

QUERIES, LENGTH = 32, 32  # a step's questions; tokens of a text
DOCUMENTS, BLOCK = 2500, 64  # ranked; encoded at once
SCALE = 1e-3  # learning rate of the scores' scale, which is all that learns of the inner product beside the transformer


class Student(nn.Module):
    """A transformer and a relevance function."""

    def __init__(self, start, layers, relevance):
        super().__init__()
        model = hyperir.load(MODEL)
        self.encoder = model.query
        self.encoder.config = self.encoder.config.model_copy(update={"max_length": LENGTH})
        transformer = self.encoder.backbone.transformer
        if start == "random":
            fresh = AutoModel.from_config(transformer.config)
            transformer.load_state_dict(fresh.state_dict(), strict=False)
        if layers is not None:
            transformer.encoder.layer = transformer.encoder.layer[:layers]
        self.relevance = RELEVANCE.build(relevance, width=model.width, state_width=self.encoder.backbone.width)
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale_of(relevance))))


def fit(world, relevance, start, layers, steps, rates, seed):
    """Train both sides and measure."""
    torch.manual_seed(seed)
    draw = np.random.default_rng(seed)
    student = Student(start, layers, relevance)
    student.eval()  # no dropout: few steps
    groups = [
        {"params": student.encoder.parameters(), "lr": rates[0]},
        {"params": [*student.relevance.parameters(), student.log_scale], "lr": rates[1]},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / (steps // 10), (steps - step) / (steps - steps // 10))
    )
    order = np.concatenate([draw.permutation(world.train) for _ in range(1 + steps * QUERIES // len(world.train))])
    start_time = time.perf_counter()
    for step in track(range(steps), f"{start} {rates} {seed}", steps, "steps"):
        numbers = order[step * QUERIES : (step + 1) * QUERIES]
        rows = np.array([draw.choice(world.relevant[n]) for n in numbers])
        docs = student.encoder.states([world.texts[row] for row in rows]).pooled
        f = student.relevance(student.encoder.states([world.questions[n] for n in numbers]))
        scores = f(Dense(docs)) * student.log_scale.exp()
        own = torch.arange(len(rows))
        also = torch.from_numpy(np.stack([np.isin(rows, world.relevant[n]) for n in numbers]))
        also[own, own] = False
        loss = cross_entropy(scores.masked_fill(also, -torch.inf), own)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    trained = time.perf_counter() - start_time
    return {**measured(student, world), "seconds": round(trained, 1)}


def sampled(world):
    """What is needed of the documents for validation and tests: those that answer, and others up to `DOCUMENTS`."""
    numbers = np.concatenate([world.valid, *world.tests.values()])
    needed = np.unique(np.concatenate([world.relevant[n] for n in numbers]))
    others = np.setdiff1d(np.arange(len(world.texts)), needed)
    more = np.random.default_rng(0).permutation(others)[: DOCUMENTS - len(needed)]
    rows = np.sort(np.concatenate([needed, more]))
    relevant = [np.searchsorted(rows, np.intersect1d(each, rows)) for each in world.relevant]
    return replace(world, texts=[world.texts[row] for row in rows], relevant=relevant)


@torch.no_grad()
def measured(student, world):
    """As `benchmarks.map.fit.fit` gives it."""
    world = sampled(world)
    order = np.argsort([len(text) for text in world.texts])
    docs = torch.empty(len(order), student.encoder.width)
    for start in range(0, len(order), BLOCK):
        part = order[start : start + BLOCK]
        docs[part] = student.encoder.states([world.texts[at] for at in part]).pooled

    def values(numbers):
        found = []
        for start in range(0, len(numbers), BLOCK):
            part = numbers[start : start + BLOCK]
            f = student.relevance(student.encoder.states([world.questions[n] for n in part]))
            found += ranks_of(f(Dense(docs)), [world.relevant[n] for n in part], world.measure)
        return found

    return {"valid": float(np.mean(values(world.valid))), "tests": {t: values(n) for t, n in world.tests.items()}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("collections", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--start", choices=["pretrained", "random"], default="pretrained")
    parser.add_argument("--layers", type=int)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--name", help='of the regime, of so many steps and layers; "joint, START"')
    parser.add_argument("--encoder-rates", type=float, nargs="*", default=[5e-5, 2e-4])
    parser.add_argument("--head-rates", type=float, nargs="*", default=[1e-4, 1e-3])
    parser.add_argument("--forms", nargs="*", default=MAIN[1:])
    options = parser.parse_args()
    world = collection(options.collections, "tldr-pages", options.work / "worlds")
    results = Results(options.work / "results.jsonl")
    start, layers, rates = options.start, options.layers, options.encoder_rates
    name = options.name or f"joint, {start}"
    results.get(
        f"{name}|tldr-pages|384|as it comes",
        lambda: {"tests": measured(Student(start, layers, FORMS[INNER]), world)["tests"]},
    )
    for form in (INNER, *options.forms):
        key = f"{name}|tldr-pages|384|{form}"

        def one(pair, seed, form=form, key=key):
            return results.get(
                f"{key}|{pair[0]:g} {pair[1]:g}|{seed}",
                lambda: fit(world, FORMS[form], start, layers, options.steps, pair, seed),
            )["valid"]

        heads = [SCALE] if form == INNER else options.head_rates
        best = max([(rate, head) for rate in rates for head in heads], key=lambda pair: one(pair, SEEDS[0]))
        for seed in SEEDS[1:]:
            one(best, seed)
        results.get(f"{key}|chosen", lambda best=best: {"rates": best})
        rates = [best[0]]


if __name__ == "__main__":
    main()
