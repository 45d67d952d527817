"""What engines are filled with: the documents' vectors block by block, and a stamp that says whose vectors they are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import torch
from torch import Tensor

from hyperir.core.docs import Dense
from hyperir.core.errors import CapabilityError
from hyperir.core.progress import Progress
from hyperir.core.types import Docs

__all__ = ["blocks", "dense", "stamp"]

BLOCK = 8192  # documents handed over at once: 12 MB of vectors 384 wide
LOOKED_AT = 4096  # documents whose numbers enter the stamp


def dense(docs: Docs) -> Dense:
    """The documents, if they are one vector each.

    Raises:
        CapabilityError: they are of another kind.
    """
    if not isinstance(docs, Dense):
        raise CapabilityError(
            "inner-product engines hold one vector a document", expected="Dense", got=type(docs).__name__
        )
    return docs


def blocks(docs: Dense, what: str) -> Iterator[tuple[int, Tensor]]:
    """All vectors in order, in fp32, behind a bar.

    Args:
        docs: (N,).
        what: the work, for the bar.

    Yields:
        the block's first row, and its vectors (n, D), contiguous on the CPU.
    """
    count = docs.shape[0]
    with Progress(what, count, "documents") as bar:
        for start in range(0, count, BLOCK):
            part = docs[slice(start, start + BLOCK)].vectors.float().cpu().contiguous()
            yield start, part
            bar.advance(len(part))


def stamp(docs: Dense) -> str:
    """Names a collection's vectors, so that a database can be asked whether it holds these.

    The number of documents, the width, and a hash of up to 4,096 vectors spread evenly. An index never changes the
    vector of a row; it adds rows at the end or, when it is compacted, renumbers them, and both change the stamp.
    """
    count = docs.shape[0]
    rows = torch.linspace(0, count - 1, min(count, LOOKED_AT), dtype=torch.float64).round().long()
    looked_at = docs[rows].vectors.float().cpu().contiguous()
    digest = hashlib.sha256(looked_at.numpy().tobytes()).hexdigest()
    return f"hyperir {count} {docs.width} {digest[:32]}"
