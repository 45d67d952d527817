"""The rows of an index: a Lance table, of which every commit pins one version.

Lance keeps fragments in the order in which they are appended and rows in order within a fragment, and rows are never
deleted in place: a row's position is the place of its vector in the packed files. Every file of the table is immutable
but `latest_version_hint.json`, a shortcut for readers of the latest version; ours pin theirs, so it is removed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from hyperir.core.errors import CorruptError
from hyperir.index.commit import INDICES, MANIFESTS, TRANSACTIONS

__all__ = [
    "FOLDER",
    "RowTable",
    "append",
    "append_fragments",
    "files_of_version",
    "ids_of_fragment",
    "make_scalar_index",
    "manifest_version",
    "publish",
    "transaction_version",
]

FOLDER = "rows.lance"
HINT = f"{MANIFESTS}latest_version_hint.json"
STORAGE = "2.1"  # of Lance's files: readable by every Lance that we support
BATCH = 8192
AHEAD = 64 << 20  # bytes read before they are asked for, at most
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

    def fragments(self, start: int, stop: int) -> list[Any]:
        """The fragments that hold the rows from `start` to before `stop`; both stand between two fragments."""
        found, first = [], 0
        with self._explained():
            for fragment in self.dataset.get_fragments() if self.version else []:
                rows = fragment.metadata.physical_rows
                if start <= first and first + rows <= stop:
                    found.append(fragment)
                first += rows
        return found

    def stream(self, fragments: Sequence[Any], columns: list[str] | None = None) -> Iterator[Any]:
        """Some fragments in order, all columns or some, as Arrow record batches, with little read ahead."""
        with self._explained():
            yield from self.dataset.scanner(
                columns=columns,
                fragments=list(fragments),
                scan_in_order=True,
                batch_size=BATCH,
                batch_readahead=2,
                fragment_readahead=1,
                io_buffer_size=AHEAD,
            ).to_batches()

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


def append_fragments(root: Path, version: int, rows: Any) -> list[Any]:
    """Write rows as new data files; nobody sees them before `publish`.

    Args:
        root: the index folder.
        version: of the table that is going to have them; 0 where there is none yet.
        rows: an Arrow table, or a reader of record batches, which is streamed.
    """
    from lance.fragment import write_fragments

    written: list[Any] = write_fragments(
        rows,
        str(root / FOLDER),
        schema=rows.schema,
        mode="append" if version else "create",
        data_storage_version=STORAGE,
    )
    return written


def files_of(fragments: Sequence[Any]) -> list[str]:
    """Paths of the fragments' data files, relative to the index folder."""
    return [f"{FOLDER}/data/{file.path}" for fragment in fragments for file in fragment.files]


def ids_of_fragment(root: Path, fragment: Any) -> Iterator[Any]:
    """The ids in a fragment that is not published yet, as Arrow arrays."""
    from lance.file import LanceFileReader

    for name in files_of([fragment]):
        yield from LanceFileReader(str(root / name), columns=["id"]).read_all().to_table()["id"].chunks


def publish(root: Path, version: int, change: Any) -> int:
    """Make the next version of the table by a `lance.LanceOperation`.

    Returns:
        its number.
    """
    import lance

    dataset = lance.LanceDataset.commit(str(root / FOLDER), change, read_version=version)
    assert dataset.version == version + 1
    (root / HINT).unlink(missing_ok=True)
    return version + 1


def append(root: Path, version: int, fragments: Sequence[Any], schema: Any) -> int:
    """Publish fragments behind all others; version 0 makes the table.

    Returns:
        the new version.
    """
    import lance

    make = lance.LanceOperation.Append(fragments) if version else lance.LanceOperation.Overwrite(schema, fragments)
    return publish(root, version, make)


def files_of_version(root: Path, version: int) -> list[str]:
    """Every file that a version of the table consists of, relative to the index folder."""
    if not version:
        return []
    dataset, has_indices = RowTable(root, version).dataset, (root / INDICES).exists()
    files = files_of([fragment.metadata for fragment in dataset.get_fragments()])
    segments = [part for index in dataset.describe_indices() for part in index.segments] if has_indices else []
    files += [f"{INDICES}{part.uuid}/{p.name}" for part in segments for p in (root / INDICES / part.uuid).iterdir()]
    manifests = [p.name for p in (root / MANIFESTS).iterdir() if manifest_version(p.name) == version]
    transactions = [p.name for p in (root / TRANSACTIONS).iterdir() if transaction_version(p.name) == version - 1]
    return files + [MANIFESTS + name for name in manifests] + [TRANSACTIONS + name for name in transactions]


def make_scalar_index(root: Path, version: int, column: str) -> int:
    """Index a column of the table for filters: a bitmap of booleans, a tree of anything else.

    Returns:
        the new version.
    """
    import pyarrow as pa

    dataset = RowTable(root, version).dataset
    kind = "BITMAP" if pa.types.is_boolean(dataset.schema.field(column).type) else "BTREE"
    dataset.create_scalar_index(column, kind, replace=True)
    (root / HINT).unlink(missing_ok=True)
    return version + 1


def manifest_version(name: str) -> int | None:
    """The version that a manifest describes, from its name, or None where the name is no manifest's."""
    stem = name.removesuffix(".manifest")
    return 2**64 - 1 - int(stem) if stem != name and stem.isascii() and stem.isdigit() else None


def transaction_version(name: str) -> int | None:
    """The version that a transaction started from, from its name, or None where the name is no transaction's."""
    start, dash, _ = name.partition("-")
    return int(start) if dash and name.endswith(".txn") and start.isascii() and start.isdigit() else None
