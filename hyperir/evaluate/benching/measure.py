"""Strategies measured on one index: built, warmed up, searched one query at a time and in batches."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from hyperir.core.config import Config
from hyperir.core.docs import Dense
from hyperir.core.errors import CapabilityError, InputError
from hyperir.core.progress import Progress
from hyperir.core.types import Relevance, Strategy
from hyperir.evaluate.benching.grid import default_grid
from hyperir.evaluate.benching.machine import describe
from hyperir.evaluate.benching.result import Bench, Setting
from hyperir.evaluate.benching.split import choices_of
from hyperir.evaluate.measures import Qrels, evaluate
from hyperir.index.matching import match
from hyperir.index.strategies import STRATEGIES, check_serves
from hyperir.search.auto import choose
from hyperir.search.index import Index
from hyperir.search.recall import recalls

__all__ = ["bench"]

WARM = 3  # queries searched before the clock starts
BATCH = 32
Queries = Mapping[str, str] | Sequence[str] | Relevance[Dense]


@runtime_checkable
class _Builds(Protocol):
    """A strategy that is built before it searches."""

    @staticmethod
    def build(config: Any, docs: Any, functions: Any = None) -> dict[str, Tensor]: ...


def bench(
    index: Index,
    queries: Queries,
    qrels: Qrels | None = None,
    *,
    strategies: Sequence[Mapping[str, Any] | Config | str] | None = None,
    ks: Sequence[int] = (10, 100, 1000),
    training: Sequence[str] | Relevance[Dense] | None = None,
    query_ids: Sequence[str] | None = None,
    goal: float | None = None,
    saved: bool = False,
    show_progress: bool = True,
) -> Bench:
    """Compare strategies with exhaustive search and with each other.

    Every search asks for as many answers as the largest of `ks`, for what a strategy does depends on it: to know the
    cost of ten answers, say ks=(10,). Functions are made before the clock starts.

    Args:
        index: what is searched.
        queries: texts by id, texts, or functions.
        qrels: judgements, for measures of quality beside the recall; of texts by id, or with `query_ids`.
        strategies: "auto", names or configurations; None takes `default_grid`. Exhaustive search is always measured.
        ks: of recall@k.
        training: texts or functions from which "bipartite" is built.
        query_ids: the queries' ids where they are functions or bare texts.
        goal: split the queries in halves and choose the setting of every strategy that reaches this recall at the
            first of `ks` in the least time; see :class:`Choice`.
        saved: search the structures that the index keeps, where there are; else all are built anew, in memory, so that
            their time is known.
        show_progress: show bars.

    Raises:
        InputError: there are no queries or documents, or no such strategy or setting.
    """
    depth = _depth(ks)
    started = time.perf_counter()
    ids, f = _functions(index, queries, query_ids)
    encoding = None if not isinstance(queries, (Mapping, Sequence)) else 1000 * (time.perf_counter() - started)
    allowed = index.store.allowed()
    if not f.num_queries or not len(index):
        raise InputError("a bench takes queries and documents", got=f"{f.num_queries} queries, {len(index)} documents")
    if goal is not None and f.num_queries < 2:
        raise InputError("one query cannot be split in halves", fix="more queries, or no goal")
    if qrels is not None and ids is None:
        raise InputError("judgements name queries by their ids, which are not known", fix="pass `query_ids`")
    trained = _functions(index, training, None)[1] if training is not None else None
    grid = default_grid(len(index), depth, training=trained is not None, kind=index.store.kind)
    wanted = grid if strategies is None else strategies
    configs = _configs(wanted, f, len(index))
    made, refused = _make(configs, index, f, depth, allowed, trained, saved)
    work = _Work(f, depth, tuple(ks), allowed)
    with Progress("Measuring", len(made) * work.steps, "queries", show=show_progress) as bar:
        found = [_measured(one, work, bar) for one in made]
    truth = found[0][1]
    measures = () if qrels is None else ("nDCG@10", "RR@10", f"R@{depth}")
    settings = []
    for setting, rows, scores in found:
        values = {f"recall@{k}": recalls(rows[:, :k], truth[:, :k]).tolist() for k in ks} | setting.values
        if qrels is not None and ids is not None:
            values |= _quality(index, ids, rows, scores, qrels, measures)
        settings.append(replace(setting, values=values))
    result = Bench(
        str(index.store.path),
        len(index),
        index.store.width,
        f.num_queries,
        tuple(ks),
        depth,
        measures,
        None if encoding is None else encoding / f.num_queries,
        describe(),
        tuple(settings),
        refused,
    )
    return result if goal is None else replace(result, goal=goal, choices=choices_of(result, goal))


@dataclass(frozen=True)
class _Made:
    """A strategy ready to search."""

    config: Config
    searcher: Strategy[Any]
    seconds: float | None
    bytes: int


@dataclass(frozen=True)
class _Work:
    """What every strategy is asked for."""

    f: Relevance[Any]
    depth: int
    ks: tuple[int, ...]
    allowed: Tensor | None

    @property
    def steps(self) -> int:
        """Of the bar: every query alone, and again in batches."""
        return 2 * self.f.num_queries


def _depth(ks: Sequence[int]) -> int:
    if not ks or min(ks) < 1:
        raise InputError("recall is measured at ranks", expected="numbers of 1 or more", got=f"ks = {list(ks)}")
    return max(ks)


def _functions(index: Index, queries: Queries, ids: Sequence[str] | None) -> tuple[list[str] | None, Relevance[Dense]]:
    f: Relevance[Dense]
    if isinstance(queries, Mapping):
        ids, f = list(queries), index.model.encode_query(list(queries.values()))
    elif isinstance(queries, Sequence):
        f = index.model.encode_query(queries)
    else:
        f = queries
    if ids is not None and len(ids) != f.num_queries:
        raise InputError("every query has one id", expected=f"{f.num_queries} ids", got=f"{len(ids)}")
    return None if ids is None else list(ids), f


def _configs(strategies: Sequence[Mapping[str, Any] | Config | str], f: Relevance[Any], documents: int) -> list[Config]:
    """Each once; exhaustive search, which is the truth, first."""
    wanted = [STRATEGIES.parse("exact")]
    for strategy in strategies:
        config = choose(f, documents) if strategy == "auto" else STRATEGIES.parse(strategy)
        if config not in wanted:
            wanted.append(config)
    return wanted


def _make(
    configs: Sequence[Config],
    index: Index,
    f: Relevance[Any],
    depth: int,
    allowed: Tensor | None,
    functions: Relevance[Any] | None,
    saved: bool,
) -> tuple[list[_Made], dict[str, str]]:
    """Build each structure once, and try each strategy on the first query: also a warm-up of what it builds lazily."""
    made, refused, docs = [], {}, index.store.docs
    structures: dict[str, tuple[dict[str, Tensor], float]] = {}
    for config in configs:
        name = str(config.model_dump()["type"])
        member: Any = STRATEGIES[name]
        key = config.model_dump_json(exclude=set(config.search_only))
        built: dict[str, Any] = {}
        seconds = 0.0
        kept = match(index.store.commit.structures, config) if saved else None
        try:
            check_serves(config, index.store.kind)
            if kept is not None:
                searcher = index.searcher(config)
                searcher.search(f[slice(0, 1)], depth, allowed)
                made.append(_Made(config, searcher, None, index.store.commit.files[kept[0].file].size))
                continue
            if isinstance(member, _Builds):
                if key not in structures:
                    start = time.perf_counter()
                    given = {} if functions is None or name != "bipartite" else {"functions": functions}
                    structures[key] = member.build(config, docs, **given), time.perf_counter() - start
                tensors, seconds = structures[key]
                built = {"built": tensors}
            start = time.perf_counter()
            searcher = member(config, docs=docs, **built)
            seconds += time.perf_counter() - start
            searcher.search(f[slice(0, 1)], depth, allowed)
        except CapabilityError as error:
            refused[_named(config)] = error.what
            continue
        size = sum(tensor.nbytes for tensor in built["built"].values()) if built else 0
        made.append(_Made(config, searcher, seconds, size))
    return made, refused


def _measured(made: _Made, work: _Work, bar: Progress) -> tuple[Setting, Tensor, Tensor]:
    """The setting without recalls, and rows and scores (Q, k)."""
    f, search = work.f, made.searcher.search
    for query in range(min(WARM, f.num_queries)):
        search(f[slice(query, query + 1)], work.depth, work.allowed)
    times, scored, rows, scores = [], [], [], []
    for query in range(f.num_queries):
        one = f[slice(query, query + 1)]
        start = time.perf_counter()
        hits = search(one, work.depth, work.allowed)
        times.append(1000 * (time.perf_counter() - start))
        scored.append(float(hits.scored))
        rows.append(hits.rows)
        scores.append(hits.scores)
        bar.advance()
    start = time.perf_counter()
    for at in range(0, f.num_queries, BATCH):
        batch = f[slice(at, at + BATCH)]
        search(batch, work.depth, work.allowed)
        bar.advance(batch.num_queries)
    per_second = f.num_queries / (time.perf_counter() - start)
    config = made.config
    setting = Setting(
        str(config.model_dump()["type"]),
        _set(config),
        config.model_dump(mode="json"),
        made.seconds,
        made.bytes,
        per_second,
        {"scored": scored, "milliseconds": times},
    )
    return setting, torch.cat(rows), torch.cat(scores)


def _quality(
    index: Index, ids: Sequence[str], rows: Tensor, scores: Tensor, qrels: Qrels, measures: Sequence[str]
) -> dict[str, list[float]]:
    """By measure, a number for every judged query, in the queries' order."""
    run = {}
    for query, own, values in zip(ids, rows.tolist(), scores.tolist(), strict=True):
        kept = [row for row in own if row >= 0]
        run[query] = dict(zip(index.store.ids(kept), values[: len(kept)], strict=True))
    judged = {query: qrels[query] for query in ids if query in qrels}
    by_query = evaluate(judged, run, measures).by_query
    return {measure: list(values.values()) for measure, values in by_query.items()}


def _set(config: Config) -> dict[str, Any]:
    """What was set, beside the type."""
    return config.model_dump(mode="json", exclude_unset=True, exclude={"type"})


def _named(config: Config) -> str:
    return " ".join([str(config.model_dump()["type"]), *(f"{key}={value}" for key, value in _set(config).items())])
