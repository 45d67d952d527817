"""The command line: one function a verb. Data to stdout, messages and bars to stderr.

Exit codes: 0 done; 1 trouble; 2 the input cannot be used, and nothing was changed; 3 an index folder is damaged or
locked; 130 interrupted.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hyperir.core.errors import HyperIRError, InputError

if TYPE_CHECKING:
    from hyperir.core.types import Hit

__all__ = ["app", "main"]

app = typer.Typer(
    help="Retrieval with learned relevance functions.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Offline = Annotated[bool, typer.Option("--offline", help="Never use the network.")]
ModelName = Annotated[str, typer.Option("--model", "-M", help="A bundled model, a folder, or a hub id.")]
Measures = Annotated[list[str], typer.Option("-m", "--measure", help="Measures of ir_measures; also as a list.")]


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point: every error of ours is a message and an exit code."""
    try:
        app(args=None if arguments is None else list(arguments), standalone_mode=True)
    except HyperIRError as error:
        print(f"hyperir: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        print("hyperir: interrupted; what was committed before is kept, nothing else was changed", file=sys.stderr)
        raise SystemExit(130) from None
    except BrokenPipeError:  # `hyperir search ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None


@app.callback()
def _before(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        from hyperir import __version__

        print(f"hyperir {__version__}")
        raise typer.Exit


@app.command()
def demo(
    folder: Annotated[
        Path | None, typer.Option(help="Where the index is kept; the user's cache folder if not said.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The first minute: Python's own documentation, indexed, searched and evaluated against baselines. Offline."""
    _offline(True)
    from hyperir.demo import run

    result = run(folder)
    if as_json:
        _print_json(result.as_dict())
    else:
        print(result)


@app.command()
def index(
    corpus: Annotated[str, typer.Argument(help="BEIR folder, jsonl, csv, tsv, parquet, text folder, irds:ID, pydoc.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The index folder; an existing one is added to.")],
    model: ModelName = "hyperir-minilm",
    batch_size: Annotated[int, typer.Option(min=1, help="Documents encoded at once.")] = 32,
    dtype: Annotated[str, typer.Option(help="How vectors are stored: float32 or float16.")] = "float32",
    id_column: Annotated[str | None, typer.Option(help="The column of the ids.")] = None,
    text_column: Annotated[str | None, typer.Option(help="The column of the texts.")] = None,
    title_column: Annotated[str | None, typer.Option(help="The column of the titles.")] = None,
    as_json: AsJson = False,
    offline: Offline = False,
) -> None:
    """Encode a collection into an index, or add it to an existing one."""
    _offline(offline)
    from hyperir.corpus import open_collection

    collection = open_collection(corpus, id_column=id_column, text_column=text_column, title_column=title_column)
    if dtype not in ("float32", "float16"):
        raise InputError(f"vectors cannot be stored as {dtype!r}", expected="float32 or float16")
    from hyperir.encode import load
    from hyperir.encode.needs import say_needs, survey

    found = survey(collection)  # before the model is loaded, so that the collection's errors come at once
    from hyperir.index.place import place_at
    from hyperir.search import Index

    encoder = load(model)
    # Vectors are stored twice: with the rows, and packed for searching.
    disk = 2 * found.documents * encoder.width * (4 if dtype == "float32" else 2) + 1.1 * found.characters
    say_needs(encoder, collection, found, batch_size, disk=disk)
    place = place_at(output)
    new = not place.names("commits")
    target = Index.create(output, encoder, dtype=dtype) if new else Index.open(output, encoder)  # type: ignore[arg-type]
    try:
        added = target.add(collection.documents(), batch_size=batch_size, total=found.documents)
    except BaseException:
        if new:  # an index that holds nothing is not what was asked for
            place.clear()
        raise
    info = target.info()
    if as_json:
        _print_json({"added": added, **info})
        return
    empty = f", {info['empty_texts']:,} of them with empty text" if info["empty_texts"] else ""
    shown = place.path if isinstance(place.path, str) else output  # a Path of an address has lost a slash
    print(f"{shown}: {added:,} documents added, {info['documents']:,} in all{empty}", file=sys.stderr)
    print(f'Try: hyperir search {shown} "a question"', file=sys.stderr)


@app.command()
def search(
    folder: Annotated[Path, typer.Argument(metavar="INDEX", help="The index folder.")],
    question: Annotated[str | None, typer.Argument(help="One question.")] = None,
    k: Annotated[int, typer.Option("-k", help="Answers wanted.")] = 10,
    queries: Annotated[Path | None, typer.Option(help="Many questions: jsonl or tsv.")] = None,
    run: Annotated[Path | None, typer.Option(help="Where --queries' answers go, as a TREC run.")] = None,
    model: Annotated[str | None, typer.Option("--model", "-M", help="Another model with the same vectors.")] = None,
    strategy: Annotated[str, typer.Option(help="How to search; auto chooses.")] = "auto",
    where: Annotated[str | None, typer.Option(help="Only documents that pass, such as 'year >= 2020'.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say why each document was returned.")] = False,
    as_json: AsJson = False,
    offline: Offline = False,
) -> None:
    """Search an index: one question, or a file of queries to a TREC run."""
    _offline(offline)
    if (question is None) == (queries is None):
        raise InputError(
            "what is searched?",
            expected="one question, or --queries FILE",
            got="neither" if question is None else "both",
        )
    if k < 1:
        raise InputError("k counts the answers wanted", expected="k >= 1", got=f"k = {k}")
    from hyperir.search import Index

    opened = Index.open(folder, model)
    if queries is not None:
        from hyperir.corpus.trec import read_queries, write_run

        texts = read_queries(queries)
        answers = opened.run(texts, k, strategy=strategy, where=where)
        if run is None:
            _print_json(answers)
        else:
            write_run(run, answers, tag=opened.model.name.replace(" ", "-"))
            print(f"{run}: {len(answers):,} queries, up to {k} answers each", file=sys.stderr)
        return
    assert question is not None
    hits = opened.search([question], k, strategy=strategy, where=where)[0]
    reasons = [_reason(opened.model, question, hit) if explain else "" for hit in hits]
    if as_json:
        _print_json(
            [{**vars(hit), **({"why": why} if explain else {})} for hit, why in zip(hits, reasons, strict=True)]
        )
        return
    for hit, why in zip(hits, reasons, strict=True):
        print(f"{hit.rank:3}  {hit.score:.4f}  {hit.id}")
        print(f"     {_first_line(hit.text)}")
        if why:
            print(f"     why: {why}")
    if not hits:
        print(f"no answers: {'no document passes --where' if len(opened) else 'the index is empty'}", file=sys.stderr)


@app.command("eval")
def evaluate_(
    more: Annotated[list[str] | None, typer.Argument(metavar="[MEASURE]...", help="More measures.")] = None,
    run: Annotated[Path | None, typer.Option(help="Measure a TREC run,")] = None,
    index_: Annotated[Path | None, typer.Option("--index", help="or an index,")] = None,
    model: Annotated[str | None, typer.Option("--model", "-M", help="or a model by its name, or bm25;")] = None,
    collection: Annotated[
        str | None, typer.Option(help="against a collection, a source as of `hyperir index`,")
    ] = None,
    qrels: Annotated[Path | None, typer.Option(help="or --run against judgements, TREC or BEIR format.")] = None,
    split: Annotated[str, typer.Option(help="Of the collection.")] = "test",
    measure: Measures = ["nDCG@10", "RR@10", "R@100"],  # noqa: B006 - typer copies it
    k: Annotated[int, typer.Option("-k", min=1, help="With --index or --model: answers a query.")] = 1000,
    by_query: Annotated[bool, typer.Option("--by-query", help="Also every query's values (JSON).")] = False,
    as_json: AsJson = False,
    offline: Offline = False,
) -> None:
    """Measure a run, an index or a model against a collection, or a run against judgements."""
    _offline(offline)
    options = {"--run": run, "--index": index_, "--model": model, "--collection": collection, "--qrels": qrels}
    given = [option for option, value in options.items() if value is not None]
    if given not in (["--run", "--qrels"], *([what, "--collection"] for what in ("--run", "--index", "--model"))):
        raise InputError(
            "what is measured, and against what?",
            expected="--run FILE, --index FOLDER or --model NAME; and --collection SOURCE, or for a run --qrels FILE",
            got=" ".join(given) or "neither",
        )
    from hyperir.evaluate import check_measures, evaluate

    wanted = [name for text in [*measure, *(more or [])] for name in text.replace(",", " ").split()]
    check_measures(wanted)
    from hyperir.corpus import open_collection
    from hyperir.corpus.trec import read_qrels, read_run

    if collection is None:
        assert run is not None
        assert qrels is not None
        judged, answers = read_qrels(qrels), read_run(run)
    else:
        source = open_collection(collection)
        judged = source.qrels(split)
        if run is not None:
            answers = read_run(run)
        elif index_ is not None:
            from hyperir.search import Index

            answers = Index.open(index_).run(source.queries(split), k)
        else:
            assert model is not None
            from hyperir.search.memory import run_in_memory

            answers = run_in_memory(model, source, source.queries(split), k)
    scores = evaluate(judged, answers, wanted)
    if as_json or by_query:
        _print_json(
            {"queries": len(scores.by_query[wanted[0]]), "missing": scores.missing, "unjudged@10": scores.unjudged}
            | scores.means()
            | ({"by_query": scores.by_query} if by_query else {})
        )
        return
    for name, value in scores.means().items():
        print(f"{name}\t{value:.4f}")
    notes = f"{len(scores.by_query[wanted[0]]):,} judged queries; {scores.unjudged:.0%} of the top 10 unjudged"
    print(
        notes + (f"; {scores.missing} queries without an answer count as 0" if scores.missing else ""), file=sys.stderr
    )


@app.command()
def info(folder: Annotated[Path, typer.Argument(metavar="INDEX")], as_json: AsJson = False) -> None:
    """Say what an index holds."""
    from hyperir.core.amounts import bytes_text
    from hyperir.index.store import Store

    facts = Store.open(folder).info()
    if as_json:
        _print_json(facts)
        return
    encoder = facts["encoder"]
    size = ", ".join(f"{part} {bytes_text(n)}" for part, n in facts["bytes"].items())
    print(f"{facts['path']}\n  documents  {facts['documents']:,} ({facts['empty_texts']:,} with empty text)")
    print(f"  vectors    {facts['width']} wide, {facts['dtype']}, by {encoder['name'] if encoder else 'yourself'}")
    print(f"  metadata   {', '.join(f'{k} ({v})' for k, v in facts['metadata'].items()) or 'none'}")
    print(f"  disk       {size}\n  commit     {facts['number']} of {facts['updated']}")


@app.command()
def verify(folder: Annotated[Path, typer.Argument(metavar="INDEX")], as_json: AsJson = False) -> None:
    """Read a whole index again and compare it with what was committed. Exit code 3 if anything is damaged."""
    from hyperir.index.verify import verify as check

    report = check(folder)
    if as_json:
        problems = [{"file": p.file, "what": p.what} for p in report.problems]
        _print_json({"ok": report.ok, "problems": problems, "documents": report.documents, "bytes": report.bytes})
    else:
        print(report)
    if not report.ok:
        raise typer.Exit(3)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Say what is installed, what is missing, and what to do."""
    from hyperir.doctor import examine

    findings = examine()
    if as_json:
        _print_json([vars(finding) for finding in findings])
    else:
        for finding in findings:
            print(f"{'ok ' if finding.ok else '-- '} {finding.what:26} {finding.detail}")
    if any(finding.needed and not finding.ok for finding in findings):
        raise typer.Exit(1)


def _offline(offline: bool) -> None:
    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def _first_line(text: str, width: int = 100) -> str:
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"


def _reason(model: Any, question: str, hit: Hit) -> str:
    from hyperir.search.explain import explain

    return str(explain(model, question, hit.text, hit.title))
