"""Bar 6: four processes write, two read, all at once.

Every commit of a writer adds three documents and puts a new one in place of its total, which says how many commits it
has made. So whoever sees half a commit sees a total that does not fit, or parts that are missing.
"""

import random
from pathlib import Path

import torch

from hyperir.core.errors import HyperIRError, StoreError
from hyperir.index.store import Store
from hyperir.index.verify import verify
from reliability.children import Child
from reliability.result import Result

WRITERS, READERS, PARTS = 4, 2, 3
WAIT = 600.0
COMPACT = 25  # commits of the first writer between two compactions


def write(root, writer, count, tell):
    """Make `count` commits."""
    for number in range(count):
        rows = [{"id": f"w{writer}-{number}-{part}", "text": f"{number}"} for part in range(PARTS)]
        total = [{"id": f"total-{writer}", "text": f"{number}"}]
        with Store.open(root).writer(wait=WAIT) as out:
            out.append(rows, torch.tensor([[writer, number, part, 0.0] for part in range(PARTS)]))
            out.replace(total, torch.tensor([[writer, number, -1.0, 1.0]]), insert_missing=True)
        tell(number)
        if writer == 0 and number % COMPACT == COMPACT - 1:
            Store.open(root).compact(keep=20, wait=WAIT)


def read(root, seed, done, tell):
    """Read until the file `done` is there; tell the reads, the commits seen, and what was wrong."""
    chance, store, reads, given_up = random.Random(seed), Store.open(root), 0, 0
    seen, wrong = set(), []
    while not done.exists():
        try:
            store = Store.open(root) if reads % 2 else store.refresh()
            if said := inconsistent(store, chance, rows=reads % 20 == 0):
                wrong.append(f"commit {store.number}: {said}")
        except StoreError as error:
            if "given up" not in str(error):  # which says so and tells to refresh
                raise
            given_up += 1
            continue
        reads += 1
        seen.add(store.number)
    tell((reads, len(seen), given_up, wrong))


def inconsistent(store: Store, chance: random.Random, rows: bool) -> str:
    """What does not fit together in what a reader sees."""
    places = torch.arange(store.commit.stored) if store.alive is None else store.alive.nonzero()[:, 0]
    vectors = store.docs[places].vectors.long()
    totals, parts = vectors[vectors[:, 3] == 1], vectors[vectors[:, 3] == 0]
    if len(places) != len(store) or len(totals) != len(totals[:, 0].unique()):
        return f"{len(places)} documents alive of {len(store)}, {len(totals)} totals"
    expected = sum((int(number) + 1) * PARTS for number in totals[:, 1])
    if len(parts) != expected or len(parts.unique(dim=0)) != expected:
        return f"{len(parts)} documents, {len(parts.unique(dim=0))} different ones, where the totals say {expected}"
    last = {int(total[0]): int(total[1]) for total in totals}
    if any(int(part[1]) > last.get(int(part[0]), -1) for part in parts[-PARTS * WRITERS :]):
        return "a document of a commit that the totals do not know"
    if rows and len(places):
        some = sorted(chance.sample(range(len(places)), min(20, len(places))))
        for row, (writer, number, part, is_total) in zip(
            store.rows(places[some].tolist()), vectors[some].tolist(), strict=True
        ):
            id_ = f"total-{writer}" if is_total else f"w{writer}-{number}-{part}"
            if (row["id"], row["text"]) != (id_, str(number)):
                return f"the row {row} stands where the vector of {id_} stands"
    return ""


def together(count: int, folder: Path, seed: int = 0) -> list[Result]:
    """Let four writers make `count` commits each, while two readers read."""
    writes = Result(6, f"commits by {WRITERS} processes at once: lost, failed, or ids twice")
    reads = Result(6, f"reads by {READERS} processes meanwhile: inconsistent")
    root, done = folder / "together.index", folder / "done"
    Store.create(root, width=4)
    writers = [Child(write, root, number, count) for number in range(WRITERS)]
    readers = [Child(read, root, seed + number, done) for number in range(READERS)]
    for number, writer in enumerate(writers):
        made = len(list(writer.hear()))
        writes.count += made
        writes.check(made == count and not writer.process.exitcode, f"writer {number} ended after {made} of {count}")
    done.touch()
    for number, reader in enumerate(readers):
        told = list(reader.hear())
        if not told:
            reads.failures.append(f"reader {number} ended with {reader.process.exitcode}")
            continue
        made, seen, given_up, wrong = told[0]
        reads.count += made
        reads.failures += wrong
        reads.note += f"reader {number} saw {seen} commits, and was told {given_up} times to refresh. "
    _check_end(writes, root, count)
    return [writes, reads]


def _check_end(result, root, count):
    try:
        store = Store.open(root)
        places = range(store.commit.stored) if store.alive is None else store.alive.nonzero()[:, 0].tolist()
        ids = [row["id"] for row in store.rows(places)]
        wanted = {f"w{w}-{n}-{p}" for w in range(WRITERS) for n in range(count) for p in range(PARTS)}
        wanted |= {f"total-{w}" for w in range(WRITERS)}
        result.check(len(ids) == len(set(ids)), f"{len(ids) - len(set(ids))} ids twice")
        result.check(set(ids) == wanted, f"lost: {sorted(wanted - set(ids))[:5]}, {len(wanted - set(ids))} in all")
        result.check((report := verify(root, show_progress=False)).ok, str(report))
        result.check(not report.leftovers, f"leftovers: {report.leftovers}")
        expected = 1 + WRITERS * count + count // COMPACT
        result.check(store.number == expected, f"commit {store.number}, where {expected} were made")
    except HyperIRError as wrong:
        result.failures.append(f"at the end: {wrong}")
    result.note = f"with {count // COMPACT} compactions among them"
