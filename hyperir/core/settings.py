"""Settings of a member of a table as people type them, as `ivf:probes=4,cells=100`, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hyperir.core.errors import InputError

__all__ = ["flat", "parsed", "typed"]


def typed(text: str) -> dict[str, Any]:
    """A configuration from a name, from `name:key=value,key=value`, or from `name:{...}` with settings in JSON.

    Raises:
        InputError: it is none of these.
    """
    name, _, rest = text.partition(":")
    if not rest.lstrip().startswith("{"):
        return parsed(name, rest.split(",") if rest else [])
    try:
        return {"type": name, **json.loads(rest)}
    except json.JSONDecodeError as error:
        raise InputError(f"the settings of {name} are no JSON", expected=str(error), got=rest) from None


def parsed(name: str, settings: Iterable[str]) -> dict[str, Any]:
    """A configuration from a member's name and settings as "key=value"; a dot leads into a setting's own settings.

    Values are read as YAML: 5, 0.5, true, null, text.

    Raises:
        InputError: a setting without "=", without a name, or given twice.
    """
    import yaml

    config: dict[str, Any] = {"type": name}
    for setting in settings:
        key, equals, text = setting.partition("=")
        *path, last = key.split(".")
        if not equals or not all((*path, last)):
            raise InputError("a setting is a name and a value", expected="key=value", got=setting)
        inner = config
        for part in path:
            under = inner.get(part)
            # `engine=faiss` before `engine.m=16` is the short form of `engine.type=faiss`.
            inner[part] = under if isinstance(under, dict) else {} if under is None else {"type": under}
            inner = inner[part]
        if last in inner:
            raise InputError(f"the setting {key} is given twice", expected="one value", got=setting)
        try:
            inner[last] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise InputError(f"the value of {key} cannot be read", expected="YAML", got=text) from error
    return config


def flat(config: Mapping[str, Any], before: str = "") -> Iterator[str]:
    """Settings as "key=value", the reverse of `parsed`."""
    for name, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}={value if isinstance(value, str) else json.dumps(value)}"
