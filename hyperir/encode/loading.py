"""Names to models: bundled ones, our own folders, and the formats of others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hyperir.core.errors import ModelError, nearest
from hyperir.encode.backbone import Backbone
from hyperir.encode.config import FORMAT, FORMAT_VERSION, BackboneConfig, ModelConfig, TextEncoderConfig
from hyperir.encode.difference import replace_weights
from hyperir.encode.layout import Layout, read_layout
from hyperir.encode.lexical import is_lexical
from hyperir.encode.masked import fill_head, split
from hyperir.encode.model import Model
from hyperir.encode.sources import ALIASES, HubOptions, bundled, locate
from hyperir.encode.text_encoder import TextEncoder
from hyperir.encode.transformer import (
    as_dtype,
    build_masked,
    build_transformer,
    read_json,
    read_own_tokenizer,
    read_tokenizer,
    read_transformer,
    read_weights,
)
from hyperir.encode.truncate import split_name, truncated
from hyperir.relevance.lexical import LEXICAL

__all__ = ["load_backbone", "read_model"]


def read_model(
    name: str,
    options: HubOptions,
    *,
    dtype: torch.dtype | str | None,
    device: torch.device | str | None,
    truncate: int | None = None,
) -> Model:
    """The work of :func:`hyperir.encode.load`, which explains the arguments."""
    if not Path(name).expanduser().is_dir():
        name, said = split_name(name)
        truncate = said if truncate is None else truncate
    wanted = None if dtype is None else as_dtype(dtype)
    if is_lexical(name):
        raise ModelError(f"{name} counts words, and is no network", expected="a model that learns", got=name)
    try:
        folder = bundled().get(name) or locate(name, options)
    except ModelError as error:
        ours = list(bundled())
        raise ModelError(
            error.what,
            expected=f"a bundled model ({', '.join(ours)}), a folder, or a hub id" + _detail(error.expected),
            got=error.got,
            fix=" ".join(part for part in (nearest(name, [*ours, *ALIASES, *LEXICAL]), error.fix) if part),
        ) from error
    # A folder's name is its whole path, so that an index still finds its model from elsewhere.
    named = str(folder) if Path(name).expanduser().is_dir() and name not in bundled() else name
    model = _read(folder, named, wanted, options)
    if truncate is not None:
        model = truncated(model, truncate)
    return model.to(device) if device is not None else model


def load_backbone(name: str, options: HubOptions, *, masked: bool = False) -> tuple[Backbone, Layout]:
    """The backbone of a sentence-transformers or transformers model in float32, and what surrounds it there.

    It has a head where the model is a SparseEncoder, or where `masked` asks for one.
    """
    folder = locate(name, options)
    layout = read_layout(folder) or Layout(folder)
    masked = masked or layout.sparse is not None
    read = read_transformer(layout.transformer, torch.float32, allow_pickle=options.allow_pickle, masked=masked)
    transformer, head = split(read) if masked else (read, None)
    tokenizer = read_tokenizer(layout.transformer, lower_case=layout.lower_case)
    return Backbone(transformer, tokenizer, name, head), layout


def _read(folder: Path, name: str, dtype: torch.dtype | None, options: HubOptions) -> Model:
    if not (folder / "config.json").is_file() and not (folder / "modules.json").is_file():
        raise ModelError(f"{folder} is no model folder", expected="a config.json")
    values = read_json(folder / "config.json") if (folder / "config.json").is_file() else {}
    if "format" in values:
        return _read_ours(folder, values, name, dtype, options)
    if "query_encoder_kwargs" in values:
        from hyperir.encode.official import read_official

        return read_official(folder, values, name, dtype, options)
    from hyperir.encode import colbert

    for known, read in ((colbert.is_pylate, colbert.read_pylate), (colbert.is_stanford, colbert.read_stanford)):
        if known(folder):
            model = read(folder, name, options)
            _cast(model.document.backbone, dtype)
            return model
    if "model_type" not in values and not (folder / "modules.json").is_file():
        raise ModelError(
            f"the config.json of {folder} is of no known kind",
            expected="a HyperIR, official Hypencoder, sentence-transformers, PyLate, ColBERT or transformers model",
        )
    return _read_theirs(folder, name, dtype, options)


def _read_theirs(folder: Path, name: str, dtype: torch.dtype | None, options: HubOptions) -> Model:
    """sentence-transformers and transformers folders."""
    backbone, layout = load_backbone(str(folder), options)
    backbone.name = name
    length = min(layout.max_length or backbone.longest, backbone.longest)
    if layout.sparse is not None:
        return _read_sparse(folder, name, dtype, backbone, layout, length)
    common: dict[str, Any] = {
        "pool": layout.pool,
        "truncate": layout.truncate,
        "normalize": layout.normalize,
        "max_length": length,
    }
    # The names that sentence-transformers looks for, in its order.
    document = TextEncoderConfig(prompt=layout.prompt("document", "passage", "corpus"), **common)
    query = TextEncoderConfig(prompt=layout.prompt("query"), **common)
    # On unit vectors the cosine is the inner product, which every vector index can serve.
    relevance = "dot" if layout.similarity == "cosine" and layout.normalize else layout.similarity
    _cast(backbone, dtype)
    model = Model(TextEncoder(backbone, document), TextEncoder(backbone, query), relevance, name=name)
    return model.eval()


def _read_sparse(
    folder: Path, name: str, dtype: torch.dtype | None, backbone: Backbone, layout: Layout, length: int
) -> Model:
    """A SparseEncoder of sentence-transformers."""
    assert layout.sparse is not None
    prompts = {"document": layout.prompt("document", "passage", "corpus"), "query": layout.prompt("query")}
    terms = {"document": layout.sparse.document, "query": layout.sparse.query}
    sides = {
        each: TextEncoder(backbone, TextEncoderConfig(prompt=prompts[each], max_length=length, terms=terms[each]))
        for each in ("document", "query")
    }
    place = layout.sparse.weights
    if place is not None:
        if read_tokenizer(place).identity() != backbone.tokenizer.identity():
            raise ModelError(f"queries and documents of {folder} have different tokenizers, which is not supported")
        _fill_terms(sides["query"], read_weights(place, allow_pickle=False), place)
    _cast(backbone, dtype)
    return Model(sides["document"], sides["query"], "dot", name=name).eval()


def _read_ours(
    folder: Path, values: dict[str, Any], name: str, dtype: torch.dtype | None, options: HubOptions
) -> Model:
    place = str(folder / "config.json")
    version = values.get("format_version")
    if values["format"] != FORMAT or not isinstance(version, int):
        raise ModelError(f"{place} is of no known format", expected=f'"format": "{FORMAT}"', got=repr(values["format"]))
    if version > FORMAT_VERSION:
        raise ModelError(
            f"{place} was written by a newer HyperIR",
            expected=f"format_version {FORMAT_VERSION} at most",
            got=str(version),
            fix="pip install --upgrade hyperir",
        )
    config = ModelConfig.parse(values, where=place)
    # Another model may be referred to by name, but the revision asked for is of this one.
    referring = HubOptions(None, options.cache_dir, options.local_files_only, options.token, options.allow_pickle)
    has_weights = (folder / "model.safetensors").is_file()
    tensors = read_weights(folder, allow_pickle=False) if has_weights else {}
    masked = config.document.terms is not None
    backbone = _backbone(folder, config.backbone, tensors, "backbone", "tokenizer.json", referring, masked)
    query_backbone = backbone
    if config.query_backbone is not None:
        query_backbone = _backbone(
            folder, config.query_backbone, tensors, "query_backbone", "query_tokenizer.json", referring, masked
        )
    for each in {backbone, query_backbone}:
        _cast(each, dtype)
    seed = config.untrained.seed if config.untrained is not None else 0
    model = Model(
        TextEncoder(backbone, config.document),
        TextEncoder(query_backbone, config.query),
        config.relevance,
        seed=seed,
        name=name,
    )
    for prefix, side in (("document", model.document), ("query", model.query)):
        for part, module in side.parts.items():
            _fill(module, _under(f"{prefix}_{part}", tensors), f"{prefix}_{part}", folder)
    _fill_relevance(model, _under("relevance", tensors), config, folder)
    return model.eval()


def _fill(module: nn.Module, weights: dict[str, Tensor], what: str, folder: Path) -> None:
    expected = {key: tuple(value.shape) for key, value in module.state_dict().items()}
    got = {key: tuple(value.shape) for key, value in weights.items()}
    if got != expected:
        raise ModelError(f"the {what} in {folder} does not fit", expected=str(expected), got=str(got))
    module.load_state_dict(weights)


def _fill_terms(side: TextEncoder, weights: dict[str, Tensor], where: Path) -> None:
    """Give a side its weights of tokens; terms that no token stands for stay as they are."""
    assert side.terms is not None
    assert side.terms.weights is not None
    found = weights.get("weight")
    if found is None or found.dim() != 1 or len(found) > side.terms.size:
        got = "none" if found is None else str(tuple(found.shape))
        raise ModelError(f"the tokens' weights in {where} do not fit", expected=f"({side.terms.size},)", got=got)
    with torch.no_grad():
        side.terms.weights[: len(found)] = found


def _fill_relevance(model: Model, weights: dict[str, Tensor], config: ModelConfig, folder: Path) -> None:
    expected = model.relevance.state_dict()
    if not weights and config.untrained is not None:
        return  # as drawn with the seed
    wrong = sorted(set(expected) ^ set(weights))
    wrong += [key for key in expected if key in weights and expected[key].shape != weights[key].shape]
    if wrong:
        raise ModelError(
            f"the relevance function's weights in {folder} do not fit its configuration",
            expected=f"{len(expected)} tensors in model.safetensors",
            got=f"{len(weights)}; wrong or missing: " + ", ".join(wrong[:3]),
        )
    model.relevance.load_state_dict(weights)
    model.trained = config.untrained is None


def _backbone(
    folder: Path,
    config: BackboneConfig,
    tensors: dict[str, Tensor],
    prefix: str,
    tokenizer_file: str,
    options: HubOptions,
    masked: bool,
) -> Backbone:
    if config.id is None:
        assert config.config is not None, "checked by BackboneConfig"
        if masked:
            transformer, head = split(build_masked(config.config, _under(prefix, tensors), str(folder)))
            fill_head(head, transformer, _under(f"{prefix}_head", tensors), str(folder))
            return Backbone(transformer, read_own_tokenizer(folder / tokenizer_file, config.pad_id), head=head)
        transformer = build_transformer(config.config, _under(prefix, tensors), str(folder))
        return Backbone(transformer, read_own_tokenizer(folder / tokenizer_file, config.pad_id))
    backbone, _ = load_backbone(config.id, options, masked=masked)
    _cast(backbone, as_dtype(config.dtype))
    if config.fingerprint is not None and backbone.fingerprint != config.fingerprint:
        raise ModelError(
            f"the backbone {config.id!r} is not the one that the model in {folder} was saved with",
            expected=f"fingerprint {config.fingerprint[:12]}",
            got=backbone.fingerprint[:12],
        )
    if config.changes:
        replace_weights(backbone, _under(prefix, tensors), str(folder))
    return backbone


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    start = prefix + "."
    return {key.removeprefix(start): value for key, value in tensors.items() if key.startswith(start)}


def _cast(backbone: Backbone, dtype: torch.dtype | None) -> None:
    if dtype is not None and backbone.dtype != dtype:
        backbone.to(dtype)


def _detail(expected: str) -> str:
    return f" ({expected})" if expected else ""
