"""Models kept with an index: files like any other, whatever is in them."""

import pytest

from hyperir.core.errors import CorruptError, InputError
from hyperir.index.store import Store


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model" / "training").mkdir(parents=True)
    (tmp_path / "model" / "config.json").write_text("{}")
    (tmp_path / "model" / "training" / "log.jsonl").write_text("1\n")
    return tmp_path / "model"


def keep(store, folder, told):
    with store.writer() as writer:
        writer.keep_fitted(folder, told)
    return store.refresh()


def test_a_model_is_committed_with_all_its_files(small, folder):
    later = keep(small, folder, "first")
    assert (small.fitted, later.fitted.told, later.commit.change) == (None, "first", "first")
    assert set(later.fitted.files) <= later.commit.files.keys()
    with later.fitted_folder() as found:
        assert sorted(p.name for p in found.rglob("*") if p.is_file()) == ["config.json", "log.jsonl"]
    assert later.verify(show_progress=False).ok
    assert later.info()["bytes"]["models"] == 4


def test_the_last_one_is_in_use_and_undo_goes_back_one_by_one(small, folder):
    store = keep(keep(small, folder, "first"), folder, "second")
    assert [one["told"] for one in store.info()["fitted"]] == ["first", "second"]
    for told in ("second", "first"):
        assert store.fitted.told == told
        with store.writer() as writer:
            assert writer.undo_fitted().told == told
        store = store.refresh()
    assert store.fitted is None
    with pytest.raises(InputError, match="nothing to undo"), store.writer() as writer:
        writer.undo_fitted()


def test_a_failed_change_leaves_no_file(small, folder):
    with pytest.raises(InputError), small.writer() as writer:  # noqa: PT012 - both are one change
        writer.keep_fitted(folder, "never")
        writer.delete(["nobody"])
    assert not list((small.path / "models").rglob("*.json"))
    assert small.refresh().number == small.number


def test_compaction_keeps_what_is_in_use_and_drops_what_was_undone(small, folder):
    store = keep(keep(small, folder, "first"), folder, "second")
    with store.writer() as writer:
        writer.undo_fitted()
    later = store.refresh().compact()
    assert later.fitted.told == "first"
    assert len(list((later.path / "models").iterdir())) == 1


@pytest.mark.parametrize("change", [lambda path: path.write_text("[]"), lambda path: path.unlink()])
def test_a_changed_file_is_refused_by_name_and_the_rest_of_the_index_serves(small, folder, change):
    store = keep(small, folder, "first")
    change(next((store.path / "models").rglob("config.json")))
    opened = Store.open(store.path)
    assert len(opened.rows([0])) == 1
    with pytest.raises(CorruptError, match=r"config\.json in .*(.|\n)*--undo"), opened.fitted_folder():
        pass
    with opened.writer() as writer:
        writer.undo_fitted()
    assert Store.open(store.path).fitted is None
