"""Settings of a strategy as options of the command line, `--set engine.type=faiss`, and back."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from hyperir.cli.app import say
from hyperir.core.errors import InputError

if TYPE_CHECKING:
    from hyperir.search import Index

__all__ = ["command", "parsed", "say_due"]


def parsed(strategy: str, settings: Iterable[str]) -> dict[str, Any]:
    """A configuration from a strategy's name and settings as "key=value"; a dot leads into a setting's own settings.

    Values are read as YAML: 5, 0.5, true, null, text.

    Raises:
        InputError: a setting without "=", without a name, or given twice.
    """
    import yaml

    config: dict[str, Any] = {"type": strategy}
    for setting in settings:
        name, equals, text = setting.partition("=")
        *path, last = name.split(".")
        if not equals or not all((*path, last)):
            raise InputError("a setting is a name and a value", expected="key=value", got=setting)
        inner = config
        for part in path:
            under = inner.get(part)
            # `engine=faiss` before `engine.m=16` is the short form of `engine.type=faiss`.
            inner[part] = under if isinstance(under, dict) else {} if under is None else {"type": under}
            inner = inner[part]
        if last in inner:
            raise InputError(f"the setting {name} is given twice", expected="one value", got=setting)
        try:
            inner[last] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise InputError(f"the value of {name} cannot be read", expected="YAML", got=text) from error
    return config


def command(folder: object, config: Mapping[str, Any]) -> str:
    """The command that builds a structure again."""
    settings = (f"--set {shlex.quote(setting)}" for setting in _flat({k: v for k, v in config.items() if k != "type"}))
    return " ".join(["hyperir", "build", shlex.quote(str(folder)), str(config["type"]), *settings])


def _flat(config: Mapping[str, Any], before: str = "") -> Iterator[str]:
    for name, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}={value if isinstance(value, str) else json.dumps(value)}"


def say_due(index: Index, folder: object) -> None:
    """Say which structures many documents came or went since: a process that ends builds nothing in the background."""
    for structure in index.info()["structures"]:
        if structure["due"]:
            say(
                f"{structure['type']} was built of {structure['documents']:,} documents; {structure['added_since']:,} "
                f"came and {structure['removed_since']:,} went since, and those that came are scored one and all",
                f"To build it again: {command(folder, structure['config'])}",
            )
