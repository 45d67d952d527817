"""An index on disk: rows, vectors, and the commits that make every change of them one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor

from hyperir.core.errors import CorruptError, InputError, StoreError
from hyperir.core.types import Row
from hyperir.index import commit as commits
from hyperir.index import fitted, structures, tombstones
from hyperir.index.clean import clean
from hyperir.index.commit import Commit, Dtype, EncoderRecord, Fitted, Kind, Structure
from hyperir.index.compact import compact
from hyperir.index.covered import Covered
from hyperir.index.filters import Filter
from hyperir.index.lookup import check_ids, find
from hyperir.index.masks import Masks
from hyperir.index.place import Place, place_at
from hyperir.index.places import PARTS, check_place, not_found, not_retained
from hyperir.index.schema import OWN, decode
from hyperir.index.stored import StoredDocs, StoredRagged, stored_docs
from hyperir.index.table import RowTable
from hyperir.index.verify import Report, verify
from hyperir.index.writer import Writer, writing

__all__ = ["Past", "Store"]


@dataclass(frozen=True)
class Past:
    """A commit that can be opened.

    Args:
        number: of the commit.
        created: in UTC, ISO 8601.
        documents: alive then.
        change: what it did, in words.
    """

    number: int
    created: str
    documents: int
    change: str


class Store:
    """An index as of one commit; later changes show after `refresh()`. Made by `Store.create` and `Store.open`.

    Args:
        place: where the index is.
        commit: the commit read.
    """

    def __init__(self, place: Place, commit: Commit) -> None:
        self.place, self.commit = place, commit
        self._rows = RowTable(place, commit.lance_version, commit.files)

    @property
    def path(self) -> Path | str:
        """Where the index is: a folder, or an address of an object store."""
        return self.place.path

    @classmethod
    def create(
        cls,
        path: str | Path,
        *,
        width: int,
        dtype: Dtype = "float32",
        kind: Kind = "dense",
        encoder: EncoderRecord | None = None,
    ) -> Store:
        """Make an empty index, which answers with nothing.

        Args:
            path: a folder that does not exist or is empty, or an address as `s3://bucket/name`.
            width: D of the documents' vectors; or how many terms there are, `core.terms.TERMS` for hashed words.
            dtype: of the vectors or weights as stored; float16 takes half of float32.
            kind: "dense" for one vector a document, "multi" for several, "sparse" for weights of terms.
            encoder: the model that makes the vectors, or None where they come from elsewhere.

        Raises:
            InputError: the folder holds something, or the width or type is impossible.
        """
        place = place_at(path)
        if isinstance(width, bool) or not isinstance(width, int) or width < 1:
            raise InputError("an index needs the vectors' width", expected="1 or more", got=f"width = {width!r}")
        if dtype not in get_args(Dtype):
            raise InputError("vectors are stored in one of two types", expected="float32 or float16", got=repr(dtype))
        if kind not in get_args(Kind):
            raise InputError("there is no such kind of documents", expected=" or ".join(get_args(Kind)), got=repr(kind))
        check_place(place)
        place.prepare()
        with place.lock() as held:
            check_place(place)
            place.prepare((commits.FOLDER, "ann", "tombs"))
            created = commits.now()
            commit = Commit(
                number=1,
                parent=None,
                created=created,
                change="created",
                index_created=created,
                lance_version=0,
                documents=0,
                stored=0,
                next_key=0,
                empty_texts=0,
                width=width,
                dtype=dtype,
                kind=kind,
                encoder=encoder,
                metadata=None,
                generations=(),
                tombstones=(),
                indexed=(),
                structures=(),
                files={},
            )
            commits.publish(place, commit)
            held.fenced()  # who created it before and was cut short finds the number taken
            held.dirty = held.dirty and not clean(place, commit)
        return cls(place, commit)

    @classmethod
    def open(cls, path: str | Path, commit: int | None = None) -> Store:
        """Open an index, after a check that all its files are there in their committed sizes.

        Args:
            path: the index folder, or the address.
            commit: the number of a commit that is retained, see `history`; None opens the newest.

        Raises:
            InputError: there is no index, or no such commit; names those that there are.
            CorruptError: a file is damaged; names it.
            StoreError: a newer release wrote the index.
        """
        return cls._opened(place_at(path), commit)

    @classmethod
    def _opened(cls, place: Place, commit: int | None = None) -> Store:
        while True:
            found = commits.numbers(place)
            if not found:
                raise not_found(place)
            if commit is not None and commit not in found:
                raise not_retained(place, commit, found)
            number = found[-1] if commit is None else commit
            try:
                record = commits.load(place, number)
                commits.check_files(place, record)
            except CorruptError:
                if number in commits.numbers(place):
                    raise
                continue  # a writer gave it up in between
            return cls(place, record)

    def refresh(self) -> Store:
        """The index as it is now; this one stays as it was, and is returned where nothing changed."""
        found = commits.numbers(self.place)
        return self if found and found[-1] == self.number else Store._opened(self.place)

    def history(self) -> list[Past]:
        """The commits that can be opened, oldest first."""
        found = []
        for number in commits.numbers(self.place):
            try:
                record = commits.load(self.place, number)
            except CorruptError:
                if number in commits.numbers(self.place):
                    raise
                continue  # a writer gave it up in between
            found.append(Past(number, record.created, record.documents, record.change))
        return found

    def writer(self, wait: float = 0.0) -> AbstractContextManager[Writer]:
        """Change the index: `with store.writer() as writer: writer.append(rows, vectors)`, as often as needed.

        Leaving the block commits all of it at once; leaving it with an exception commits nothing but what
        `writer.checkpoint()` committed before. The change goes on top of the newest commit, also where this store is
        older.

        Args:
            wait: seconds to wait while another process writes.

        Raises:
            LockedError: another process writes; names it.
        """
        return writing(self.place, wait)

    def compact(self, keep: int = 1, wait: float = 0.0) -> Store:
        """Write what is alive again, without the deleted rows and in one piece; see `hyperir.index.compact`.

        Returns:
            the index as it then is.
        """
        compact(self.place, keep, wait)
        return self.refresh()

    def __len__(self) -> int:
        """Documents, the deleted ones not counted."""
        return self.commit.documents

    @property
    def width(self) -> int:
        """D of the vectors."""
        return self.commit.width

    @property
    def dtype(self) -> Dtype:
        """Type of the vectors as stored."""
        return self.commit.dtype

    @property
    def kind(self) -> Kind:
        """Whether documents have one vector each, "dense", several, "multi", or weights of terms, "sparse"."""
        return self.commit.kind

    @property
    def encoder(self) -> EncoderRecord | None:
        """The model that made the vectors."""
        return self.commit.encoder

    @property
    def fitted(self) -> Fitted | None:
        """The relevance function that was fitted to this index and is in use; None for the encoder's own."""
        return self.commit.fitted[-1] if self.commit.fitted else None

    @contextmanager
    def fitted_folder(self) -> Iterator[Path]:
        """The model folder of `fitted`, its files checked.

        Raises:
            CorruptError: a file is not as committed; names it and what to do.
        """
        assert self.fitted is not None
        with self._retained(), fitted.opened(self.place, self.commit, self.fitted) as folder:
            yield folder

    @property
    def number(self) -> int:
        """Of the commit read; it grows with every change."""
        return self.commit.number

    @cached_property
    def docs(self) -> StoredDocs | StoredRagged:
        """All vectors stored, (N,), in the order in which they were added; `alive` tells which are deleted."""
        docs = stored_docs(self.place, self.commit)
        with self._retained():
            docs.open()  # what is mapped stays readable, also when a writer gives this commit up
        return docs

    @cached_property
    def _masks(self) -> Masks:
        return Masks(self._rows, self.commit.metadata, self.docs)

    def allowed(self, where: str | Filter | None = None) -> Tensor | None:
        """(N,) boolean over the stored rows, what a search may return: alive, and passing the filter if there is one.

        None where every row may come back.

        Raises:
            UnknownNameError: a column that the index does not have; names the nearest.
            InputError: no filter, or a value of another type than the column's.
        """
        if where is None:
            return self.alive
        with self._retained():
            mask = self._masks(where)
        return mask if self.alive is None else mask & self.alive

    @cached_property
    def alive(self) -> Tensor | None:
        """(N,) boolean over the stored rows, false where a row is deleted; None where none is."""
        if not self.commit.tombstones:
            return None
        with self._retained():
            dead = tombstones.read(self.place, self.commit)
        return torch.from_numpy(~tombstones.among(self.docs.keys.numpy(), dead))

    def load_structure(self, structure: Structure) -> dict[str, Tensor]:
        """What a search structure of this commit consists of, checked; see `hyperir.index.structures.load`."""
        with self._retained():
            return structures.load(self.place, self.commit, structure)

    def covered(self, keys: Tensor) -> Covered:
        """The documents with these keys, (S,) ascending, those that have left the index included."""
        return Covered(self.docs, keys, self._rows)

    def positions(self, ids: Sequence[str]) -> list[int]:
        """Where the documents with these ids stand, in the order asked; -1 for an id that no document has.

        Raises:
            InputError: a bare string, or an id that is no text.
        """
        unique = check_ids(ids)
        with self._retained():
            places, which = find((batch.column(0) for batch in self._rows.scan(["id"])), unique)
        if self.alive is not None:
            kept = self.alive.numpy()[places]
            places, which = places[kept], which[kept]
        known = {unique[i]: place for i, place in zip(which.tolist(), places.tolist(), strict=True)}
        return [known.get(id_, -1) for id_ in ids]

    def rows(self, positions: Sequence[int]) -> list[Row]:
        """The documents at these positions, in the order asked: id, title ("" where there is none), text, metadata.

        Raises:
            StoreError: a writer gave this commit up.
        """
        positions = self._checked(positions)
        if not positions:
            return []
        columns = self.commit.metadata or ()
        with self._retained():
            table = self._rows.take(positions, [*OWN, *(column.column for column in columns)])
        own = zip(*(table[name].to_pylist() for name in OWN), strict=True)
        return [
            {"id": id_, "title": title or "", "text": text, **metadata}
            for (id_, title, text), metadata in zip(own, decode(table, columns), strict=True)
        ]

    def ids(self, positions: Sequence[int]) -> list[str]:
        """The ids at these positions, in the order asked."""
        positions = self._checked(positions)
        with self._retained():
            ids: list[str] = self._rows.take(positions, ["id"])["id"].to_pylist() if positions else []
        return ids

    @contextmanager
    def _retained(self) -> Iterator[None]:
        """Say it where files are missing because this commit was given up, rather than damaged."""
        try:
            yield
        except CorruptError as error:
            found = commits.numbers(self.place)
            if not found or self.number in found:
                raise
            raise StoreError(
                f"commit {self.number} of {self.path} was given up by a later change, and its files with it",
                expected=f"a commit that is retained: {found[0]} to {found[-1]}",
                fix="go on with `store.refresh()`, which is the newest",
            ) from error

    def _checked(self, positions: Sequence[int]) -> list[int]:
        checked = [int(position) for position in positions]
        for position in checked:
            if not 0 <= position < self.commit.stored:
                raise IndexError(f"row {position} of an index of {self.commit.stored:,} documents")
        return checked

    def info(self) -> dict[str, Any]:
        """What the index holds, in plain values."""
        commit = self.commit
        return {
            "path": str(self.path),
            "documents": commit.documents,
            "deleted": commit.stored - commit.documents,
            "empty_texts": commit.empty_texts,
            "width": commit.width,
            "dtype": commit.dtype,
            "kind": commit.kind,
            "vectors": sum(g.documents if g.vectors is None else g.vectors for g in commit.generations),
            "encoder": commit.encoder.model_dump() if commit.encoder else None,
            "metadata": {column.name: column.type for column in commit.metadata or ()},
            "indexed": list(commit.indexed),
            "structures": [self._told(structure) for structure in commit.structures],
            "fitted": [{"told": one.told, "created": one.created} for one in commit.fitted],
            "commits": len(commits.numbers(self.place)),
            "number": commit.number,
            "format_version": commit.format_version,
            "created": commit.index_created,
            "updated": commit.created,
            "bytes": self._bytes(),
        }

    def _told(self, structure: Structure) -> dict[str, Any]:
        added, removed = structures.age(self.commit, structure)
        return {
            "type": structure.type,
            "config": structure.config,
            "documents": structure.documents,
            "added_since": added,
            "removed_since": removed,
            "due": structures.due(self.commit, structure),
            "created": structure.created,
            "bytes": sum(self.commit.files[name].size for name in structure.files),
        }

    def _bytes(self) -> dict[str, int]:
        """Bytes on disk, of all commits that are retained."""
        files = {part: self.place.files(folder) for folder, part in PARTS.items()}
        built = sum(size for name, size in files["vectors"].items() if name.endswith(f"/{structures.FILE}"))
        sizes = {part: sum(found.values()) for part, found in files.items()}
        return {**sizes, "vectors": sizes["vectors"] - built, "structures": built}

    def verify(self, show_progress: bool = True) -> Report:
        """Read the whole folder again and compare it with what was committed; see `hyperir.index.verify`."""
        return verify(self.path, show_progress)

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r}: {len(self):,} documents, width {self.width}, {self.dtype})"
