"""What the laws are tried on: a small made-up world of queries, documents, functions and strategies."""

from __future__ import annotations

import inspect
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from hyperir.core.docs import Cells, Dense, Multi, Sparse, States
from hyperir.core.ragged import offsets_of
from hyperir.core.types import Docs, Relevance, Strategy
from hyperir.index.strategies import STRATEGIES
from hyperir.relevance import RELEVANCE
from hyperir.relevance.dot import InnerProduct
from hyperir.relevance.lexical import LEXICAL
from hyperir.relevance.lexical.statistics import Statistics
from hyperir.relevance.sparse import SparseInner, as_stored
from hyperir.relevance.tokens import TokenFunction

__all__ = [
    "KIND",
    "D",
    "H",
    "K",
    "N",
    "Q",
    "T",
    "assert_close",
    "make_docs",
    "make_equal",
    "make_function",
    "make_relevance",
    "make_states",
    "make_strategy",
]

Q, N, K, T, D, H = 3, 23, 5, 7, 12, 16  # sizes of the made-up world; all different, so that mixed-up axes show
KIND: ContextVar[type[Docs]] = ContextVar("KIND", default=Dense)  # of the documents that a law is tried on


def assert_close(actual: Tensor, expected: Tensor, rtol: float = 1e-4, atol: float = 1e-5) -> None:
    """Equal shapes, and values equal up to float32 rounding."""
    torch.testing.assert_close(actual, expected, rtol=rtol, atol=atol)


def make_states() -> States:
    """States of Q queries of different lengths, unit vectors pooled; of every token too, where documents have."""
    mask = torch.arange(T)[None, :] < torch.tensor([T, 2, 4])[:, None]
    pooled = torch.nn.functional.normalize(torch.randn(Q, D), dim=-1)
    places = torch.stack([torch.randint(D // 2, (Q, T)), D // 2 + torch.randint(D // 2, (Q, T))], -1)
    counted = mask & (torch.rand(Q, T) < 0.8)
    cells = Cells(places, torch.rand(Q, T) * counted, 1 / (0.5 + torch.rand(Q, T)) * counted)
    states = States(torch.randn(Q, T, H), mask, pooled, cells=cells)
    return replace(states, vectors=make_unit(Q, T, D)) if KIND.get() is Multi else states


def make_unit(*shape: int) -> Tensor:
    """Random vectors of length 1."""
    return torch.nn.functional.normalize(torch.randn(*shape), dim=-1)


def make_docs(n: int = N) -> Any:
    """n unit vectors; or n documents of counted words, the second without any; or of one to four unit vectors."""
    if KIND.get() is Multi:
        lengths = torch.randint(1, 5, (n,))
        return Multi(offsets_of(lengths), make_unit(int(lengths.sum()), D))
    if KIND.get() is Sparse:
        counts = torch.randint(0, 4, (n, D)) * torch.randint(0, 2, (n, D))
        counts[1:2] = 0
        return Sparse.of_dense(counts.float())
    return Dense(make_unit(n, D))


def make_relevance(config: Any) -> nn.Module:
    """A relevance member away from its special starting point, so that no weight is zero."""
    module = RELEVANCE.build(config, width=D, state_width=H)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return module


def make_function(config: Any) -> Relevance[Any]:
    """A relevance function of Q queries, without gradients; over words an inner product, or a member of `LEXICAL`."""
    if KIND.get() is Sparse:
        queries = make_docs(Q + 2)[2:]
        if isinstance(config, str) and config not in list(LEXICAL):
            return SparseInner(queries, as_stored, torch.zeros(Q))
        return LEXICAL.build(config).function(queries, Statistics.of(make_docs(2 * N)))
    if KIND.get() is Multi and isinstance(config, str):
        config = {"dot": "maxsim", "hyper": "hyper_multi"}.get(config, config)
    with torch.no_grad():
        f: Relevance[Any] = make_relevance(config)(make_states())
    return f


def make_equal() -> tuple[Any, Any]:
    """N documents that are the same, and a function that gives all of them exactly the same score."""
    if KIND.get() is Sparse:
        return Sparse.of_dense(torch.ones(N, D)), make_function("dot")
    if KIND.get() is Multi:
        whole = InnerProduct(torch.randint(-3, 4, (2 * Q, D)).float())
        docs = Multi(torch.arange(0, 3 * N + 1, 3), torch.ones(3 * N, D))
        return docs, TokenFunction(whole, torch.tensor([0, 1, 3, 6]))
    # Whole numbers, because equal vectors may score differently in the last bit at different places of a block.
    return Dense(torch.ones(N, D)), InnerProduct(torch.randint(-3, 4, (Q, D)).float())


def make_strategy(strategy: Any, docs: Any) -> Strategy[Any]:
    """A strategy over the documents; one that is built from training queries gets some."""
    takes = inspect.signature(STRATEGIES[STRATEGIES.parse(strategy).type]).parameters  # type: ignore[attr-defined]
    context = {"functions": make_function("dot")} if "functions" in takes else {}
    return STRATEGIES.build(strategy, docs=docs, **context)
