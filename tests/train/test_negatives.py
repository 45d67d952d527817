"""Where negatives come from, each against what it promises."""

import math
from collections import Counter

import numpy as np
import pytest

from hyperir.core.errors import ConfigError, InputError
from hyperir.train.data import Example
from hyperir.train.negatives import NEGATIVES
from hyperir.train.negatives.pool import Pool

IDS = [str(i) for i in range(20)]
EXAMPLE = Example("a query", ("3", "7", "8", "9"), (5.0, 4.9, 1.0, math.nan), frozenset({"3", "5"}))
OTHER = Example("another", ("0", "1"), (math.nan, math.nan), frozenset({"0"}))


def rng(seed=0):
    return np.random.default_rng(seed)


def pool(**more):
    return Pool(IDS, ["a query", "another", "a query"], **more)


class Searcher:
    """Answers with ids from `first` on, and remembers what it was asked."""

    def __init__(self, first=0):
        self.first, self.asked = first, []

    def __call__(self, queries, k):
        self.asked.append((list(queries), k))
        return [IDS[self.first : self.first + k] for _ in queries]


def test_random_ones_are_uniform_over_all_but_positives():
    source = NEGATIVES.build("random", pool=pool())
    generator = rng()
    seen = Counter(id_ for _ in range(2000) for id_ in source.sample([EXAMPLE], 3, generator)[0])
    assert set(seen) == set(IDS) - {"3", "5"}
    assert max(seen.values()) < 1.35 * min(seen.values())
    assert len(source.sample([EXAMPLE], 50, generator)[0]) == 18


def test_listed_ones_come_from_the_list():
    assert set(NEGATIVES.build("listed", pool=pool()).sample([EXAMPLE], 9, rng())[0]) == {"7", "8", "9"}
    first = NEGATIVES.build({"type": "listed", "first": 1}, pool=pool())
    assert first.sample([EXAMPLE, OTHER], 9, rng()) == [["7"], ["1"]]


def test_lexical_ones_share_words_with_the_query():
    texts = {id_: f"number {id_}" for id_ in IDS} | {"4": "a query indeed", "5": "query query", "6": "query"}
    source = NEGATIVES.build({"type": "bm25", "depth": 3}, pool=pool(text=texts.__getitem__))
    assert set(source.sample([EXAMPLE], 9, rng())[0]) == {"4", "6"}
    skipping = NEGATIVES.build({"type": "bm25", "depth": 1, "skip": 2}, pool=pool(text=texts.__getitem__))
    assert len(skipping.sample([EXAMPLE], 9, rng())[0]) == 1
    with pytest.raises(InputError, match="texts"):
        NEGATIVES.build("bm25", pool=pool()).sample([EXAMPLE], 1, rng())


@pytest.mark.parametrize(("config", "every"), [("static", 0), ({"type": "refreshed", "every": 50}, 50)])
def test_mined_ones_are_those_of_the_last_refresh(config, every):
    config = {"depth": 4, "skip": 2} | (config if isinstance(config, dict) else {"type": config})
    source = NEGATIVES.build(config, pool=pool())
    assert source.every == every
    with pytest.raises(InputError, match="no negatives were mined"):
        source.sample([EXAMPLE], 1, rng())
    search = Searcher()
    source.refresh(search, 0)
    assert search.asked == [(["a query", "another"], 6)], "each query once, in one block"
    assert set(source.sample([EXAMPLE], 9, rng())[0]) == {"2", "4"}
    source.refresh(Searcher(10), 50)
    assert set(source.sample([EXAMPLE], 9, rng())[0]) == {"12", "13", "14", "15"}


def test_dynamic_ones_are_the_true_top_of_this_step():
    source = NEGATIVES.build("dynamic", pool=pool())
    assert source.every == 1
    with pytest.raises(InputError, match="no search"):
        source.sample([EXAMPLE], 1, rng())
    search = Searcher()
    source.refresh(search, 1)
    assert source.sample([EXAMPLE, OTHER], 5, rng()) == [["0", "1", "2", "4", "6"], ["1", "2", "3", "4", "5"]]
    assert len(search.asked) == 1, "one search for the batch"
    source.refresh(Searcher(12), 2)
    assert source.sample([EXAMPLE], 2, rng()) == [["12", "13"]]
    drawn = NEGATIVES.build({"type": "dynamic", "depth": 6, "skip": 1}, pool=pool())
    drawn.refresh(search, 1)
    assert {id_ for i in range(50) for id_ in drawn.sample([EXAMPLE], 2, rng(i))[0]} == {"1", "2", "4", "6", "7", "8"}


def test_denoised_ones_are_below_the_teachers_threshold():
    asked = []

    def score(query, ids):
        asked.append(ids)
        return [2.0 for _ in ids]

    below = NEGATIVES.build({"type": "denoised", "of": "listed", "below": 4.0}, pool=pool(score=score))
    assert set(below.sample([EXAMPLE], 9, rng())[0]) == {"8", "9"}
    assert asked == [["9"]], "the teacher is asked for what has no score"
    far = NEGATIVES.build({"type": "denoised", "of": "listed", "margin": 3.5}, pool=pool(score=score))
    assert far.sample([EXAMPLE], 9, rng()) == [["8"]]
    without = NEGATIVES.build({"type": "denoised", "of": "listed", "below": 4.0}, pool=pool())
    with pytest.raises(InputError, match="1 documents of the query 'a query'"):
        without.sample([EXAMPLE], 9, rng())
    with pytest.raises(ConfigError, match="below, margin, or both"):
        NEGATIVES.parse({"type": "denoised", "of": "listed"})


def test_denoised_ones_follow_their_source():
    source = NEGATIVES.build(
        {"type": "denoised", "of": {"type": "refreshed", "every": 7}, "below": 1.0},
        pool=pool(score=lambda q, ids: [float(id_) - 4 for id_ in ids]),
    )
    assert source.every == 7
    source.refresh(Searcher(), 0)
    assert set(source.sample([EXAMPLE], 9, rng())[0]) <= {"0", "1", "2", "4"}


def test_balanced_ones_visit_every_bin():
    """Of 100 negatives with margins near 10 and one near 0, the one comes in about half of the draws, not in 1 %."""
    items = ("p", "hard", *(f"easy{i}" for i in range(100)))
    labels = (10.0, 9.9, *([0.0] * 100))
    example = Example("q", items, labels)
    source = NEGATIVES.build("balanced", pool=pool())
    generator = rng()
    hard = sum("hard" in source.sample([example], 1, generator)[0] for _ in range(400))
    assert 150 < hard < 250
    with pytest.raises(InputError, match="no teacher's score"):
        source.sample([OTHER], 1, rng())
    assert set(source.sample([EXAMPLE], 9, rng())[0]) == {"7", "8"}


def test_mixed_ones_have_their_shares_and_fill_up():
    mixed = {
        "type": "mixed",
        "sources": [{"of": "listed", "share": 1}, {"of": "dynamic", "share": 1}, {"of": "random", "share": 2}],
    }
    source = NEGATIVES.build(mixed, pool=pool())
    assert source.every == 1
    source.refresh(Searcher(10), 17)
    found = source.sample([EXAMPLE], 8, rng())[0]
    assert set(found[:2]) < {"7", "8", "9"}
    assert found[2:4] == ["10", "11"]
    assert len(set(found)) == 8
    assert len(set(source.sample([OTHER], 8, rng())[0])) == 8, "what the list lacks is filled up"
    with pytest.raises(ConfigError, match="a source"):
        NEGATIVES.parse({"type": "mixed", "sources": []})


def test_mixed_ones_refresh_what_is_due():
    mixed = {"type": "mixed", "sources": [{"of": "static"}, {"of": {"type": "refreshed", "every": 10}}]}
    source = NEGATIVES.build(mixed, pool=pool())
    assert source.every == 10
    searches = {step: Searcher() for step in (30, 39, 41, 42)}
    for step, search in searches.items():
        source.refresh(search, step)
    assert [len(search.asked) for search in searches.values()] == [2, 0, 1, 0]
