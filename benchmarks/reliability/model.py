"""Random changes of an index, and the dictionary that says what it then holds: id -> stamp, in the order of rows."""

import random
import string
from dataclasses import dataclass

import torch

from hyperir.index import merge, pending, retention
from hyperir.index.building import make
from hyperir.index.store import Store
from hyperir.index.strategies import STRATEGIES

WIDTH = 4
IDS = 60
KINDS = {"append": 5, "delete": 3, "replace": 3, "index": 1, "compact": 2, "structure": 1}  # and how often each


@dataclass(frozen=True)
class Change:
    """One commit.

    Args:
        kind: "create", or one of `KINDS`.
        ids: of the documents concerned.
        stamp: what a document says when it is written; another one for every change.
        keep: commits that a compaction keeps.
    """

    kind: str
    ids: tuple[str, ...] = ()
    stamp: int = 0
    keep: int = 1


def settle():
    """Make what else happens once in a hundred changes happen often: merges, old commits given up, many files."""
    merge.FANOUT, retention.RETAIN, pending.BUFFER = 3, 4, 1


def draw(chance: random.Random, model: dict[str, int] | None, stamp: int) -> Change:
    """A change that does something to this index."""
    if model is None:
        return Change("create")
    absent = [i for i in (f"d{n}" for n in range(IDS)) if i not in model]
    kind = chance.choices(list(KINDS), list(KINDS.values()))[0]
    if kind == "append" or not model:
        if not absent:
            return Change("delete", tuple(chance.sample(list(model), 30)))
        return Change("append", tuple(chance.sample(absent, min(len(absent), chance.randint(1, 6)))), stamp)
    if kind in ("delete", "replace"):
        return Change(kind, tuple(chance.sample(list(model), min(len(model), chance.randint(1, 5)))), stamp)
    return Change(kind, keep=chance.randint(1, 2))


def applied(model: dict[str, int] | None, change: Change) -> dict[str, int]:
    """The dictionary after a change."""
    new = {id_: stamp for id_, stamp in (model or {}).items() if id_ not in change.ids}
    if change.kind in ("append", "replace"):
        new |= dict.fromkeys(change.ids, change.stamp)
    return new


def rows_of(ids, stamp):
    return [{"id": i, "title": "t" * (stamp % 3), "text": text_of(i, stamp), "stamp": stamp} for i in ids]


def text_of(id_, stamp):
    # Of many lengths, and no two alike, so that a row in the wrong place shows.
    return f"{id_} as of {stamp} " + string.ascii_letters * (stamp % 5)


def vectors_of(ids, stamp):
    return torch.tensor([[stamp, int(i[1:]), 1, -1] for i in ids], dtype=torch.float32).reshape(-1, WIDTH)


def perform(root, change: Change) -> None:
    """Make the change, as one commit."""
    if change.kind == "create":
        Store.create(root, width=WIDTH)
        return
    store = Store.open(root)
    if change.kind == "compact":
        store.compact(change.keep)
        return
    with store.writer() as writer:
        put(writer, change)


def put(writer, change: Change) -> None:
    """Give a change to a writer, rows one at a time: each of them becomes a file of its own."""
    if change.kind == "delete":
        writer.delete(change.ids)
    if change.kind == "index":
        writer.index_columns(["id"])
    if change.kind == "structure":
        made = make(writer.place, writer.base, STRATEGIES.parse({"type": "ivf", "cells": 3}))
        writer.keep_structure(made, writer.base.structures[0] if writer.base.structures else None)
    if change.kind in ("append", "replace"):
        for part in (change.ids[:1], change.ids[1:]):
            act = writer.append if change.kind == "append" else writer.replace
            act(rows_of(part, change.stamp), vectors_of(part, change.stamp))


def held(store: Store) -> dict[str, int]:
    """What the index holds.

    Raises:
        ValueError: a document that no change wrote so.
    """
    places = torch.arange(store.commit.stored) if store.alive is None else store.alive.nonzero()[:, 0]
    found = store.rows(places.tolist())
    vectors = store.docs[places].vectors
    for row, vector in zip(found, vectors, strict=True):
        expected = rows_of([row["id"]], row["stamp"])[0], vectors_of([row["id"]], row["stamp"])[0]
        if row != expected[0] or not torch.equal(vector, expected[1]):
            raise ValueError(f"a document that nobody wrote: {row}, {vector.tolist()}")
    if len({row["id"] for row in found}) != len(found):
        raise ValueError("an id twice")
    return {row["id"]: row["stamp"] for row in found}
