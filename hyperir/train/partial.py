"""Transformers of which a part learns: frozen layers, and low-rank changes by peft."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import nn

from hyperir.core.errors import InputError
from hyperir.encode.backbone import Backbone
from hyperir.encode.model import Model
from hyperir.train.recipe import LoraRecipe

__all__ = ["add_lora", "freeze", "merge_lora"]


def freeze(backbone: Backbone, layers: int) -> None:
    """Let the embeddings and the first layers stay.

    Raises:
        InputError: the transformer has fewer layers, or none that can be told apart.
    """
    transformer = backbone.transformer
    count = int(transformer.config.num_hidden_layers)
    stacks = [module for module in transformer.modules() if isinstance(module, nn.ModuleList) and len(module) == count]
    if not stacks or layers > count:
        raise InputError(
            "so many layers cannot stay",
            expected=f"regime.freeze of {count} at most" if stacks else "a transformer with a list of layers",
            got=str(layers),
        )
    transformer.get_input_embeddings().requires_grad_(False)
    for name, module in transformer.named_children():
        if "embed" in name:
            module.requires_grad_(False)
    for layer in stacks[0][:layers]:
        layer.requires_grad_(False)


def add_lora(backbone: Backbone, recipe: LoraRecipe, seed: int) -> None:
    """Let the transformer stay, and learn low-rank changes of its linear maps, which are drawn from a seed."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,  # type: ignore[arg-type]
        lora_dropout=recipe.dropout,
        target_modules=None if recipe.targets is None else list(recipe.targets),
    )
    try:
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers in a way that is going away
            changed: Any = get_peft_model(backbone.transformer, config)
    except ValueError as error:
        raise InputError(
            "peft cannot change this transformer",
            got=str(error).splitlines()[0],
            fix="name linear maps of it: regime.lora.targets=[query,value]",
        ) from error
    backbone.transformer = changed


def merge_lora(model: Model) -> None:
    """Add the low-rank changes to the weights, in place; a transformer that had any has no name of its own after it."""
    from peft import PeftModel

    made: dict[Backbone, Backbone] = {}
    for side in (model.document, model.query):
        backbone = side.backbone
        transformer: Any = backbone.transformer
        if backbone not in made:
            made[backbone] = backbone
            if isinstance(transformer, PeftModel):
                made[backbone] = Backbone(transformer.merge_and_unload(), backbone.tokenizer, head=backbone.head)
        side.backbone = made[backbone]
