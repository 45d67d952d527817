from __future__ import annotations

import pytest

from hyperir.core.errors import CollectionError
from hyperir.corpus import open_collection, pydoc


def test_the_documentation_of_this_python():
    collection = open_collection("pydoc")
    rows = list(collection.documents())
    ids = {row["id"] for row in rows}
    assert len(ids) == len(rows) > 5000
    assert {"str.split", "itertools.chain.from_iterable", "collections.deque.rotate", "json.dumps"} <= ids
    assert all(row["text"] and row["title"] for row in rows)
    assert {row["kind"] for row in rows} == {"module", "class", "function", "method"}
    "".join(row["text"] for row in rows).encode("utf-8")
    assert (collection.name, collection.count, collection.splits) == ("pydoc", None, [])
    with pytest.raises(CollectionError, match="documents only"):
        collection.queries()


def test_stopping_early_stops_the_walk():
    rows = open_collection("pydoc").documents()
    assert next(rows)["id"] == "builtins"
    rows.close()


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("raise SystemExit('no standard library')", "exit status 1: no standard library"),
        ("print('hello')", "a line that is not JSON: b'hello"),
    ],
)
def test_a_failing_walk(tmp_path, monkeypatch, program, said):
    (tmp_path / "walker.py").write_text(program)
    monkeypatch.setattr(pydoc, "WALKER", tmp_path / "walker.py")
    with pytest.raises(CollectionError, match="documentation of this Python cannot be read") as caught:
        list(open_collection("pydoc").documents())
    assert said in str(caught.value)
    assert "walker.py" in str(caught.value)


def test_no_interpreter(tmp_path, monkeypatch):
    monkeypatch.setattr(pydoc.sys, "executable", str(tmp_path / "no python"))
    with pytest.raises(CollectionError, match="cannot be started"):
        list(open_collection("pydoc").documents())
