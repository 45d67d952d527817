"""Judgements and runs: TREC's formats, and the tables with a header that BEIR uses."""

from __future__ import annotations

import gzip
import math
from collections.abc import Callable, Iterator, Mapping
from decimal import Context, Decimal
from pathlib import Path
from typing import TypeVar

from hyperir.core.errors import CollectionError, InputError
from hyperir.corpus.lines import excerpt, read_lines
from hyperir.corpus.queries import read_queries

__all__ = ["read_qrels", "read_queries", "read_run", "write_run"]

V = TypeVar("V", int, float)

# Six significant digits: the most that stay different from each other in single precision, in which trec_eval reads
# them. Steps end at 1e-35, which single precision still tells from zero.
PRINTED = Context(prec=6, Emin=-30, Emax=999)


def read_qrels(path: str | Path) -> dict[str, dict[str, int]]:
    """Judgements, `{query id: {document id: grade}}`; the format is recognised by the content, gzip too.

    TREC: `qid iteration docid grade`, separated by white space. BEIR: `query-id corpus-id score`, separated by tabs,
    with a header.

    Raises:
        CollectionError: missing or empty file, a line of another format, or two grades for one document.
    """
    path = Path(path)
    forms = {4: ("qid 0 docid grade", (0, 2, 3)), 3: ("query-id corpus-id score", (0, 1, 2))}
    qrels = _read(path, forms, _grade, "judgements")
    if not qrels:
        raise CollectionError(f"there is no judgement in {path}", expected="lines `qid 0 docid grade`, or BEIR's table")
    return qrels


def read_run(path: str | Path) -> dict[str, dict[str, float]]:
    """A run, `{query id: {document id: score}}`, in the file's order; gzip too.

    TREC: `qid Q0 docid rank score tag`, separated by white space. Also read: a table with the header
    `query-id corpus-id rank score`, separated by tabs.

    Raises:
        CollectionError: missing file, a line of another format, a score that is no number, or a document that a query
            has twice.
    """
    forms = {6: ("qid Q0 docid rank score tag", (0, 2, 4)), 4: ("query-id corpus-id rank score", (0, 1, 3))}
    return _read(Path(path), forms, _score, "a run")


def write_run(path: str | Path, run: Mapping[str, Mapping[str, float]], tag: str) -> None:
    """Write TREC's six columns, best first, ranks from 1; gzip where the name ends with `.gz`.

    Documents are ordered by score, equal ones as they came. Scores have six significant digits and strictly decrease
    within a query, so that no tool has ties to break: one that would not is lowered by the smallest step that shows.
    A query without documents leaves no line.

    Raises:
        InputError: an id or the tag is empty or has white space in it, or a score is not finite; nothing is written.
    """
    path = Path(path)
    _check_word(tag, "the tag of a run")
    for qid, scores in run.items():
        _check_word(qid, "a query id")
        for docid, score in scores.items():
            _check_word(docid, "a document id")
            if not abs(score) < 1e300:  # also false for NaN
                raise InputError(
                    f"the score of document {docid!r} for query {qid!r} cannot be written",
                    expected="finite numbers",
                    got=str(score),
                )
    try:
        with path.open("wb") as file:
            if path.name.endswith(".gz"):
                with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:  # equal runs make equal files
                    packed.writelines(_lines(run, tag))
            else:
                file.writelines(_lines(run, tag))
    except OSError as error:
        raise InputError(f"the run {path} cannot be written", got=str(error.strerror or error)) from error


def _lines(run: Mapping[str, Mapping[str, float]], tag: str) -> Iterator[bytes]:
    for qid, scores in run.items():
        above = Decimal("Infinity")
        ordered = sorted(scores.items(), key=lambda item: -item[1])
        for rank, (docid, score) in enumerate(ordered, start=1):
            shown = PRINTED.plus(Decimal(float(score)))
            above = shown if shown < above else PRINTED.next_minus(above)
            yield f"{qid} Q0 {docid} {rank} {above} {tag}\n".encode()


def _check_word(word: str, what: str) -> None:
    if word.split() != [word]:
        raise InputError(f"{what} cannot stand in a TREC run: {word!r}", expected="one word without white space")


def _read(
    path: Path, forms: Mapping[int, tuple[str, tuple[int, int, int]]], number_of: Callable[[str], V], what: str
) -> dict[str, dict[str, V]]:
    """Read lines of one of `forms`: number of fields -> (their names, places of query, document and value)."""
    table: dict[str, dict[str, V]] = {}
    size = 0
    names, places = "", (0, 0, 0)
    for number, line in read_lines(path):
        if not line.strip():
            continue
        fields = _fields(line, min(forms))
        if not size:
            if len(fields) not in forms:
                raise _unreadable(path, number, line, what, " or ".join(f"`{name}`" for name, _ in forms.values()))
            size = len(fields)
            names, places = forms[size]
            if size < max(forms) and not _is_number(fields[places[2]]):  # a header; TREC's own forms have none
                continue
        if len(fields) != size:
            raise _unreadable(path, number, line, what, f"{size} fields, `{names}`")
        qid, docid, text = (fields[place].strip() for place in places)
        try:
            value = number_of(text)
        except ValueError as error:
            raise _unreadable(path, number, line, what, f"{names}, where {error}") from None
        if not qid or not docid:
            raise _unreadable(path, number, line, what, f"{names}, none of them empty")
        scores = table.setdefault(qid, {})
        if docid in scores and (what == "a run" or scores[docid] != value):
            raise CollectionError(
                f"line {number} of {path}: document {docid!r} comes a second time for query {qid!r}",
                expected="every document once",
                got=f"{scores[docid]} and {value}",
            )
        scores[docid] = value
    return table


def _fields(line: str, fewest: int) -> list[str]:
    """Fields between tabs, so that ids may hold spaces; between any white space where there are too few tabs."""
    fields = line.rstrip("\r\n").split("\t")
    return fields if len(fields) >= fewest else line.split()


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _grade(text: str) -> int:
    if not _is_number(text) or not float(text).is_integer():
        raise ValueError(f"the grade is a whole number, not {text!r}")
    return int(float(text))


def _score(text: str) -> float:
    if not _is_number(text):
        raise ValueError(f"the score is a finite number, not {text!r}")
    return float(text)


def _unreadable(path: Path, number: int, line: str, what: str, expected: str) -> CollectionError:
    return CollectionError(
        f"line {number} of {path} cannot be read as {what}", expected=expected, got=excerpt(line.strip())
    )
