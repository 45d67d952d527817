"""Before Lance reads a file of rows: whether it is as it was committed.

Over some damaged files Lance ends the process. Nearly all of such a file is vectors, which are searched from the packed
files, so a commit names a second hash, of everything else: a few per cent of the bytes, hashed when a file is first
read. Where the vectors are read as well, all of the file is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from hyperir.index import durable
from hyperir.index.commit import Apart, FileRecord, damaged
from hyperir.index.place import Place

__all__ = ["VECTOR", "Checked", "apart"]

VECTOR = "vector"
REMEMBERED = 1 << 14  # hashes of this process, of some hundred bytes each


def apart(place: Place, name: str) -> Apart | None:
    """What a new file of rows is without its vectors; None where that is not told, or not needed: on object stores."""
    from lance.file import LanceFileReader

    if place.stamp(name) is None:
        return None
    found = LanceFileReader(place.table(name).uri).metadata()
    names, kept = found.schema.names, [_leaves(field.type) for field in found.schema]
    if len(found.columns) != sum(kept):  # a column that Lance keeps otherwise
        return None
    ranges: list[tuple[int, int]] = []
    at = names.index(VECTOR)
    first = sum(kept[:at])
    pages = [page for column in found.columns[first : first + kept[at]] for page in column.pages]
    for start, size in sorted((buffer.position, buffer.size) for page in pages for buffer in page.buffers):
        if ranges and ranges[-1][1] == start:
            start, size = ranges[-1][0], start - ranges.pop()[0] + size
        ranges.append((start, start + size))
    return Apart(vectors=tuple(ranges), sha256=durable.sha256_of(place.local(name, None), without=ranges))


def _leaves(kind: Any) -> int:
    """How many columns Lance makes of one: a struct has one for each of its fields."""
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return sum(_leaves(field.type) for field in kind)
    return _leaves(kind.value_type) if pa.types.is_list(kind) else 1


class Checked:
    """Files of a commit; each is compared with it before it is first read.

    Args:
        place: where the index is.
        files: of the commit. Others are not compared: this process is writing them.
    """

    def __init__(self, place: Place, files: Mapping[str, FileRecord]) -> None:
        self._place, self._files = place, files
        self._done: dict[str, bool] = {}  # name -> whether with its vectors

    def __call__(self, names: Iterable[str], vectors: bool) -> None:
        """Compare what was not compared yet.

        Args:
            names: of files that are about to be read.
            vectors: whether their vectors are, too.

        Raises:
            CorruptError: a file is not as committed; names it.
        """
        done = self._done
        new = [name for name in names if name in self._files and not (name in done and (done[name] or not vectors))]
        if new:
            durable.at_once(lambda name: self._compare(name, vectors), new)
            done.update(dict.fromkeys(new, vectors))

    def _compare(self, name: str, vectors: bool) -> None:
        record = self._files[name]
        part = None if vectors else record.apart
        try:
            stamp = self._place.stamp(name)
            if stamp is None:
                return
            found = _hash(self._place.local(name, record.content), stamp, part.vectors if part else ())
        except OSError as error:
            raise damaged(self._place, name, str(error)) from error
        if found != (part or record).sha256:
            raise damaged(self._place, name, "other bytes than committed")


@lru_cache(maxsize=REMEMBERED)
def _hash(path: Path, stamp: tuple[int, ...], without: Sequence[tuple[int, int]]) -> str:
    """A file's hash; computed once, until the file is written again."""
    return durable.sha256_of(path, without=without)
