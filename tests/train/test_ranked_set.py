"""Queries with ids of an index's documents."""

import json
import math

import pytest

from hyperir.core.errors import CollectionError, InputError
from hyperir.train.data import SETS


def ranked(path, *values):
    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    return SETS.build({"type": "ranked", "source": str(path)})


def test_items_scores_and_positives(tmp_path):
    found = ranked(
        tmp_path / "a.jsonl",
        {"query": "fox", "items": ["a", "b"], "scores": [2.5, None], "positives": ["a", "c"]},
        {"query": "dog", "items": ["b"]},
    )
    first, second = found[0], found[1]
    assert (first.query, first.items, first.labels[0]) == ("fox", ("a", "b"), 2.5)
    assert math.isnan(first.labels[1])
    assert (first.positives, second.positives) == (frozenset({"a", "c"}), frozenset({"b"}))
    assert len(found) == 2
    with pytest.raises(InputError, match="holds no texts"):
        found.text("a")


@pytest.mark.parametrize(
    "wrong",
    [
        {"query": "fox"},
        {"query": "", "items": ["a"]},
        {"query": "fox", "items": [1]},
        {"query": "fox", "items": ["a"], "scores": [1, 2]},
        {"query": "fox", "items": ["a"], "positives": "a"},
    ],
)
def test_a_wrong_line_is_named(tmp_path, wrong):
    with pytest.raises(CollectionError, match=r"line 2 of .*a\.jsonl"):
        ranked(tmp_path / "a.jsonl", {"query": "fox", "items": ["a"]}, wrong)
