"""Documents and questions pooled in several ways, side by side."""

from pathlib import Path

import torch
from torch.nn.functional import normalize

import hyperir
from benchmarks.map.fit import with_docs
from benchmarks.map.world import MODEL, collection
from hyperir.core.progress import track

BLOCK = 64


def worlds(root, cache, name):
    """(name, world) of each single pool and of all side by side, over one collection."""
    world = collection(root, name, cache)
    found = _pooled(world, Path(cache) / f"{name}-pools.pt")
    for pool in found["docs"]:
        yield pool, with_docs(world, found["docs"][pool], found["questions"][pool])
    docs, questions = (torch.cat(list(found[side].values()), 1) / 3**0.5 for side in ("docs", "questions"))
    yield "mean, first and maximum", with_docs(world, docs, questions)


def _pooled(world, file):
    if file.is_file():
        return torch.load(file)
    model = hyperir.load(MODEL)
    found = {"docs": _pool(model, world.texts, "document"), "questions": _pool(model, world.questions, "query")}
    torch.save(found, file)
    return found


def _pool(model, texts, side):
    """{pool: (N, H) unit vectors}."""
    order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
    parts = {"mean": [], "first": [], "maximum": []}
    with torch.no_grad():
        for start in track(range(0, len(texts), BLOCK), "Pooling", -(-len(texts) // BLOCK), "blocks"):
            states = model.states([texts[at] for at in order[start : start + BLOCK]], side)
            tokens, mask = states.tokens.float(), states.mask[..., None]
            parts["mean"].append((tokens * mask).sum(1) / mask.sum(1))
            parts["first"].append(tokens[:, 0])
            parts["maximum"].append(tokens.masked_fill(~mask, -torch.inf).amax(1))
    back = torch.empty(len(texts), dtype=torch.int64)
    back[order] = torch.arange(len(texts))
    return {pool: normalize(torch.cat(blocks)[back], dim=-1) for pool, blocks in parts.items()}
