"""Measuring strategies: bench."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hyperir.cli.app import (
    AsJson,
    CommitNumber,
    Folder,
    Offline,
    SameModel,
    app,
    go_offline,
    print_json,
    say,
    strategy_of,
)
from hyperir.core.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from hyperir.evaluate.benching import Bench

__all__ = ["bench"]


@app.command()
def bench(
    folder: Folder,
    more: Annotated[list[int] | None, typer.Argument(metavar="[K]...", help="More ranks.")] = None,
    queries: Annotated[Path | None, typer.Option(help="What is searched: jsonl or tsv.")] = None,
    qrels: Annotated[Path | None, typer.Option(help="Judgements, for nDCG@10, RR@10 and R beside the recall.")] = None,
    k: Annotated[list[int], typer.Option("-k", help="Ranks of recall; the largest is how many are asked for.")] = [  # noqa: B006 - typer copies it
        10,
        100,
        1000,
    ],
    strategy: Annotated[
        list[str] | None, typer.Option(help="As ivf or graph:ef=100,beam=4; several times. A grid, if none is said.")
    ] = None,
    train_queries: Annotated[Path | None, typer.Option(help="Training queries, for bipartite.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many queries.")] = None,
    split: Annotated[
        float | None, typer.Option(min=0, max=1, metavar="RECALL", help="Choose on half the queries, report the other.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Of torch; else as it finds them.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A folder for JSON, pictures and a page.")
    ] = None,
    model: SameModel = None,
    commit: CommitNumber = None,
    as_json: AsJson = False,
    offline: Offline = False,
) -> None:
    """Compare strategies: recall against exhaustive search, documents scored, time, size, and quality."""
    go_offline(offline)
    if queries is None:
        raise InputError("a bench takes queries", expected="--queries FILE", got="none")
    ranks = [*(k if more is None or k != [10, 100, 1000] else []), *(more or [])]
    from hyperir.corpus.trec import read_qrels, read_queries

    texts = dict(list(read_queries(queries).items())[:limit])
    judged = None if qrels is None else read_qrels(qrels)
    training = None if train_queries is None else list(read_queries(train_queries).values())
    strategies = None if not strategy else [strategy_of(text) for text in strategy]
    if output is not None and output.exists() and not output.is_dir():
        raise InputError(f"{output} is a file", expected="a folder, new or not")
    import torch

    from hyperir.evaluate.benching import bench as measure
    from hyperir.search import Index

    before = torch.get_num_threads()
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        found = measure(
            Index.open(folder, model, commit=commit),
            texts,
            judged,
            strategies=strategies,
            ks=sorted(set(ranks)),
            training=training,
            goal=split,
        )
    finally:
        torch.set_num_threads(before)
    if output is not None:
        _write(found, output)
    if as_json:
        print_json(found.as_dict())
    else:
        print(found)


def _write(found: Bench, folder: Path) -> None:
    from hyperir.evaluate.benching.page import page
    from hyperir.evaluate.benching.plots import draw

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bench.json").write_text(json.dumps(found.as_dict(), indent=1, ensure_ascii=False), encoding="utf-8")
    (folder / "bench.html").write_text(page(found), encoding="utf-8")
    try:
        draw(found, folder)
    except MissingExtraError as error:
        say(f"{error}")
    say(f"{folder}: " + ", ".join(sorted(path.name for path in folder.iterdir())))
