"""The vocabulary, on one screen: what travels between the rooms of the house.

Axis letters, everywhere: Q queries, N documents, K candidates of one query, T tokens, D width, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, TypeAlias, TypeVar, runtime_checkable

if TYPE_CHECKING:
    from torch import Size, Tensor, dtype

    from hyperir.core.docs import Dense, Sparse

D_co = TypeVar("D_co", bound="Docs", covariant=True)
D_contra = TypeVar("D_contra", bound="Docs", contravariant=True)

Row: TypeAlias = dict[str, Any]  # a document as it comes in: {"id", "text", "title"?, ...metadata}
Loss: TypeAlias = "Callable[[Tensor, Tensor], Tensor]"  # scores, targets -> scalar


class Docs(Protocol):
    """A batch of document representations; its shape is the batch part only: (N,) shared by all queries, or (Q, K)."""

    @property
    def shape(self) -> Size: ...
    def __getitem__(self, rows: Tensor | slice) -> Docs: ...  # result.shape == rows.shape; a slice is a view


class Relevance(Protocol[D_contra]):
    """f_q for Q queries at once. Higher is better; scores compare within one query only.

    Searches call one from several threads at a time, without gradients: what it keeps between calls must bear that.
    """

    @property
    def num_queries(self) -> int: ...
    def __call__(self, docs: D_contra) -> Tensor: ...  # (N,) -> (Q, N);  (Q, K) -> (Q, K)
    def __getitem__(self, queries: slice) -> Self: ...


@runtime_checkable
class Linear(Protocol):
    """Capability: f_q(d) = <weights_q, d>, so that an inner-product index or an inverted index can serve it."""

    @property
    def weights(self) -> Tensor: ...  # (Q, D)


@runtime_checkable
class SparseLinear(Protocol):
    """Capability: f_q(d) = <queries_q, weighing(d)> + shift_q + offset(weighing(d)), for an inverted index."""

    @property
    def queries(self) -> Sparse: ...  # (Q,)
    @property
    def weighing(self) -> Callable[[Sparse], Sparse]: ...  # of (N,) documents; the same object gives the same weights
    @property
    def shift(self) -> Tensor: ...  # (Q,)
    def offset(self, weighed: Sparse) -> Tensor | None: ...  # (N,), or None where it is 0


@runtime_checkable
class Listed(Protocol):
    """Capability of a weighing: each weight follows from the stored one and the sum of its document's stored ones."""

    def listed(self, weights: Tensor, sums: Tensor) -> Tensor: ...  # (P,), (P,) -> (P,)


@runtime_checkable
class TokenWise(Protocol):
    """Capability: f_q(d) = sum over some functions of q of what they make together of the vectors of d."""

    @property
    def each(self) -> Relevance[Dense]: ...  # functions of single vectors, those of one query side by side
    def gathered(self, scores: Tensor, indptr: Tensor) -> Tensor: ...  # (each, P) of documents at indptr -> (Q, N)


@runtime_checkable
class Differentiable(Protocol[D_contra]):
    """Capability: the gradient of f_q at documents, for first-order search and gradient pruning."""

    def gradient(self, docs: D_contra) -> Tensor: ...  # (N,) -> (Q, N, D);  (Q, K) -> (Q, K, D)


@runtime_checkable
class Bounded(Protocol):
    """Capability: an inner product that is never below f, so that exhaustive search asks f for few documents."""

    @property
    def bound(self) -> Tensor | None: ...  # (Q, D): <bound_q, d> >= f_q(d); None where there is none


@dataclass(frozen=True)
class Hits:
    """The best rows of an index for each query, best first. Row -1 with score -inf pads where fewer than k exist."""

    rows: Tensor  # (Q, k) int64
    scores: Tensor  # (Q, k)
    scored: int = 0  # all that f was asked for, for a query at most: documents, centroids, and gradients, each as one


@runtime_checkable
class Castable(Protocol):
    """Capability: the same function, computed in another floating-point type."""

    def to(self, dtype: dtype) -> Relevance[Any]: ...


@runtime_checkable
class Additive(Protocol[D_contra]):
    """Capability: f is a sum of named parts, which an explanation can show one by one."""

    def parts(self, docs: D_contra) -> dict[str, Tensor]: ...  # name -> what f itself would return, summing to it


class Encoder(Protocol[D_co]):
    """Text in, representations and functions out; what an index needs of a model."""

    @property
    def width(self) -> int: ...  # D of the documents' vectors
    @property
    def fingerprint(self) -> str: ...  # of everything that changes a document's vector
    @property
    def name(self) -> str: ...  # what `hyperir.load` takes to make it again
    def encode_document(
        self, documents: Sequence[Row | str], *, batch_size: int = 32, show_progress_bar: bool | None = None
    ) -> D_co: ...
    def encode_query(self, queries: Sequence[str], *, show_progress_bar: bool | None = None) -> Relevance[Any]: ...


@runtime_checkable
class Kinded(Protocol):
    """Capability of an encoder: whether a document is one vector, several, or weights of terms; else one vector."""

    @property
    def kind(self) -> Literal["dense", "multi", "sparse"]: ...


@runtime_checkable
class Fitting(Protocol):
    """Capability of an encoder: its functions depend on the documents that are searched, to which it is fitted."""

    def fitted(self, documents: Any) -> Encoder[Any]: ...  # (N,) documents, or what is known of them


class Strategy(Protocol[D_co]):
    """A way to find the best rows of an index under any relevance function it can use.

    `allowed` is (N,) bool, True where a row may come back; None allows all. `budget` is what `Hits.scored` may be at
    most; a strategy that cannot keep it refuses it by name.
    """

    def search(self, f: Relevance[D_co], k: int, allowed: Tensor | None = None, budget: int | None = None) -> Hits: ...


@dataclass(frozen=True)
class Hit:
    """One answer, as people read it. `rank` counts from 1."""

    id: str
    score: float
    rank: int
    text: str = ""
    title: str = ""
    metadata: dict[str, Any] | None = None


class Searcher(Protocol):
    """Text in, hits out."""

    @property
    def scored(self) -> int: ...  # documents scored in the last search
    def search(self, queries: Sequence[str], k: int = 10) -> list[list[Hit]]: ...
