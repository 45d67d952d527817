"""A hypernetwork: shared base parameters, plus what a head writes after reading one input's token states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from hyperir.core.config import Config
from hyperir.hypernet import HEADS
from hyperir.hypernet.target import Slot

__all__ = ["Hypernetwork"]


class Hypernetwork(nn.Module):
    """Writes the parameters of a target network.

    Args:
        head: a member of `HEADS`, by name or configuration, for example "attention".
        slots: the target's parameters; `slots_of(module)` gives them for any module.
        width: H, the width of the token states read.

    >>> import torch
    >>> target = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
    >>> net = Hypernetwork("attention", slots_of(target), width=16)
    >>> written = net(torch.randn(2, 5, 16), torch.ones(2, 5, dtype=torch.bool))
    >>> call(target, written, torch.randn(10, 4)).shape
    torch.Size([2, 10, 1])
    """

    def __init__(self, head: str | Mapping[str, Any] | Config, slots: Mapping[str, Slot], width: int) -> None:
        super().__init__()
        self.slots = dict(slots)
        # A module's parameter names hold dots, which ParameterDict does not take.
        self.base = nn.ParameterDict({_key(name): nn.Parameter(slot.base.clone()) for name, slot in slots.items()})
        to_write = {name: slot for name, slot in slots.items() if not slot.shared}
        self.head: nn.Module = HEADS.build(head, slots=to_write, width=width)  # type: ignore[assignment]

    def forward(self, tokens: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """(B, T, H), (B, T) -> name -> (B, *shape), differentiable; of shared slots a view of one."""
        written = self.head(tokens, mask)
        parameters = {}
        for name, slot in self.slots.items():
            base = self.base[_key(name)]
            many = (len(tokens), *slot.shape)
            parameters[name] = base.expand(many) if slot.shared else base + slot.scale * written[name]
        return parameters


def _key(name: str) -> str:
    return name.replace(".", "/")
