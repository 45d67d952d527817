"""Structures on disk: the same hits as built in memory, whatever comes, goes and moves, and damage that is named."""

import random
import shutil

import pytest
import torch

from hyperir import Index
from hyperir.core.errors import CorruptError, InputError, StoreError
from hyperir.index import commit as commits
from hyperir.index import merge, retention, structures
from hyperir.index.building import make
from hyperir.index.commit import Structure
from hyperir.index.covered import Grown
from hyperir.index.matching import match, same_build
from hyperir.index.repair import repair
from hyperir.index.strategies import STRATEGIES
from hyperir.index.strategies.graph import Graph
from hyperir.index.verify import verify
from hyperir.relevance.dot import InnerProduct
from hyperir.relevance.qnets import QNETS

N, D, K = 400, 8, 10
STRATEGY = {
    "ivf": {"type": "ivf", "cells": 10, "probes": 4},
    "graph": {"type": "graph", "degree": 8, "starts": 16, "ef": 16},
    "firstorder": {"type": "firstorder", "centroids": 8, "width": 30},
    "bipartite": {"type": "bipartite", "top": 10},
}
every = pytest.mark.parametrize("name", list(STRATEGY))


def vectors(count, seed=0):
    return torch.randn(count, D, generator=torch.Generator().manual_seed(seed))


def rows(ids):
    return [{"id": id_, "text": "", "n": number} for number, id_ in enumerate(ids)]


def add(index, ids, seed, length=1.0):
    index.add(rows(ids), vectors=vectors(len(ids), seed) * length, show_progress=False)


@pytest.fixture
def index(tmp_path):
    index = Index.create(tmp_path / "s.index", width=D)
    add(index, [f"d{i}" for i in range(N)], 0)
    return index


f = InnerProduct(vectors(6, 1))
trained = InnerProduct(vectors(60, 2))


def build(index, name):
    index.build(STRATEGY[name], queries=trained if name == "bipartite" else None, show_progress=False)
    return index


def in_memory(index, name):
    context = {"functions": trained} if name == "bipartite" else {}
    return STRATEGIES.build(STRATEGY[name], docs=index.store.docs, **context)


def same(one, other):
    assert torch.equal(one.rows, other.rows)
    torch.testing.assert_close(one.scores, other.scores)


def ids_of(index, hits):
    return [index.store.ids([row for row in some if row >= 0]) for some in hits.rows.tolist()]


@every
def test_the_same_hits_as_built_in_memory(index, name):
    expected = in_memory(index, name).search(f, K)
    build(index, name)
    again = Index.open(index.store.path)
    for strategy in (name, STRATEGY[name]):
        same(again.find(f, K, strategy=strategy), expected)
    assert again.scored == expected.scored < N
    allowed = index.store.allowed("n < 200")
    same(again.find(f, K, strategy=name, where="n < 200"), in_memory(index, name).search(f, K, allowed))
    assert [past.change for past in again.history()][-1] == f"built {name}"
    report = again.verify(show_progress=False)
    assert report.ok
    assert report.leftovers == ()


def test_a_coarse_copy_serves_only_those_who_ask_for_it(index):
    coarse = {"type": "exact", "first_pass": "bfloat16"}
    index.build(coarse, show_progress=False)
    net = QNETS.build({"type": "mlp", "hidden": (8,)}, width=D)
    written = {name: torch.randn(3, *slot.shape) for name, slot in net.slots().items()}
    with torch.no_grad():
        g = net.function(written, None)
    full = index.find(g, K)
    assert index._searchers.get(index.store, "exact").__class__.__name__ == "Exact"
    add(index, ["later"], 9)
    hits = index.find(g, K, strategy=coarse)
    assert isinstance(index._searchers.get(index.store, coarse), Grown)
    assert set(hits.rows[0].tolist()) >= set(full.rows[0, :5].tolist()) - {N}


def test_what_is_on_disk_is_not_built_again(index, monkeypatch):
    build(index, "graph")
    monkeypatch.setattr(Graph, "build", None)
    again = Index.open(index.store.path)
    again.find(f, K, strategy="graph")
    wider = again.find(f, K, strategy={"type": "graph", "ef": 100})
    assert wider.scored > again.find(f, K, strategy="graph").scored, "settings of the search alone are those wanted"
    with pytest.raises(TypeError):
        again.find(f, K, strategy={"type": "graph", "degree": 9})


@every
def test_later_documents_are_found_and_removed_ones_never(index, name):
    build(index, name)
    best = index.find(f, 1)
    gone = sorted({index.store.ids([row])[0] for row in best.rows[:, 0].tolist()})
    before = index.find(f, K, strategy=name).scored
    add(index, [f"new{i}" for i in range(12)], 5, length=9.0)
    assert index.find(f, K, strategy=name).scored == before + 12
    index.delete(gone)
    index.update(rows(["d7"]), vectors=f.queries[:1] * 50)
    hits = index.find(f, K, strategy=name)
    found = ids_of(index, hits)
    assert not {id_ for some in found for id_ in some} & set(gone)
    assert found[0][0] == "d7"
    exact = index.find(f, K)
    for mine, all_of_it in zip(found, ids_of(index, exact), strict=True):
        assert {i for i in all_of_it if i.startswith("new")} <= set(mine)
    torch.testing.assert_close(hits.scores, f(index.store.docs[:]).gather(1, hits.rows))
    only = index.find(f, K, strategy=name, where="n = 3")
    assert {i for some in ids_of(index, only) for i in some} <= {"d3", "new3"}


@every
def test_a_long_life_with_merges_and_compaction(index, name, monkeypatch):
    monkeypatch.setattr(merge, "FANOUT", 3)
    build(index, name)
    alive, chance = [f"d{i}" for i in range(N)], random.Random(0)
    for step in range(8):
        gone = chance.sample(alive, 15)
        index.delete(gone)
        new = [f"s{step}-{i}" for i in range(10)]
        add(index, new, 10 + step)
        alive = [id_ for id_ in alive if id_ not in gone] + new
        if step == 5:
            index.compact()
        hits = index.find(f, K, strategy=name)
        assert {i for some in ids_of(index, hits) for i in some} <= set(alive)
        torch.testing.assert_close(hits.scores, f(index.store.docs[:]).gather(1, hits.rows))
        assert all(len(set(some)) == K for some in hits.rows.tolist())
    assert index.store.docs.shape[0] < N + 80, "rows were given up on the way"
    assert index.verify(show_progress=False).ok


def test_compaction_makes_structures_again_that_need_it(index):
    for name in ("ivf", "bipartite"):
        build(index, name)
    kept = index.store.commit.structures
    index.compact()
    assert index.store.commit.structures == kept, "nothing came or went"
    index.delete(["d1"])
    index.compact()
    ivf, bipartite = index.store.commit.structures
    assert (ivf.documents, bipartite) == (N - 1, kept[1])
    same(index.find(f, K, strategy="ivf"), in_memory(index, "ivf").search(f, K))
    assert "d1" not in {i for some in ids_of(index, index.find(f, K, strategy="bipartite")) for i in some}
    index.delete(where="n >= 0")
    assert index.find(f, K, strategy="ivf").rows.max() == -1
    index.compact()
    assert [structure.type for structure in index.store.commit.structures] == ["bipartite"]
    assert index.find(f, K, strategy="bipartite").rows.max() == -1


def test_old_commits_search_with_their_own(index):
    build(index, "ivf")
    number, expected = index.number, index.find(f, K, strategy="ivf")
    index.delete(["d0", "d1"])
    build(index, "ivf")
    index.drop("ivf")
    assert index.store.commit.structures == ()
    same(Index.open(index.store.path, commit=number).find(f, K, strategy="ivf"), expected)


def test_files_go_with_the_last_commit_that_names_them(index, monkeypatch):
    monkeypatch.setattr(retention, "RETAIN", 2)
    build(index, "ivf")
    first = index.store.path / index.store.commit.structures[0].file
    build(index, "ivf")
    assert first.exists()
    add(index, ["x"], 3)
    assert not first.exists()
    assert index.verify(show_progress=False).leftovers == ()


def test_settings_say_which_structure_serves():
    def structure(kind, **config):
        return Structure(type=kind, config={"type": kind, **config}, file="a", documents=1, next_key=1, created="")

    faiss, graph = structure("firstorder", engine={"type": "faiss", "m": 16}), structure("graph", degree=8, ef=100)
    all_of_them = [faiss, structure("firstorder"), graph, structure("graph", preset="hypencoder")]

    def served(strategy):
        found = match(all_of_them, STRATEGIES.parse(strategy))
        return found and (all_of_them.index(found[0]), found[1])

    assert served("firstorder")[0] == 1, "the newest"
    number, config = served({"type": "firstorder", "engine": {"type": "faiss", "ef_search": 9}, "rounds": 7})
    assert (number, config.engine, config.rounds) == (0, {"type": "faiss", "m": 16, "ef_search": 9}, 7)
    assert served({"type": "firstorder", "engine": "faiss"})[0] == 0
    assert served({"type": "firstorder", "engine": {"type": "faiss", "m": 32}}) is None
    assert served({"type": "firstorder", "engine": "usearch"}) is None
    number, config = served({"type": "graph", "degree": 8})
    assert (number, config.ef) == (2, 100)
    assert served({"type": "graph", "ef": 5})[0] == 2
    assert served("graph")[1].paper is None, "the paper's only serves those who ask for it"
    assert served({"type": "graph", "preset": "hypencoder"})[0] == 3
    assert served("ivf") is None
    assert same_build(graph, STRATEGIES.parse({"type": "graph", "degree": 8}))
    assert not same_build(graph, STRATEGIES.parse("graph"))


def test_building_again_takes_the_place_of_the_same_settings(index):
    for probes in (4, 5):
        index.build({"type": "ivf", "cells": 10, "probes": probes}, show_progress=False)
    index.build({"type": "ivf", "cells": 5}, show_progress=False)
    assert [s.config.get("cells") for s in index.store.commit.structures] == [10, 5]
    assert index.drop({"type": "ivf", "cells": 5}) == 1
    assert index.drop("graph") == 0
    assert index.drop("ivf") == 1


def test_what_cannot_be_built_changes_nothing(index):
    before = index.number
    for given, told in [
        ({}, "neither"),
        ({"strategy": "exact"}, "builds nothing"),
        ({"strategy": "bipartite"}, "training queries"),
        ({"strategy": "ivf", "queries": trained}, "without queries"),
        ({"columns": ["n"], "queries": trained}, "bipartite"),
        ({"strategy": "gaph"}, "did you mean 'graph'"),
        ({"strategy": "ivf", "columns": ["m"]}, "'m'"),
        ({"columns": "n"}, "a list"),
    ]:
        with pytest.raises(InputError, match=told):
            index.build(**given)
    assert index.store.refresh().number == before
    index.build("ivf", columns=["n"])
    assert [past.change for past in index.history()][-1] == "indexed 'n', built ivf"


def test_an_empty_index_has_nothing_to_build_of(tmp_path):
    with pytest.raises(InputError, match="add documents first"):
        Index.create(tmp_path / "e.index", width=2).build("ivf")


# Damage.


def damaged_ways(whole):
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 4
    return {"flip": bytes(flipped), "cut": whole[:-1], "grown": whole + b"x", "empty": b"", "gone": None}


@pytest.mark.parametrize("way", ["flip", "cut", "grown", "empty", "gone"])
def test_a_damaged_structure_is_named_and_the_index_goes_on_without(index, way):
    build(index, "graph")
    build(index, "ivf")
    name = index.store.commit.structures[0].file
    path = index.store.path / name
    data = damaged_ways(path.read_bytes())[way]
    path.unlink() if data is None else path.write_bytes(data)
    again = Index.open(index.store.path)
    with pytest.raises(CorruptError) as caught:
        again.find(f, K, strategy="graph")
    for told in (name, "structure graph", "hyperir build", "hyperir repair", 'strategy="exact"'):
        assert told in str(caught.value)
    exact = again.find(f, K)
    again.find(f, K, strategy="ivf")
    assert [problem.file for problem in verify(index.store.path, False).problems] == [name]
    add(again, ["more"], 4)
    same(again.find(f, K, where="id != 'more'"), exact)
    plan = repair(index.store.path, show_progress=False)
    assert f"dropped: the search structure graph, {name}" in str(plan)
    assert (plan.lost_documents, plan.lost_commits) == (0, ())
    assert repair(index.store.path, apply=True, show_progress=False) == plan
    again.refresh()
    assert [structure.type for structure in again.store.commit.structures] == ["ivf"]
    report = again.verify(show_progress=False)
    assert report.ok, report
    assert report.leftovers == ()


def test_to_build_again_mends_it_as_well(index):
    build(index, "graph")
    (index.store.path / index.store.commit.structures[0].file).write_bytes(b"nothing")
    again = build(Index.open(index.store.path), "graph")
    assert again.find(f, K, strategy="graph").rows.shape == (6, K)


HOSTILE = {
    "ivf": {"rows": 10**9, "ends": -5, "centroids": float("nan"), "keys": 3},
    "graph": {"neighbours": N, "entries": -1, "keys": -1},
    "firstorder": {"centroids": float("inf"), "keys": 10**12},
    "bipartite": {"documents": N, "queries": 60, "entries": N, "keys": 0},
}


@every
def test_a_structure_that_nobody_can_have_built_is_refused(index, name):
    config = STRATEGIES.parse(STRATEGY[name])
    functions = trained if name == "bipartite" else None
    good = make(index.store.place, index.store.commit, config, functions)
    forged = []
    for tensor, value in HOSTILE[name].items():
        forged.append({**good.tensors, tensor: good.tensors[tensor].clone().index_fill(0, torch.tensor([1]), value)})
        forged.append({**good.tensors, tensor: good.tensors[tensor][:-1] if tensor != "entries" else torch.ones(2)})
        forged += [{n: v for n, v in good.tensors.items() if n != tensor}] if tensor != "keys" else []
    accepted = 0
    for tensors in forged:
        with index.store.writer() as writer:
            writer.drop_structures(writer.base.structures)
            writer.keep_structure(structures.Made(config, tensors, good.next_key))
        index.refresh()
        try:
            index.find(f, K, strategy=name)
            accepted += 1
        except CorruptError as error:
            assert name in str(error)  # noqa: PT017 - either is right
            assert verify(index.store.path, False).problems[0].file == index.store.commit.structures[0].file
    # Some may have been built: fewer centroids of `firstorder`, and it above fewer documents.
    assert accepted <= 2


def test_a_commit_cannot_name_a_structure_without_its_file(index):
    build(index, "ivf")
    values = dict(index.store.commit)
    (structure,) = values["structures"]
    for wrong in ({"file": "ann/x"}, {"documents": 0}, {"next_key": 10**6}):
        with pytest.raises(ValueError, match=r"no size and hash|covers no documents"):
            commits.Commit(**{**values, "structures": (structure.model_copy(update=wrong),)})


def test_a_commit_that_was_given_up_says_so(index):
    build(index, "graph")
    old = Index.open(index.store.path)
    old.store.docs  # noqa: B018 - mapped while it is there
    add(index, ["x"], 3)
    index.compact()
    with pytest.raises(StoreError, match="was given up by a later change"):
        old.find(f, K, strategy="graph")


def test_a_structure_is_copied_with_the_folder(index, tmp_path):
    build(index, "graph")
    shutil.copytree(index.store.path, tmp_path / "copy.index")
    same(Index.open(tmp_path / "copy.index").find(f, K, strategy="graph"), index.find(f, K, strategy="graph"))


def test_export_and_info_know_structures(index, tmp_path):
    build(index, "ivf")
    before = index.info()
    assert before["bytes"]["structures"] == before["structures"][0]["bytes"] > 0
    index.delete(["d1"])
    add(index, ["a", "b"], 3)
    (told,) = index.info()["structures"]
    assert (told["documents"], told["added_since"], told["removed_since"], told["due"]) == (N, 2, 1, False)
    assert index.export(tmp_path / "out.parquet", show_progress=False) == N + 1
