"""What the folder of a sentence-transformers SparseEncoder says: SPLADE, on both sides or for documents alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hyperir.core.errors import ModelError
from hyperir.encode.config import TermsConfig
from hyperir.encode.transformer import has_tokenizer, read_json

__all__ = ["SparseModules", "read_sparse_modules"]

LOGS = {"relu": 1, "log1p_relu": 2}
TRANSFORMERS = ("Transformer", "MLMTransformer")
EXPECTED = "Transformer, SpladePooling; or a Router to these for documents and SparseStaticEmbedding for queries"


@dataclass(frozen=True)
class SparseModules:
    """A SPLADE model, as far as its modules tell.

    Args:
        transformer: the folder of the masked-language model.
        document: the documents' terms.
        query: the queries' terms.
        weights: the folder of the queries' weights of tokens; None where the transformer reads queries.
    """

    transformer: Path
    document: TermsConfig
    query: TermsConfig
    weights: Path | None = None


def read_sparse_modules(folder: Path, modules: Sequence[tuple[str, Path]]) -> SparseModules | None:
    """The modules of a SparseEncoder, or None if these are another model's.

    Args:
        folder: named in errors.
        modules: kinds and folders, as modules.json lists them.

    Raises:
        ModelError: they are a SparseEncoder's, and not supported.
    """
    kinds = [kind for kind, _ in modules]
    if kinds == ["Router"]:
        return _routed(folder, modules[0][1])
    if "SpladePooling" not in kinds:
        return None
    terms = _splade(folder, modules)
    return SparseModules(modules[0][1], terms, terms)


def _routed(folder: Path, place: Path) -> SparseModules:
    config = read_json(place / "router_config.json")
    types, structure = _mapping(config, "types", place), _mapping(config, "structure", place)
    routes: dict[str, list[tuple[str, Path]]] = {}
    for name, parts in structure.items():
        routes[name] = [(str(types.get(part, "")).rsplit(".", 1)[-1], place / str(part)) for part in parts]
        for _, each in routes[name]:
            if not each.resolve().is_relative_to(folder.resolve()):
                raise ModelError(f"the router of {folder} names a folder outside of the model", got=str(each))
    document, query = routes.get("document", []), routes.get("query", [])
    if [kind for kind, _ in query] != ["SparseStaticEmbedding"]:
        got = "; ".join(f"{name}: " + ", ".join(kind for kind, _ in parts) for name, parts in routes.items())
        raise ModelError(f"the modules of {folder} are not supported", expected=EXPECTED, got=got)
    terms, own = _splade(folder, document), query[0][1]
    if not has_tokenizer(own):
        raise ModelError(f"no tokenizer in {own}", expected="tokenizer.json or vocab.txt")
    return SparseModules(document[0][1], terms, TermsConfig(pool="bag", learned=True), own)


def _splade(folder: Path, modules: Sequence[tuple[str, Path]]) -> TermsConfig:
    kinds = [kind for kind, _ in modules]
    if len(kinds) != 2 or kinds[0] not in TRANSFORMERS or kinds[1] != "SpladePooling":
        raise ModelError(f"the modules of {folder} are not supported", expected=EXPECTED, got=", ".join(kinds))
    place = modules[1][1] / "config.json"
    config = read_json(place)
    pool, activation = config.get("pooling_strategy", "max"), config.get("activation_function", "relu")
    if pool not in ("max", "sum") or activation not in LOGS:
        expected = "max or sum of " + " or ".join(LOGS)
        raise ModelError(f"the pooling in {place} is not supported", expected=expected, got=f"{pool} of {activation}")
    return TermsConfig(pool=pool, logs=LOGS[activation])  # type: ignore[arg-type]


def _mapping(config: Mapping[str, Any], key: str, place: Path) -> dict[str, Any]:
    found = config.get(key)
    if not isinstance(found, dict):
        raise ModelError(f"cannot read the router in {place}", expected=f"an object {key!r}", got=repr(found)[:80])
    return found
