"""The module that is trained: a model, and the losses over the scores that it gives to a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from hyperir.core.docs import Cells, Dense, Multi, States
from hyperir.core.types import Docs, Relevance
from hyperir.encode.model import Model
from hyperir.encode.text_encoder import TextEncoder
from hyperir.encode.tokenizer import TokenBatch
from hyperir.hypernet import Hypernetwork
from hyperir.train.batch import Batch
from hyperir.train.devices import all_items, all_rows, processes
from hyperir.train.regularisers import Regulariser
from hyperir.train.regularisers.encoded import Encoded
from hyperir.train.sources import Part
from hyperir.train.sparsity import Sparsity

__all__ = ["Retriever", "joined", "scores"]

Scored = Literal["all", "first", "own"]


class Retriever(nn.Module):
    """Batches in, losses out.

    Args:
        model: what learns; parameters that do not require gradients stay.
        losses: names, weights and modules.
        scored: see :class:`hyperir.train.recipe.BatchRecipe`.
        across: score the items of all processes.
        regularisers: what else is made small.
    """

    def __init__(
        self,
        model: Model,
        losses: Sequence[tuple[str, float, nn.Module]],
        scored: Scored = "all",
        *,
        across: bool = False,
        regularisers: Sequence[Regulariser] = (),
    ) -> None:
        super().__init__()
        self.model = model
        self.names = [name for name, _, _ in losses]
        self.weights = [weight for _, weight, _ in losses]
        self.losses = nn.ModuleList(loss for _, _, loss in losses)
        self.scored: Scored = scored
        self.across = across
        self.regularisers = list(regularisers)
        self.sparsity = Sparsity(model)
        self.step = 0  # of the training; regularisers warm up by it
        self._aside: Tensor | None = None
        self._written: dict[str, Tensor] = {}
        if self.regularisers:
            for module in model.relevance.modules():
                if isinstance(module, Hypernetwork):
                    module.register_forward_hook(self._note_written)

    def train(self, mode: bool = True) -> Retriever:
        """As always, but a transformer that stays keeps its dropout off."""
        super().train(mode)
        for backbone in (self.model.document.backbone, self.model.query.backbone):
            if not any(parameter.requires_grad for parameter in backbone.parameters()):
                backbone.eval()
        return self

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The weighted sum of the losses, and each of them, (L,), detached."""
        states = self.states(batch.queries)
        f: Relevance[Any] = self.model.relevance(states)
        if self.model.kind == "multi":
            return self.loss(scores(f, self.multi(batch.documents), batch, self.scored), batch.targets)
        vectors = self.vectors(batch.documents)
        self.regularise(f, states, Dense(vectors[batch.items.clamp(min=0)]))
        if not self.across:
            total, parts = self.loss(scores(f, vectors, batch, self.scored), batch.targets)
        else:
            whole, start, most = all_items(batch, len(vectors))
            vectors = all_rows(nn.functional.pad(vectors, (0, 0, 0, most - len(vectors))))
            own = scores(f, vectors, whole, self.scored, start)
            # All processes have the same loss, and each but its own queries' gradient of it; their mean is taken.
            own.register_hook(lambda gradient: processes()[1] * gradient)  # type: ignore[no-untyped-call]
            every = torch.cat([all_rows(own.detach())[:start], own, all_rows(own.detach())[start + len(own) :]])
            total, parts = self.loss(every, whole.targets)
        aside = self.take_regularisers()
        return total if aside is None else total + aside, parts

    def states(self, part: Part) -> States:
        """Of B queries."""
        return self._side(part, self.model.query)

    def vectors(self, part: Part) -> Tensor:
        """(B, D) of documents."""
        return self.narrowed(part) if isinstance(part, Tensor) else self._side(part, self.model.document).pooled

    def multi(self, part: Part) -> Multi:
        """The tokens' vectors of B documents."""
        states = self._side(part, self.model.document)
        assert states.vectors is not None
        return Multi.of_padded(states.vectors, states.mask)

    def narrowed(self, vectors: Tensor) -> Tensor:
        """Vectors of an index as the model projects them."""
        projection = self.model.document.projection
        return vectors if projection is None else projection(vectors)

    def loss(self, scored: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """From scores (Q, Q, K) and targets (Q, K)."""
        values = [loss(scored, targets) for loss in self.losses]
        total = torch.stack([weight * value for weight, value in zip(self.weights, values, strict=True)]).sum()
        return total, torch.stack([value.detach() for value in values])

    def regularise(self, f: Relevance[Any], states: States, own: Dense) -> None:
        """Compute the regularisers of some queries and their own candidates; `take_regularisers` gives the sum."""
        if self.regularisers and torch.is_grad_enabled():
            encoded = Encoded(f, own, states.pooled, self._written)
            self._aside = torch.stack([each(encoded, self.step) for each in self.regularisers]).sum()

    def take_regularisers(self, share: float = 1.0) -> Tensor | None:
        """What `regularise` computed last, times these queries' share of the batch; None where nothing was."""
        aside, self._aside = self._aside, None
        return None if aside is None else share * aside

    def _note_written(self, module: nn.Module, inputs: Any, written: dict[str, Tensor]) -> None:
        self._written = {**self._written, **written}  # of all heads, each under names of its own

    def _side(self, part: Part, encoder: TextEncoder) -> States:
        if isinstance(part, States):
            return part
        assert not isinstance(part, Tensor), "vectors have no token states"
        return joined(part, [encoder(group) for group in part])


def scores(f: Relevance[Any], docs: Docs | Tensor, batch: Batch, scored: Scored, start: int = 0) -> Tensor:
    """What functions of queries say of a batch's items.

    Args:
        f: of Q' queries, those from `start` on.
        docs: (N,), the batch's documents; vectors (N, D) stand for `Dense`.
        batch: says which documents are whose items.
        scored: see :class:`hyperir.train.recipe.BatchRecipe`.
        start: the first query's place in the batch.

    Returns:
        (Q', Q, K); -inf for pads, for known false negatives, and for what is not scored.
    """
    docs = Dense(docs) if isinstance(docs, Tensor) else docs
    pads = batch.items < 0
    items = batch.items.clamp(min=0)
    rows = torch.arange(f.num_queries, device=items.device)
    queries = rows + start
    if scored == "all":
        every = f(docs)[:, items.reshape(-1)]
        found = every.reshape(f.num_queries, *items.shape)
    else:
        own = f(docs[items[queries]])
        found = torch.full((f.num_queries, *items.shape), -torch.inf, dtype=own.dtype, device=own.device)
        if scored == "first":
            found[:, :, 0] = f(docs[items[:, 0]])
        found[rows, queries] = own
    positive = (batch.numbers[items][None, :, :, None] == batch.positives[queries][:, None, None, :]).any(-1)
    # Of the own items another positive one is no negative, unless a target says what it is worth.
    positive[rows, queries] &= torch.isnan(batch.targets[queries])
    positive[rows, queries, 0] = False
    return found.masked_fill(positive | pads, -torch.inf)


def joined(groups: Sequence[TokenBatch], states: Sequence[States]) -> States:
    """States of groups as one batch, in the order of the groups' rows, padded to the longest."""
    back = torch.argsort(torch.cat([group.rows for group in groups])).to(states[0].pooled.device)
    longest = max(each.tokens.shape[1] for each in states)

    def padded(tensors: Sequence[Tensor]) -> Tensor:
        return torch.cat([nn.functional.pad(each, (0, 0, 0, longest - each.shape[1])) for each in tensors])

    mask = torch.cat([nn.functional.pad(each.mask, (0, longest - each.mask.shape[1])) for each in states])
    own = [each.vectors for each in states if each.vectors is not None]
    pooled = torch.cat([each.pooled for each in states])
    counted = [each.cells for each in states if each.cells is not None]
    cells = Cells.cat(counted) if counted else None
    return States(padded([each.tokens for each in states]), mask, pooled, padded(own) if own else None, cells)[back]
