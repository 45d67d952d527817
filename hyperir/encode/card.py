"""README.md of a model folder: a model card that the hub reads too."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PureWindowsPath
from typing import Any

import yaml

from hyperir.encode.config import ModelConfig

__all__ = ["model_card"]


def model_card(config: ModelConfig, *, name: str = "", width: int, training: Mapping[str, Any] | None = None) -> str:
    """The card of a model.

    Args:
        config: of the model.
        name: what `hyperir.load` takes, for the example; "path/to/this/folder" if empty.
        width: D, of the documents' vectors.
        training: a record of the training run, if there was one: plain values by name, written as a table; nested
            ones as YAML. "base_model" and "datasets" also go into the front matter. Of local paths only the last name
            is told: a card goes to people who do not have them.
    """
    training = _without_places(dict(training or {}))
    relevance = config.relevance.model_dump(mode="json")
    front: dict[str, Any] = {
        "license": "apache-2.0",
        "library_name": "hyperir",
        "pipeline_tag": "text-ranking",
        "tags": ["hyperir", "information-retrieval", "hypernetwork", f"relevance-{relevance['type']}"],
    }
    if config.untrained is not None:
        front["tags"].append("untrained")
    front |= {key: training[key] for key in ("base_model", "datasets") if key in training}
    parts = [
        f"---\n{yaml.safe_dump(front, sort_keys=False)}---\n",
        f"# {_title(name)}\n",
        "A retrieval model of [HyperIR](https://pypi.org/project/hyperir): a query becomes a function, which scores "
        "documents' vectors.\n",
    ]
    if config.untrained is not None:
        parts.append(
            "> **Untrained.** The relevance function of this model has not learned anything yet; its weights are drawn "
            f"with seed {config.untrained.seed}.\n"
        )
    parts += [
        "## Use\n",
        "```python\nimport hyperir\n\n"
        f'model = hyperir.load("{name or "path/to/this/folder"}")\n'
        'docs = model.encode_document(["Paris is the capital of France.", "Bread is baked."])\n'
        'f = model.encode_query(["Which city governs France?"])\n'
        "f(docs)  # scores, one row a query; higher is better\n```\n",
        "## What it is\n",
        _table(
            {
                "width of the documents' vectors": width,
                "backbone": _without_places(config.backbone.id)
                or f"own weights ({(config.backbone.config or {}).get('model_type')})",
                "backbone of the queries": "the same" if config.query_backbone is None else "their own",
                **{f"documents: {key}": value for key, value in config.document.model_dump().items()},
                **{f"queries: {key}": value for key, value in config.query.model_dump().items()},
            }
        ),
        f"## Relevance\n\n```yaml\n{yaml.safe_dump(relevance, sort_keys=False)}```\n",
    ]
    if training:
        parts.append("## Training\n")
        plain = {key: value for key, value in training.items() if not isinstance(value, Mapping | list | tuple)}
        nested = {key: value for key, value in training.items() if key not in plain}
        if plain:
            parts.append(_table(plain))
        if nested:
            parts.append(f"```yaml\n{yaml.safe_dump(nested, sort_keys=False)}```\n")
    return "\n".join(parts)


def _title(name: str) -> str:
    return name.rstrip("/").rsplit("/", 1)[-1] or "A HyperIR model"


def _table(rows: Mapping[str, Any]) -> str:
    lines = [f"| {key} | {_cell(value)} |" for key, value in rows.items()]
    return "\n".join(["| | |", "|---|---|", *lines, ""])


def _cell(value: Any) -> str:
    shown = repr(value) if isinstance(value, str) and (not value or value != value.strip()) else str(value)
    return shown.replace("|", "\\|").replace("\n", " ")


def _without_places(value: Any) -> Any:
    """Plain values with the last name in place of every local path."""
    if isinstance(value, Mapping):
        return {key: _without_places(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_places(each) for each in value]
    if not isinstance(value, str) or "://" in value:
        return value
    if value.startswith(("/", "~/", "./", "../")) or value[1:3] in (":\\", ":/"):
        return PureWindowsPath(value).name  # whose separators are both
    return Path(value).name if "/" in value and Path(value).exists() else value  # else an id of the hub
