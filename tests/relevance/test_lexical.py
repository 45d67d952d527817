"""BM25 and TF-IDF against formulas written out one document at a time, bm25s and scikit-learn."""

import math
from collections import Counter

import pytest
import torch

from hyperir.core.docs import Sparse
from hyperir.core.errors import ConfigError
from hyperir.encode.lexical import LexicalModel
from hyperir.relevance.lexical import LEXICAL
from hyperir.relevance.lexical.statistics import Statistics
from hyperir.relevance.sparse import SparseDistance, SparseInner, as_stored

PLAIN = {"stop_words": "none", "stemmer": "none"}
TEXTS = [
    "red fish blue fish",
    "one fish two fish red fish blue fish",
    "green eggs and ham and eggs",
    "",
    "a red house of blue eggs red red red red red",
    "ham",
]
QUERIES = ["red fish", "eggs eggs ham", "unknown green", "nothing known here"]
VARIANTS = ["robertson", "lucene", "atire", "bm25l", "bm25+"]


def scores_of(relevance, queries=QUERIES, texts=TEXTS):
    model = LexicalModel(relevance, PLAIN)
    docs = model.encode_document(texts)
    return model.fitted(docs).encode_query(queries)(docs)


def slow_bm25(query, text, variant, k1, b, delta):
    bags = [Counter(t.split()) for t in TEXTS]
    mean = sum(map(Counter.total, bags)) / len(bags)
    bag, total = Counter(text.split()), 0.0
    for word in query.split():
        n, df, tf = len(bags), sum(word in other for other in bags), bag[word]
        if not df:
            continue
        length = 1 - b + b * bag.total() / mean
        saturated = tf / (tf + k1 * length) if tf else 0
        if variant == "robertson":
            score = math.log(max((n - df + 0.5) / (df + 0.5), 1)) * saturated
        elif variant == "lucene":
            score = math.log(1 + (n - df + 0.5) / (df + 0.5)) * saturated
        elif variant == "atire":
            score = math.log(n / df) * (k1 + 1) * saturated
        elif variant == "bm25l":
            c = tf / length
            score = math.log((n + 1) / (df + 0.5)) * (k1 + 1) * ((c + delta) / (k1 + c + delta) if c + delta else 0)
        else:
            score = math.log((n + 1) / df) * ((k1 + 1) * saturated + delta)
        total += score
    return total


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("k1", "b", "delta"), [(1.5, 0.75, 0.5), (0.9, 0.4, 1.0), (0.0, 0.0, 0.0), (2.0, 0.9, 0.3)])
def test_bm25_is_its_formula_absent_words_included(variant, k1, b, delta):
    found = scores_of({"type": "bm25", "variant": variant, "k1": k1, "b": b, "delta": delta})
    expected = [[slow_bm25(q, t, variant, k1, b, delta) for t in TEXTS] for q in QUERIES]
    torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_bm25_is_that_of_bm25s(variant):
    import bm25s

    words = [text.split() for text in TEXTS]
    engine = bm25s.BM25(method=variant)
    engine.index(words, show_progress=False)
    found = scores_of({"type": "bm25", "variant": variant})
    for query, scores in zip(QUERIES[:3], found, strict=False):
        known = [word for word in query.split() if word in engine.vocab_dict]
        torch.testing.assert_close(scores, torch.from_numpy(engine.get_scores(known)), rtol=1e-4, atol=1e-4)


def slow_side(letters, text, unit):
    bags = [Counter(t.split()) for t in TEXTS]
    bag, n = Counter(text.split()), len(TEXTS)
    out = {}
    for word, tf in bag.items():
        df = sum(word in other for other in bags)
        first = {"n": tf, "b": 1, "l": 1 + math.log(tf), "a": 0.5 + 0.5 * tf / max(bag.values())}[letters[0]]
        if letters[1] != "n" and not df:
            out[word] = 0.0
            continue
        odds = (n - df) / df if df else 1
        second = {
            "n": lambda: 1,
            "t": lambda df=df: math.log(n / df),
            "p": lambda odds=odds: math.log(max(odds, 1)),
            "s": lambda df=df: math.log((1 + n) / (1 + df)) + 1,
            "i": lambda df=df: math.log(n / df) + 1,
        }[letters[1]]()
        out[word] = first * second
    size = math.hypot(*out.values()) if unit or letters[2] == "c" else 0
    return {word: value / size for word, value in out.items()} if size else out


@pytest.mark.parametrize("smart", ["lnc.ltc", "nnn", "ltc", "bnn", "anc.btn", "npc", "nsc", "bin.lpc"])
@pytest.mark.parametrize("similarity", ["inner", "cosine", "l2"])
def test_tfidf_is_its_letters(smart, similarity):
    ours = scores_of({"type": "tfidf", "smart": smart, "similarity": similarity})
    sides = smart.split(".")
    for query, row in zip(QUERIES, ours, strict=True):
        q = slow_side(sides[-1], query, similarity == "cosine")
        for text, score in zip(TEXTS, row.tolist(), strict=True):
            d = slow_side(sides[0], text, similarity == "cosine")
            if similarity == "l2":
                expected = -sum((q.get(word, 0) - d.get(word, 0)) ** 2 for word in q.keys() | d.keys())
            else:
                expected = sum(value * d.get(word, 0) for word, value in q.items())
            assert score == pytest.approx(expected, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize(
    ("smart", "options"),
    [
        ("nsc", {}),
        ("lsc", {"sublinear_tf": True}),
        ("nic", {"smooth_idf": False}),
        ("nsn", {"norm": None}),
        ("nnc", {"use_idf": False}),
        ("bsc", {"binary": True}),
    ],
)
def test_tfidf_is_that_of_scikit_learn(smart, options):
    text = pytest.importorskip("sklearn.feature_extraction.text", reason="scikit-learn is not installed")
    vectorizer = text.TfidfVectorizer(token_pattern=r"[^\W_]+", **options)
    documents = vectorizer.fit_transform(TEXTS)
    expected = (vectorizer.transform(QUERIES[:2]) @ documents.T).toarray()
    found = scores_of({"type": "tfidf", "smart": smart}, QUERIES[:2])
    torch.testing.assert_close(found, torch.from_numpy(expected).float(), rtol=1e-5, atol=1e-5)


def test_letters_that_are_none_are_refused():
    for smart in ("lnc.lt", "xyz", "", "lnc.ltc.nnn"):
        with pytest.raises(ConfigError, match=r"documents\.queries, as lnc\.ltc"):
            LEXICAL.parse({"type": "tfidf", "smart": smart})
    with pytest.raises(ConfigError, match="variant"):
        LEXICAL.parse({"type": "bm25", "variant": "bm25f"})


def test_statistics_follow_documents_that_come_and_go():
    counts = LexicalModel(analysis=PLAIN).encode_document(TEXTS)
    whole, part = Statistics.of(counts), Statistics.of(counts[2:5])
    rest = Statistics.of(counts[torch.tensor([0, 1, 5])])
    for one, other in ((whole - part, rest), (rest + part, whole)):
        assert (one.documents, one.length) == (other.documents, other.length)
        assert torch.equal(one.terms, other.terms)
        assert torch.equal(one.frequencies, other.frequencies)
    nothing = whole - whole
    assert (nothing.documents, nothing.length, len(nothing.terms), nothing.mean_length) == (0, 0.0, 0, 1.0)


def test_weights_without_rarity_do_not_follow_the_statistics():
    counts = LexicalModel(analysis=PLAIN).encode_document(TEXTS)
    for smart, same in (("lnc.ltc", True), ("ltc", False)):
        member = LEXICAL.build({"type": "tfidf", "smart": smart})
        one, other = (member.function(counts[:1], Statistics.of(counts[:n])).weighing for n in (4, 5))
        assert (one == other) is same


@pytest.mark.parametrize("distance", [False, True])
def test_gradients_reach_the_weights_of_both_sides(distance):
    torch.manual_seed(0)
    docs = Sparse.of_dense(torch.rand(5, 4).double() + 0.1)
    queries = Sparse.of_dense(torch.rand(2, 4) + 0.1)
    docs, queries = docs.weighted(docs.weights.requires_grad_()), queries.weighted(queries.weights.requires_grad_())
    f = SparseDistance(queries, as_stored) if distance else SparseInner(queries, as_stored, torch.zeros(2))
    f(docs).square().sum().backward()
    found = docs.weights.grad, queries.weights.grad
    d, q = (side.dense(4).vectors.detach().requires_grad_() for side in (docs, queries))
    dense = -(q[:, None] - d).square().sum(-1) if distance else q.double() @ d.T
    dense.square().sum().backward()
    torch.testing.assert_close(found[0].reshape(5, 4), d.grad, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found[1].reshape(2, 4), q.grad, rtol=1e-4, atol=1e-4)
