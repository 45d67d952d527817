"""Perceptron q-nets with hidden layers in bfloat16, for a first pass over all documents on a CPU.

A layer norm costs a sixth of such a pass (LOG.md, 2026-11-23), so it is folded into the layer after it where nothing
else reads its result: with C = I - 11^T / n, W (C a / s) = (W C) a / s, and what is left to do for a document is its
s, the square root of the variance of a. The variance comes from sums of squares, which lose digits where a mean is far
larger than what varies around it: good enough for scores that are computed again, not for those that count.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from hyperir.core.docs import Dense
from hyperir.relevance.qnets.fused import linear
from hyperir.relevance.vectors import inner

if TYPE_CHECKING:
    from hyperir.relevance.qnets.mlp import MLP, MLPFunction

__all__ = ["CoarseMLPFunction", "coarse"]

EPS = 1e-5  # of torch's layer norm


def coarse(f: MLPFunction, dtype: torch.dtype) -> CoarseMLPFunction:
    """The functions of f with hidden layers in another type; output and linear part stay as they are.

    Scores that are themselves bfloat16 take so few values that ties decide the ranking.
    """
    net, last = f.net, len(f.matrices) - 1
    folded = tuple(
        net.config.layer_norm and not net.has_residual(i) and (i == last or not net.has_residual(i + 1))
        for i in range(last + 1)
    )
    matrices = [_centred(m) if i and folded[i - 1] else m for i, m in enumerate(f.matrices)]
    return CoarseMLPFunction(
        net,
        tuple(m.to(dtype) for m in matrices),
        tuple(b.to(dtype) for b in f.biases),
        _centred(f.output) if folded[last] else f.output,
        f.base,
        folded,
    )


def _centred(weights: Tensor) -> Tensor:
    """sqrt(n) W C, so that `_over_spread` need not take the mean of n squares."""
    return math.sqrt(weights.shape[-1]) * (weights - weights.mean(-1, keepdim=True))


@dataclass(frozen=True)
class CoarseMLPFunction:
    """f_q for Q queries, nearly: what `MLPFunction` computes, for finding the documents that it is worth asking about.

    Args:
        net: how to put the layers together.
        matrices: one (Q, out, in) a hidden layer, in the coarse type; centred after a folded layer norm.
        biases: one (Q, out) a hidden layer, in the coarse type.
        output: (Q, width of the last hidden layer); centred after a folded layer norm.
        base: (Q, D) or None.
        folded: of every hidden layer, whether its layer norm is folded into the next.
    """

    net: MLP
    matrices: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]
    output: Tensor
    base: Tensor | None
    folded: tuple[bool, ...]

    @property
    def num_queries(self) -> int:
        return self.output.shape[0]

    def __getitem__(self, queries: slice) -> CoarseMLPFunction:
        return CoarseMLPFunction(
            self.net,
            tuple(w[queries] for w in self.matrices),
            tuple(b[queries] for b in self.biases),
            self.output[queries],
            None if self.base is None else self.base[queries],
            self.folded,
        )

    def to(self, dtype: torch.dtype) -> CoarseMLPFunction:
        """The same with hidden layers in yet another type."""
        matrices, biases = (tuple(p.to(dtype) for p in layers) for layers in (self.matrices, self.biases))
        return CoarseMLPFunction(self.net, matrices, biases, self.output, self.base, self.folded)

    def __call__(self, docs: Dense) -> Tensor:
        """(N,) -> (Q, N); (Q, K) -> (Q, K)."""
        x = docs.vectors.to(self.matrices[0].dtype)
        scores = torch.empty(self.num_queries, x.shape[-2], dtype=self.output.dtype)
        for q in range(self.num_queries):
            self._score(q, x[q] if x.dim() == 3 else x, scores[q])
        if self.base is not None:
            scores += inner(self.base, docs.vectors.to(self.base.dtype))
        return scores

    def _score(self, q: int, y: Tensor, out: Tensor) -> None:
        """Scores of one query for y (N, D) into out (N,)."""
        net, last = self.net, len(self.matrices) - 1
        for i, (matrix, bias, folded) in enumerate(zip(self.matrices, self.biases, self.folded, strict=True)):
            hidden = linear(y, matrix[q], bias[q], net.config.activation)
            if not folded:
                y = net.after_activation(i, y, hidden, net.input_scale if i == 0 else 1.0)
            elif i < last:
                y = hidden.mul_(_over_spread(hidden.to(out.dtype))[:, None].to(hidden.dtype))
            else:
                y = hidden
        wide = y.to(out.dtype)
        torch.mv(wide, self.output[q], out=out)
        if self.folded[last]:
            out.mul_(_over_spread(wide))


def _over_spread(y: Tensor) -> Tensor:
    """1 / sqrt(n (var + eps)) of every row of (N, n) -> (N,)."""
    n = y.shape[-1]
    total = y.sum(-1)
    length: Tensor = torch.linalg.vector_norm(y, dim=-1)
    # n var = |y|^2 - (sum y)^2 / n, which rounding may make negative where nothing varies
    spread = length.square_().addcmul_(total, total, value=-1 / n).clamp_min_(0)
    return spread.add_(n * EPS).rsqrt_()
