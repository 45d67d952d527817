"""hyperir adapt."""

import json
import shutil

import pytest
from adapting_world import make_adapting_world
from running import here


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_adapting_world(tmp_path_factory.mktemp("adapting"))


def test_adapt_tells_what_was_gained_and_undo_has_its_errors(made, tmp_path):
    index = tmp_path / "my.index"
    shutil.copytree(made / "my.index", index)
    judged = ["--queries", made / "queries.jsonl", "--qrels", made / "qrels.tsv"]
    fast = ["--teacher", "vectors", "--made", 0, "--steps", 2, "--rate", 0.001, "--form", "mlp", "--asked", 300]
    done = here("adapt", index, *judged, *fast, "--only-test", "--work", tmp_path / "work", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["kept"], found["documents"], found["tested"]) == (False, 120, "judged")
    assert found["relevance"]["qnet"]["type"] == "mlp"
    assert found["held_out_queries"]["queries"] >= 10
    told = here("adapt", index, *judged, *fast, "--only-test", "--work", tmp_path / "work")
    assert told.returncode == 0, told.stderr
    assert [line.split()[0] for line in told.stdout.splitlines()[2:5]] == ["nDCG@10", "held-out", "held-out"]
    done = here("adapt", index, "--undo")
    assert done.returncode == 2
    assert "nothing to undo" in done.stderr


def test_undo_says_what_is_gone(made, tmp_path):
    from hyperir.index.store import Store
    from hyperir.search.fitted import keep

    index = tmp_path / "my.index"
    shutil.copytree(made / "my.index", index)
    keep(Store.open(index), made / "model", "adapted: a little")
    done = here("info", index)
    assert "by a function fitted to it: adapted: a little" in done.stdout
    done = here("adapt", index, "--undo", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"undone": "adapted: a little"})
    assert Store.open(index).history()[-1].change == "undone: adapted: a little"
    done = here("adapt", index, "--undo", "--teacher", "bm25")
    assert done.returncode == 2
    assert "--undo alone" in done.stderr
