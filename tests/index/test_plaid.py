"""PLAID over a made collection of topics: what it finds of the exact answer, what it looks at, and on disk."""

from itertools import pairwise

import pytest
import torch

from hyperir.core.docs import Dense, Multi
from hyperir.core.errors import CapabilityError, InputError
from hyperir.core.ragged import maxima
from hyperir.index.building import make
from hyperir.index.store import Store
from hyperir.index.strategies import STRATEGIES
from hyperir.relevance.dot import InnerProduct
from hyperir.relevance.tokens import TokenFunction
from hyperir.search.searchers import Searchers

N, D, TOPICS, Q, T = 600, 16, 40, 12, 6
SETTINGS = {"type": "plaid", "centroids": 64, "candidates": 120}


def unit(x):
    return torch.nn.functional.normalize(x, dim=-1)


@pytest.fixture(scope="module")
def world():
    """Vectors around 40 topics; a document has vectors of three topics, a query is drawn from one document."""
    generator = torch.Generator().manual_seed(0)
    topics = unit(torch.randn(TOPICS, D, generator=generator))
    lengths = torch.randint(3, 12, (N,), generator=generator).tolist()
    own = [torch.randint(TOPICS, (3,), generator=generator) for _ in range(N)]
    documents = []
    for chosen, length in zip(own, lengths, strict=True):
        picks = chosen[torch.randint(3, (length,), generator=generator)]
        documents.append(unit(topics[picks] + 0.15 * torch.randn(length, D, generator=generator)))
    docs = Multi.of_list(documents)
    asked = torch.randint(N, (Q,), generator=generator).tolist()
    tokens = [
        unit(documents[d][torch.arange(T) % lengths[d]] + 0.05 * torch.randn(T, D, generator=generator)) for d in asked
    ]
    return docs, TokenFunction(InnerProduct(torch.cat(tokens)), torch.arange(0, Q * T + 1, T)), asked


def recall(found, expected):
    return sum(len(set(a) & set(b)) for a, b in zip(found.rows.tolist(), expected.rows.tolist(), strict=True)) / (
        expected.rows.numel()
    )


@pytest.fixture(scope="module")
def exact(world):
    docs, f, _ = world
    return STRATEGIES.build("exact", docs=docs).search(f, 10)


def test_it_finds_nearly_all_of_the_exact_answer_with_a_part_of_the_work(world, exact):
    docs, f, asked = world
    hits = STRATEGIES.build(SETTINGS, docs=docs).search(f, 10)
    assert recall(hits, exact) > 0.95
    assert hits.rows[:, 0].tolist() == exact.rows[:, 0].tolist() == asked
    assert hits.scored <= 64 + 30
    torch.testing.assert_close(hits.scores, f(docs).gather(1, hits.rows))


@pytest.mark.parametrize(("bits", "least"), [(1, 0.6), (2, 0.8), (4, 0.9)])
def test_scores_of_residuals_find_more_with_more_bits(world, exact, bits, least):
    docs, f, _ = world
    hits = STRATEGIES.build({**SETTINGS, "bits": bits, "scores": "residuals"}, docs=docs).search(f, 10)
    assert recall(hits, exact) > least


def test_q_nets_of_any_kind_are_searched(world):
    docs, f, _ = world
    summed = TokenFunction(f.each, f.bounds, "sum")
    expected = STRATEGIES.build("exact", docs=docs).search(summed, 10)
    assert recall(STRATEGIES.build(SETTINGS, docs=docs).search(summed, 10), expected) > 0.5


def test_the_steps_equal_their_definition(world):
    """Candidates, pruned scores, scores of all centroids, and the last scores, for one query by loops."""
    docs, f, _ = world
    made = STRATEGIES.build({**SETTINGS, "candidates": 40, "threshold": 0.6}, docs=docs)
    built = made.build(made.config, docs)
    for q in range(4):
        one = f[q : q + 1]
        table = one.each(Dense(built["centroids"]))
        cells = {int(c) for row in table for c in row.topk(4).indices}
        bounds = [0, *built["ends"].tolist()]
        codes = [built["codes"][a:b].tolist() for a, b in pairwise(bounds)]
        rows = [d for d in range(N) if cells & set(codes[d])]
        strong = table.amax(0) >= table.mean() + 0.6 * (table.amax() - table.mean())

        def score(d, kept, table=table, codes=codes):
            own = [c for c in codes[d] if kept[c]]
            return float(maxima(table[:, own], torch.tensor([0, len(own)])).sum())

        rows = sorted(sorted(rows, key=lambda d: -score(d, strong))[:40])
        rows = sorted(rows, key=lambda d: -score(d, torch.ones(64, dtype=torch.bool)))[:10]
        exact = sorted(rows, key=lambda d: -float(one(docs[torch.tensor([d])])))
        assert made.search(one, 10).rows[0].tolist() == exact


def test_it_is_kept_on_disk_and_follows_changes(world, tmp_path):
    docs, f, _ = world
    store = Store.create(tmp_path / "p.index", width=D, kind="multi")
    rows = [{"id": f"d{i}", "text": ""} for i in range(N)]
    with store.writer() as writer:
        writer.append(rows[:550], docs[:550])
    store = store.refresh()
    with store.writer() as writer:
        writer.keep_structure(make(store.place, writer.base, STRATEGIES.parse(SETTINGS)))
    with store.writer() as writer:
        writer.append(rows[550:], docs[550:])
        writer.delete(["d0", "d7"])
    store = store.refresh()
    alive = torch.ones(N, dtype=torch.bool)
    alive[[0, 7]] = False
    assert store.verify(show_progress=False).ok
    hits = Searchers().get(store, "plaid").search(f, 10, store.alive)
    expected = STRATEGIES.build("exact", docs=docs).search(f, 10, alive)
    assert recall(hits, expected) > 0.9
    assert alive[hits.rows].all()


def test_what_it_cannot_do_is_refused_by_name(world):
    docs, f, _ = world
    made = STRATEGIES.build(SETTINGS, docs=docs)
    with pytest.raises(CapabilityError, match="plaid"):
        made.search(InnerProduct(torch.randn(1, D)), 10)
    with pytest.raises(InputError, match="plaid scores all centroids"):
        made.search(f, 10, None, 64)
    assert made.search(f, 10, None, 74).scored <= 74
    with pytest.raises(InputError, match="cells >= 1"):
        STRATEGIES.build({**SETTINGS, "cells": 0}, docs=docs)
