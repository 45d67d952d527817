"""The plain hypernetwork: the mean of the token states, a hidden layer, and one linear map to all parameters at once.

Ha, Dai and Le, "HyperNetworks", ICLR 2017, in its simplest form. Its size is hidden x (number of parameters written),
so it suits small targets; the attention head suits large ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hyperir.core.config import Config
from hyperir.hypernet.target import Slot

__all__ = ["PooledHead"]


class PooledConfig(Config):
    """Configuration of the pooled head.

    Args:
        hidden: units of the hidden layer.
        std: standard deviation of what is written at the start, about; small, so that the shared base leads.
    """

    type: Literal["pooled"] = "pooled"
    hidden: int = 64
    std: float = 0.01


class PooledHead(nn.Module):
    """written = W GELU(V mean(tokens) + c) + b, cut into the slots.

    Args:
        config: see :class:`PooledConfig`.
        slots: what to write.
        width: H, the width of the token states.
    """

    Config = PooledConfig

    def __init__(self, config: PooledConfig, *, slots: Mapping[str, Slot], width: int) -> None:
        super().__init__()
        self.shapes = {name: slot.shape for name, slot in slots.items()}
        self.sizes = [slot.base.numel() for slot in slots.values()]
        self.read = nn.Linear(width, config.hidden)
        self.write = nn.Linear(config.hidden, sum(self.sizes))
        nn.init.normal_(self.write.weight, std=config.std / config.hidden**0.5)
        nn.init.zeros_(self.write.bias)
        with torch.no_grad():
            for slot, rows in zip(slots.values(), torch.split(self.write.weight, self.sizes), strict=True):
                if slot.silent:
                    rows.zero_()

    def forward(self, tokens: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """(B, T, H), (B, T) -> name -> (B, *shape). A text needs at least one real token."""
        weight = mask.to(tokens.dtype)[..., None]
        mean = (tokens * weight).sum(1) / weight.sum(1)
        pieces = torch.split(self.write(F.gelu(self.read(mean))), self.sizes, dim=-1)
        shapes = self.shapes.items()
        return {name: piece.reshape(-1, *shape) for (name, shape), piece in zip(shapes, pieces, strict=True)}
