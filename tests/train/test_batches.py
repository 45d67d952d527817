"""Which examples stand together."""

import numpy as np
import pytest
import torch

from hyperir.core.errors import InputError
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
