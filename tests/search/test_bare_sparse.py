"""SPLADE in memory and in an index folder, by the strategies that serve it."""

import json

import pytest
from tiny_models import TEXTS, make_masked, write_tokenizer

import hyperir
from hyperir.core.errors import CapabilityError
from hyperir.encode.splade import splade
from hyperir.search.bare import Bare

QUERIES = {"q1": "the fox", "q2": "search engine documents"}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("masked")
    make_masked(width=32).save_pretrained(folder)
    write_tokenizer(folder)
    return splade(folder)


@pytest.fixture
def collection(tmp_path):
    rows = [{"_id": f"d{i}", "text": text} for i, text in enumerate(TEXTS)]
    (tmp_path / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return hyperir.open_collection(tmp_path / "corpus.jsonl")


def test_a_bare_model_answers_by_every_strategy_that_serves_it(model, collection):
    bare = Bare(model, collection, batch_size=2, show_progress=False)
    docs = model.encode_document(TEXTS)
    scores = model.encode_query(list(QUERIES.values()))(docs)
    for strategy in ("exact", "inverted"):
        run, cost = bare.run(QUERIES, 3, strategy=strategy)
        assert cost.index_bytes == docs.nbytes
        for own, found in zip(scores, run.values(), strict=True):
            best = own.topk(3)
            assert list(found) == [f"d{row}" for row in best.indices.tolist()]
            assert list(found.values()) == pytest.approx(best.values.tolist(), rel=1e-3)
    with pytest.raises(CapabilityError, match="weights of terms"):
        bare.run(QUERIES, 3, strategy="ivf")


def test_an_index_folder_holds_it_and_answers_the_same(model, collection, tmp_path):
    model.save_pretrained(tmp_path / "model")
    own = hyperir.load(tmp_path / "model")
    index = hyperir.Index.create(tmp_path / "my.index", own)
    index.add(collection.documents(), show_progress=False)
    expected, _ = Bare(own, collection, show_progress=False).run(QUERIES, 3)
    index = hyperir.Index.open(tmp_path / "my.index")
    for strategy in ("auto", "exact"):
        for found, wanted in zip(index.run(QUERIES, 3, strategy=strategy).values(), expected.values(), strict=True):
            assert found == pytest.approx(wanted, rel=1e-3)
    index.build({"type": "inverted", "bits": 8}, show_progress=False)
    coded = index.run(QUERIES, 3)["q1"]
    assert coded == pytest.approx(expected["q1"], rel=0.05)
    assert coded != expected["q1"]
    index.delete(["d0"])
    assert "d0" not in index.run(QUERIES, 9)["q1"]
    assert index.verify(show_progress=False).ok
