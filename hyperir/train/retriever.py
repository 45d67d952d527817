"""The module that is trained: a model, and the losses over the scores that it gives to a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from hyperir.core.docs import Dense, States
from hyperir.core.types import Relevance
from hyperir.encode.model import Model
from hyperir.encode.text_encoder import TextEncoder
from hyperir.encode.tokenizer import TokenBatch
from hyperir.train.batch import Batch
from hyperir.train.sources import Part

__all__ = ["Retriever", "joined", "scores"]

Scored = Literal["all", "first", "own"]


class Retriever(nn.Module):
    """Batches in, losses out.

    Args:
        model: what learns; parameters that do not require gradients stay.
        losses: names, weights and modules.
        scored: see :class:`hyperir.train.recipe.BatchRecipe`.
    """

    def __init__(self, model: Model, losses: Sequence[tuple[str, float, nn.Module]], scored: Scored) -> None:
        super().__init__()
        self.model = model
        self.names = [name for name, _, _ in losses]
        self.weights = [weight for _, weight, _ in losses]
        self.losses = nn.ModuleList(loss for _, _, loss in losses)
        self.scored: Scored = scored

    def train(self, mode: bool = True) -> Retriever:
        """As always, but a part that stays keeps its dropout off."""
        super().train(mode)
        for side in (self.model.document, self.model.query):
            if not any(parameter.requires_grad for parameter in side.parameters()):
                side.eval()
        return self

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The weighted sum of the losses, and each of them, (L,), detached."""
        states = self.states(batch.queries)
        vectors = self.vectors(batch.documents)
        return self.loss(self.scores(states, vectors, batch), batch.targets)

    def states(self, part: Part) -> States:
        """Of B queries."""
        return self._side(part, self.model.query)

    def vectors(self, part: Part) -> Tensor:
        """(B, D) of documents."""
        return part if isinstance(part, Tensor) else self._side(part, self.model.document).pooled

    def scores(self, states: States, vectors: Tensor, batch: Batch) -> Tensor:
        """(Q, Q, K); -inf for pads, for known false negatives, and for what is not scored."""
        f: Relevance[Dense] = self.model.relevance(states)
        return scores(f, vectors, batch, self.scored)

    def loss(self, scored: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """From scores (Q, Q, K) and targets (Q, K)."""
        values = [loss(scored, targets) for loss in self.losses]
        total = torch.stack([weight * value for weight, value in zip(self.weights, values, strict=True)]).sum()
        return total, torch.stack([value.detach() for value in values])

    def _side(self, part: Part, encoder: TextEncoder) -> States:
        if isinstance(part, States):
            return part
        assert not isinstance(part, Tensor), "vectors have no token states"
        return joined(part, [encoder(group) for group in part])


def scores(f: Relevance[Dense], vectors: Tensor, batch: Batch, scored: Scored, start: int = 0) -> Tensor:
    """What functions of queries say of a batch's items.

    Args:
        f: of Q' queries, those from `start` on.
        vectors: (N, D) of the batch's documents.
        batch: says which documents are whose items.
        scored: see :class:`hyperir.train.recipe.BatchRecipe`.
        start: the first query's place in the batch.

    Returns:
        (Q', Q, K); -inf for pads, for known false negatives, and for what is not scored.
    """
    pads = batch.items < 0
    items = batch.items.clamp(min=0)
    queries = torch.arange(start, start + f.num_queries, device=items.device)
    if scored == "all":
        every = f(Dense(vectors))[:, items.reshape(-1)]
        found = every.reshape(f.num_queries, *items.shape)
    else:
        own = f(Dense(vectors[items[queries]]))
        found = torch.full((f.num_queries, *items.shape), -torch.inf, dtype=own.dtype, device=own.device)
        if scored == "first":
            found[:, :, 0] = f(Dense(vectors[items[:, 0]]))
        found[torch.arange(f.num_queries, device=items.device), queries] = own
    positive = (batch.numbers[items][None, :, :, None] == batch.positives[queries][:, None, None, :]).any(-1)
    # Of the own items another positive one is no negative, unless a target says what it is worth.
    own_place = torch.arange(f.num_queries, device=items.device), queries
    positive[own_place] &= torch.isnan(batch.targets[queries])
    positive[*own_place, 0] = False
    return found.masked_fill(positive | pads, -torch.inf)


def joined(groups: Sequence[TokenBatch], states: Sequence[States]) -> States:
    """States of groups as one batch, in the order of the groups' rows, padded to the longest."""
    back = torch.argsort(torch.cat([group.rows for group in groups])).to(states[0].pooled.device)
    longest = max(each.tokens.shape[1] for each in states)
    tokens = torch.cat([nn.functional.pad(each.tokens, (0, 0, 0, longest - each.tokens.shape[1])) for each in states])
    mask = torch.cat([nn.functional.pad(each.mask, (0, longest - each.mask.shape[1])) for each in states])
    return States(tokens[back], mask[back], torch.cat([each.pooled for each in states])[back])
