"""The linear part of a function: the pooled query, plus what a head writes where there is one."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from hyperir.core.docs import States
from hyperir.hypernet import Hypernetwork, Slot

__all__ = ["base_head", "based"]

BASE = "base"  # the slot of what is added to the pooled query


def base_head(head: Any, width: int, state_width: int) -> Hypernetwork:
    """What writes a change of the query's vector (D,), zero at the start; `head` is a member of `HEADS`."""
    # A query has length 1: without the scale a step of a usual rate would move it farther than that.
    return Hypernetwork(head, {BASE: Slot(torch.zeros(width), 1 / math.sqrt(width), silent=True)}, state_width)


def based(states: States, head: Hypernetwork | None) -> Tensor:
    """(Q, D)."""
    return states.pooled if head is None else states.pooled + head(states.tokens, states.mask)[BASE]
