"""Records of a file by their number, without holding them: only where each one starts is in memory, 8 bytes a record.

JSON lines are read where they are. Anything else that cannot be read from the middle (gzip, CSV, TSV, Parquet) is
written once as JSON lines into a temporary file, which goes away with its reader.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import tempfile
import weakref
from array import array
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from hyperir.core.errors import CollectionError
from hyperir.core.progress import Progress
from hyperir.corpus.csv import read_records
from hyperir.corpus.jsonl import parse_line
from hyperir.corpus.lines import open_bytes, read_lines_at, suffix
from hyperir.corpus.parquet import read_table

__all__ = ["Check", "Records", "is_table", "read_tabs", "read_values"]

Check = Callable[[Any, str], Any]  # a record and its place, such as "line 3 of a.jsonl"; raises where it is wrong


class Records:
    """JSON values by their number, `records[i]`.

    It can be used by several processes at once, also by those that it is sent to.

    Args:
        path: of a file of JSON lines.
        starts: where each record starts, in bytes.
        fingerprint: sha256 over the records.
        tabs: the lines are no JSON but fields with tabs between them.
        temporary: remove the file when this object goes away.
    """

    def __init__(
        self, path: Path, starts: array[int], fingerprint: str, *, tabs: bool = False, temporary: bool = False
    ) -> None:
        self.path, self.fingerprint = path, fingerprint
        self._starts, self._tabs = starts, tabs
        self._map: mmap.mmap | None = None
        if temporary:
            weakref.finalize(self, _remove, path, os.getpid())

    @classmethod
    def open(cls, path: Path, check: Check, *, tabs: bool = False, show_progress: bool = True) -> Records:
        """Read a file once, whatever its format, and remember where its records are.

        Args:
            path: JSON lines, or a table with a header (CSV, TSV, Parquet), plain or gzip.
            check: called with every record; what it raises names its line.
            tabs: the lines are fields with tabs between them, without a header; a record is their list.
            show_progress: show the bar.

        Raises:
            CollectionError: the file cannot be read; names file and line.
        """
        if _is_packed(path) or (is_table(path) and not tabs):
            values = read_tabs(path) if tabs else read_values(path)
            return cls.spool(values, check, f"Unpacking {path.name}", show_progress=show_progress)
        starts, digest = array("q"), hashlib.sha256()
        with Progress(f"Reading {path.name}", unit="records", show=show_progress) as bar:
            for number, start, line in read_lines_at(path):
                if line.strip():
                    value = fields_of(line) if tabs else parse_line(path, number, line)
                    check(value, f"line {number} of {path}")
                    starts.append(start)
                    digest.update(line.encode())
                    bar.advance()
        return cls(path, starts, digest.hexdigest(), tabs=tabs)

    @classmethod
    def spool(
        cls, values: Iterable[tuple[str, Any]], check: Check, what: str, *, show_progress: bool = True
    ) -> Records:
        """Write (place, value) into a temporary file and remember where they are."""
        starts, digest = array("q"), hashlib.sha256()
        descriptor, name = tempfile.mkstemp(prefix="hyperir-", suffix=".jsonl")
        path = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file, Progress(what, unit="records", show=show_progress) as bar:
                for place, value in values:
                    check(value, place)
                    starts.append(_append(file, value, digest))
                    bar.advance()
        except OSError as error:
            path.unlink(missing_ok=True)
            raise CollectionError(
                f"{what}: the temporary file cannot be written",
                got=f"{error.strerror or error} in {path.parent}",
                fix="set TMPDIR to a folder with room for the unpacked data",
            ) from error
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return cls(path, starts, digest.hexdigest(), temporary=True)

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, i: int) -> Any:
        if not -len(self) <= i < len(self):
            raise IndexError(i)
        if self._map is None:
            with self.path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        start = self._starts[i]
        end = self._map.find(b"\n", start)
        line = self._map[start : end if end >= 0 else len(self._map)]
        return fields_of(line.decode()) if self._tabs else json.loads(line)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_map": None}


def is_table(path: Path) -> bool:
    """Whether a file is a table with named columns, by its suffix."""
    return suffix(path) in (".csv", ".tsv") or path.suffix.lower() in (".parquet", ".pq")


def read_values(path: Path) -> Iterator[tuple[str, Any]]:
    """(place, value) for every record of a file of JSON lines or a table. Raises CollectionError."""
    if path.suffix.lower() in (".parquet", ".pq"):
        for number, row in enumerate(read_table(path), 1):
            yield f"row {number} of {path}", row
    elif suffix(path) in (".csv", ".tsv"):
        for number, record in read_records(path):
            yield f"line {number} of {path}", record
    else:
        for number, _, line in read_lines_at(path):
            if line.strip():
                yield f"line {number} of {path}", parse_line(path, number, line)


def read_tabs(path: Path) -> Iterator[tuple[str, list[str]]]:
    """(place, fields) for every line of a file without a header, the fields between tabs. Raises CollectionError."""
    for number, _, line in read_lines_at(path):
        if line.strip():
            yield f"line {number} of {path}", fields_of(line)


def fields_of(line: str) -> list[str]:
    """What stands between the tabs of a line."""
    return line.rstrip("\r\n").split("\t")


def _append(file: BinaryIO, value: Any, digest: Any) -> int:
    start = file.tell()
    line = json.dumps(value, ensure_ascii=False, default=str).encode() + b"\n"
    digest.update(line)
    file.write(line)
    return start


def _is_packed(path: Path) -> bool:
    with open_bytes(path):  # raises where the file is missing
        pass
    with path.open("rb") as raw:
        return raw.read(2) == b"\x1f\x8b"


def _remove(path: Path, owner: int) -> None:
    if os.getpid() == owner:  # a forked child has a copy of the object, and not of the file
        path.unlink(missing_ok=True)
