"""SNRM: against its definition, what words it knows, and what its folder keeps."""

import pytest
import torch
from tiny_models import TEXTS

import hyperir
from hyperir.core.errors import InputError
from hyperir.encode.snrm import read_vectors, snrm
from hyperir.index.strategies import STRATEGIES

LATENT = 50


def make(**changes):
    options = {"embedding": 6, "window": 3, "hidden": (7, 4), "latent": LATENT}
    return snrm(TEXTS, **(options | changes))


def slow(model, text, side):
    """The mean of the latent weights of a text's n-grams, one after the other."""
    backbone = model.document.backbone
    network, latent = backbone.transformer, backbone.head.rest.latent.weight
    ids = side.tokenize([text])[0]
    nothing = torch.zeros(network.config.embedding_size)
    half = network.config.window // 2
    words = [nothing] * half + [network.words.weight[id_] for id_ in ids] + [nothing] * half
    total = torch.zeros(len(latent))
    for start in range(len(ids)):
        hidden = sum(network.windows.weight[:, :, i] @ words[start + i] for i in range(network.config.window)).relu()
        for layer in network.layers:
            hidden = (layer.weight @ hidden).relu()
        total += (latent @ hidden).relu()
    return total / len(ids)


@pytest.mark.parametrize("window", [1, 3, 5])
def test_a_text_is_the_mean_of_its_ngrams(window):
    model = make(window=window)
    docs = model.encode_document(TEXTS, batch_size=3).dense(LATENT).vectors
    f = model.encode_query(TEXTS)
    with torch.no_grad():
        for place, text in enumerate(TEXTS):
            torch.testing.assert_close(docs[place], slow(model, text, model.document))
            torch.testing.assert_close(f.queries.dense(LATENT).vectors[place], slow(model, text, model.query))
    assert 0 < (docs > 0).float().mean() < 1


def test_it_knows_the_most_frequent_words_without_punctuation():
    vocabulary = make(words=3).document.backbone.tokenizer.tokenizer.get_vocab()
    assert set(vocabulary) == {"[PAD]", "[UNK]", "engine", "ranks", "documents"}, "ties go by the alphabet"
    model = make()
    one, other = model.document.tokenize(["The fox, the FOX!", "the fox the fox"])
    assert one == other


def test_embeddings_may_be_given_and_stay(tmp_path):
    (tmp_path / "glove.txt").write_text("fox 1 2 3 4 5 6\nzebra 0 0 0 0 0 0\n")
    vectors = read_vectors(tmp_path / "glove.txt")
    model = make(vectors=vectors, static=True)
    words = model.document.backbone.transformer.words.weight
    place = model.document.backbone.tokenizer.tokenizer.token_to_id("fox")
    assert words[place].tolist() == [1, 2, 3, 4, 5, 6]
    assert not words.requires_grad
    model.save_pretrained(tmp_path / "model")
    assert not hyperir.load(tmp_path / "model").document.backbone.transformer.words.weight.requires_grad
    with pytest.raises(InputError, match="does not fit"):
        make(embedding=5, vectors=vectors)
    with pytest.raises(InputError, match="at random"):
        make(static=True)
    (tmp_path / "glove.txt").write_text("fox 1 two\n")
    with pytest.raises(InputError, match="line 1"):
        read_vectors(tmp_path / "glove.txt")
    assert read_vectors(tmp_path / "glove.txt", words=0) == {}


def test_saved_and_loaded_it_answers_the_same_by_every_strategy(tmp_path):
    model = make(seed=3)
    model.save_pretrained(tmp_path / "model")
    again = hyperir.load(tmp_path / "model")
    assert again.fingerprint == model.fingerprint != make(seed=4).fingerprint
    docs, f = again.encode_document(TEXTS), again.encode_query(["the fox", "search engine"])
    torch.testing.assert_close(f(docs), model.encode_query(["the fox", "search engine"])(model.encode_document(TEXTS)))
    exact, inverted = (STRATEGIES.build(name, docs=docs).search(f, 3) for name in ("exact", "inverted"))
    torch.testing.assert_close(exact.scores, inverted.scores)
