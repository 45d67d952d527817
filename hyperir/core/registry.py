"""Tables: a room's members by name, imported when first used. A member is one file and one line in its room's table."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar

from hyperir.core.config import Config
from hyperir.core.errors import ConfigError, InputError, UnknownNameError

__all__ = ["Table"]

M = TypeVar("M")


class Table(Mapping[str, Any], Generic[M]):
    """The members of one room.

    A member is a class with a `Config` (a :class:`hyperir.core.config.Config` whose field `type` is the member's name)
    and a constructor that takes this configuration first. Other packages add members through the entry-point group
    `hyperir.ROOM`; they cannot replace ours.

    Args:
        room: the table's name, for example "relevance"; used in errors and for entry points.
        members: name -> "module:Class".
    """

    def __init__(self, room: str, members: Mapping[str, str]) -> None:
        self.room = room
        self._own = dict(members)

    @cached_property
    def _members(self) -> dict[str, str]:
        strangers = {point.name: point.value for point in entry_points(group=f"hyperir.{self.room}")}
        return {**strangers, **self._own}

    def __getitem__(self, name: str) -> type[M]:
        """The member's class.

        Raises:
            UnknownNameError: names all members, and the nearest.
        """
        if name not in self._members:
            raise UnknownNameError(f"{self.room} member", name, self._members)
        module, _, attribute = self._members[name].partition(":")
        try:
            member: type[M] = getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise InputError(
                f"the {self.room} member {name!r} cannot be imported from {module}:{attribute}", got=str(error)
            ) from error
        return member

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def parse(self, values: Mapping[str, Any] | Config | str) -> Config:
        """A member's configuration from `{"type": name, ...}`, from its name alone, or as it is if already checked."""
        if isinstance(values, Config):
            return values
        if isinstance(values, str):
            values = {"type": values}
        if not isinstance(values, Mapping) or "type" not in values:
            raise ConfigError(
                f"which {self.room} member?", expected='a "type", one of ' + ", ".join(self), got=repr(values)
            )
        config: Config = self[values["type"]].Config.parse(values, where=self.room)  # type: ignore[attr-defined]
        return config

    def build(self, config: Mapping[str, Any] | Config | str, **context: Any) -> M:
        """Make a member from its configuration and what surrounds it (widths, shapes, ...)."""
        checked = self.parse(config)
        return self[checked.type](checked, **context)  # type: ignore[attr-defined, call-arg]
