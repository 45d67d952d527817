"""Two columns without a header, `id` and `text` with a tab between them: MS MARCO's layout."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hyperir.core.errors import CollectionError
from hyperir.corpus.lines import excerpt, read_lines

__all__ = ["read_pairs"]


def read_pairs(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yield (line number, id, text); blank lines are skipped.

    Raises:
        CollectionError: a line has another number of fields, or an empty id.
    """
    for number, line in read_lines(path):
        if not line.strip():
            continue
        fields = line.rstrip("\r\n").split("\t")
        if len(fields) != 2:
            raise CollectionError(
                f"line {number} of {path} has {len(fields)} fields",
                expected="2 with a tab between them: id, text",
                got=excerpt(line.rstrip()),
                fix="a table with other columns needs a header that names them",
            )
        if not fields[0].strip():
            raise CollectionError(f"line {number} of {path}: the id is empty", got=excerpt(line.rstrip()))
        yield number, fields[0], fields[1]
