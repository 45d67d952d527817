"""The rows of an index: a Lance table, of which every commit pins one version.

Lance keeps fragments in the order in which they are appended and rows in order within a fragment, so a row's position
is its place in the order of insertion as long as nothing is compacted. Every file of the table is immutable but
`latest_version_hint.json`, a shortcut for readers of the latest version; ours pin theirs, so it is removed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from hyperir.core.errors import CorruptError
from hyperir.index.commit import MANIFESTS, TRANSACTIONS

__all__ = [
    "FOLDER",
    "RowTable",
    "append_fragments",
    "ids_of_fragment",
    "manifest_version",
    "publish_fragments",
    "transaction_version",
]

FOLDER = "rows.lance"
HINT = f"{MANIFESTS}latest_version_hint.json"
STORAGE = "2.1"  # of Lance's files: readable by every Lance that we support
BATCH = 8192
FAILURES = (OSError, ValueError, RuntimeError)  # what Lance raises, here for files that it cannot read


class RowTable:
    """One version of the table.

    Args:
        root: the index folder.
        version: Lance's number of it, or 0 for a table that does not exist yet.
    """

    def __init__(self, root: Path, version: int) -> None:
        self.root, self.version = root, version

    @cached_property
    def dataset(self) -> Any:
        """The Lance dataset."""
        import lance

        with self._explained():
            return lance.dataset(str(self.root / FOLDER), version=self.version)

    def count(self) -> int:
        """The number of rows."""
        with self._explained():
            return int(self.dataset.count_rows()) if self.version else 0

    def take(self, positions: Sequence[int], columns: list[str]) -> Any:
        """Rows by position, in the order asked, as an Arrow table."""
        with self._explained():
            return self.dataset.take(list(positions), columns=columns)

    def scan(self, columns: list[str], where: str | None = None) -> Iterator[Any]:
        """All rows in order, or those that a predicate of `hyperir.index.predicates` lets pass, as record batches."""
        if self.version:
            with self._explained():
                yield from self.dataset.to_batches(columns=columns, batch_size=BATCH, scan_in_order=True, filter=where)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except FAILURES as error:
            raise CorruptError(
                f"{FOLDER} in {self.root} cannot be read",
                got=str(error),
                fix=f'"hyperir verify {self.root}" lists everything that is damaged',
            ) from error


def append_fragments(root: Path, version: int, table: Any) -> list[Any]:
    """Write rows as new data files; nobody sees them before `publish_fragments`."""
    from lance.fragment import write_fragments

    written: list[Any] = write_fragments(
        table,
        str(root / FOLDER),
        schema=table.schema,
        mode="append" if version else "create",
        data_storage_version=STORAGE,
    )
    return written


def files_of(fragments: Sequence[Any]) -> list[str]:
    """Paths of the fragments' data files, relative to the index folder."""
    return [f"{FOLDER}/data/{file.path}" for fragment in fragments for file in fragment.files]


def ids_of_fragment(root: Path, fragment: Any) -> list[str]:
    """The ids in a fragment that is not published yet."""
    from lance.file import LanceFileReader

    ids: list[str] = []
    for name in files_of([fragment]):
        ids += LanceFileReader(str(root / name), columns=["id"]).read_all().to_table()["id"].to_pylist()
    return ids


def publish_fragments(root: Path, version: int, fragments: Sequence[Any], schema: Any) -> list[str]:
    """Make version + 1 of the table, with these fragments at its end.

    Returns:
        the paths of all new files of the table, relative to the index folder.
    """
    import lance

    change = lance.LanceOperation.Append(fragments) if version else lance.LanceOperation.Overwrite(schema, fragments)
    dataset = lance.LanceDataset.commit(str(root / FOLDER), change, read_version=version)
    assert dataset.version == version + 1
    (root / HINT).unlink(missing_ok=True)
    manifests = [p.name for p in (root / MANIFESTS).iterdir() if manifest_version(p.name) == version + 1]
    transactions = [p.name for p in (root / TRANSACTIONS).iterdir() if transaction_version(p.name) == version]
    return files_of(fragments) + [MANIFESTS + name for name in manifests] + [TRANSACTIONS + n for n in transactions]


def manifest_version(name: str) -> int | None:
    """The version that a manifest describes, from its name, or None where the name is no manifest's."""
    stem = name.removesuffix(".manifest")
    return 2**64 - 1 - int(stem) if stem != name and stem.isascii() and stem.isdigit() else None


def transaction_version(name: str) -> int | None:
    """The version that a transaction started from, from its name, or None where the name is no transaction's."""
    start, dash, _ = name.partition("-")
    return int(start) if dash and name.endswith(".txn") and start.isascii() and start.isdigit() else None
