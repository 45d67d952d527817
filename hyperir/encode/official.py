"""Checkpoints of the official Hypencoder code (jfkback/hypencoder-paper), loaded unchanged and without its code.

Killingback, Zeng and Zamani, "Hypencoder: Hypernetworks for Information Retrieval", SIGIR 2025. The architecture is the
attention head and the perceptron q-net as released; only names differ. Kept from their code: attention logits are
divided by the root of a slot's outputs, so by 1 for biases and the last matrix; "mean" pooling sums padding too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import ConfigDict
from torch import Tensor

from hyperir.core.config import Config
from hyperir.core.errors import ModelError
from hyperir.encode.backbone import Backbone
from hyperir.encode.config import TextEncoderConfig
from hyperir.encode.model import Model
from hyperir.encode.sources import HubOptions, locate
from hyperir.encode.text_encoder import TextEncoder
from hyperir.encode.tokenizer import TextTokenizer
from hyperir.encode.transformer import build_transformer, has_tokenizer, read_json, read_tokenizer, read_weights

__all__ = ["POOLS", "read_official", "slot_parts"]

QUERY_LENGTH, DOCUMENT_LENGTH = 32, 512
POOLS: dict[str, Literal["cls", "mean_unmasked"]] = {"cls": "cls", "mean": "mean_unmasked"}
# Attention heads by width, which the state dict does not tell: the published BERTs, DistilBERTs and MiniLMs.
HEADS = {128: 2, 256: 4, 384: 12, 512: 8, 768: 12, 1024: 16}


class ConverterConfig(Config):
    """`converter_kwargs`: the q-net. Dropout acts only in their training."""

    vector_dimensions: tuple[int, ...]
    activation_type: Literal["relu", "tanh", "sigmoid", "gelu", "leaky_relu"] = "relu"
    do_dropout: bool = False
    dropout_prob: float = 0.1
    do_layer_norm: bool = True
    do_residual: bool = True
    do_residual_on_last: bool | None = False
    layer_norm_before_residual: bool = True


class _Theirs(Config):
    # Their configurations are transformers' own and carry dozens of keys without effect here.
    model_config = ConfigDict(extra="ignore")


class QueryConfig(_Theirs):
    """`query_encoder_kwargs`."""

    model_name_or_path: str = ""
    converter_kwargs: ConverterConfig
    embedding_representation: Literal["mean", "cls"] | None = None
    base_encoder_output_dim: int = 768


class PassageConfig(_Theirs):
    """`passage_encoder_kwargs`."""

    model_name_or_path: str = ""
    pooling_type: Literal["cls", "mean"] = "cls"


class OfficialConfig(_Theirs):
    """Their `config.json`."""

    query_encoder_kwargs: QueryConfig
    passage_encoder_kwargs: PassageConfig = PassageConfig()
    shared_encoder: bool = False


def read_official(
    folder: Path, values: Mapping[str, Any], name: str, dtype: torch.dtype | None, options: HubOptions
) -> Model:
    """The model of a checkpoint folder, which scores as the authors' code does.

    Queries are cut at 32 tokens and documents at 512, as in their inference code.

    Raises:
        ModelError: the checkpoint is incomplete, or its base model's configuration or tokenizer cannot be found.
    """
    config = OfficialConfig.parse(values, where=str(folder / "config.json"))
    tensors = read_weights(folder, allow_pickle=options.allow_pickle)
    queries, passages = config.query_encoder_kwargs, config.passage_encoder_kwargs
    query_weights = _under("query_encoder.transformer.", tensors)
    passage_weights = _under("passage_encoder.transformer.", tensors)
    # safetensors stores tied weights once, under either name.
    if config.shared_encoder:
        query_weights = query_weights or passage_weights
        apart = [
            k for k, w in passage_weights.items() if k not in query_weights or not torch.equal(query_weights[k], w)
        ]
        if apart:
            raise ModelError(f"{folder} says shared_encoder, but holds two different ones", got=f"{apart[0]} differs")
        passage_weights = {}
    if not query_weights or not (config.shared_encoder or passage_weights):
        side = "passage" if query_weights else "query"
        raise ModelError(f"no weights of the {side} encoder in {folder}", expected=f"{side}_encoder.transformer.*")

    query_backbone = _backbone(folder, queries.model_name_or_path, query_weights, name, options)
    backbone = query_backbone
    if not config.shared_encoder:
        backbone = _backbone(folder, passages.model_name_or_path, passage_weights, name, options)
    width = backbone.width
    dimensions = queries.converter_kwargs.vector_dimensions
    if len(dimensions) < 2 or dimensions[0] != width or dimensions[-1] != 1:
        raise ModelError(
            f"the q-net of {folder} does not fit",
            expected=f"vector_dimensions from {width}, the documents' width, to 1",
            got=str(list(dimensions)),
        )
    pool = POOLS[passages.pooling_type]
    model = Model(
        TextEncoder(backbone, TextEncoderConfig(pool=pool, max_length=min(DOCUMENT_LENGTH, backbone.longest))),
        TextEncoder(
            query_backbone,
            TextEncoderConfig(
                pool=POOLS[queries.embedding_representation or passages.pooling_type],
                max_length=min(QUERY_LENGTH, query_backbone.longest),
            ),
        ),
        {"type": "hyper", "head": "attention", "qnet": _qnet(queries.converter_kwargs), "linear": False},
        name=name,
    )
    _fill(model, tensors, len(dimensions) - 2, folder)
    model.trained = True
    for each in {backbone, query_backbone}:
        if dtype is not None and each.dtype != dtype:
            each.to(dtype)
    return model.eval()


def _qnet(config: ConverterConfig) -> dict[str, Any]:
    hidden = config.vector_dimensions[1:-1]
    if not hidden:
        return {"type": "linear"}
    on_last = config.do_residual if config.do_residual_on_last is None else config.do_residual_on_last
    return {
        "type": "mlp",
        "hidden": hidden,
        "activation": config.activation_type,
        "layer_norm": config.do_layer_norm,
        "residual": config.do_residual,
        "residual_on_last": on_last,
        "norm_before_residual": config.layer_norm_before_residual,
    }


def _fill(model: Model, tensors: Mapping[str, Tensor], hidden: int, folder: Path) -> None:
    """Copy the hyper-head's weights to where ours has them."""
    expected = model.relevance.state_dict()
    base = {key.removeprefix("hypernetwork.base."): key for key in expected if key.startswith("hypernetwork.base.")}
    head: Any = model.relevance.get_submodule("hypernetwork.head")
    writers = {name.replace(".", "/"): f"hypernetwork.head.writers.{i}." for i, name in enumerate(head.names)}
    weights: dict[str, Tensor] = {}
    for slot, sources in slot_parts(hidden):
        slot = slot.replace(".", "/")
        targets = {"base": base[slot]} | {part: writers[slot] + part for part in sources if part != "base"}
        for part, source in sources.items():
            tensor = tensors.get("query_encoder." + source)
            if tensor is None or tensor.numel() != expected[targets[part]].numel():
                raise ModelError(
                    f"the hyper-head of {folder} does not fit its configuration",
                    expected=f"query_encoder.{source} of {expected[targets[part]].numel()} numbers",
                    got="nothing" if tensor is None else str(tuple(tensor.shape)),
                )
            weights[targets[part]] = tensor.float().reshape(expected[targets[part]].shape)
    model.relevance.load_state_dict(weights)


def slot_parts(hidden: int) -> Iterator[tuple[str, dict[str, str]]]:
    """Each slot of ours, and the names of its parts in theirs. They count matrices first, then biases."""
    matrices = [f"hidden.{i}.weight" for i in range(hidden)] + ["output.weight" if hidden else "weight"]
    for i, slot in enumerate(matrices):
        yield slot, _parts(f"hyper_base_matrices.{i}", "weight", i, i)
    for i in range(hidden):
        yield f"hidden.{i}.bias", _parts(f"hyper_base_vectors.{i}", "bias", i, len(matrices) + i)


def _parts(base: str, kind: str, i: int, projection: int) -> dict[str, str]:
    linear = {
        "key": f"key_projections.{projection}",
        "value": f"value_projections.{projection}",
        "project": f"{kind}_hyper_projection.{i}",
    }
    parts = {"base": base, "rows": f"{kind}_query_embeddings.{i}"}
    return parts | {f"{ours}.{end}": f"{theirs}.{end}" for ours, theirs in linear.items() for end in ("weight", "bias")}


def _backbone(folder: Path, base: str, weights: Mapping[str, Tensor], name: str, options: HubOptions) -> Backbone:
    """The transformer and tokenizer; the base model is not fetched if the checkpoint tells enough."""
    local = Path(base).expanduser() if base else None
    config: dict[str, Any] | None = None
    if local is not None and (local / "config.json").is_file():
        config = read_json(local / "config.json")
    else:
        config = _infer(weights)
    if config is None:
        config = read_json(_base(folder, base, options, "configuration") / "config.json")
    weights = {key: tensor.float() for key, tensor in weights.items()}
    transformer = build_transformer(config, weights, str(folder))
    return Backbone(transformer, _tokenizer(folder, base, options))


def _tokenizer(folder: Path, base: str, options: HubOptions) -> TextTokenizer:
    for place in (folder, Path(base).expanduser() if base else None):
        if place is not None and has_tokenizer(place):
            return read_tokenizer(place)
    return read_tokenizer(_base(folder, base, options, "tokenizer"))


def _base(folder: Path, base: str, options: HubOptions, what: str) -> Path:
    if not base:
        raise ModelError(f"{folder} has no {what} and names no base model")
    # The revision asked for is the checkpoint's, not its base model's.
    hub = HubOptions(None, options.cache_dir, options.local_files_only, options.token)
    try:
        return locate(base, hub)
    except ModelError as error:
        raise ModelError(
            f"the checkpoint {folder} lacks a {what} and its base model {base!r} cannot be had",
            got=error.what,
            fix=f"put the {what} of {base} into the checkpoint's folder; or {error.fix}",
        ) from error


def _infer(weights: Mapping[str, Tensor]) -> dict[str, Any] | None:
    """The configuration of a BERT or DistilBERT from its weights' shapes; None for anything else."""
    words, positions = (weights.get(f"embeddings.{kind}_embeddings.weight") for kind in ("word", "position"))
    if words is None or positions is None or words.shape[-1] not in HEADS:
        return None
    vocabulary, width = words.shape
    heads = HEADS[width]
    types = weights.get("embeddings.token_type_embeddings.weight")
    bert = weights.get("encoder.layer.0.intermediate.dense.weight")
    # RoBERTa has BERT's names, but another activation of positions; it has one token type.
    if bert is not None and types is not None and types.shape[0] == 2:
        return {
            "model_type": "bert",
            "vocab_size": vocabulary,
            "hidden_size": width,
            "num_hidden_layers": _count(weights, "encoder.layer."),
            "num_attention_heads": heads,
            "intermediate_size": bert.shape[0],
            "max_position_embeddings": positions.shape[0],
            "type_vocab_size": types.shape[0],
        }
    distil = weights.get("transformer.layer.0.ffn.lin1.weight")
    if distil is not None:
        return {
            "model_type": "distilbert",
            "vocab_size": vocabulary,
            "dim": width,
            "n_layers": _count(weights, "transformer.layer."),
            "n_heads": heads,
            "hidden_dim": distil.shape[0],
            "max_position_embeddings": positions.shape[0],
        }
    return None


def _count(weights: Mapping[str, Tensor], prefix: str) -> int:
    return len({key.removeprefix(prefix).split(".", 1)[0] for key in weights if key.startswith(prefix)})


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
