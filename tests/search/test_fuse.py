"""Fusion against numbers written out."""

import pytest

from hyperir.core.errors import InputError
from hyperir.search.fuse import NORMALISATIONS, fuse

A = {"q": {"x": 10.0, "y": 6.0, "z": 2.0}, "only a": {"x": 1.0}}
B = {"q": {"z": 0.9, "w": 0.5}, "only b": {"y": 2.0, "x": 2.0}}


def test_reciprocal_ranks():
    fused = fuse([A, B])
    assert fused["q"] == pytest.approx({"z": 1 / 63 + 1 / 61, "x": 1 / 61, "y": 1 / 62, "w": 1 / 62})
    assert list(fused["q"]) == ["z", "x", "y", "w"], "ties as first met"
    assert fused["only b"] == {"y": 1 / 61, "x": 1 / 62}, "ranks are by score, ties as given"
    assert list(fused) == ["q", "only a", "only b"]
    assert fuse([A, B], weights=[0, 2], rrf_k=0)["q"] == pytest.approx({"z": 2, "w": 1, "x": 0, "y": 0})


def test_weighted_by_minmax():
    fused = fuse([A, B], "weighted", weights=[0.25, 0.75])
    assert fused["q"] == pytest.approx({"z": 0.75, "x": 0.25, "y": 0.125, "w": 0})
    assert list(fused["q"]) == ["z", "x", "y", "w"]
    assert fused["only a"] == {"x": 0.25}


def test_a_missing_document_ranks_as_the_lowest():
    fused = fuse([A, B], "weighted", normalise="zscore")["q"]
    z = (2 / 3) ** 0.5 * 4
    assert fused == pytest.approx({"x": 4 / z - 1, "y": 0 - 1, "z": -4 / z + 1, "w": -4 / z - 1})
    assert fuse([A, B], "weighted", normalise="none")["q"] == pytest.approx({"x": 10.5, "y": 6.5, "z": 2.9, "w": 2.5})
    assert fuse([A, B], "weighted", normalise="sum")["q"] == pytest.approx({"x": 8 / 12, "y": 4 / 12, "z": 1, "w": 0})


@pytest.mark.parametrize("normalise", sorted(NORMALISATIONS))
def test_one_run_keeps_its_order_and_equal_scores_are_no_trouble(normalise):
    same = {"q": {"a": 2.0, "b": 2.0}}
    assert list(fuse([A], "weighted", normalise=normalise)["q"]) == ["x", "y", "z"]
    assert list(fuse([same, same], "weighted", normalise=normalise)["q"]) == ["a", "b"]


def test_only_the_best_are_kept():
    assert list(fuse([A, B], k=2)["q"]) == ["z", "x"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"method": "rff"}, "did you mean 'rrf'"),
        ({"method": "weighted", "normalise": "minmx"}, "did you mean 'minmax'"),
        ({"weights": [1]}, "2 weights"),
        ({"weights": [1, -1]}, "none negative"),
        ({"weights": [0, 0]}, "not all 0"),
        ({"weights": [1, float("nan")]}, "needs a weight"),
        ({"rrf_k": -1}, "more than -1"),
        ({"k": 0}, "k >= 1"),
    ],
)
def test_mistakes(options, told):
    with pytest.raises(InputError, match=told):
        fuse([A, B], **options)
    with pytest.raises(InputError, match="no runs"):
        fuse([])
