"""The engine `lance`: it asks the index of vectors in the index folder's own table, pinned to a commit."""

import pytest
import torch
from engine_parts import D, K, N, in_an_index, make_docs, make_vectors, recall, truth

import hyperir
from hyperir.core.docs import Dense
from hyperir.core.errors import CorruptError, InputError
from hyperir.index.engines import ENGINES
from hyperir.index.repair import repair
from hyperir.relevance.dot import InnerProduct


@pytest.fixture(scope="module")
def docs():
    return make_docs()


@pytest.fixture(scope="module")
def vectors():
    return make_vectors()


@pytest.mark.parametrize("index", ["ivf_hnsw_sq", "ivf_pq", "ivf_flat"])
def test_lance_finds_what_blocks_find(docs, vectors, tmp_path, index):
    held = in_an_index(docs, {"type": "lance", "index": index, "sub_vectors": 12}, tmp_path)
    wide = {"type": "lance", "index": index, "scan": 0, "nprobes": 20}
    expected = truth(docs, vectors, K)
    found = [
        recall(ENGINES.build({**wide, "refine": refine}, docs=held).search(vectors, K), expected) for refine in (1, 20)
    ]
    assert found[1] >= 0.97
    assert found[0] <= found[1], "ranked again by their vectors, more of those found are the best"


def test_lance_is_pinned_to_its_commit_and_passes_over_what_is_gone(docs, vectors, tmp_path):
    index = hyperir.Index.create(tmp_path / "e.index", width=D)
    rows = [{"id": str(row), "text": ""} for row in range(N)]
    index.add(rows, vectors=docs.vectors, show_progress=False)
    strategy = {"type": "firstorder", "engine": {"type": "lance", "scan": 0}}
    index.build(strategy, show_progress=False)
    f = InnerProduct(vectors[:4])
    old, number = index.find(f, K, strategy=strategy), index.number
    best = [index.store.ids(found) for found in old.rows.tolist()]
    index.delete({ids[0] for ids in best})
    index.add([{"id": "new", "text": ""}], vectors=vectors[:1], show_progress=False)
    hits = index.search(f, K, strategy=strategy)
    assert hits[0][0].id == "new"
    assert not {hit.id for some in hits for hit in some} & {ids[0] for ids in best}
    assert [hit.id for hit in hits[1]][: K - 1] == best[1][1:]
    assert torch.equal(hyperir.Index.open(index.store.path, commit=number).find(f, K, strategy=strategy).rows, old.rows)
    index.compact()
    assert index.search(f, K, strategy=strategy)[0][0].id == "new"
    report = index.verify(show_progress=False)
    assert report.ok, report
    assert report.leftovers == ()
    index.drop("firstorder")
    assert not index.store._rows.has_vector_index()


def test_lance_needs_its_index_and_names_damage_of_it(docs, vectors, tmp_path):
    with pytest.raises(InputError, match="hyperir build INDEX firstorder --set engine=lance"):
        ENGINES.build("lance", docs=docs)
    few = Dense(docs.vectors[:300])
    store = in_an_index(few, {"type": "lance", "index": "ivf_pq"}, tmp_path).table.place
    index = hyperir.Index.open(store.path)
    for settings, told in [
        ({"sub_vectors": 7}, "a divisor of 24"),
        ({"nprobes": 0}, "nprobes"),
        ({"partitions": -1}, "-1"),
    ]:
        with pytest.raises(InputError, match=told):
            index.build({"type": "firstorder", "engine": {"type": "lance", "index": "ivf_pq", **settings}})
    (structure,) = index.store.commit.structures
    path = index.store.path / structure.table_files[0]
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 8
    path.write_bytes(damaged)
    again = hyperir.Index.open(index.store.path)
    f = InnerProduct(vectors[:2])
    with pytest.raises(CorruptError, match=structure.table_files[0]):
        again.find(f, K, strategy="firstorder")
    exact = again.find(f, K)
    plan = repair(index.store.path, apply=True, show_progress=False)
    assert (list(plan.dropped.values()), plan.reindexed, plan.lost_documents) == (["firstorder"], False, 0)
    again.refresh()
    assert torch.equal(again.find(f, K).rows, exact.rows)
    report = again.verify(show_progress=False)
    assert report.ok, report
    again.build({"type": "firstorder", "engine": "lance"}, show_progress=False)
    assert again.find(f, K, strategy="firstorder").rows.shape == (2, K)
