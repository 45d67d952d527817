"""The documentation of the running Python: a real collection that every installation has."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from hyperir.core.config import Config
from hyperir.core.errors import CollectionError
from hyperir.core.types import Row
from hyperir.corpus.collection import DocumentsOnly

__all__ = ["Pydoc", "PydocConfig"]

WALKER = Path(__file__).with_name("_walk_stdlib.py")


class PydocConfig(Config):
    """It has no options."""

    type: Literal["pydoc"] = "pydoc"
    source: Literal["pydoc"] = "pydoc"


class Pydoc(DocumentsOnly):
    """A document for each docstring of the standard library, under the name that a programmer would type.

    `kind` is module, class, function or method. How a name is chosen is told in `_walk_stdlib.py`.
    """

    Config = PydocConfig
    understood = "pydoc (the documentation of this Python)"
    name = "pydoc"
    count = None

    def __init__(self, config: PydocConfig) -> None:
        self._config = config

    @classmethod
    def accepts(cls, source: str) -> bool:
        """The word itself."""
        return source == "pydoc"

    def documents(self) -> Iterator[Row]:
        """Stream the documents from an interpreter of their own. Raises CollectionError where it fails."""
        command = [sys.executable, "-I", "-S", str(WALKER)]
        with tempfile.TemporaryFile() as messages:
            try:
                walk = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=messages)
            except OSError as error:
                raise _failed(f"{sys.executable!r} cannot be started: {error}") from error
            with walk:
                assert walk.stdout is not None
                finished = False
                try:
                    for line in walk.stdout:
                        yield _row(line)
                    finished = True
                finally:
                    if not finished:  # the caller stopped early
                        walk.kill()
            if walk.returncode:
                messages.seek(0)
                said = messages.read().decode("utf-8", "replace").strip().splitlines()
                raise _failed(f"exit status {walk.returncode}" + (f": {said[-1]}" if said else ""))


def _row(line: bytes) -> Row:
    try:
        row: Row = json.loads(line)
    except ValueError as error:
        raise _failed(f"a line that is not JSON: {line[:80]!r}") from error
    return row


def _failed(got: str) -> CollectionError:
    return CollectionError(
        "the documentation of this Python cannot be read",
        expected=f"JSON lines from {sys.executable} -I -S {WALKER}",
        got=got,
        fix="run that command by hand to see why it stops",
    )
