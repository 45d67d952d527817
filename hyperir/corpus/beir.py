"""BEIR folders: `corpus.jsonl`, `queries.jsonl` and `qrels/SPLIT.tsv`, each also with `.gz`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from hyperir.core.errors import CollectionError
from hyperir.core.types import Row
from hyperir.corpus.collection import check_split
from hyperir.corpus.columns import ColumnsConfig
from hyperir.corpus.folder import either, splits_below
from hyperir.corpus.jsonl import Jsonl, JsonlConfig
from hyperir.corpus.queries import judged_only
from hyperir.corpus.trec import read_qrels, read_queries

__all__ = ["Beir", "BeirConfig"]


class BeirConfig(ColumnsConfig):
    """The folder, and the columns of its documents where they have unusual names."""

    type: Literal["beir"] = "beir"


class Beir:
    """A test collection in a BEIR folder."""

    Config = BeirConfig
    understood = "a BEIR folder (corpus.jsonl, queries.jsonl, qrels/SPLIT.tsv, also with .gz)"
    count = None

    def __init__(self, config: BeirConfig) -> None:
        self._config = config
        self._folder = Path(config.source)

    @classmethod
    def accepts(cls, source: str) -> bool:
        """A folder with a corpus.jsonl."""
        return either(Path(source), "corpus.jsonl") is not None

    @property
    def name(self) -> str:
        """The folder's name."""
        return self._folder.resolve().name

    @property
    def splits(self) -> list[str]:
        """Names of the files in qrels/, sorted."""
        return sorted(splits_below(self._folder / "qrels"))

    def documents(self) -> Iterator[Row]:
        """Stream the documents. Raises CollectionError, with file and line, at the first broken one."""
        columns = self._config.model_dump(exclude={"type", "source"})
        yield from Jsonl(JsonlConfig(source=str(self._file("corpus.jsonl")), **columns)).documents()

    def queries(self, split: str | None = None) -> dict[str, str]:
        """Texts by query id: all, or those that a split judges. Raises CollectionError."""
        if split is not None:
            check_split(split, self.splits, self.name)
        queries = read_queries(self._file("queries.jsonl"))
        return queries if split is None else judged_only(queries, self.qrels(split), self.name, split)

    def qrels(self, split: str) -> dict[str, dict[str, int]]:
        """Judgements of a split. Raises CollectionError."""
        check_split(split, self.splits, self.name)
        return read_qrels(splits_below(self._folder / "qrels")[split])

    def _file(self, name: str) -> Path:
        path = either(self._folder, name)
        if path is None:
            raise CollectionError(f"there is no {name} or {name}.gz in the folder {self._folder}")
        return path
