"""Masked-language models in two: the transformer, and the head that gives every term a logit at every token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from hyperir.core.errors import ModelError

__all__ = ["TermHead", "fill_head", "own_weights", "split"]


class TermHead(nn.Module):
    """Token states to logits over terms, as a masked-language model of any architecture computes them.

    Args:
        model: the masked-language model, whose transformer is taken out of it; weights tied to it stay tied.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        output: Any = model.get_output_embeddings()  # type: ignore[no-untyped-call]
        if output is None:
            raise ModelError(f"{type(model).__name__} has no logits over terms", expected="a masked-language model")
        self.size = int(output.weight.shape[0])
        # Architectures name and call their heads differently, but all of them ask their transformer for states.
        setattr(model, model.base_model_prefix, _Given())
        self.rest = model

    def forward(self, states: Tensor) -> Tensor:
        """(B, T, H) -> (B, T, V)."""
        logits: Tensor = self.rest(inputs_embeds=states).logits
        return logits


class _Given(nn.Module):
    """Stands in a masked-language model where its transformer was, and hands its states on."""

    def forward(self, *args: Any, inputs_embeds: Tensor, **kwargs: Any) -> BaseModelOutput:
        """The states, whatever else an architecture tells its transformer: masks and flags, none of which count now."""
        return BaseModelOutput(last_hidden_state=inputs_embeds)


def split(model: PreTrainedModel) -> tuple[PreTrainedModel, TermHead]:
    """The transformer and the head of a masked-language model, which is used up.

    Raises:
        ModelError: its transformer cannot be taken out, or it has no logits.
    """
    transformer = model.base_model
    if transformer is model or not isinstance(transformer, PreTrainedModel):
        raise ModelError(f"{type(model).__name__} is not a transformer with a head", expected="a masked-language model")
    return transformer, TermHead(model)


def own_weights(head: TermHead, transformer: nn.Module) -> dict[str, Tensor]:
    """The head's weights that are not tied to the transformer's, by name; of those tied to each other the first."""
    seen = {tensor.data_ptr() for tensor in transformer.state_dict().values()}
    own = {}
    for name, tensor in head.rest.state_dict().items():
        if tensor.data_ptr() not in seen:
            seen.add(tensor.data_ptr())
            own[name] = tensor
    return own


def fill_head(head: TermHead, transformer: nn.Module, tensors: Mapping[str, Tensor], where: str) -> None:
    """Give the head its own weights.

    Args:
        head: changed in place.
        transformer: what its other weights are tied to.
        tensors: as `own_weights` gave them.
        where: named in errors.

    Raises:
        ModelError: they are others, or of other shapes.
    """
    own = own_weights(head, transformer)
    wrong = sorted(set(own) ^ set(tensors))
    wrong += [name for name in own if name in tensors and own[name].shape != tensors[name].shape]
    if wrong:
        raise ModelError(f"the head's weights in {where} do not fit its configuration", got=", ".join(wrong[:3]))
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(tensors[name])
