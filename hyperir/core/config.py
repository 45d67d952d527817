"""Strict configuration: a frozen dataclass-like object beside each class, in which an unknown key is an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from hyperir.core.errors import ConfigError, nearest

__all__ = ["Config"]


class Config(BaseModel):
    """Base of every configuration. Immutable; `model_dump()` gives plain values that `parse` reads back.

    `search_only` names the settings of a strategy or an engine that change its searches and not what it builds;
    `decisive` those that must agree with what was built though nobody gave them.
    """

    search_only: ClassVar[frozenset[str]] = frozenset()
    decisive: ClassVar[frozenset[str]] = frozenset()

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=())

    @classmethod
    def parse(cls, values: Mapping[str, Any], where: str = "") -> Self:
        """Check `values` against this configuration.

        Args:
            values: keys and values, as read from YAML or JSON.
            where: named in errors, for example the file that the values come from.

        Raises:
            ConfigError: names every wrong key, with the nearest right one, and every wrong value.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise _explained(cls, error, where) from None


def _explained(cls: type[Config], error: ValidationError, where: str) -> ConfigError:
    place = f" in {where}" if where else ""
    what, got, fixes = [], [], []
    for detail in error.errors(include_url=False):
        key = ".".join(str(part) for part in detail["loc"])
        if detail["type"] == "extra_forbidden":
            what.append(f"unknown key {key!r}{place}")
            fixes.append(nearest(key.rsplit(".", 1)[-1], _keys_beside(cls, detail["loc"])))
        elif detail["type"] == "missing":
            what.append(f"missing key {key!r}{place}")
        else:
            # Our own validators' words stay as they are; what is about several keys has no name.
            said = str(detail["ctx"]["error"]) if detail["type"] == "value_error" else detail["msg"].lower()
            what.append(f"wrong value for {key!r}{place}: {said}" if key else f"wrong values{place}: {said}")
            got.append(f"{key} = {detail['input']!r}" if key else repr(detail["input"]))
    expected = "" if got else "keys " + ", ".join(cls.model_fields)
    return ConfigError("; ".join(what), expected=expected, got="; ".join(got), fix=" ".join(f for f in fixes if f))


def _keys_beside(cls: type[Config], location: tuple[int | str, ...]) -> list[str]:
    owner: Any = cls
    for part in location[:-1]:
        field = owner.model_fields.get(str(part)) if isinstance(owner, type) and issubclass(owner, BaseModel) else None
        owner = field.annotation if field is not None else None
    return list(owner.model_fields) if isinstance(owner, type) and issubclass(owner, BaseModel) else []
