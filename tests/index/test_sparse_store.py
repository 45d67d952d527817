"""Weights of terms on disk: what is stored comes back, through every change, and damage is noticed."""

import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from hyperir.core.docs import Sparse
from hyperir.core.errors import CorruptError, InputError, VectorError
from hyperir.core.terms import TERMS
from hyperir.index import before
from hyperir.index.building import make
from hyperir.index.packed import packed_files
from hyperir.index.repair import repair
from hyperir.index.store import Store
from hyperir.index.strategies import STRATEGIES, postings
from hyperir.relevance.sparse import SparseInner, as_stored

V = 40


def rows(start, count):
    return [{"id": f"d{i}", "text": f"text {i}", "year": 2000 + i} for i in range(start, start + count)]


def sparse(start, count, size=V):
    """Document i has i % 4 terms, the first of them i."""
    lengths = torch.tensor([i % 4 for i in range(start, start + count)], dtype=torch.int64)
    parts = [torch.arange(n) + i for i, n in zip(range(start, start + count), lengths.tolist(), strict=True)]
    terms = torch.cat([torch.empty(0, dtype=torch.int64), *parts])
    indptr = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)])
    return Sparse(indptr, terms + (size - V), terms / 8 + 0.5)


def bags(docs):
    return [
        dict(zip(docs.terms[a:b].tolist(), docs.weights[a:b].tolist(), strict=True))
        for a, b in zip(docs.indptr, docs.indptr[1:], strict=False)
    ]


def function(size=V):
    drawn = torch.Generator().manual_seed(0)
    queries = Sparse(torch.tensor([0, 5, 9]), torch.arange(9) * 3 + (size - V), torch.rand(9, generator=drawn))
    return SparseInner(queries, as_stored, torch.zeros(2))


@pytest.fixture(params=[V, TERMS])
def store(tmp_path, request):
    made = Store.create(tmp_path / "sparse.index", width=request.param, kind="sparse")
    for start, count in ((0, 7), (7, 5)):
        with made.writer() as writer:
            writer.append(rows(start, count), sparse(start, count, request.param))
    return made.refresh()


def test_documents_come_back_over_several_files(store):
    expected = bags(sparse(0, 12, store.width))
    assert len(store.commit.generations) == 2
    assert (store.docs.shape, store.kind, store.info()["vectors"]) == ((12,), "sparse", 18)
    assert bags(store.docs[:]) == expected
    assert bags(store.docs[5:9]) == expected[5:9]
    assert bags(store.docs[8:3]) == []
    assert bags(store.docs[torch.tensor([11, 0, -1, 7])]) == [expected[i] for i in (11, 0, 11, 7)]
    assert store.docs[torch.tensor([[3, 8], [8, 3]])].shape == (2, 2)
    assert bags(pickle.loads(pickle.dumps(store.docs))[2:4]) == expected[2:4]
    with pytest.raises(IndexError, match="row 12 of 12"):
        store.docs[torch.tensor([12])]
    assert store.verify(show_progress=False).ok


def test_the_packed_file_is_a_plain_safetensors_file(store):
    found = load_file(store.path / store.commit.generations[1].file)
    expected = sparse(7, 5, store.width)
    assert torch.equal(found["terms"], expected.terms)
    assert torch.equal(found["weights"], expected.weights)
    assert torch.equal(found["ends"], expected.indptr[1:])
    assert found["keys"].tolist() == [7, 8, 9, 10, 11]


def test_search_on_disk_is_that_in_memory(store, monkeypatch):
    f = function(store.width)
    expected = STRATEGIES.build("exact", docs=sparse(0, 12, store.width)).search(f, 5)
    monkeypatch.setattr(postings, "BLOCK", 5)
    for strategy in ({"type": "exact", "block": 3}, "inverted"):
        found = STRATEGIES.build(strategy, docs=store.docs).search(f, 5)
        assert torch.equal(found.rows, expected.rows)
        torch.testing.assert_close(found.scores, expected.scores)


def test_changes_and_compaction_keep_what_is_alive(store):
    with store.writer() as writer:
        writer.delete(["d1", "d8"])
        writer.replace(rows(3, 1), sparse(33, 1, store.width))
    changed = store.refresh()
    expected = [bags(sparse(i, 1, store.width))[0] for i in (0, 2, 4, 5, 6, 7, 9, 10, 11, 33)]
    assert bags(changed.docs[changed.alive.nonzero()[:, 0]]) == expected
    compacted = changed.compact()
    assert compacted.alive is None
    assert bags(compacted.docs[:]) == expected
    assert compacted.verify(show_progress=False).ok
    assert bags(Store.open(store.path).docs[:]) == expected


def test_many_small_adds_are_merged(tmp_path):
    store = Store.create(tmp_path / "small.index", width=V, kind="sparse", dtype="float16")
    for i in range(20):
        with store.writer() as writer:
            writer.append(rows(i, 1), sparse(i, 1))
    store = store.refresh()
    assert len(store.commit.generations) < 10
    assert bags(store.docs[:]) == bags(sparse(0, 20))
    assert store.docs[:].weights.dtype == torch.float16
    assert store.verify(show_progress=False).ok


def test_terms_in_any_order_are_stored_in_theirs(tmp_path):
    store = Store.create(tmp_path / "new.index", width=V, kind="sparse")
    with store.writer() as writer:
        writer.append(rows(0, 3), Sparse(torch.tensor([0, 2, 2, 4]), torch.tensor([5, 1, 9, 0]), torch.arange(4.0)))
    assert store.refresh().docs[:].terms.tolist() == [1, 5, 0, 9]
    assert bags(store.refresh().docs[:]) == [{1: 1.0, 5: 0.0}, {}, {0: 3.0, 9: 2.0}]


def given(terms, weights, indptr=(0, 1, 3)):
    return Sparse(torch.tensor(indptr), torch.tensor(terms), torch.tensor(weights))


@pytest.mark.parametrize(
    ("docs", "error", "message"),
    [
        (torch.zeros(2, V), VectorError, "weights of terms"),
        (given([1, 2, V], [1.0, 1.0, 1.0]), VectorError, f"'d1' has a term(.|\n)*term {V}"),
        (given([-1, 2, 3], [1.0, 1.0, 1.0]), VectorError, "'d0' has a term(.|\n)*term -1"),
        (given([1, 2, 2], [1.0, 1.0, 1.0]), VectorError, "'d1' has a term(.|\n)*once"),
        (given([1, 2, 3], [1.0, 1.0, np.nan]), VectorError, "'d1' is not finite"),
        (given([1, 2, 3], [1, 1, 1]), VectorError, "floating"),
        (given([1.0, 2.0, 3.0], [1.0, 1.0, 1.0]), VectorError, "number and a weight"),
        (given([1], [1.0], (0, 1)), InputError, r"\(1,\)"),
    ],
)
def test_what_cannot_be_stored_is_refused_and_nothing_written(tmp_path, docs, error, message):
    store = Store.create(tmp_path / "new.index", width=V, kind="sparse")
    with pytest.raises(error, match=message), store.writer() as writer:
        writer.append(rows(0, 2), docs)
    assert store.refresh().number == 1


def test_nothing_is_left_of_an_add_that_failed(store):
    files = {path for path in store.path.rglob("*") if path.is_file()}
    with pytest.raises(RuntimeError), store.writer() as writer:  # noqa: PT012
        writer.append(rows(20, 2), sparse(20, 2, store.width))
        raise RuntimeError
    assert {path for path in store.path.rglob("*") if path.is_file()} == files


def test_lost_documents_are_made_again_from_the_rows(store):
    [first, _] = packed_files(store.place, store.commit)
    place = store.path / first.name
    whole = place.read_bytes()
    place.write_bytes(whole[:-3])
    with pytest.raises(CorruptError):
        Store.open(store.path)
    repair(store.path, apply=True, show_progress=False)
    assert place.read_bytes() == whole
    assert bags(Store.open(store.path).docs[:]) == bags(sparse(0, 12, store.width))


def test_every_flipped_byte_of_a_packed_file_is_damage(store):
    place = store.path / store.commit.generations[0].file
    raw = place.read_bytes()
    for at in range(512, len(raw), 17):
        place.write_bytes(raw[:at] + bytes([raw[at] ^ 64]) + raw[at + 1 :])
        assert not store.verify(show_progress=False).ok


def test_a_file_of_rows_is_hashed_without_its_terms_where_those_are_not_read(store):
    names = [name for name in store.commit.files if name.startswith("rows.lance/data/")]
    for name in names:
        ranges = store.commit.files[name].apart.vectors
        assert sum(stop - start for start, stop in ranges) > 0
        assert before.apart(store.place, name) == store.commit.files[name].apart


def test_lists_on_disk_serve_what_they_cover_and_what_came_later(store):
    with store.writer() as writer:
        writer.delete(["d2"])
    with store.writer() as writer:
        writer.keep_structure(make(store.place, writer.base, STRATEGIES.parse("inverted")))
    with store.writer() as writer:
        writer.append(rows(12, 6), sparse(12, 6, store.width))
        writer.delete(["d5"])
    store = store.refresh()
    (structure,) = store.commit.structures
    assert structure.documents == 11
    assert set(store.load_structure(structure)) == {"words", "starts", "rows", "weights", "sums", "keys"}
    assert store.verify(show_progress=False).ok
    compacted = store.compact()
    assert compacted.commit.structures[0].documents == 16
    assert compacted.verify(show_progress=False).ok
