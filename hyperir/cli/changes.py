"""Changing an index after it was made, and taking its documents out: update, delete, export, build, compact."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hyperir.cli.app import (
    AsJson,
    BatchSize,
    CommitNumber,
    Corpus,
    Folder,
    IdColumn,
    Offline,
    SameModel,
    TextColumn,
    TitleColumn,
    Wait,
    Where,
    app,
    go_offline,
    print_json,
    say,
)
from hyperir.cli.settings import say_due
from hyperir.core.amounts import count_text
from hyperir.core.errors import InputError
from hyperir.core.settings import parsed

if TYPE_CHECKING:
    from hyperir.index.store import Store

__all__ = ["build", "compact", "delete", "export", "update"]


@app.command()
def update(
    folder: Folder,
    corpus: Corpus,
    insert_missing: Annotated[
        bool, typer.Option("--insert-missing", help="Add documents that the index does not have.")
    ] = False,
    model: SameModel = None,
    batch_size: BatchSize = 32,
    id_column: IdColumn = None,
    text_column: TextColumn = None,
    title_column: TitleColumn = None,
    wait: Wait = 0.0,
    as_json: AsJson = False,
    offline: Offline = False,
) -> None:
    """Replace documents of an index by those of a collection with the same ids, all of them or none."""
    go_offline(offline)
    from hyperir.corpus import open_collection
    from hyperir.encode.needs import say_needs, stored_bytes, survey

    collection = open_collection(corpus, id_column=id_column, text_column=text_column, title_column=title_column)
    from hyperir.search import Index

    target = Index.open(folder, model)
    target.rebuilds = False
    found = survey(collection)
    disk = stored_bytes(found, target.store.width, target.store.dtype, target.store.kind)
    say_needs(target.model, collection, found, batch_size, disk=disk)
    replaced = target.update(
        collection.documents(),
        insert_missing=insert_missing,
        batch_size=batch_size,
        total=found.documents,
        wait=wait,
    )
    added = found.documents - replaced
    if as_json:
        print_json({"replaced": replaced, "added": added, **target.info()})
        return
    more = f", {added:,} added" if insert_missing else ""
    say(f"{folder}: {count_text(replaced, 'document')} replaced{more}, {len(target):,} in all")
    say_due(target, folder)


@app.command()
def delete(
    folder: Folder,
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids of documents,")] = None,
    file: Annotated[Path | None, typer.Option("--ids", help="or a file of them, one a line,")] = None,
    where: Annotated[str | None, typer.Option(help="or a filter, such as 'year < 2020'.")] = None,
    missing_ok: Annotated[
        bool, typer.Option("--missing-ok", help="Pass over ids that the index does not have.")
    ] = False,
    wait: Wait = 0.0,
    as_json: AsJson = False,
) -> None:
    """Delete documents from an index: by their ids, or all that pass a filter. Older commits keep them."""
    given = {"ID": ids, "--ids": file, "--where": where}
    named = [name for name, value in given.items() if value is not None]
    if len(named) != 1:
        raise InputError(
            "what is deleted?", expected="ids, or --ids FILE, or --where FILTER", got=" and ".join(named) or "neither"
        )
    from hyperir.search import Index

    target = Index.open(folder)
    wanted = _read_ids(file) if file is not None else ids or []
    target.rebuilds = False
    deleted = target.delete(wanted, where=where, missing_ok=missing_ok, wait=wait)
    if as_json:
        print_json({"deleted": deleted, "documents": len(target), "number": target.number})
        return
    say(f"{folder}: {count_text(deleted, 'document')} deleted, {len(target):,} in all")
    say_due(target, folder)


@app.command()
def export(
    folder: Folder,
    output: Annotated[Path, typer.Argument(help="The new file or folder.")],
    format_: Annotated[str, typer.Option("--format", help="parquet: one file; beir: a folder.")] = "parquet",
    where: Where = None,
    no_vectors: Annotated[bool, typer.Option("--no-vectors", help="Parquet without the vectors.")] = False,
    commit: CommitNumber = None,
    as_json: AsJson = False,
) -> None:
    """Write an index's documents to a file that other tools read, and that `hyperir index` reads as well."""
    from hyperir.core.amounts import bytes_text
    from hyperir.search import Index

    source = Index.open(folder, commit=commit)
    need = bytes_text(_live_bytes(source.store, "rows.lance/data/"))
    say(f"{count_text(len(source), 'document')}, up to about {need} of disk")
    exported = source.export(output, format_, where=where, vectors=not no_vectors)  # type: ignore[arg-type]
    if as_json:
        print_json({"exported": exported, "path": str(output), "format": format_})
        return
    say(f"{output}: {count_text(exported, 'document')}")


@app.command()
def build(
    folder: Folder,
    strategy: Annotated[str | None, typer.Argument(help="A strategy whose structure is kept: ivf, graph, ...")] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting of it; also repeated.")
    ] = None,
    queries: Annotated[Path | None, typer.Option(help="Training queries for bipartite: jsonl or tsv.")] = None,
    drop: Annotated[bool, typer.Option("--drop", help="Give the structure up instead.")] = False,
    column: Annotated[
        list[str] | None, typer.Option("--column", help="A metadata column that filters ask for; also repeated.")
    ] = None,
    model: SameModel = None,
    wait: Wait = 0.0,
    as_json: AsJson = False,
    offline: Offline = False,
) -> None:
    """Build what makes searching faster: a strategy's structure; with --column, an index of a column for --where."""
    go_offline(offline)
    if strategy is None and (setting or queries is not None or drop):
        raise InputError("of which strategy?", expected="a strategy beside --set, --queries and --drop", got="none")
    if strategy is None and not column:
        raise InputError("what is built?", expected="a strategy, or --column NAME, once or more often", got="nothing")
    if drop and (column or queries is not None):
        raise InputError("--drop builds nothing", fix="leave --column and --queries out")
    config = None if strategy is None else parsed(strategy, setting or [])
    from hyperir.search import Index

    target = Index.open(folder, model)
    if drop and config is not None:
        dropped = target.drop(config, wait=wait)
        told = f"{dropped} structures of {strategy} given up"
    else:
        texts = None
        if queries is not None:
            from hyperir.corpus.trec import read_queries

            texts = list(read_queries(queries).values())
        target.build(config, columns=column or (), queries=texts, wait=wait)
        parts = [f"{strategy} is built of {len(target):,} documents"] * (strategy is not None)
        parts += [f"filters have an index of {', '.join(target.info()['indexed'])}"] * bool(column)
        told = "; ".join(parts)
    if as_json:
        print_json(target.info())
        return
    say(f"{folder}: {told}")


@app.command()
def compact(
    folder: Folder,
    keep: Annotated[int, typer.Option(min=1, help="Commits that stay, the new one included.")] = 1,
    wait: Wait = 0.0,
    as_json: AsJson = False,
) -> None:
    """Write an index again without deleted documents and in one piece, and give up older commits."""
    from hyperir.core.amounts import bytes_text
    from hyperir.search import Index

    target = Index.open(folder)
    before = target.info()
    need = bytes_text(_live_bytes(target.store))
    say(
        f"Writing {count_text(before['documents'], 'document')} again, which needs about {need} of free disk "
        f"meanwhile; {count_text(before['deleted'], 'deleted document')} and up to "
        f"{count_text(before['commits'], 'older commit')} go"
    )
    target.compact(keep, wait=wait)
    after = target.info()
    if as_json:
        print_json(after)
        return
    sizes = [bytes_text(sum(facts["bytes"].values())) for facts in (before, after)]
    say(f"{folder}: {sizes[1]} of disk, before {sizes[0]}")


def _read_ids(path: Path) -> list[str]:
    from hyperir.corpus.lines import read_lines

    return [id_ for _, line in read_lines(path) if (id_ := line.rstrip("\r\n"))]


def _live_bytes(store: Store, start: str = "") -> float:
    """Bytes of a commit's files whose names start so, as far as they hold living documents."""
    stored = store.commit.stored
    size = sum(record.size for name, record in store.commit.files.items() if name.startswith(start))
    return size * len(store) / stored if stored else 0.0
