"""Which examples stand together."""

import numpy as np
import pytest
import torch
from worlds import recipe_of

import hyperir
from hyperir.core.errors import InputError
from hyperir.train import train
from hyperir.train.batches import BATCHES


def vectors():
    """Four far topics of 25, 25, 30 and 20 queries, mixed up."""
    torch.manual_seed(0)
    topic = torch.tensor([0] * 25 + [1] * 25 + [2] * 30 + [3] * 20)[torch.randperm(100)]
    return 10 * torch.eye(4)[topic] + 0.1 * torch.randn(100, 4), topic


def test_batches_of_one_topic():
    points, topic = vectors()
    order = BATCHES.build({"type": "topics", "topics": 4}, examples=100, vectors=lambda: points)
    batches = order(5, np.random.default_rng(0))
    assert batches.shape == (20, 5)
    assert all(len({int(topic[i]) for i in batch}) == 1 for batch in batches)
    # Of size 8 each topic fills 3, 3, 3 and 2 batches; the rest is mixed.
    batches = order(8, np.random.default_rng(0))
    assert batches.shape == (12, 8)
    assert sum(len({int(topic[i]) for i in batch}) == 1 for batch in batches) >= 11


def test_topics_need_vectors_that_fit():
    with pytest.raises(InputError, match="there are none"):
        BATCHES.build("topics", examples=100)
    with pytest.raises(InputError, match="100 vectors"):
        BATCHES.build("topics", examples=100, vectors=lambda: torch.randn(99, 4))


@pytest.mark.parametrize("regime", ["joint", "head"])
def test_a_training_takes_its_batches_by_topic(world, tmp_path, monkeypatch, regime):
    """The order that trained is the one that the start's own vectors of the queries give."""
    from hyperir.train.batch import Collate

    taken = []
    collate = Collate.__call__
    monkeypatch.setattr(Collate, "__call__", lambda self, keys: taken.append(keys) or collate(self, keys))
    changes = {} if regime == "head" else {"regime": {}}
    recipe = recipe_of(
        world,
        tmp_path / "out",
        batch={"queries": 8, "items": 2, "order": {"type": "topics", "topics": 5}},
        model={"start": str(world / "model"), "relevance": {"type": "hyper", "qnet": {"type": "mlp", "hidden": [8]}}},
        validation=None,
        run={"steps": 20, "log": 5, "states": "float32"},
        **changes,
    )
    train(recipe)
    collection = hyperir.open_collection(world / "data")
    texts = collection.queries("train")
    start = hyperir.load(world / "model")
    vectors = start.states([texts[query] for query in collection.qrels("train")]).pooled.detach()
    order = BATCHES.build(recipe.batch.order, examples=120, vectors=lambda: vectors)
    expected = [order(8, np.random.default_rng((0, epoch))).tolist() for epoch in (0, 1)]
    got = [[example for _, example in keys] for keys in taken]
    assert got[:15] == expected[0]
    assert got[15:20] == expected[1][:5]
    topics = [len(set(order.topics[batch].tolist())) for batch in got[:15]]
    assert topics.count(1) > 8, "of one topic, most of them"
