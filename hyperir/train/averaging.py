"""Averaging the trained weights with those before training: it forgets less of what the start could do elsewhere.

WiSE-FT, Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from hyperir.core.errors import InputError

__all__ = ["average", "remember"]


def remember(module: nn.Module) -> dict[str, Tensor]:
    """Copies of the parameters that learn, by name, to be taken before the first step."""
    return {name: value.detach().clone() for name, value in module.named_parameters() if value.requires_grad}


def average(module: nn.Module, before: Mapping[str, Tensor], share: float, head: float | None = None) -> None:
    """Set each parameter to share * its value + (1 - share) * its value before, in place.

    Args:
        module: as trained.
        before: what `remember` gave; parameters that are not in it stay as they are.
        share: of the trained weights, from 0 to 1.
        head: the share of all weights outside of the transformers; None is `share`.

    Raises:
        InputError: a share outside of 0 to 1, or weights of another module.
    """
    head = share if head is None else head
    if not (0 <= share <= 1 and 0 <= head <= 1):
        raise InputError("trained weights cannot have such a share", expected="0 to 1", got=f"{share}, {head}")
    own = dict(module.named_parameters())
    strange = [name for name, value in before.items() if name not in own or own[name].shape != value.shape]
    if strange:
        raise InputError(
            "the weights to average with are not of this model",
            expected="parameters of the same names and shapes",
            got=f"for example {strange[0]!r}",
        )
    with torch.no_grad():
        for name, value in before.items():
            kept = share if ".backbone." in name else head
            own[name].copy_(torch.lerp(value.to(own[name].device), own[name], kept))
