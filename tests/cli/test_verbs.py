"""Changing an index by the command line: adding, updating, deleting, building, compacting, and taking documents out."""

import json
import shutil

import pytest
from running import DOCUMENTS, here, hyperir, lines

from hyperir.index.store import Store


@pytest.fixture
def index(world, tmp_path):
    return shutil.copytree(world / "my.index", tmp_path / "my.index")


def ids(index):
    store = Store.open(index)
    alive = range(store.commit.stored) if store.alive is None else store.alive.nonzero()[:, 0].tolist()
    return store.ids(list(alive))


def test_index_adds_and_resumes(world, index, tmp_path):
    corpus = lines(tmp_path / "corpus.jsonl", [*DOCUMENTS, {"id": "5", "text": "more"}])
    again = here("index", corpus, "-o", index, "--model", world / "model")
    assert again.returncode == 2
    assert "the id '1' is already" in again.stderr
    done = here("index", corpus, "-o", index, "--model", world / "model", "--resume", "--json")
    assert (done.returncode, json.loads(done.stdout)["added"]) == (0, 1), done.stderr
    assert "has 4 documents; those with the same ids are passed over" in done.stderr
    assert ids(index) == ["1", "2", "3", "4", "5"]


def test_resume_makes_an_index_where_there_is_none(world, tmp_path):
    done = here("index", world / "corpus.jsonl", "-o", tmp_path / "n.index", "--model", world / "model", "--resume")
    assert done.returncode == 0, done.stderr
    assert ids(tmp_path / "n.index") == ["1", "2", "3", "4"]


def test_an_error_in_the_middle_of_a_long_add_says_what_is_in(world, tmp_path):
    rows = [{"id": str(i), "text": "fox", "year": i} for i in range(40)] + [{"id": "x", "text": "", "year": "late"}]
    options = ["-o", tmp_path / "new.index", "--model", world / "model", "--batch-size", 1, "--checkpoint", 0]
    done = here("index", lines(tmp_path / "corpus.jsonl", rows), *options)
    assert done.returncode == 2
    assert "'year'" in done.stderr
    assert "32 documents of this add are committed and stay" in done.stderr
    assert "--resume" in done.stderr
    assert len(ids(tmp_path / "new.index")) == 32


def test_update(index, tmp_path):
    corpus = lines(tmp_path / "new.jsonl", [{"id": "2", "text": "brown fox"}, {"id": "7", "text": "new"}])
    done = here("update", index, corpus)
    assert done.returncode == 2
    assert "'7'" in done.stderr
    assert ids(index) == ["1", "2", "3", "4"]
    done = here("update", index, corpus, "--insert-missing", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["replaced"], told["added"], told["documents"]) == (1, 1, 5)
    assert "of disk" in done.stderr, "the needs are told before the work"
    assert ids(index) == ["1", "3", "4", "2", "7"]
    done = here("update", index, corpus)
    assert (done.returncode, done.stdout) == (0, "")
    assert "2 documents replaced, 5 in all" in done.stderr
    found = json.loads(here("search", index, "fox", "--where", "id = '2'", "--json").stdout)
    assert found[0]["text"] == "brown fox"


def test_delete(index, tmp_path):
    done = here("delete", index, "1", "9")
    assert done.returncode == 2
    assert "missing_ok=True" in done.stderr
    done = here("delete", index, "1", "9", "--missing-ok")
    assert (done.returncode, done.stdout) == (0, "")
    assert "1 document deleted, 3 in all" in done.stderr
    (tmp_path / "ids.txt").write_text("2\n\n9\r\n")
    done = here("delete", index, "--ids", tmp_path / "ids.txt", "--missing-ok", "--json")
    assert json.loads(done.stdout)["deleted"] == 1, done.stderr
    assert json.loads(here("delete", index, "--where", "text = ''", "--json").stdout)["deleted"] == 1
    assert ids(index) == ["3"]
    found = json.loads(here("search", index, "fox", "--json").stdout)
    assert [hit["id"] for hit in found] == ["3"]
    before = json.loads(here("search", index, "fox", "--json", "--commit", 2).stdout)
    assert sorted(hit["id"] for hit in before) == ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["delete"], "neither"),
        (["delete", "1", "--where", "id = '1'"], "ID and --where"),
        (["delete", "--where", "titel = ''"], "did you mean 'title'?"),
        (["delete", "--ids", "no-such-ids.txt"], "no-such-ids.txt"),
        (["build"], "--column"),
        (["build", "--column", "yaer"], "'yaer'"),
        (["export", "out", "--format", "bier"], "did you mean 'beir'?"),
        (["export", "corpus.jsonl"], "exists already"),
        (["compact", "--keep", "0"], "--keep"),
        (["update", "no-such.jsonl"], "no-such.jsonl"),
    ],
)
def test_bad_changes_change_nothing(index, tmp_path, monkeypatch, arguments, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "corpus.jsonl").touch()
    done = here(arguments[0], index, *arguments[1:])
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert told in done.stderr
    assert len(Store.open(index).history()) == 2


def test_export(index, world, tmp_path):
    assert here("delete", index, "4").returncode == 0
    done = here("export", index, tmp_path / "out", "--format", "beir", "--where", "id != '2'", "--json")
    assert json.loads(done.stdout)["exported"] == 2, done.stderr
    assert "of disk" in done.stderr
    done = here("export", index, tmp_path / "all.parquet", "--commit", 2)
    assert (done.returncode, done.stdout) == (0, "")
    assert "4 documents" in done.stderr
    new = ["-o", tmp_path / "new.index", "--model", world / "model"]
    assert here("index", tmp_path / "all.parquet", *new).returncode == 0
    assert ids(tmp_path / "new.index") == ["1", "2", "3", "4"]
    answers = [here("search", place, "quick fox", "--json", "--commit", 2) for place in (index, tmp_path / "new.index")]
    assert [hit["id"] for hit in json.loads(answers[0].stdout)] == [hit["id"] for hit in json.loads(answers[1].stdout)]
    assert here("export", index, tmp_path / "bare.parquet", "--no-vectors").returncode == 0
    assert (tmp_path / "bare.parquet").stat().st_size < (tmp_path / "all.parquet").stat().st_size


def test_build_and_compact(index):
    done = here("build", index, "--column", "id", "--json")
    assert json.loads(done.stdout)["indexed"] == ["id"], done.stderr
    assert "id" in here("build", index, "--column", "id").stderr
    assert "indexed    id" in here("info", index).stdout
    assert here("delete", index, "1").returncode == 0
    done = here("compact", index, "--keep", 2)
    assert (done.returncode, done.stdout) == (0, "")
    assert "Writing 3 documents again" in done.stderr
    assert "1 deleted document and" in done.stderr
    assert [past.change for past in Store.open(index).history()] == ["deleted 1", "compacted"]
    assert json.loads(here("compact", index, "--json").stdout)["commits"] == 1
    assert ids(index) == ["2", "3", "4"]


@pytest.mark.parametrize("verb", [["delete", "1"], ["compact"], ["build", "--column", "id"]])
def test_a_writer_is_told_who_writes(index, verb):
    with Store.open(index).writer():
        done = hyperir(verb[0], index, *verb[1:], "--wait", 0.1)
    assert done.returncode == 3
    assert "is being written by process" in done.stderr
    assert "Traceback" not in done.stderr
