"""MaxSim over every document against the bare matrix product, and how the largest of a document's tokens is found.

    python benchmarks/multi.py [documents]

Documents of 20 to 180 vectors, 128 wide; queries of 32. All of one thread, alternating, the best of five. The product
is that of the queries' vectors with all documents', in blocks as large as the search uses, and nothing is done with it.
"""

import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from hyperir.core.docs import Dense, Multi
from hyperir.core.ragged import offsets_of
from hyperir.index.strategies import STRATEGIES
from hyperir.relevance.dot import InnerProduct
from hyperir.relevance.tokens import CELLS, TokenFunction

WIDTH, TOKENS = 128, 32


def alternating(works: dict[str, Callable[[], object]], rounds: int = 5) -> dict[str, float]:
    """The best seconds of each."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for round_ in range(rounds + 1):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if round_:
                times[name].append(time.perf_counter() - start)
    return {name: min(each) for name, each in times.items()}


def main(documents: int) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    lengths = torch.randint(20, 181, (documents,))
    docs = Multi(offsets_of(lengths), torch.nn.functional.normalize(torch.randn(int(lengths.sum()), WIDTH), dim=-1))
    exact = STRATEGIES.build("exact", docs=docs)
    print(f"{documents:,} documents, {len(docs.vectors):,} vectors")
    for queries in (1, 8, 64):
        each = InnerProduct(torch.nn.functional.normalize(torch.randn(queries * TOKENS, WIDTH), dim=-1))
        f = TokenFunction(each, torch.arange(0, queries * TOKENS + 1, TOKENS))
        blocks = torch.split(docs.vectors, max(CELLS // (queries * TOKENS), 1))

        def product(each: InnerProduct = each, blocks: tuple[torch.Tensor, ...] = blocks) -> None:
            for block in blocks:
                each(Dense(block))

        def search(f: TokenFunction = f) -> None:
            exact.search(f, 10)

        seconds = alternating({"product": product, "search": search})
        share = seconds["product"] / seconds["search"]
        print(f"{queries:3} queries: exact search at {share:.0%} of the rate of the product")
    scores = torch.randn(TOKENS, int(docs[:2000].indptr[-1]))
    indptr = docs[:2000].indptr
    turned, owners = scores.T.contiguous(), torch.arange(len(indptr) - 1).repeat_interleave(indptr.diff())
    ways = alternating(
        {
            "numpy reduceat": lambda: np.maximum.reduceat(scores.numpy(), indptr[:-1].numpy(), axis=1),
            "scatter_reduce": lambda: torch.full((TOKENS, len(indptr) - 1), -torch.inf).scatter_reduce(
                1, owners.expand(TOKENS, -1), scores, "amax"
            ),
            "segment_reduce": lambda: torch.segment_reduce(turned, "max", lengths=indptr.diff(), axis=0),
        }
    )
    fastest = min(ways.values())
    for name, spent in ways.items():
        print(f"the largest by {name}: {spent / fastest:.1f} times the fastest")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000)
