"""BM25 against bm25s itself, and its edge cases."""

import bm25s
import pytest
import Stemmer

from hyperir import BM25
from hyperir.core.errors import InputError
from hyperir.search.bm25 import WORD

TEXTS = [
    "Sorting lists in place",
    "A sorted copy of any iterable",
    "os.path_join joins paths",
    "sorts sort sorted sorting",
    "",
]
ROWS = [{"id": str(i), "text": text} for i, text in enumerate(TEXTS)]


@pytest.mark.parametrize("method", ["lucene", "robertson", "atire"])
def test_scores_are_those_of_bm25s(method):
    def tokens(texts):
        return bm25s.tokenize(
            texts, stopwords="en", stemmer=Stemmer.Stemmer("english"), token_pattern=WORD, show_progress=False
        )

    engine = bm25s.BM25(method=method)
    engine.index(tokens(TEXTS), show_progress=False)
    for query in ("sort lists", "join", "sorted sorted copy"):
        rows, scores = engine.retrieve(tokens([query]), k=5, show_progress=False)
        theirs = {str(r): pytest.approx(s, rel=1e-5) for r, s in zip(rows[0], scores[0], strict=True) if s > 0}
        ours = BM25(ROWS, method=method).search([query])[0]
        assert {hit.id: hit.score for hit in ours} == theirs
        assert [h.score for h in ours] == sorted((h.score for h in ours), reverse=True)


def test_words_are_split_at_dots_and_underscores():
    assert BM25(ROWS).search(["join path"])[0][0].id == "2"


def test_no_shared_word_no_answer():
    bm25 = BM25(ROWS)
    assert bm25.search(["zebra", "", "the of"]) == [[], [], []]
    assert bm25.scored == 0
    assert BM25([]).search(["sort"]) == [[]]


def test_documents_scored_are_those_with_a_word_of_the_query():
    bm25 = BM25(ROWS)
    bm25.search(["sort"])
    assert bm25.scored == 3


def test_k_is_checked():
    with pytest.raises(InputError, match="k = 0"):
        BM25(ROWS).search(["sort"], k=0)
