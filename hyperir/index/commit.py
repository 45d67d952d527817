"""The commit record: one immutable, self-hashed JSON file that names every file of the index as it then was."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, Literal

from pydantic import field_validator, model_validator

from hyperir.core.config import Config
from hyperir.core.errors import ConfigError, CorruptError, StoreError
from hyperir.index.place import Content, Place, UnconfirmedError

__all__ = [
    "FORMAT",
    "Apart",
    "Column",
    "Commit",
    "Dtype",
    "EncoderRecord",
    "FileRecord",
    "Fitted",
    "Generation",
    "Kind",
    "Structure",
    "check_files",
    "damaged",
    "load",
    "name_of",
    "newest",
    "now",
    "numbers",
    "publish",
]

FORMAT = 5
FOLDER = "commits"
MANIFESTS = "rows.lance/_versions/"
TRANSACTIONS = "rows.lance/_transactions/"
INDICES = "rows.lance/_indices/"
NAME = re.compile(r"(\d{12})\.json")

Dtype = Literal["float32", "float16"]
Kind = Literal["dense", "multi", "sparse"]  # of documents: one vector, one of each token, or weights of terms


class Apart(Config):
    """A file of rows without its vectors, which are nearly all of it.

    Args:
        vectors: where they stand: byte ranges (start, stop), ascending.
        sha256: of all other bytes.
    """

    vectors: tuple[tuple[int, int], ...]
    sha256: str


class FileRecord(Config):
    """A file as committed; `apart` only of files of rows that have vectors."""

    size: int
    sha256: str
    apart: Apart | None = None

    @property
    def content(self) -> Content:
        """The same for a place."""
        return Content(self.size, self.sha256)


class EncoderRecord(Config):
    """Which model made the vectors; `fingerprint` covers everything that changes them."""

    name: str
    fingerprint: str


class Generation(Config):
    """An immutable file of packed documents and how many rows it holds, dead ones included.

    `vectors` counts the vectors of documents that have several, or their weights of terms; None where each has one.
    """

    file: str
    documents: int
    vectors: int | None = None


class Column(Config):
    """A metadata column: its name for users, its name in the Lance table, its Arrow type or "json"."""

    name: str
    column: str
    type: str


class Structure(Config):
    """A search structure: what a strategy built of the documents that were alive before key `next_key` was given.

    Its rows are numbered by its own file, which holds their keys. So it stays right while rows come, go and move.

    Args:
        type: the strategy.
        config: its configuration, as far as it was given.
        file: of the tensors.
        table_files: of an index of the rows table that it needs beside them.
        documents: S, how many it covers.
        next_key: greater than every key that it covers.
        created: in UTC, ISO 8601.
    """

    type: str
    config: dict[str, Any]
    file: str
    table_files: tuple[str, ...] = ()
    documents: int
    next_key: int
    created: str

    @property
    def files(self) -> tuple[str, ...]:
        """All that it needs."""
        return (self.file, *self.table_files)


class Fitted(Config):
    """A model that was fitted to the index: its relevance function is what searches use.

    Args:
        folder: where its files are.
        files: all of them, inside of the folder.
        told: what it is, in words.
        created: in UTC, ISO 8601.
    """

    folder: str
    files: tuple[str, ...]
    told: str
    created: str


class Commit(Config):
    """The index after one change. Paths are relative to the index folder, with forward slashes.

    `documents` are alive; `stored` counts the rows on disk, those included whose keys are in `tombstones`, a list
    of at most one file. `lance_version` 0 and `metadata` None stand for an index that never held a row; the first
    rows fix `metadata`. `width` is D of vectors; terms are numbers below it. `next_key` grows only: a key is never
    given twice, whatever is deleted. `indexed` names the columns with a scalar index, and `change` says in words
    what this commit did. Of `fitted` the last one is in use.
    """

    format_version: int = FORMAT
    number: int
    parent: int | None
    created: str
    change: str
    index_created: str
    lance_version: int
    documents: int
    stored: int
    next_key: int
    empty_texts: int
    width: int
    dtype: Dtype
    kind: Kind = "dense"
    encoder: EncoderRecord | None
    metadata: tuple[Column, ...] | None
    generations: tuple[Generation, ...]
    tombstones: tuple[str, ...]
    indexed: tuple[str, ...]
    structures: tuple[Structure, ...]
    fitted: tuple[Fitted, ...] = ()
    files: dict[str, FileRecord]

    @field_validator("files")
    @classmethod
    def _stay_inside(cls, files: dict[str, FileRecord]) -> dict[str, FileRecord]:
        for name in files:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or str(path) != name:
                raise ValueError(f"the path {name!r} leaves the index folder")
        return files

    @model_validator(mode="after")
    def _agree(self) -> Commit:
        if sum(g.documents for g in self.generations) != self.stored:
            raise ValueError("the generations do not add up to the rows stored")
        if any((g.vectors is None) != (self.kind == "dense") for g in self.generations):
            raise ValueError("generations of another kind of documents")
        named = {g.file for g in self.generations} | set(self.tombstones)
        named |= {file for structure in self.structures for file in structure.files}
        named |= {file for fitted in self.fitted for file in fitted.files}
        if unknown := named - self.files.keys():
            raise ValueError(f"no size and hash for {sorted(unknown)}")
        if not 0 <= self.documents <= self.stored or (self.documents < self.stored) != bool(self.tombstones):
            raise ValueError("the tombstones do not account for the difference of rows stored and documents")
        if len(self.tombstones) > 1:
            raise ValueError("more than one file of tombstones")
        if any(s.documents < 1 or s.next_key > self.next_key for s in self.structures):
            raise ValueError("a search structure covers no documents, or keys that were never given")
        return self


def now() -> str:
    """The time in UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def name_of(number: int) -> str:
    """The path of a commit's file, relative to the index folder."""
    return f"{FOLDER}/{number:012}.json"


def numbers(place: Place) -> list[int]:
    """The numbers of all commits, oldest first; nothing where there is no index."""
    with _reading(place):
        names = place.names(FOLDER)
    return sorted(int(match[1]) for match in map(NAME.fullmatch, names) if match)


def load(place: Place, number: int) -> Commit:
    """Read and check one commit.

    Raises:
        CorruptError: the file is damaged or missing.
        StoreError: a newer release wrote it.
    """
    name = name_of(number)
    try:
        raw = place.read(name)
    except OSError as error:
        raise damaged(place, name, str(error)) from error
    try:
        record = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise damaged(place, name, f"not JSON: {error}") from error
    # Byte for byte, so that even a changed blank or the case of an escape is noticed.
    if not isinstance(record, dict) or raw != _sealed({k: v for k, v in record.items() if k != "sha256"}):
        raise damaged(place, name, "a file whose hash of itself is wrong")
    del record["sha256"]
    version = record.get("format_version")
    if isinstance(version, int) and version > FORMAT:
        raise StoreError(
            f"{place} was written by a newer release of HyperIR",
            expected=f"index format {FORMAT} or older",
            got=f"index format {version}, in {name}",
            fix="pip install --upgrade hyperir",
        )
    try:
        commit = Commit.parse(_migrated(record), where=name)
    except ConfigError as error:
        raise damaged(place, name, error.what) from error
    if commit.number != number:
        raise damaged(place, name, f"commit {commit.number} under the name of another")
    return commit


def _migrated(record: dict[str, Any]) -> dict[str, Any]:
    """A commit of an older format, said in the words of this one."""
    if record.get("format_version") == 1:  # before deletions and scalar indices
        record = {**record, "format_version": 2, "stored": record.get("documents"), "indexed": (), "change": ""}
    if record.get("format_version") in (2, 3, 4):  # before structures; several vectors; terms and fitted functions
        record = {**record, "format_version": FORMAT}
    return record


def newest(place: Place) -> Commit | None:
    """The index as it is: the newest commit, or None where there is none. A damaged one is an error, never skipped."""
    found = numbers(place)
    return load(place, found[-1]) if found else None


def publish(place: Place, commit: Commit, new: Iterable[str] = (), give_up: Iterable[int] = ()) -> None:
    """Make a commit the newest, durably.

    Args:
        place: where the index is.
        commit: what to publish.
        new: files that no commit before it names.
        give_up: numbers of older commits that end with it.

    Raises:
        FileExistsError: there is a commit of that number.
        StoreError: it is the newest, but the disk did not confirm that.
    """
    data = _sealed(commit.model_dump(mode="json"))
    try:
        place.publish(name_of(commit.number), data, new, [name_of(number) for number in give_up])
    except UnconfirmedError as error:
        raise StoreError(
            f"the disk did not confirm commit {commit.number} of {place}",
            expected=f"{FOLDER}/ synced",
            got=str(error),
            fix="check the disk, then open the index: the change is visible now, and may or may not survive a loss of "
            f"power; it is there where the index still has commit {commit.number}",
        ) from error


def check_files(place: Place, commit: Commit) -> None:
    """Check that every file is there with its committed size, and the hash of the manifest that Lance parses first.

    Files of search structures and fitted functions are passed over: an index without them can be searched and changed,
    and whoever uses one compares its hash first.

    Raises:
        CorruptError: names the first file that is not as committed.
    """
    apart = {name for structure in commit.structures for name in structure.files}
    apart |= {name for fitted in commit.fitted for name in fitted.files}
    needed = {name: record for name, record in commit.files.items() if name not in apart}
    sizes = place.sizes(needed)
    for name, record in needed.items():
        size = sizes.get(name)
        if size is None:
            raise damaged(place, name, "no such file, or no permission to see it", f"{record.size:,} bytes")
        if size != record.size:
            raise damaged(place, name, f"{size:,} bytes", f"{record.size:,} bytes")
        if name.startswith(MANIFESTS):
            try:
                digest = place.sha256(name)
            except OSError as error:
                raise damaged(place, name, str(error)) from error
            if digest != record.sha256:
                raise damaged(place, name, "other bytes than committed")


@contextmanager
def _reading(place: Place) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"{place} cannot be read", got=str(error), fix="check the address and permissions") from error


def damaged(place: Place, name: str, got: str, expected: str = "the file as it was committed") -> CorruptError:
    """The error for a file that is not as committed."""
    return CorruptError(
        f"{name} in {place} is damaged or missing",
        expected=expected,
        got=got,
        fix=f'"hyperir verify {place}" lists everything that is damaged; nothing was changed',
    )


def _sealed(record: Mapping[str, Any]) -> bytes:
    """The record as JSON, with the hash of that JSON as one more key."""
    if record.get("format_version") == 1:
        digest = hashlib.sha256(_indented(record)).hexdigest()
        return _indented({**record, "sha256": digest}) + b"\n"
    parts = {key: _spread(value) for key, value in record.items()}
    digest = hashlib.sha256(_joined(parts).encode("ascii")).hexdigest()
    return (_joined({**parts, "sha256": json.dumps(digest)}) + "\n").encode("ascii")


def _indented(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, indent=1, sort_keys=True).encode("ascii")


def _spread(value: Any) -> str:
    """A value as JSON; of a mapping, every entry on a line of its own, like the files."""
    if isinstance(value, dict) and value:
        return _joined({key: json.dumps(entry, sort_keys=True) for key, entry in value.items()})
    return json.dumps(value, sort_keys=True)


def _joined(parts: Mapping[str, str]) -> str:
    return "{\n" + ",\n".join(f"{json.dumps(key)}: {value}" for key, value in sorted(parts.items())) + "\n}"
