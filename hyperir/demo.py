"""`hyperir demo`: Python's own documentation, indexed, searched by q-nets, and evaluated against baselines.

The test questions ship with the package (`data/python-questions`, its README says how they were judged).
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from hyperir.core.errors import CollectionError
from hyperir.core.progress import track
from hyperir.core.types import Row, Searcher
from hyperir.corpus import open_collection
from hyperir.encode import load_network
from hyperir.evaluate import compare, evaluate
from hyperir.search.bm25 import BM25
from hyperir.search.explain import explain
from hyperir.search.index import Index

__all__ = ["Demo", "run"]

QUESTIONS = Path(__file__).with_name("data") / "python-questions"
MODEL, BASELINE = "hyperir-minilm", "all-MiniLM-L6-v2"
MEASURES = ("nDCG@10", "RR@10", "R@100")
EXAMPLES = (
    "put a list in order without touching the original",
    "split a path into the folder and the file name",
)


@dataclass(frozen=True)
class System:
    """One row of the table."""

    name: str
    measures: dict[str, float]
    p: float | None  # nDCG@10 against the inner product; None for itself
    milliseconds: float  # median, one query at a time, encoding included
    scored: float  # documents scored for a query, mean


@dataclass(frozen=True)
class Demo:
    """What the demo shows."""

    python: str
    passages: int
    questions: int
    folder: str
    trained: bool
    systems: list[System]
    examples: list[dict[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        head = f"{'':15}" + "".join(f"{m:>9}" for m in MEASURES) + f"{'p':>8}{'ms/query':>10}{'scored':>9}"
        lines = [
            f"{self.questions} questions about {self.passages:,} passages of Python {self.python}'s documentation; "
            "p: nDCG@10 against the inner product",
            head,
        ]
        for s in self.systems:
            p = "" if s.p is None else f"{s.p:.3f}" if s.p >= 0.001 else "<.001"
            values = "".join(f"{s.measures[m]:9.3f}" for m in MEASURES)
            lines.append(f"{s.name:15}{values}{p:>8}{s.milliseconds:10.1f}{s.scored:9,.0f}")
        if not self.trained:
            lines.append(
                "This q-net is untrained: the inner product plus a network whose last layer is zero. It ranks as the\n"
                "inner product does until a release ships trained weights."
            )
        for example in self.examples:
            lines.append(f"\n“{example['question']}”")
            for hit in example["hits"]:
                lines.append(f"  {hit['score']:.3f}  {hit['id']}: {hit['sentence']}")
                lines.append(f"         why: {hit['why']}")
        return "\n".join(
            [
                *lines,
                f'\nTry: hyperir search {self.folder} "your question" --explain',
                "     hyperir index FOLDER_OR_FILE -o my.index      hyperir --help",
            ]
        )


def run(folder: Path | None = None) -> Demo:
    """Collect, index (or reuse the index), search, evaluate.

    Args:
        folder: where the index is kept; the user's cache folder if None.
    """
    rows = list(track(open_collection("pydoc").documents(), "Collecting", unit="passages"))
    model, baseline = load_network(MODEL), load_network(BASELINE)
    folder = _index_folder(folder, rows, model)
    index = _index(folder, rows, model)
    queries, qrels = _questions({row["id"] for row in rows})
    plain = _plain(folder.with_suffix(".plain.index"), rows, index, baseline)
    bm25 = BM25(rows)
    measured = [
        _measure("BM25", queries, bm25),
        _measure("inner product", queries, plain),
        _measure("HyperIR", queries, index),
    ]
    scores = [evaluate(qrels, m.run, MEASURES) for m in measured]
    reference = scores[1].by_query["nDCG@10"]
    systems = [
        System(
            m.name,
            s.means(),
            None if s is scores[1] else compare(s.by_query["nDCG@10"], reference).p,
            1000 * statistics.median(m.seconds),
            statistics.mean(m.scored),
        )
        for m, s in zip(measured, scores, strict=True)
    ]
    examples = [_example(index, model, question) for question in EXAMPLES]
    python = sys.version.split()[0]
    shown = str(folder).replace(str(Path.home()), "~", 1)
    return Demo(python, len(rows), len(queries), shown, model.trained, systems, examples)


def _index_folder(folder: Path | None, rows: list[Row], model: Any) -> Path:
    """The index's name holds what was collected and by what model: another Python or release gets another index."""
    texts = "".join(f"{row['id']}\0{row['title']}\0{row['text']}\0" for row in rows)
    digest = sha256((texts + model.fingerprint).encode()).hexdigest()[:8]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hyperir"
    return (folder or cache) / f"python-{sys.version_info.major}.{sys.version_info.minor}-{digest}.index"


def _index(folder: Path, rows: list[Row], model: Any) -> Index:
    if (folder / "commits").is_dir():
        index = Index.open(folder, model)
        if len(index) == len(rows):
            print(f"Reusing {folder}", file=sys.stderr)
            return index
    else:
        folder.parent.mkdir(parents=True, exist_ok=True)
        index = Index.create(folder, model)
    print(f"Encoding {len(rows):,} passages with {BASELINE}; one to two minutes on two cores", file=sys.stderr)
    index.add(rows)
    return index


def _plain(folder: Path, rows: list[Row], index: Index, baseline: Any) -> Index:
    """The baseline's index: its vectors are the first numbers of the model's."""
    if (folder / "commits").is_dir():
        plain = Index.open(folder, baseline)
        if len(plain) == len(rows):
            return plain
    else:
        plain = Index.create(folder, baseline)
    plain.add(rows, vectors=index.store.docs[: len(rows)].vectors[:, : baseline.width])
    return plain


def _questions(ids: set[str]) -> tuple[dict[str, str], dict[str, dict[str, int]]]:
    """Questions and judgements, less the passages that this Python does not have."""
    from hyperir.corpus.queries import read_queries
    from hyperir.corpus.trec import read_qrels

    judged = read_qrels(QUESTIONS / "qrels" / "test.tsv")
    qrels = {query: {d: g for d, g in grades.items() if d in ids} for query, grades in judged.items()}
    qrels = {query: grades for query, grades in qrels.items() if any(g > 0 for g in grades.values())}
    if not qrels:
        raise CollectionError(
            "no test question has an answer in this Python's documentation",
            got=f"{len(ids):,} passages",
            fix="run the demo with a Python whose docstrings were not stripped (without -OO)",
        )
    texts = read_queries(QUESTIONS / "queries.jsonl")
    return {query: texts[query] for query in qrels}, qrels


@dataclass(frozen=True)
class Measured:
    """A system's run, with what each query cost."""

    name: str
    run: dict[str, dict[str, float]]
    seconds: list[float]
    scored: list[int]


def _measure(name: str, queries: dict[str, str], searcher: Searcher) -> Measured:
    result = Measured(name, {}, [], [])
    searcher.search([next(iter(queries.values()))], 100)  # the first call pays for imports and caches
    for query, text in track(queries.items(), f"Searching: {name}", len(queries), "questions"):
        start = time.perf_counter()
        hits = searcher.search([text], 100)[0]
        result.seconds.append(time.perf_counter() - start)
        result.scored.append(searcher.scored)
        result.run[query] = {hit.id: hit.score for hit in hits}
    return result


def _example(index: Index, model: Any, question: str) -> dict[str, Any]:
    hits = []
    for hit in index.search([question], 1)[0]:
        why = explain(model, question, hit.text, hit.title)
        sentence = why.sentence if len(why.sentence) <= 80 else why.sentence[:79] + "…"
        hits.append({"id": hit.id, "score": hit.score, "sentence": sentence, "why": str(why)})
    return {"question": question, "hits": hits}
