"""A backbone as what differs from the model it came from: a tuned encoder is stored small, beside one that all have."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from hyperir.core.errors import ModelError
from hyperir.encode.backbone import Backbone

__all__ = ["changed_weights", "replace_weights"]


def changed_weights(backbone: Backbone, origin: Backbone) -> dict[str, Tensor]:
    """The backbone's weights that are not those of its origin, by the transformer's own names.

    Raises:
        ModelError: the two are not of one shape, or do not read texts as the same tokens.
    """
    own, theirs = backbone.transformer.state_dict(), origin.transformer.state_dict()
    same = own.keys() == theirs.keys() and all(own[name].shape == theirs[name].shape for name in own)
    if not same or backbone.tokenizer.identity() != origin.tokenizer.identity():
        raise ModelError(
            f"the backbone is no changed {origin.name!r}",
            expected="the same architecture and tokenizer",
            fix="save it with with_backbone=True",
        )
    return {name: value for name, value in own.items() if not torch.equal(value.cpu(), theirs[name].to(value.dtype))}


def replace_weights(backbone: Backbone, weights: Mapping[str, Tensor], where: str) -> None:
    """Put weights in the place of the backbone's own, in the backbone's type.

    Args:
        backbone: changed in place.
        weights: by the transformer's own names.
        where: named in errors.

    Raises:
        ModelError: there are none, or they do not fit.
    """
    own = backbone.transformer.state_dict()
    wrong = [name for name, value in weights.items() if name not in own or own[name].shape != value.shape]
    if wrong or not weights:
        raise ModelError(
            f"the changed weights in {where} do not fit the backbone {backbone.name!r}",
            expected="tensors of its names and shapes",
            got=f"for example {wrong[0]!r}" if wrong else "none",
        )
    with torch.no_grad():
        for name, value in weights.items():
            own[name].copy_(value)
