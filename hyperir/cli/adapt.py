"""Fitting an index's relevance function to its collection: adapt."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hyperir.cli.app import AsJson, Folder, Offline, Wait, app, go_offline, print_json, say, strategy_of
from hyperir.core.errors import InputError

__all__ = ["adapt"]


@app.command()
def adapt(
    folder: Folder,
    queries: Annotated[Path | None, typer.Option(help="Queries that people asked: jsonl or tsv;")] = None,
    qrels: Annotated[Path | None, typer.Option(help="what answers them, by judges or clicks: TREC or BEIR.")] = None,
    collection: Annotated[str | None, typer.Option(help="Or both of a collection,")] = None,
    split: Annotated[str, typer.Option(help="of this split.")] = "train",
    teacher: Annotated[
        list[str] | None, typer.Option(help="fused (BM25 and the index), bm25, vectors, none, or models; also several.")
    ] = None,
    relevance: Annotated[
        str | None, typer.Option(help="dot: another query vector; hyper: a q-net beside it. If not said, as it is.")
    ] = None,
    form: Annotated[str | None, typer.Option(help="The q-net: a name, or its settings as JSON.")] = None,
    learn: Annotated[
        str | None, typer.Option(help="head: the function; all: the query encoder too, the default but for q-nets.")
    ] = None,
    width: Annotated[int | None, typer.Option(min=1, help="Documents of so many numbers, in a new index,")] = None,
    output: Annotated[str | None, typer.Option("-o", "--output", help="which goes here.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Of training, for each rate.")] = None,
    rate: Annotated[list[float] | None, typer.Option(help="A learning rate; of several validation chooses.")] = None,
    asked: Annotated[int | None, typer.Option(min=1, help="Of --queries at most so many.")] = None,
    made: Annotated[int | None, typer.Option(min=0, help="Queries made of the documents, at most.")] = None,
    generator: Annotated[str | None, typer.Option(help="A model that writes questions (doc2query).")] = None,
    generated: Annotated[int | None, typer.Option(min=1, help="Documents that it writes one for, at most.")] = None,
    measure: Annotated[str, typer.Option("-m", "--measure", help="What decides.")] = "nDCG@10",
    seed: Annotated[int, typer.Option(help="Of all that is drawn.")] = 0,
    work: Annotated[Path | None, typer.Option(help="A folder to work in, which stays.")] = None,
    only_test: Annotated[bool, typer.Option("--only-test", help="Keep nothing, whatever is gained.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Give back the function that was there before.")] = False,
    wait: Wait = 0.0,
    as_json: AsJson = False,
    offline: Offline = False,
) -> None:
    """Fit the relevance function to the documents of an index, test it, and keep it where it is better.

    Ctrl-C saves; the same command goes on there.
    """
    go_offline(offline)
    given = {"--queries": queries, "--qrels": qrels, "--collection": collection, "--teacher": teacher, "--form": form}
    if undo:
        if wrong := [name for name, value in given.items() if value is not None]:
            raise InputError("--undo adapts nothing", expected="--undo alone", got=f"--undo {' '.join(wrong)}")
        from hyperir.index.store import Store
        from hyperir.search.fitted import undo as give_back

        gone = give_back(Store.open(folder), wait=wait)
        if as_json:
            print_json({"undone": gone})
        else:
            say(f"{folder}: undone, {gone}; searches use the function before it")
        return
    values = {
        "queries": None if queries is None else str(queries),
        "qrels": None if qrels is None else str(qrels),
        "collection": collection,
        "split": split,
        "teacher": tuple(teacher) if teacher else None,
        "relevance": relevance,
        "form": None if form is None else strategy_of(form),
        "learn": learn,
        "width": width,
        "steps": steps,
        "rates": tuple(rate) if rate else None,
        "asked": asked,
        "made": made,
        "generator": generator,
        "generated": generated,
        "measure": measure,
        "seed": seed,
    }
    from hyperir.train.adapting import adapt as run

    found = run(
        folder,
        {name: value for name, value in values.items() if value is not None},
        keep=not only_test,
        work=work,
        wait=wait,
        output=output,
    )
    if as_json:
        print_json(found.as_dict())
    else:
        print(found)
