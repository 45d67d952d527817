"""Files of queries: JSON lines, CSV or TSV with named columns, or `id` and `text` with a tab between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hyperir.core.errors import CollectionError
from hyperir.corpus.columns import Column, as_id, as_text
from hyperir.corpus.csv import read_records
from hyperir.corpus.jsonl import read_objects
from hyperir.corpus.lines import read_lines, suffix
from hyperir.corpus.pairs import read_pairs

__all__ = ["judged_only", "read_queries"]

QUERY_ID = Column("query id", ("_id", "id", "qid", "query_id", "query-id"))
QUERY_TEXT = Column("query text", ("text", "query", "question"))


def read_queries(path: str | Path) -> dict[str, str]:
    """Query texts by id, in the file's order. The format is recognised by the content; gzip too.

    Raises:
        CollectionError: the file is missing or broken, a query has no id or text, or an id comes twice.
    """
    path = Path(path)
    queries: dict[str, str] = {}
    for number, qid, text in _records(path):
        if qid in queries:
            raise CollectionError(
                f"line {number} of {path}: the query id {qid!r} comes a second time", expected="every id once"
            )
        queries[qid] = text
    return queries


def judged_only(queries: Mapping[str, str], judged: Iterable[str], name: str, split: str) -> dict[str, str]:
    """The queries that a split judges, in the order of `queries`. Raises CollectionError where one has no text."""
    judged = set(judged)
    missing = sorted(judged - queries.keys())
    if missing:
        raise CollectionError(
            f"the split {split!r} of {name!r} judges {len(missing)} queries that have no text",
            got=", ".join(missing[:5]) + (", ..." if len(missing) > 5 else ""),
            fix="add them to the queries, or take their judgements out",
        )
    return {qid: text for qid, text in queries.items() if qid in judged}


def _records(path: Path) -> Iterator[tuple[int, str, str]]:
    first = next((line for _, line in read_lines(path) if line.strip()), "")
    if first.lstrip().startswith(("{", "[")):
        yield from _named(path, read_objects(path))
    elif suffix(path) == ".csv" or (suffix(path) == ".tsv" and _is_header(first)):
        yield from _named(path, read_records(path))
    else:
        yield from read_pairs(path)


def _is_header(line: str) -> bool:
    return not set(QUERY_ID.names).isdisjoint(field.strip() for field in line.split("\t"))


def _named(path: Path, records: Iterable[tuple[int, Mapping[str, Any]]]) -> Iterator[tuple[int, str, str]]:
    for number, values in records:
        place = f"line {number} of {path}"
        id_, text = QUERY_ID.find(None, values, place), QUERY_TEXT.find(None, values, place)
        try:
            yield number, as_id(values[id_]), as_text(values[text], text)
        except ValueError as error:
            raise CollectionError(f"{place}: {error}") from None
