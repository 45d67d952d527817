"""What engines are filled with: the documents' vectors block by block, and a stamp that says whose vectors they are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import torch
from torch import Tensor

from hyperir.core.docs import Dense
from hyperir.core.errors import CapabilityError, CorruptError
from hyperir.core.progress import Progress
from hyperir.core.types import Docs

__all__ = ["Vectors"]

BLOCK = 8192  # documents handed over at once: 12 MB of vectors 384 wide
LOOKED_AT = 4096  # documents whose numbers enter the stamp


class Vectors:
    """The documents' vectors as engines take them: fp32, on the CPU, contiguous; read only where asked for.

    Args:
        docs: (N,) representations that are `Dense` wherever they are read.

    Raises:
        CapabilityError: they are of another kind.
    """

    def __init__(self, docs: Docs) -> None:
        self.docs = docs
        self.count = docs.shape[0]
        self.width = self[slice(0, 0)].shape[1]

    def __getitem__(self, rows: Tensor | slice) -> Tensor:
        """(n, D)."""
        part = self.docs[rows]
        if not isinstance(part, Dense):
            raise CapabilityError(
                "inner-product engines hold one vector a document", expected="Dense", got=type(part).__name__
            )
        return part.vectors.float().cpu().contiguous()

    def blocks(self, what: str) -> Iterator[tuple[int, Tensor]]:
        """All vectors in order, behind a bar.

        Args:
            what: the work, for the bar.

        Yields:
            the block's first row, and its vectors (n, D).
        """
        with Progress(what, self.count, "documents") as bar:
            for start in range(0, self.count, BLOCK):
                part = self[slice(start, start + BLOCK)]
                yield start, part
                bar.advance(len(part))

    def check_kept(self, engine: str, count: int, width: int) -> None:
        """Raise CorruptError unless an engine that was read from bytes holds as many vectors of this width."""
        if (count, width) != (self.count, self.width):
            raise CorruptError(
                f"what was kept of {engine} is not of these documents",
                expected=f"{self.count:,} vectors of width {self.width}",
                got=f"{count:,} of width {width}",
                fix="build it again",
            )

    def stamp(self) -> str:
        """Names these vectors, so that a database can be asked whether it holds them.

        The number of documents, the width, and a hash of up to 4,096 vectors spread evenly. An index never changes the
        vector of a row; it adds rows at the end or, when it is compacted, renumbers them, and both change the stamp.
        """
        rows = torch.linspace(0, self.count - 1, min(self.count, LOOKED_AT), dtype=torch.float64).round().long()
        digest = hashlib.sha256(self[rows].numpy().tobytes()).hexdigest()
        return f"hyperir {self.count} {self.width} {digest[:32]}"
