"""Batches: which examples, which items, in which groups."""

import numpy as np
import pytest

from hyperir.core.errors import InputError
from hyperir.train.batches import BATCHES
from hyperir.train.grouping import OVERHEAD, split
from hyperir.train.sampling import Batches, choose


def batches_of(examples, size, seed, order="random", **processes):
    return Batches(examples, size, seed, BATCHES.build(order, examples=examples), **processes)


def waste(lengths, groups):
    computed = sum(int(lengths[group].max()) * len(group) for group in groups)
    return 1 - lengths.sum() / computed


@pytest.mark.parametrize("texts", [64, 512])
def test_padding_wastes_little(texts):
    lengths = np.clip(np.random.default_rng(0).lognormal(4.2, 0.5, texts).astype(int), 5, 256)  # as passages are
    groups = split(lengths, OVERHEAD["cpu"], 1024)
    assert sorted(np.concatenate(groups).tolist()) == list(range(texts))
    assert waste(lengths, groups) < 0.1
    assert waste(lengths, [np.arange(texts)]) > 0.5, "one batch padded to the longest"
    assert all(lengths[group].max() * len(group) <= 1024 for group in groups if len(group) > 1)


def test_groups_are_the_cheapest_there_are():
    lengths = np.array([3, 9, 3, 10, 4])
    cost = {overhead: [sorted(group.tolist()) for group in split(lengths, overhead)] for overhead in (0, 3, 100)}
    assert cost[0] == [[3], [1], [4], [0, 2]]
    assert cost[3] == [[1, 3], [0, 2, 4]]
    assert cost[100] == [[0, 1, 2, 3, 4]]
    assert split(lengths[:0], 3) == []


def test_every_epoch_has_another_order_and_processes_share_it():
    alone = batches_of(50, 8, 3)
    parts = [batches_of(50, 4, 3, rank=rank, world=2) for rank in (0, 1)]
    for epoch in (0, 1):
        for batches in (alone, *parts):
            batches.set_epoch(epoch)
        whole = list(alone)
        assert len(whole) == len(alone) == 6
        assert len({key for batch in whole for key in batch}) == 48
        assert [a + b for a, b in zip(*parts, strict=True)] == whole
    assert list(batches_of(50, 8, 3)) != whole


def test_too_few_examples_are_said():
    with pytest.raises(InputError, match="fewer examples than a batch holds"):
        batches_of(5, 8, 0)


def test_items_are_drawn_anew_and_the_positive_stays():
    drawn = [choose(10, 4, 0, (epoch, 7)).tolist() for epoch in range(5)]
    assert all(each[0] == 0 and len(set(each)) == 4 for each in drawn)
    assert len({tuple(each) for each in drawn}) > 1
    assert choose(10, 4, 0, (2, 7)).tolist() == drawn[2]
    assert choose(3, 4, 0, (0, 0)).tolist() == choose(3, None, 0, (0, 0)).tolist() == [0, 1, 2]


def test_an_order_that_leaves_examples_out_is_refused():
    batches = Batches(50, 8, 3, lambda size, generator: np.arange(size)[None])
    with pytest.raises(InputError, match="leaves examples out"):
        list(batches)
