"""From a recipe's file, and changes on the command line, to a checked recipe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from hyperir.core.errors import ConfigError, InputError
from hyperir.train.recipe import Recipe

__all__ = ["read_recipe", "write_recipe"]


def read_recipe(path: str | Path, changes: Sequence[str] = ()) -> Recipe:
    """A recipe from its YAML file.

    Args:
        path: of the file.
        changes: "a.b=c" puts c, read as YAML, in the place a.b; "losses.0.weight=2" reaches into lists.

    Raises:
        InputError: the file cannot be read.
        ConfigError: an unknown key, with the nearest; a wrong value; or a change that leads nowhere.
    """
    path = Path(path).expanduser()
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the recipe {path}", got=str(error)) from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is no YAML", got=" ".join(str(error).split())) from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path} is no recipe", expected="keys and values", got=type(values).__name__)
    for change in changes:
        _apply(values, change)
    return Recipe.parse(values, where=str(path))


def write_recipe(recipe: Recipe, path: Path) -> None:
    """Write a recipe with all its defaults, so that later ones do not change what it says."""
    text = yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    path.write_text(text, encoding="utf-8")


def _apply(values: dict[str, Any], change: str) -> None:
    key, equals, text = change.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"{change!r} changes nothing", expected="key=value, for example run.steps=100")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"the value of {change!r} is no YAML", got=" ".join(str(error).split())) from error
    *path, last = key.strip().split(".")
    owner: Any = values
    for part in path:
        if isinstance(owner, dict) and owner.get(part) is None:
            owner[part] = {}
        owner = _inside(owner, part, change)
        if isinstance(owner, str):
            raise _leads_nowhere(change, part)
    if isinstance(owner, list):
        owner[_place(owner, last, change)] = value
    else:
        owner[last] = value


def _inside(owner: Any, part: str, change: str) -> Any:
    if isinstance(owner, list):
        return owner[_place(owner, part, change)]
    if isinstance(owner, dict):
        return owner[part]
    raise _leads_nowhere(change, part)


def _place(owner: list[Any], part: str, change: str) -> int:
    if not part.isdecimal() or int(part) >= len(owner):
        raise ConfigError(f"{change!r} leads nowhere", expected=f"a place from 0 to {len(owner) - 1}", got=repr(part))
    return int(part)


def _leads_nowhere(change: str, part: str) -> ConfigError:
    return ConfigError(f"{change!r} leads nowhere: {part!r} holds a single value", expected="keys inside of it")
