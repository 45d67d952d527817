"""Changing the user's index: long adds and how they go on, updates, deletions, compaction, history."""

import signal
import threading
from types import SimpleNamespace

import pytest
import torch
from tiny_models import HYPER, make_model

from hyperir import Index
from hyperir.core.errors import DuplicateIdError, InputError, LockedError, UnknownNameError
from hyperir.index.writer import Writer
from hyperir.search import adding

ROWS = [{"id": f"d{i}", "text": f"fox {i} dog", "year": 2000 + i} for i in range(40)]
SMALL = {"batch_size": 1, "show_progress": False}  # 16 documents are encoded and written together


class Counting:
    """A model that remembers what it encoded, and can be stopped."""

    def __init__(self, model):
        self._model, self.encoded, self.stop_before = model, [], None
        self.width, self.fingerprint, self.name = model.width, model.fingerprint, model.name

    def encode_document(self, documents, **options):
        if any(row["id"] == self.stop_before for row in documents):
            raise KeyboardInterrupt
        self.encoded += [row["id"] for row in documents]
        return self._model.encode_document(documents, **options)

    def encode_query(self, queries, **options):
        return self._model.encode_query(queries, **options)


@pytest.fixture
def model():
    return Counting(make_model(HYPER))


@pytest.fixture
def index(tmp_path, model):
    return Index.create(tmp_path / "my.index", model)


@pytest.fixture
def own(tmp_path):
    index = Index.create(tmp_path / "own.index", width=3)
    index.add(ROWS[:4], vectors=torch.arange(12.0).view(4, 3), show_progress=False)
    return index


@pytest.fixture
def ctrl_c():
    """Ctrl-C as Python handles it, also where the tests themselves run in the background."""
    old = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, old)


def ids(index):
    store = index.store.refresh()
    allowed = torch.ones(store.commit.stored, dtype=torch.bool) if store.alive is None else store.alive
    return store.ids(allowed.nonzero()[:, 0].tolist())


def all_ids(rows):
    return [row["id"] for row in rows]


def test_a_long_add_is_committed_in_parts_and_goes_on_after_an_error(index, model):
    bad = [*ROWS[:35], {"id": "worse"}, *ROWS[35:]]
    with pytest.raises(InputError, match='no "text"') as caught:
        index.add(iter(bad), checkpoint=0, **SMALL)
    assert ids(index) == [], "rows are checked before they are encoded"
    assert not hasattr(caught.value, "__notes__")

    def failing():
        yield from ROWS[:20]
        raise OSError("the network is gone")

    # A stream is read in chunks, so a source that fails takes the chunk under way with it.
    with pytest.raises(OSError, match="network"):
        index.add(failing(), checkpoint=0, **SMALL)
    assert ids(index) == []

    late = [*ROWS[:35], {**ROWS[35], "year": "late"}]
    with pytest.raises(InputError, match="'year'") as caught:
        index.add(iter(late), checkpoint=0, **SMALL)
    assert ids(index) == all_ids(ROWS[:32])
    assert "32 documents" in caught.value.__notes__[0]
    assert "resume=True" in caught.value.__notes__[0]
    del model.encoded[:]
    assert index.add(iter(ROWS), resume=True, **SMALL) == 8
    assert (ids(index), model.encoded) == (all_ids(ROWS), all_ids(ROWS[32:]))
    assert len(index) == 40, "the open index has what it added"


def test_a_short_add_is_all_or_nothing(index):
    with pytest.raises(InputError, match="'year'") as caught:
        index.add(iter([*ROWS, {"id": "x", "text": "", "year": "late"}]), **SMALL)
    assert ids(index) == []
    assert not hasattr(caught.value, "__notes__")


def test_checkpoints_come_when_it_is_time(index, monkeypatch):
    seconds = iter(range(0, 1000, 60))
    monkeypatch.setattr(adding, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
    index.add(iter(ROWS), checkpoint=100.0, batch_size=1, show_progress=False)
    assert [past.documents for past in index.history()] == [0, 32, 40]
    with pytest.raises(InputError, match="checkpoint = -1"):
        index.add(ROWS, checkpoint=-1, **SMALL)


def test_ctrl_c_commits_what_is_encoded_and_says_how_to_go_on(index, model):
    model.stop_before = "d20"
    with pytest.raises(KeyboardInterrupt) as caught:
        index.add(iter(ROWS), **SMALL)
    assert ids(index) == all_ids(ROWS[:16])
    assert "16 documents" in caught.value.__notes__[0]
    model.stop_before = None
    assert index.add(iter(ROWS), resume=True, **SMALL) == 24
    assert model.encoded == all_ids(ROWS), "each once"


def test_ctrl_c_commits_nothing_of_an_add_that_is_all_or_nothing(index, model):
    model.stop_before = "d20"
    with pytest.raises(KeyboardInterrupt) as caught:
        index.add(iter(ROWS), checkpoint=None, **SMALL)
    assert (ids(index), caught.value.__notes__) == ([], ["Nothing was added."])


def test_ctrl_c_during_a_write_waits_for_its_end(index, ctrl_c, monkeypatch):
    append = Writer.append

    def interrupted(self, rows, vectors):
        signal.raise_signal(signal.SIGINT)
        append(self, rows, vectors)

    monkeypatch.setattr(Writer, "append", interrupted)
    with pytest.raises(KeyboardInterrupt):
        index.add(iter(ROWS), **SMALL)
    assert ids(index) == all_ids(ROWS[:16])


def test_a_second_ctrl_c_takes_effect_at_once(index, ctrl_c, monkeypatch):
    write = Writer._insert

    def interrupted(self, rows, stored, ids):
        write(self, rows, stored, ids)
        if self.added == 32:
            self._broken = True  # as it is in the middle of a write
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Writer, "_insert", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        index.add(iter(ROWS), checkpoint=0, **SMALL)
    assert ids(index) == all_ids(ROWS[:16])
    assert "16 documents" in caught.value.__notes__[0]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert index.verify(show_progress=False).ok


@pytest.mark.parametrize(
    ("last", "error", "match"),
    [
        ({"id": "d3", "text": "a"}, DuplicateIdError, "'d3' stands twice"),
        ({"id": "old", "text": "a"}, DuplicateIdError, "row 40 of this add has the id 'old', which the index has"),
        ({"id": "x", "text": None}, InputError, "no string"),
        ({"id": "x", "text": "", "year": "late"}, InputError, "'year'"),
        ({"id": "x", "text": "", "other": 1}, InputError, "other"),
    ],
)
def test_a_list_is_checked_before_it_is_encoded(index, model, last, error, match):
    index.add([{"id": "old", "text": "a", "year": 1}], **SMALL)
    del model.encoded[:]
    with pytest.raises(error, match=match):
        index.add([*ROWS, last], checkpoint=0, **SMALL)
    assert (ids(index), model.encoded) == (["old"], [])


def test_the_first_list_of_an_index_is_checked_as_well(index, model):
    rows = [*ROWS, {"id": "x", "text": "", "other": 1}]
    with pytest.raises(InputError, match="'other'"):
        index.add(rows, checkpoint=0, **SMALL)
    assert model.encoded == []


def test_resume_passes_over_rows_with_vectors_of_ones_own(own):
    vectors = torch.arange(120.0).view(40, 3)
    assert own.add(iter(ROWS), vectors=vectors.numpy(), resume=True, show_progress=False) == 36
    assert ids(own) == all_ids(ROWS)
    assert torch.equal(own.store.docs[torch.arange(4, 40)].vectors, vectors[4:])
    assert own.add(ROWS, vectors=vectors, resume=True, show_progress=False) == 0
    with pytest.raises(InputError, match="vector"):
        own.add(ROWS, vectors=vectors[:9], resume=True, show_progress=False)


def test_update_replaces_everything_of_a_document(index, model):
    index.add(ROWS[:20], **SMALL)
    before = index.number
    new = [{"id": "d3", "text": "engine", "year": 1}, {"id": "d19", "text": "queries"}]
    assert index.update(iter(new), **SMALL) == 2
    assert (len(index), index.number) == (20, before + 1)
    hits = {hit.id: hit for hit in index.search(["engine"], k=99)[0]}
    assert (hits["d3"].text, hits["d3"].metadata, hits["d19"].metadata) == ("engine", {"year": 1}, {"year": None})
    expected = model.encode_query(["engine"])(model._model.encode_document(["engine"]))
    assert hits["d3"].score == pytest.approx(float(expected), abs=1e-4)


def test_update_of_a_missing_document(index, model):
    index.add(ROWS[:20], **SMALL)
    del model.encoded[:]
    new = [*ROWS[:18], {"id": "y", "text": "b"}]
    with pytest.raises(InputError, match="row 18 of this update has the id 'y'"):
        index.update(new, **SMALL)
    assert model.encoded == []
    with pytest.raises(InputError, match="insert_missing=True"):
        index.update(iter(new), **SMALL)
    with pytest.raises(DuplicateIdError, match="twice"):
        index.update([*new, new[0]], insert_missing=True, **SMALL)
    assert len(index.history()) == 2
    assert index.update(iter(new), insert_missing=True, **SMALL) == 18
    assert sorted(ids(index)) == sorted([*all_ids(ROWS[:20]), "y"])


def test_an_interrupted_update_changes_nothing(index, model):
    index.add(ROWS, **SMALL)
    model.stop_before = "d30"
    with pytest.raises(KeyboardInterrupt):
        index.update([{**row, "text": "new"} for row in ROWS], **SMALL)
    assert {row["text"] for row in index.store.refresh().rows(range(40))} == {row["text"] for row in ROWS}


def test_delete_by_ids_and_by_filter(own):
    f_hits = lambda: sorted(hit.id for hit in own.search(own_function(), k=9)[0])  # noqa: E731
    assert own.delete(["d1", "d1"]) == 1
    assert f_hits() == ["d0", "d2", "d3"]
    assert own.delete(where="year >= 2002 or id = 'd1'") == 2
    assert f_hits() == ["d0"]
    assert own.delete() == own.delete([]) == own.delete(where="year > 3000") == 0
    with pytest.raises(InputError, match="missing_ok=True"):
        own.delete(["d0", "d1"])
    with pytest.raises(InputError, match=r"\['d0'\]"):
        own.delete("d0")
    with pytest.raises(InputError, match="ids, or a filter"):
        own.delete(["d0"], where="year > 1")
    with pytest.raises(InputError, match="did you mean 'year'"):
        own.delete(where="yaer > 1")
    assert len(own) == 1
    assert own.delete(["d0", "d1"], missing_ok=True) == 1
    own.add(ROWS[:1], vectors=torch.ones(1, 3), show_progress=False)
    assert f_hits() == ["d0"]


def own_function():
    from hyperir.relevance.dot import InnerProduct

    return InnerProduct(torch.ones(1, 3))


def test_a_filter_deletes_from_the_newest_commit(own):
    old = Index.open(own.store.path)
    own.add(ROWS[4:6], vectors=torch.ones(2, 3), show_progress=False)
    assert old.delete(where="year >= 2003") == 3
    assert ids(old) == ["d0", "d1", "d2"]


def test_an_older_commit_opens_and_moves_to_the_newest(own):
    own.delete(["d0"])
    own.add(ROWS[4:5], vectors=torch.ones(1, 3), show_progress=False)
    assert [(past.number, past.documents) for past in own.history()] == [(1, 0), (2, 4), (3, 3), (4, 4)]
    then = Index.open(own.store.path, commit=2)
    assert (then.number, ids_of(then)) == (2, ["d0", "d1", "d2", "d3"])
    then.refresh()
    assert (then.number, ids_of(then)) == (4, ["d1", "d2", "d3", "d4"])
    with pytest.raises(InputError, match="1 to 4"):
        Index.open(own.store.path, commit=9)


def ids_of(index):
    return sorted(hit.id for hit in index.search(own_function(), k=99)[0])


def test_compaction_keeps_results_and_gives_up_commits(own):
    own.delete(["d1"])
    before = own.search(own_function(), k=9)
    own.compact(keep=2)
    assert own.search(own_function(), k=9) == before
    assert [past.change for past in own.history()] == ["deleted 1", "compacted"]
    own.compact()
    assert own.info()["deleted"] == 0
    assert len(own.history()) == 1


def test_a_column_for_filters_is_built(own):
    own.build(columns=["year"])
    assert own.info()["indexed"] == ["year"]
    with pytest.raises(InputError, match="did you mean 'year'"):
        own.build(columns=["yaer"])


def test_a_second_writer_is_told_who_writes_and_waits_where_asked(own):
    vectors = torch.ones(40, 3)
    changes = [
        lambda wait: own.add(ROWS[4:5], vectors=vectors[:1], show_progress=False, wait=wait),
        lambda wait: own.update(ROWS[:1], vectors=vectors[:1], show_progress=False, wait=wait),
        lambda wait: own.delete(["d2"], wait=wait),
        lambda wait: own.build(columns=["year"], wait=wait),
        lambda wait: own.compact(wait=wait),
    ]
    for change in changes:
        with own.store.writer(), pytest.raises(LockedError, match="this process"):
            change(0.0)
        held = threading.Event()

        def hold(held=held):
            with own.store.writer():
                held.set()
                threading.Event().wait(0.1)

        thread = threading.Thread(target=hold)
        thread.start()
        held.wait()
        change(30.0)
        thread.join()
    assert ids(own) == ["d1", "d3", "d4", "d0"]


def test_an_unknown_format_and_strategy_do_not_touch_the_lock(own, tmp_path):
    with own.store.writer():
        with pytest.raises(InputError, match="did you mean 'parquet'"):
            own.export(tmp_path / "x", "paquet")
        with pytest.raises(UnknownNameError):
            own.search(own_function(), strategy="exakt")
