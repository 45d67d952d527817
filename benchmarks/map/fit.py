"""One student: a relevance function over a world's frozen vectors, trained, measured."""

import math
import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy, normalize

from benchmarks.map.forms import scale_of
from benchmarks.map.world import ranks_of
from hyperir.core.docs import Cells, Dense, Multi, States
from hyperir.core.ragged import maxima
from hyperir.relevance import RELEVANCE

QUERIES, RANDOM, POOL = 32, 96, 30  # a step's questions; random negatives; hard ones are drawn of so many best
MAPPED = ("narrow", "query", "attend")  # names of what has the maps' learning rate
TOKENS = 10  # of a question, about: MaxSim adds up so many cosines


@dataclass(frozen=True)
class Task:
    """How a student learns.

    Args:
        loss: "labels", the cross-entropy of one relevant document; "kl" or "margin" of the teacher's scores.
        teacher: (questions of the training, N) scores; they also choose the hard negatives.
        temperature: of the teacher under "kl", and of the start under "labels" and "kl".
        steps: of 32 questions.
        hard: negatives of each question that the teacher likes.
    """

    loss: str
    teacher: torch.Tensor
    temperature: float = 0.05
    steps: int = 300
    hard: int = 2


class Student(nn.Module):
    """A linear map of the questions' vectors, one of the documents' where narrower ones are wanted, and a function.

    The maps start as the identity, or as the principal components. Every form has them, so that an inner product can
    learn as well. Of documents of several vectors they are of tokens, and what they make has length 1, as ColBERT's;
    a function of one vector gets an attention pool of them, by a learned vector that starts at zero, so as their mean.
    Where every document has as many, (N, K, C), a function of one vector scores each, and the best is the document's.
    """

    def __init__(self, world, relevance, width):
        super().__init__()
        self.counts, several = relevance["type"] == "hyper_words", isinstance(world.docs, Multi)
        self.several = several and relevance["type"] in ("maxsim", "hyper_multi")
        whole = world.docs.width if several else self.vectors(world).shape[-1]
        self.attend = nn.Parameter(torch.zeros(whole)) if several and not self.several else None
        self.narrow = nn.Linear(whole, width, bias=False) if width < whole else None
        self.query = nn.Linear(whole, width, bias=False)
        with torch.no_grad():
            if self.narrow is None:
                nn.init.eye_(self.query.weight)
            else:
                sample = world.docs.vectors[::100].float() if several else world.docs[world.usable].flatten(0, -2)
                best = torch.linalg.svd(sample[:4000], full_matrices=False).Vh[:width]
                self.narrow.weight.copy_(best)
                self.query.weight.copy_(best)
        self.relevance = RELEVANCE.build(relevance, width=width, state_width=world.states.tokens.shape[-1])
        scale = scale_of(relevance) / (TOKENS if self.several else 1)
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))

    def vectors(self, world):
        """(N, C) or (N, K, C): functions over words read them in cells, others in signs."""
        return world.counted.docs if self.counts else world.docs

    def functions(self, world, numbers):
        """The functions of some questions."""
        width = int(world.states.mask[numbers].sum(1).max())
        tokens, mask = world.states.tokens[numbers][:, :width].float(), world.states.mask[numbers][:, :width]
        if self.several:
            own = normalize(self.query(tokens), dim=-1)
            return self.relevance(States(tokens, mask, own.mean(1), own))
        if not self.counts:
            return self.relevance(States(tokens, mask, self.query(world.states.pooled[numbers])))
        own = world.counted.cells
        cells = Cells(own.places[numbers][:, :width], own.weights[numbers][:, :width], own.units[numbers][:, :width])
        return self.relevance(States(tokens, mask, self.query(world.counted.pooled[numbers]), cells=cells))

    def documents(self, vectors):
        if self.several:
            wide = vectors.vectors.float()
            return Multi(vectors.indptr, normalize(wide if self.narrow is None else self.narrow(wide), dim=-1))
        if self.attend is not None:
            vectors = pooled(vectors, self.attend)
        vectors = vectors.flatten(0, -2)
        return Dense(vectors if self.narrow is None else self.narrow(vectors))

    def scores(self, world, numbers, docs):
        """(questions, N), of what `documents` made."""
        found = self.functions(world, numbers)(docs)
        if isinstance(world.docs, Multi) or world.docs.ndim == 2:
            return found
        return found.unflatten(1, (-1, world.docs.shape[1])).amax(2)


def pooled(docs, attend):
    """(N, C) unit vectors: of every document's x_j the mean weighted by softmax_j(<attend, x_j>)."""
    tokens, owners = docs.vectors.float(), torch.arange(len(docs)).repeat_interleave(docs.lengths)
    logits = tokens @ attend
    weights = (logits - maxima(logits.detach()[None], docs.indptr)[0][owners]).exp()
    return normalize(tokens.new_zeros(len(docs), docs.width).index_add(0, owners, weights[:, None] * tokens), dim=-1)


def fit(world, task, relevance, width, rates, seed, tests=True):
    """Train a student and measure it.

    Args:
        relevance: a configuration of a member of `RELEVANCE`.
        width: D of the documents' vectors.
        rates: learning rates, of the linear maps and of everything else.
        tests: measured as well; while rates are chosen nobody looks at them.

    Returns:
        {"valid": mean, "tests": {name: values of its questions}, "seconds": of training}
    """
    torch.manual_seed(seed)
    draw = np.random.default_rng(seed)
    student = Student(world, relevance, width)
    maps = [p for name, p in student.named_parameters() if name.startswith(MAPPED)]
    rest = [p for name, p in student.named_parameters() if not name.startswith(MAPPED)]
    groups = [{"params": params, "lr": rate} for params, rate in zip((maps, rest), rates, strict=True)]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    warmup = task.steps // 10
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warmup, (task.steps - step) / (task.steps - warmup))
    )
    usable = world.usable.nonzero()[:, 0].numpy()
    order = _forever(draw, len(world.train))
    start = time.perf_counter()
    for _ in range(task.steps):
        batch = [next(order) for _ in range(QUERIES)]
        loss = _loss(student, world, task, batch, usable, draw)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    seconds = time.perf_counter() - start
    found = {"valid": float(np.mean(measure(student, world, world.valid))), "seconds": round(seconds, 1)}
    if tests:
        found["tests"] = {name: measure(student, world, numbers) for name, numbers in world.tests.items()}
    return found


def _loss(student, world, task, batch, usable, draw):
    numbers = world.train[batch]
    positives = np.array([draw.choice(world.relevant[n]) for n in numbers])
    hard = np.concatenate([draw.choice(rows, task.hard, replace=False) for rows in _best(task, world)[numbers]])
    rows = np.concatenate([positives, hard, draw.choice(usable, RANDOM, replace=False)])
    docs = student.documents(student.vectors(world)[torch.from_numpy(rows)])
    scores = student.scores(world, numbers, docs) * student.log_scale.exp()
    own = torch.arange(len(batch))
    if task.loss == "labels":
        also = torch.from_numpy(np.stack([np.isin(rows, world.relevant[n]) for n in numbers]))
        also[own, own] = False
        return cross_entropy(scores.masked_fill(also, -torch.inf), own)
    teacher = task.teacher[numbers][:, rows]
    if task.loss == "kl":
        return cross_entropy(scores, (teacher / task.temperature).softmax(1))
    margins = (scores[own, own][:, None] - scores) - (teacher[own, own][:, None] - teacher) / task.temperature
    return margins.square().mean()


_POOLS = {}


def _best(task, world):
    """(questions, 30) rows that the teacher likes best among those that training may use."""
    if id(task) not in _POOLS:
        _POOLS.clear()
        scores = task.teacher.masked_fill(~world.usable, -torch.inf)
        _POOLS[id(task)] = scores.topk(POOL, dim=1).indices.numpy()
    return _POOLS[id(task)]


def _forever(draw, count):
    while True:
        yield from draw.permutation(count).tolist()


@torch.no_grad()
def measure(student, world, numbers, block=64):
    """The measure of every question, among all documents."""
    docs = student.documents(student.vectors(world))
    values = []
    for start in range(0, len(numbers), block):
        part = numbers[start : start + block]
        scores = student.scores(world, part, docs)
        values += ranks_of(scores, [world.relevant[n] for n in part], world.measure)
    return values


def untrained(world, relevance, width):
    """A function as it comes, at this width (principal components)."""
    student = Student(world, relevance, width)
    return {name: measure(student, world, numbers) for name, numbers in world.tests.items()}


def with_docs(world, docs, pooled):
    """The same world with other vectors of the documents, and of the questions' linear parts."""
    return replace(world, docs=docs, states=replace(world.states, pooled=pooled))
