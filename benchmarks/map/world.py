"""What the map is measured on: a collection's documents as vectors, its questions as token states, split honestly.

Of the documents that questions belong to, 15 % are new: no training question belongs to one, and training never sees
them as negatives. Questions about them are the test "new". Of the questions about the others 400 are kept from
training: the test "seen". Half as many of both kinds validate.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import normalize

import hyperir
from hyperir.core.docs import Cells, States
from hyperir.core.progress import track
from hyperir.encode.hybrid import with_words as words_beside
from hyperir.encode.texts import document_text

MODEL = "all-MiniLM-L6-v2"
TESTS, VALID = 400, 100  # questions of each kind
BLOCK = 256


@dataclass(frozen=True)
class Counted:
    """The same documents with their words counted in cells, for functions over words.

    Args:
        docs: (N, D) vectors.
        pooled: (Q, D) of the questions.
        cells: of the questions' tokens.
    """

    docs: torch.Tensor
    pooled: torch.Tensor
    cells: Cells


@dataclass(frozen=True)
class World:
    """N documents and Q questions.

    Args:
        docs: (N, C) vectors.
        states: of all questions; token states in float16.
        relevant: of every question, rows of documents.
        kinds: of every question, a name under which its test is told apart; "" for one kind.
        train: numbers of questions.
        valid: numbers of questions.
        tests: name -> numbers of questions.
        usable: (N,) bool, documents that training may use.
        texts: of the documents.
        questions: texts.
        measure: "rr" or "precision", at 10.
        counted: with words, where they are.
    """

    docs: torch.Tensor
    states: States
    relevant: list[np.ndarray]
    kinds: list[str]
    train: np.ndarray
    valid: np.ndarray
    tests: dict[str, np.ndarray]
    usable: torch.Tensor
    texts: list[str]
    questions: list[str]
    measure: str = "rr"
    counted: Counted | None = None


def states_of(model, questions, length=32):
    """States of all questions, cut or padded to one length."""
    tokens = torch.zeros(len(questions), length, model.query.backbone.width, dtype=torch.float16)
    mask = torch.zeros(len(questions), length, dtype=torch.bool)
    pooled = torch.zeros(len(questions), model.width)
    with torch.no_grad():
        for start in track(range(0, len(questions), BLOCK), "Questions", -(-len(questions) // BLOCK), "blocks"):
            found = model.states(questions[start : start + BLOCK])
            rows, width = slice(start, start + BLOCK), min(found.tokens.shape[1], length)
            tokens[rows, :width], mask[rows, :width] = found.tokens[:, :width].half(), found.mask[:, :width]
            pooled[rows] = found.pooled
    return States(tokens, mask, pooled)


def with_words(world, width=640):
    """The world with words beside its vectors: in signs, and, as `counted`, in as many numbers of cells."""
    signs, cells = (words_beside(hyperir.load(MODEL), world.texts, width=width, cells=cells) for cells in (0, 3))
    mask = world.states.mask
    ids = [each[: mask.shape[1]] for each in signs.query.tokenize(world.questions)]
    padded = torch.tensor([each + [0] * (mask.shape[1] - len(each)) for each in ids])
    pooled = world.states.pooled
    with torch.no_grad():
        docs, counted = (torch.cat([world.docs, _sketches(each.document, world.texts)], 1) for each in (signs, cells))
        own = Counted(counted, torch.cat([pooled, torch.zeros(len(pooled), width)], 1), cells.query.cells(padded, mask))
        asked = signs.query.words(padded, mask)
    states = replace(world.states, pooled=torch.cat([pooled, asked], 1))
    return replace(world, docs=docs, states=states, counted=own)


def _sketches(side, texts):
    """(N, width) of documents."""
    return torch.cat([side.words(torch.tensor([ids]), None) for ids in track(side.tokenize(texts), "Words")])


def collection(root, folder, cache, *, documents=6000, questions=5000, seed=0):
    """A collection with judged train questions; kept in `cache`."""
    file = Path(cache) / f"{folder}-{documents}-{questions}-{seed}.pt"
    if file.is_file():
        return torch.load(file, weights_only=False)
    draw = np.random.default_rng(seed)
    source = hyperir.open_collection(str(Path(root) / folder))
    qrels, texts = source.qrels("train"), source.queries("train")
    rows = list(source.documents())
    judged = {doc for grades in qrels.values() for doc in grades}
    if len(rows) > documents:  # those that questions belong to, first
        order = draw.permutation(len(rows))
        order = sorted(order, key=lambda at: rows[at]["id"] not in judged)[:documents]
        rows = [rows[at] for at in sorted(order)]
    place = {row["id"]: at for at, row in enumerate(rows)}
    known = [(q, [place[d] for d, g in grades.items() if g > 0 and d in place]) for q, grades in qrels.items()]
    known = [(q, found) for q, found in known if found]
    draw.shuffle(known)
    targets = sorted({row for _, found in known for row in found})
    new = set(draw.permutation(targets)[: len(targets) * 15 // 100].tolist())
    about_new = [each for each in known if new & set(each[1])][: TESTS + VALID]
    about_seen = [each for each in known if not new & set(each[1])]
    about_seen = about_seen[: TESTS + VALID + questions]
    chosen = about_new + about_seen
    fresh, split = len(about_new), min(TESTS, len(about_new) * 4 // 5)
    numbers = np.arange(len(chosen))
    model = hyperir.load(MODEL)
    usable = torch.ones(len(rows), dtype=torch.bool)
    usable[list(new)] = False
    world = World(
        docs=model.encode_document(rows).vectors.float(),
        states=states_of(model, [texts[q] for q, _ in chosen]),
        relevant=[np.array(found) for _, found in chosen],
        kinds=[""] * len(chosen),
        train=numbers[fresh + TESTS + VALID :],
        valid=np.concatenate([numbers[split:fresh], numbers[fresh + TESTS : fresh + TESTS + VALID]]),
        tests={"seen": numbers[fresh : fresh + TESTS], "new": numbers[:split]},
        usable=usable,
        texts=[document_text(row) for row in rows],
        questions=[texts[q] for q, _ in chosen],
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save(world, file)
    return world


def ranks_of(scores, relevant, measure):
    """Of every question its RR@10 or P@10: (B, N) scores and the rows that count."""
    best = scores.topk(10, dim=1).indices.numpy()
    found = [np.isin(row, rows) for row, rows in zip(best, relevant, strict=True)]
    if measure == "precision":
        return [float(hits.mean()) for hits in found]
    return [1 / (1 + int(hits.argmax())) if hits.any() else 0.0 for hits in found]


def unit(vectors):
    return normalize(vectors.float(), dim=-1)
