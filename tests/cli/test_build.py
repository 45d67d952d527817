"""Search structures by the command line: built, searched, shown, due, given up."""

import json
import shutil

import pytest
from running import here, lines

from hyperir.cli.settings import command
from hyperir.core.errors import InputError
from hyperir.core.settings import parsed
from hyperir.index import structures


@pytest.fixture
def index(world, tmp_path):
    return shutil.copytree(world / "my.index", tmp_path / "my.index")


def test_build_search_info_and_drop(index):
    done = here("build", index, "ivf", "--set", "cells=2", "--set", "probes=2", "--column", "id")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "ivf is built of 4 documents; filters have an index of id" in done.stderr
    assert "structure  ivf {'cells': 2, 'probes': 2}: 4 documents, 0 added and 0 removed since" in (
        here("info", index).stdout
    )
    found = [
        [hit["id"] for hit in json.loads(here("search", index, "fox", "--json", "--strategy", name).stdout)]
        for name in ("exact", "ivf")
    ]
    assert found[0] == found[1]
    assert "1 structures of ivf given up" in here("build", index, "ivf", "--drop").stderr
    assert json.loads(here("info", index, "--json").stdout)["structures"] == []


def test_training_queries_are_a_file(index, tmp_path):
    queries = lines(tmp_path / "queries.jsonl", [{"_id": "q1", "text": "fox"}, {"_id": "q2", "text": "dog"}])
    done = here("build", index, "bipartite", "--queries", queries, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["structures"][0]["type"] == "bipartite"
    assert here("search", index, "fox", "--strategy", "bipartite").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--set", "cells=2"], "of which strategy"),
        (["ivf", "--set", "cells"], "key=value"),
        (["ivf", "--set", "cells=1", "--set", "cells=2"], "given twice"),
        (["ivf", "--set", "cels=2"], "did you mean 'cells'"),
        (["bipartite"], "training queries"),
        (["ivf", "--drop", "--column", "id"], "builds nothing"),
        (["exact"], "builds nothing"),
    ],
)
def test_mistakes(index, arguments, told):
    done = here("build", index, *arguments)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert told in done.stderr


def test_a_process_that_ends_says_what_is_due(index, monkeypatch):
    monkeypatch.setattr(structures, "LEAST", 0)
    assert here("build", index, "ivf", "--set", "cells=2").returncode == 0
    done = here("delete", index, "1")
    assert "ivf was built of 4 documents; 0 came and 1 went since" in done.stderr
    assert f"hyperir build {index} ivf --set cells=2" in done.stderr
    assert json.loads(here("info", index, "--json").stdout)["structures"][0]["documents"] == 4


def test_settings_go_both_ways():
    config = parsed("firstorder", ["engine=faiss", "engine.m=16", "rounds=2", "locality=0.5"])
    assert config == {"type": "firstorder", "engine": {"type": "faiss", "m": 16}, "rounds": 2, "locality": 0.5}
    options = command("a b", config).split(" firstorder ")
    assert options[0] == "hyperir build 'a b'"
    assert parsed("firstorder", options[1].replace("--set ", "").split()) == config
    assert parsed("graph", ["guitar=true", "rounds=null"]) == {"type": "graph", "guitar": True, "rounds": None}
    with pytest.raises(InputError, match="YAML"):
        parsed("graph", ["ef=["])
