"""SPLADE: against its definition, against sentence-transformers, and what its folders keep."""

import json

import pytest
import torch
from tiny_models import TEXTS, VOCABULARY, make_bert, make_masked, make_masked_distilbert, write_tokenizer

import hyperir
from hyperir.core.errors import ConfigError, InputError, ModelError
from hyperir.encode import terms
from hyperir.encode.config import TextEncoderConfig
from hyperir.encode.model import Model
from hyperir.encode.splade import splade
from hyperir.encode.text_encoder import TextEncoder
from hyperir.index.strategies import STRATEGIES

V = len(VOCABULARY)
QUERIES = ["the fox fox", "engine", "", "a dog : unknown words"]


def write_masked(folder, masked=None):
    (make_masked() if masked is None else masked).save_pretrained(folder)
    write_tokenizer(folder)
    return folder


@pytest.fixture
def folder(tmp_path):
    return write_masked(tmp_path / "masked")


def dense(docs):
    return docs.dense(V).vectors


def slow(masked, model, texts, how):
    """Weights of terms, text by text and token by token."""
    out = []
    for text in texts:
        ids = torch.tensor(model.document.tokenize([text]))
        logits = masked(input_ids=ids).logits[0]
        weights = [torch.tensor([max(0.0, float(x)) for x in token]).log1p() for token in logits]
        out.append(torch.stack(weights).max(0).values if how == "max" else sum(weights))
    return torch.stack(out)


@pytest.mark.parametrize("how", ["max", "sum"])
@pytest.mark.parametrize("make", [make_masked, make_masked_distilbert])
def test_a_document_is_as_defined(tmp_path, make, how):
    masked = make()
    model = splade(write_masked(tmp_path / "m", masked), pool=how)
    docs = model.encode_document(TEXTS, batch_size=3)
    assert docs.shape == (len(TEXTS),)
    assert (docs.weights > 0).all()
    with torch.no_grad():
        # Attention beside padding rounds otherwise than alone, and these weights are large.
        torch.testing.assert_close(dense(docs), slow(masked, model, TEXTS, how), rtol=2e-3, atol=2e-4)
    assert 0 < len(docs.terms) < len(TEXTS) * V, "some terms weigh nothing"


@pytest.mark.parametrize("how", ["max", "sum"])
def test_pieces_change_nothing_of_weights_and_gradients(folder, monkeypatch, how):
    model = splade(folder, pool=how)
    drawn = torch.randn(len(TEXTS), V)

    def found():
        model.zero_grad()
        pooled = model.states(TEXTS, "document").pooled
        (pooled * drawn).sum().backward()
        return pooled.detach(), [p.grad.clone() for p in model.parameters()]

    pooled, gradients = found()
    assert all(g.abs().sum() > 0 for g in gradients)
    monkeypatch.setattr(terms, "CELLS", 1)  # one text at a time
    held = []
    head = model.document.backbone.head
    head.register_forward_hook(lambda module, inputs, logits: held.append(len(logits)))
    again, again_gradients = found()
    assert held
    assert set(held) == {1}
    torch.testing.assert_close(again, pooled)
    torch.testing.assert_close(again_gradients, gradients, rtol=1e-4, atol=1e-5)


def test_queries_as_bags_of_their_tokens(folder):
    model = splade(folder, queries="bag")
    f = model.encode_query(QUERIES)
    expected = torch.zeros(len(QUERIES), V)
    for row, words in enumerate((["the", "fox"], ["engine"], [], ["a", "dog", ":", "[UNK]"])):
        expected[row, [VOCABULARY[word] for word in words]] = 1.0
    assert torch.equal(dense(f.queries), expected)
    docs = model.encode_document(TEXTS)
    torch.testing.assert_close(f(docs), expected @ dense(docs).T)


@pytest.mark.parametrize("queries", ["encoded", "bag", "weighted"])
def test_saved_and_loaded_it_scores_the_same_by_every_strategy(folder, tmp_path, queries):
    model = splade(folder, queries=queries, query_length=9)
    with torch.no_grad():
        for parameter in model.parameters():  # as training does, the head's tied and own weights too
            parameter.add_(0.05 * torch.randn_like(parameter))
    model.trained = True
    model.save_pretrained(tmp_path / "ours")
    again = hyperir.load(tmp_path / "ours")
    assert (again.kind, again.width) == ("sparse", V)
    assert again.fingerprint == model.fingerprint
    assert again.query.config == model.query.config
    head = again.document.backbone.head
    assert head.rest.get_output_embeddings().weight is again.document.backbone.transformer.get_input_embeddings().weight
    docs, f = again.encode_document(TEXTS), again.encode_query(QUERIES)
    torch.testing.assert_close(f(docs), model.encode_query(QUERIES)(model.encode_document(TEXTS)))
    exact, inverted = (STRATEGIES.build(name, docs=docs).search(f, 4) for name in ("exact", "inverted"))
    torch.testing.assert_close(exact.scores, inverted.scores)
    torch.testing.assert_close(f(docs).gather(1, inverted.rows), inverted.scores)


def test_its_fingerprint_is_of_all_that_makes_documents(folder, tmp_path):
    model = splade(folder)
    assert splade(folder).fingerprint == model.fingerprint
    assert splade(folder, queries="bag").fingerprint == model.fingerprint
    assert splade(folder, pool="sum").fingerprint != model.fingerprint
    masked = make_masked()
    with torch.no_grad():
        masked.cls.predictions.bias.add_(1.0)  # of the head alone
    assert splade(write_masked(tmp_path / "other", masked)).fingerprint != model.fingerprint


def test_a_model_by_name_refers_to_it(folder, tmp_path):
    model = splade(folder)
    model.save_pretrained(tmp_path / "ours", with_backbone=False)
    again = hyperir.load(tmp_path / "ours")
    assert torch.equal(dense(again.encode_document(TEXTS)), dense(model.encode_document(TEXTS)))


def test_what_does_not_fit_is_refused(folder, tmp_path):
    model = splade(folder)
    vectors = TextEncoder(model.document.backbone, TextEncoderConfig())
    with pytest.raises(InputError, match="no terms in common"):
        Model(model.document, vectors, "dot")
    with pytest.raises(InputError, match="inner product"):
        Model(model.document, model.query, "cosine")
    with pytest.raises(ConfigError, match="normalised"):
        TextEncoderConfig.parse({"terms": {}, "normalize": True})
    with pytest.raises(ConfigError, match="bag"):
        TextEncoderConfig.parse({"terms": {"learned": True}})
    make_bert().save_pretrained(tmp_path / "bert")
    write_tokenizer(tmp_path / "bert")
    with pytest.raises(ModelError, match="no masked-language head"):
        splade(tmp_path / "bert")
    with pytest.raises(ModelError, match="masked-language model"):
        TextEncoder(hyperir.load(tmp_path / "bert").document.backbone, TextEncoderConfig(terms={}))


# sentence-transformers


def sparse_encoder(folder, kind, how="max", activation="relu"):
    """Their model over the folder's weights."""
    from sentence_transformers import SparseEncoder
    from sentence_transformers.base.modules import Router, Transformer
    from sentence_transformers.sparse_encoder.modules import MLMTransformer, SparseStaticEmbedding, SpladePooling

    reader = MLMTransformer if kind == "old" else Transformer
    modules = [reader(str(folder), transformer_task="fill-mask"), SpladePooling(how, activation)]
    if kind == "router":
        torch.manual_seed(1)
        static = SparseStaticEmbedding(modules[0].tokenizer, torch.rand(V))
        modules = [Router.for_query_document(query_modules=[static], document_modules=modules)]
    return SparseEncoder(modules=modules, similarity_fn_name="dot", device="cpu")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("kind", "how", "activation"),
    [("new", "max", "relu"), ("old", "sum", "relu"), ("new", "max", "log1p_relu"), ("router", "max", "relu")],
)
def test_it_equals_sentence_transformers(folder, tmp_path, kind, how, activation):
    theirs = sparse_encoder(folder, kind, how, activation)
    theirs.save_pretrained(str(tmp_path / "theirs"))
    ours = hyperir.load(tmp_path / "theirs")
    documents = theirs.encode_document(TEXTS, convert_to_sparse_tensor=False)
    queries = theirs.encode_query(QUERIES, convert_to_sparse_tensor=False)
    docs, f = ours.encode_document(TEXTS), ours.encode_query(QUERIES)
    torch.testing.assert_close(dense(docs), documents, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(dense(f.queries), queries, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(f(docs), queries @ documents.T, rtol=1e-5, atol=1e-5)
    ours.save_pretrained(tmp_path / "again")
    torch.testing.assert_close(hyperir.load(tmp_path / "again").encode_query(QUERIES)(docs), f(docs))


@pytest.mark.filterwarnings("ignore")
def test_their_folders_that_cannot_be_read_are_refused(folder, tmp_path):
    sparse_encoder(folder, "new").save_pretrained(str(tmp_path / "theirs"))
    place = tmp_path / "theirs" / "1_SpladePooling" / "config.json"
    place.write_text(json.dumps({"pooling_strategy": "min"}))
    with pytest.raises(ModelError, match="min of relu"):
        hyperir.load(tmp_path / "theirs")
    sparse_encoder(folder, "router").save_pretrained(str(tmp_path / "routed"))
    place = tmp_path / "routed" / "router_config.json"
    place.write_text(place.read_text().replace('"query_0_SparseStaticEmbedding"', '"../masked"'))
    with pytest.raises(ModelError, match="outside"):
        hyperir.load(tmp_path / "routed")
