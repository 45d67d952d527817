"""Training steps: frozen documents against joint, a q-net against an inner product, and what padding wastes.

    python benchmarks/training.py [--steps 10] [--queries 32] [--items 4] [--model all-MiniLM-L6-v2]

All ratios are of one run on made-up texts as long as passages: median seconds of a step, the kinds in turn, so that a
busy machine slows all alike. Goals: a step of the head over frozen documents at least 3 times as fast as a joint one; a
joint step of a 384-64-64-1 q-net at most 1.3 times as long as one of the inner product; padding below 10 %.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time

import numpy as np
import torch

import hyperir
from hyperir.core.docs import Dense
from hyperir.encode.model import Model
from hyperir.train.batch import Collate
from hyperir.train.cache import Cache
from hyperir.train.examples import Examples
from hyperir.train.losses import LOSSES
from hyperir.train.retriever import Retriever
from hyperir.train.sources import TokenSource, VectorSource, compute_states

HYPER = {"type": "hyper", "qnet": {"type": "mlp", "hidden": [64, 64]}, "head": "attention", "linear": False}
LINE = "a search engine ranks documents for queries the quick brown fox jumps over lazy dog language water"
WORDS = LINE.split(" ")


def texts(count: int, median: float, seed: int) -> list[str]:
    drawn = random.Random(seed)
    return [
        " ".join(drawn.choices(WORDS, k=max(2, int(drawn.lognormvariate(np.log(median), 0.5))))) for _ in range(count)
    ]


def world(queries: int, items: int, steps: int) -> tuple[Examples, list[str]]:
    count = queries * (steps + 1)
    documents = texts(count * items, 55, 1)
    numbers = np.arange(count * items, dtype=np.int32)
    return Examples(
        texts(count, 6, 2),
        [str(i) for i in numbers],
        np.arange(0, count * items + 1, items),
        numbers,
        np.full(count * items, np.nan, dtype=np.float32),
        [numbers[i * items : i * items + 1].astype(np.int64) for i in range(count)],
        np.arange(count),
    ), documents


def waste(sources: list[TokenSource], numbers: list[np.ndarray]) -> float:
    computed = real = 0
    for source, wanted in zip(sources, numbers, strict=True):
        for group in source(wanted):
            computed += group.ids.numel()
            real += group.ids.numel() if group.mask is None else int(group.mask.sum())
    return 1 - real / computed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--queries", type=int, default=32)
    parser.add_argument("--items", type=int, default=4)
    parser.add_argument("--model", default="all-MiniLM-L6-v2")
    options = parser.parse_args()
    start = hyperir.load(options.model)
    examples, documents = world(options.queries, options.items, options.steps)
    cache = Cache()
    asked = TokenSource.of(start.query, examples.queries, str, cache, "queries")
    found = TokenSource.of(start.document, documents, str, cache, "documents")
    size = options.queries * options.items
    wasted = waste(
        [found] * options.steps, [np.arange(step * size, (step + 1) * size) for step in range(options.steps)]
    )
    states = compute_states(start.query, examples.queries, cache)
    vectors = Dense(torch.nn.functional.normalize(torch.randn(len(documents), start.width), dim=-1))
    frozen = VectorSource(vectors, torch.arange(len(documents)))

    def kind(relevance: object, head_only: bool) -> tuple[Retriever, Collate, torch.optim.Optimizer]:
        model = Model(start.document, start.query, relevance)  # type: ignore[arg-type]
        loss = LOSSES.build({"type": "scaled", "of": "cross_entropy", "temperature": 0.05})
        retriever = Retriever(model, [("cross_entropy", 1.0, loss)]).train()
        learning = model.relevance if head_only else retriever
        collate = Collate(examples, states if head_only else asked, frozen if head_only else found, options.items, 0)
        return retriever, collate, torch.optim.AdamW(learning.parameters(), lr=1e-5)

    kinds = {
        "joint, inner product": kind("dot", False),
        "joint, q-net 64-64": kind(HYPER, False),
        "frozen documents, head alone": kind(HYPER, True),
    }
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    for step in range(options.steps + 1):
        keys = [(0, step * options.queries + i) for i in range(options.queries)]
        for name, (retriever, collate, optimizer) in kinds.items():
            began = time.perf_counter()
            total, _ = retriever(collate(keys))
            total.backward()
            optimizer.step()
            optimizer.zero_grad()
            if step:  # the first one warms up
                seconds[name].append(time.perf_counter() - began)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    dot, qnet, head = medians.values()
    for name, value in medians.items():
        print(f"{name:30} {1000 * value:10,.1f} ms a step of {options.queries} x {options.items}")
    print(f"frozen documents against joint, steps a second: {qnet / head:.1f} (goal 3)")
    print(f"a joint step of the q-net against the inner product: {qnet / dot:.2f} (goal 1.3 at most)")
    print(f"padding: {100 * wasted:.1f} % of the documents' tokens (goal below 10 %)")


if __name__ == "__main__":
    main()
