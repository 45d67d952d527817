"""Processes killed at random moments of random changes: what they said was committed is there, and nothing is left.

HYPERIR_KILLS=200 makes the long version; the suite runs a short one.
"""

import os
import random
import time

import pytest

from hyperir.index.store import Store

KILLS = int(os.environ.get("HYPERIR_KILLS", "3"))  # of each kind of documents
LONGEST = 1.0  # seconds that a process works before it is killed
CHANGES = """
import random
from hyperir.index import merge, retention
merge.FANOUT, retention.RETAIN = 3, 6  # so that everything happens soon
chance, store = random.Random({seed}), Store.open(path)
first = 100_000 * {seed}
print("ready", flush=True)
while True:
    store = store.refresh()
    what = chance.random()
    if what < 0.15:
        store = store.compact()
        print(store.number, len(store), flush=True)
        continue
    with store.writer() as writer:
        count = chance.randint(1, 4)
        writer.append(rows_of(first, count), docs_of(store.kind, first, count))
        first += count
        if what < 0.5 and store.commit.stored:
            writer.delete(store.ids([chance.randrange(store.commit.stored)]), missing_ok=True)
        if what < 0.2:
            writer.index_columns(["year"])
        commit = writer.checkpoint()
        print(commit.number, commit.documents, flush=True)
"""


@pytest.mark.parametrize("kind", ["dense", "multi", "sparse"])
def test_kills_lose_nothing_that_was_committed_and_leave_nothing(tmp_path, other_process, kind):
    store = Store.create(tmp_path / "k.index", width=4, kind=kind)
    chance = random.Random(0)
    for seed in range(1, KILLS + 1):
        process = other_process(store.path, CHANGES.format(seed=seed))
        assert process.stdout.readline() == "ready\n"
        time.sleep(chance.random() * LONGEST)
        process.kill()
        lines = process.communicate()[0].splitlines(keepends=True)
        said = [tuple(map(int, line.split())) for line in lines if line.endswith("\n")]
        number, documents = said[-1] if said else (store.number, len(store))
        store = Store.open(store.path)
        # The next commit may have been made and not yet told.
        assert (store.number, len(store)) == (number, documents) or store.number == number + 1
        report = store.verify(show_progress=False)
        assert report.ok, str(report)
        with store.writer():
            pass
        assert store.verify(show_progress=False).leftovers == ()
        ids = store.ids(store.alive.nonzero()[:, 0].tolist() if store.alive is not None else range(len(store)))
        assert len(set(ids)) == len(ids) == len(store)
