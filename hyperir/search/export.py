"""An index's documents as a file of another format: streamed, the living ones only, in their order."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hyperir.core.errors import InputError, StoreError, nearest
from hyperir.core.progress import Progress
from hyperir.index.commit import Column
from hyperir.index.contents import contents, kinds_of
from hyperir.index.filters import Filter
from hyperir.index.kinds import KINDS
from hyperir.index.schema import OWN, decode
from hyperir.index.store import Store

__all__ = ["FORMATS", "export"]

JSON = "json"  # the type of metadata columns that hold dictionaries or lists


def export(
    store: Store,
    path: str | Path,
    format: str,  # noqa: A002 - as users say it
    where: str | Filter | None,
    vectors: bool,
    show_progress: bool,
) -> int:
    """Write documents to a new file or folder; see `Index.export`.

    Returns:
        How many were written.
    """
    if format not in FORMATS:
        raise InputError(
            f"an index cannot be exported as {format!r}",
            expected="one of " + ", ".join(FORMATS),
            fix=nearest(format, FORMATS),
        )
    allowed = store.allowed(where)  # an error of the filter comes before anything is written
    total = len(store) if allowed is None else int(allowed.sum())
    with _new(Path(path)) as place, Progress("Exporting", total, "documents", show=show_progress) as bar:
        FORMATS[format](store, place, where, vectors, bar)
        return bar.done


def _parquet(store: Store, place: Path, where: str | Filter | None, vectors: bool, bar: Progress) -> None:
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    metadata, kinds = store.commit.metadata or (), kinds_of(store)
    own = [*OWN, "vector"] if vectors else list(OWN)
    names = [*own, *_renamed(metadata, {*own, "_id"})]
    columns = [*own, *(column.column for column in metadata)]
    vector = KINDS[store.kind].readable_type(store.width, store.dtype)
    kinds |= dict.fromkeys(OWN, pa.string()) | {"vector": vector}
    schema = pa.schema([(name, kinds[column]) for name, column in zip(names, columns, strict=True)])
    with ParquetWriter(place, schema) as writer:
        for batch in contents(store, columns, where):
            table = pa.table([_exported(batch, column, store) for column in columns], schema=schema)
            writer.write_table(table)
            bar.advance(len(table))


def _exported(batch: Any, column: str, store: Store) -> Any:
    """A column, that of vectors as other tools read it."""
    found = batch.column(column)
    return KINDS[store.kind].readable(found, store.width) if column == "vector" else found


def _beir(store: Store, place: Path, where: str | Filter | None, vectors: bool, bar: Progress) -> None:
    metadata = store.commit.metadata or ()
    names = _renamed(metadata, {"_id", *OWN})
    place.mkdir()
    with (place / "corpus.jsonl").open("w", encoding="utf-8") as file:
        for batch in contents(store, [*OWN, *(column.column for column in metadata)], where):
            own = zip(*(batch.column(name).to_pylist() for name in OWN), strict=True)
            for (id_, title, text), row in zip(own, decode(batch, metadata), strict=True):
                record = {"_id": id_, "title": title or "", "text": text}
                record |= dict(zip(names, row.values(), strict=True))
                file.write(json.dumps(record, ensure_ascii=False, default=_as_text) + "\n")
            bar.advance(len(batch))


FORMATS: dict[str, Callable[[Store, Path, str | Filter | None, bool, Progress], None]] = {
    "parquet": _parquet,
    "beir": _beir,
}


def _renamed(metadata: Sequence[Column], taken: set[str]) -> list[str]:
    """Names of metadata columns in the file: where one is taken, or would be read as the id, a "_" follows it."""
    names = []
    for column in metadata:
        name = column.name
        while name in taken:
            name += "_"
        taken = {*taken, name}
        names.append(name)
    return names


def _as_text(value: Any) -> str:
    """What JSON has no type for: bytes as base64, dates and times as ISO 8601."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value.isoformat())


@contextmanager
def _new(path: Path) -> Iterator[Path]:
    """A place beside `path` that takes its name where all went well, and is removed where not."""
    path = path.absolute()
    if path.exists():
        raise InputError(f"{path} exists already, and is not overwritten", fix="choose another name, or remove it")
    if not path.parent.is_dir():
        raise InputError(f"there is no folder {path.parent}", fix="make it, or choose another")
    place = path.with_name(f"{path.name}.unfinished")
    _remove(place)
    try:
        yield place
        place.rename(path)
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written", got=str(error), fix="free some space, or choose another"
        ) from error
    finally:
        _remove(place)


def _remove(place: Path) -> None:
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)
