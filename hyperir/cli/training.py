"""What training is made of: mine, teach."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hyperir.cli.app import AsJson, BatchSize, Corpus, Offline, app, go_offline, print_json, say
from hyperir.core.errors import InputError

if TYPE_CHECKING:
    from hyperir.search.run import Answer

__all__ = ["mine", "teach"]

Teachers = Annotated[
    list[str] | None, typer.Option("--teacher", help="A cross-encoder or a model: folder or hub id; also several.")
]
Weights = Annotated[list[float] | None, typer.Option("--weight", help="Of each --teacher; their mean if not said.")]
MaxLength = Annotated[int | None, typer.Option(min=8, help="Tokens of a pair, for cross-encoders.")]


@app.command()
def mine(
    collection: Corpus,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file; one that was begun so goes on.")],
    model: Annotated[str, typer.Option("--model", "-M", help="What searches: bm25, tfidf or a model,")] = "bm25",
    index: Annotated[str | None, typer.Option("--index", help="or an index of the same documents.")] = None,
    split: Annotated[str, typer.Option(help="Whose queries.")] = "train",
    depth: Annotated[int, typer.Option(min=1, help="Documents looked at, a query.")] = 200,
    skip_top: Annotated[int, typer.Option(min=0, help="The best ones left out.")] = 0,
    keep: Annotated[int | None, typer.Option(min=1, help="The best of the rest; all if not said.")] = None,
    extra: Annotated[int, typer.Option(min=0, help="Drawn at random of those after --keep.")] = 0,
    grade: Annotated[int, typer.Option(help="From which grade a document is relevant.")] = 1,
    teacher: Teachers = None,
    weight: Weights = None,
    below: Annotated[float | None, typer.Option(help="Only documents with a teacher's score below this.")] = None,
    margin: Annotated[float | None, typer.Option(help="Only so much below the positive's teacher's score.")] = None,
    seed: Annotated[int, typer.Option(help="Of what is drawn.")] = 0,
    batch_size: BatchSize = 32,
    max_length: MaxLength = None,
    as_json: AsJson = False,
    offline: Offline = False,
) -> None:
    """Find hard negatives for the queries of a collection. The same command goes on after a stop."""
    go_offline(offline)
    from hyperir.corpus import open_collection
    from hyperir.train.mining import Mining
    from hyperir.train.mining import mine as run

    source = open_collection(collection)
    source.qrels(split)  # before any model is loaded, so that a wrong split is told at once
    mining = Mining(depth, skip_top, keep, extra, below, margin, grade, seed)
    asked = None if not teacher else _teacher(teacher, weight, batch_size, max_length)
    if index is None:
        from hyperir.search.bare import Bare

        what = {"model": model}
        search: Answer = Bare(model, source, batch_size=batch_size).answer
    else:
        what = {"index": index}
        search = _search(index)
    done = run(source, split, search, output, mining, teacher=asked, source=what)
    _tell(as_json, output, done, "queries", f'data: {{type: collection, source: {collection}, negatives: "{output}"}}')


@app.command()
def teach(
    training: Annotated[str, typer.Argument(help="A training set: a collection with judgements, or a file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file; one that was begun so goes on.")],
    teacher: Teachers = None,
    weight: Weights = None,
    split: Annotated[str | None, typer.Option(help="Of a collection.")] = None,
    negatives: Annotated[Path | None, typer.Option(help="What `hyperir mine` wrote for the collection.")] = None,
    batch_size: BatchSize = 32,
    max_length: MaxLength = None,
    as_json: AsJson = False,
    offline: Offline = False,
) -> None:
    """Let a teacher score every example of a training set. The same command goes on after a stop."""
    go_offline(offline)
    if not teacher:
        raise InputError("who teaches?", expected="--teacher NAME, once or several times")
    from hyperir.train.data import open_training
    from hyperir.train.teaching import teach as run

    options = {"split": split, "negatives": None if negatives is None else str(negatives)}
    training_set = open_training(training, **{key: value for key, value in options.items() if value is not None})
    asked = _teacher(teacher, weight, batch_size, max_length)
    done = run(training_set, asked, output, name=teacher)
    _tell(as_json, output, done, "examples", f'data: {{type: taught, scores: "{output}", of: ...}}')


def _teacher(names: list[str], weights: list[float] | None, batch_size: int, max_length: int | None) -> Any:
    from hyperir.train.teachers.opening import load_teacher

    return load_teacher(names, weights or None, batch_size=batch_size, max_length=max_length)


def _search(index: str) -> Answer:
    from hyperir.search import Index
    from hyperir.search.reading import read_scores

    opened = Index.open(index)
    # All that exhaustive search may cost, for the true top; with blocks of queries it is quicker than others, too.
    return lambda texts, k: read_scores(opened.store, opened.find(texts, k, budget=2 * len(opened)))


def _tell(as_json: bool, output: Path, done: int, what: str, hint: str) -> None:
    if as_json:
        print_json({"file": str(output), what: done})
    else:
        say(f"{output}: {done:,} {what}", f"In a recipe: {hint}")
