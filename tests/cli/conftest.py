"""A model, a collection and an index made by the command line."""

import json

import pytest
from running import DOCUMENTS, hyperir, lines
from tiny_models import HYPER, make_model


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    make_model(HYPER).save_pretrained(folder / "model")
    lines(folder / "corpus.jsonl", DOCUMENTS)
    done = hyperir("index", folder / "corpus.jsonl", "-o", folder / "my.index", "--model", folder / "model", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["added"] == 4
    assert "of disk" in done.stderr, "the needs are told before the work"
    return folder
