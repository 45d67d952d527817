"""Models in the format of the official Hypencoder code, for its readers and `hyperir.encode.official`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torch import Tensor

from hyperir.core.errors import ModelError
from hyperir.encode.model import Model
from hyperir.encode.official import POOLS, slot_parts

__all__ = ["write_official"]


def write_official(model: Model, folder: str | Path) -> None:
    """Write a model of the official form: attention head, perceptron, no linear part.

    Lengths, prompts and normalisation have no place in the format: queries are cut at 32 tokens when it is read.

    Raises:
        ModelError: the model cannot be said in the format.
    """
    from safetensors.torch import save_file

    config: dict[str, Any] = model.relevance_config.model_dump(mode="json")
    _check(model, config)
    folder = Path(folder).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"query_encoder.{name}": value for name, value in _head(model, len(config["qnet"]["hidden"])).items()}
    tensors |= _transformer("query_encoder", model.query.backbone.transformer.state_dict())
    if not model.shared:
        tensors |= _transformer("passage_encoder", model.document.backbone.transformer.state_dict())
    plain = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
    save_file(plain, folder / "model.safetensors", metadata={"format": "pt"})
    model.query.backbone.tokenizer.save(folder / "tokenizer.json")
    special = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": _pad(model)}
    (folder / "tokenizer_config.json").write_text(json.dumps(special), encoding="utf-8")
    text = json.dumps(_config(model, config["qnet"]), indent=2) + "\n"
    (folder / "config.json").write_text(text, encoding="utf-8")


def _check(model: Model, config: dict[str, Any]) -> None:
    poolings: dict[str, str] = {ours: theirs for theirs, ours in POOLS.items()}
    fine = {
        "relevance of type hyper": config["type"] == "hyper",
        "no linear part": not config.get("linear"),
        "an attention head, scaled by rows": config.get("head", {}).get("scale") == "rows",
        "an mlp that is not scaled": config.get("qnet", {}).get("scaled") is False,
        "the pooling cls or mean_unmasked": {model.query.config.pool, model.document.config.pool} <= poolings.keys(),
        "vectors that are not normalised": not (model.query.config.normalize or model.document.config.normalize),
        "no prompts": not (model.query.config.prompt or model.document.config.prompt),
        "no projection": model.document.projection is None,
        "no words": model.document.words is None,
        "whole vectors": model.document.config.truncate is None,
    }
    wrong = [what for what, good in fine.items() if not good]
    if wrong:
        raise ModelError("the model cannot be written in the official format", expected=", ".join(wrong))


def _config(model: Model, qnet: dict[str, Any]) -> dict[str, Any]:
    poolings: dict[str, str] = {ours: theirs for theirs, ours in POOLS.items()}
    base = model.query.backbone.name
    return {
        "architectures": ["HypencoderDualEncoder"],
        "query_encoder_type": "hypencoder",
        "passage_encoder_type": "text_encoder",
        "query_encoder_kwargs": {
            "model_name_or_path": base,
            "freeze_transformer": False,
            "embedding_representation": poolings[str(model.query.config.pool)],
            "base_encoder_output_dim": model.query.backbone.width,
            "converter_kwargs": {
                "vector_dimensions": [model.width, *qnet["hidden"], 1],
                "activation_type": qnet["activation"],
                "do_layer_norm": qnet["layer_norm"],
                "do_residual": qnet["residual"],
                "do_residual_on_last": qnet["residual_on_last"],
                "layer_norm_before_residual": qnet["norm_before_residual"],
            },
        },
        "passage_encoder_kwargs": {
            "model_name_or_path": model.document.backbone.name,
            "pooling_type": poolings[str(model.document.config.pool)],
            "freeze_transformer": False,
        },
        "shared_encoder": model.shared,
    }


def _head(model: Model, hidden: int) -> dict[str, Tensor]:
    """The hyper-head's tensors under their names and in their shapes."""
    own = model.relevance.state_dict()
    head: Any = model.relevance.get_submodule("hypernetwork.head")
    writers = {name: f"hypernetwork.head.writers.{i}." for i, name in enumerate(head.names)}
    found: dict[str, Tensor] = {}
    for slot, sources in slot_parts(hidden):
        for part, theirs in sources.items():
            if part == "base":
                base = own["hypernetwork.base." + slot.replace(".", "/")]
                found[theirs] = base[None]  # matrices (1, r, t), biases (1, t)
            else:
                tensor = own[writers[slot] + part]
                found[theirs] = tensor[None] if part == "rows" else tensor
    return found


def _transformer(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.transformer.{name}": value for name, value in tensors.items()}


def _pad(model: Model) -> str:
    tokenizer = model.query.backbone.tokenizer
    return tokenizer.tokenizer.id_to_token(tokenizer.pad_id) or "[PAD]"
