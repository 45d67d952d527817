"""PLAID: documents of several vectors are found by their vectors' centroids, and fewer and fewer are looked at closer.

Santhanam et al., "PLAID", CIKM 2022. Every vector is kept as its nearest centroid and a compressed residual.

1. The functions of a query score all centroids. Each takes the best `cells`; documents with a vector in one of them are
   candidates.
2. Candidates are scored as if their vectors were their centroids, by those centroids alone that some function of the
   query scores at least `threshold` (relative to the best and the mean); the best `candidates` stay.
3. These again, by all their centroids; a quarter stays.
4. The function itself scores what stayed: the index's own vectors, or decompressed ones.

Nothing here asks what the function is: inner products, as of ColBERT, or q-nets score centroids as they score vectors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from hyperir.core.config import Config
from hyperir.core.docs import Dense, Multi
from hyperir.core.errors import CapabilityError, InputError
from hyperir.core.progress import track
from hyperir.core.ragged import offsets_of, picked
from hyperir.core.types import Docs, Hits, Relevance, TokenWise
from hyperir.index.strategies.built import check_points, check_rows
from hyperir.index.strategies.cells import kmeans
from hyperir.index.strategies.exact import Exact, ExactConfig
from hyperir.index.strategies.residuals import Codec, packed_width
from hyperir.index.strategies.visits import answer
from hyperir.index.topk import best, check_allowed

__all__ = ["Plaid"]

BLOCK = 256  # documents compressed at once
SAMPLE = 1 << 15  # documents whose vectors k-means and the buckets look at
HELD = 1 << 22  # scores of candidates' centroids held at once: 16 MB


class PlaidConfig(Config):
    """Configuration of PLAID.

    Args:
        bits: of a residual, a dimension: 1, 2 or 4.
        centroids: C; 0 takes 16 sqrt(P) of P vectors, rounded down to a power of two, and at most one a document.
        cells: best centroids of every function of a query whose documents are candidates.
        threshold: of the second step: 0 is the mean of the functions' scores of all centroids, 1 their best.
        candidates: that stay after the second step; a quarter of them stays after the third.
        scores: "stored" takes the scores of the index's own vectors; "residuals" those of decompressed ones, which
            need less of the disk and differ a little.
        seed: of k-means.
    """

    search_only: ClassVar[frozenset[str]] = frozenset({"cells", "threshold", "candidates", "scores"})

    type: Literal["plaid"] = "plaid"
    bits: Literal[1, 2, 4] = 2
    centroids: int = 0
    cells: int = 4
    threshold: float = 0.3
    candidates: int = 1024
    scores: Literal["stored", "residuals"] = "stored"
    seed: int = 0


class Plaid:
    """Staged search over documents of several vectors. What it finds is measured, not promised (`hyperir bench`).

    Args:
        config: see :class:`PlaidConfig`.
        docs: (N,) of `Multi`.
        built: what `build` made of them; None makes it now.
    """

    Config = PlaidConfig
    kinds: ClassVar[tuple[type[Docs], ...]] = (Multi,)

    def __init__(self, config: PlaidConfig, *, docs: Docs, built: Mapping[str, Tensor] | None = None) -> None:
        if config.centroids < 0 or config.cells < 1 or config.candidates < 4:
            raise InputError(
                "plaid has centroids, searches one cell or more, and keeps candidates",
                expected="centroids >= 0, cells >= 1, candidates >= 4",
                got=f"centroids = {config.centroids}, cells = {config.cells}, candidates = {config.candidates}",
            )
        self.config, self.docs = config, docs
        built = self.build(config, docs) if built is None else built
        self._codec = Codec(built["centroids"], built["cutoffs"], built["values"], bool(built["unit"][0]))
        self._codes, self._residuals = built["codes"], built["residuals"]
        self._indptr = torch.cat([torch.zeros(1, dtype=torch.int64), built["ends"]])
        self._lists = torch.cat([torch.zeros(1, dtype=torch.int64), built["list_ends"]])
        self._listed = built["listed"]

    @staticmethod
    def build(config: PlaidConfig, docs: Docs) -> dict[str, Tensor]:
        """Centroids, buckets, and every vector compressed; for each centroid the documents with a vector in its cell.

        `centroids` (C, D); `cutoffs`, `values`, `unit` of the codec; `ends` (N,) where each document's vectors end;
        `codes` (P,) int32 and `residuals` (P, bytes) uint8 of the vectors; `listed` documents by centroid, ascending
        inside one, and `list_ends` (C,).
        """
        n = docs.shape[0]
        generator = torch.Generator().manual_seed(config.seed)
        sample = _vectors(docs, torch.randperm(n, generator=generator)[:SAMPLE].sort().values)
        count = len(sample.vectors) * n // max(min(n, SAMPLE), 1)
        cells = config.centroids or min(2 ** int(math.log2(16 * math.sqrt(max(count, 1)))), max(n, 1))
        centroids = kmeans(Dense(sample.vectors), cells, config.seed)
        codec = Codec.of_sample(centroids, sample.vectors, config.bits) if n else _empty_codec(centroids, config.bits)
        codes, residuals, lengths = [], [], []
        blocks = range(0, n, BLOCK)
        for start in track(blocks, "Compressing", len(blocks), "blocks"):
            part = _vectors(docs, slice(start, min(start + BLOCK, n)))
            numbers, packed = codec.compress(part.vectors)
            codes.append(numbers)
            residuals.append(packed)
            lengths.append(part.lengths)
        indptr = offsets_of(torch.cat([torch.empty(0, dtype=torch.int64), *lengths]))
        nothing = torch.empty(0, packed_width(centroids.shape[1], config.bits), dtype=torch.uint8)
        every = torch.cat([torch.empty(0, dtype=torch.int32), *codes])
        owners = torch.arange(n).repeat_interleave(indptr.diff())
        pairs = _distinct(every.long() * max(n, 1) + owners)  # a document stands once in a list
        return {
            "centroids": centroids,
            "cutoffs": codec.cutoffs,
            "values": codec.values,
            "unit": torch.tensor([codec.unit]),
            "ends": indptr[1:].clone(),
            "codes": every,
            "residuals": torch.cat([nothing, *residuals]),
            "listed": pairs % max(n, 1),
            "list_ends": torch.bincount(pairs // max(n, 1), minlength=len(centroids)).cumsum(0),
        }

    @staticmethod
    def check(built: Mapping[str, Tensor], documents: int, width: int) -> None:
        """Raise ValueError or KeyError unless `build` can have made this."""
        check_points(built, "centroids", (None, width))
        count, ends, values = len(built["centroids"]), built["ends"], built["values"]
        bits = len(values).bit_length() - 1
        if values.ndim != 1 or bits not in (1, 2, 4) or len(values) != 2**bits or built["unit"].shape != (1,):
            raise ValueError("values are not those of 1, 2 or 4 bits")
        if built["cutoffs"].shape != (len(values) - 1,) or (built["cutoffs"].diff() < 0).any():
            raise ValueError("the cutoffs do not ascend between the values")
        check_rows(built, "ends", (documents,), 2**62)
        check_rows(built, "list_ends", (count,), 2**62)
        vectors = int(ends[-1]) if documents else 0
        check_rows(built, "codes", (vectors,), count, dtype=torch.int32)
        check_rows(built, "listed", (None,), documents)
        if (ends.diff() < 1).any() or (documents and ends[0] < 1):
            raise ValueError("the ends of the documents do not ascend")
        if (built["list_ends"].diff() < 0).any() or built["list_ends"][-1:].tolist() != [len(built["listed"])]:
            raise ValueError("the ends of the lists do not ascend to their length")
        if built["residuals"].dtype != torch.uint8 or built["residuals"].shape != (vectors, packed_width(width, bits)):
            raise ValueError(f"residuals is {built['residuals'].dtype} of shape {tuple(built['residuals'].shape)}")

    def search(self, f: Relevance[Any], k: int, allowed: Tensor | None = None, budget: int | None = None) -> Hits:
        """The k best rows found, (Q, k); see :class:`hyperir.core.types.Strategy`.

        A centroid counts as one document scored; so does each document of the last step, of which a budget leaves
        fewer. Where no more documents are allowed than stay for the last step, or than k, or where the budget pays for
        them and not for the centroids, all of them are scored and nothing else.

        Raises:
            CapabilityError: the function is not one of single vectors put together.
            InputError: the budget does not pay for the centroids and a document.
        """
        if not isinstance(f, TokenWise):
            raise CapabilityError(
                "plaid cannot search by this relevance function",
                expected="a function with the capability TokenWise, such as maxsim",
                got=type(f).__name__,
                fix='search with strategy="exact"',
            )
        n, few = self.docs.shape[0], max(self.config.candidates // 4, k)
        if allowed is not None:
            check_allowed(allowed, n)
        wanted, count = n if allowed is None else int(allowed.sum()), len(self._codec.centroids)
        pays = budget is None or wanted <= budget
        if pays and (wanted <= few or (budget is not None and budget <= count)):
            return Exact(ExactConfig(), docs=self.docs).search(f, k, allowed, budget)
        if budget is not None and 1 <= budget <= count:
            raise InputError(
                "plaid scores all centroids, and the budget does not go beyond them",
                expected=f"a budget above {count:,}",
                got=f"budget = {budget}",
                fix="build it with fewer centroids",
            )
        last = few if budget is None else min(few, budget - count)
        return answer(f, self.docs, k, allowed, budget, few, lambda some, mask: self._searched(some, k, mask, last))

    def _searched(self, f: Relevance[Any], k: int, allowed: Tensor | None, last: int) -> Hits:
        parts = [self._one(f[q : q + 1], k, allowed, last) for q in range(f.num_queries)]
        rows, scores = torch.cat([part.rows for part in parts]), torch.cat([part.scores for part in parts])
        return Hits(rows, scores, max(part.scored for part in parts))

    def _one(self, f: Relevance[Any], k: int, allowed: Tensor | None, last: int) -> Hits:
        """The search of one query."""
        assert isinstance(f, TokenWise)
        table = f.each(Dense(self._codec.centroids)).float()
        rows = self._candidates(table)
        if allowed is not None:
            rows = rows[allowed[rows]]
        first = max(self.config.candidates, last)
        if len(rows) > first:
            low, high = table.mean(), table.amax()
            strong = table.amax(0) >= low + self.config.threshold * (high - low)
            rows = self._best(f, table, rows, first, strong)
        if len(rows) > last:
            rows = self._best(f, table, rows, last)
        scored = len(self._codec.centroids) + len(rows)
        scores = f(self._looked_at(rows)).float() if len(rows) else torch.empty(1, 0)
        top, kept = best(scores, rows, k)
        missing = k - kept.shape[1]
        pad = torch.nn.functional.pad
        return Hits(pad(kept, (0, missing), value=-1), pad(top, (0, missing), value=-math.inf), scored)

    def _candidates(self, table: Tensor) -> Tensor:
        """(n,) ascending: documents with a vector in one of the best cells of some function."""
        cells = _distinct(table.topk(min(self.config.cells, table.shape[1]), dim=1).indices)
        return _distinct(self._listed[picked(self._lists, cells)[1]])

    def _best(self, f: TokenWise, table: Tensor, rows: Tensor, count: int, strong: Tensor | None = None) -> Tensor:
        """The best of some documents, ascending, as if their vectors were their centroids, or the strong ones alone."""
        found = []
        for part in torch.split(rows, max(HELD // max(len(table), 1) // 64, 1)):
            indptr, places, _ = picked(self._indptr, part)
            codes = self._codes[places].long()
            if strong is not None:
                kept = strong[codes]
                indptr = torch.cat([kept.new_zeros(1, dtype=torch.int64), kept.long().cumsum(0)])[indptr]
                codes = codes[kept]
            found.append(f.gathered(table[:, codes], indptr)[0])
        return best(torch.cat(found)[None], rows, count)[1][0].sort().values

    def _looked_at(self, rows: Tensor) -> Any:
        """The documents of the last step."""
        if self.config.scores == "stored":
            return self.docs[rows]
        indptr, places, _ = picked(self._indptr, rows)
        return Multi(indptr, self._codec.decompress(self._codes[places], self._residuals[places]))


def _vectors(docs: Docs, rows: Tensor | slice) -> Multi:
    part = docs[rows]
    if not isinstance(part, Multi):
        raise CapabilityError("plaid searches several vectors a document", expected="Multi", got=type(part).__name__)
    return Multi(part.indptr, part.vectors.float())


def _distinct(values: Tensor) -> Tensor:
    """Ascending, each once."""
    found: Tensor = values.unique()  # type: ignore[no-untyped-call]
    return found


def _empty_codec(centroids: Tensor, bits: int) -> Codec:
    return Codec(centroids, torch.zeros(2**bits - 1), torch.zeros(2**bits), unit=False)
