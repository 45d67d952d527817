"""CSV and TSV with a header.

CSV follows RFC 4180: commas, quotes where needed, line breaks inside quotes. TSV has no quoting at all, as is usual for
texts (a quotation mark is a quotation mark), so values hold neither tabs nor line breaks.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from hyperir.core.errors import CollectionError
from hyperir.core.types import Row
from hyperir.corpus.collection import DocumentsOnly
from hyperir.corpus.columns import ColumnsConfig, RowMaker
from hyperir.corpus.lines import excerpt, read_lines, suffix

__all__ = ["Csv", "CsvConfig", "read_records"]

CSV_SUFFIXES = frozenset({".csv", ".tsv"})
FIELD_LIMIT = 1 << 28  # characters; so that a quote that never closes cannot fill the memory


class CsvConfig(ColumnsConfig):
    """The file, and its columns where they have unusual names."""

    type: Literal["csv"] = "csv"


class Csv(DocumentsOnly):
    """Documents from a CSV or TSV file with a header, plain or gzip. Metadata stay text."""

    Config = CsvConfig
    understood = "a table with a header (.csv or .tsv, also with .gz)"
    count = None

    def __init__(self, config: CsvConfig) -> None:
        self._config = config
        self._path = Path(config.source)

    @classmethod
    def accepts(cls, source: str) -> bool:
        """A file with one of the suffixes."""
        return suffix(Path(source)) in CSV_SUFFIXES and Path(source).is_file()

    @property
    def name(self) -> str:
        """The file's name, without suffixes."""
        return self._path.name.split(".")[0]

    def documents(self) -> Iterator[Row]:
        """Stream the documents. Raises CollectionError, with file and line, at the first broken one."""
        make = RowMaker(self._config, self._path, "line")
        for number, values in read_records(self._path):
            yield make(values, number)


def read_records(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (number of the line on which it starts, values by column) for every record after the header.

    Raises:
        CollectionError: no header, the same column twice, a record of another length, or broken quoting.
    """
    records = _split_tabs(path) if suffix(path) == ".tsv" else _parse_csv(path)
    first = next(records, None)
    if first is None:
        raise CollectionError(f"the table {path} is empty", expected="a header with the names of the columns")
    header = _header(first[1], path)
    for number, fields in records:
        if len(fields) != len(header):
            raise CollectionError(
                f"line {number} of {path} has {len(fields)} fields",
                expected=f"{len(header)}, as in the header: " + ", ".join(header),
                got=excerpt(" | ".join(fields)),
                fix="in TSV a value cannot hold a tab or a line break; CSV or JSON lines can"
                if suffix(path) == ".tsv"
                else "put values with commas, quotes or line breaks in quotes",
            )
        yield number, dict(zip(header, fields, strict=True))


def _header(fields: list[str], path: Path) -> list[str]:
    names = [field.strip() or f"column_{i}" for i, field in enumerate(fields, start=1)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise CollectionError(
            f"the header of {path} (line 1) names {', '.join(map(repr, twice))} more than once",
            expected="a name for each column",
            got=excerpt(" | ".join(names)),
        )
    return names


def _split_tabs(path: Path) -> Iterator[tuple[int, list[str]]]:
    for number, line in read_lines(path):
        if line.strip():
            yield number, line.rstrip("\r\n").split("\t")


def _parse_csv(path: Path) -> Iterator[tuple[int, list[str]]]:
    csv.field_size_limit(FIELD_LIMIT)
    reader = csv.reader((line for _, line in read_lines(path)), strict=True)
    while True:
        number = reader.line_num + 1
        try:
            fields = next(reader, None)
        except csv.Error as error:
            raise CollectionError(
                f"the record that starts on line {number} of {path} is not valid CSV",
                got=str(error),
                fix='put values with quotes in quotes, and double those inside: "say ""hello"""',
            ) from None
        if fields is None:
            return
        if fields:  # a blank line has none
            yield number, fields
