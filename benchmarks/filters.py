"""Exact search over the documents that pass a filter against exact search over all, in one run.

    python benchmarks/filters.py [--documents 250000] [--threads 2]

The q-net is 384-64-64-1, the filter `number < P` passes P % of the rows. "fresh" asks for another filter in every
search, of an index whose column was read by a filter before; "kept" repeats one. "times" compares with the search over
all. Then the same with no column held in memory, so that Lance reads it for every fresh filter, without and with a
scalar index. Last the first filter of an index just opened, which reads the column.
"""

import argparse
import itertools
import statistics
import tempfile
import time
from pathlib import Path

import torch
from scoring import WIDTH, make_functions, seconds

from hyperir.index.masks import Masks
from hyperir.index.store import Store
from hyperir.index.strategies import STRATEGIES
from hyperir.index.table import FOLDER, RowTable

K = 10


def make_store(folder, documents):
    store = Store.create(Path(folder) / "filters.index", width=WIDTH)
    with store.writer() as writer:
        for start in range(0, documents, 8192):
            n = min(8192, documents - start)
            numbers = torch.randint(100, (n,)).tolist()
            rows = [{"id": str(start + i), "text": "", "number": number} for i, number in enumerate(numbers)]
            writer.append(rows, torch.nn.functional.normalize(torch.randn(n, WIDTH), dim=-1))
    return store.refresh()


def by_lance(store):
    """Masks that hold no column in memory."""
    return Masks(store._rows, store.commit.metadata, store.docs, held=0)


def with_scalar_index(store):
    """The same over a version of the table of which no commit knows: the store itself stays as it is."""
    import lance

    table = lance.dataset(str(store.path / FOLDER))
    table.create_scalar_index("number", "BTREE")
    return Masks(RowTable(store.place, table.latest_version), store.commit.metadata, store.docs, held=0)


def seconds_once(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=int, default=250_000)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    f = make_functions((64, 64), 1)
    with tempfile.TemporaryDirectory() as folder:
        store = make_store(folder, options.documents)
        exact = STRATEGIES.build("exact", docs=store.docs)
        print(f"{options.documents:,} documents, {WIDTH} wide, one query, {options.threads} threads")
        print(f"{'passes':>7}{'scored':>9}  {'column':14}{'fresh ms':>9}{'times':>7}{'kept ms':>9}{'times':>7}")
        ways = (("in memory", store.allowed), ("of Lance", by_lance(store)), ("with BTREE", with_scalar_index(store)))
        for label, masks in ways:
            another = itertools.count(1)
            for percent in (1, 10, 30, 50, 70, 90):

                def fresh(masks=masks, percent=percent, another=another):
                    # Every search asks for another filter that passes the same rows, so that none is found again.
                    return exact.search(f, K, masks(f"number < {percent} and number > -{next(another)}"))

                def kept(masks=masks, percent=percent):
                    return exact.search(f, K, masks(f"number < {percent}"))

                times = [
                    (seconds(lambda: exact.search(f, K), 1), seconds(fresh, 1), seconds(kept, 1))
                    for _ in range(options.repeats)  # in turn, so that a slower minute of the machine is shared by all
                ]
                every, computed, found = (1000 * statistics.median(column) for column in zip(*times, strict=True))
                print(
                    f"{percent:5} % {kept().scored:9,}  {label:14}{computed:9.1f}{every / computed:7.1f}"
                    f"{found:9.1f}{every / found:7.1f}"
                )
        times = []
        for _ in range(options.repeats):
            opened = store.open(store.path)
            opened.docs.keys.sum()  # mapped and read
            times.append(1000 * seconds_once(lambda opened=opened: opened.allowed("number < 1")))
        print(f"the first filter of an opened index: {statistics.median(times):.1f} ms, without the search")


if __name__ == "__main__":
    main()
