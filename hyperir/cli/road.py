"""The road from documents to answers and measures: demo, index, search, eval."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hyperir.cli.app import (
    AsJson,
    BatchSize,
    Budget,
    CommitNumber,
    Corpus,
    Folder,
    IdColumn,
    ModelName,
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
    strategy_of,
)
from hyperir.cli.settings import say_due
from hyperir.core.amounts import count_text
from hyperir.core.errors import InputError, LockedError

if TYPE_CHECKING:
    from hyperir.core.types import Hit
    from hyperir.corpus.collection import Collection
    from hyperir.evaluate.measures import Run
    from hyperir.index.place import Place

__all__ = ["demo", "evaluate_", "index", "search"]

Measures = Annotated[list[str], typer.Option("-m", "--measure", help="Measures of ir_measures; also as a list.")]


@app.command()
def demo(
    folder: Annotated[
        Path | None, typer.Option(help="Where the index is kept; the user's cache folder if not said.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The first minute: Python's own documentation, indexed, searched and evaluated against baselines. Offline."""
    go_offline(True)
    from hyperir.demo import run

    result = run(folder)
    if as_json:
        print_json(result.as_dict())
    else:
        print(result)


@app.command()
def index(
    corpus: Corpus,
    output: Annotated[Path, typer.Option("--output", "-o", help="The index folder; an existing one is added to.")],
    model: ModelName = "hyperir-minilm",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on after a stop: pass over documents that the index has.")
    ] = False,
    checkpoint: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Commit as often as this, so that a stop loses no more.")
    ] = 300.0,
    batch_size: BatchSize = 32,
    dtype: Annotated[str, typer.Option(help="How vectors are stored: float32 or float16.")] = "float32",
    truncate: Annotated[int | None, typer.Option(min=1, help="Cut vectors to so many numbers (Matryoshka).")] = None,
    id_column: IdColumn = None,
    text_column: TextColumn = None,
    title_column: TitleColumn = None,
    wait: Wait = 0.0,
    as_json: AsJson = False,
    offline: Offline = False,
) -> None:
    """Encode a collection into an index, or add it to an existing one. Ctrl-C keeps what is encoded."""
    go_offline(offline)
    from hyperir.corpus import open_collection

    collection = open_collection(corpus, id_column=id_column, text_column=text_column, title_column=title_column)
    if dtype not in ("float32", "float16"):
        raise InputError(f"vectors cannot be stored as {dtype!r}", expected="float32 or float16")
    from hyperir.encode import load
    from hyperir.encode.needs import say_needs, stored_bytes, survey

    found = survey(collection)  # before the model is loaded, so that the collection's errors come at once
    from hyperir.index.place import place_at
    from hyperir.search import Index

    encoder = load(model, truncate=truncate)
    say_needs(encoder, collection, found, batch_size, disk=stored_bytes(found, encoder.width, dtype, encoder.kind))
    place = place_at(output)
    new = not place.names("commits")
    target = Index.create(output, encoder, dtype=dtype) if new else Index.open(output, encoder)  # type: ignore[arg-type]
    if resume and len(target):
        say(f"{output} has {count_text(len(target), 'document')}; those with the same ids are passed over")
    target.rebuilds = False
    try:
        added = target.add(
            collection.documents(),
            batch_size=batch_size,
            total=found.documents,
            checkpoint=checkpoint,
            resume=resume,
            wait=wait,
        )
    except BaseException as error:
        if new and not isinstance(error, LockedError):
            _remove_empty(place)
        raise
    info = target.info()
    if as_json:
        print_json({"added": added, **info})
        return
    empty = f", {info['empty_texts']:,} of them with empty text" if info["empty_texts"] else ""
    shown = place.path if isinstance(place.path, str) else output  # a Path of an address has lost a slash
    say(
        f"{shown}: {count_text(added, 'document')} added, {info['documents']:,} in all{empty}",
        f'Try: hyperir search {shown} "a question"',
    )
    say_due(target, shown)


@app.command()
def search(
    folder: Folder,
    question: Annotated[str | None, typer.Argument(help="One question.")] = None,
    k: Annotated[int, typer.Option("-k", help="Answers wanted.")] = 10,
    queries: Annotated[Path | None, typer.Option(help="Many questions: jsonl or tsv.")] = None,
    run: Annotated[Path | None, typer.Option(help="Where --queries' answers go, as a TREC run.")] = None,
    model: SameModel = None,
    strategy: Annotated[str, typer.Option(help="How to search, as ivf or ivf:probes=4; auto chooses.")] = "auto",
    budget: Budget = None,
    check: Annotated[
        int, typer.Option(min=0, metavar="N", help="Compare N of --queries with exhaustive search; say the recall.")
    ] = 0,
    where: Where = None,
    commit: CommitNumber = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say why each document was returned.")] = False,
    as_json: AsJson = False,
    offline: Offline = False,
) -> None:
    """Search an index: one question, or a file of queries to a TREC run."""
    go_offline(offline)
    if (question is None) == (queries is None):
        raise InputError(
            "what is searched?",
            expected="one question, or --queries FILE",
            got="neither" if question is None else "both",
        )
    if k < 1:
        raise InputError("k counts the answers wanted", expected="k >= 1", got=f"k = {k}")
    if check and queries is None:
        raise InputError("--check compares queries of a file", expected="--queries FILE", got="one question")
    from hyperir.search import Index

    opened = Index.open(folder, model, commit=commit)
    how = strategy_of(strategy)
    if queries is not None:
        from hyperir.corpus.trec import read_queries, write_run

        texts = read_queries(queries)
        answers = opened.run(texts, k, strategy=how, where=where, budget=budget)
        if check:
            some = random.Random(0).sample(list(texts.values()), min(check, len(texts)))
            say(str(opened.estimate_recall(some, k, strategy=how, where=where, budget=budget)))
        if run is None:
            print_json(answers)
        else:
            write_run(run, answers, tag=opened.model.name.replace(" ", "-"))
            say(f"{run}: {len(answers):,} queries, up to {k} answers each")
        return
    assert question is not None
    hits = opened.search([question], k, strategy=how, where=where, budget=budget)[0]
    reasons = [_reason(opened.model, question, hit) if explain else "" for hit in hits]
    if as_json:
        print_json([{**vars(hit), **({"why": why} if explain else {})} for hit, why in zip(hits, reasons, strict=True)])
        return
    for hit, why in zip(hits, reasons, strict=True):
        print(f"{hit.rank:3}  {hit.score:.4f}  {hit.id}")
        print(f"     {_first_line(hit.text)}")
        if why:
            print(f"     why: {why}")
    if not hits:
        say(f"no answers: {'no document passes --where' if len(opened) else 'the index is empty'}")


@app.command("eval")
def evaluate_(
    more: Annotated[list[str] | None, typer.Argument(metavar="[MEASURE]...", help="More measures.")] = None,
    run: Annotated[Path | None, typer.Option(help="Measure a TREC run,")] = None,
    index_: Annotated[Path | None, typer.Option("--index", help="or an index,")] = None,
    model: Annotated[str | None, typer.Option("--model", "-M", help="or a model by its name, bm25, tfidf;")] = None,
    collection: Annotated[
        str | None, typer.Option(help="against a collection, a source as of `hyperir index`,")
    ] = None,
    qrels: Annotated[Path | None, typer.Option(help="or --run against judgements, TREC or BEIR format.")] = None,
    split: Annotated[str, typer.Option(help="Of the collection.")] = "test",
    measure: Measures = ["nDCG@10", "RR@10", "R@100"],  # noqa: B006 - typer copies it
    k: Annotated[int, typer.Option("-k", min=1, help="With --index or --model: answers a query.")] = 1000,
    threshold: Annotated[int, typer.Option(min=1, help="The first relevant grade of RR, AP, P, R and others.")] = 1,
    variations: Annotated[
        bool, typer.Option("--variations", help="With --index or --model: also queries with typing errors.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the variations.")] = 0,
    by_query: Annotated[bool, typer.Option("--by-query", help="Also every query's values (JSON).")] = False,
    as_json: AsJson = False,
    offline: Offline = False,
) -> None:
    """Measure a run, an index or a model against a collection, or a run against judgements."""
    go_offline(offline)
    options = {"--run": run, "--index": index_, "--model": model, "--collection": collection, "--qrels": qrels}
    given = [option for option, value in options.items() if value is not None]
    if given not in (["--run", "--qrels"], *([what, "--collection"] for what in ("--run", "--index", "--model"))):
        raise InputError(
            "what is measured, and against what?",
            expected="--run FILE, --index FOLDER or --model NAME; and --collection SOURCE, or for a run --qrels FILE",
            got=" ".join(given) or "neither",
        )
    if variations and run is not None:
        raise InputError("a run cannot be searched with other queries", expected="--index or --model", got="--run")
    from hyperir.evaluate import at_threshold, evaluate, threshold_note

    wanted = at_threshold([n for text in [*measure, *(more or [])] for n in text.replace(",", " ").split()], threshold)
    from hyperir.corpus import open_collection
    from hyperir.corpus.trec import read_qrels, read_run

    search_by: Callable[[dict[str, str]], Run] | None = None
    queries: dict[str, str] = {}
    if collection is None:
        assert qrels is not None
        judged = read_qrels(qrels)
    else:
        source = open_collection(collection)
        judged = source.qrels(split)
        queries = source.queries(split) if run is None else {}
    if run is not None:
        answers: Run = read_run(run)
    else:
        search_by = _search_of(index_, model, source, k)
        answers = search_by(queries)
    scores = evaluate(judged, answers, wanted)
    robust = None
    if variations and search_by is not None:
        from hyperir.evaluate.robustness import robustness

        robust = robustness(judged, queries, search_by, wanted, seed=seed, written=scores)
    note = threshold_note(wanted, judged)
    if as_json or by_query:
        print_json(
            {"queries": len(scores.by_query[wanted[0]]), "missing": scores.missing, "unjudged@10": scores.unjudged}
            | scores.means()
            | ({"relevant": note} if note else {})
            | ({"variations": robust.as_dict()} if robust else {})
            | ({"by_query": scores.by_query} if by_query else {})
        )
        return
    for name, value in scores.means().items():
        print(f"{name}\t{value:.4f}")
    if robust is not None:
        print(f"\n{robust}")
    notes = f"{len(scores.by_query[wanted[0]]):,} judged queries; {scores.unjudged:.0%} of the top 10 unjudged"
    say(notes + (f"; {scores.missing} queries without an answer count as 0" if scores.missing else ""))
    if note:
        say(note)


def _search_of(folder: Path | None, model: str | None, source: Collection, k: int) -> Callable[[dict[str, str]], Run]:
    """Queries to a run: of an index, or of a model whose documents are encoded once."""
    if folder is not None:
        from hyperir.search import Index

        opened = Index.open(folder)
        return lambda queries: opened.run(queries, k)
    assert model is not None
    from hyperir.search.bare import Bare

    bare = Bare(model, source)
    return lambda queries: bare.run(queries, k)[0]


def _remove_empty(place: Place) -> None:
    """An index that holds nothing is not what was asked for."""
    from hyperir.index import commit as commits

    if commits.numbers(place) == [1]:
        place.clear()


def _first_line(text: str, width: int = 100) -> str:
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"


def _reason(model: Any, question: str, hit: Hit) -> str:
    from hyperir.search.explain import explain

    return str(explain(model, question, hit.text, hit.title))
