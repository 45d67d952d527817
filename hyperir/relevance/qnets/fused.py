"""A linear map with its activation in one pass, for scoring on a CPU.

PyTorch's own CPU build carries oneDNN, which computes act(x W^T + b) in one kernel: 1.2 to 1.5 times as fast as a
product followed by an activation for layers 64 wide, where one query's network meets a block of documents
(`benchmarks/scoring.py`). PyTorch offers it to its compiler only, under a private name, so it is tried out before use.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["ACTIVATIONS", "linear"]

# In place where the derivative needs only the result: one fewer array of the hidden width a layer.
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": partial(F.relu, inplace=True),
    "leaky_relu": partial(F.leaky_relu, inplace=True),
    "gelu": F.gelu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}
# oneDNN's name, numbers and variant of each.
FUSED: dict[str, tuple[str, list[float], str]] = {
    "relu": ("relu", [], ""),
    "leaky_relu": ("leaky_relu", [0.01], ""),
    "gelu": ("gelu", [], "none"),
    "tanh": ("tanh", [], ""),
    "sigmoid": ("sigmoid", [], ""),
}


def linear(x: Tensor, weight: Tensor, bias: Tensor, activation: str) -> Tensor:
    """activation(x W^T + b), without gradients where they are not asked for.

    Args:
        x: (N, in).
        weight: (out, in).
        bias: (out,).
        activation: a name in `ACTIVATIONS`.

    Returns:
        (N, out).
    """
    kernel = _kernel(x.dtype) if x.device.type == "cpu" else None
    learning = torch.is_grad_enabled() and any(t.requires_grad for t in (x, weight, bias))
    if kernel is None or learning:
        return ACTIVATIONS[activation](F.linear(x, weight, bias))
    fused: Tensor = kernel(x, weight, bias, *FUSED[activation])
    return fused


@cache
def _kernel(dtype: torch.dtype) -> Callable[..., Any] | None:
    """The kernel, where this PyTorch has it for the type and it computes what we think it does."""
    there = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if not there or dtype not in (torch.float32, torch.bfloat16):
        return None
    x, weight, bias = torch.eye(3, 4, dtype=dtype), torch.eye(2, 4, dtype=dtype) - 0.5, torch.ones(2, dtype=dtype)
    try:
        kernel: Callable[..., Any] = torch.ops.mkldnn._linear_pointwise.default
        with torch.no_grad():
            for name, arguments in FUSED.items():
                torch.testing.assert_close(
                    kernel(x, weight, bias, *arguments), ACTIVATIONS[name](F.linear(x, weight, bias))
                )
    except (AttributeError, RuntimeError, TypeError, AssertionError):
        return None
    return kernel
