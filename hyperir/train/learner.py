"""From a recipe to the model as it is before the first step: loaded, changed, and what stays made to stay."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from hyperir.core.docs import Multi
from hyperir.core.errors import InputError
from hyperir.encode import load_network
from hyperir.encode.colbert import Sides, sides
from hyperir.encode.config import TextEncoderConfig
from hyperir.encode.model import Model
from hyperir.encode.splade import splade
from hyperir.encode.text_encoder import TextEncoder
from hyperir.index.kinds import KINDS
from hyperir.index.store import Store
from hyperir.relevance import kinds_of
from hyperir.search.fingerprint import check_fingerprint
from hyperir.train.partial import add_lora, freeze
from hyperir.train.recipe import ModelRecipe, Recipe

__all__ = ["build_model", "open_documents"]

SAMPLE = 10_000  # documents that principal components are of


def build_model(recipe: Recipe) -> Model:
    """The model to be trained; parameters that stay do not require gradients."""
    start = _start(recipe.model)
    query, document = _configs(start, recipe.model)
    model = Model(
        _side(start.document, document, recipe.model, recipe.model.document_length),
        _side(start.query, query, recipe.model, recipe.model.query_length, own=_own_queries(recipe)),
        recipe.model.relevance if recipe.model.relevance is not None else start.relevance_config,
        seed=recipe.seed,
        name=start.name,
    )
    if recipe.model.relevance is None:
        model.relevance.load_state_dict(start.relevance.state_dict())
        model.trained = start.trained
    if recipe.model.dropout is not None:
        for each in (model.document, model.query):
            _set_dropout(each, recipe.model.dropout)
    for backbone in {model.document.backbone, model.query.backbone}:
        if recipe.regime.freeze:
            freeze(backbone, recipe.regime.freeze)
    if recipe.regime.index is not None:
        model.document.backbone.requires_grad_(False)
    if recipe.regime.queries == "head":
        model.query.backbone.requires_grad_(False)
    if recipe.regime.lora is not None:
        for place, backbone in enumerate(dict.fromkeys((model.document.backbone, model.query.backbone))):
            if any(parameter.requires_grad for parameter in backbone.parameters()):
                add_lora(backbone, recipe.regime.lora, recipe.seed + place)
    if document.project != start.document.config.project or recipe.model.project is not None:
        _start_projections(model, recipe)
    if model.kind == "multi":
        _check_multi(recipe)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise InputError(
            "nothing is left to learn",
            expected="a relevance function with weights, or a transformer that learns",
            got=f"relevance {model.relevance_config.type!r}, regime.queries = 'head'",  # type: ignore[attr-defined]
            fix='regime.queries=all, or model.relevance="{type: hyper}"',
        )
    return model


def _start(recipe: ModelRecipe) -> Model:
    if recipe.splade is None:
        return load_network(recipe.start)
    return splade(recipe.start, pool=recipe.splade.pool, queries=recipe.splade.queries)


def _configs(start: Model, recipe: ModelRecipe) -> Sides:
    """The sides as they start: with vectors of tokens where the wanted relevance function reads them."""
    wanted = start.relevance_config if recipe.relevance is None else recipe.relevance
    if start.kind == "multi" or Multi not in kinds_of(wanted):
        return Sides(start.query.config, start.document.config)
    return sides(
        start.document.backbone,
        width=recipe.project,
        query_length=recipe.query_length,
        document_length=recipe.document_length,
    )


def _check_multi(recipe: Recipe) -> None:
    """Refuse by name what is there for one vector a document alone."""
    asked = {
        "regime.index": recipe.regime.index,
        "batch.chunk": recipe.batch.chunk,
        "batch.across_devices": recipe.batch.across_devices,
        "regularisers": recipe.regularisers,
    }
    if given := [name for name, value in asked.items() if value]:
        raise InputError(
            "documents with a vector of every token are trained without " + ", ".join(given),
            expected="both sides learning, a whole batch at once, on one device or with each device's own items",
            fix="leave these out of the recipe",
        )


def open_documents(recipe: Recipe) -> Store | None:
    """The index whose vectors are the documents, if the recipe names one.

    Raises:
        FingerprintError: another model than the one to start from made its vectors.
        InputError: its documents have not one vector each.
    """
    if recipe.regime.index is None:
        return None
    store = Store.open(recipe.regime.index)
    if store.kind != "dense":
        raise InputError(
            f"{store.path} holds {KINDS[store.kind].has} of every document",
            expected="an index of one vector each, for training over documents that stay",
            got=store.kind,
        )
    check_fingerprint(store, load_network(recipe.model.start))  # before a projection makes other vectors of them
    return store


def _own_queries(recipe: Recipe) -> bool:
    """Whether the queries' transformer goes another way than the documents'."""
    return recipe.model.separate or (recipe.regime.index is not None and recipe.regime.queries == "all")


def _start_projections(model: Model, recipe: Recipe) -> None:
    """The same rotation on both sides, cut to the wanted width, so that inner products begin about as they were.

    Of an index's vectors it is to their principal components, which loses least; else a random one.
    """
    assert model.document.projection is not None
    assert model.query.projection is not None
    narrow, wide = model.document.projection.weight.shape
    if recipe.regime.index is None:
        drawn = torch.randn(wide, wide, generator=torch.Generator().manual_seed(recipe.seed))
        rotation = torch.linalg.qr(drawn).Q
    else:
        rotation = _components(Store.open(recipe.regime.index))
    with torch.no_grad():
        for projection in (model.document.projection, model.query.projection):
            projection.weight.copy_(rotation[:narrow])


def _components(store: Store) -> Tensor:
    """(D, D) directions in which the index's vectors are longest, the longest first; of a sample of a large one."""
    rows = torch.arange(store.commit.stored) if store.alive is None else store.alive.nonzero()[:, 0]
    vectors = store.docs[rows[:: -(-len(rows) // SAMPLE)]].vectors.double()
    directions: Tensor = torch.linalg.eigh(vectors.T @ vectors).eigenvectors
    return directions.T.flip(0).float()


def _side(
    encoder: TextEncoder, config: TextEncoderConfig, recipe: ModelRecipe, length: int | None, own: bool = False
) -> TextEncoder:
    project = recipe.project
    changes = {"max_length": length, "project": project, "pool": recipe.pool, "normalize": recipe.normalize}
    values = config.model_dump() | {key: value for key, value in changes.items() if value is not None}
    backbone = encoder.backbone
    if project is not None and (encoder.config.project is not None or project > backbone.width):
        raise InputError(
            "model.project narrows the transformer's vectors once",
            expected=f"{backbone.width} at most, and a start without a projection",
            got=f"project = {project}",
        )
    if length is not None and length > backbone.longest:
        raise InputError(
            f"{backbone.name or 'the transformer'} has no positions for so long a text",
            expected=f"{backbone.longest} tokens at most",
            got=str(length),
        )
    side = TextEncoder(copy.deepcopy(backbone) if own else backbone, TextEncoderConfig.parse(values))
    for name, part in encoder.parts.items():
        if name in side.parts:
            side.parts[name].load_state_dict(part.state_dict())
    return side


def _set_dropout(module: nn.Module, p: float) -> None:
    for each in module.modules():
        if isinstance(each, nn.Dropout):
            each.p = p
