"""SPLADE without an index: in memory, by the strategies that serve it; and what an index folder says of it."""

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


def test_an_index_folder_refuses_it_by_name(model, tmp_path):
    with pytest.raises(CapabilityError, match=r"index folders(.|\n)*weights of terms"):
        hyperir.Index.create(tmp_path / "my.index", model)
    assert not (tmp_path / "my.index").exists()
