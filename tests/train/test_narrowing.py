"""Narrower documents of an index: principal components, what is learned over them, and the new index."""

import shutil

import pytest
import torch
from adapting_world import FAST, make_adapting_world
from tiny_models import make_model

import hyperir
from hyperir.core.docs import Dense
from hyperir.core.errors import InputError
from hyperir.core.progress import Progress
from hyperir.encode.hybrid import with_words
from hyperir.index.store import Store
from hyperir.train.adapting import narrowing
from hyperir.train.adapting.narrowing import cut_alone
from hyperir.train.adapting.settings import Settings
from hyperir.train.adapting.training import recipes, settled

WIDTH = 4
TEXTS = ["fox fox fox fox dog", "engine engine engine engine a"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_adapting_world(tmp_path_factory.mktemp("narrowing"))


def narrow(made, **changes):
    files = {"queries": str(made / "queries.jsonl"), "qrels": str(made / "qrels.tsv")}
    return FAST | files | {"learn": None, "width": WIDTH, "steps": 60} | changes


@pytest.fixture(scope="module")
def written(made, tmp_path_factory):
    """The new index, and what came of it."""
    folder = tmp_path_factory.mktemp("written")
    found = hyperir.adapt(made / "my.index", narrow(made), work=folder / "work", output=folder / "narrow.index")
    return folder / "narrow.index", found


def test_it_starts_from_the_principal_components_of_the_index(made, tmp_path):
    store = Store.open(made / "my.index")
    start = hyperir.load(store.encoder.name)
    settings = settled(start, Settings(width=WIDTH, rates=(1e-3,)))
    assert (settings.relevance, settings.learn) == ("hyper", "head")
    model = cut_alone(recipes(store, store.encoder.name, 0.05, settings, tmp_path)[1e-3])
    vectors = store.docs[:].vectors.float()
    best = torch.linalg.svd(vectors, full_matrices=False).Vh[:WIDTH]
    queries = start.query.many_states(TEXTS, 2, Progress("", show=False)).pooled
    expected = queries @ best.T @ best @ vectors.T
    docs = model.encode_document([row["text"] for row in store.rows(range(len(store)))], show_progress_bar=False)
    torch.testing.assert_close(model.encode_query(TEXTS)(docs), expected, atol=1e-4, rtol=1e-3)


def test_the_new_index_has_the_same_documents_in_fewer_numbers(written, made):
    folder, found = written
    assert found.kept, str(found)
    assert found.relevance["qnet"]["type"] == "shared"
    assert found.held_out_queries.after["nDCG@10"] > found.held_out_queries.before["nDCG@10"]
    assert f"With all numbers of a vector {found.whole[0]:.4f}" in str(found)
    before, after = Store.open(made / "my.index"), Store.open(folder)
    assert (after.width, len(after)) == (WIDTH, len(before))
    assert after.rows(range(5)) == before.rows(range(5))
    model = hyperir.load(str(folder.with_name("narrow.index.model")))
    wide = before.docs[:].vectors.float()
    torch.testing.assert_close(after.docs[:].vectors, model.document.projection(wide).detach())
    assert after.verify(show_progress=False).ok
    assert before.number == Store.open(made / "my.index").number


def test_it_is_searched_and_added_to_like_any_index(written, tmp_path):
    folder, _ = written
    shutil.copytree(folder, tmp_path / "narrow.index")
    index = hyperir.Index.open(tmp_path / "narrow.index")
    text = index.store.rows([7])[0]["text"]
    index.add([{"id": "again", "text": text}], show_progress=False)
    scores = {hit.id: hit.score for hit in index.search(TEXTS[:1], len(index), strategy="exact")[0]}
    assert scores["again"] == pytest.approx(scores["d7"], abs=1e-4), "what is added is narrowed alike"


def test_the_new_index_ranks_by_the_model_beside_it(written, made):
    folder, _ = written
    model = hyperir.load(str(folder.with_name("narrow.index.model")))
    wide = Store.open(made / "my.index").docs[:].vectors.float()
    by_hand = model.encode_query(TEXTS)(Dense(model.document.projection(wide).detach()))
    hits = hyperir.Index.open(folder).search(TEXTS, 3, strategy="exact")
    for scores, own in zip(by_hand, hits, strict=True):
        assert [hit.score for hit in own] == pytest.approx(scores.topk(3).values.tolist(), abs=1e-4)


def test_nothing_is_written_where_nothing_is_gained(made, tmp_path):
    settings = narrow(made, rates=(0.0,), linear_rate=0.0, steps=2)
    found = hyperir.adapt(made / "my.index", settings, work=tmp_path / "w", output=tmp_path / "n.index")
    assert not found.kept
    assert found.held_out_queries.before == pytest.approx(found.held_out_queries.after)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["w"]


@pytest.mark.parametrize("block", [2, 50_000])
def test_a_new_index_that_was_interrupted_is_written_by_the_same_call(written, made, tmp_path, monkeypatch, block):
    folder, add, output = written[0].with_name("work"), hyperir.Index.add, tmp_path / "n.index"
    calls = []

    def stopped(self, *args, **options):
        calls.append(self)
        if len(calls) == 2 or block > 2:
            raise KeyboardInterrupt
        return add(self, *args, **options)

    monkeypatch.setattr(narrowing, "BLOCK", block)
    monkeypatch.setattr(hyperir.Index, "add", stopped)
    with pytest.raises(KeyboardInterrupt):
        hyperir.adapt(made / "my.index", narrow(made), work=folder, output=output)
    assert not output.exists()
    monkeypatch.setattr(hyperir.Index, "add", add)
    found = hyperir.adapt(made / "my.index", narrow(made), work=folder, output=output)
    assert found.kept
    assert len(Store.open(output)) == len(Store.open(made / "my.index"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["n.index", "n.index.model"]
    output.rename(tmp_path / "m.index")
    with pytest.raises(InputError, match=r"n\.index\.model is there already"):
        hyperir.adapt(made / "my.index", narrow(made), work=folder, output=output)


def test_what_cannot_be_narrowed_is_said(made, tmp_path):
    index, output = made / "my.index", tmp_path / "n.index"
    with pytest.raises(InputError, match=r"a new index for them(.|\n)*-o NEW"):
        hyperir.adapt(index, {"width": WIDTH})
    with pytest.raises(InputError, match=r"of another width(.|\n)*--width D"):
        hyperir.adapt(index, output=output)
    with pytest.raises(InputError, match=r"to become narrower\n.*1 to 127\n.*width = 500"):
        hyperir.adapt(index, {"width": 500}, output=output)
    output.mkdir()
    with pytest.raises(InputError, match="is there already"):
        hyperir.adapt(index, {"width": WIDTH}, output=output)
    output.rmdir()
    rows = list(Store.open(index).rows(range(120)))
    with_words(make_model("dot", query_seed=3), rows, width=48, least=0.2).save_pretrained(tmp_path / "model")
    hyperir.Index.create(tmp_path / "c.index", str(tmp_path / "model")).add(rows, show_progress=False)
    with pytest.raises(InputError, match=r"narrower documents are not learned(.|\n)*hyper_words"):
        hyperir.adapt(tmp_path / "c.index", narrow(made), work=tmp_path / "w", output=output)


@pytest.mark.parametrize("changes", [{"relevance": "dot"}, {"learn": "all", "rates": (1e-3,)}])
def test_other_functions_and_the_query_encoder_learn_over_narrow_documents(made, tmp_path, changes):
    found = hyperir.adapt(
        made / "my.index", narrow(made, **changes), keep=False, work=tmp_path / "w", output=tmp_path / "n"
    )
    assert found.held_out_queries.after["nDCG@10"] > found.held_out_queries.before["nDCG@10"]
    model = hyperir.load(str(found.folder))
    assert model.width == WIDTH
    assert not (tmp_path / "n").exists(), "nothing is kept"
