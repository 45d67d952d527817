"""The Hypencoder's head: each row of each parameter is a learned query that attends to the text's tokens.

Killingback, Zeng and Zamani, "Hypencoder: Hypernetworks for Information Retrieval", SIGIR 2025, section 3.3. Where the
released code and the paper differ, `scale="rows"` is the code, with which the published checkpoints were trained.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hyperir.core.config import Config
from hyperir.hypernet.target import Slot

__all__ = ["AttentionHead"]


class AttentionConfig(Config):
    """Configuration of the attention head.

    Args:
        scale: attention logits are divided by the square root of "rows", the slot's number of rows (so by 1 for
            biases and for a single output, as the released code does), or of "width", H (as the paper writes).
        query_std: standard deviation of the row queries at the start; 10 in the released code.
    """

    type: Literal["attention"] = "attention"
    scale: Literal["rows", "width"] = "rows"
    query_std: float = 10.0


class SlotWriter(nn.Module):
    """Writes one slot, seen as a matrix of r rows and t columns.

    attend = softmax(rows (tokens K)^T / s) (tokens V);  written = LayerNorm(ReLU(attend)) W + b.
    """

    def __init__(self, slot: Slot, width: int, config: AttentionConfig) -> None:
        super().__init__()
        self.shape = slot.shape
        self.scale = math.sqrt(slot.rows if config.scale == "rows" else width)
        self.rows = nn.Parameter(torch.randn(slot.rows, slot.columns) * config.query_std)
        self.key = nn.Linear(width, slot.columns)
        self.value = nn.Linear(width, slot.columns)
        self.project = nn.Linear(slot.columns, slot.columns)
        if len(slot.shape) > 1:
            # Matrices start as the shared base; biases keep torch's default and so start query-specific, as released.
            nn.init.zeros_(self.key.bias)
            nn.init.zeros_(self.value.bias)
            nn.init.normal_(self.project.weight, std=1 / slot.columns**2)
            nn.init.zeros_(self.project.bias)
        if slot.silent:
            nn.init.zeros_(self.project.weight)
            nn.init.zeros_(self.project.bias)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        logits = self.rows @ self.key(tokens).transpose(1, 2) / self.scale  # (B, r, T)
        attention = logits.masked_fill(~mask[:, None, :], -math.inf).softmax(-1)
        attended = attention @ self.value(tokens)  # (B, r, t)
        written: Tensor = self.project(F.layer_norm(F.relu(attended), attended.shape[-1:]))
        return written.reshape(-1, *self.shape)


class AttentionHead(nn.Module):
    """One `SlotWriter` a slot; nothing is shared between slots.

    Args:
        config: see :class:`AttentionConfig`.
        slots: what to write.
        width: H, the width of the token states.
    """

    Config = AttentionConfig

    def __init__(self, config: AttentionConfig, *, slots: Mapping[str, Slot], width: int) -> None:
        super().__init__()
        self.names = list(slots)
        self.writers = nn.ModuleList(SlotWriter(slot, width, config) for slot in slots.values())

    def forward(self, tokens: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """(B, T, H), (B, T) -> name -> (B, *shape). A text needs at least one real token."""
        return {name: writer(tokens, mask) for name, writer in zip(self.names, self.writers, strict=True)}
