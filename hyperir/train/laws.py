"""The laws of training: of losses, regularisers, negatives, batches and augmentations.

`hyperir.testing` runs them with the others.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hyperir.core.docs import Dense
from hyperir.core.registry import Table
from hyperir.hypernet import Hypernetwork
from hyperir.relevance.qnets import QNETS
from hyperir.train.augmentations import AUGMENTATIONS
from hyperir.train.batches import BATCHES
from hyperir.train.data.example import Example
from hyperir.train.losses import LOSSES
from hyperir.train.negatives import NEGATIVES, Negatives
from hyperir.train.negatives.pool import Pool
from hyperir.train.regularisers import REGULARISERS
from hyperir.train.regularisers.encoded import Encoded

__all__ = ["TRAINING", "make_encoded"]

Q, N, K, T, D, H = 3, 23, 5, 7, 12, 16  # sizes of the made-up world; all different, so that mixed-up axes show
Check = Callable[[Any], None]


def assert_close(actual: Tensor, expected: Tensor) -> None:
    """Equal shapes, and values equal up to float32 rounding."""
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)


# Laws of losses.


def make_batch() -> tuple[Tensor, Tensor]:
    """Scores (Q, Q, K) and targets (Q, K) that put the positive first, with one pad and one unknown target."""
    scores, targets = torch.randn(Q, Q, K), torch.rand(Q, K)
    targets[:, 0] = 4.0
    scores[:, 1, K - 1], targets[1, K - 1] = -torch.inf, torch.nan
    targets[2, 2] = torch.nan
    return scores, targets


def make_loss(loss: Any) -> nn.Module:
    """A loss; one that wraps another wraps the margin MSE."""
    member = LOSSES[loss] if isinstance(loss, str) else LOSSES[loss.type]
    wraps = "of" in member.Config.model_fields  # type: ignore[attr-defined]
    return LOSSES.build({"type": loss, "of": "margin_mse"} if wraps and isinstance(loss, str) else loss)


def its_value_is_finite_also_without_targets(loss: str) -> None:
    scores, targets = make_batch()
    for known in (targets, torch.full_like(targets, torch.nan)):
        leaf = scores.clone().requires_grad_()
        value = make_loss(loss)(leaf, known)
        assert value.shape == (), value.shape
        assert torch.isfinite(value), value
        value.backward()
        assert leaf.grad is not None
        assert torch.isfinite(leaf.grad).all(), leaf.grad


def pads_change_nothing(loss: str) -> None:
    scores, targets = make_batch()
    padded = torch.cat([scores, torch.full((Q, Q, 2), -torch.inf)], -1)
    unknown = torch.cat([targets, torch.full((Q, 2), torch.nan)], -1)
    assert_close(make_loss(loss)(padded, unknown), make_loss(loss)(scores, targets))


def the_order_of_negatives_does_not_matter(loss: str) -> None:
    scores, targets = make_batch()
    order = torch.cat([torch.zeros(1, dtype=torch.int64), 1 + torch.randperm(K - 1)])
    assert_close(make_loss(loss)(scores[..., order], targets[:, order]), make_loss(loss)(scores, targets))


def a_better_positive_lowers_it(loss: str) -> None:
    scores, targets = make_batch()
    own = torch.arange(Q)
    leaf = scores.clone().requires_grad_()
    make_loss(loss)(leaf, targets).backward()
    assert leaf.grad is not None
    assert (leaf.grad[own, own, 0] < 0).all(), leaf.grad[own, own, 0]
    better = scores.clone()
    better[own, own, 0] += 0.01
    assert make_loss(loss)(better, targets) < make_loss(loss)(scores, targets)


def a_gradient_reaches_its_parameters(loss: str) -> None:
    scores, targets = make_batch()
    module = make_loss(loss)
    module(scores.requires_grad_(), targets).backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


LOSS_LAWS = (
    its_value_is_finite_also_without_targets,
    pads_change_nothing,
    the_order_of_negatives_does_not_matter,
    a_better_positive_lowers_it,
    a_gradient_reaches_its_parameters,
)


# Laws of regularisers.


def make_encoded() -> tuple[Encoded, list[Tensor]]:
    """A batch under a q-net, and what a regulariser may send gradients to."""
    qnet = QNETS.build("mlp", width=D)
    hypernetwork = Hypernetwork("attention", qnet.slots(), H)
    pooled = torch.randn(Q, D).requires_grad_()
    written = hypernetwork(torch.randn(Q, T, H), torch.ones(Q, T, dtype=torch.bool))
    for tensor in written.values():
        tensor.retain_grad()
    vectors = torch.randn(Q, K, D).requires_grad_()
    f = qnet.function(written, pooled)
    return Encoded(f, Dense(vectors), pooled, written), [pooled, vectors, *written.values()]


def it_is_not_negative_and_sends_a_gradient(regulariser: str) -> None:
    encoded, leaves = make_encoded()
    value = REGULARISERS.build({"type": regulariser, "weight": 1.0})(encoded, 1)
    assert value.shape == (), value.shape
    assert value > 0, value
    value.backward()  # type: ignore[no-untyped-call]
    gradients = [leaf.grad for leaf in leaves if leaf.grad is not None]
    assert all(torch.isfinite(g).all() for g in gradients)
    assert any((g != 0).any() for g in gradients)


def its_weight_multiplies_and_warms_up(regulariser: str) -> None:
    encoded, _ = make_encoded()
    whole = REGULARISERS.build({"type": regulariser, "weight": 1.0})(encoded, 0)
    slow = REGULARISERS.build({"type": regulariser, "weight": 3.0, "warmup_steps": 10})
    for step, expected in ((0, 0.0), (5, 0.75), (10, 3.0), (99, 3.0)):
        assert_close(slow(encoded, step), expected * whole)


# Laws of negatives.


def make_examples() -> list[Example]:
    """Examples with several positives, some of them in their own lists and at the top of every search."""
    items = [str(i) for i in range(N)]
    positives = [frozenset({"0"}), frozenset({"3", "4", "5"})]
    lists = [items[:12], ["3", *items[4:18]]]
    return [
        Example(f"word{q} word", tuple(own), (9.0, *(float(i) / 3 for i in range(1, len(own)))), relevant)
        for q, (own, relevant) in enumerate(zip(lists, positives, strict=True))
    ]


def make_negatives(negatives: Any) -> Negatives:
    """A source over N documents that was refreshed once; one that wraps another wraps listed ones."""
    member = NEGATIVES[negatives] if isinstance(negatives, str) else NEGATIVES[negatives.type]
    if isinstance(negatives, str) and "of" in member.Config.model_fields:  # type: ignore[attr-defined]
        negatives = {"type": negatives, "of": "listed", "below": 4.0}
    pool = Pool(
        [str(i) for i in range(N)],
        [example.query for example in make_examples()],
        text=lambda id_: {"id": id_, "text": f"word{int(id_) % 2} word {id_}"},
        score=lambda query, ids: [float(id_) / 3 for id_ in ids],
    )
    made = NEGATIVES.build(negatives, pool=pool)
    made.refresh(lambda queries, k: [[str(i) for i in range(min(k, N))] for _ in queries], 0)
    return made


def a_positive_is_never_a_negative(negatives: str) -> None:
    source, generator = make_negatives(negatives), np.random.default_rng(0)
    for n in (0, 1, 4, N):
        for example, found in zip(make_examples(), source.sample(make_examples(), n, generator), strict=True):
            assert not example.positives & set(found), found
            assert len(found) == len(set(found)) <= n, found
            assert set(found) <= {str(i) for i in range(N)}, found


def there_are_as_many_as_wanted(negatives: str) -> None:
    for found in make_negatives(negatives).sample(make_examples(), 4, np.random.default_rng(0)):
        assert len(found) == 4, found


def equal_generators_give_equal_negatives(negatives: str) -> None:
    examples = make_examples()
    one, two = (make_negatives(negatives).sample(examples, 4, np.random.default_rng(7)) for _ in range(2))
    assert one == two


# Laws of augmentations.


TEXTS = ("", "  ", "a", "the quick brown fox jumps over the lazy dog", "two words", "Ω 3.14 -- ?")


def equal_generators_give_equal_texts(augmentation: str) -> None:
    one, two = (AUGMENTATIONS.build(augmentation) for _ in range(2))
    for text in TEXTS:
        assert one(text, Random(7)) == two(text, Random(7))


def a_text_keeps_words_and_an_empty_one_stays_empty(augmentation: str) -> None:
    change = AUGMENTATIONS.build(augmentation)
    for text in TEXTS:
        for seed in range(20):
            found = change(text, Random(seed))
            assert bool(found.split()) == bool(text.split()), (text, found)


def it_changes_something(augmentation: str) -> None:
    change = AUGMENTATIONS.build(augmentation)
    assert len({change(TEXTS[3], Random(seed)) for seed in range(50)}) > 5


# Laws of batches.


def an_epoch_has_each_example_at_most_once(batches: str) -> None:
    for examples, size in ((N, 4), (N, 1), (3, 4), (4, 4)):
        order = BATCHES.build(batches, examples=examples, vectors=lambda n=examples: torch.randn(n, D))
        numbers = order(size, np.random.default_rng(0))
        assert numbers.shape == (examples // size, size), numbers.shape
        assert len(np.unique(numbers)) == numbers.size, numbers
        assert set(numbers.flatten().tolist()) <= set(range(examples)), numbers


def all_examples_come_in_some_epoch_in_an_order_of_the_generator(batches: str) -> None:
    vectors = torch.randn(N, D)
    order = BATCHES.build(batches, examples=N, vectors=lambda: vectors)
    epochs = [order(4, np.random.default_rng(epoch)) for epoch in range(40)]
    assert np.array_equal(epochs[0], order(4, np.random.default_rng(0)))
    assert not np.array_equal(epochs[0], epochs[1])
    assert set(np.concatenate(epochs).flatten().tolist()) == set(range(N))


TRAINING: dict[str, tuple[Table[Any], tuple[Check, ...]]] = {
    "augmentations": (
        AUGMENTATIONS,
        (
            equal_generators_give_equal_texts,
            a_text_keeps_words_and_an_empty_one_stays_empty,
            it_changes_something,
        ),
    ),
    "batches": (
        BATCHES,
        (an_epoch_has_each_example_at_most_once, all_examples_come_in_some_epoch_in_an_order_of_the_generator),
    ),
    "losses": (LOSSES, LOSS_LAWS),
    "negatives": (
        NEGATIVES,
        (a_positive_is_never_a_negative, there_are_as_many_as_wanted, equal_generators_give_equal_negatives),
    ),
    "regularisers": (REGULARISERS, (it_is_not_negative_and_sends_a_gradient, its_weight_multiplies_and_warms_up)),
}
