"""Texts to vectors and functions: order, neighbours, prompts, lengths, types, gradients."""

import pytest
import torch
from tiny_models import HYPER, TEXTS, make_model

from hyperir.core.errors import InputError
from hyperir.encode import text_encoder
from hyperir.encode.texts import document_text


def by_hand(model, text, side="document"):
    """One text, straight through the transformer, without padding; masked mean and normalisation."""
    config = getattr(model, side).config
    ids = model.document.backbone.tokenizer.tokenizer.encode(config.prompt + text).ids
    assert len(ids) <= config.max_length
    with torch.no_grad():
        states = model.document.backbone.transformer(input_ids=torch.tensor([ids])).last_hidden_state[0]
    return torch.nn.functional.normalize(states.mean(0), dim=0)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 32])
def test_vectors_are_in_order_and_ignore_their_neighbours(model, batch_size):
    vectors = model.encode_document(TEXTS, batch_size=batch_size).vectors
    assert vectors.shape == (len(TEXTS), 128)
    assert vectors.dtype == torch.float32
    expected = torch.stack([by_hand(model, text) for text in TEXTS])
    torch.testing.assert_close(vectors, expected, rtol=0, atol=1e-5)


def test_windows_and_the_token_limit_change_nothing(model, monkeypatch):
    expected = model.encode_document(TEXTS).vectors
    monkeypatch.setattr(text_encoder, "WINDOW", 3)
    monkeypatch.setattr(text_encoder, "CPU_TOKENS", 7)
    torch.testing.assert_close(model.encode_document(TEXTS).vectors, expected, rtol=0, atol=1e-5)


def test_any_sequence_is_read_once_by_item(model):
    class Lazy:
        def __init__(self):
            self.asked = []

        def __len__(self):
            return len(TEXTS)

        def __getitem__(self, i):
            self.asked.append(i)
            return {"id": str(i), "title": "", "text": TEXTS[i]}

    lazy = Lazy()
    vectors = model.encode_document(lazy).vectors
    assert lazy.asked == list(range(len(TEXTS)))
    torch.testing.assert_close(vectors, model.encode_document(TEXTS).vectors)


@pytest.mark.parametrize("relevance", ["dot", "cosine", "l2", HYPER])
def test_queries_together_score_as_each_alone(relevance):
    model = make_model(relevance)
    docs = model.encode_document(TEXTS)
    together = model.encode_query(TEXTS, batch_size=3)
    assert together.num_queries == len(TEXTS)
    alone = torch.cat([model.encode_query([text])(docs) for text in TEXTS])
    torch.testing.assert_close(together(docs), alone, rtol=1e-4, atol=1e-4)
    assert torch.equal(model.similarity(together, docs), together(docs))


@pytest.mark.parametrize("relevance", ["dot", HYPER])
def test_nothing_in_gives_nothing_out(relevance):
    model = make_model(relevance)
    docs, none = model.encode_document(TEXTS), model.encode_document([])
    assert none.vectors.shape == (0, 128)
    assert model.encode_query(["fox"])(none).shape == (1, 0)
    f = model.encode_query([])
    assert f.num_queries == 0
    assert f(docs).shape == (0, len(TEXTS))


def test_prompts_are_put_before_the_texts():
    model = make_model("dot", document={"prompt": "passage : "}, query={"prompt": "query : "})
    plain = make_model("dot")
    docs = model.encode_document(["the fox"])
    torch.testing.assert_close(docs.vectors, plain.encode_document(["passage : the fox"]).vectors)
    assert torch.equal(model.encode_query(["dog"])(docs), plain.encode_query(["query : dog"])(docs))


def test_sides_have_their_own_length():
    model = make_model("dot", document={"max_length": 6}, query={"max_length": 4})
    long = "the quick brown fox jumps over"
    docs = model.encode_document([long, "the quick brown fox"])
    torch.testing.assert_close(docs.vectors[0], docs.vectors[1])
    f = model.encode_query([long, "the quick"])
    torch.testing.assert_close(f.queries[0], f.queries[1])


def test_sides_may_have_their_own_backbone():
    model, other = make_model("dot", query_seed=1), make_model("dot", seed=1)
    assert not model.shared
    docs = model.encode_document(TEXTS)
    torch.testing.assert_close(model.encode_query(["fox"])(docs), other.encode_query(["fox"])(docs))
    torch.testing.assert_close(docs.vectors, make_model("dot").encode_document(TEXTS).vectors)


def test_bfloat16_is_close_and_gives_float32():
    model = make_model("dot")
    exact = model.encode_document(TEXTS).vectors
    model.document.backbone.to(torch.bfloat16)
    rough = model.encode_document(TEXTS).vectors
    assert model.dtype == torch.bfloat16
    assert rough.dtype == torch.float32
    assert (rough * exact).sum(-1).min() > 0.99
    assert not torch.equal(rough, exact)


def test_titles_stand_before_texts():
    assert document_text("plain") == "plain"
    assert document_text({"text": "body"}) == "body"
    assert document_text({"title": "", "text": "body"}) == "body"
    assert document_text({"title": None, "text": "body"}) == "body"
    assert document_text({"id": "1", "title": "head", "text": "body", "year": 1}) == "head\nbody"


@pytest.mark.parametrize("wrong", [None, 3, {"title": "no text"}, {"text": None}, {"text": "x", "title": 4}])
def test_documents_without_text_are_refused(model, wrong):
    with pytest.raises(InputError, match="expected: a string"):
        model.encode_document(["fine", wrong])


def test_a_single_string_is_refused_where_many_are_expected(model):
    for encode in (model.encode_document, model.encode_query, model.states):
        with pytest.raises(InputError, match=r"one .* where many"):
            encode("fox")
    with pytest.raises(InputError, match="a query cannot be encoded"):
        model.encode_query([{"text": "fox"}])
    with pytest.raises(InputError, match="batch_size of at least 1"):
        model.encode_document(TEXTS, batch_size=0)
    with pytest.raises(InputError, match="two sides"):
        model.states(TEXTS, "passage")


def test_rank(model):
    best = model.rank("fox", TEXTS)
    scores = model.encode_query(["fox"])(model.encode_document(TEXTS))[0]
    assert [row["corpus_id"] for row in best] == scores.argsort(descending=True, stable=True).tolist()
    assert [row["score"] for row in best] == sorted(scores.tolist(), reverse=True)
    assert model.rank("fox", TEXTS, top_k=3) == best[:3]
    assert len(model.rank("fox", TEXTS, top_k=99)) == len(TEXTS)
    assert model.rank("fox", []) == []
    same = model.rank("fox", ["dog dog", "dog dog", "dog dog"])
    assert [row["corpus_id"] for row in same] == [0, 1, 2]
    with pytest.raises(InputError, match="top_k of at least 1"):
        model.rank("fox", TEXTS, top_k=0)


def test_states_carry_gradients_and_agree_with_encoding(model):
    states = model.states(TEXTS, "document")
    torch.testing.assert_close(states.pooled, model.encode_document(TEXTS).vectors, rtol=0, atol=1e-5)
    assert states.mask.sum(1).tolist() == [6, 7, 3, 2, 32, 5, 5, 10]
    assert torch.equal(states.tokens[3, 2:].abs().sum() > 0, torch.tensor(True)), "padding is computed, and masked"
    f = model.relevance(model.states(["fox", "dog"]))
    f(model.encode_document(TEXTS)).sum().backward()
    assert model.document.backbone.transformer.embeddings.word_embeddings.weight.grad.abs().sum() > 0
    missed = [name for name, p in model.relevance.named_parameters() if p.grad is None]
    assert not missed


def test_encoding_ignores_training_mode_and_leaves_it(model):
    expected = model.encode_document(TEXTS).vectors
    model.train()
    model.relevance.eval()
    torch.testing.assert_close(model.encode_document(TEXTS).vectors, expected)
    assert model.training
    assert model.document.backbone.transformer.training
    assert not model.relevance.training


def test_what_is_encoded_may_take_part_in_training(model):
    docs = model.encode_document(TEXTS)
    f = model.encode_query(["fox"])
    assert not docs.vectors.is_inference()
    assert f.gradient(docs).shape == (1, len(TEXTS), 128)
    weight = torch.ones(128, requires_grad=True)
    (docs.vectors * weight).sum().backward()
    assert weight.grad is not None


def test_a_bar_counts_passages(model, capsys, monkeypatch):
    monkeypatch.setattr("hyperir.core.progress.PATIENCE", -1)
    model.encode_document(TEXTS)
    assert "Encoding: 8 passages in" in capsys.readouterr().err
    model.encode_document(TEXTS, show_progress_bar=False)
    assert capsys.readouterr().err == ""
