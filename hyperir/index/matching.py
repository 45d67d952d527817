"""Which structure on disk serves the strategy that a search asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hyperir.core.config import Config
from hyperir.index.commit import Structure
from hyperir.index.engines import ENGINES
from hyperir.index.strategies import STRATEGIES
from hyperir.index.structures import type_of

__all__ = ["match", "same_build"]

ENGINE = "engine"  # the setting of a strategy that is a member of another table, with settings of its own


def match(structures: Sequence[Structure], wanted: Config) -> tuple[Structure, Config] | None:
    """The newest structure that was built as a configuration says, and what it is searched with.

    Only settings that were given count, and those that are decisive; others are as the structure was made. Settings
    that concern the search alone need not agree, and are those wanted.

    Returns:
        None where there is no such structure.
    """
    given = _given(wanted)
    for structure in reversed(structures):
        if structure.type == type_of(wanted) and _agree(made := STRATEGIES.parse(structure.config), given):
            merged = {**structure.config, **given}
            if ENGINE in given and ENGINE in structure.config:
                merged[ENGINE] = {**_settings(structure.config[ENGINE]), **_settings(given[ENGINE])}
            return structure, made if merged == structure.config else STRATEGIES.parse(merged)
    return None


def same_build(structure: Structure, config: Config) -> bool:
    """Whether a structure is what this configuration, all of it, builds."""
    return structure.type == type_of(config) and _agree(STRATEGIES.parse(structure.config), config.model_dump())


def _given(config: Config) -> dict[str, Any]:
    decisive = config.model_dump(include=set(config.decisive))
    return {"type": type_of(config), **decisive, **config.model_dump(exclude_unset=True)}


def _agree(made: Config, given: Mapping[str, Any]) -> bool:
    """Whether what was made has these settings, as far as they decide what is built."""
    values = made.model_dump()
    for name, value in given.items():
        if name in made.search_only:
            continue
        if name == ENGINE:
            if not _agree(ENGINES.parse(values[name]), _settings(value)):
                return False
        elif values.get(name) != value:
            return False
    return True


def _settings(engine: Mapping[str, Any] | str) -> dict[str, Any]:
    return {"type": engine} if isinstance(engine, str) else dict(engine)
