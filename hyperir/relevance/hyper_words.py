"""The Hypencoder over words: the query writes a network with a hidden unit for each of its tokens.

Documents' vectors hold cells in which their tokens are counted (`hyperir.encode.words`, after the count-min sketch of
Cormode and Muthukrishnan, 2005). Unit t reads the smallest of its token's R cells c_t1 ... c_tR, which is its count but
where other tokens share all of them. With a_t = min_r d[c_tr] the function is

    f(d) = <b, d> + sum_t v_t a_t + sum_k o_k ReLU(n - k),   n = sum_t g_t min(1, 1.5 u_t a_t),   k = 1 ... K.

The first sum is about BM25's score, to which b, the query's vector, adds what words do not say. n is how many of the
query's words are there, 0 <= g_t <= 1 saying which are meant, and the second sum is a hidden layer over that, for
conditions such as "A or B, but not both" (o_1 < 0). v_t, g_t and o_k are written from the query's token states. No
inner product is such a function, for it cannot take the smallest of several numbers: over the same documents the best
that it can do is `read: mean`, without a hidden layer. But that is never below the first two terms, and a line through
the origin never below the third, so that exhaustive search asks an inner product for all documents and f for the few
that this cannot rule out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import BeforeValidator, Field, SerializeAsAny, model_validator
from torch import Tensor, nn

from hyperir.core.config import Config
from hyperir.core.docs import Cells, Dense, States
from hyperir.core.errors import InputError
from hyperir.hypernet import HEADS
from hyperir.hypernet.context import Context
from hyperir.relevance.base import base_head, based
from hyperir.relevance.vectors import inner

__all__ = ["HyperWords", "WordsFunction"]

PRESENT = 1.5  # counts saturate from about .7, a token once in a long text, to 2.2: above 2 / 3 a token is there
UNITS = 64  # features of a token, from which its weight is written
MEANT = 2.0  # at the start every word is meant, and the gate can still move: sigmoid(2) is .88


class HyperWordsConfig(Config):
    """Configuration of the Hypencoder over words.

    Args:
        read: what a unit makes of its cells: "min", or "mean", which is an inner product and overrates by what other
            tokens have left there; to compare with.
        weigh: tokens' weights are multiplied by 1 + u, 0 at the start, so that they may turn against a token that is
            not wanted. True: u is written from the token's state; "context": from all of the query's, by a layer of
            self-attention, which learns what stands before a word and after it. False: weights stay.
        hidden: K, units of the hidden layer over how many of the query's words are there; 0 for none. Needs `weigh`.
        linear: the query's vector: True for the pooled states; "written" with what `head` adds to the transformer's own
            numbers, zero at the start. What stands behind these is words, which have their weights.
        head: what writes that, a member of `HEADS`.
    """

    type: Literal["hyper_words"] = "hyper_words"
    read: Literal["min", "mean"] = "min"
    weigh: Literal[True, False, "context"] = True
    hidden: int = Field(default=0, ge=0)
    linear: Literal[True, "written"] = True
    head: Annotated[SerializeAsAny[Config], BeforeValidator(HEADS.parse)] = HEADS.parse("pooled")

    @model_validator(mode="after")
    def _read(self) -> HyperWordsConfig:
        if self.hidden and not self.weigh:
            raise ValueError("`hidden` needs `weigh`: what reads the tokens writes both; say weigh: context")
        return self


class HyperWords(nn.Module):
    """Query states with cells -> the functions of Q queries.

    Args:
        config: see :class:`HyperWordsConfig`.
        width: D, the width of the documents' vectors.
        state_width: H, the width of the query's token states, and of the vectors before their cells.
    """

    Config = HyperWordsConfig

    def __init__(self, config: HyperWordsConfig, *, width: int, state_width: int) -> None:
        super().__init__()
        self.config = config
        self.context = Context(state_width, UNITS) if config.weigh == "context" else None
        self.weigh: nn.Sequential | None = None
        if config.weigh:
            read = nn.Linear(state_width if self.context is None else UNITS, UNITS)
            self.weigh = nn.Sequential(read, nn.GELU(), _silent(1))
        if config.hidden:
            self.gate, self.output = _silent(1, MEANT), _silent(config.hidden)
        written = config.linear == "written"
        self.linear_head = base_head(config.head, min(width, state_width), state_width) if written else None

    def forward(self, states: States) -> WordsFunction:
        cells = _cells(states)
        weights, layer = cells.weights, None
        if self.weigh is not None:
            tokens = states.tokens if self.context is None else self.context(states.tokens, states.mask)
            features = self.weigh[:-1](tokens)
            weights = weights * (1 + self.weigh[-1](features)[..., 0])
            if self.config.hidden:
                layer = self._layer(features, states.mask, cells)
        return WordsFunction(self.config.read, based(states, self.linear_head), cells.places, weights, layer)

    def _layer(self, features: Tensor, mask: Tensor, cells: Cells) -> Layer:
        """The hidden layer; its outputs are in units of what a word of the query adds, so that they learn as u does."""
        real = mask[..., None].to(features.dtype)
        mean = (features * real).sum(1) / real.sum(1).clamp(min=1)
        counted = cells.units > 0
        word = cells.weights.sum(1, keepdim=True) / counted.sum(1, keepdim=True).clamp(min=1)
        return Layer(cells.units, self.gate(features)[..., 0].sigmoid() * counted, self.output(mean) * word)


def _silent(size: int, bias: float = 0.0) -> nn.Linear:
    """A linear map of the features that begins as a constant."""
    made = nn.Linear(UNITS, size)
    nn.init.zeros_(made.weight)
    nn.init.constant_(made.bias, bias)
    return made


def _cells(states: States) -> Cells:
    if states.cells is None:
        raise InputError(
            "this relevance function reads cells in which documents' tokens are counted, and the encoder makes none",
            fix="`hyperir.encode.hybrid.with_words` puts them beside the vectors of any bi-encoder",
        )
    return states.cells


@dataclass(frozen=True)
class Layer:
    """The hidden layer over how many of the query's words are there.

    Args:
        units: (Q, T), see :class:`~hyperir.core.docs.Cells`.
        gates: (Q, T), from 0 to 1: which tokens are meant; 0 for those that are not counted.
        output: (Q, K).
    """

    units: Tensor
    gates: Tensor
    output: Tensor

    def __getitem__(self, queries: slice) -> Layer:
        return Layer(self.units[queries], self.gates[queries], self.output[queries])

    def at(self, query: int, tokens: Tensor) -> Layer:
        """For one query and some of its tokens."""
        return Layer(self.units[query, tokens][None], self.gates[query, tokens][None], self.output[query][None])

    @property
    def slopes(self) -> Tensor:
        """(Q, T), of n by the counts, where they do not saturate."""
        return PRESENT * self.units * self.gates

    def hidden(self, counts: Tensor) -> Tensor:
        """(Q, N, T) counts -> (Q, N, K), before ReLU."""
        there = (PRESENT * self.units[:, None] * counts).clamp(max=1)
        return torch.einsum("qnt,qt->qn", there, self.gates)[..., None] - self._steps

    def __call__(self, counts: Tensor) -> Tensor:
        """(Q, N, T) -> (Q, N)."""
        return torch.einsum("qnk,qk->qn", F.relu(self.hidden(counts)), self.output)

    def gradient(self, counts: Tensor) -> Tensor:
        """Of the score by the counts: (Q, N, T) -> (Q, N, T)."""
        back = torch.einsum("qnk,qk->qn", (self.hidden(counts) > 0).to(counts.dtype), self.output)
        return back[..., None] * (self.slopes[:, None] * (PRESENT * self.units[:, None] * counts < 1))

    @property
    def bound(self) -> Tensor:
        """(Q, T): what is added for each count in an inner product that is never below the layer.

        Of a unit that adds, ReLU(n - k) <= n (N - k)+ / N up to the largest n, N = sum_t g_t; one that subtracts adds
        nothing.
        """
        most = self.gates.sum(1, keepdim=True)
        share = (self.output.clamp(min=0) * F.relu(most - self._steps)).sum(1, keepdim=True) / most.clamp(min=1e-6)
        return share * self.slopes

    @property
    def _steps(self) -> Tensor:
        return torch.arange(1, self.output.shape[1] + 1, device=self.output.device, dtype=self.output.dtype)


@dataclass(frozen=True)
class WordsFunction:
    """f_q for Q queries, over documents whose vectors count tokens in cells.

    Args:
        read: "min" or "mean" of a token's cells.
        base: (Q, D), of the linear part.
        places: (Q, T, R) int64, the tokens' cells.
        token_weights: (Q, T), 0 where a query has no more tokens; not `weights`, which is the capability Linear.
        layer: over how many of the words are there, or None.
    """

    read: Literal["min", "mean"]
    base: Tensor
    places: Tensor
    token_weights: Tensor
    layer: Layer | None

    @property
    def num_queries(self) -> int:
        return self.base.shape[0]

    def __getitem__(self, queries: slice) -> WordsFunction:
        layer = None if self.layer is None else self.layer[queries]
        return WordsFunction(self.read, self.base[queries], self.places[queries], self.token_weights[queries], layer)

    def __call__(self, docs: Dense) -> Tensor:
        """(N,) -> (Q, N); (Q, K) -> (Q, K)."""
        first, *rest = self.parts(docs).values()
        return sum(rest, first)

    def parts(self, docs: Dense) -> dict[str, Tensor]:
        """The capability `Additive`: the linear part, the words, and the hidden layer where there is one."""
        vectors = docs.vectors.to(self.base.dtype)
        found = {"inner product": inner(self.base, vectors)}
        learning = torch.is_grad_enabled() and (self.token_weights.requires_grad or vectors.requires_grad)
        if not learning and vectors.dim() == 2:
            return found | self._looped(vectors)
        counts = self._counts(vectors)
        found["words"] = torch.einsum("qnt,qt->qn", counts, self.token_weights)
        return found if self.layer is None else found | {"conditions": self.layer(counts)}

    @property
    def bound(self) -> Tensor:
        """(Q, D), the capability `Bounded`: the mean of a token's cells for the smallest; cells are never below 0."""
        added = self.token_weights if self.layer is None else self.token_weights + self.layer.bound
        shares = added.clamp(min=0)[..., None].expand(self.places.shape) / self.places.shape[-1]
        return self.base.scatter_add(1, self.places.flatten(1), shares.flatten(1))

    def gradient(self, docs: Dense) -> Tensor:
        """df_q/dd at every document, in closed form: (N,) -> (Q, N, D); (Q, K) -> (Q, K, D)."""
        with torch.no_grad():
            vectors = docs.vectors.to(self.base.dtype)
            cells = self._gathered(vectors)
            counts = self._of_cells(cells)
            g = self.token_weights[:, None].expand_as(counts)
            if self.layer is not None:
                g = g + self.layer.gradient(counts)
            places = self.places[:, None].expand_as(cells)
            if self.read == "min":
                places, g = places.gather(-1, cells.argmin(-1, keepdim=True)), g[..., None]
            else:
                g = (g[..., None] / cells.shape[-1]).expand_as(cells)
            made = self.base[:, None].repeat(1, vectors.shape[-2], 1)
            return made.scatter_add_(-1, places.flatten(2), g.flatten(2))

    def _looped(self, vectors: Tensor) -> dict[str, Tensor]:
        """What words add, without gradients, query by query: the cells of a block of documents stay in cache."""
        names = ("words",) if self.layer is None else ("words", "conditions")
        scores = {name: vectors.new_zeros(self.num_queries, len(vectors)) for name in names}
        real = self.token_weights != 0
        if self.layer is not None:
            real = real | (self.layer.gates > 0)
        columns = vectors.T.contiguous() if self.num_queries > 4 else vectors.T
        for q in range(self.num_queries):
            places = self.places[q][real[q]]  # (T, R)
            if len(places):
                cells = columns.index_select(0, places.flatten()).reshape(*places.shape, len(vectors))
                counts = cells.amin(1) if self.read == "min" else cells.mean(1)
                scores["words"][q] = self.token_weights[q][real[q]] @ counts
                if self.layer is not None:
                    scores["conditions"][q] = self.layer.at(q, real[q])(counts.T[None])[0]
        return scores

    def _counts(self, vectors: Tensor) -> Tensor:
        """(N, D) or (Q, K, D) -> (Q, N or K, T)."""
        return self._of_cells(self._gathered(vectors))

    def _of_cells(self, cells: Tensor) -> Tensor:
        return cells.amin(-1) if self.read == "min" else cells.mean(-1)

    def _gathered(self, vectors: Tensor) -> Tensor:
        """(Q, N or K, T, R): the cells of every token."""
        (queries, tokens, rows), n = self.places.shape, vectors.shape[-2]
        flat = self.places.reshape(queries, tokens * rows)
        if vectors.dim() == 3:
            found = vectors.gather(-1, flat[:, None].expand(-1, n, -1))
        else:
            found = vectors[:, flat.flatten()].reshape(n, queries, tokens * rows).transpose(0, 1)
        return found.reshape(queries, n, tokens, rows)
