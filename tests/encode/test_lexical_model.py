"""Lexical models: words into counts, statistics, saving."""

import pickle

import pytest
import torch

from hyperir.core.errors import ConfigError, InputError, ModelError
from hyperir.core.terms import term_of
from hyperir.encode import analysis
from hyperir.encode.analysis import Analyser, AnalysisConfig
from hyperir.encode.lexical import LexicalModel

TEXTS = ["The cats of os.path_join", "a cat's CAT", "", "the of and"]


def bag(model, text):
    counts = model.encode_document([text])
    return dict(zip(counts.terms.tolist(), counts.weights.tolist(), strict=True))


def test_words_are_lowered_stopped_and_stemmed_and_counted():
    assert bag(LexicalModel(), TEXTS[0]) == {term_of(w): 1.0 for w in ("cat", "os", "path", "join")}
    assert bag(LexicalModel(), TEXTS[1]) == {term_of("cat"): 2.0, term_of("s"): 1.0}
    assert bag(LexicalModel(), TEXTS[3]) == {}
    assert LexicalModel().words(TEXTS[0]) == ["cat", "os", "path", "join"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"stemmer": "none"}, ["cats", "os", "path", "join"]),
        ({"stop_words": "none"}, ["the", "cat", "of", "os", "path", "join"]),
        ({"stop_words": ["cats", "os"]}, ["the", "of", "path", "join"]),
        ({"lowercase": False}, ["The", "cat", "os", "path", "join"]),
        ({"pattern": r"[\w.]+"}, ["cat", "os.path_join"]),
    ],
)
def test_every_step_is_an_option_and_part_of_the_fingerprint(options, words):
    model = LexicalModel(analysis=options)
    assert model.words(TEXTS[0]) == words
    assert bag(model, TEXTS[0]) == {term_of(word): 1.0 for word in words}
    assert model.fingerprint != LexicalModel().fingerprint


def test_relevance_is_no_part_of_the_fingerprint():
    assert LexicalModel("tfidf").fingerprint == LexicalModel({"type": "bm25", "k1": 0.9}).fingerprint


def test_batches_and_titles():
    model = LexicalModel()
    whole, cut = model.encode_document(TEXTS), model.encode_document(TEXTS, batch_size=1)
    assert whole.shape == (4,)
    assert torch.equal(whole.indptr, cut.indptr)
    assert torch.equal(whole.terms, cut.terms)
    assert torch.equal(whole.weights, cut.weights)
    assert bag(model, {"title": "cat", "text": "cats"}) == {term_of("cat"): 2.0}


def test_a_full_memory_of_words_changes_nothing(monkeypatch):
    expected = LexicalModel().encode_document(TEXTS)
    monkeypatch.setattr(analysis, "KNOWN", 2)
    found = LexicalModel().encode_document(TEXTS)
    assert torch.equal(found.terms, expected.terms)


def test_wrong_options_are_refused_by_name():
    with pytest.raises(InputError, match="did you mean 'english'"):
        LexicalModel(analysis={"stemmer": "englsh"})
    with pytest.raises(ConfigError, match="no regular expression"):
        LexicalModel(analysis={"pattern": "("})
    with pytest.raises(ConfigError, match="more than one group"):
        LexicalModel(analysis={"pattern": "(a)(b)"})
    with pytest.raises(ConfigError, match="stemer"):
        LexicalModel(analysis={"stemer": "none"})
    with pytest.raises(InputError, match="how rare words are"):
        LexicalModel().encode_query(["cat"])


def test_an_analyser_travels_to_other_processes():
    analyser = Analyser(AnalysisConfig(stemmer="german", stop_words="none"))
    again = pickle.loads(pickle.dumps(analyser))
    assert again.words("Häuser") == analyser.words("Häuser") == ["haus"]


def test_saved_and_loaded_it_scores_the_same(tmp_path):
    model = LexicalModel({"type": "bm25", "variant": "bm25+"}, {"stop_words": ["os"]})
    docs = model.encode_document(TEXTS)
    model = model.fitted(docs)
    model.save_pretrained(tmp_path / "model")
    again = LexicalModel.from_pretrained(tmp_path / "model")
    assert again.config == model.config
    assert again.fingerprint == model.fingerprint
    assert torch.equal(again.encode_query(["cat join"])(docs), model.encode_query(["cat join"])(docs))
    LexicalModel().save_pretrained(tmp_path / "model")
    assert LexicalModel.from_pretrained(tmp_path / "model").statistics is None


def test_a_damaged_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match="no lexical model"):
        LexicalModel.from_pretrained(tmp_path)
    model = LexicalModel()
    model.fitted(model.encode_document(TEXTS)).save_pretrained(tmp_path)
    place = tmp_path / "statistics.safetensors"
    place.write_bytes(place.read_bytes()[:-9])
    with pytest.raises(ModelError, match="damaged"):
        LexicalModel.from_pretrained(tmp_path)
