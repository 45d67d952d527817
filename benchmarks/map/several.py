"""Several vectors a document: all-MiniLM-L6-v2's token states, each of them, or the means of some spans."""

from dataclasses import replace
from pathlib import Path

import torch
from torch.nn.functional import normalize

import hyperir
from benchmarks.map.world import MODEL, collection
from hyperir.core.docs import Multi
from hyperir.core.progress import track

BLOCK, LENGTH = 64, 128  # documents encoded at once; tokens of one that are kept


def worlds(root, cache, names):
    """(name, world, the same world with documents of several vectors)."""
    for name in names:
        world = collection(root, name, cache)
        yield name, world, replace(world, docs=_tokens(world.texts, Path(cache) / f"{name}-tokens.pt"))


def spans(docs, count):
    """(N, count, C) unit vectors: means of a document's tokens in so many spans of equal length.

    Of fewer tokens than spans some are in several.
    """
    parts = torch.arange(count)
    lengths = docs.lengths[:, None]
    first, last = parts * lengths // count, (parts * lengths + lengths + count - 1) // count
    sums = torch.cat([torch.zeros(1, docs.width, dtype=torch.float64), docs.vectors.double().cumsum(0)])
    starts = docs.indptr[:-1, None]
    return normalize((sums[starts + last] - sums[starts + first]).float(), dim=-1)


def _tokens(texts, file):
    """`Multi` of the documents' token states, in float16."""
    if file.is_file():
        return torch.load(file, weights_only=False)
    model = hyperir.load(MODEL)
    order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
    found = [None] * len(texts)
    with torch.no_grad():
        for start in track(range(0, len(texts), BLOCK), "Tokens", -(-len(texts) // BLOCK), "blocks"):
            block = order[start : start + BLOCK]
            states = model.states([texts[at] for at in block], "document")
            for at, tokens, mask in zip(block, states.tokens, states.mask, strict=True):
                found[at] = tokens[mask][:LENGTH].half()
    docs = Multi.of_list(found)
    torch.save(docs, file)
    return docs
