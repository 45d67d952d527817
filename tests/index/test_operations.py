"""Any sequence of changes against a dictionary that changed the same way.

HYPERIR_OPERATIONS=10000 makes the long version; the suite runs a short one.
"""

import os
import shutil
import tempfile
from pathlib import Path

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from hyperir.index.store import Store
from hyperir.index.topk import best
from hyperir.relevance.dot import InnerProduct

OPERATIONS = int(os.environ.get("HYPERIR_OPERATIONS", "200"))
STEPS = 25  # operations on one index
WIDTH = 3
IDS = st.lists(st.integers(0, 60).map(lambda i: f"d{i}"), unique=True, max_size=20)


def document(id_, stamp):
    return {"id": id_, "title": "", "text": "" if stamp % 5 == 0 else f"{id_} as of {stamp}", "stamp": stamp}


def vector(id_, stamp):
    # Whole numbers, so that an inner product is exact and the same however rows are put into blocks.
    return [float(stamp % 7 - 3), float(int(id_[1:]) % 5), float(stamp)]


def read(store):
    """What a store holds alive, id -> (document, vector), in its order."""
    stored = store.commit.stored
    alive = torch.ones(stored, dtype=torch.bool) if store.alive is None else store.alive
    places = alive.nonzero()[:, 0]
    rows, vectors = store.rows(places.tolist()), store.docs[places].vectors.tolist()
    return {row["id"]: (row, found) for row, found in zip(rows, vectors, strict=True)}


class Operations(RuleBasedStateMachine):
    """An index, and what it should hold."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="hyperir-operations-"))
        self.store = Store.create(self.folder / "o.index", width=WIDTH)
        self.model = {}
        self.past = {1: {}}
        self.stamp = 0

    def teardown(self):
        report = self.store.verify(show_progress=False)
        assert report.ok, str(report)
        assert report.leftovers == ()
        shutil.rmtree(self.folder)

    def _apply(self, writer, kind, ids):
        """One change by a writer, and the same one of the model."""
        self.stamp += 1
        known, new = [i for i in ids if i in self.model], [i for i in ids if i not in self.model]
        if kind == "delete":
            assert writer.delete(ids, missing_ok=True) == len(known)
            for id_ in known:
                del self.model[id_]
            return
        chosen = new if kind == "append" else known if kind == "replace" else [*new, *known]
        rows = [document(id_, self.stamp) for id_ in chosen]
        vectors = torch.tensor([vector(id_, self.stamp) for id_ in chosen]).reshape(-1, WIDTH)
        if kind == "append":
            writer.append(rows, vectors)
        else:
            writer.replace(rows, vectors, insert_missing=kind == "upsert")
        for id_, row, found in zip(chosen, rows, vectors.tolist(), strict=True):
            self.model.pop(id_, None)  # it moves to the end
            self.model[id_] = (row, found)

    def _note(self):
        self.store = self.store.refresh()
        self.past.setdefault(self.store.number, dict(self.model))

    CHANGES = st.lists(
        st.tuples(st.sampled_from(["append", "delete", "replace", "upsert", "checkpoint"]), IDS), min_size=1, max_size=4
    )

    @rule(changes=CHANGES)
    def change(self, changes):
        with self.store.writer() as writer:
            for kind, ids in changes:
                if kind == "checkpoint":
                    number = writer.checkpoint().number
                    self.past.setdefault(number, dict(self.model))
                else:
                    self._apply(writer, kind, ids)
        self._note()

    @rule(ids=IDS, many=st.integers(1, 20))
    def change_often(self, ids, many):
        """Small commits in a row, so that generations are merged."""
        for number in range(many):
            with self.store.writer() as writer:
                self._apply(writer, "upsert", ids[number % 20 :][:1])
            self._note()

    @rule(changes=CHANGES)
    def give_up(self, changes):
        before = dict(self.model)
        with pytest.raises(ZeroDivisionError), self.store.writer() as writer:  # noqa: PT012
            for kind, ids in changes:
                if kind != "checkpoint":
                    self._apply(writer, kind, ids)
            raise ZeroDivisionError
        self.model = before
        assert self.store.refresh() is self.store

    @rule(keep=st.integers(1, 3))
    def compact(self, keep):
        before = self._hits()
        self.store = self.store.compact(keep)
        assert self._hits() == before
        assert self.store.commit.stored == len(self.model)
        self._note()
        retained = [past.number for past in self.store.history()]
        assert retained == sorted(self.past)[-keep:]
        self.past = {number: self.past[number] for number in retained}

    @precondition(lambda self: self.model)
    @rule()
    def index(self):
        with self.store.writer() as writer:
            writer.index_columns(["stamp", "id"])
        self._note()

    @rule()
    def reopen(self):
        self.store = Store.open(self.store.path)

    @rule(data=st.data())
    def open_older(self, data):
        number = data.draw(st.sampled_from(sorted(self.past)[-100:]))
        older = Store.open(self.store.path, number)
        assert read(older) == self.past[number]

    def _hits(self):
        """The best documents of two queries by brute force over the store: ids and scores."""
        f = InnerProduct(torch.tensor([[1.0, 2.0, 0.0], [-1.0, 0.0, 1.0]]))
        scores = f(self.store.docs[:])
        if self.store.alive is not None:
            scores = scores.masked_fill(~self.store.alive, -torch.inf)
        k = min(5, len(self.store))
        top, rows = best(scores, torch.arange(scores.shape[1]), k)
        return [self.store.ids(some) for some in rows.tolist()], top.tolist()

    @invariant()
    def agrees(self):
        assert len(self.store) == len(self.model)
        found = read(self.store)
        assert list(found.items()) == list(self.model.items())  # in the same order, too
        assert self.store.commit.empty_texts == sum(not row["text"] for row, _ in self.model.values())
        assert len(self.store.commit.generations) <= 64
        wanted = [f"d{i}" for i in range(0, 61, 7)]
        places = self.store.positions(wanted)
        assert [id_ for id_, place in zip(wanted, places, strict=True) if place >= 0] == [
            id_ for id_ in wanted if id_ in self.model
        ]
        assert self.store.ids([place for place in places if place >= 0]) == [i for i in wanted if i in self.model]
        ids, scores = self._hits()
        for query, some, given in zip(([1, 2, 0], [-1, 0, 1]), ids, scores, strict=True):
            worth = {i: float(sum(a * b for a, b in zip(query, v, strict=True))) for i, (_, v) in self.model.items()}
            expected = sorted(worth, key=lambda i: -worth[i])[:5]  # stable: ties in the order of rows
            assert (some, given) == (expected, [worth[i] for i in expected])


def test_any_sequence_of_changes_matches_a_dictionary():
    run_state_machine_as_test(
        Operations,
        settings=settings(
            max_examples=max(2, OPERATIONS // STEPS),
            stateful_step_count=min(STEPS, OPERATIONS),
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
