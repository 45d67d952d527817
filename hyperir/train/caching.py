"""Gradient caching: a batch of any size in the memory of a small one.

Gao et al., "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup", RepL4NLP 2021. Everything is
computed once without its graph, in pieces; the loss says what gradient every score should have; then the pieces are
computed again, each with its graph, and handed their part. Here that is done on two floors: functions of queries over
documents, whose written networks are large, and the transformers below them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from hyperir.core.docs import Dense, States
from hyperir.encode.text_encoder import TextEncoder
from hyperir.train.batch import Batch
from hyperir.train.devices import all_items, all_rows, processes, sum_over_processes
from hyperir.train.retriever import Retriever, joined, scores
from hyperir.train.sources import Part

__all__ = ["backward"]

Autocast = Callable[[], AbstractContextManager[object]]


def backward(
    retriever: Retriever, batch: Batch, queries: int, autocast: Autocast, scale: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Compute the losses of a batch and add their gradients to the parameters.

    Args:
        retriever: what learns.
        batch: token ids in groups, each of which is computed by itself.
        queries: whose functions are held with their graph at once.
        autocast: the precision of all computing.
        scale: gradients are multiplied by it.

    Returns:
        as the retriever's forward.
    """
    with autocast():
        asked = _Side(retriever.model.query, batch.queries)
        found = _Side(retriever.model.document, batch.documents)
        with torch.no_grad():
            states, vectors = asked.forward(), found.vectors()
    vectors = vectors.detach()
    whole, start, most = all_items(batch, len(vectors)) if retriever.across else (batch, 0, len(vectors))
    own = slice(0, len(vectors))
    if retriever.across:
        own = slice(processes()[0] * most, processes()[0] * most + len(vectors))
        vectors = all_rows(torch.nn.functional.pad(vectors, (0, 0, 0, most - len(vectors))))
    states = replace(states, tokens=_leaf(states.tokens, asked), pooled=_leaf(states.pooled, asked))
    vectors = _leaf(vectors, found)

    def piece(first: int) -> Tensor:
        some = states[first : first + queries]
        f = retriever.model.relevance(some)
        docs = retriever.narrowed(vectors) if isinstance(batch.documents, Tensor) else vectors
        retriever.regularise(f, some, Dense(docs[whole.items[start + first : start + first + len(some)].clamp(0)]))
        return scores(f, docs, whole, retriever.scored, start + first)

    pieces = range(0, len(states), queries)
    with autocast(), torch.no_grad():
        scored = torch.cat([piece(first) for first in pieces])
    world = processes()[1] if retriever.across else 1
    every = all_rows(scored).detach().requires_grad_() if retriever.across else scored.requires_grad_()
    with autocast():
        total, parts = retriever.loss(every, whole.targets)
    (scale * total).backward()  # type: ignore[no-untyped-call]
    assert every.grad is not None
    wanted = world * every.grad[start : start + len(states)]
    for first in pieces:
        with autocast():
            again = piece(first)
            aside = retriever.take_regularisers(len(again) / len(states))
        extra = () if aside is None else (scale * aside,)
        torch.autograd.backward((again, *extra), (wanted[first : first + len(again)], *(None for _ in extra)))
    if found.learns:
        assert vectors.grad is not None
        if retriever.across:
            sum_over_processes(vectors.grad)
        with autocast():
            found.backward(None, vectors.grad[own])
    if asked.learns:
        with autocast():
            asked.backward(states.tokens.grad, states.pooled.grad)
    return total.detach(), parts


@dataclass
class _Side:
    """One side's texts, group by group, twice with the same dropout."""

    encoder: TextEncoder
    part: Part

    def __post_init__(self) -> None:
        learning = any(parameter.requires_grad for parameter in self.encoder.parameters())
        self.learns = learning and not isinstance(self.part, Tensor | States)
        self._seeds: list[tuple[Tensor, list[Tensor]]] = []

    def forward(self) -> States:
        """All texts' states."""
        if isinstance(self.part, States):
            return self.part
        assert not isinstance(self.part, Tensor)
        states = []
        for group in self.part:
            self._seeds.append(_seeds())
            states.append(self.encoder(group))
        return joined(self.part, states)

    def vectors(self) -> Tensor:
        """(B, D)."""
        return self.part if isinstance(self.part, Tensor) else self.forward().pooled

    def backward(self, tokens: Tensor | None, pooled: Tensor | None) -> None:
        """Hand the gradients of states or vectors on to the encoder's parameters."""
        assert not isinstance(self.part, Tensor | States)
        after = _seeds()
        for group, seeds in zip(self.part, self._seeds, strict=True):
            _restore(seeds)
            states = self.encoder(group)
            outputs, gradients = [], []
            if tokens is not None and states.tokens.requires_grad:
                outputs.append(states.tokens)
                gradients.append(tokens[group.rows, : states.tokens.shape[1]])
            if pooled is not None and states.pooled.requires_grad:
                outputs.append(states.pooled)
                gradients.append(pooled[group.rows])
            if outputs:  # a query's bag of tokens learns nothing
                torch.autograd.backward(outputs, gradients)
        _restore(after)


def _leaf(values: Tensor, side: _Side) -> Tensor:
    return values.detach().requires_grad_(side.learns)


def _seeds() -> tuple[Tensor, list[Tensor]]:
    return torch.get_rng_state(), torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []


def _restore(seeds: tuple[Tensor, list[Tensor]]) -> None:
    torch.set_rng_state(seeds[0])
    if seeds[1]:
        torch.cuda.set_rng_state_all(seeds[1])
