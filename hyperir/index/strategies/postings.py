"""For every term the documents that have it, with their weights: made of documents block by block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from hyperir.core.docs import Sparse
from hyperir.core.ragged import offsets_of
from hyperir.core.terms import compact
from hyperir.core.types import Docs
from hyperir.index.strategies.impacts import Impacts

__all__ = ["Postings", "check_postings"]

BLOCK = 1 << 15  # documents read at once


@dataclass(frozen=True)
class Postings:
    """The lists of all terms, one behind the other; none is empty.

    Args:
        words: (U,) int64, the terms, ascending.
        starts: (U + 1,) int64, where each term's list begins, and where the last one ends.
        rows: (P,) int32, documents, ascending in a list.
        weights: (P,) float32 as documents have them; or in a byte each.
        sums: (N,) float32, the sum of every document's weights.
    """

    words: Tensor
    starts: Tensor
    rows: Tensor
    weights: Tensor | Impacts
    sums: Tensor

    @classmethod
    def of(cls, docs: Docs, bits: Literal[8, 32]) -> Postings:
        """Of (N,) sparse documents. Beside what it makes it holds 4 bytes a term of a document, and one block."""
        n = docs.shape[0]
        sums = torch.empty(n)
        found: list[tuple[Tensor, Tensor]] = []  # of each block its different terms, and the place of each one there
        for start, block in _blocks(docs):
            sums[start : start + BLOCK] = (
                block.weights.float().new_zeros(len(block)).index_add(0, block.owners, block.weights.float())
            )
            found.append(compact(block.terms))
        words = found[0][0] if len(found) == 1 else compact(torch.cat([_NONE, *(own for own, _ in found)]))[0]
        lengths = torch.zeros(len(words), dtype=torch.int64)
        for own, places in found:
            lengths.index_add_(0, torch.searchsorted(words, own), torch.bincount(places, minlength=len(own)))
        starts = offsets_of(lengths)
        rows = torch.empty(int(starts[-1]), dtype=torch.int32)
        weights = torch.empty(len(rows))
        free = starts[:-1].clone()  # where the next of each list goes
        for (start, block), (own, places) in zip(_blocks(docs), found, strict=True):
            columns = _columns(block, places, len(own))
            its = torch.searchsorted(words, own)
            counts = torch.from_numpy(columns.indptr).long().diff()
            to = (free[its] - offsets_of(counts)[:-1]).repeat_interleave(counts).add_(torch.arange(len(places)))
            rows[to] = torch.from_numpy(columns.indices).int().add_(start)
            weights[to] = torch.from_numpy(columns.data)
            free[its] += counts
        return cls(words, starts, rows, Impacts.of(weights, starts) if bits == 8 else weights, sums)

    @property
    def nbytes(self) -> int:
        """Bytes of all of them."""
        return sum(part.nbytes for part in (self.words, self.starts, self.rows, self.weights, self.sums))

    @property
    def lengths(self) -> Tensor:
        """(U,) int64: how many documents have each term."""
        return self.starts.diff()

    def total(self, places: list[int]) -> int:
        """How many documents some lists have together."""
        at = torch.tensor(places, dtype=torch.int64)
        return int((self.starts[at + 1] - self.starts[at]).sum())

    def tensors(self) -> dict[str, Tensor]:
        """For a file; the reverse is `of_tensors`."""
        kept = {"words": self.words, "starts": self.starts, "rows": self.rows, "sums": self.sums}
        if isinstance(self.weights, Impacts):
            return {**kept, "codes": self.weights.codes, "low": self.weights.low, "step": self.weights.step}
        return {**kept, "weights": self.weights}

    @classmethod
    def of_tensors(cls, built: Mapping[str, Tensor]) -> Postings:
        """What `tensors` gave."""
        coded = "codes" in built
        weights = Impacts(built["codes"], built["low"], built["step"]) if coded else built["weights"]
        return cls(built["words"], built["starts"], built["rows"], weights, built["sums"])

    def places(self, terms: Tensor) -> tuple[Tensor, Tensor]:
        """(P,) terms -> which list each one has, and (P,) bool, whether it has one."""
        if not len(self.words):
            return torch.zeros_like(terms), torch.zeros_like(terms, dtype=torch.bool)
        at = torch.searchsorted(self.words, terms).clamp_max(len(self.words) - 1)
        return at, self.words[at] == terms

    def of_list(self, place: int) -> tuple[Tensor, Tensor]:
        """The documents of one list, and their weights."""
        start, end = int(self.starts[place]), int(self.starts[place + 1])
        own = self.weights
        return self.rows[start:end], own.weights(place, start, end) if isinstance(own, Impacts) else own[start:end]

    def documents(self) -> Sparse:
        """The documents again, (N,)."""
        from scipy.sparse import csc_array

        weights = self.weights.all(self.starts) if isinstance(self.weights, Impacts) else self.weights
        shape = (len(self.sums), max(len(self.words), 1))
        indptr = self.starts if len(self.words) else torch.zeros(2, dtype=torch.int64)
        held = csc_array((weights.numpy(), self.rows.numpy(), indptr.numpy()), shape=shape).tocsr()
        terms = self.words[torch.from_numpy(held.indices).long()] if len(self.words) else _NONE
        return Sparse(torch.from_numpy(held.indptr).long(), terms, torch.from_numpy(held.data))

    def ordered(self, docs: Sparse) -> Tensor:
        """(P,): the weights of `documents()`, or others in their place, in the order of the lists."""
        places, _ = self.places(docs.terms)
        return torch.from_numpy(_columns(docs, places.int(), len(self.words)).data)


_NONE = torch.empty(0, dtype=torch.int64)


def check_postings(built: Mapping[str, Tensor], documents: int, width: int) -> None:
    """Raise ValueError or KeyError unless these can be the lists of so many documents with terms below `width`."""
    lists = Postings.of_tensors(built)
    count, total = len(lists.words), len(lists.rows)
    coded = isinstance(lists.weights, Impacts)
    wanted = {
        "words": (torch.int64, (count,)),
        "starts": (torch.int64, (count + 1,)),
        "rows": (torch.int32, (total,)),
        "sums": (torch.float32, (documents,)),
        **({"codes": (torch.uint8, (total,))} if coded else {"weights": (torch.float32, (total,))}),
        **(dict.fromkeys(("low", "step"), (torch.float32, (count,))) if coded else {}),
    }
    for name, (dtype, shape) in wanted.items():
        if built[name].dtype != dtype or built[name].shape != shape:
            raise ValueError(f"{name} is {built[name].dtype} of shape {tuple(built[name].shape)}")
    if int(lists.starts[0]) != 0 or int(lists.starts[-1]) != total or (lists.lengths < 1).any():
        raise ValueError("lists that do not follow each other")
    if total and not 0 <= int(lists.rows.min()) <= int(lists.rows.max()) < documents:
        raise ValueError("a document that is none of those covered")
    if (lists.words.diff() <= 0).any() or (count and not 0 <= int(lists.words[0]) <= int(lists.words[-1]) < width):
        raise ValueError("terms that do not ascend, or that are none of the index")


def _blocks(docs: Docs) -> Iterator[tuple[int, Sparse]]:
    for start in range(0, docs.shape[0], BLOCK):
        block: Any = docs[slice(start, min(start + BLOCK, docs.shape[0]))]
        yield start, block


def _columns(docs: Sparse, places: Tensor, terms: int) -> Any:
    """Documents by columns of terms: a counting sort."""
    from scipy.sparse import csr_array

    parts = (docs.weights.float().numpy(), places.numpy(), docs.indptr.numpy())
    return csr_array(parts, shape=(len(docs), max(terms, 1))).tocsc()
