"""Bar 9: deleted and replaced documents never come back, and compaction changes no result."""

import random
from pathlib import Path

import torch

from hyperir.core.types import Hits
from hyperir.index.store import Store
from hyperir.index.strategies import STRATEGIES
from hyperir.relevance.dot import InnerProduct
from reliability.model import WIDTH, Change, applied, perform
from reliability.result import Result

DOCUMENTS, QUERIES, K = 1000, 500, 10


def search(store: Store, f: InnerProduct, k: int) -> Hits:
    """The best documents alive, by the strategy that users search with."""
    return STRATEGIES.build("exact", docs=store.docs).search(f, k, store.allowed())


def deleted(count: int, folder: Path, seed: int = 0) -> list[Result]:
    """Ask `count` queries, 500 at a time, of an index that changes between."""
    old = Result(9, "queries answered with deleted or replaced documents")
    same = Result(9, "queries answered otherwise after a compaction")
    root, chance, numbers = folder / "deleted.index", random.Random(seed), torch.Generator().manual_seed(seed)
    model = None
    for change in (Change("create"), Change("append", tuple(f"d{i}" for i in range(DOCUMENTS)), 1)):
        perform(root, change)
        model = applied(model, change)
    stamp = 1
    while old.count < count:
        stamp += 1
        change = _drawn(chance, model, stamp)
        perform(root, change)
        model = applied(model, change)
        store = Store.open(root)
        # Whole numbers: scores are exact, so that they can be compared to the last bit.
        queries = torch.randint(-9, 10, (QUERIES, WIDTH), generator=numbers).float()
        f = InnerProduct(queries)
        hits = search(store, f, K)
        old.count += QUERIES
        _check(old, store, queries, hits, model, stamp)
        if stamp % 10 == 0:
            compacted = store.compact()
            again = search(compacted, f, K)
            same.count += QUERIES
            keys, other = store.docs.keys[hits.rows], compacted.docs.keys[again.rows]
            wrong = ((keys != other) | (hits.scores != again.scores)).any(dim=1)
            same.check(not wrong.any(), f"{int(wrong.sum())} queries after change {stamp}")
    old.note = f"{stamp - 1} changes of {DOCUMENTS:,} documents, {K} results each"
    return [old, same]


def _drawn(chance, model, stamp) -> Change:
    """Replace, delete, or put back what was deleted."""
    kind = chance.choice(["replace", "delete", "append"])
    absent = [id_ for id_ in (f"d{i}" for i in range(DOCUMENTS)) if id_ not in model]
    if kind == "append" and absent:
        return Change("append", tuple(absent), stamp)
    kind = "replace" if kind == "append" else kind
    return Change(kind, tuple(chance.sample(list(model), min(len(model), 60))), stamp)


def _check(result, store, queries, hits, model, stamp):
    """Every hit is a document as it now is, and no better one is missing."""
    stamps, ids = store.docs[hits.rows].vectors[..., :2].unbind(-1)
    current = torch.full((DOCUMENTS,), -1.0)
    for id_, written in model.items():
        current[int(id_[1:])] = written
    wrong = (current[ids.long()] != stamps).any(dim=1)
    result.check(not wrong.any(), f"{int(wrong.sum())} queries after change {stamp} found what is no longer there")
    alive = torch.tensor([[s, int(i[1:]), 1, -1] for i, s in model.items()], dtype=torch.float32)
    best = (queries @ alive.T).topk(K, dim=1).values
    result.check(torch.equal(best, hits.scores), f"after change {stamp} other documents were better")
