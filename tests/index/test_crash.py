"""A writer that dies, fails or gives up at any moment leaves the old index, and the next one goes on from there."""

import os
import shutil
import sys
from pathlib import Path

import lance
import lance.fragment
import pytest

from hyperir.core.errors import InputError, StoreError
from hyperir.index import commit as commits
from hyperir.index import durable, merge, pending
from hyperir.index.clean import leftovers
from hyperir.index.folder import LocalFolder
from hyperir.index.store import Store

WRITE = """
import os, hyperir.index.pending as pending, hyperir.index.durable as durable, hyperir.index.table as table
import hyperir.index.commit as commit, hyperir.index.merge as merge
pending.BUFFER = 1
{dies}
{change}
"""
DIE = "lambda *a, **k: os._exit(9)"
APPEND = """
with Store.open(path).writer() as w:
    w.append(rows_of(10, 3), vectors_of(10, 3))
    w.append(rows_of(13, 3), vectors_of(13, 3))
    {inside}
"""
CHANGES = {
    "append": APPEND,
    "delete": "with Store.open(path).writer() as w: w.delete(['d1', 'd4'])",
    "replace": "with Store.open(path).writer() as w: w.replace(rows_of(3, 2), vectors_of(3, 2))",
    "merge": f"merge.FANOUT = 2\n{APPEND}",
    "index": "with Store.open(path).writer() as w: w.index_columns(['year', 'id'])",
    "compact": "Store.open(path).compact()",
}
MOMENTS = {
    "before the commit": ("", "os._exit(9)"),
    "before Lance's manifest": (f"table.publish = {DIE}", ""),
    "after Lance's manifest": (f"durable.sync_all = {DIE}", ""),
    "before the link": (f"durable.publish = {DIE}", ""),
}
DEATHS = [  # every case starts a process, so not all that there are
    *(("append", moment) for moment in MOMENTS),
    *(("empty", moment) for moment in ("before Lance's manifest", "before the link")),
    ("delete", "before the link"),
    ("replace", "after Lance's manifest"),
    ("merge", "before Lance's manifest"),
    ("merge", "after Lance's manifest"),
    ("index", "after Lance's manifest"),
    *(("compact", moment) for moment in list(MOMENTS)[1:]),
]


def files_of(root):
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file() and p.name != "LOCK"}


def dying(store, other_process, change, moment):
    """Make a change in another process, which dies on the way."""
    dies, inside = MOMENTS[moment]
    code = WRITE.format(dies=dies, change=CHANGES[change].format(inside=inside))
    process = other_process(store.path, code)
    assert process.communicate()[1] == ""
    assert process.returncode == 9


@pytest.mark.parametrize(("change", "moment"), DEATHS)
def test_a_writer_that_dies(tmp_path, add, other_process, change, moment, rows):
    store = Store.create(tmp_path / "c.index", width=4)
    if change != "empty":
        store = add(add(store, 0, 3), 3, 2)
        with store.writer() as writer:
            writer.delete(["d2"])
        store = store.refresh()
    n, stored = len(store), store.commit.stored
    before = files_of(store.path)
    dying(store, other_process, "append" if change == "empty" else change, moment)

    after = files_of(store.path)
    assert after.keys() > before.keys()  # it did leave something
    reopened = Store.open(store.path)
    assert (len(reopened), reopened.number) == (n, store.number)
    report = reopened.verify(show_progress=False)
    assert report.ok
    assert set(report.leftovers) == after.keys() - before.keys()

    later = add(reopened, 10, 4)
    assert len(later) == n + 4
    assert later.rows(range(stored, stored + 4)) == rows(10, 4)
    assert later.positions(["d2"]) == [-1]
    report = later.verify(show_progress=False)
    assert report.ok
    assert report.leftovers == ()
    assert files_of(later.path).keys() == named(later.path)


def named(root):
    """Every file that should be there."""
    place = LocalFolder(root)
    files = set().union(*(commits.load(place, number).files for number in commits.numbers(place)))
    return files | {commits.name_of(number) for number in commits.numbers(place)}


def test_a_compaction_that_dies_after_its_commit_appeared(small, other_process, add):
    code = (
        "import os, hyperir.index.commit as c\nreal = c.publish\n"
        "c.publish = lambda *a: (real(*a), os._exit(9))\nStore.open(path).compact()"
    )
    process = other_process(small.path, code)
    assert process.communicate()[1] == ""
    assert process.returncode == 9
    later = small.refresh()
    assert (later.number, len(later), len(later.history())) == (4, 5, 1)
    report = later.verify(show_progress=False)
    assert report.ok
    assert report.leftovers
    last = add(later, 10, 1)
    assert files_of(last.path).keys() == named(last.path)


def test_a_compaction_without_room_says_how_much_it_needs(small, monkeypatch):
    before = files_of(small.path)
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9 - 1000, 1000))
    with pytest.raises(StoreError, match=r"no room to compact(.|\n)*bytes free on the disk(.|\n)*1,000 bytes free"):
        small.compact()
    assert files_of(small.path) == before
    with pytest.raises(InputError, match="keep >= 1"):
        small.compact(keep=0)


@pytest.mark.parametrize("step", ["copy", "manifest", "sync", "record", "link"])
def test_a_compaction_that_fails_changes_nothing(small, monkeypatch, step):
    before = files_of(small.path)

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    owner, name = {"copy": (merge.PackedWriter, "write"), **STEPS}[step]
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, fail)
        with pytest.raises(StoreError, match="No space left on device"):
            small.compact()
    assert files_of(small.path) == before
    assert (small.path / "LOCK").read_bytes() == b""
    assert small.compact().verify(show_progress=False).ok


def test_what_cannot_be_cleared_now_is_cleared_by_the_next_writer(small, rows, vectors, monkeypatch, add):
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError), small.writer() as out:  # noqa: PT012
        out.append(rows(10, 2), vectors(10, 2))
        patch.setattr(Path, "rmdir", lambda _: (_ for _ in ()).throw(OSError(5, "Input/output error")))
        patch.setattr(Path, "unlink", lambda *_, **__: (_ for _ in ()).throw(OSError(5, "Input/output error")))
        raise ZeroDivisionError
    assert small.verify(show_progress=False).leftovers
    later = add(small, 10, 1)
    assert files_of(later.path).keys() == named(later.path)


def test_a_creation_that_is_cut_short(tmp_path, other_process, add):
    code = "import os, hyperir.index.durable as d; d.publish = lambda *a: os._exit(9)\nStore.create(path, width=4)"
    process = other_process(tmp_path / "c.index", code)
    process.communicate()
    with pytest.raises(InputError, match=r"creation was cut short\n.*create it again"):
        Store.open(tmp_path / "c.index")
    assert len(add(Store.create(tmp_path / "c.index", width=4), 0, 2)) == 2


def test_an_exception_in_the_block_leaves_nothing(small, rows, vectors, monkeypatch, add):
    monkeypatch.setattr(pending, "BUFFER", 1)
    before = files_of(small.path)
    for error in (ZeroDivisionError, KeyboardInterrupt):
        with pytest.raises(error), small.writer() as out:  # noqa: PT012
            out.append(rows(10, 2), vectors(10, 2))
            raise error
        assert files_of(small.path) == before
    assert add(small, 10, 2).ids([5, 6]) == ["d10", "d11"]


STEPS = {
    "packed": (pending.PackedWriter, "write"),
    "fragment": (pending.table, "append_fragments"),
    "manifest": (pending.table, "publish"),
    "sync": (durable, "sync_file"),
    "folder": (durable, "sync_folder"),
    "hash": (LocalFolder, "_content"),
    "record": (Path, "write_bytes"),
    "link": (durable, "publish"),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_full_disk_is_a_named_error_and_changes_nothing(small, rows, vectors, monkeypatch, step, add):
    before = files_of(small.path)
    owner, name = STEPS[step]
    real = getattr(owner, name)
    armed = []

    def fail(*args, **options):
        if armed:
            raise OSError(28, "No space left on device")
        return real(*args, **options)

    monkeypatch.setattr(owner, name, fail)
    with pytest.raises(StoreError, match=r"writing to .* failed\n.*No space left on device"), small.writer() as out:  # noqa: PT012
        armed.append(True)
        out.append(rows(10, 2), vectors(10, 2))
    armed.clear()
    assert files_of(small.path) == before
    assert Store.open(small.path).verify(show_progress=False).ok
    assert len(add(small, 10, 2)) == 7


@pytest.mark.parametrize("part", ["data", "_indices"])
def test_what_lance_leaves_cut_short_without_a_word_is_not_committed(small, rows, vectors, monkeypatch, part):
    before = files_of(small.path)
    owner, name = {"data": (lance.fragment, "write_fragments"), "_indices": (lance.LanceDataset, "create_scalar_index")}[part]  # fmt: skip  # noqa: E501
    real = getattr(owner, name)

    def cut(*args, **options):
        made = real(*args, **options)
        path = next(p for p in (small.path / "rows.lance" / part).rglob("*.lance") if p.name not in str(sorted(before)))
        os.truncate(path, path.stat().st_size - 1)
        return made

    monkeypatch.setattr(owner, name, cut)
    with pytest.raises(StoreError, match=r"writing to .* failed\n.*cut short while"), small.writer() as out:  # noqa: PT012
        if part == "data":
            out.append(rows(10, 2), vectors(10, 2))
        else:
            out.index_columns(["year"])
    assert files_of(small.path) == before


def test_a_write_that_failed_is_not_committed_even_where_the_error_is_swallowed(small, rows, vectors, monkeypatch):
    before = files_of(small.path)

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pending.PackedWriter, "write", fail)
    with pytest.raises(StoreError, match="an earlier write"), small.writer() as out:  # noqa: PT012
        with pytest.raises(StoreError, match="No space left"):
            out.append(rows(10, 2), vectors(10, 2))
        with pytest.raises(StoreError, match="an earlier write"):
            out.append(rows(12, 2), vectors(12, 2))
    assert files_of(small.path) == before


def test_everything_is_synced_before_the_commit_appears(small, add, monkeypatch):
    events = []
    real_link = os.link
    monkeypatch.setattr(durable, "sync_file", lambda p: events.append(p))
    monkeypatch.setattr(durable, "sync_folder", lambda p: events.append(p))
    monkeypatch.setattr(os, "link", lambda a, b: (events.append("link"), real_link(a, b)))
    later = add(small, 5, 2)
    at = events.index("link")
    synced = set(events[:at])
    for name in later.commit.files.keys() - small.commit.files.keys():
        path = later.path / name
        assert path in synced
        while path != later.path:
            path = path.parent
            assert path in synced
    assert events[at + 1 :] == [later.path / "commits"]


def test_a_commit_is_on_the_disk_before_older_ones_go_and_they_before_their_files(small, monkeypatch):
    events = []
    real, real_unlink = durable.sync_folder, os.unlink
    monkeypatch.setattr(durable, "sync_folder", lambda p: (events.append(f"sync {p.name}"), real(p)))
    monkeypatch.setattr(os, "unlink", lambda p, **_: (events.append(p.parent.name + p.suffix), real_unlink(p)))
    small.compact()
    at = events.index("commits.tmp")  # the link just before it
    assert events[at + 1 : at + 6] == ["sync commits", *["commits.json"] * 3, "sync commits"]
    assert "commits.json" not in events[:at]
    assert len([event for event in events[at + 6 :] if event.endswith(".safetensors")]) == 2
    assert not [event for event in events[:at] if event.endswith(".safetensors")]


def test_folders_that_creation_makes_are_synced_into_those_above(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(durable, "sync_folder", lambda p: synced.append(p))
    Store.create(tmp_path / "a" / "b" / "c.index", width=4)
    assert {tmp_path, tmp_path / "a", tmp_path / "a" / "b"} <= set(synced)
    assert tmp_path.parent not in synced


def test_only_new_files_are_hashed(small, add, monkeypatch):
    hashed = []
    real = durable.sha256_of
    monkeypatch.setattr(durable, "sha256_of", lambda p, *a, **o: hashed.extend([p] * (not o)) or real(p, *a, **o))
    later = add(small, 5, 1)
    kept = [n for n in small.commit.files if n in later.commit.files]
    assert len(kept) == 4
    assert not {small.path / name for name in kept} & set(hashed)
    assert all(later.commit.files[name] == small.commit.files[name] for name in kept)


def test_a_file_system_without_hard_links(tmp_path, add, monkeypatch):
    def refuse(*_):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    store = add(Store.create(tmp_path / "l.index", width=4), 0, 2)
    assert store.number == 2
    assert store.verify(show_progress=False).ok
    with pytest.raises(FileExistsError):
        commits.publish(store.place, store.commit)


def test_a_commit_is_never_overwritten(small):
    before = files_of(small.path)
    with pytest.raises(FileExistsError):
        commits.publish(small.place, small.commit)
    (small.path / "commits" / "000000000003.tmp").unlink()
    assert files_of(small.path) == before


def test_where_an_older_commit_is_damaged_no_data_is_taken_for_a_leftover(small):
    stray = small.path / "ann" / "stray.safetensors"
    stray.write_bytes(b"x")
    assert leftovers(small.place, small.commit) == ["ann/stray.safetensors"]
    (small.path / commits.name_of(2)).write_bytes(b"{}")
    assert leftovers(small.place, small.commit) == []


@pytest.mark.skipif(sys.platform == "win32", reason="folders are not synced there")
def test_syncing_goes_to_the_disk(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "f").write_text("x")
    durable.sync_all(tmp_path, ["a/b/f"])
    # In any order, for they are synced at once.
    assert sorted(synced) == sorted((tmp_path / p).stat().st_ino for p in ("a/b/f", "a/b", "a", ""))
