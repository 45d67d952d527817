"""ColBERT: a vector of every token of query and document. Made of any transformer, or read as others save it.

Two formats are read: a PyLate folder, which is a sentence-transformers folder with a linear map behind the transformer;
and a folder of Stanford's code, where the map stands among the transformer's weights and `artifact.metadata` has the
rest. Both put a marker behind the first token, fill queries up with the mask token, and give punctuation in documents
no vector.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from hyperir.core.config import Config
from hyperir.core.errors import ModelError
from hyperir.encode.backbone import Backbone
from hyperir.encode.config import TextEncoderConfig, TokensConfig
from hyperir.encode.layout import modules_of, optional_json
from hyperir.encode.model import Model
from hyperir.encode.sources import HubOptions
from hyperir.encode.text_encoder import TextEncoder
from hyperir.encode.tokenizer import TextTokenizer
from hyperir.encode.transformer import read_json, read_tokenizer, read_transformer, read_weights

__all__ = ["METADATA", "Sides", "colbert", "is_pylate", "is_stanford", "read_pylate", "read_stanford", "sides"]

METADATA = "artifact.metadata"
MASKS = ("[MASK]", "<mask>")
MARKERS = ("[unused0]", "[unused1]")  # of queries and documents
WIDTH, QUERY_LENGTH, DOCUMENT_LENGTH = 128, 32, 180


class Sides(NamedTuple):
    """The two sides' configurations."""

    query: TextEncoderConfig
    document: TextEncoderConfig


def sides(
    backbone: Backbone,
    *,
    width: int | None = None,
    query_length: int | None = None,
    document_length: int | None = None,
) -> Sides:
    """ColBERT's sides for a transformer; without markers where its vocabulary has none that are unused.

    Args:
        backbone: the transformer.
        width: D; None for 128, or the transformer's own where that is less.
        query_length: tokens of a query, all that are filled up included; None for 32.
        document_length: tokens of a document, at most; None for 180.

    Raises:
        ModelError: the vocabulary has no mask token.
    """
    known = [_known(backbone.tokenizer, marker) for marker in MARKERS]
    query, document = MARKERS if all(known) else ("", "")
    return _sides(
        backbone,
        width=min(WIDTH, backbone.width) if width is None else width,
        lengths=(query_length or QUERY_LENGTH, document_length or DOCUMENT_LENGTH),
        query=TokensConfig(marker=query, fill=_mask(backbone.tokenizer)),
        document=TokensConfig(marker=document, skip=tuple(string.punctuation)),
    )


def colbert(
    backbone: Backbone,
    relevance: Mapping[str, Any] | Config | str = "maxsim",
    *,
    width: int | None = None,
    query_length: int | None = None,
    document_length: int | None = None,
    seed: int = 0,
    name: str = "",
) -> Model:
    """A model with vectors of tokens, made of a transformer; its linear map is drawn and has learned nothing.

    Args:
        backbone: the transformer of both sides.
        relevance: "maxsim", or another member of `RELEVANCE` over vectors of tokens.
        width, query_length, document_length: see `sides`.
        seed: of what is drawn.
        name: what `hyperir.load` takes to make this model again.
    """
    query, document = sides(backbone, width=width, query_length=query_length, document_length=document_length)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        encoders = TextEncoder(backbone, document), TextEncoder(backbone, query)
    return Model(*encoders, relevance, seed=seed, name=name).eval()


def is_pylate(folder: Path) -> bool:
    """Whether a linear map stands behind the transformer, without a pooling between."""
    if not (folder / "modules.json").is_file():
        return False
    return [kind for kind, _ in modules_of(folder)][:2] == ["Transformer", "Dense"]


def is_stanford(folder: Path) -> bool:
    """Whether Stanford's code saved it."""
    return (folder / METADATA).is_file() and (folder / "config.json").is_file()


def read_pylate(folder: Path, name: str, options: HubOptions) -> Model:
    """A PyLate folder.

    Raises:
        ModelError: it computes more than one linear map without bias.
    """
    modules = modules_of(folder)
    kinds = [kind for kind, _ in modules]
    if kinds != ["Transformer", "Dense"]:
        raise ModelError(
            f"the modules of {folder} are not supported", expected="Transformer, Dense", got=", ".join(kinds)
        )
    (_, place), (_, dense) = modules
    settings = optional_json(folder / "config_sentence_transformers.json")
    backbone = _backbone(place, name, options)
    fills = settings.get("do_query_expansion") is not False
    skip = settings.get("skiplist_words")
    prompts = {str(side): str(prompt) for side, prompt in (settings.get("prompts") or {}).items()}
    found = _sides(
        backbone,
        width=_width(_plain_map(dense)),
        lengths=(settings.get("query_length") or QUERY_LENGTH, settings.get("document_length") or DOCUMENT_LENGTH),
        query=TokensConfig(
            marker=_or(settings.get("query_prefix"), "[Q] "),
            fill=_mask(backbone.tokenizer) if fills else "",
            attend=fills and bool(settings.get("attend_to_expansion_tokens")),
        ),
        document=TokensConfig(
            marker=_or(settings.get("document_prefix"), "[D] "),
            skip=tuple(string.punctuation if skip is None else skip),
        ),
        prompts=(prompts.get("query", ""), prompts.get("document", "")),
    )
    weights = read_weights(dense, allow_pickle=options.allow_pickle)
    return _model(backbone, found, weights, name, dense)


def read_stanford(folder: Path, name: str, options: HubOptions) -> Model:
    """A folder of Stanford's code.

    Raises:
        ModelError: it compares vectors otherwise than by the cosine, or its linear map is missing.
    """
    settings = read_json(folder / METADATA)
    if (similarity := settings.get("similarity", "cosine")) != "cosine":
        raise ModelError(f"the similarity of {folder} is not supported", expected="cosine", got=str(similarity))
    backbone = _backbone(folder, name, options)
    weights = read_weights(folder, allow_pickle=options.allow_pickle)
    linear = {key: value for key, value in weights.items() if key == "linear.weight"}
    found = _sides(
        backbone,
        width=len(linear["linear.weight"]) if linear else WIDTH,
        lengths=(settings.get("query_maxlen") or QUERY_LENGTH, settings.get("doc_maxlen") or 220),
        query=TokensConfig(
            marker=_or(settings.get("query_token_id"), MARKERS[0]),
            fill=_mask(backbone.tokenizer),
            attend=bool(settings.get("attend_to_mask_tokens")),
        ),
        document=TokensConfig(
            marker=_or(settings.get("doc_token_id"), MARKERS[1]),
            skip=tuple(string.punctuation) if settings.get("mask_punctuation", True) else (),
        ),
    )
    return _model(backbone, found, linear, name, folder)


def _sides(
    backbone: Backbone,
    *,
    width: int,
    lengths: tuple[int, int],
    query: TokensConfig,
    document: TokensConfig,
    prompts: tuple[str, str] = ("", ""),
) -> Sides:
    made = (
        TextEncoderConfig(
            normalize=True, max_length=min(int(length), backbone.longest), project=width, tokens=tokens, prompt=prompt
        )
        for length, tokens, prompt in zip(lengths, (query, document), prompts, strict=True)
    )
    return Sides(*made)


def _backbone(folder: Path, name: str, options: HubOptions) -> Backbone:
    lower = bool(optional_json(folder / "sentence_bert_config.json").get("do_lower_case", False))
    transformer = read_transformer(folder, torch.float32, allow_pickle=options.allow_pickle)
    return Backbone(transformer, read_tokenizer(folder, lower_case=lower), name)


def _model(backbone: Backbone, found: Sides, weights: Mapping[str, Tensor], name: str, where: Path) -> Model:
    document = TextEncoder(backbone, found.document)
    assert isinstance(document.projection, nn.Linear)
    expected = tuple(document.projection.weight.shape)
    got = {key: tuple(value.shape) for key, value in weights.items()}
    if got != {"linear.weight": expected}:
        raise ModelError(
            f"the linear map in {where} does not fit", expected=f"linear.weight of {expected}", got=str(got)
        )
    with torch.no_grad():
        document.projection.weight.copy_(weights["linear.weight"])
    return Model(document, TextEncoder(backbone, found.query), "maxsim", name=name).eval()


def _plain_map(folder: Path) -> dict[str, Any]:
    """The configuration of a linear map that is nothing more."""
    values = read_json(folder / "config.json")
    activation = str(values.get("activation_function", "Identity")).rsplit(".", 1)[-1]
    if values.get("bias") or values.get("use_residual") or activation != "Identity":
        raise ModelError(
            f"the map in {folder} is not supported",
            expected="a linear map without bias, residual and activation",
            got=", ".join(f"{key} = {values.get(key)!r}" for key in ("bias", "use_residual", "activation_function")),
        )
    return values


def _width(values: Mapping[str, Any]) -> int:
    return int(values.get("out_features") or WIDTH)


def _or(value: Any, default: str) -> str:
    return default if value is None else str(value)


def _known(tokenizer: TextTokenizer, token: str) -> bool:
    return tokenizer.tokenizer.token_to_id(token) is not None


def _mask(tokenizer: TextTokenizer) -> str:
    """The token that fills queries up."""
    for token in MASKS:
        if _known(tokenizer, token):
            return token
    raise ModelError("the tokenizer has no mask token to fill queries up with", expected=" or ".join(MASKS))
