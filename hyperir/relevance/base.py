"""The linear part of a function: the pooled query, plus what a head writes where there is one."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
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
    """(Q, D); a head that writes fewer numbers moves the first of them."""
    if head is None:
        return states.pooled
    change = head(states.tokens, states.mask)[BASE]
    return states.pooled + F.pad(change, (0, states.pooled.shape[-1] - change.shape[-1]))
