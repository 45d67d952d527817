"""A transformers model and its tokenizer: token ids to token states."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from hyperir.encode.masked import TermHead, own_weights
from hyperir.encode.tokenizer import TextTokenizer

__all__ = ["Backbone"]

# What a transformer computes beyond its weights. A fixed list, so that an index still knows its model after an update
# of transformers that writes more into configurations.
ARCHITECTURE = (
    "model_type",
    "hidden_act",
    "activation",
    "hidden_activation",
    "layer_norm_eps",
    "norm_eps",
    "rms_norm_eps",
    "num_attention_heads",
    "n_heads",
    "num_key_value_heads",
    "position_embedding_type",
    "rope_theta",
    "global_rope_theta",
    "local_rope_theta",
    "local_attention",
    "global_attn_every_n_layers",
)


class Backbone(nn.Module):
    """A transformer that reads token ids.

    Args:
        transformer: a model with `last_hidden_state`; its pooler, which nothing here uses, is dropped.
        tokenizer: makes its token ids.
        name: what loads it again; "" if it was made in memory.
        head: gives logits over terms; None where no side needs them.
    """

    def __init__(
        self, transformer: PreTrainedModel, tokenizer: TextTokenizer, name: str = "", head: TermHead | None = None
    ) -> None:
        super().__init__()
        if getattr(transformer, "pooler", None) is not None:
            transformer.pooler = None  # type: ignore[assignment]
        self.transformer = transformer
        self.tokenizer = tokenizer
        self.name = name
        self.head = head
        self._fingerprint: tuple[object, str] = (None, "")
        self._versions = self._count_changes()

    @property
    def width(self) -> int:
        """H, of the token states."""
        return int(self.transformer.config.hidden_size)

    @property
    def dtype(self) -> torch.dtype:
        return next(self.transformer.parameters()).dtype

    @property
    def device(self) -> torch.device:
        return next(self.transformer.parameters()).device

    @property
    def longest(self) -> int:
        """The most tokens the transformer has positions for."""
        return int(getattr(self.transformer.config, "max_position_embeddings", None) or 512)

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, T) token ids, (B, T) mask or None where nothing is padded -> (B, T, H) last hidden states."""
        attention = None if mask is None else mask.to(ids.dtype)
        states: Tensor = self.transformer(input_ids=ids, attention_mask=attention).last_hidden_state
        return states

    @property
    def changed(self) -> bool:
        """True if weights were written to since the backbone was made, for example by an optimiser."""
        # Not "unequal": a deep copy counts from zero again.
        return any(now > then for now, then in zip(self._count_changes(), self._versions, strict=True))

    def _count_changes(self) -> list[int]:
        return [tensor._version for tensor in self.parameters()]

    @property
    def head_weights(self) -> dict[str, Tensor]:
        """The head's weights that are not the transformer's as well; none without a head."""
        return {} if self.head is None else own_weights(self.head, self.transformer)

    @property
    def fingerprint(self) -> str:
        """sha256 over weights, architecture and tokenizer; equal on all machines and under all library versions."""
        tensors = [*self.transformer.state_dict().values(), *self.head_weights.values()]
        # A version counts the changes in place, as an optimiser makes them.
        key = tuple((t.data_ptr(), t._version) for t in tensors)
        if self._fingerprint[0] != key:
            digest = hashlib.sha256(json.dumps(self._architecture(), sort_keys=True).encode())
            digest.update(self.tokenizer.identity().encode())
            for tensor in tensors:  # in the order of the modules: names change between versions of transformers
                digest.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
                digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
            self._fingerprint = (key, digest.hexdigest())
        return self._fingerprint[1]

    def _architecture(self) -> dict[str, Any]:
        config = self.transformer.config.to_dict()
        return {key: config[key] for key in ARCHITECTURE if config.get(key) is not None}
