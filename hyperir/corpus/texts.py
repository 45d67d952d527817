"""A folder of text files: one document a file."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from hyperir.core.config import Config
from hyperir.core.errors import CollectionError
from hyperir.core.types import Row
from hyperir.corpus.collection import DocumentsOnly
from hyperir.corpus.lines import read_lines, suffix

__all__ = ["TEXT_SUFFIXES", "Texts", "TextsConfig"]

TEXT_SUFFIXES = frozenset({".txt", ".text", ".md", ".markdown", ".rst", ".org", ".adoc", ".tex"})


class TextsConfig(Config):
    """The folder."""

    type: Literal["texts"] = "texts"
    source: str


class Texts(DocumentsOnly):
    """Documents from the text files below a folder, in the order of their paths.

    The id is the path inside the folder, with forward slashes; the title is the file's name without its suffix. Hidden
    files and folders, and files with other suffixes than `TEXT_SUFFIXES`, are left out.
    """

    Config = TextsConfig
    understood = "a folder of text files (" + ", ".join(sorted(TEXT_SUFFIXES)) + ", also with .gz)"

    def __init__(self, config: TextsConfig) -> None:
        self._folder = Path(config.source)

    @classmethod
    def accepts(cls, source: str) -> bool:
        """A folder with a text file; not that around BEIR folders, of which only a README would be read."""
        return any(_is_text(path) for path in _files(Path(source))) and not any(Path(source).glob("*/corpus.jsonl*"))

    @property
    def name(self) -> str:
        """The folder's name."""
        return self._folder.resolve().name

    @property
    def count(self) -> int:
        """The number of text files, without reading them."""
        return sum(_is_text(path) for path in _files(self._folder))

    def documents(self) -> Iterator[Row]:
        """Stream the documents. Raises CollectionError where a file cannot be read, or where there is none."""
        others: Counter[str] = Counter()
        empty = True
        for path in _files(self._folder):
            if not _is_text(path):
                others[suffix(path) or "no suffix"] += 1
                continue
            empty = False
            text = "".join(line for _, line in read_lines(path)).replace("\r\n", "\n")
            yield {"id": self._id(path), "text": text, "title": path.name.removesuffix(".gz").rpartition(".")[0]}
        if empty:
            raise CollectionError(
                f"there is no text file in the folder {self._folder}",
                expected="files with the suffixes " + ", ".join(sorted(TEXT_SUFFIXES)),
                got=", ".join(f"{n} with {s}" for s, n in others.most_common(5)) or "no file",
            )

    def _id(self, path: Path) -> str:
        name = path.relative_to(self._folder).as_posix()
        try:
            name.encode("utf-8")
        except UnicodeEncodeError:
            raise CollectionError(
                f"the name of the file {os.fsencode(path)!r} is not UTF-8, so it cannot be an id", fix="rename it"
            ) from None
        return name


def _is_text(path: Path) -> bool:
    return suffix(path) in TEXT_SUFFIXES and path.is_file()


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                yield Path(parent, name)
