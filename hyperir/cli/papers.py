"""Evaluation for papers: systems compared, runs fused, experiments from a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from hyperir.cli.app import AsJson, Offline, app, go_offline, print_json, say
from hyperir.cli.road import Measures
from hyperir.core.errors import CollectionError, InputError, nearest

__all__ = ["compare", "experiment", "fuse"]

Runs = Annotated[list[str], typer.Argument(metavar="RUN...", help="TREC runs, gzip too; NAME=FILE names one.")]
Html = Annotated[Path | None, typer.Option("--html", help="Write a report, one HTML file with plots.")]
Latex = Annotated[bool, typer.Option("--latex", help="Print LaTeX (booktabs).")]
SUFFIXES = (".gz", ".trec", ".tsv", ".txt", ".run")


@app.command()
def compare(
    runs: Runs,
    qrels: Annotated[Path | None, typer.Option(help="Judgements, TREC or BEIR format;")] = None,
    collection: Annotated[str | None, typer.Option(help="or a collection, which also has the queries' texts.")] = None,
    split: Annotated[str, typer.Option(help="Of the collection.")] = "test",
    measure: Measures = ["nDCG@10", "RR@10", "R@100"],  # noqa: B006 - typer copies it
    threshold: Annotated[int, typer.Option(min=1, help="The first relevant grade of RR, AP, P, R and others.")] = 1,
    baseline: Annotated[str | None, typer.Option(help="Compare with this run only; else all pairs.")] = None,
    level: Annotated[float, typer.Option(help="Of confidence; tests call significant what is beyond it.")] = 0.95,
    rounds: Annotated[int, typer.Option(min=1, help="Draws of the permutation test and the bootstrap.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Of the same.")] = 0,
    hardest: Annotated[int, typer.Option(min=0, help="Queries on which all do worst, side by side.")] = 5,
    queries: Annotated[Path | None, typer.Option(help="The queries' texts, jsonl or tsv.")] = None,
    title: Annotated[str, typer.Option(help="Of the report; the caption's beginning in LaTeX.")] = "",
    latex: Latex = False,
    html: Html = None,
    by_query: Annotated[bool, typer.Option("--by-query", help="Also every query's values (JSON).")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare runs: t-test and permutation test under Holm's correction, bootstrap intervals, wins and losses."""
    if (qrels is None) == (collection is None):
        raise InputError(
            "against what are the runs measured?",
            expected="--qrels FILE, or --collection SOURCE",
            got="neither" if qrels is None else "both",
            fix="" if qrels is None else "texts of queries beside --qrels come from --queries FILE",
        )
    if latex and (as_json or by_query):
        raise InputError("one thing can be printed", expected="--latex or --json", got="both")
    from hyperir.corpus import open_collection
    from hyperir.corpus.trec import read_qrels, read_queries, read_run
    from hyperir.evaluate import at_threshold, compare_systems, evaluate, threshold_note
    from hyperir.evaluate.report import comparison_latex, comparison_page, comparison_text

    files, more = _named_runs(runs)
    measures = at_threshold([name for text in [*measure, *more] for name in text.replace(",", " ").split()], threshold)
    source = open_collection(collection) if collection is not None else None
    judged = source.qrels(split) if source is not None else read_qrels(qrels or "")
    texts = read_queries(queries) if queries is not None else source.queries(split) if source is not None else {}
    # One run in memory at a time.
    scores = {name: evaluate(judged, read_run(path), measures) for name, path in files.items()}
    found = compare_systems(scores, baseline=baseline, level=level, rounds=rounds, seed=seed)
    note = threshold_note(measures, judged)
    if html is not None:
        page = comparison_page(
            found, title=title or "Systems compared", hardest=max(hardest, 10), texts=texts, notes=[note]
        )
        _write(html, page)
    if as_json or by_query:
        print_json({"relevant": note} | found.as_dict(by_query=by_query))
    elif latex:
        print(comparison_latex(found, caption=" ".join(part for part in (_sentence(title), _sentence(note)) if part)))
    else:
        print(comparison_text(found, hardest=hardest, texts=texts, notes=[note] if note else []))


@app.command()
def fuse(
    runs: Runs,
    output: Annotated[Path, typer.Option("--output", "-o", help="The fused run; gzip where it ends with .gz.")],
    method: Annotated[str, typer.Option(help="rrf: reciprocal ranks; weighted: a sum of normalised scores.")] = "rrf",
    weights: Annotated[str | None, typer.Option(help="One a run, such as '0.3 0.7'; else all 1.")] = None,
    normalise: Annotated[str, typer.Option(help="With weighted: minmax, zscore, sum or none.")] = "minmax",
    rrf_k: Annotated[float, typer.Option(help="With rrf: added to each rank.")] = 60.0,
    k: Annotated[int, typer.Option("-k", min=1, help="Documents kept of each query.")] = 1000,
    as_json: AsJson = False,
) -> None:
    """Fuse runs into one, by reciprocal ranks or by a weighted sum of normalised scores."""
    from hyperir.corpus.trec import read_run, write_run
    from hyperir.search.fuse import fuse as fused_of

    files, unknown = _named_runs(runs)
    if unknown:
        raise InputError(f"there is no run {unknown[0]}", expected="files")
    try:
        shares = None if weights is None else [float(text) for text in weights.replace(",", " ").split()]
    except ValueError:
        raise InputError("weights are numbers", expected="such as --weights '0.3 0.7'", got=repr(weights)) from None
    loaded = [read_run(path) for path in files.values()]
    fused = fused_of(loaded, method, weights=shares, normalise=normalise, rrf_k=rrf_k, k=k)
    write_run(output, fused, tag=f"hyperir-{method}")
    if as_json:
        print_json({"path": str(output), "queries": len(fused), "runs": list(files)})
        return
    say(f"{output}: {len(fused):,} queries, up to {k} documents each, of {len(loaded)} runs by {method}")


@app.command()
def experiment(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="YAML: systems, collections, measures.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where finished cells are kept; FILE's name with .results.")
    ] = None,
    latex: Latex = False,
    html: Html = None,
    as_json: AsJson = False,
    offline: Offline = False,
) -> None:
    """Run systems over collections and fill a table; started again, it goes on where it stopped.

    Exit code 1 where a cell failed.
    """
    go_offline(offline)
    if latex and as_json:
        raise InputError("one thing can be printed", expected="--latex or --json", got="both")
    from hyperir.evaluate.experiment import read_plan, run_experiment

    plan = read_plan(file)
    folder = output or file.with_suffix(".results")
    results = run_experiment(plan, folder, beside=file.parent)
    if html is not None:
        _write(html, results.html())
    if as_json:
        print_json(results.as_dict())
    else:
        print(results.latex() if latex else results)
    if results.failures:
        say(f"{len(results.failures)} of {len(plan.systems) * len(plan.collections)} cells failed; see above")
        raise typer.Exit(1)


def _named_runs(given: Sequence[str]) -> tuple[dict[str, Path], list[str]]:
    """Runs by name, and the measures among them: `-m nDCG@10 RR@10` reaches us as a run named RR@10."""
    from hyperir.evaluate.names import parse_measure

    files: dict[str, Path] = {}
    measures = []
    for text in given:
        name, _, place = text.partition("=")
        path = Path(text)
        if place and not path.exists():
            path = Path(place)
        else:
            name = _stem(path.name)
        if not path.exists():
            if "@" in text or "(" in text or text.isalpha():
                try:
                    for one in text.replace(",", " ").split():
                        parse_measure(one)
                    measures.append(text)
                    continue
                except InputError:
                    pass
            beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
            raise CollectionError(f"there is no run {path}, nor a measure of this name", fix=nearest(path.name, beside))
        if name in files:
            raise InputError(
                f"two runs are named {name!r}", expected="different names", got=f"{files[name]} and {path}",
                fix=f"name one, such as other={path}",
            )  # fmt: skip
        files[name] = path
    return files, measures


def _stem(name: str) -> str:
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix) or name
    return name


def _sentence(text: str) -> str:
    return text if not text or text.endswith((".", "?", "!")) else text[0].upper() + text[1:] + "."


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be written", got=str(error.strerror or error)) from error
    say(f"{path}: written")
