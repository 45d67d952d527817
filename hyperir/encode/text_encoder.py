"""One side of a model: backbone, prompt, length, pooling, cut, normalisation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hyperir.core.docs import Cells, Multi, States
from hyperir.core.errors import InputError
from hyperir.core.progress import Progress
from hyperir.encode.backbone import Backbone
from hyperir.encode.config import TextEncoderConfig
from hyperir.encode.pool import mean, pooled
from hyperir.encode.terms import Terms
from hyperir.encode.token_rules import TokenRules
from hyperir.encode.tokenizer import TokenBatch, batches
from hyperir.encode.words import Words

__all__ = ["TextEncoder"]

WINDOW = 8192  # texts whose token ids are in memory at once
# On a CPU a batch's activations should stay in cache: of 256 to 4,096 tokens, 768 to 1,536 were fastest, with
# all-MiniLM-L6-v2 on two cores. A GPU wants the whole batch.
CPU_TOKENS = 1024


class TextEncoder(nn.Module):
    """Queries' or documents' side.

    Pooling and what follows are computed in float32, whatever the backbone's type.

    Args:
        backbone: may be shared with another side.
        config: see :class:`TextEncoderConfig`.

    Raises:
        InputError: vectors are to be cut to more numbers than they have.
    """

    def __init__(self, backbone: Backbone, config: TextEncoderConfig) -> None:
        super().__init__()
        self.backbone = backbone
        self.config = config
        self.terms = None if config.terms is None else Terms(config.terms, backbone.head)
        self.rules = None if config.tokens is None else TokenRules(config.tokens, backbone.tokenizer)
        self.words = None if config.words is None else Words(config.words, backbone.tokenizer)
        possible = self._side_by_side * backbone.width
        if config.truncate is not None and config.truncate > possible:
            raise InputError(
                "vectors are cut to fewer numbers than they have",
                expected=f"truncate = {possible} at most",
                got=str(config.truncate),
            )
        self.projection: nn.Linear | None = None
        if config.project is not None:
            self.projection = nn.Linear(self._pooled_width, config.project, bias=False)

    @property
    def width(self) -> int:
        """D of the vectors; V where there are weights of terms."""
        if self.terms is not None:
            return self.terms.size
        beside = 0 if self.config.words is None else self.config.words.width
        return beside + (self._pooled_width if self.config.project is None else self.config.project)

    @property
    def reads_cells(self) -> bool:
        """Whether this is the side of queries over documents that count tokens in cells."""
        words = self.config.words
        return words is not None and words.cells > 0 and words.side == "query"

    @property
    def parts(self) -> dict[str, nn.Module]:
        """What the side has besides its transformer, by the names under which its weights are saved."""
        parts = {"projection": self.projection, "terms": self.terms, "words": self.words}
        return {name: part for name, part in parts.items() if part is not None}

    @property
    def _pooled_width(self) -> int:
        """Of vectors before they are projected; of tokens' that of their states."""
        if self.config.truncate is not None:
            return self.config.truncate
        return self._side_by_side * self.backbone.width

    @property
    def _side_by_side(self) -> int:
        """Poolings whose vectors make one."""
        return 1 if isinstance(self.config.pool, str) or self.rules is not None else len(self.config.pool)

    def forward(self, batch: TokenBatch) -> States:
        """States of B tokenised texts, differentiable; they stay in the batch's order."""
        device = self.backbone.device
        ids = batch.ids.to(device, non_blocking=True)
        mask = None if batch.mask is None else batch.mask.to(device, non_blocking=True)
        real = torch.ones_like(ids, dtype=torch.bool) if mask is None else mask
        if self.terms is not None and self.terms.config.pool == "bag":
            bag = self.terms.of_ids(ids, mask, self.backbone.tokenizer.pad_id)
            return States(bag.new_zeros(*ids.shape, 0), real, bag)  # no transformer was asked
        if self.rules is not None:
            return self._of_tokens(self.rules, ids, mask)
        tokens = self.backbone(ids, mask).float()
        if self.terms is not None:
            assert self.backbone.head is not None, "checked by Terms"
            return States(tokens, real, self.terms(tokens, mask, self.backbone.head))
        vectors = pooled(self.config.pool, tokens, mask)
        if self.config.truncate is not None:
            vectors = vectors[:, : self.config.truncate]
        if self.config.normalize:
            vectors = F.normalize(vectors, dim=-1)
        if self.projection is not None:
            vectors = self.projection(vectors)
        if self.words is None:
            return States(tokens, real, vectors)
        vectors = torch.cat([vectors, self.words(ids, mask)], dim=-1)
        return States(tokens, real, vectors, cells=self.cells(ids, mask) if self.reads_cells else None)

    def cells(self, ids: Tensor, mask: Tensor | None) -> Cells:
        """Where documents count tokens (B, T); for a side that reads cells."""
        assert self.words is not None, "see `reads_cells`"
        return self.words.cells(ids, mask, self._pooled_width)

    def _of_tokens(self, rules: TokenRules, ids: Tensor, mask: Tensor | None) -> States:
        """States with a vector of every token; the pooled one is their mean."""
        tokens = self.backbone(ids, rules.attended(ids, mask)).float()
        vectors = tokens if self.projection is None else self.projection(tokens)
        if self.config.normalize:
            vectors = F.normalize(vectors, dim=-1)
        kept = rules.kept(ids, mask)
        return States(tokens, kept, mean(vectors, kept), vectors)

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text with its prompt, cut to the side's length."""
        prompt, length, terms, rules = self.config.prompt, self.config.max_length, self.config.terms, self.rules
        texts = [prompt + text for text in texts] if prompt else texts
        if rules is not None:
            return rules.arranged(self.backbone.tokenizer(texts, rules.room(length)), length)
        special = terms is None or terms.pool != "bag"  # [CLS] is no term of a query
        return self.backbone.tokenizer(texts, length, special=special)

    def states(self, texts: Sequence[str]) -> States:
        """All texts' states in one padded batch, differentiable unless the caller turned gradients off."""
        ids = self.tokenize(texts)
        if not ids:
            return self._empty()
        [batch] = batches(ids, self.backbone.tokenizer.pad_id, len(ids), None)
        states: States = self(batch)
        return states[torch.argsort(batch.rows).to(states.tokens.device)]

    def many_states(self, texts: Sequence[str], batch_size: int, bar: Progress) -> States:
        """All texts' states, computed in batches and padded to the longest."""
        ids = self.tokenize(texts)
        if not ids:
            return self._empty()
        device, longest = self.backbone.device, max(len(one) for one in ids)
        tokens = torch.zeros(len(ids), longest, self.backbone.width, device=device)
        mask = torch.zeros(len(ids), longest, dtype=torch.bool, device=device)
        whole = torch.empty(len(ids), self.width, device=device)
        vectors = None if self.rules is None else torch.zeros(len(ids), longest, self.width, device=device)
        cells: list[Cells] = []
        order: list[Tensor] = []
        with torch.inference_mode():
            for batch in self.batches(ids, batch_size):
                states, rows = self(batch), batch.rows.to(device)
                length = states.mask.shape[1]
                tokens[rows, :length] = states.tokens
                mask[rows, :length] = states.mask
                whole[rows] = states.pooled
                if vectors is not None:
                    vectors[rows, :length] = states.vectors
                if states.cells is not None:
                    cells.append(states.cells.padded(longest))
                    order.append(rows)
                bar.advance(len(rows))
        # Made outside of inference mode, as the other tensors are.
        found = Cells.cat(cells)[torch.argsort(torch.cat(order))] if cells else None
        return States(tokens, mask, whole, vectors, found)

    def vectors(self, texts: Sequence[Any], as_text: Callable[[Any], str], batch_size: int, bar: Progress) -> Tensor:
        """(N, D) vectors of N texts in their order, on the backbone's device.

        Memory beside the result is bounded by `WINDOW` texts.

        Args:
            texts: anything with a length and items.
            as_text: an item's text.
            batch_size: texts computed at once.
            bar: advances by the texts done.
        """
        device = self.backbone.device
        # Made outside of inference mode, so that the vectors may take part in training later.
        out = torch.empty(len(texts), self.width, device=device)
        with torch.inference_mode():
            for start in range(0, len(texts), WINDOW):
                stop = min(start + WINDOW, len(texts))
                ids = self.tokenize([as_text(texts[i]) for i in range(start, stop)])
                for batch in self.batches(ids, batch_size):
                    out[(batch.rows + start).to(device)] = self(batch).pooled
                    bar.advance(len(batch.rows))
        return out

    def multi(self, texts: Sequence[Any], as_text: Callable[[Any], str], batch_size: int, bar: Progress) -> Multi:
        """The vectors of the tokens of N texts in their order, on the backbone's device; arguments as of `vectors`."""
        device = self.backbone.device
        nothing = torch.zeros(1, dtype=torch.int64, device=device)
        done = [Multi(nothing, torch.empty(0, self.width, device=device))]
        with torch.inference_mode():
            for start in range(0, len(texts), WINDOW):
                ids = self.tokenize([as_text(texts[i]) for i in range(start, min(start + WINDOW, len(texts)))])
                rows, parts = [], []
                for batch in self.batches(ids, batch_size):
                    states = self(batch)
                    rows.append(batch.rows)
                    parts.append(Multi.of_padded(states.vectors, states.mask))
                    bar.advance(len(batch.rows))
                done.append(Multi.cat(parts)[torch.argsort(torch.cat(rows)).to(device)])
        found = Multi.cat(done)
        # Made outside of inference mode, so that the vectors may take part in training later.
        return Multi(found.indptr.clone(), found.vectors.clone())

    def batches(self, ids: Sequence[Sequence[int]], batch_size: int) -> Iterator[TokenBatch]:
        """Batches of token ids, of a size that suits the device."""
        limit = CPU_TOKENS if self.backbone.device.type == "cpu" else None
        return batches(ids, self.backbone.tokenizer.pad_id, batch_size, limit)

    def _empty(self) -> States:
        device = self.backbone.device
        tokens = torch.zeros(0, 1, self.backbone.width, device=device)
        mask = torch.zeros(0, 1, dtype=torch.bool, device=device)
        vectors = None if self.rules is None else torch.zeros(0, 1, self.width, device=device)
        counted = torch.zeros(0, 1, device=device)
        places = torch.zeros(0, 1, 1, dtype=torch.int64, device=device)
        cells = Cells(places, counted, counted) if self.reads_cells else None
        return States(tokens, mask, torch.zeros(0, self.width, device=device), vectors, cells)
