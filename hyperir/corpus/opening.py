"""The front door: from what a user writes to the reader that understands it."""

from __future__ import annotations

from pathlib import Path

from hyperir.core.errors import CollectionError, nearest
from hyperir.corpus import READERS
from hyperir.corpus.collection import Collection, Reader
from hyperir.corpus.lines import suffix

__all__ = ["open_collection"]


def open_collection(
    source: str | Path,
    *,
    id_column: str | None = None,
    text_column: str | None = None,
    title_column: str | None = None,
) -> Collection:
    """Open a collection; the first reader of `READERS` that accepts the source gets it. Nothing is read yet.

    Args:
        source: "pydoc", "irds:ID", a folder (BEIR, MS MARCO or text files) or a file (JSON lines, CSV, TSV, Parquet).
        id_column: the column that holds the ids, where it has an unusual name.
        text_column: likewise for the texts.
        title_column: likewise for the titles.

    Raises:
        CollectionError: nothing is there, or no reader understands it; lists all that is understood.
    """
    text = str(source)
    if text.startswith("~"):
        text = str(Path(text).expanduser())
    columns = {"id_column": id_column, "text_column": text_column, "title_column": title_column}
    named = {key: value for key, value in columns.items() if value is not None}
    without_columns = ""
    for name in READERS:
        reader: type[Reader] = READERS[name]
        if named and not named.keys() <= reader.Config.model_fields.keys():
            without_columns = without_columns or (name if reader.accepts(text) else "")
        elif reader.accepts(text):
            return READERS.build({"type": name, "source": text, **named})
    if without_columns:
        raise CollectionError(
            f"{text} has no columns to name: it is read as {READERS[without_columns].understood}",
            got=", ".join(f"{key} = {value!r}" for key, value in named.items()),
            fix="leave out --" + ", --".join(key.replace("_", "-") for key in named),
        )
    raise _not_understood(text)


def _not_understood(source: str) -> CollectionError:
    path = Path(source)
    got = fix = ""
    if path.is_dir():
        what = f"the folder {source} is no collection that is understood"
        inside = sorted(p.name for p in path.iterdir())
        got = ", ".join(inside[:8]) + (", ..." if len(inside) > 8 else "") if inside else "an empty folder"
        below = next((p for p in sorted(path.iterdir()) if p.is_dir() and _accepted(str(p))), None)
        fix = f"did you mean {str(below)!r}?" if below is not None else ""
    elif path.exists():
        what = f"the file {source} is of no kind that is understood"
        got = f"the suffix {suffix(path)!r}" if path.suffix else "no suffix"
    else:
        what = f"there is no file or folder {source}"
        beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        fix = nearest(path.name, ["pydoc", *beside])
    understood = "".join(f"\n    {READERS[name].understood}" for name in READERS)
    return CollectionError(what, expected="one of" + understood, got=got, fix=fix)


def _accepted(source: str) -> bool:
    return any(READERS[name].accepts(source) for name in READERS)
