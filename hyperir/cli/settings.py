"""What builds a structure again, as a command."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hyperir.cli.app import say
from hyperir.core.settings import flat

if TYPE_CHECKING:
    from hyperir.search import Index

__all__ = ["command", "say_due"]


def command(folder: object, config: Mapping[str, Any]) -> str:
    """The command that builds a structure again."""
    settings = (f"--set {shlex.quote(setting)}" for setting in flat({k: v for k, v in config.items() if k != "type"}))
    return " ".join(["hyperir", "build", shlex.quote(str(folder)), str(config["type"]), *settings])


def say_due(index: Index, folder: object) -> None:
    """Say which structures many documents came or went since: a process that ends builds nothing in the background."""
    for structure in index.info()["structures"]:
        if structure["due"]:
            say(
                f"{structure['type']} was built of {structure['documents']:,} documents; {structure['added_since']:,} "
                f"came and {structure['removed_since']:,} went since, and those that came are scored one and all",
                f"To build it again: {command(folder, structure['config'])}",
            )
