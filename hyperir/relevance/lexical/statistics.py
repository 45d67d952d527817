"""What a collection knows of its words: how many documents there are, how long they are, and how many hold a term."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Self

import torch
from torch import Tensor

from hyperir.core.docs import Sparse
from hyperir.core.terms import compact

__all__ = ["Statistics"]


@dataclass(frozen=True, eq=False)  # equal is the same object: comparing millions of terms would not pay
class Statistics:
    """Of a collection, or a part of one; parts are added and subtracted as documents come and go.

    Args:
        documents: N.
        length: terms of all documents, repetitions counted.
        terms: (U,) int64, ascending.
        frequencies: (U,) int64, in how many documents each term occurs; 1 or more.
    """

    documents: int
    length: float
    terms: Tensor
    frequencies: Tensor

    @classmethod
    def of(cls, counts: Sparse) -> Self:
        """Of documents whose weights count their terms."""
        terms, places = compact(counts.terms)
        frequencies = torch.bincount(places, minlength=len(terms))
        return cls(counts.shape.numel(), float(counts.weights.double().sum()), terms, frequencies)

    @classmethod
    def sum(cls, parts: Iterable[Statistics]) -> Statistics:
        """Of all parts together. Each is added to others of about its size, so that many small ones cost little."""
        held: list[Statistics] = []
        for part in parts:
            held.append(part)
            while len(held) > 1 and len(held[-1].terms) >= len(held[-2].terms) // 2:
                held.append(held.pop() + held.pop())
        return reduce(add, reversed(held), NOTHING)

    @property
    def mean_length(self) -> float:
        """Terms a document; 1 where there are none."""
        return self.length / self.documents if self.length else 1.0

    def frequency(self, terms: Tensor) -> Tensor:
        """(P,) int64: in how many documents these terms occur; 0 for an unknown one."""
        if not len(self.terms):
            return torch.zeros_like(terms)
        at = torch.searchsorted(self.terms, terms).clamp_max(len(self.terms) - 1)
        return torch.where(self.terms[at] == terms, self.frequencies[at], 0)

    def __add__(self, other: Statistics) -> Statistics:
        return self._with(other, 1)

    def __sub__(self, other: Statistics) -> Statistics:
        """Without documents that are among these."""
        return self._with(other, -1)

    def _with(self, other: Statistics, sign: int) -> Statistics:
        terms, places = compact(torch.cat([self.terms, other.terms]))
        changes = torch.cat([self.frequencies, sign * other.frequencies])
        frequencies = torch.zeros_like(terms).index_add(0, places, changes)
        kept = frequencies > 0
        return Statistics(
            self.documents + sign * other.documents,
            self.length + sign * other.length,
            terms[kept],
            frequencies[kept],
        )


NOTHING = Statistics(0, 0.0, torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.int64))
