"""The bench: its figures are those of searches made by hand, and its pictures show them."""

import json
from html.parser import HTMLParser

import pytest
import torch
from torch.nn import functional

from hyperir import Index
from hyperir.core.errors import InputError
from hyperir.evaluate import bench, evaluate
from hyperir.evaluate.benching import default_grid
from hyperir.evaluate.benching.axes import PICTURES, frontier, log_ticks, points_of, recall_ticks, stretched
from hyperir.evaluate.benching.page import page
from hyperir.evaluate.benching.split import choices_of
from hyperir.index.strategies import STRATEGIES
from hyperir.relevance.dot import InnerProduct

N, D, Q = 400, 8, 6
TRIED = [{"type": "ivf", "probes": 1}, {"type": "ivf", "probes": 5}, "firstorder", "exact"]


class Opaque(InnerProduct):
    """Without a gradient."""

    gradient = None


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    index = Index.create(tmp_path_factory.mktemp("bench") / "own.index", width=D)
    vectors = functional.normalize(torch.randn(N, D, generator=torch.Generator().manual_seed(1)), dim=-1)
    index.add([{"id": f"d{i}", "text": ""} for i in range(N)], vectors=vectors, show_progress=False)
    index.delete(["d0"])
    return index


@pytest.fixture(scope="module")
def f():
    return InnerProduct(torch.randn(Q, D, generator=torch.Generator().manual_seed(2)))


@pytest.fixture(scope="module")
def found(index, f):
    ids = [f"q{i}" for i in range(Q)]
    qrels = {f"q{i}": {f"d{7 * i + 1}": 1} for i in range(Q)}
    return bench(index, f, qrels, strategies=TRIED, ks=(5, 20), query_ids=ids, goal=0.9, show_progress=False)


def test_figures_are_those_of_searches_by_hand(index, f, found):
    assert [setting.name for setting in found.settings] == ["exact", "ivf probes=1", "ivf probes=5", "firstorder"]
    exact, one, five, _ = found.settings
    assert (exact.mean("recall@5"), exact.mean("scored")) == (1.0, N)
    truth = index.find(f, 20, strategy="exact").rows
    for setting, strategy in zip((one, five), TRIED, strict=False):
        rows = index.find(f, 20, strategy=strategy).rows
        for k in (5, 20):
            expected = [
                len(set(a) & set(b)) / k for a, b in zip(rows[:, :k].tolist(), truth[:, :k].tolist(), strict=True)
            ]
            assert setting.values[f"recall@{k}"] == pytest.approx(expected)
        alone = [index.find(f[q : q + 1], 20, strategy=strategy).scored for q in range(Q)]
        assert setting.values["scored"] == alone
    assert one.mean("recall@20") < five.mean("recall@20")
    assert one.build_seconds == pytest.approx(five.build_seconds, abs=0.5)
    assert one.bytes == five.bytes == 20 * D * 4 + N * 8 + 20 * 8
    assert (exact.bytes, found.documents, found.depth) == (0, N - 1, 20)
    assert all(0 < s.milliseconds() <= s.milliseconds(0.95) and s.per_second > 0 for s in found.settings)


def test_structures_that_the_index_keeps_are_searched(tmp_path, monkeypatch):
    index = Index.create(tmp_path / "kept.index", width=8)
    index.add([{"id": str(i), "text": ""} for i in range(300)], vectors=torch.randn(300, 8), show_progress=False)
    index.build({"type": "ivf", "cells": 9}, show_progress=False)
    monkeypatch.setattr("hyperir.index.strategies.ivf.kmeans", None)  # what building anew would call
    found = bench(index, InnerProduct(torch.randn(4, 8)), strategies=["ivf"], ks=(5,), saved=True, show_progress=False)
    assert found.settings[1].build_seconds is None
    assert found.settings[1].bytes > 300 * 8
    assert "kept" in str(found)


def test_quality_is_that_of_the_run(index, f, found):
    hits = index.search(f, 20, strategy=TRIED[0])
    run = {f"q{i}": {hit.id: hit.score for hit in own} for i, own in enumerate(hits)}
    scores = evaluate({f"q{i}": {f"d{7 * i + 1}": 1} for i in range(Q)}, run, found.measures)
    assert found.measures == ("nDCG@10", "RR@10", "R@20")
    for measure in found.measures:
        assert found.settings[1].mean(measure) == pytest.approx(scores.mean(measure))


def test_choices_are_made_on_one_half_and_reported_on_the_other(found):
    for choice in choices_of(found, 0.9):
        setting = next(s for s in found.settings if s.name == choice.name)
        recalls = setting.values["recall@5"]
        assert choice.chosen_recall == pytest.approx(sum(recalls[::2]) / 3)
        assert choice.recall == pytest.approx(sum(recalls[1::2]) / 3)
        assert choice.reached == (choice.chosen_recall >= 0.9)
        others = [
            s for s in found.settings if s.family == choice.family and s.mean("recall@5", slice(0, None, 2)) >= 0.9
        ]
        assert all(choice.chosen_milliseconds <= s.milliseconds(among=slice(0, None, 2)) for s in others)
    assert [choice.family for choice in found.choices] == ["exact", "ivf", "firstorder"]


def test_a_strategy_that_cannot_serve_is_left_out_by_name(index):
    class Plain:
        num_queries = 2

        def __call__(self, docs):
            return docs.vectors.sum(-1).expand(2, *docs.shape[-1:])

        def __getitem__(self, queries):
            return self

    told = bench(index, Plain(), strategies=["firstorder", "auto"], ks=(3,), show_progress=False)
    assert [setting.name for setting in told.settings] == ["exact"], "auto is exact here"
    assert "cannot serve" in told.refused["firstorder"]


def test_mistakes_of_a_bench(index, f):
    for given, told in (
        ({"ks": ()}, "ranks"),
        ({"ks": (0,)}, r"ks = \[0\]"),
        ({"qrels": {"a": {"d1": 1}}}, "query_ids"),
        ({"query_ids": ["a"]}, "one id"),
        ({"strategies": ["ifv"]}, "did you mean 'ivf'"),
    ):
        with pytest.raises(InputError, match=told):
            bench(index, f, show_progress=False, **given)
    with pytest.raises(InputError, match="one query cannot be split"):
        bench(index, f[0:1], goal=0.9, show_progress=False)
    with pytest.raises(InputError, match="0 queries"):
        bench(index, f[0:0], show_progress=False)


OVER_VECTORS = set(STRATEGIES) - {"inverted", "plaid"}  # which serve weights of terms, and several vectors


@pytest.mark.parametrize("depth", [1, 10, 1000])
@pytest.mark.parametrize("documents", [1, 500, 10**6])
def test_the_default_grid_is_of_configurations_each_once(documents, depth):
    grid = default_grid(documents, depth, training=True)
    configs = [STRATEGIES.parse(each) for each in grid]
    assert {config.type for config in configs} == OVER_VECTORS
    assert len({config.model_dump_json() for config in configs}) == len(configs)
    assert not [each for each in default_grid(documents, depth) if each["type"] == "bipartite"]


def test_the_whole_grid_runs(index, f):
    told = bench(index, f, ks=(5,), training=f, show_progress=False)
    assert {setting.strategy for setting in told.settings} == OVER_VECTORS
    assert not told.refused


def test_the_table_and_the_json_hold_every_setting(found):
    table = str(found).splitlines()
    assert [line.split("  ")[0] for line in table[2:6]] == [setting.name for setting in found.settings]
    assert "recall@5 >= 0.9" in str(found)
    plain = json.loads(json.dumps(found.as_dict()))
    assert [s["recall@5"] for s in plain["settings"]] == [s.mean("recall@5") for s in found.settings]
    assert plain["settings"][1]["config"]["probes"] == 1
    assert plain["machine"]["threads"] == torch.get_num_threads()
    assert plain["settings"][1]["difference"].keys() == set(found.measures)


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tips, self.open, self.loads = [], [], []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.tips += [given[name] for name in ("data-tip",) if name in given]
        self.loads += [given[name] for name in ("src", "href") if name in given]
        if tag not in ("meta", "line", "circle", "polyline"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_and_loads_nothing(found):
    reader = Reader()
    reader.feed(page(found))
    assert (reader.open, reader.loads) == ([], [])
    assert len(reader.tips) == 2 * len(found.settings)
    assert {tip.splitlines()[0] for tip in reader.tips} == {setting.name for setting in found.settings}


def test_pictures_are_drawn(found, tmp_path):
    pytest.importorskip("matplotlib")
    from hyperir.evaluate.benching.plots import draw

    paths = draw(found, tmp_path)
    assert [path.name for path in paths] == [f"{picture.name}.png" for picture in PICTURES]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)


def test_the_axes():
    assert stretched(0.95) - stretched(0.9) == pytest.approx(1), "half as much is missed: one step"
    assert stretched(1.0) > stretched(0.999)
    assert recall_ticks(0.96)[0] == 0.95
    assert recall_ticks(0.3)[0] == 0.0
    assert log_ticks(0.9, 30) == pytest.approx([1, 2, 5, 10, 20])
    assert log_ticks(1, 1e5) == pytest.approx([1, 10, 100, 1000, 10_000, 100_000])


def test_a_line_joins_what_finds_more_than_all_that_is_cheaper(found):
    points = points_of(found, PICTURES[0])["ivf"]
    assert [point.work for point in points] == sorted(point.work for point in points)
    recalls = [point.recall for point in frontier(points)]
    assert recalls == sorted(set(recalls))
