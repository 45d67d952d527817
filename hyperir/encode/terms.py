"""Texts as weights of the terms of a vocabulary, as SPLADE and SNRM make them, pooled in pieces.

Formal et al., "SPLADE", SIGIR 2021, and "SPLADE v2", 2021; Zamani et al., "SNRM", CIKM 2018.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from hyperir.core.docs import Sparse
from hyperir.core.errors import ModelError
from hyperir.core.progress import Progress
from hyperir.encode.config import TermsConfig

if TYPE_CHECKING:
    from hyperir.encode.masked import TermHead
    from hyperir.encode.text_encoder import TextEncoder

__all__ = ["CELLS", "Terms", "encoded_terms"]

CELLS = 1 << 24  # logits held at once, with what is made of them twice that: 128 MB; one text's where those are more
WINDOW = 8192  # texts whose token ids are in memory at once


class Terms(nn.Module):
    """The pooling of one side.

    Memory for logits is that of `CELLS` or of one text, at training too: pieces are computed again for their gradient
    where it needs more than they leave behind.

    Args:
        config: see :class:`~hyperir.encode.config.TermsConfig`.
        head: gives logits; it belongs to the backbone. None is refused.

    Raises:
        ModelError: there is no head.
    """

    def __init__(self, config: TermsConfig, head: TermHead | None) -> None:
        super().__init__()
        if head is None:
            raise ModelError(
                "a backbone without logits makes no weights of terms",
                expected="a masked-language model",
                fix="`hyperir.encode.splade.splade` makes a model of one",
            )
        self.config, self.size = config, head.size
        self.weights = nn.Parameter(torch.ones(head.size)) if config.learned else None

    def of_ids(self, ids: Tensor, mask: Tensor | None, pad_id: int) -> Tensor:
        """(B, V) of the pooling "bag": which terms are in (B, T) ids, times their weights where those are learned."""
        real = ids != pad_id if mask is None else mask & (ids != pad_id)
        bag = torch.zeros(len(ids), self.size, device=ids.device)
        bag.scatter_reduce_(1, ids, real.float(), "amax")
        return bag if self.weights is None else bag * self.weights

    def forward(self, tokens: Tensor, mask: Tensor | None, head: TermHead) -> Tensor:
        """(B, T, H) states and (B, T) mask, None where nothing is padded -> (B, V) float32."""
        rows = max(1, CELLS // (tokens.shape[1] * self.size))
        parts = []
        for start in range(0, len(tokens), rows):
            piece = slice(start, start + rows)
            some = None if mask is None else mask[piece]
            if torch.is_grad_enabled() and self.config.pool != "max":  # a maximum leaves its places behind, no logits
                parts.append(checkpoint(self._pooled, tokens[piece], some, head, use_reentrant=False))
            else:
                parts.append(self._pooled(tokens[piece], some, head))
        return torch.cat(parts) if parts else tokens.new_zeros(0, self.size, dtype=torch.float32)

    def _pooled(self, tokens: Tensor, mask: Tensor | None, head: TermHead) -> Tensor:
        logits = head(tokens.to(next(head.parameters()).dtype))
        hidden = None if mask is None else ~mask[..., None]
        if self.config.pool == "max":
            # ReLU and logarithm rise, so that the largest logit gives the largest weight.
            kept = logits if hidden is None else logits.masked_fill(hidden, -torch.inf)
            return self._logs(kept.max(1).values.float().relu())
        weights = self._logs(logits.float().relu())
        total = (weights if hidden is None else weights.masked_fill(hidden, 0.0)).sum(1)
        if self.config.pool == "sum":
            return total
        return total / (tokens.shape[1] if mask is None else mask.sum(1, keepdim=True))

    def _logs(self, weights: Tensor) -> Tensor:
        for _ in range(self.config.logs):
            weights = weights.log1p()
        return weights


def encoded_terms(
    encoder: TextEncoder, texts: Sequence[Any], as_text: Callable[[Any], str], batch_size: int, bar: Progress
) -> Sparse:
    """(N,) weights of terms of N texts in their order, on the CPU.

    Memory beside the result is bounded by `WINDOW` texts' tokens and one batch.

    Args:
        encoder: of a side with `terms`.
        texts: anything with a length and items.
        as_text: an item's text.
        batch_size: texts computed at once.
        bar: advances by the texts done.
    """
    windows = []
    with torch.inference_mode():
        for start in range(0, len(texts), WINDOW):
            stop = min(start + WINDOW, len(texts))
            ids = encoder.tokenize([as_text(texts[i]) for i in range(start, stop)])
            parts, rows = [], []
            for batch in encoder.batches(ids, batch_size):
                parts.append(_on_cpu(Sparse.of_dense(encoder(batch).pooled)))
                rows.append(batch.rows)
                bar.advance(len(batch.rows))
            windows.append(Sparse.cat(parts)[torch.argsort(torch.cat(rows))])
    found = Sparse.cat(windows)
    # Out of inference mode, so that they may take part in anything later.
    return Sparse(found.indptr.clone(), found.terms.clone(), found.weights.clone())


def _on_cpu(docs: Sparse) -> Sparse:
    return Sparse(docs.indptr.cpu(), docs.terms.cpu(), docs.weights.cpu())
