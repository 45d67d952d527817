"""MS MARCO's layout: tab-separated files without a header.

A folder: `collection.tsv` (pid, text), `queries.tsv` or `queries.SPLIT.tsv` (qid, text), and judgements (qid, 0, pid,
grade) in `qrels.SPLIT.tsv`, or in `qrels.tsv`, which is then the split "all". Each also with `.gz`. Or the file of
documents alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from hyperir.core.config import Config
from hyperir.core.errors import CollectionError
from hyperir.core.types import Row
from hyperir.corpus.collection import check_split
from hyperir.corpus.columns import ID, TEXT
from hyperir.corpus.folder import either, splits_below
from hyperir.corpus.lines import read_lines, suffix
from hyperir.corpus.pairs import read_pairs
from hyperir.corpus.queries import judged_only
from hyperir.corpus.trec import read_qrels, read_queries

__all__ = ["MsMarco", "MsMarcoConfig"]


class MsMarcoConfig(Config):
    """The folder, or the file of documents."""

    type: Literal["msmarco"] = "msmarco"
    source: str


class MsMarco:
    """A collection in MS MARCO's layout."""

    Config = MsMarcoConfig
    understood = "a folder or file in MS MARCO's layout (collection.tsv without a header: id, tab, text; also with .gz)"
    count = None

    def __init__(self, config: MsMarcoConfig) -> None:
        self._source = Path(config.source)

    @classmethod
    def accepts(cls, source: str) -> bool:
        """A folder with a collection.tsv; or a .tsv file of two columns whose first line looks like a document."""
        path = Path(source)
        return either(path, "collection.tsv") is not None or (
            suffix(path) == ".tsv" and path.is_file() and _starts_with_a_document(path)
        )

    @property
    def name(self) -> str:
        """The folder's name, or the file's without suffixes."""
        return self._source.resolve().name if self._source.is_dir() else self._source.name.split(".")[0]

    @property
    def splits(self) -> list[str]:
        """SPLIT of the files qrels.SPLIT.tsv, sorted."""
        return sorted(self._qrels_files())

    def documents(self) -> Iterator[Row]:
        """Stream the documents. Raises CollectionError, with file and line, at the first broken one."""
        path = either(self._source, "collection.tsv") or self._source
        for _, pid, text in read_pairs(path):
            yield {"id": pid, "text": text, "title": ""}

    def queries(self, split: str | None = None) -> dict[str, str]:
        """Texts by query id: all, or those that a split judges. Raises CollectionError."""
        if split is not None:
            check_split(split, self.splits, self.name)
        files = splits_below(self._source, "queries.")
        plain = either(self._source, "queries.tsv")
        chosen = [files[split]] if split in files else [path for path in (plain, *files.values()) if path is not None]
        if not chosen:
            raise CollectionError(
                f"the collection {self.name!r} has documents only, and queries were asked for",
                expected="queries.tsv or queries.SPLIT.tsv (also with .gz) in a folder with collection.tsv",
                got=f"no such file in {self._source}" if self._source.is_dir() else f"the file {self._source}",
                fix="give the folder, or the queries as a file of their own",
            )
        queries = {qid: text for path in chosen for qid, text in read_queries(path).items()}
        return queries if split is None else judged_only(queries, self.qrels(split), self.name, split)

    def qrels(self, split: str) -> dict[str, dict[str, int]]:
        """Judgements of a split. Raises CollectionError."""
        check_split(split, self.splits, self.name)
        return read_qrels(self._qrels_files()[split])

    def _qrels_files(self) -> dict[str, Path]:
        files = splits_below(self._source, "qrels.")
        plain = either(self._source, "qrels.tsv")
        return {"all": plain, **files} if plain is not None else files


def _starts_with_a_document(path: Path) -> bool:
    first = next((line for _, line in read_lines(path) if line.strip()), "")
    fields = [field.strip() for field in first.split("\t")]
    if len(fields) != 2 or fields[0] in ID.names or fields[1] in TEXT.names:
        return False
    return fields[0].isdecimal() or path.name.startswith("collection.")
