"""The rows of an index: a Lance table, of which every commit pins one version.

Lance keeps fragments in the order in which they are appended and rows in order within a fragment, and rows are never
deleted in place: a row's position is the place of its vector in the packed files. Every file of the table is immutable
but `latest_version_hint.json`, a shortcut for readers of the latest version; ours pin theirs, so it is removed.
"""

from __future__ import annotations

import errno
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import accumulate, chain
from types import MappingProxyType
from typing import Any, NamedTuple

from hyperir.core.errors import CorruptError, StoreError, UnreachableError
from hyperir.index.before import VECTOR, Checked
from hyperir.index.commit import INDICES, MANIFESTS, TRANSACTIONS, FileRecord
from hyperir.index.place import Place

__all__ = [
    "FOLDER",
    "RowTable",
    "TableIndex",
    "append",
    "append_fragments",
    "drop_vector_index",
    "files_of_version",
    "ids_of_fragment",
    "make_scalar_index",
    "make_vector_index",
    "manifest_version",
    "publish",
    "transaction_version",
]

FOLDER = "rows.lance"
DATA = f"{FOLDER}/data/"
HINT = f"{MANIFESTS}latest_version_hint.json"
STORAGE = "2.1"  # of Lance's files: readable by every Lance that we support
BATCH = 8192
SHORT = 1 << 17  # rows of a batch of nothing but ids and keys, which takes a few megabytes
AHEAD = 64 << 20  # bytes read before they are asked for, at most
FAILURES = (OSError, ValueError, RuntimeError)  # what Lance raises, here for files that it cannot read
SILENT = "Generic S3 error"  # its words for a store that does not answer
PANIC = "PanicException"  # and what it raises where its own checks fail: no Exception, and of no importable type
NOTHING: Mapping[str, FileRecord] = MappingProxyType({})
VECTOR_INDEX = "hyperir_vector"  # Lance's name of the only index of vectors that a table has
MAGIC = b"LANC"  # the last bytes of Lance's files


class TableIndex(NamedTuple):
    """An index of the vectors, as Lance makes it: its kind, and what `lance.LanceDataset.create_index` takes."""

    kind: str
    options: dict[str, int]


class RowTable:
    """One version of the table.

    Args:
        place: where the index is.
        version: Lance's number of it, or 0 for a table that does not exist yet.
        files: of the commit: they are compared with it before they are first read.
    """

    def __init__(self, place: Place, version: int, files: Mapping[str, FileRecord] = NOTHING) -> None:
        self.place, self.version = place, version
        self._check = Checked(place, files)
        self._indices = [name for name in files if name.startswith(INDICES)]

    @cached_property
    def dataset(self) -> Any:
        """The Lance dataset."""
        import lance

        where = self.place.table(FOLDER)
        with self._explained():
            return lance.dataset(where.uri, version=self.version, storage_options=where.options)

    def count(self) -> int:
        """The number of rows."""
        with self._explained():
            return int(self.dataset.count_rows()) if self.version else 0

    @cached_property
    def _layout(self) -> tuple[list[int], list[list[str]]]:
        """For every fragment, the row that comes after it, and its files."""
        with self._explained():
            found = [fragment.metadata for fragment in self.dataset.get_fragments()]
        return list(accumulate(part.physical_rows for part in found)), [files_of([part]) for part in found]

    def take(self, positions: Sequence[int], columns: list[str]) -> Any:
        """Rows by position, in the order asked, as an Arrow table."""
        ends, files = self._layout
        holders = {bisect_right(ends, position) for position in positions}
        self._check([name for holder in sorted(holders) for name in files[holder]], VECTOR in columns)
        with self._explained():
            return self.dataset.take(list(positions), columns=columns)

    def scan(self, columns: list[str], where: str | None = None, *, batch: int = BATCH) -> Iterator[Any]:
        """All rows in order, or those that a predicate of `hyperir.index.predicates` lets pass, as record batches."""
        if self.version:
            size = SHORT if {"id", "key"}.issuperset(columns) else batch
            self._check(chain(*self._layout[1], self._indices if where else ()), VECTOR in columns)
            with self._explained():
                yield from self.dataset.to_batches(columns=columns, batch_size=size, scan_in_order=True, filter=where)

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

    def stream(
        self, fragments: Sequence[Any], columns: list[str] | None = None, *, batch: int = BATCH
    ) -> Iterator[Any]:
        """Some fragments in order, all columns or some, as Arrow record batches, with little read ahead."""
        self._check(files_of([part.metadata for part in fragments]), columns is None or VECTOR in columns)
        return self._streamed(fragments, columns, batch)

    def _streamed(self, fragments: Sequence[Any], columns: list[str] | None, batch: int) -> Iterator[Any]:
        with self._explained():
            yield from self.dataset.scanner(
                columns=columns,
                fragments=list(fragments),
                scan_in_order=True,
                batch_size=batch,
                batch_readahead=2,
                fragment_readahead=1,
                io_buffer_size=AHEAD,
            ).to_batches()

    def has_vector_index(self) -> bool:
        """Whether this version has an index of the vectors."""
        with self._explained():
            return bool(self.version) and _vector_index(self.dataset) is not None

    def nearest(self, vector: Any, k: int, options: dict[str, int]) -> Any:
        """Keys of the rows with the largest inner products, best first, by the index of the vectors.

        Args:
            vector: (D,) a numpy array.
            k: how many.
            options: of the search, as Lance's `nearest` takes them.
        """
        wanted = {"column": "vector", "q": vector, "k": k, "metric": "dot", **options}
        with self._explained():
            return self.dataset.scanner(columns=["key", "_distance"], nearest=wanted).to_table()["key"].to_numpy()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            if not isinstance(error, FAILURES) and type(error).__name__ != PANIC:
                raise
            if SILENT in str(error):
                raise UnreachableError(
                    f"{self.place} does not answer", got=str(error), fix="check the network, then do it again"
                ) from error
            raise CorruptError(
                f"{FOLDER} in {self.place} cannot be read",
                got=str(error),
                fix=f'"hyperir verify {self.place}" lists everything that is damaged',
            ) from error


def append_fragments(table: RowTable, rows: Any) -> list[Any]:
    """Write rows as new data files; nobody sees them before `publish`.

    Args:
        table: which is going to have them, as it is now.
        rows: an Arrow table, or a reader of record batches, which is streamed.

    Raises:
        OSError: the disk did not take all of it.
    """
    from lance.fragment import write_fragments

    place, where = table.place, table.place.table(FOLDER)
    written: list[Any] = write_fragments(
        rows,
        table.dataset if table.version else where.uri,
        schema=rows.schema,
        mode="append" if table.version else "create",
        data_storage_version=STORAGE,
        storage_options=where.options,
    )
    _check_whole(place, files_of(written))
    return written


def _check_whole(place: Place, names: Sequence[str]) -> None:
    """Lance says nothing where the disk refuses the last bytes of a file, so look whether they are there."""
    sizes = place.sizes(names)
    for name in names:
        if place.read(name, max(sizes.get(name, 0) - len(MAGIC), 0)) != MAGIC:
            raise OSError(errno.EIO, "cut short while it was written; the disk may be full", name)


def files_of(fragments: Sequence[Any]) -> list[str]:
    """Paths of the fragments' data files, relative to the index folder."""
    return [f"{DATA}{file.path}" for fragment in fragments for file in fragment.files]


def ids_of_fragment(place: Place, fragment: Any) -> Iterator[Any]:
    """The ids in a fragment that is not published yet, as Arrow arrays."""
    from lance.file import LanceFileReader

    for name in files_of([fragment]):
        where = place.table(name)
        file = LanceFileReader(where.uri, storage_options=where.options, columns=["id"])
        yield from file.read_all().to_table()["id"].chunks


def publish(table: RowTable, change: Any) -> int:
    """Make the next version of a table by a `lance.LanceOperation`.

    Returns:
        its number.

    Raises:
        LockedError, StoreError: another process writes as well.
    """
    import lance

    table.place.check()
    where, version = table.place.table(FOLDER), table.version
    known = table.dataset if version else where.uri
    dataset = lance.LanceDataset.commit(known, change, read_version=version, storage_options=where.options)
    return _checked(table.place, version + 1, dataset)


def _checked(place: Place, version: int, dataset: Any) -> int:
    place.remove([HINT])
    if dataset.version != version:  # Lance puts some changes on top of another one's
        raise StoreError(
            f"another process changed the rows of {place} at the same moment",
            expected=f"version {version} of {FOLDER}",
            got=f"version {dataset.version}",
            fix="do it again; nothing of this change was committed",
        )
    return version


def append(table: RowTable, fragments: Sequence[Any], schema: Any) -> int:
    """Publish fragments behind all others of a table, or as the first.

    Returns:
        the new version.
    """
    import lance

    make = (
        lance.LanceOperation.Append(fragments) if table.version else lance.LanceOperation.Overwrite(schema, fragments)
    )
    return publish(table, make)


def files_of_version(place: Place, version: int) -> list[str]:
    """Every file that a version of the table consists of, relative to the index."""
    if not version:
        return []
    dataset, has_indices = RowTable(place, version).dataset, bool(place.names(INDICES))
    files = files_of([fragment.metadata for fragment in dataset.get_fragments()])
    segments = [part for index in dataset.describe_indices() for part in index.segments] if has_indices else []
    files += [f"{INDICES}{part.uuid}/{name}" for part in segments for name in place.names(INDICES + part.uuid)]
    manifests = [name for name in place.names(MANIFESTS) if manifest_version(name) == version]
    transactions = [name for name in place.names(TRANSACTIONS) if transaction_version(name) == version - 1]
    return files + [MANIFESTS + name for name in manifests] + [TRANSACTIONS + name for name in transactions]


def make_scalar_index(place: Place, version: int, column: str) -> int:
    """Index a column of the table for filters: a bitmap of booleans, a tree of anything else.

    Returns:
        the new version.
    """
    import pyarrow as pa

    place.check()
    dataset = RowTable(place, version).dataset
    kind = "BITMAP" if pa.types.is_boolean(dataset.schema.field(column).type) else "BTREE"
    dataset.create_scalar_index(column, kind, replace=True)
    version = _checked(place, version + 1, dataset)
    _check_whole(place, [name for name in files_of_version(place, version) if name.startswith(INDICES)])
    return version


def make_vector_index(place: Place, version: int, index: TableIndex) -> tuple[int, list[str]]:
    """Index the vectors of the table for inner products, in place of an index that it had.

    Returns:
        the new version, and the files of the index.
    """
    place.check()
    dataset = RowTable(place, version).dataset
    dataset.create_index("vector", index.kind, name=VECTOR_INDEX, metric="dot", replace=True, **index.options)
    version = _checked(place, version + 1, dataset)
    made = _vector_index(RowTable(place, version).dataset)
    files = [f"{INDICES}{part.uuid}/{name}" for part in made.segments for name in place.names(INDICES + part.uuid)]
    _check_whole(place, files)
    return version, files


def drop_vector_index(place: Place, version: int) -> int:
    """Take the index of the vectors out of the table, where it has one.

    Returns:
        the new version.
    """
    place.check()
    dataset = RowTable(place, version).dataset
    if _vector_index(dataset) is None:
        return version
    dataset.drop_index(VECTOR_INDEX)
    return _checked(place, version + 1, dataset)


def _vector_index(dataset: Any) -> Any:
    return next((index for index in dataset.describe_indices() if index.name == VECTOR_INDEX), None)


def manifest_version(name: str) -> int | None:
    """The version that a manifest describes, from its name, or None where the name is no manifest's."""
    stem = name.removesuffix(".manifest")
    return 2**64 - 1 - int(stem) if stem != name and stem.isascii() and stem.isdigit() else None


def transaction_version(name: str) -> int | None:
    """The version that a transaction started from, from its name, or None where the name is no transaction's."""
    start, dash, _ = name.partition("-")
    return int(start) if dash and name.endswith(".txn") and start.isascii() and start.isdigit() else None
