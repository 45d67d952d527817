"""Create, open, append, read back."""

import datetime
import gc
import pickle

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hyperir.core.errors import InputError, StoreError
from hyperir.index.commit import EncoderRecord
from hyperir.index.store import Store


def test_an_empty_index_answers_with_nothing(tmp_path):
    for store in (Store.create(tmp_path / "e.index", width=7, dtype="float16"), Store.open(tmp_path / "e.index")):
        assert len(store) == 0
        assert store.docs.shape == (0,)
        assert store.docs[:].vectors.shape == (0, 7)
        assert store.docs[:].vectors.dtype == torch.float16
        assert store.docs[torch.empty(3, 0, dtype=torch.int64)].shape == (3, 0)
        assert len(store.docs.keys) == 0
        assert store.rows([]) == []
        assert store.ids([]) == []
        assert store.verify(show_progress=False).ok
        with pytest.raises(IndexError):
            store.docs[torch.tensor([0])]


def test_rows_and_vectors_come_back_in_order(small, rows, vectors):
    assert len(small) == 5
    assert small.number == 3
    assert small.rows(range(5)) == rows(0, 5)
    assert small.ids([4, 0, 4]) == ["d4", "d0", "d4"]
    assert small.rows([3, 3, 1]) == [rows(i, 1)[0] for i in (3, 3, 1)]
    assert torch.equal(small.docs[:].vectors, vectors(0, 5))
    assert small.docs.keys.tolist() == [0, 1, 2, 3, 4]
    assert small.verify(show_progress=False).ok


@pytest.mark.parametrize("position", [-1, 5])
def test_positions_outside_the_index_are_refused(small, position):
    with pytest.raises(IndexError, match=f"row {position} of an index of 5 documents"):
        small.rows([0, position])


def test_any_slice_and_any_shape_of_rows(small, vectors):
    whole = vectors(0, 5)
    for start in range(-6, 7):
        for stop in range(-6, 7):
            assert torch.equal(small.docs[start:stop].vectors, whole[start:stop])
    assert torch.equal(small.docs[::2].vectors, whole[::2])
    assert torch.equal(small.docs[::-1].vectors, whole.flip(0))
    for shape in [(), (0,), (1,), (7,), (2, 3), (2, 3, 4)]:
        asked = torch.randint(-5, 5, shape)
        found = small.docs[asked]
        assert found.shape == shape
        assert torch.equal(found.vectors, whole[asked])
    with pytest.raises(IndexError, match="row 5 of an index of 5"):
        small.docs[torch.tensor([0, 5])]
    with pytest.raises(TypeError, match="whole numbers"):
        small.docs[torch.ones(5, dtype=torch.bool)]


def test_a_slice_in_one_generation_is_the_mapped_memory(small):
    docs = small.docs
    first, again = docs[0:3].vectors, docs[1:3].vectors
    assert again.data_ptr() == first.data_ptr() + 4 * 4
    assert docs[3:5].vectors.data_ptr() == docs[4:5].vectors.data_ptr() - 4 * 4
    mapped = docs._generations[0]._bytes
    assert mapped.ctypes.data + 512 == first.data_ptr()
    assert first.data_ptr() % 64 == 0
    del docs, mapped, small
    gc.collect()
    assert first.sum() == torch.arange(12).sum() / 8  # the memory lives as long as a view of it


def test_what_is_written_into_a_view_stays_out_of_the_file(small, vectors):
    small.docs[0:3].vectors.zero_()
    fresh = Store.open(small.path)
    assert torch.equal(fresh.docs[:].vectors, vectors(0, 5))
    assert fresh.verify(show_progress=False).ok


def test_documents_travel_to_another_process(small):
    copy = pickle.loads(pickle.dumps(small.docs))
    assert torch.equal(copy[:].vectors, small.docs[:].vectors)


def test_a_store_stays_at_its_commit(small, add):
    later = add(small, 5, 2)
    assert (len(small), len(later)) == (5, 7)
    assert small.docs.shape == (5,)
    assert len(small.rows(range(5))) == 5
    assert len(small.refresh()) == 7


def test_many_batches_are_one_commit_and_many_files(tmp_path, rows, vectors, monkeypatch):
    monkeypatch.setattr("hyperir.index.pending.BUFFER", 1)
    monkeypatch.setattr("hyperir.index.pending.BLOCK", 3)
    store = Store.create(tmp_path / "m.index", width=4)
    with store.writer() as writer:
        for start in range(0, 20, 2):
            writer.append(rows(start, 2), vectors(start, 2))
        writer.append([], vectors(0, 0))
    store = store.refresh()
    assert store.number == 2
    assert len(store.commit.generations) == 1
    assert sum(name.startswith("rows.lance/data/") for name in store.commit.files) == 10
    assert store.rows(range(20)) == rows(0, 20)
    assert torch.equal(store.docs[:].vectors, vectors(0, 20))
    assert store.verify(show_progress=False).ok


def test_an_add_without_rows_is_no_commit(small):
    with small.writer():
        pass
    assert small.refresh().number == small.number


def test_the_caller_may_reuse_his_arrays(tmp_path):
    import lance

    store = Store.create(tmp_path / "r.index", width=2)
    buffer = np.zeros((1, 2), dtype=np.float32)
    with store.writer() as writer:
        for i in range(3):
            buffer[:] = i
            writer.append([{"id": str(i), "text": ""}], buffer)
    assert store.refresh().docs[:].vectors[:, 0].tolist() == [0, 1, 2]
    table = lance.dataset(str(tmp_path / "r.index" / "rows.lance")).to_table(columns=["vector"])
    assert table["vector"].to_pylist() == [[0, 0], [1, 1], [2, 2]]


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize(
    "given_as", [torch.float64, torch.float32, torch.float16, torch.bfloat16, np.float64, np.float32, np.float16]
)
def test_every_floating_type_is_taken(tmp_path, dtype, given_as):
    values = [[1.5, -2.0], [0.25, 4.0]]
    made = torch.tensor(values, dtype=given_as) if isinstance(given_as, torch.dtype) else np.array(values, given_as)
    store = Store.create(tmp_path / "t.index", width=2, dtype=dtype)
    with store.writer() as writer:
        writer.append([{"id": "a", "text": ""}, {"id": "b", "text": ""}], made)
    found = store.refresh().docs[:].vectors
    assert found.dtype == getattr(torch, dtype)
    assert found.tolist() == values


def test_metadata_round_trips(tmp_path):
    day = datetime.date(2020, 2, 29)
    moment = datetime.datetime(2020, 2, 29, 12, 30, 1, 5)
    first = {
        "id": "a", "title": "", "text": "x", "year": 1, "score": 0.5, "seen": True, "name": "é\0", "raw": b"\x00\xff",
        "day": day, "moment": moment, "tags": ["a", {"b": [1, None]}], "author": {"name": "Ada", "born": 1815},
        "key": "theirs", "vector": 3, "_rowid": 4, "a.b c": 5, "Year": 6, "column_2": 7, "`": 8, "": 9,
    }  # fmt: skip
    sparse = {"id": "b", "title": "T", "text": "", "tags": "mixed", "score": 2}
    store = Store.create(tmp_path / "m.index", width=1)
    with store.writer() as writer:
        writer.append([first], np.zeros((1, 1), np.float32))
        writer.append([sparse], np.zeros((1, 1), np.float32))
    store = store.refresh()
    assert store.rows([1, 0]) == [{name: sparse.get(name) for name in first}, first]
    with store.writer() as writer:
        writer.append([{**first, "id": "c"}], np.zeros((1, 1), np.float32))
    assert store.refresh().rows([2]) == [{**first, "id": "c"}]
    assert store.info()["metadata"]["author"] == "json"


def test_title_and_metadata_may_be_missing(tmp_path):
    store = Store.create(tmp_path / "m.index", width=1)
    with store.writer() as writer:
        writer.append([{"id": "a", "text": "x"}, {"id": "b", "text": "  ", "title": None}], torch.zeros(2, 1))
    store = store.refresh()
    assert store.rows([0, 1]) == [{"id": "a", "title": "", "text": "x"}, {"id": "b", "title": "", "text": "  "}]
    assert store.info()["empty_texts"] == 1


ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(ids, max_size=8), min_size=1, max_size=3))
def test_any_id_round_trips(tmp_path_factory, batches):
    seen = set()
    batches = [[i for i in batch if not (i in seen or seen.add(i))] for batch in batches]
    store = Store.create(tmp_path_factory.mktemp("ids") / "i.index", width=1)
    for batch in batches:
        with store.writer() as writer:
            writer.append([{"id": i, "text": i, "title": i} for i in batch], torch.zeros(len(batch), 1))
    wanted = [i for batch in batches for i in batch]
    store = store.refresh()
    assert store.ids(range(len(store))) == wanted
    assert [row["text"] for row in store.rows(range(len(store)))] == wanted
    assert store.verify(show_progress=False).ok


def test_hostile_ids_round_trip(tmp_path):
    odd = [
        "\0",
        "\0\0",
        "../../etc/passwd",
        "/",
        "..",
        "a" * 70_000,
        "é" * 70_000,
        "😀",
        "' OR 1=1 --",
        " ",
        "\n",
        "NULL",
    ]
    store = Store.create(tmp_path / "o.index", width=1)
    with store.writer() as writer:
        writer.append([{"id": i, "text": ""} for i in odd], torch.zeros(len(odd), 1))
    store = store.refresh()
    assert store.ids(range(len(odd))) == odd
    assert sorted(p.name for p in tmp_path.iterdir()) == ["o.index"]


def test_a_folder_of_any_name(tmp_path, add, monkeypatch):
    path = tmp_path / "é % #?%20 'b'.index"
    add(Store.create(path, width=4), 0, 2)
    assert Store.open(path).ids([1]) == ["d1"]
    monkeypatch.chdir(tmp_path)
    store = Store.open(path.name)
    monkeypatch.chdir(tmp_path.parent)
    assert store.ids([0]) == ["d0"]


def test_another_process_reads_the_same(small, other_process):
    process = other_process(small.path, "s = Store.open(path); print(s.ids([4, 0]), s.docs[3:].vectors.tolist())")
    out, err = process.communicate()
    assert err == ""
    assert out.strip() == f"{small.ids([4, 0])} {small.docs[3:].vectors.tolist()}"


def test_opening_reads_no_vectors_and_loads_no_lance(small, other_process):
    process = other_process(small.path, "Store.open(path).docs; print('lance' in sys.modules)")
    assert process.communicate()[0].strip() == "False"


def test_info(tmp_path, add):
    store = Store.create(tmp_path / "i.index", width=4, encoder=EncoderRecord(name="m", fingerprint="f"))
    info = add(store, 0, 3).info()
    assert info["documents"] == 3
    assert (info["width"], info["dtype"]) == (4, "float32")
    assert info["encoder"] == {"name": "m", "fingerprint": "f"}
    assert (info["commits"], info["number"], info["structures"]) == (2, 2, [])
    assert info["metadata"] == {"year": "int64"}
    assert info["created"] < info["updated"]
    assert info["bytes"]["vectors"] == 512 + 3 * (4 * 4 + 8)
    assert info["bytes"]["rows"] > 0
    assert info["path"] == str(tmp_path / "i.index")
    assert Store.open(tmp_path / "i.index").encoder == store.encoder


def test_creation_refuses_a_place_that_is_taken(tmp_path, small):
    with pytest.raises(InputError, match=r"already an index at .*\n.*Store\.open\("):
        Store.create(small.path, width=4)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match=r"not empty and no index(.|\n)*letter\.txt"):
        Store.create(tmp_path / "mine", width=4)
    with pytest.raises(InputError, match="is a file"):
        Store.create(tmp_path / "mine" / "letter.txt", width=4)
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("width", [0, -1, True, 3.0, None])
def test_creation_refuses_an_impossible_width(tmp_path, width):
    with pytest.raises(InputError, match="width"):
        Store.create(tmp_path / "w.index", width=width)
    assert not (tmp_path / "w.index").exists()


def test_creation_refuses_another_type(tmp_path):
    with pytest.raises(InputError, match=r"float32 or float16\n  got: 'int8'"):
        Store.create(tmp_path / "w.index", width=1, dtype="int8")


def test_an_index_that_is_not_there_names_those_nearby(tmp_path, small):
    with pytest.raises(InputError, match=r"no such folder\n.*did you mean .*small\.index\?"):
        Store.open(tmp_path / "smal.index")
    with pytest.raises(InputError, match=r"did you mean .*small\.index\?"):
        Store.open(tmp_path)
    with pytest.raises(InputError, match=r"make one with `hyperir index"):
        Store.open(tmp_path / "a" / "b" / "c")


def test_a_folder_that_cannot_be_written_is_named(small, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("hyperir.index.lock.os.open", refuse)
    with pytest.raises(StoreError, match=r"cannot write to .*small\.index"), small.writer():
        pass


def test_lance_never_deletes_versions_on_its_own(small):
    import lance

    config = lance.dataset(str(small.path / "rows.lance")).config()
    assert not [name for name in config if "auto_cleanup" in name]
