"""Words beside vectors: their formula written out, what they are about, and models that have them."""

from hashlib import shake_256
from math import log

import numpy as np
import pytest
import torch
from tiny_models import HYPER, TEXTS, make_model, make_tokenizer

import hyperir
from hyperir.core.errors import ConfigError, InputError, ModelError
from hyperir.encode.config import TextEncoderConfig, WordsConfig
from hyperir.encode.hybrid import with_words
from hyperir.encode.official_writing import write_official
from hyperir.encode.tokenizer import TextTokenizer
from hyperir.encode.truncate import truncated
from hyperir.encode.words import Words

DOCUMENTS = [text for text in TEXTS if text]


def direction(token, width):
    bits = "".join(f"{byte:08b}" for byte in shake_256(token.encode()).digest((width + 7) // 8))
    return np.array([1.0 if bit == "1" else -1.0 for bit in bits[:width]]) / width**0.5


def words_of(text):
    known = make_tokenizer().get_vocab()
    return [word if word in known else "[UNK]" for word in text.lower().split()]


def idf_of(documents, least):
    """token -> idf, as `with_words` counts it."""
    bags = [set(words_of(text)) for text in documents]
    found = {token: sum(token in bag for bag in bags) for token in make_tokenizer().get_vocab()}
    idf = {token: log(1 + (len(bags) - n + 0.5) / (n + 0.5)) for token, n in found.items()}
    return {token: value if value >= least else 0.0 for token, value in idf.items()}


def bm25_weight(count, length, mean):
    return count * 2.2 / (count + 1.2 * (0.25 + 0.75 * length / mean))


@pytest.fixture
def hybrid():
    return with_words(make_model("dot"), DOCUMENTS, width=40, cells=0, least=0.5)


@pytest.fixture
def counting():
    return with_words(make_model("dot"), DOCUMENTS, width=40, least=0.5)


def test_documents_and_queries_are_what_their_formulas_say(hybrid):
    idf = idf_of(DOCUMENTS, 0.5)
    mean = np.mean([len(words_of(text)) for text in DOCUMENTS])
    plain = make_model("dot")
    documents, queries = hybrid.encode_document(TEXTS).vectors, hybrid.encode_query(TEXTS).weights
    torch.testing.assert_close(documents[:, :128], plain.encode_document(TEXTS).vectors)
    torch.testing.assert_close(queries[:, :128], plain.encode_query(TEXTS).weights)
    for text, document, query in zip(TEXTS, documents[:, 128:].numpy(), queries[:, 128:].numpy(), strict=True):
        words = words_of(text)
        expected = np.zeros(40)
        for word in set(words):
            expected += bm25_weight(words.count(word), len(words), mean) * idf[word] ** 0.5 * direction(word, 40)
        np.testing.assert_allclose(document, expected, atol=1e-5)
        total = sum(idf[word] for word in words)
        expected = sum((idf[word] ** 0.5 * direction(word, 40) for word in words), np.zeros(40))
        np.testing.assert_allclose(query, 0.25 * expected / max(total, 1e-6), atol=1e-5)


def test_the_error_of_bm25_falls_with_the_width():
    idf = idf_of(DOCUMENTS, 1.0)
    mean = np.mean([len(words_of(text)) for text in DOCUMENTS])
    exact = np.array(
        [
            [
                sum(
                    idf[w] * bm25_weight(words_of(d).count(w), len(words_of(d)), mean)
                    for w in words_of(q)
                    if w in d.split()
                )
                / sum(idf[w] for w in words_of(q))
                for d in DOCUMENTS
            ]
            for q in ["quick fox", "search engine", "lazy dog"]
        ]
    )
    errors = []
    for width in (64, 4096):
        model = with_words(make_model("dot"), DOCUMENTS, width=width, scale=1.0, cells=0)
        queries = model.encode_query(["quick fox", "search engine", "lazy dog"]).weights[:, 128:]
        errors.append(np.abs((queries @ model.encode_document(DOCUMENTS).vectors[:, 128:].T).numpy() - exact).mean())
    assert errors[1] < errors[0] / 4
    assert errors[1] < 0.05


def cells_of(word, width, rows):
    drawn = np.frombuffer(shake_256(word.encode()).digest(8 * rows), dtype="<u8")
    starts = [row * width // rows for row in range(rows + 1)]
    return [starts[r] + int(drawn[r]) % (starts[r + 1] - starts[r]) for r in range(rows)]


def test_cells_hold_the_largest_count_and_queries_read_the_smallest_cell(counting):
    idf = idf_of(DOCUMENTS, 0.5)
    mean = np.mean([len(words_of(text)) for text in DOCUMENTS])
    plain, documents = make_model("dot"), counting.encode_document(TEXTS).vectors
    torch.testing.assert_close(documents[:, :128], plain.encode_document(TEXTS).vectors)
    for text, document in zip(TEXTS, documents[:, 128:].numpy(), strict=True):
        words, expected = words_of(text), np.zeros(40)
        for word in set(words):
            value = bm25_weight(words.count(word), len(words), mean) * idf[word] ** 0.5
            for cell in cells_of(word, 40, 3):
                expected[cell] = max(expected[cell], value)
        np.testing.assert_allclose(document, expected, atol=1e-5)
    scores = counting.encode_query(TEXTS)(counting.encode_document(TEXTS))
    scores -= plain.encode_query(TEXTS)(plain.encode_document(TEXTS))
    for text, row in zip(TEXTS, scores.numpy(), strict=True):
        words = words_of(text)
        total = max(sum(idf[word] for word in words), 1e-6)
        for vector, score in zip(documents[:, 128:].numpy(), row, strict=True):
            read = sum(idf[w] ** 0.5 * min(vector[cell] for cell in cells_of(w, 40, 3)) for w in words)
            assert score == pytest.approx(0.4 * read / total, abs=1e-5)


def test_with_room_enough_cells_give_bm25_exactly():
    idf = idf_of(DOCUMENTS, 1.0)
    mean = np.mean([len(words_of(text)) for text in DOCUMENTS])
    counting = with_words(make_model("dot"), DOCUMENTS, width=30_000, scale=1.0)
    plain = make_model("dot")
    found = counting.encode_query(["quick fox"])(counting.encode_document(DOCUMENTS))[0]
    found -= plain.encode_query(["quick fox"])(plain.encode_document(DOCUMENTS))[0]
    for text, score in zip(DOCUMENTS, found.tolist(), strict=True):
        words = words_of(text)
        exact = sum(idf[w] * bm25_weight(words.count(w), len(words), mean) for w in ("quick", "fox") if w in words)
        assert score == pytest.approx(exact / (idf["quick"] + idf["fox"]), abs=1e-5)


def test_a_model_of_cells_is_saved_indexed_and_searched_in_every_way(counting, tmp_path):
    counting.save_pretrained(tmp_path / "model")
    again = hyperir.load(tmp_path / "model")
    docs = counting.encode_document(TEXTS)
    torch.testing.assert_close(again.encode_query(TEXTS)(docs), counting.encode_query(TEXTS)(docs))
    index = hyperir.Index.create(tmp_path / "my.index", again)
    index.add([{"id": str(i), "text": text} for i, text in enumerate(DOCUMENTS)], show_progress=False)
    for strategy in ("ivf", "graph", "firstorder"):
        index.build(strategy, show_progress=False)
    for strategy in ("exact", "ivf", "graph", "firstorder"):
        [hits] = index.search(["fox fox fox"], 3, strategy=strategy)
        assert {hit.id for hit in hits} == {"0", "5", "6"}, strategy


def test_a_batch_of_queries_is_scored_as_each_alone(counting):
    docs = counting.encode_document(TEXTS)
    alone = torch.cat([counting.encode_query([text])(docs) for text in TEXTS])
    torch.testing.assert_close(counting.encode_query(TEXTS, batch_size=3)(docs), alone)
    assert counting.encode_query([])(docs).shape == (0, len(TEXTS))


def test_neither_the_batch_nor_its_order_matters(hybrid):
    alone = torch.cat([hybrid.encode_document([text]).vectors for text in TEXTS])
    torch.testing.assert_close(hybrid.encode_document(TEXTS, batch_size=3).vectors, alone)
    torch.testing.assert_close(hybrid.states(TEXTS, "document").pooled, alone)


def test_it_is_saved_and_an_index_knows_it(hybrid, tmp_path):
    hybrid.save_pretrained(tmp_path / "model")
    assert "\n# model\n" in (tmp_path / "model" / "README.md").read_text()
    again = hyperir.load(tmp_path / "model")
    assert again.fingerprint == hybrid.fingerprint != make_model("dot").fingerprint
    torch.testing.assert_close(again.encode_query(TEXTS).weights, hybrid.encode_query(TEXTS).weights)
    index = hyperir.Index.create(tmp_path / "my.index", again)
    index.add([{"id": str(i), "text": text} for i, text in enumerate(DOCUMENTS)], show_progress=False)
    found = hyperir.Index.open(tmp_path / "my.index")
    assert found.info()["width"] == 168
    assert {hit.id for hit in found.search(["fox fox fox"], 3)[0]} == {"0", "5", "6"}


def test_other_counts_make_another_model(hybrid):
    assert with_words(make_model("dot"), DOCUMENTS[:3], width=40, cells=0).fingerprint != hybrid.fingerprint


def test_cut_to_the_transformers_numbers_it_is_the_model_without_words(hybrid):
    cut = truncated(hybrid, 128)
    torch.testing.assert_close(cut.encode_document(TEXTS).vectors, make_model("dot").encode_document(TEXTS).vectors)
    with pytest.raises(InputError, match="1 to 128"):
        truncated(hybrid, 129)


def test_cut_to_them_words_in_cells_leave_the_inner_product(counting):
    cut, plain = truncated(counting, 128), make_model("dot")
    found = cut.encode_query(TEXTS)(cut.encode_document(TEXTS))
    torch.testing.assert_close(found, plain.encode_query(TEXTS)(plain.encode_document(TEXTS)))


def test_a_q_net_reads_the_words_too(hybrid, tmp_path):
    from hyperir.encode.model import Model

    model = Model(hybrid.document, hybrid.query, HYPER | {"linear": True}, seed=1)
    docs = model.encode_document(TEXTS)
    changed = type(docs)(docs.vectors.clone())
    changed.vectors[:, 128:] = 0
    f = model.encode_query(["fox"])
    assert (f(docs) - f(changed)).abs().max() > 1e-3
    model.save_pretrained(tmp_path)
    torch.testing.assert_close(hyperir.load(tmp_path).encode_query(["fox"])(docs), f(docs))


def test_what_is_refused(hybrid, tmp_path):
    with pytest.raises(InputError, match="no words can stand beside"):
        with_words(hybrid, DOCUMENTS)
    with pytest.raises(InputError, match="no words can stand beside"):
        with_words(make_model(HYPER), DOCUMENTS)
    with pytest.raises(InputError, match="at least one"):
        with_words(make_model("dot"), [])
    with pytest.raises(InputError, match="cells=0"):
        with_words(make_model("l2"), DOCUMENTS)
    with pytest.raises(ConfigError, match="rows of cells need a width of as many"):
        with_words(make_model("dot"), DOCUMENTS, width=2)
    with pytest.raises(ConfigError, match="which is not projected"):
        TextEncoderConfig.parse({"project": 8, "words": {"side": "query", "width": 8}})
    with pytest.raises(ModelError, match="no words"):
        write_official(hybrid, tmp_path / "official")
    hybrid.save_pretrained(tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").unlink()
    with pytest.raises(ModelError):
        hyperir.load(tmp_path / "model")


def test_special_tokens_are_no_words():
    words = Words(WordsConfig(side="document", width=8), TextTokenizer(make_tokenizer(), 0))
    assert words.weights[:5].tolist() == [0, 1, 0, 0, 1]  # [PAD], [CLS], [SEP]; [UNK] is a word
    assert not words(torch.tensor([[2, 3, 0]]), torch.tensor([[True, True, False]])).any()
