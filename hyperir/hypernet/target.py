"""The network being written: which parameters a head must write, and how the written network is called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.func import functional_call

__all__ = ["Head", "Slot", "call", "slots_of"]


@dataclass(frozen=True)
class Slot:
    """One parameter to be written: value = base + scale * (what the head writes).

    Args:
        base: the learned part that all inputs share, as it is before training; its shape is the parameter's shape.
        scale: multiplies what the head writes.
        silent: the head begins by writing exactly zero here.
        shared: nothing is written, all inputs have the base, which is learned.
    """

    base: Tensor
    scale: float = 1.0
    silent: bool = False
    shared: bool = False

    @property
    def shape(self) -> torch.Size:
        return self.base.shape

    @property
    def rows(self) -> int:
        """Output rows r of the slot seen as a matrix (r, t); a vector is one row."""
        return self.shape[0] if len(self.shape) > 1 else 1

    @property
    def columns(self) -> int:
        """Input columns t of the slot seen as a matrix (r, t)."""
        return self.base.numel() // self.rows


class Head(Protocol):
    """What reads token states and writes every slot; a `torch.nn.Module` made from (config, slots=, width=)."""

    def __call__(self, tokens: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """(B, T, H), (B, T) -> for every slot what is written there, (B, *slot.shape)."""
        ...


def slots_of(module: nn.Module, scale: float = 1.0) -> dict[str, Slot]:
    """A slot for every parameter of any module, its present value as the base."""
    return {name: Slot(parameter.detach().clone(), scale) for name, parameter in module.named_parameters()}


def call(module: nn.Module, parameters: Mapping[str, Tensor], inputs: Tensor, *, shared: bool = True) -> Tensor:
    """Run `module` once for each of B parameter sets.

    Args:
        module: any module that computes with one input tensor; its own parameters are not used.
        parameters: name -> (B, *shape).
        inputs: what every network is given, if `shared`; else (B, ...), one each.

    Returns:
        (B, *output).
    """

    def one(own: dict[str, Tensor], x: Tensor) -> Tensor:
        output: Tensor = functional_call(module, own, (x,))
        return output

    return torch.vmap(one, in_dims=(0, None if shared else 0))(dict(parameters), inputs)
