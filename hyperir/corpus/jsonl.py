"""JSON lines: one object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from hyperir.core.errors import CollectionError
from hyperir.core.types import Row
from hyperir.corpus.collection import DocumentsOnly
from hyperir.corpus.columns import ColumnsConfig, RowMaker
from hyperir.corpus.lines import excerpt, read_lines, suffix

__all__ = ["JSONL_SUFFIXES", "Jsonl", "JsonlConfig", "parse_line", "read_objects"]

JSONL_SUFFIXES = frozenset({".jsonl", ".ndjson", ".json"})


class JsonlConfig(ColumnsConfig):
    """The file, and its columns where they have unusual names."""

    type: Literal["jsonl"] = "jsonl"


class Jsonl(DocumentsOnly):
    """Documents from a file of JSON lines, plain or gzip."""

    Config = JsonlConfig
    understood = "a file of JSON lines (.jsonl, .ndjson or .json, also with .gz)"
    count = None

    def __init__(self, config: JsonlConfig) -> None:
        self._config = config
        self._path = Path(config.source)

    @classmethod
    def accepts(cls, source: str) -> bool:
        """A file with one of the suffixes."""
        return suffix(Path(source)) in JSONL_SUFFIXES and Path(source).is_file()

    @property
    def name(self) -> str:
        """The file's name, without suffixes."""
        return self._path.name.split(".")[0]

    def documents(self) -> Iterator[Row]:
        """Stream the documents. Raises CollectionError, with file and line, at the first broken one."""
        make = RowMaker(self._config, self._path, "line")
        for number, values in read_objects(self._path):
            yield make(values, number)


def read_objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number, object); blank lines are skipped.

    Raises:
        CollectionError: a line is not valid JSON or not an object; says which, and shows a part of it.
    """
    for number, line in read_lines(path):
        if line.strip():
            value = parse_line(path, number, line)
            if not isinstance(value, dict):
                raise _broken(path, number, line, f"it holds {_kind(value)}, not an object", 0)
            yield number, value


def parse_line(path: Path, number: int, line: str) -> Any:
    """The value of one line, whatever its kind. Raises CollectionError, which shows a part of the line."""
    stripped = line.strip()
    try:
        value = json.loads(stripped)
    except json.JSONDecodeError as error:
        raise _broken(path, number, line, f"{error.msg} at column {error.pos + 1}", error.pos) from None
    except (ValueError, RecursionError) as error:  # an integer of thousands of digits; thousands of brackets
        raise _broken(path, number, line, str(error), 0) from None
    if "\\ud" in stripped or "\\uD" in stripped:
        _refuse_lone_surrogates(path, number, line, value)
    return value


def _broken(path: Path, number: int, line: str, why: str, position: int) -> CollectionError:
    stripped = line.strip()
    fix = ""
    if stripped.startswith("["):
        fix = f"if the file is one JSON array, rewrite it: jq -c '.[]' {path.name} > new.jsonl"
    elif stripped == "{":
        fix = f"if the objects are spread over lines, rewrite them: jq -c . {path.name} > new.jsonl"
    elif not line.endswith("\n"):
        fix = "it is the last line and has no end: was the file cut short?"
    return CollectionError(
        f"line {number} of {path} cannot be read: {why}",
        expected="one JSON object a line",
        got=excerpt(stripped, position),
        fix=fix,
    )


def _kind(value: object) -> str:
    kinds = {list: "an array", str: "a string", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


def _refuse_lone_surrogates(path: Path, number: int, line: str, value: object) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        code = ord(error.object[error.start])
        why = f"the escape \\u{code:04x} is half of a character, which no UTF-8 file can hold"
        raise _broken(path, number, line, why, max(line.lower().find(f"\\u{code:04x}"), 0)) from None
