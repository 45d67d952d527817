"""Queries with errors in them: what each kind does, by seed; and what it costs a system."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperir.core.errors import InputError
from hyperir.evaluate import VARIATIONS, vary
from hyperir.evaluate.robustness import robustness
from hyperir.evaluate.variations import KEYS

QUERIES = {f"q{i}": text for i, text in enumerate(["how to sort a python list", "Zürich weather", "is it", "fox"] * 5)}


def one(text, kind, seed=0):
    return vary({"q": text}, kind, seed=seed)["q"]


@given(st.sampled_from(sorted(VARIATIONS)), st.integers(0, 99))
def test_each_kind_does_what_its_name_says(kind, seed):
    for text, new in zip(QUERIES.values(), vary(QUERIES, kind, seed=seed).values(), strict=True):
        if kind == "order":
            assert Counter(new.split()) == Counter(text.split())
            assert (new != text) == (len(text.split()) > 1)
            continue
        (pair,) = [(a, b) for a, b in zip(text.split(), new.split(), strict=True) if a != b]
        word, typed = pair
        assert len(word) >= 4 or all(len(w) < 4 for w in text.split())
        if kind == "swap":
            assert Counter(word) == Counter(typed)
            assert sum(a != b for a, b in zip(word, typed, strict=True)) == 2
        elif kind == "drop":
            assert any(typed == word[:i] + word[i + 1 :] for i in range(len(word)))
        elif kind == "double":
            assert any(typed == word[: i + 1] + word[i] + word[i + 1 :] for i in range(len(word)))
        else:
            ((a, b),) = [(a, b) for a, b in zip(word, typed, strict=True) if a != b]
            row = next(row for row in KEYS if a.lower() in row)
            assert abs(row.index(a.lower()) - row.index(b.lower())) == 1
            assert a.isupper() == b.isupper()


def test_seeds_and_other_queries():
    assert vary(QUERIES, "drop", seed=1) == vary(QUERIES, "drop", seed=1)
    assert vary(QUERIES, "drop", seed=1) != vary(QUERIES, "drop", seed=2)
    assert vary({"q5": QUERIES["q5"]}, "drop")["q5"] == vary(QUERIES, "drop")["q5"]


@pytest.mark.parametrize("kind", sorted(VARIATIONS))
@pytest.mark.parametrize("text", ["", "  ", "!!", "漢字 漢字"])
def test_what_cannot_be_changed_stays(kind, text):
    if text == "漢字 漢字" and kind not in ("order", "neighbour"):
        assert one(text, kind) != text
    else:
        assert one(text, kind) == text


def test_more_errors_go_to_other_words():
    words = ["alpha", "bravo", "charlie", "delta"]
    (changed,) = vary({"q": " ".join(words)}, "double", errors=3).values()
    assert sum(a != b for a, b in zip(words, changed.split(), strict=True)) == 3
    with pytest.raises(InputError, match="did you mean 'swap'"):
        vary(QUERIES, "swaps")
    with pytest.raises(InputError, match="errors are counted"):
        vary(QUERIES, "swap", errors=0)


def test_a_system_that_needs_exact_words_loses_by_typing_errors_and_not_by_order():
    words = ["apple", "banana", "cherry", "damson", "elder", "figs"]
    queries = {f"q{i}": f"{a} {b}" for i, (a, b) in enumerate(zip(words, words[1:] + words[:1], strict=True))}
    qrels = {query: {text: 1} for query, text in queries.items()}

    def search(asked):
        return {
            q: {d: float(set(d.split()) == set(text.split())) for d in queries.values()} for q, text in asked.items()
        }

    found = robustness(qrels, queries, search, ["P@1"], seed=1)
    assert found.drop("P@1", "order") == 0
    assert found.drop("P@1", "swap") > 50
    assert found.changed == dict.fromkeys(VARIATIONS, 1.0)
    lines = str(found).splitlines()
    assert [line.split()[0] for line in lines[1:7]] == ["as", *VARIATIONS]
    assert found.as_dict()["baseline"] == "as written"
