"""Searches over graphs as they are defined, in plain Python, and the worlds in which they are compared with ours."""

from dataclasses import dataclass

import torch
from torch.nn import functional

from hyperir.core.docs import Dense
from hyperir.relevance.qnets import QNETS

N, D, Q = 2000, 24, 7


@dataclass(frozen=True)
class Numbers:
    """Documents that are nothing but their row."""

    rows: torch.Tensor

    @property
    def shape(self):
        return self.rows.shape

    def __getitem__(self, rows):
        return Numbers(self.rows[rows])


@dataclass(frozen=True)
class Written:
    """A function whose scores are written down, (Q, N): the same bits however it is called. Counts what it scores."""

    scores: torch.Tensor
    calls: list

    @property
    def num_queries(self):
        return len(self.scores)

    def __getitem__(self, queries):
        return Written(self.scores[queries], self.calls)

    def __call__(self, docs):
        rows = docs.rows if docs.rows.dim() == 2 else docs.rows.expand(len(self.scores), -1)
        self.calls.append(rows.numel())
        return self.scores.gather(1, rows)


def numbers(n):
    return Numbers(torch.arange(n))


def written(queries, n, seed=0, values=50):
    """Whole numbers, so that many scores tie."""
    generator = torch.Generator().manual_seed(seed)
    return Written(torch.randint(values, (queries, n), generator=generator).float(), [])


def random_lists(n, degree, seed=0):
    """Some lists are shorter than others, some name a document twice or the document itself."""
    generator = torch.Generator().manual_seed(seed)
    lists = torch.randint(n, (n, degree), generator=generator, dtype=torch.int32)
    ends = torch.randint(1, degree + 1, (n, 1), generator=generator)
    return lists.masked_fill(torch.arange(degree) >= ends, -1)


def grouped_docs():
    """Documents in 30 groups, as texts about 30 subjects would be."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(30, D, generator=generator)
    noise = 0.6 * torch.randn(N, D, generator=generator)
    return Dense(functional.normalize(centres[torch.arange(N) % 30] + noise, dim=-1))


def random_qnets(queries=Q, seed=1):
    """Q-nets of random weights, without a linear part."""
    generator = torch.Generator().manual_seed(seed)
    net = QNETS.build({"type": "mlp", "hidden": (32, 32)}, width=D)
    slots = net.slots().items()
    weights = {n: torch.randn(queries, *s.shape, generator=generator) / s.shape[-1] ** 0.5 for n, s in slots}
    with torch.no_grad():
        return net.function(weights, None)


def recall(hits, f, docs, k=10):
    truth = f(docs).topk(k, dim=1).indices
    both = [len(set(a) & set(b)) for a, b in zip(hits.rows[:, :k].tolist(), truth.tolist(), strict=True)]
    return sum(both) / truth.numel()


def slow_walk(scores, expand, starts, k, *, ef, beam, rounds=None, allowed=None):
    """Best-first search for one query. Returns the answers and how many documents were scored."""
    ef = max(ef, k)

    def order(row):
        return -scores[row], row

    known, waiting, done = set(starts), sorted(starts, key=order)[:ef], 0
    while True:
        answers = sorted((row for row in known if allowed is None or allowed[row]), key=order)[:ef]
        picked = [row for row in waiting if len(answers) < ef or order(row) <= order(answers[-1])][:beam]
        if not picked or done == rounds:
            return answers[:k], len(known)
        new = {y for x in picked for y in expand(x)} - known - {-1}
        known |= new
        waiting = sorted((set(waiting) - set(picked)) | new, key=order)[:ef]
        done += 1


def slow_fixed_rounds(scores, lists, starts, k, *, candidates, iterations, early_stop, paper):
    """The paper's pseudo-code for one query. Returns the answers and how many documents were scored."""

    def order(row):
        return -scores[row], row

    visited, top, frontier = set(starts), [], set(starts)
    for _ in range(iterations):
        ranked = sorted(frontier, key=order)
        if not ranked:
            break
        if paper and early_stop and len(top) == k and scores[ranked[0]] < scores[top[-1]]:
            break
        before = top
        top = sorted(top + ranked[: candidates if paper else max(candidates, k)], key=order)[:k]
        if not paper and early_stop and top == before:
            break
        scored = len(visited)
        frontier = {y for x in ranked[:candidates] for y in lists[x] if y >= 0} - visited
        visited |= frontier
    else:
        return top, scored  # what the last iteration found is not scored any more
    return top, len(visited)
