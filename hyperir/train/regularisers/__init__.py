"""Regularisers: what is asked of a model beside the ranking. One file each.

A member is made from its configuration, which has a `weight` and `warmup_steps`, and is called with
:class:`hyperir.train.regularisers.encoded.Encoded` and the number of the step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from hyperir.core.registry import Table

if TYPE_CHECKING:
    from torch import Tensor

    from hyperir.train.regularisers.encoded import Encoded

__all__ = ["REGULARISERS", "Regulariser"]


class Regulariser(Protocol):
    """What every regulariser offers."""

    def __call__(self, encoded: Encoded, step: int) -> Tensor: ...  # a scalar, its weight at this step included


REGULARISERS: Table[Regulariser] = Table(
    "regularisers",
    {
        "flops": "hyperir.train.regularisers.flops:Flops",
        "l1": "hyperir.train.regularisers.l1:L1",
        "written_decay": "hyperir.train.regularisers.written_decay:WrittenDecay",
        "flatness": "hyperir.train.regularisers.flatness:Flatness",
    },
)
