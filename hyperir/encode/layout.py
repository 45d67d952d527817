"""What a sentence-transformers folder says beside its transformer: pooling, normalisation, lengths, prompts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hyperir.core.errors import ModelError
from hyperir.encode.layout_sparse import SparseModules, read_sparse_modules
from hyperir.encode.pool import Pooling
from hyperir.encode.transformer import read_json

__all__ = ["Layout", "modules_of", "optional_json", "read_layout"]

# Flags of versions before 6, which name modes in "pooling_mode"; side by side they stand in this order.
FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
SIMILARITIES = {"cosine": "cosine", "dot": "dot", "euclidean": "l2"}


@dataclass(frozen=True)
class Layout:
    """A sentence-transformers model, as far as it concerns us.

    Args:
        transformer: the folder of the transformer.
        pool: a pooling, or several side by side.
        truncate: vectors are cut to so many numbers; None leaves them whole.
        normalize: vectors get length 1.
        max_length: tokens, or None where the folder does not say.
        lower_case: texts are lower-cased first.
        similarity: "cosine", "dot" or "l2".
        prompts: name -> what is put before a text.
        default_prompt: the prompt's name where a side has none of its own.
        sparse: of a SparseEncoder; None of a model of vectors.
    """

    transformer: Path
    pool: Pooling | tuple[Pooling, ...] = "mean"
    truncate: int | None = None
    normalize: bool = False
    max_length: int | None = None
    lower_case: bool = False
    similarity: Literal["cosine", "dot", "l2"] = "cosine"
    prompts: Mapping[str, str] = field(default_factory=dict)
    default_prompt: str | None = None
    sparse: SparseModules | None = None

    def prompt(self, *names: str) -> str:
        """The first of the prompts that exists, else the default one, else nothing."""
        for name in (*names, self.default_prompt):
            if name is not None and self.prompts.get(name) is not None:
                return self.prompts[name]
        return ""


def read_layout(folder: Path) -> Layout | None:
    """The layout of a sentence-transformers folder, or None if it is none (it has no modules.json).

    Raises:
        ModelError: it has modules or poolings that are not supported.
    """
    if not (folder / "modules.json").is_file():
        return None
    modules = modules_of(folder)
    sparse = read_sparse_modules(folder, modules)
    if sparse is not None:
        return _sparse_layout(folder, sparse)
    kinds = [kind for kind, _ in modules]
    if kinds[:2] != ["Transformer", "Pooling"] or set(kinds[2:]) - {"Normalize"}:
        raise ModelError(
            f"the modules of {folder} are not supported",
            expected="Transformer, Pooling, Normalize",
            got=", ".join(kinds),
        )
    transformer, pooling = modules[0][1], read_json(modules[1][1] / "config.json")
    bert = optional_json(transformer / "sentence_bert_config.json")
    settings = optional_json(folder / "config_sentence_transformers.json")
    normalize = "Normalize" in kinds
    prompts = {str(k): str(v) for k, v in (settings.get("prompts") or {}).items()}
    if any(prompts.values()) and pooling.get("include_prompt") is False:
        raise ModelError(f"{modules[1][1]} leaves the prompt out of the pooling, which is not supported")
    return Layout(
        transformer=transformer,
        pool=_pool(pooling, modules[1][1]),
        truncate=_truncate(settings, folder),
        normalize=normalize,
        max_length=_length(transformer, bert),
        lower_case=bool(bert.get("do_lower_case", False)),
        similarity=_similarity(settings, folder),
        prompts=prompts,
        default_prompt=settings.get("default_prompt_name"),
    )


def _sparse_layout(folder: Path, sparse: SparseModules) -> Layout:
    bert = optional_json(sparse.transformer / "sentence_bert_config.json")
    settings = optional_json(folder / "config_sentence_transformers.json")
    if (settings.get("similarity_fn_name") or "dot") != "dot":
        got = str(settings["similarity_fn_name"])
        raise ModelError(f"the similarity of {folder} is not supported", expected="dot, of weights of terms", got=got)
    return Layout(
        transformer=sparse.transformer,
        max_length=_length(sparse.transformer, bert),
        lower_case=bool(bert.get("do_lower_case", False)),
        similarity="dot",
        prompts={str(k): str(v) for k, v in (settings.get("prompts") or {}).items()},
        default_prompt=settings.get("default_prompt_name"),
        sparse=sparse,
    )


def _length(transformer: Path, bert: Mapping[str, Any]) -> int | None:
    length = bert.get("max_seq_length") or optional_json(transformer / "tokenizer_config.json").get("model_max_length")
    # transformers writes a huge number where a tokenizer has no limit.
    return int(length) if length is not None and length < 1e6 else None


def modules_of(folder: Path) -> list[tuple[str, Path]]:
    """Kind and folder of each module; their classes moved between versions, their last names did not."""
    path = folder / "modules.json"
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        modules = [(str(entry["type"]).rsplit(".", 1)[-1], folder / str(entry["path"])) for entry in entries]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"cannot read {path}", expected='a list of {"type", "path"}', got=str(error)) from error
    for _, place in modules:
        if not place.resolve().is_relative_to(folder.resolve()):
            raise ModelError(f"{path} names a folder outside of the model", got=str(place))
    return modules


def _pool(config: Mapping[str, Any], where: Path) -> Any:
    mode = config.get("pooling_mode") or [name for flag, name in FLAGS.items() if config.get(flag)]
    names = (mode,) if isinstance(mode, str) else tuple(mode)
    if not names or not set(names) <= set(FLAGS.values()):
        expected = "one or several of " + ", ".join(FLAGS.values())
        raise ModelError(f"the pooling of {where} is not supported", expected=expected, got=", ".join(names) or "none")
    return names[0] if len(names) == 1 else names


def _truncate(settings: Mapping[str, Any], folder: Path) -> int | None:
    width = settings.get("truncate_dim")
    if width is not None and (not isinstance(width, int) or width < 1):
        raise ModelError(f"truncate_dim of {folder} is no width", expected="a whole number from 1", got=repr(width))
    return width


def _similarity(settings: Mapping[str, Any], folder: Path) -> Any:
    name = settings.get("similarity_fn_name") or "cosine"
    if name not in SIMILARITIES:
        expected = ", ".join(SIMILARITIES)
        raise ModelError(f"the similarity of {folder} is not supported", expected=f"one of {expected}", got=str(name))
    return SIMILARITIES[name]


def optional_json(path: Path) -> dict[str, Any]:
    """A JSON object, or nothing where there is no such file."""
    return read_json(path) if path.is_file() else {}
