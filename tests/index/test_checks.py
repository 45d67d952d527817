"""What is refused, how it is said, and that nothing is written."""

import itertools

import numpy as np
import pytest
import torch

from hyperir.core.errors import DuplicateIdError, InputError, VectorError
from hyperir.index import identity
from hyperir.index.store import Store

ok = [{"id": "n0", "text": "new"}, {"id": "n1", "text": "new"}]
NAN, INF = float("nan"), float("inf")


def refused(store, rows, vectors, kind, *parts):
    """The add is refused in these words, and the index is as it was; so is an add that goes on after the error."""
    before = sorted(p for p in store.path.rglob("*") if p.name != "LOCK")
    with pytest.raises(kind) as caught, store.writer() as writer:
        writer.append(rows, vectors)
    for part in parts:
        assert part in str(caught.value)
    assert sorted(p for p in store.path.rglob("*") if p.name != "LOCK") == before
    assert store.refresh().number == store.number
    with store.writer() as writer:
        with pytest.raises(kind):
            writer.append(rows, vectors)
        writer.append([{"id": "good", "text": "x"}], torch.zeros(1, store.width))
    later = store.refresh()
    assert len(later) == len(store) + 1
    assert later.verify(show_progress=False).ok


@pytest.mark.parametrize(
    ("vectors", "parts"),
    [
        (torch.zeros(2, 5), ["expected: (n, 4)", "got: (2, 5)"]),
        (torch.zeros(4), ["expected: (n, 4)", "got: (4,)"]),
        (torch.zeros(2, 1, 4), ["got: (2, 1, 4)"]),
        (torch.zeros(2, 4, dtype=torch.int64), ["floating-point", "torch.int64"]),
        (np.zeros((2, 4), complex), ["floating-point", "complex128"]),
        (np.zeros((2, 4), object), ["floating-point", "object"]),
        ([[0.0] * 4] * 2, ["expected: (n, 4)", "got: list"]),
        (torch.tensor([[0.0] * 4, [0, NAN, INF, 0]]), ["id 'n1'", "not finite", "got: nan at row 1"]),
        (np.array([[0, 0, 0, -INF], [NAN] * 4]), ["id 'n0'", "got: -inf at row 0"]),
    ],
)
def test_vectors_that_do_not_fit(small, vectors, parts):
    refused(small, ok, vectors, VectorError, *parts)


def test_a_number_too_large_for_the_type_of_the_index(tmp_path):
    store = Store.create(tmp_path / "h.index", width=1, dtype="float16")
    refused(store, ok, torch.tensor([[1.0], [70000.0]]), VectorError, "id 'n1'", "not finite in float16")
    store = Store.create(tmp_path / "s.index", width=1)
    refused(store, ok, np.array([[1.0], [1e300]]), VectorError, "id 'n1'", "not finite in float32")


def test_rows_and_vectors_differ_in_number(small):
    refused(small, ok, torch.zeros(3, 4), InputError, "one vector for a row", "2 and 3")


@pytest.mark.parametrize(
    ("row", "parts"),
    [
        ({"text": "x"}, ["row 1 of this add", 'no "id"', "keys 'text'"]),
        ({"Id": "a", "text": "x"}, ["rename the key 'Id' to \"id\""]),
        ({"id": 7, "text": "x"}, ["row 1 of this add", "a string", "int 7", "str(id)"]),
        ({"id": None, "text": "x"}, ["NoneType None"]),
        ({"id": "", "text": "x"}, ["row 1 of this add", "is empty"]),
        ({"id": "\ud800", "text": "x"}, ["row 1 of this add", "not valid Unicode", "surrogate"]),
        ({"id": "b", "txt": "x"}, ["row 1 of this add, id 'b'", 'no "text"', "rename the key 'txt' to \"text\""]),
        ({"id": "b"}, ["row 1 of this add, id 'b'", "keys 'id'"]),
        ({"id": "b", "text": None}, ["the text of row 1", "NoneType None"]),
        ({"id": "b", "text": "a\udc00"}, ["the text of row 1", "at character 1"]),
        ({"id": "b", "text": "", "title": 3}, ["the title of row 1", "int 3"]),
        ({}, ["an empty row"]),
        ("text", ["row 1 of this add is no row", "'text'"]),
        ({"id": "b", "text": "", "yeer": 3}, ["row 1 of this add, id 'b'", "'yeer'", "did you mean 'year'?"]),
        ({"id": "b", "text": "", 5: 3}, ["name of a metadata column", "got: 5"]),
        ({"id": "b", "text": "", "year": "q"}, ["row 1", "id 'b'", "'year'", "expected: int64", "got: str 'q'"]),
        ({"id": "b", "text": "", "year": {"a": 1}}, ["'year'", "expected: int64", "got: dict"]),
        ({"id": "b", "text": "", "year": 2**70}, ["'year'", "expected: int64"]),
    ],
)
def test_rows_that_cannot_be_stored(small, row, parts):
    refused(small, [ok[0], row], torch.zeros(2, 4), InputError, *parts)


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ([1, "a"], ["'m' do not go together", "int, str"]),
        ([2**70, None], ["'m' do not go together"]),
        ([{"a": {1}}, None], ["row 0", "'m'", "expected: json", "not JSON serializable"]),
        ([object(), None], ["'m'", "object"]),
        ([1 + 2j, None], ["'m'", "complex"]),
    ],
)
def test_metadata_of_the_first_rows(tmp_path, values, parts):
    store = Store.create(tmp_path / "f.index", width=1)
    rows = [{"id": str(i), "text": "", "m": value} for i, value in enumerate(values)]
    refused(store, rows, torch.zeros(2, 1), InputError, *parts)


def test_the_same_id_twice_in_a_batch(small):
    twice = [*ok, {"id": "n0", "text": "again"}]
    refused(small, twice, torch.zeros(3, 4), DuplicateIdError, "'n0' stands twice", "rows 0 and 2")


def test_an_id_of_the_index(small):
    rows = [ok[0], {"id": "d3", "text": "again"}]
    refused(small, rows, torch.zeros(2, 4), DuplicateIdError, "'d3' is already row 3 of the index", "as row 1 of this")


@pytest.mark.parametrize("buffer", [1, 1 << 20])
def test_an_id_of_an_earlier_batch_of_the_same_add(small, monkeypatch, buffer):
    monkeypatch.setattr("hyperir.index.pending.BUFFER", buffer)
    with small.writer() as writer:
        writer.append(ok[:1], torch.zeros(1, 4))
        writer.append(ok[1:], torch.zeros(1, 4))
        with pytest.raises(
            DuplicateIdError, match=r"'n1' is already row 1 of this add; it comes again as row 2 of this add"
        ):
            writer.append(ok[1:], torch.zeros(1, 4))
    assert small.refresh().ids([5, 6]) == ["n0", "n1"]


@pytest.mark.parametrize("buffer", [1, 1 << 20])
def test_equal_hashes_of_different_ids_are_no_duplicates(tmp_path, monkeypatch, buffer, rows, vectors):
    monkeypatch.setattr("hyperir.index.pending.BUFFER", buffer)
    monkeypatch.setattr("hyperir.index.ids.LOOKS", 0)
    monkeypatch.setattr("hyperir.index.ids.hash_ids", lambda ids: np.array([int(i[1:]) % 2 for i in ids], np.int64))
    store = Store.create(tmp_path / "c.index", width=4)
    for start in (0, 6):
        with store.writer() as writer:
            writer.append(rows(start, 3), vectors(start, 3))
            writer.append(rows(start + 3, 3), vectors(start + 3, 3))
    assert store.refresh().ids(range(12)) == [f"d{i}" for i in range(12)]
    with pytest.raises(DuplicateIdError, match="'d7' is already row 7 of the index"), store.writer() as writer:
        writer.append(rows(7, 1), vectors(7, 1))


def test_known_ids_agree_with_a_set():
    generator = np.random.default_rng(0)
    known, model = identity.KnownIds(), set()
    for size in [0, 1, 1, 5, 100, 3, 1000, 1, 1, 40]:
        hashes = generator.integers(0, 2000, size, dtype=np.int64)
        assert known.suspects(hashes).tolist() == [h in model for h in hashes.tolist()]
        known.add(hashes)
        model.update(hashes.tolist())
    lengths = [len(run) for run in known._runs]
    assert all(a > 2 * b for a, b in itertools.pairwise(lengths))


def test_hashes_are_spread_and_stable():
    hashes = identity.hash_ids(["a", "b", "é", "\0"])
    assert hashes.dtype == np.int64
    assert len(set(hashes.tolist())) == 4
    assert identity.hash_ids(["a"])[0] == hashes[0]
    assert len(identity.hash_ids([])) == 0
